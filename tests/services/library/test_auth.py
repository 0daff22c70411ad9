# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is let in, and who is not."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from tillbridge.simulators.library.settings import StaffAccount

if TYPE_CHECKING:
    from services.library.conftest import Peer

pytestmark = pytest.mark.asyncio(loop_scope="module")
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_GOOD = "grant_type=client_credentials&client_id=full&client_secret=full-secret"


def _basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


async def test_a_token_opens_the_routes_until_it_is_too_old(peer: Peer) -> None:
    given = await peer.send("POST", "/api/v1/oauth/token", raw=_GOOD.encode(), headers=_FORM)
    peer.token = given.json["access_token"]

    assert (await peer.koha("GET", "/patrons/1")).status == 200
    peer.clock.now += 3599
    assert (await peer.koha("GET", "/patrons/1")).status == 200
    peer.clock.now += 1
    assert (await peer.koha("GET", "/patrons/1")).status == 401


async def test_the_life_of_a_token_is_a_setting(peer: Peer) -> None:
    await peer.control("PATCH", "/settings", {"token_s": 5})
    given = await peer.send("POST", "/api/v1/oauth/token", raw=_GOOD.encode(), headers=_FORM)
    peer.token = given.json["access_token"]

    assert given.json["expires_in"] == 5
    peer.clock.now += 5
    assert (await peer.koha("GET", "/patrons/1")).status == 401


_TOKENS = {
    "JSON": (b'{"grant_type":"client_credentials"}', {"Content-Type": "application/json"}, 400),
    "no grant": (b"client_id=full", _FORM, 400),
    "another grant": (b"grant_type=password", _FORM, 400),
    "no UTF-8": (b"\xff", _FORM, 400),
    "too many fields": (b"a=1&" * 100, _FORM, 400),
    "an unknown client": (_GOOD.replace("id=full", "id=nobody").encode(), _FORM, 403),
    "a wrong secret": (_GOOD.replace("full-secret", "x").encode(), _FORM, 403),
    "a wrong secret as Basic": (b"grant_type=client_credentials", _FORM | {"Authorization": _basic("full:x")}, 403),
    "Basic": (b"grant_type=client_credentials", _FORM | {"Authorization": _basic("full:full-secret")}, 200),
}


@pytest.mark.parametrize(("raw", "headers", "status"), _TOKENS.values(), ids=_TOKENS)
async def test_tokens_are_given_for_a_right_form_only(
    raw: bytes, headers: dict[str, str], status: int, peer: Peer
) -> None:
    assert (await peer.send("POST", "/api/v1/oauth/token", raw=raw, headers=headers)).status == status


_HEADERS = {
    "nothing": ("", 401),
    "an unknown token": ("Bearer x", 401),
    "an unknown scheme": ("Digest x", 401),
    "Basic that is no base64": ("Basic ä", 401),
    "Basic without a colon": (_basic("full"), 401),
    "Basic with a wrong password": (_basic("full:x"), 403),
    "Basic of an account without a password": (_basic("api:"), 403),
    "Basic": (_basic("full:full-password"), 200),
}


@pytest.mark.parametrize(("header", "status"), _HEADERS.values(), ids=_HEADERS)
async def test_a_header_lets_in_who_it_proves(header: str, status: int, peer: Peer) -> None:
    headers = {"Authorization": header} if header else {}

    assert (await peer.send("GET", "/api/v1/patrons/1", headers=headers)).status == status


async def test_finding_patrons_needs_any_one_of_several_rights(peer: Peer) -> None:
    peer.token = peer.token_of("weak")

    assert (await peer.koha("GET", "/patrons")).status == 200
    assert (await peer.koha("GET", "/patrons/1/account")).status == 403


async def test_an_account_does_not_show_its_secrets() -> None:
    shown = repr(StaffAccount("client", "the-secret", password="the-password"))

    assert "the-secret" not in shown
    assert "the-password" not in shown


async def test_a_forwarded_request_is_not_logged_with_its_token(peer: Peer) -> None:
    await peer.koha("GET", "/patrons?cardnumber=1")

    log = await peer.control("GET", "/requests")

    assert peer.token not in log.text
    assert log.json["requests"][-1]["path"] == "/api/v1/patrons"

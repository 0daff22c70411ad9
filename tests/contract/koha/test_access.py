# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections, log-in and tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tillbridge.service.library_port import CreditOrder, LibrarySystem, NotRecorded, Unavailable

if TYPE_CHECKING:
    import trustme

    from contract.koha.conftest import Connects, Peer, Step

HTML = "text/html"
EMPTY: Step = ("json", 200, {"outstanding_debits": {"lines": []}})


# Connections ---------------------------------------------------------------------------------------------------


async def test_a_read_whose_connection_dies_is_asked_once_more(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [EMPTY, ("drop",), EMPTY]
    assert await library.open_charges("5") == ()
    assert await library.open_charges("5") == ()
    assert [asked.connection for asked in peer.asked] == [1, 1, 2]


async def test_a_read_is_asked_no_more_than_twice(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [("drop",)]
    assert await library.open_charges("5") == Unavailable("the connection to Koha was lost before its answer came")
    assert len(peer.asked) == 2


@pytest.mark.parametrize("step", [("silent",), ("stall", 200, "application/json", b"{}")], ids=["none", "half"])
async def test_a_read_that_takes_too_long_is_given_up_and_not_repeated(
    step: Step, peer: Peer, connected: Connects
) -> None:
    peer.script = [step]
    answer = await connected(peer.address, connect_s=0.5, answer_s=0.2).open_charges("5")
    assert isinstance(answer, Unavailable)
    assert len(peer.asked) == 1


async def test_a_kept_connection_that_stays_silent_is_told_from_one_that_was_never_made(
    peer: Peer, connected: Connects
) -> None:
    peer.script = [EMPTY, ("silent",)]
    library = connected(peer.address, connect_s=0.5, answer_s=0.2)
    assert await library.open_charges("5") == ()
    assert await library.open_charges("5") == Unavailable("Koha did not answer within 0.2 s")


async def test_a_redirect_never_carries_the_secret_elsewhere(
    peer: Peer, tls_peer: Peer, library: LibrarySystem
) -> None:
    peer.script = [("raw", 302, HTML, b"", {"Location": tls_peer.address})]
    answer = await library.open_charges("5")
    assert isinstance(answer, Unavailable)
    assert "leads elsewhere" in answer.why
    assert tls_peer.connections == 0


async def test_a_proxy_of_the_environment_is_not_used(
    peer: Peer, library: LibrarySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    peer.script = [EMPTY]
    assert await library.open_charges("5") == ()


async def test_cookies_are_not_kept(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [(*EMPTY, {"Set-Cookie": "CGISESSID=0123; path=/"}), EMPTY]
    await library.open_charges("5")
    await library.open_charges("5")
    assert "cookie" not in peer.asked[1].headers


async def test_an_authority_named_in_the_settings_is_trusted_and_no_other(
    tls_peer: Peer, connected: Connects, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls_peer.script = [EMPTY]
    assert await connected(tls_peer.address, ca_file="ca.pem").open_charges("5") == ()
    answer = await connected(tls_peer.address).open_charges("5")
    assert isinstance(answer, Unavailable)
    assert "not trusted" in answer.why


async def test_a_certificate_for_another_name_is_not_trusted(
    tls_peer: Peer, connected: Connects, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    address = tls_peer.address.replace("localhost", "127.0.0.1")
    assert isinstance(await connected(address, ca_file="ca.pem").open_charges("5"), Unavailable)
    assert tls_peer.asked == []


# Being let in --------------------------------------------------------------------------------------------------


async def test_a_ping_asks_for_nobodys_account(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [("json", 404, {"error": "Patron not found."})]
    assert await library.ping() is None
    assert [asked.path for asked in peer.asked] == ["/api/v1/patrons/0/account"]


PINGS: dict[str, tuple[Step, str]] = {
    "a missing right": (
        ("json", 403, {"error": "x", "required_permissions": {"updatecharges": "remaining_permissions"}}),
        "lacks the right updatecharges:remaining_permissions",
    ),
    "one of some rights": (
        ("json", 403, {"error": "x", "required_permissions": ["a", {"b": "c"}]}),
        "lacks the right a and",
    ),
    "a wrong password": (
        ("json", 403, {"error": "Invalid password", "required_permissions": None}),
        "does not accept the user and its password",
    ),
    "Basic switched off": (("json", 401, {"error": "Basic authentication disabled"}), "disabled"),
    "another server": (("raw", 404, HTML, b"not here"), "not one of Koha's interface"),
    "a redirect": (("raw", 301, HTML, b""), "leads elsewhere"),
    "a failure": (("json", 500, {"error": "x\x1b[2J\ny" + "z" * 999}), "Koha answered 500 (x [2J yz"),
    "no answer": (("drop",), "lost"),
}


@pytest.mark.parametrize(("step", "words"), PINGS.values(), ids=PINGS.keys())
async def test_a_ping_says_in_plain_words_what_is_wrong(
    step: Step, words: str, peer: Peer, library: LibrarySystem
) -> None:
    peer.script = [step]
    why = await library.ping()
    assert why is not None
    assert words in why
    assert why.isprintable()
    assert len(why) < 400


async def test_many_payments_at_once_ask_for_one_token(peer: Peer, connected: Connects) -> None:
    peer.hold_tokens = asyncio.Event()
    peer.script = [EMPTY]
    library = connected(peer.address, client_id="bridge")
    reads = [asyncio.create_task(library.open_charges("5")) for _ in range(20)]
    await peer.asked_for_token.wait()
    peer.hold_tokens.set()
    assert set(await asyncio.gather(*reads)) == {()}
    assert len(peer.token_asked) == 1
    assert {asked.headers["authorization"] for asked in peer.asked} == {"Bearer token-1"}


async def test_many_payments_turned_away_at_once_renew_one_token(peer: Peer, connected: Connects) -> None:
    library = connected(peer.address, client_id="bridge")
    peer.script = [("json", 401, {"error": "Authentication failure."})] * 8 + [EMPTY]
    reads = [asyncio.create_task(library.open_charges("5")) for _ in range(8)]
    assert set(await asyncio.gather(*reads)) == {()}
    assert len(peer.token_asked) == 2


async def test_a_payment_that_is_given_up_leaves_the_token_to_the_others(peer: Peer, connected: Connects) -> None:
    peer.hold_tokens = asyncio.Event()
    peer.script = [EMPTY]
    library = connected(peer.address, client_id="bridge")
    given_up, stays = (asyncio.create_task(library.open_charges("5")) for _ in range(2))
    await peer.asked_for_token.wait()
    given_up.cancel()
    peer.hold_tokens.set()
    assert await stays == ()
    assert given_up.cancelled()
    assert len(peer.token_asked) == 1


async def test_closing_ends_the_wait_for_a_token(peer: Peer, connected: Connects, order: CreditOrder) -> None:
    peer.hold_tokens = asyncio.Event()
    library = connected(peer.address, client_id="bridge")
    recording = asyncio.create_task(library.record(order))
    await peer.asked_for_token.wait()
    await library.close()
    assert isinstance(await recording, NotRecorded)
    assert peer.asked == []


async def test_closing_leaves_no_request_for_a_token_behind(peer: Peer, connected: Connects) -> None:
    peer.hold_tokens = asyncio.Event()
    library = connected(peer.address, client_id="bridge")
    given_up = asyncio.create_task(library.open_charges("5"))
    await peer.asked_for_token.wait()
    given_up.cancel()
    await library.close()
    assert not [task for task in asyncio.all_tasks() if "_renewed" in repr(task.get_coro())]


@pytest.mark.parametrize(("lives_s", "tokens"), [(3600, 1), (0, 2), (-5, 2)])
async def test_a_token_that_has_ended_is_not_used(lives_s: int, tokens: int, peer: Peer, connected: Connects) -> None:
    peer.tokens = [("json", 200, {"access_token": "t", "expires_in": lives_s})]
    peer.script = [EMPTY]
    library = connected(peer.address, client_id="bridge")
    assert await library.open_charges("5") == await library.open_charges("5") == ()
    assert len(peer.token_asked) == tokens


NO_TOKENS: dict[str, Step] = {
    "the endpoint is away": ("drop",),
    "a page": ("raw", 200, HTML, b""),
    "a failure": ("json", 500, {"error": "x"}),
    "a page that refuses": ("raw", 403, HTML, b""),
    "a redirect": ("raw", 302, HTML, b"", {"Location": "/"}),
    "no token in it": ("json", 200, {"expires_in": 3600}),
    "no time in it": ("json", 200, {"access_token": "t"}),
    "a time in text": ("json", 200, {"access_token": "t", "expires_in": "3600"}),
    "a number as token": ("json", 200, {"access_token": 5, "expires_in": 3600}),
    "an empty token": ("json", 200, {"access_token": "", "expires_in": 3600}),
    "a token with another header in it": (
        "json",
        200,
        {"access_token": "t\r\nX-Other: 1", "expires_in": 3600},
    ),
    "a token without end": ("json", 200, {"access_token": "t" * 4097, "expires_in": 3600}),
}


@pytest.mark.parametrize("step", NO_TOKENS.values(), ids=NO_TOKENS.keys())
async def test_what_is_no_token_is_not_shown_to_koha(step: Step, peer: Peer, connected: Connects) -> None:
    peer.tokens = [step]
    library = connected(peer.address, client_id="bridge")
    why = await library.ping()
    assert why is not None
    assert "token" in why
    assert "an example" not in why
    assert peer.asked == []

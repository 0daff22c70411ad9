# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Koha shows before the first customer: by requests that read, and by none that could store anything."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from contract.koha.conftest import Connects, Peer
from tillbridge.libraries.koha.checking import EVERY_KOHA
from tillbridge.service.checking_port import (
    Certificate,
    DebitTypes,
    Distrust,
    Interface,
    NotAllowed,
    NoTls,
    NotTrusted,
    PaymentTypes,
    ServerTime,
)
from tillbridge.service.library_port import LibrarySystem, Unavailable

NOBODY = ("json", 404, {"error": "Patron not found."})
REFUSED = "Authorization failure. Missing required permission(s)."
ACCOUNT = {"borrowers": "edit_borrowers", "updatecharges": "remaining_permissions"}
NO_ACCOUNT = ("json", 403, {"error": REFUSED, "required_permissions": ACCOUNT})
NO_PATRON = ("json", 403, {"error": REFUSED, "required_permissions": {"borrowers": "edit_borrowers"}})
NO_CATALOGUE = ("json", 403, {"error": REFUSED, "required_permissions": {"catalogue": 1}})
READ, CHARGE = "borrowers:edit_borrowers", "updatecharges:remaining_permissions"

RIGHTS = [
    ([NOBODY], {READ: True, CHARGE: True}),
    ([NO_ACCOUNT, NOBODY], {READ: True, CHARGE: False}),
    ([NO_ACCOUNT, NO_PATRON], {READ: False, CHARGE: None}),
]


@pytest.mark.parametrize(("script", "held"), RIGHTS)
async def test_the_rights_are_told_by_reading_nobody(
    peer: Peer, library: LibrarySystem, script: list[Any], held: dict[str, bool | None]
) -> None:
    peer.script = [*script]
    rights = await library.checks.rights()
    assert isinstance(rights, tuple)
    assert {right.name: right.held for right in rights} == held
    asked = [(asked.method, asked.path) for asked in peer.asked]
    assert asked == [("GET", "/api/v1/patrons/0/account"), ("GET", "/api/v1/patrons/0")][: len(script)]


NEITHER = [
    ("json", 401, {"error": "Authentication failure."}),
    ("json", 403, {"error": "Invalid password", "required_permissions": None}),
    ("json", 404, {"errors": [{"message": "Not Found.", "path": "/"}], "status": 404}),
    ("json", 503, {"error": "System is under maintenance."}),
    ("raw", 404, "text/html", b"<p>Not found</p>"),
    ("drop",),
]


@pytest.mark.parametrize("answer", NEITHER)
@pytest.mark.parametrize("earlier", [[], [NO_ACCOUNT]])
async def test_only_koha_s_own_words_tell_of_a_right(
    peer: Peer, library: LibrarySystem, answer: Any, earlier: list[Any]
) -> None:
    peer.script = [*earlier, answer]
    assert isinstance(await library.checks.rights(), Unavailable)


def specification(**changes: Any) -> dict[str, Any]:
    """A Koha's specification in small; `changes` replaces a route (by its last part)."""
    recording = {"permissions": {"updatecharges": "remaining_permissions"}}
    routes = {
        "patrons": {"get": {"x": 1}, "post": {"x": 1}},
        "patron": {"get": {"x": 1}},
        "account": {"get": {"x": 1}},
        "credits": {"get": {"x": 1}, "post": {"x-koha-authorization": recording}},
    } | changes
    names = {"patrons": "", "patron": "/{patron_id}", "account": "/{patron_id}/account"}
    names["credits"] = "/{patron_id}/account/credits"
    return {"paths": {f"/patrons{names[key]}": route for key, route in routes.items() if route is not None}}


def recording(permissions: Any) -> dict[str, Any]:
    return {"get": {"x": 1}, "post": {"x-koha-authorization": {"permissions": permissions}}}


INTERFACES = [
    (specification(), Interface()),
    (specification(credits={"post": {"x": 1}}), Interface(("GET /patrons/{patron_id}/account/credits",))),
    (specification(patron="odd"), Interface(("GET /patrons/{patron_id}",))),
    (specification(credits=recording([{"a": "b"}, {"updatecharges": "remaining_permissions"}])), Interface()),
    (specification(credits=recording([{"a": "b", "c": "d"}, {"e": 1}])), Interface((), ("e",))),
    (specification(credits=recording("odd")), Interface()),
    (
        specification(credits=recording({"updatecharges": "manual_credit", "borrowers": "edit_borrowers"})),
        Interface((), ("updatecharges:manual_credit",)),
    ),
]


@pytest.mark.parametrize(("told", "interface"), INTERFACES)
async def test_koha_s_specification_tells_what_it_lacks_and_what_recording_takes(
    peer: Peer, library: LibrarySystem, told: Any, interface: Interface
) -> None:
    peer.script = [("json", 200, told)]
    assert await library.checks.interface() == interface
    assert [(asked.method, asked.path) for asked in peer.asked] == [("GET", "/api/v1/")]


UNREADABLE = [("json", 200, {"no": "paths"}), ("raw", 200, "text/html", b"<p>"), ("json", 404, {}), ("drop",)]


@pytest.mark.parametrize("answer", UNREADABLE)
async def test_a_specification_that_cannot_be_read_lacks_nothing(
    peer: Peer, library: LibrarySystem, answer: Any
) -> None:
    peer.script = [answer]
    assert isinstance(await library.checks.interface(), Unavailable)


async def test_debit_types_are_those_of_every_koha_since_none_lists_them(peer: Peer, library: LibrarySystem) -> None:
    assert await library.checks.debit_types() == DebitTypes(EVERY_KOHA, whole=False)
    assert {"OVERDUE", "LOST", "MANUAL", "NEW_CARD", "RENT", "RESERVE"} <= set(EVERY_KOHA)
    assert peer.asked == []


async def test_payment_types_are_the_authorised_values_all_at_once(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [("json", 200, [{"value": "CARD"}, {"value": "CEEPOS"}], {"X-Total-Count": "2"})]
    assert await library.checks.payment_types() == PaymentTypes("CEEPOS", ("CARD", "CEEPOS"))
    (asked,) = peer.asked
    assert (asked.method, asked.query) == ("GET", {"_per_page": "-1"})
    assert asked.path == "/api/v1/authorised_value_categories/PAYMENT_TYPE/authorised_values"


async def test_branches_are_koha_s_libraries(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [("json", 200, [{"library_id": "CPL"}, {"library_id": "MPL"}])]
    assert await library.checks.branches() == ("CPL", "MPL")
    assert [(asked.method, asked.path) for asked in peer.asked] == [("GET", "/api/v1/libraries")]


async def test_a_list_that_the_account_may_not_read_names_the_right(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [NO_CATALOGUE]
    assert await library.checks.branches() == NotAllowed("catalogue")
    assert await library.checks.payment_types() == NotAllowed("catalogue")


LISTS = [
    ("json", 200, [{"library_id": "CPL"}], {"X-Total-Count": "25"}),
    ("json", 200, [{"library_id": None}]),
    ("json", 200, ["CPL"]),
    ("json", 200, {}),
    ("json", 403, {"error": "Invalid password", "required_permissions": None}),
    ("json", 500, {"error": "Something went wrong"}),
    ("drop",),
]


@pytest.mark.parametrize("answer", LISTS)
async def test_a_list_that_is_not_whole_is_no_list(peer: Peer, library: LibrarySystem, answer: Any) -> None:
    peer.script = [answer]
    assert isinstance(await library.checks.branches(), Unavailable)


async def test_the_clock_is_the_date_of_whatever_koha_answers(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [(*NO_ACCOUNT, {"Date": "Fri, 15 Jan 2027 08:00:00 GMT"})]
    (server,) = library.checks.servers
    assert await server.time() == ServerTime(datetime(2027, 1, 15, 8, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (NOBODY, "its answers have no date"),
        ((*NOBODY, {"Date": "yesterday"}), "its answers have no date"),
        (("drop",), "it does not answer"),
    ],
)
async def test_without_a_date_there_is_no_clock(peer: Peer, library: LibrarySystem, answer: Any, why: str) -> None:
    peer.script = [answer]
    assert await library.checks.servers[0].time() == Unavailable(why)


async def test_a_koha_on_this_machine_needs_no_certificate(peer: Peer, library: LibrarySystem) -> None:
    assert await library.checks.servers[0].certificate() == NoTls(local=True)
    assert peer.connections == 0


SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)


@pytest.fixture
async def ending_soon(authority: trustme.CA) -> AsyncIterator[Peer]:
    """A Koha whose certificate ends in ten days."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", common_name="koha.example", not_after=SOON).configure_cert(tls)
    peer = Peer()
    await peer.start(tls)
    yield peer
    await peer.stop()


async def test_the_certificate_is_looked_at_without_a_request(
    ending_soon: Peer, connected: Connects, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    (server,) = connected(ending_soon.address, ca_file="ca.pem").checks.servers
    assert await server.certificate() == Certificate("koha.example", SOON.timestamp())
    assert server.name == ending_soon.address.removeprefix("https://")
    assert ending_soon.asked == []


async def test_an_authority_that_nobody_named_is_not_trusted(tls_peer: Peer, connected: Connects) -> None:
    seen = await connected(tls_peer.address).checks.servers[0].certificate()
    assert isinstance(seen, NotTrusted)
    assert seen.reason is Distrust.UNKNOWN_AUTHORITY

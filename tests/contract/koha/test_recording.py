# SPDX-License-Identifier: GPL-3.0-or-later
"""Recording a credit: what each answer, silence and fault proves. Here money could be lost or doubled."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tillbridge.service.library_port import (
    Credit,
    CreditOrder,
    LibrarySystem,
    MaybeRecorded,
    NoSuchPatron,
    NotRecorded,
    Recorded,
)

if TYPE_CHECKING:
    from contract.koha.conftest import Connects, Peer, Step

HTML = "text/html; charset=utf-8"
PAGE = b"<html><body>something in between speaks</body></html>"
FAILED = {"error": "Something went wrong, check Koha logs for details.", "error_code": "internal_server_error"}
TURNED_AWAY = ("json", 401, {"error": "Authentication failure."})


def spoken(status: int) -> Step:
    return ("json", status, {"error": f"Koha says {status}"})


def of_interface(status: int) -> Step:
    return ("json", status, {"errors": [{"message": "Not so.", "path": "/body"}], "status": status})


def page(status: int, *headers: dict[str, str]) -> Step:
    return ("raw", status, HTML, PAGE, *headers)


DOUBTS: dict[str, tuple[Step, bool]] = {
    "the request is read and the connection dropped": (("drop",), False),
    "the connection is dropped before the request is read": (("drop unread",), False),
    "no answer in time": (("silent",), False),
    "500 in Koha's form": (("json", 500, FAILED), True),
    "500 in the interface's form": (of_interface(500), True),
    "500 in the form of some gateway": (spoken(500), False),
    "500 as a page": (page(500), False),
    "500 that breaks off": (("half", 500, "application/json", b'{"error": "x", "error_code": "y"}'), False),
    "501": (spoken(501), False),
    "502": (page(502), False),
    "503": (page(503), False),
    "503 in JSON": (spoken(503), False),
    "504": (page(504), False),
    "a redirect": (page(302, {"Location": "/elsewhere"}), False),
    "a lasting redirect": (page(308, {"Location": "/elsewhere"}), False),
    "200 as a page": (page(200), False),
    "200 in JSON": (("json", 200, {"account_line_id": 45}), False),
    "400 as a page": (page(400), False),
    "401 as a page": (page(401), False),
    "403 as a page of a filter, which may judge answers": (page(403), False),
    "404 as a page": (page(404), False),
    "404 in the form of something else": (("json", 404, {"message": "no route"}), False),
    "400 with the errors of another status": (
        ("json", 400, {"errors": [{"message": "x", "path": "/"}], "status": 500}),
        False,
    ),
    "400 with errors that are none": (("json", 400, {"errors": [{"message": 1}], "status": 400}), False),
    "405": (spoken(405), False),
    "408": (spoken(408), False),
}


@pytest.mark.parametrize(("step", "ended"), DOUBTS.values(), ids=DOUBTS.keys())
async def test_what_proves_nothing_must_be_looked_up_and_is_never_sent_again(
    step: Step, ended: bool, peer: Peer, connected: Connects, order: CreditOrder
) -> None:
    waits = step[0] in ("silent", "stall")
    peer.script = [step]
    limits = {"connect_s": 0.5, "answer_s": 0.2} if waits else {}
    answer = await connected(peer.address, **limits).record(order)
    assert isinstance(answer, MaybeRecorded), answer
    assert answer.ended is ended
    assert peer.connections == 1
    assert len(peer.asked) == (0 if step == ("drop unread",) else 1)


REFUSALS: dict[str, tuple[Step, bool, bool]] = {
    "400 against the schema": (of_interface(400), False, False),
    "400 of the code": (spoken(400), False, False),
    "400 as a bare list": (
        ("json", 400, [{"message": "Malformed query string", "path": "/query/x"}]),
        False,
        False,
    ),
    "401": (TURNED_AWAY, True, False),
    "403 for a right": (("json", 403, {"error": "x", "required_permissions": {"updatecharges": 1}}), True, False),
    "403 for the password": (
        ("json", 403, {"error": "Invalid password", "required_permissions": None}),
        True,
        False,
    ),
    "404 for the patron": (("json", 404, {"error": "Patron not found."}), False, True),
    "404 for the patron in newer words": (
        ("json", 404, {"error": "Patron not found", "error_code": "not_found"}),
        False,
        True,
    ),
    "404 for the path": (of_interface(404), True, False),
    "409": (spoken(409), False, False),
    "413": (spoken(413), False, False),
    "422": (spoken(422), False, False),
    "429": (spoken(429), True, False),
}


@pytest.mark.parametrize(("step", "again", "gone"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refusal_in_kohas_own_words_proves_that_nothing_was_recorded(
    step: Step, again: bool, gone: bool, peer: Peer, library: LibrarySystem, order: CreditOrder
) -> None:
    peer.script = [step]
    answer = await library.record(order)
    assert isinstance(answer, NotRecorded), answer
    assert (answer.again, answer.patron_gone) == (again, gone)
    assert len(peer.asked) == 1


async def test_the_credit_is_asked_for_exactly_as_ordered(
    peer: Peer, connected: Connects, order: CreditOrder, created: dict[str, Any]
) -> None:
    peer.script = [("json", 201, created)]
    answer = await connected(peer.address, description="Maksettu kassalla").record(order)
    assert answer == Recorded(Credit("45", order.reference, Decimal("11.3"), Decimal(0), void=False))
    asked = peer.asked[0]
    assert (asked.method, asked.path, asked.query) == ("POST", "/api/v1/patrons/10/account/credits", {})
    assert asked.body.startswith(b'{"amount": 11.3, ')
    assert asked.json() == {
        "amount": Decimal("11.3"),
        "credit_type": "PAYMENT",
        "payment_type": "CEEPOS",
        "library_id": "MPL",
        "account_lines_ids": [42, 43],
        "note": order.note,
        "description": "Maksettu kassalla",
    }


async def test_without_a_description_koha_names_the_credit_itself(
    peer: Peer, library: LibrarySystem, order: CreditOrder, created: dict[str, Any]
) -> None:
    peer.script = [("json", 201, created)]
    await library.record(order)
    assert "description" not in peer.asked[0].json()


async def test_what_no_charge_absorbed_is_told(
    peer: Peer, library: LibrarySystem, order: CreditOrder, created: dict[str, Any]
) -> None:
    peer.script = [("json", 201, {**created, "amount_outstanding": -1.005})]
    answer = await library.record(order)
    assert isinstance(answer, Recorded)
    assert answer.credit.unapplied == Decimal("1.005")


async def test_every_write_has_a_connection_of_its_own(
    peer: Peer, library: LibrarySystem, order: CreditOrder, created: dict[str, Any]
) -> None:
    account: Step = ("json", 200, {"outstanding_debits": {"lines": []}})
    peer.script = [account, ("json", 201, created), account, ("json", 201, created)]
    for _ in range(2):
        assert await library.open_charges("10") == ()
        assert isinstance(await library.record(order), Recorded)
    assert [asked.connection for asked in peer.asked] == [1, 2, 1, 3]


# Never sent -----------------------------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def test_a_connection_that_is_refused_proves_that_nothing_was_sent(
    connected: Connects, order: CreditOrder
) -> None:
    answer = await connected(f"http://127.0.0.1:{_free_port()}").record(order)
    assert isinstance(answer, NotRecorded)
    assert answer.again


async def test_a_name_that_is_not_known_proves_that_nothing_was_sent(
    connected: Connects, order: CreditOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    answer = await connected("https://koha.example.fi").record(order)
    assert answer == NotRecorded("the name in Koha's address is not known to the network", again=True)


async def test_a_token_server_that_cannot_be_reached_proves_that_nothing_was_sent(
    connected: Connects, order: CreditOrder
) -> None:
    answer = await connected(f"http://127.0.0.1:{_free_port()}", client_id="bridge").record(order)
    assert isinstance(answer, NotRecorded)
    assert answer.again


async def test_a_handshake_that_never_ends_proves_that_nothing_was_sent(
    peer: Peer, connected: Connects, order: CreditOrder
) -> None:
    library = connected(peer.address.replace("http:", "https:"), connect_s=0.5)
    answer = await library.record(order)
    assert answer == NotRecorded("no connection to Koha within 0.5 s", again=True)
    assert (peer.connections, peer.asked) == (1, [])


async def test_a_certificate_that_is_not_trusted_proves_that_nothing_was_sent(
    tls_peer: Peer, connected: Connects, order: CreditOrder
) -> None:
    answer = await connected(tls_peer.address).record(order)
    assert isinstance(answer, NotRecorded)
    assert answer.again
    assert "ca_file" in answer.why
    assert tls_peer.asked == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"charge_ids": ()},
        {"charge_ids": ("42", "43,44")},
        {"branch": ""},
        {"amount": Decimal(0)},
        {"amount": Decimal("-2.50")},
        {"amount": Decimal("1E-7")},
        {"amount": Decimal("1E+9")},
        {"amount": Decimal("NaN")},
        {"amount": Decimal("Infinity")},
        {"note": "a note without its reference"},
        {"note": "tillbridge:0123456789abcdef01234567x"},
    ],
    ids=str,
)
async def test_an_order_that_koha_would_take_otherwise_is_not_sent(
    wrong: dict[str, Any], peer: Peer, library: LibrarySystem, order: CreditOrder
) -> None:
    answer = await library.record(replace(order, **wrong))
    assert isinstance(answer, NotRecorded)
    assert (answer.again, answer.patron_gone, peer.connections) == (False, False, 0)


async def test_a_patron_id_that_is_none_is_nobody_and_leads_to_no_other_path(
    peer: Peer, library: LibrarySystem, order: CreditOrder
) -> None:
    answer = await library.record(replace(order, patron_id="10/../11"))
    assert isinstance(answer, NotRecorded)
    assert (answer.again, answer.patron_gone, peer.connections) == (False, True, 0)


# Tokens ---------------------------------------------------------------------------------------------------------


async def test_a_token_that_koha_refuses_is_renewed_once_and_the_same_order_sent_again(
    peer: Peer, connected: Connects, order: CreditOrder, created: dict[str, Any]
) -> None:
    peer.script = [TURNED_AWAY, ("json", 201, created)]
    assert isinstance(await connected(peer.address, client_id="bridge").record(order), Recorded)
    first, second = peer.asked
    assert first.body == second.body
    assert [asked.headers["authorization"] for asked in peer.asked] == ["Bearer token-1", "Bearer token-2"]
    assert first.connection != second.connection


async def test_a_second_401_ends_it_with_nothing_recorded(peer: Peer, connected: Connects, order: CreditOrder) -> None:
    peer.script = [TURNED_AWAY]
    answer = await connected(peer.address, client_id="bridge").record(order)
    assert isinstance(answer, NotRecorded)
    assert answer.again
    assert (len(peer.asked), len(peer.token_asked)) == (2, 2)


async def test_a_401_that_is_not_kohas_is_no_proof_and_renews_nothing(
    peer: Peer, connected: Connects, order: CreditOrder
) -> None:
    peer.script = [page(401)]
    answer = await connected(peer.address, client_id="bridge").record(order)
    assert isinstance(answer, MaybeRecorded)
    assert (len(peer.asked), len(peer.token_asked)) == (1, 1)


@pytest.mark.parametrize(("first", "posts"), [([], 0), ([("json", 200, {"access_token": "t", "expires_in": 3600})], 1)])
async def test_without_a_token_nothing_is_recorded(
    first: list[Step], posts: int, peer: Peer, connected: Connects, order: CreditOrder
) -> None:
    peer.tokens = [*first, ("drop",)]
    peer.script = [TURNED_AWAY]
    answer = await connected(peer.address, client_id="bridge").record(order)
    assert isinstance(answer, NotRecorded)
    assert answer.again
    assert len(peer.asked) == posts


def test_the_limit_of_a_write_holds_all_of_its_exchanges(connected: Connects) -> None:
    times = {"connect_s": 2, "answer_s": 5}
    assert connected("http://localhost:1", **times).write_limit_s == 7
    assert connected("http://localhost:1", client_id="bridge", **times).write_limit_s == 28


# Closing --------------------------------------------------------------------------------------------------------


async def test_after_closing_nothing_is_sent(peer: Peer, library: LibrarySystem, order: CreditOrder) -> None:
    await library.close()
    await library.close()
    assert await library.record(order) == NotRecorded("the bridge is shutting down", again=True)
    assert not isinstance(await library.open_charges("10"), NoSuchPatron | tuple)
    assert peer.connections == 0


async def test_closing_ends_a_write_under_way_as_a_doubt(
    peer: Peer, library: LibrarySystem, order: CreditOrder
) -> None:
    arrived = asyncio.Event()
    peer.on_request = arrived.set
    peer.script = [("silent",)]
    recording = asyncio.create_task(library.record(order))
    await arrived.wait()
    await library.close()
    answer = await recording
    assert isinstance(answer, MaybeRecorded)
    assert not answer.ended

# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading patrons and charges: what is understood, and that nothing odd is taken for an answer."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tillbridge.service.library_port import (
    Charge,
    Effect,
    LibrarySystem,
    NoSuchPatron,
    Patron,
    Unavailable,
)

if TYPE_CHECKING:
    from contract.koha.conftest import Peer, Step

REFERENCE = "tillbridge:0123456789abcdef01234567"
HTML = "text/html"
NOT_PATRONS = ["", "0", "05", "5/../6", "5?x", "-1", "٣", "5\n", "five", "1" * 19]


def line(line_id: int = 9001, **instead: Any) -> dict[str, Any]:
    facts = {
        "account_line_id": line_id,
        "patron_id": 5,
        "amount_outstanding": 2.4,
        "debit_type": "OVERDUE",
        "description": "Myöhästymismaksu",
        "date": "2026-11-23T12:13:29+02:00",
        "status": "UNRETURNED",
    }
    return {**facts, **instead}


def account(*lines: Any) -> Step:
    return ("json", 200, {"balance": 0, "outstanding_debits": {"total": 0, "lines": list(lines)}})


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in line().items() if key != name}


# Charges -------------------------------------------------------------------------------------------------------


async def test_charges_come_in_the_order_of_their_numbers(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [account(line(10), line(9), line(100))]
    charges = await library.open_charges("5")
    assert isinstance(charges, tuple)
    assert [charge.charge_id for charge in charges] == ["9", "10", "100"]
    date, effect = "2026-11-23T12:13:29+02:00", Effect.MAY_RENEW
    assert charges[0] == Charge("9", "5", "OVERDUE", "Myöhästymismaksu", Decimal("2.4"), date, effect)


@pytest.mark.parametrize(
    ("debit_type", "status", "effect"),
    [
        ("OVERDUE", "UNRETURNED", Effect.MAY_RENEW),
        ("OVERDUE", "RETURNED", None),
        ("LOST", None, Effect.MAY_RETURN),
        ("COPY", None, None),
    ],
)
async def test_what_koha_may_do_with_a_paid_item_is_foretold(
    peer: Peer, library: LibrarySystem, debit_type: str, status: str | None, effect: Effect | None
) -> None:
    peer.script = [account(line(9, debit_type=debit_type, status=status))]
    charges = await library.open_charges("5")
    assert isinstance(charges, tuple)
    assert charges[0].effect is effect


@pytest.mark.parametrize(("said", "restricted"), [(True, True), (False, False), (None, False), ("yes", False)])
async def test_a_restriction_that_stays_is_seen(
    peer: Peer, library: LibrarySystem, said: object, *, restricted: bool
) -> None:
    peer.script = [("json", 200, patron(restricted=said))]
    found = await library.patron("5")
    assert isinstance(found, Patron)
    assert found.restricted is restricted


async def test_texts_that_koha_left_out_are_empty(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [account(line(9, description=None, debit_type=None, date=None))]
    assert await library.open_charges("5") == (Charge("9", "5", "", "", Decimal("2.4"), ""),)


AMOUNTS: dict[str, str | None] = {
    "0.333": "0.333",
    "2.40": "2.40",
    "3": "3",
    "1e-06": "0.000001",
    "1E2": "100",
    "0.1": "0.1",
    "8.995": "8.995",
    "2.3999999999999999": "2.400000",
    "123456789012.123456": "123456789012.123456",
    "0": None,
    "0.0": None,
    "-0.0": None,
    "-2.5": None,
    "1e-7": None,
    "1e-999999999": None,
    "0e999999999": None,
}


@pytest.mark.parametrize(("written", "owed"), AMOUNTS.items(), ids=AMOUNTS.keys())
async def test_an_amount_is_exactly_what_koha_wrote(
    written: str, owed: str | None, peer: Peer, library: LibrarySystem
) -> None:
    value = json.dumps(account(line(amount_outstanding="here"))[2]).replace('"here"', written)
    peer.script = [("json", 200, value.encode())]
    charges = await library.open_charges("5")
    assert isinstance(charges, tuple), charges
    assert [str(charge.owed) for charge in charges] == ([] if owed is None else [owed])


@pytest.mark.parametrize(
    "written",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e15",
        "1e99999999999999999999",
        "9" * 5000,
        '"2.40"',
        '"NaN"',
        "null",
        "true",
        "[]",
    ],
    ids=lambda text: text[:12],
)
async def test_what_is_no_amount_makes_the_account_unreadable(written: str, peer: Peer, library: LibrarySystem) -> None:
    value = json.dumps(account(line(amount_outstanding="here"))[2]).replace('"here"', written)
    peer.script = [("json", 200, value.encode())]
    assert isinstance(await library.open_charges("5"), Unavailable)


NOTHING_OWED = b'{"balance": 0, "outstanding_debits": {"lines": []}}'

ODD: dict[str, Step] = {
    "200 as a page": ("raw", 200, HTML, b"<html></html>"),
    "200 with nothing": ("json", 200, b""),
    "damaged text": ("json", 200, b'{"outstanding_debits": "\xff"}'),
    "endless nesting": ("json", 200, b"[" * 100_000),
    "longer than any answer": ("json", 200, NOTHING_OWED + b" " * (8 * 1024 * 1024)),
    "packed": ("json", 200, gzip.compress(NOTHING_OWED), {"Content-Encoding": "gzip"}),
    "no number in it": ("json", 200, NOTHING_OWED.replace(b"0", b"NaN")),
    "null": ("json", 200, None),
    "a list": ("json", 200, []),
    "no debits": ("json", 200, {}),
    "debits as a list": ("json", 200, {"outstanding_debits": []}),
    "no lines": ("json", 200, {"outstanding_debits": {"lines": None}}),
    "a line that is none": account("line"),
    "a line of another patron": account(line(), line(9002, patron_id=6)),
    "a patron in text": account(line(patron_id="5")),
    "no patron": account(without("patron_id")),
    "no number": account(without("account_line_id")),
    "number 0": account(line(0)),
    "a number below 0": account(line(-3)),
    "a number that is a truth": account(line(account_line_id=True)),
    "a number in text": account(line(account_line_id="9001")),
    "no amount": account(without("amount_outstanding")),
    "no debit type": account(without("debit_type")),
    "a description that is a number": account(line(description=7)),
    "breaks off": ("half", 200, "application/json", b'{"outstanding_debits": {"lines": []}}'),
    "204": ("json", 204, b""),
    "a redirect": ("raw", 302, HTML, b"", {"Location": "/cgi-bin/koha/mainpage.pl"}),
    "400": ("json", 400, [{"message": "Malformed query string", "path": "/query/foo"}]),
    "404 of the interface": ("json", 404, {"errors": [{"message": "Not Found.", "path": "/"}], "status": 404}),
    "404 of another thing": ("json", 404, {"error": "Library not found."}),
    "404 as a page": ("raw", 404, HTML, b"Patron not found."),
    "500": ("json", 500, {"error": "x", "error_code": "internal_server_error"}),
    "503 as a page": ("raw", 503, HTML, b""),
}


@pytest.mark.parametrize("step", ODD.values(), ids=ODD.keys())
async def test_an_odd_answer_is_no_list_of_charges(step: Step, peer: Peer, library: LibrarySystem) -> None:
    peer.script = [step]
    answer = await library.open_charges("5")
    assert isinstance(answer, Unavailable), answer
    assert len(peer.asked) == 1


@pytest.mark.parametrize("text", ["Patron not found.", "Patron not found"])
async def test_a_patron_who_is_gone_is_told_apart(text: str, peer: Peer, library: LibrarySystem) -> None:
    peer.script = [("json", 404, {"error": text})]
    assert await library.open_charges("5") == NoSuchPatron()
    assert await library.patron("5") == NoSuchPatron()
    assert await library.credits_of("5", REFERENCE) == NoSuchPatron()


@pytest.mark.parametrize("patron_id", NOT_PATRONS)
async def test_what_is_no_patron_number_is_nobody_and_is_not_asked_for(
    patron_id: str, peer: Peer, library: LibrarySystem
) -> None:
    assert await library.patron(patron_id) == NoSuchPatron()
    assert await library.open_charges(patron_id) == NoSuchPatron()
    assert await library.credits_of(patron_id, REFERENCE) == NoSuchPatron()
    assert peer.connections == 0


# Patrons -------------------------------------------------------------------------------------------------------


def patron(**instead: Any) -> dict[str, Any]:
    return {"patron_id": 5, "cardnumber": "A1", "surname": "Virtanen", "firstname": "Matti", **instead}


@pytest.mark.parametrize("card", ["A1", "A+B %&=#ä?/\\", "a'\"b", "%", "🎫"])
async def test_a_card_number_arrives_as_it_is(card: str, peer: Peer, library: LibrarySystem) -> None:
    peer.script = [("json", 200, [patron(cardnumber=card)])]
    assert await library.patron_by_card(card) == Patron("5", card, "Virtanen", "Matti")
    assert (peer.asked[0].method, peer.asked[0].path) == ("GET", "/api/v1/patrons")
    assert peer.asked[0].query == {"cardnumber": card, "_match": "exact"}


@pytest.mark.parametrize("card", ["", "A\n1", "A\x00", "\ud800", "x" * 101], ids=ascii)
async def test_what_is_no_card_number_is_not_asked_for(card: str, peer: Peer, library: LibrarySystem) -> None:
    assert await library.patron_by_card(card) == NoSuchPatron()
    assert peer.connections == 0


@pytest.mark.parametrize(
    "found", [[], [patron(cardnumber="a1")], [patron(cardnumber="A1 ")], [patron(cardnumber=None)]], ids=str
)
async def test_only_the_very_same_card_number_counts(found: list[Any], peer: Peer, library: LibrarySystem) -> None:
    peer.script = [("json", 200, found)]
    assert await library.patron_by_card("A1") == NoSuchPatron()


@pytest.mark.parametrize(
    "found",
    [
        [patron(), patron(patron_id=6)],
        [patron(), patron(patron_id=6, cardnumber="A12")],
        {},
        [None],
        [patron(patron_id=None)],
        [patron(surname=1)],
    ],
    ids=str,
)
async def test_more_than_one_patron_or_none_at_all_is_no_answer(found: Any, peer: Peer, library: LibrarySystem) -> None:
    peer.script = [("json", 200, found)]
    assert isinstance(await library.patron_by_card("A1"), Unavailable)


async def test_a_patron_is_read_by_number(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [("json", 200, patron(firstname=None, cardnumber=None))]
    assert await library.patron("5") == Patron("5", "", "Virtanen", "")
    assert peer.asked[0].path == "/api/v1/patrons/5"


async def test_another_patron_than_the_one_asked_for_is_no_answer(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [("json", 200, patron(patron_id=6))]
    assert isinstance(await library.patron("5"), Unavailable)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding credits again: a list that may not be whole must never look like none."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tillbridge.service.library_port import Credit, LibrarySystem, Unavailable

if TYPE_CHECKING:
    from contract.koha.conftest import Peer, Step

REFERENCE = "tillbridge:0123456789abcdef01234567"
HTML = "text/html"


def credit(line_id: int, note: str | None, **instead: Any) -> dict[str, Any]:
    facts = {
        "account_line_id": line_id,
        "patron_id": 5,
        "amount": -8.5,
        "amount_outstanding": 0.0,
        "internal_note": note,
        "status": None,
    }
    return {**facts, **instead}


def listed(*credits_: Any, total: int | str | None = None) -> Step:
    headers = {"X-Total-Count": str(len(credits_) if total is None else total)}
    return ("json", 200, list(credits_), headers)


async def test_credits_are_asked_for_by_their_note_and_all_at_once(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [listed()]
    assert await library.credits_of("5", "tillbridge:a_b%c") == ()
    asked = peer.asked[0]
    assert (asked.method, asked.path) == ("GET", "/api/v1/patrons/5/account/credits")
    assert asked.query.keys() == {"q", "_per_page"}
    assert asked.query["_per_page"] == "-1"
    assert json.loads(asked.query["q"]) == {"internal_note": {"-like": r"%tillbridge:a\_b\%c%"}}


async def test_the_credits_of_a_payment_are_found_void_or_not(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [
        listed(
            credit(12, f"{REFERENCE}:2", amount=-1.005, amount_outstanding=-0.005),
            credit(11, f"Paid at till 1 {REFERENCE}", status="VOID"),
            credit(13, REFERENCE.upper()),
            credit(14, f"{REFERENCE}0"),
            credit(15, None),
        )
    ]
    assert await library.credits_of("5", REFERENCE) == (
        Credit("11", REFERENCE, Decimal("8.5"), Decimal(0), void=True),
        Credit("12", f"{REFERENCE}:2", Decimal("1.005"), Decimal("0.005"), void=False),
    )


async def test_a_server_that_gives_pages_is_read_to_the_end(peer: Peer, library: LibrarySystem) -> None:
    many = [credit(number, REFERENCE) for number in range(1, 251)]
    peer.script = [
        listed(*many[:20], total=250),
        listed(*many[:100], total=250),
        listed(*many[100:200], total=250),
        listed(*many[200:], total=250),
    ]
    credits_ = await library.credits_of("5", REFERENCE)
    assert isinstance(credits_, tuple)
    assert [one.credit_id for one in credits_] == [str(number) for number in range(1, 251)]
    pages = [(asked.query.get("_page"), asked.query["_per_page"], asked.query.get("_order_by")) for asked in peer.asked]
    by_number = "+account_line_id"
    assert pages == [
        (None, "-1", None),
        ("1", "100", by_number),
        ("2", "100", by_number),
        ("3", "100", by_number),
    ]
    assert len({asked.query["q"] for asked in peer.asked}) == 1


ODD_LISTS: dict[str, Step] = {
    "not told how many there are": ("json", 200, []),
    "told a word": listed(total="many"),
    "told a number in other signs": listed(total="²"),
    "told more than ever come": listed(credit(11, REFERENCE), total=2),
    "told more than there can be": listed(total="9" * 30),
    "no list": ("json", 200, {}, {"X-Total-Count": "0"}),
    "a line that is none": listed(None),
    "a credit of another patron": listed(credit(11, REFERENCE, patron_id=6)),
    "a debit": listed(credit(11, REFERENCE, amount=8.5)),
    "a debt": listed(credit(11, REFERENCE, amount_outstanding=0.01)),
    "no note": listed({key: value for key, value in credit(11, "").items() if key != "internal_note"}),
    "a status that is a number": listed(credit(11, REFERENCE, status=1)),
    "no number": listed(credit(0, REFERENCE)),
    "a page of something": ("raw", 200, HTML, b"[]", {"X-Total-Count": "0"}),
}


@pytest.mark.parametrize("step", ODD_LISTS.values(), ids=ODD_LISTS.keys())
async def test_a_list_that_may_not_be_whole_is_never_taken_for_no_credit(
    step: Step, peer: Peer, library: LibrarySystem
) -> None:
    peer.script = [step]
    assert isinstance(await library.credits_of("5", REFERENCE), Unavailable)


@pytest.mark.parametrize("reference", ["", " ", "two words", "tillbridge:1 ", "a\n"])
async def test_what_cannot_be_looked_for_is_not_reported_as_absent(
    reference: str, peer: Peer, library: LibrarySystem
) -> None:
    assert isinstance(await library.credits_of("5", reference), Unavailable)
    assert peer.connections == 0


async def test_pages_that_bring_nothing_new_are_soon_given_up(peer: Peer, library: LibrarySystem) -> None:
    peer.script = [listed(credit(11, REFERENCE), total=2)]
    assert isinstance(await library.credits_of("5", REFERENCE), Unavailable)
    assert len(peer.asked) == 3


async def test_a_server_that_keeps_to_its_own_page_length_is_read_to_the_end(
    peer: Peer, library: LibrarySystem
) -> None:
    first, second = [credit(number, REFERENCE) for number in range(1, 21)], [credit(21, REFERENCE)]
    peer.script = [listed(*first, total=21), listed(*first, total=21), listed(*second, total=21)]
    credits_ = await library.credits_of("5", REFERENCE)
    assert isinstance(credits_, tuple)
    assert len(credits_) == 21

# SPDX-License-Identifier: GPL-3.0-or-later
"""The adapter with the plugin inside Koha: finding it, and what each of its answers proves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from contract.koha.conftest import REFERENCE, Connects, Peer, Step
from tillbridge.libraries.koha import plugin
from tillbridge.service.library_port import (
    Abilities,
    Credit,
    CreditOrder,
    Effect,
    LibrarySystem,
    MaybeRecorded,
    NoSuchPatron,
    NotRecorded,
    Recorded,
    Refunded,
    RefundOrder,
    ReversalOrder,
    Reversed,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE = "/api/v1/contrib/tillbridge"
EVERYTHING = Abilities(exact_lines=True, unique_key=True, reversal=True, refund=True, names_staff=True)
ABOUT = {
    "plugin": "0.1.0",
    "contract": 1,
    "koha": "23.05.04.000",
    "abilities": ["book", "reverse", "refund", "look_up"],
}
NO_ROUTE = ("json", 404, {"errors": [{"message": "Not Found.", "path": "/"}], "status": 404})
PAGE_404 = ("raw", 404, "text/html", b"<html>no such page</html>")
SHARES = {"42": Decimal("8.5"), "43": Decimal("2.80")}
LINES = [{"charge_id": 42, "amount": "8.50"}, {"charge_id": 43, "amount": "2.80"}]


def told(status: int, code: str, **more: Any) -> Step:
    return ("json", status, {"error": "in plain English", "error_code": code, **more})


def credit(**changes: Any) -> dict[str, Any]:
    whole = {"credit_id": 45, "amount": "11.30", "unapplied": "0", "void": False, "credit_number": None, "lines": LINES}
    return whole | changes


def booking(**changes: Any) -> dict[str, Any]:
    whole = {
        "reference": REFERENCE,
        "patron_id": 10,
        "credits": [credit()],
        "effects": [],
        "receipt_sent": False,
        "reversals": [],
        "refunds": [],
    }
    return whole | changes


CREDIT = Credit("45", REFERENCE, Decimal("11.30"), Decimal(0), void=False, lines=SHARES)


@pytest.fixture
def keyed(order: CreditOrder) -> CreditOrder:
    return replace(order, shares=SHARES, staff_id="17", register_id="2", keyed=True)


async def learned(library: LibrarySystem, peer: Peer, *script: Step) -> LibrarySystem:
    """Let the adapter find the plugin; the rest of the script comes after."""
    peer.script = [("json", 200, ABOUT), *script]
    assert await library.learn() == EVERYTHING
    peer.asked.clear()
    return library


# --- finding it ---

ABOUTS: dict[str, tuple[Step, Abilities]] = {
    "all": (("json", 200, ABOUT), EVERYTHING),
    "booking alone": (
        ("json", 200, ABOUT | {"abilities": ["book", "look_up"]}),
        replace(EVERYTHING, reversal=False, refund=False),
    ),
    "no looking up": (("json", 200, ABOUT | {"abilities": ["book", "reverse"]}), Abilities()),
    "odd abilities": (("json", 200, ABOUT | {"abilities": [1, None, {}]}), Abilities()),
    "another contract": (("json", 200, ABOUT | {"contract": 2}), Abilities()),
    "no contract": (("json", 200, {"plugin": "0.1.0"}), Abilities()),
    "a list": (("json", 200, []), Abilities()),
    "no JSON": (("raw", 200, "text/html", b"<html>"), Abilities()),
    "no such route": (NO_ROUTE, Abilities()),
}


@pytest.mark.parametrize("name", ABOUTS)
async def test_the_plugin_is_found_by_what_it_says_of_itself(name: str, library: LibrarySystem, peer: Peer) -> None:
    step, abilities = ABOUTS[name]
    peer.script = [step]
    assert library.abilities == Abilities()
    assert await library.learn() == abilities == library.abilities
    assert [(asked.method, asked.path) for asked in peer.asked] == [("GET", f"{BASE}/about")]


@pytest.mark.parametrize("name", ABOUTS)
async def test_what_was_answered_is_not_asked_again_for_some_minutes(
    name: str, library: LibrarySystem, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.script = [ABOUTS[name][0]]
    now = [1000.0]
    monkeypatch.setattr(plugin, "_now", lambda: now[0])
    await library.learn()
    now[0] += 299
    await asyncio.gather(*(library.learn() for _ in range(5)))
    assert len(peer.asked) == 1
    now[0] += 1
    await library.learn()
    assert len(peer.asked) == 2


async def test_who_asks_at_once_shares_one_answer(library: LibrarySystem, peer: Peer) -> None:
    peer.script = [("json", 200, ABOUT)]
    assert set(await asyncio.gather(*(library.learn() for _ in range(5)))) == {EVERYTHING}
    assert len(peer.asked) == 1


NO_ANSWERS: dict[str, Step] = {
    "dropped": ("drop",),
    "a page": PAGE_404,
    "out of service": ("json", 503, {"error": "System is under maintenance."}),
    "a right is missing": (
        "json", 403, {"error": "Authorization failure.", "required_permissions": {"updatecharges": 1}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_ANSWERS)
async def test_what_proves_nothing_leaves_it_as_it_was_known_and_is_asked_again(
    name: str, library: LibrarySystem, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.script = [NO_ANSWERS[name], NO_ANSWERS[name], ("json", 200, ABOUT)]
    assert await library.learn() == Abilities()
    peer.script = [("json", 200, ABOUT)]
    assert await library.learn() == EVERYTHING
    peer.script = [NO_ANSWERS[name]]
    monkeypatch.setattr(plugin, "ASK_AGAIN_S", 0)
    assert await library.learn() == EVERYTHING


# --- recording ---


async def test_a_booking_goes_to_the_plugin_with_all_that_it_says(
    library: LibrarySystem, peer: Peer, keyed: CreditOrder
) -> None:
    await learned(library, peer, ("json", 201, booking()))
    assert await library.record(keyed) == Recorded(CREDIT, frozenset())
    (asked,) = peer.asked
    assert (asked.method, asked.path) == ("POST", f"{BASE}/bookings")
    assert asked.json() == {
        "reference": REFERENCE,
        "patron_id": 10,
        "lines": [{"charge_id": 42, "amount": "8.5"}, {"charge_id": 43, "amount": "2.8"}],
        "library_id": "MPL",
        "staff_id": 17,
        "register_id": 2,
        "payment_type": "CEEPOS",
        "description": "",
        "note": keyed.note,
    }


async def test_a_booking_by_nobody_that_koha_knows_says_so(
    library: LibrarySystem, peer: Peer, keyed: CreditOrder
) -> None:
    await learned(library, peer, ("json", 200, booking()))
    await library.record(replace(keyed, staff_id=None, register_id=None))
    body = peer.asked[0].json()
    assert (body["staff_id"], body["register_id"]) == (None, None)


TOLD = frozenset({Effect.RENEWED, Effect.RETURNED, Effect.RECEIPT_SENT})
EFFECTS = [{"charge_id": 42, "what": "renewed", "why": None}, {"charge_id": 43, "what": "returned"}, {"what": "odd"}, 7]
TWO = [credit(credit_id=45, amount="8.50", lines=LINES[:1]), credit(credit_id=46, amount="2.80", lines=LINES[1:])]
RECORDED: dict[str, tuple[dict[str, Any], Recorded]] = {
    "as asked": (booking(), Recorded(CREDIT, frozenset())),
    "what Koha did": (booking(effects=EFFECTS, receipt_sent=True), Recorded(CREDIT, TOLD)),
    "no effects told": (booking(effects=None), Recorded(CREDIT, frozenset())),
    "two credits": (booking(credits=TWO), Recorded(replace(CREDIT, credit_id="45,46"), frozenset())),
    "void since": (
        booking(credits=[credit(void=True, lines=[])]),
        Recorded(replace(CREDIT, void=True, lines={}), frozenset()),
    ),
    "one of two is void": (
        booking(credits=[TWO[0], TWO[1] | {"void": True}]),
        Recorded(replace(CREDIT, amount=Decimal("8.50"), lines={"42": Decimal("8.50")}), frozenset()),
    ),
}  # fmt: skip


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("name", RECORDED)
async def test_a_booking_is_told_as_koha_has_it(
    name: str, status: int, library: LibrarySystem, peer: Peer, keyed: CreditOrder
) -> None:
    said, answer = RECORDED[name]
    await learned(library, peer, ("json", status, said))
    assert await library.record(keyed) == answer


UNREADABLE: dict[str, Any] = {
    "another booking": booking(reference="tillbridge:ELSE"),
    "no credits": booking(credits=[]),
    "a credit that is none": booking(credits=[7]),
    "an amount as a number": booking(credits=[credit(amount=11.3)]),
    "an amount that is none": booking(credits=[credit(amount="1e3")]),
    "an amount below nothing": booking(credits=[credit(amount="-1")]),
    "no number": booking(credits=[credit(credit_id=True)]),
    "a line that is none": booking(credits=[credit(lines=[7])]),
    "a list": [],
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_an_answer_that_cannot_be_read_is_looked_up(
    name: str, library: LibrarySystem, peer: Peer, keyed: CreditOrder
) -> None:
    await learned(library, peer, ("json", 201, UNREADABLE[name]))
    answer = await library.record(keyed)
    assert isinstance(answer, MaybeRecorded)
    assert answer.ended


CHARGES = [{"charge_id": 42, "owed": "5.00"}, {"charge_id": 43, "owed": None}]
NO: dict[str, tuple[Step, NotRecorded | MaybeRecorded]] = {
    "changed": (
        told(409, "charges_changed", charges=CHARGES),
        NotRecorded("", again=True, owed={"42": Decimal(5), "43": Decimal(0)}),
    ),
    "changed, told oddly": (told(409, "charges_changed", charges=[7]), NotRecorded("", again=True)),
    "changed, not told": (told(409, "charges_changed"), NotRecorded("", again=True)),
    "other content": (told(409, "other_content"), MaybeRecorded("", ended=True)),
    "gone": (told(404, "patron_gone"), NotRecorded("", again=False, patron_gone=True)),
    "bad": (told(400, "bad_request"), NotRecorded("", again=False)),
    "bad by the schema": (
        ("json", 400, {"errors": [{"message": "Missing property.", "path": "/body/x"}], "status": 400}),
        NotRecorded("", again=False),
    ),
    "unknown": (told(422, "register_unknown"), NotRecorded("", again=False)),
    "no right": (
        ("json", 403, {"error": "Authorization failure.", "required_permissions": {"updatecharges": "x"}}),
        NotRecorded("", again=True),
    ),
    "not allowed": (told(403, "not_allowed"), NotRecorded("", again=True)),
    "rolled back": (told(500, "not_recorded"), NotRecorded("", again=True)),
    "busy": (told(503, "busy"), NotRecorded("", again=True)),
    "another 503": (told(503, "odd"), MaybeRecorded("", ended=False)),
    "too many": (told(429, "slow_down"), NotRecorded("", again=True)),
    "a crash": (told(500, "internal_server_error"), MaybeRecorded("", ended=True)),
    "another 500": (told(500, "odd"), MaybeRecorded("", ended=False)),
    "another status": (told(418, "odd"), MaybeRecorded("", ended=False)),
    "a proxy": (("raw", 502, "text/html", b"<html>"), MaybeRecorded("", ended=False)),
    "a proxy's 404": (PAGE_404, MaybeRecorded("", ended=False)),
    "a page in place of an answer": (("raw", 200, "text/html", b"<html>"), MaybeRecorded("", ended=False)),
    "dropped": (("drop",), MaybeRecorded("", ended=False)),
    "half": (("half", 201, "application/json", b'{"reference": 1}'), MaybeRecorded("", ended=True)),
}


@pytest.mark.parametrize("name", NO)
async def test_each_refusal_proves_what_it_proves(
    name: str, library: LibrarySystem, peer: Peer, keyed: CreditOrder
) -> None:
    step, answer = NO[name]
    await learned(library, peer, step)
    found = await library.record(keyed)
    assert isinstance(found, NotRecorded | MaybeRecorded)
    assert found.why
    assert replace(found, why="") == answer
    assert library.abilities == EVERYTHING


WRONG: dict[str, Mapping[str, Any]] = {
    "no amounts": {"shares": None},
    "other charges": {"shares": {"42": Decimal("11.30")}},
    "another sum": {"shares": {"42": Decimal(1), "43": Decimal(1)}},
    "no branch": {"branch": ""},
    "an odd librarian": {"staff_id": "anna"},
    "an odd register": {"register_id": "desk"},
    "a note without the reference": {"note": "paid"},
}


@pytest.mark.parametrize("name", WRONG)
async def test_an_order_that_cannot_be_written_is_not_sent(
    name: str, library: LibrarySystem, peer: Peer, keyed: CreditOrder
) -> None:
    await learned(library, peer, ("json", 201, booking()))
    answer = await library.record(replace(keyed, **WRONG[name]))
    assert isinstance(answer, NotRecorded)
    assert peer.asked == []


async def test_a_peer_that_was_never_reached_recorded_nothing(
    library: LibrarySystem, peer: Peer, keyed: CreditOrder
) -> None:
    await learned(library, peer, ("json", 201, booking()))
    await peer.stop()
    answer = await library.record(keyed)
    assert isinstance(answer, NotRecorded)
    assert answer.again
    await peer.start()


# --- switched off meanwhile ---


async def test_what_relies_on_the_key_is_not_sent_over_plain_rest(
    library: LibrarySystem, peer: Peer, keyed: CreditOrder, created: dict[str, Any]
) -> None:
    await learned(library, peer, NO_ROUTE, ("json", 201, created))
    answer = await library.record(keyed)
    assert isinstance(answer, NotRecorded)
    assert answer.again
    assert library.abilities == Abilities()
    assert [asked.path for asked in peer.asked] == [f"{BASE}/bookings"]
    assert isinstance(await library.record(keyed), NotRecorded)
    assert len(peer.asked) == 1


async def test_what_was_planned_on_a_reading_goes_over_plain_rest_instead(
    library: LibrarySystem, peer: Peer, keyed: CreditOrder, created: dict[str, Any]
) -> None:
    await learned(library, peer, NO_ROUTE, ("json", 201, created))
    answer = await library.record(replace(keyed, keyed=False))
    assert isinstance(answer, Recorded)
    assert answer.effects is None
    assert [asked.path for asked in peer.asked] == [f"{BASE}/bookings", "/api/v1/patrons/10/account/credits"]


async def test_whoever_was_told_that_it_is_gone_is_asked_again_at_once(
    library: LibrarySystem, peer: Peer, keyed: CreditOrder
) -> None:
    await learned(library, peer, NO_ROUTE, ("json", 200, ABOUT))
    await library.record(keyed)
    assert await library.learn() == EVERYTHING


# --- looking up ---

BOOKINGS = {"bookings": [booking(), booking(reference=f"{REFERENCE}:2")]}


async def test_a_look_up_asks_the_plugin_for_the_patrons_notes_too(library: LibrarySystem, peer: Peer) -> None:
    await learned(library, peer, ("json", 200, BOOKINGS))
    found = await library.credits_of("10", REFERENCE)
    assert found == (CREDIT, replace(CREDIT, reference=f"{REFERENCE}:2"))
    (asked,) = peer.asked
    assert (asked.method, asked.path) == ("GET", f"{BASE}/bookings")
    assert asked.query == {"reference": REFERENCE, "patron_id": "10"}


NOT_FOUND: dict[str, Step] = {
    "another payment's": ("json", 200, {"bookings": [booking(reference=f"{REFERENCE}0")]}),
    "numbered oddly": ("json", 200, {"bookings": [booking(reference=f"{REFERENCE}:x")]}),
    "in other letters": ("json", 200, {"bookings": [booking(reference=REFERENCE.upper())]}),
    "no list": ("json", 200, {}),
    "a page": PAGE_404,
    "a crash": ("json", 500, {"error": "x", "error_code": "internal_server_error"}),
    "dropped": ("drop",),
}


@pytest.mark.parametrize("name", NOT_FOUND)
async def test_a_look_up_that_cannot_be_read_is_unavailable(name: str, library: LibrarySystem, peer: Peer) -> None:
    await learned(library, peer, NOT_FOUND[name])
    assert isinstance(await library.credits_of("10", REFERENCE), Unavailable)


async def test_a_look_up_goes_over_plain_rest_where_the_plugin_is_gone(
    library: LibrarySystem, peer: Peer, created: dict[str, Any]
) -> None:
    line = {name: created[name] for name in ("account_line_id", "patron_id", "amount", "amount_outstanding", "status")}
    listed = ("json", 200, [line | {"internal_note": created["internal_note"]}], {"X-Total-Count": "1"})
    await learned(library, peer, NO_ROUTE, listed)
    (found,) = await library.credits_of("10", REFERENCE)  # type: ignore[misc]
    assert (found.credit_id, found.lines) == ("45", None)
    assert library.abilities == Abilities()


async def test_nobody_is_looked_up_for_what_is_no_patron(library: LibrarySystem, peer: Peer) -> None:
    await learned(library, peer, ("json", 200, BOOKINGS))
    assert await library.credits_of("x", REFERENCE) == NoSuchPatron()
    assert isinstance(await library.credits_of("10", "two words"), Unavailable)
    assert peer.asked == []


# --- taking back and giving back ---

REVERSAL = ReversalOrder("10", "MPL", REFERENCE, f"{REFERENCE}:reversal", "the till took it back", "17", "2")
REVERSED = {"reference": f"{REFERENCE}:reversal", "booking": REFERENCE, "credits": [45], "by_hand": False}
REFUND = RefundOrder("10", "MPL", REFERENCE, f"{REFERENCE}:refund:1", SHARES, "charged in error", "17", None)
GIVEN = [line | {"refund_id": 50 + n, "payout_id": 60 + n} for n, line in enumerate(LINES)]
REFUNDED = {"reference": f"{REFERENCE}:refund:1", "booking": REFERENCE, "lines": GIVEN}


async def test_a_reversal_says_which_booking_by_whom_and_why(library: LibrarySystem, peer: Peer) -> None:
    await learned(library, peer, ("json", 201, REVERSED), ("json", 200, REVERSED | {"by_hand": True}))
    assert await library.reverse(REVERSAL) == Reversed()
    assert await library.reverse(REVERSAL) == Reversed(by_hand=True)
    assert (peer.asked[0].method, peer.asked[0].path) == ("POST", f"{BASE}/reversals")
    assert peer.asked[0].json() == {
        "reference": f"{REFERENCE}:reversal",
        "booking": REFERENCE,
        "library_id": "MPL",
        "staff_id": 17,
        "register_id": 2,
        "reason": "the till took it back",
    }


@pytest.mark.parametrize(("setting", "payout_type"), [({}, "CEEPOS"), ({"payout_type": "CASH"}, "CASH")])
async def test_a_refund_says_how_much_of_which_charge_and_how_it_is_paid_out(
    setting: dict[str, str], payout_type: str, connected: Connects, peer: Peer
) -> None:
    library = await learned(connected(peer.address, **setting), peer, ("json", 201, REFUNDED))
    assert await library.refund(REFUND) == Refunded(("50", "60", "51", "61"))
    assert (peer.asked[0].method, peer.asked[0].path) == ("POST", f"{BASE}/refunds")
    assert peer.asked[0].json() == {
        "reference": f"{REFERENCE}:refund:1",
        "booking": REFERENCE,
        "lines": [{"charge_id": 42, "amount": "8.5"}, {"charge_id": 43, "amount": "2.8"}],
        "payout_type": payout_type,
        "library_id": "MPL",
        "staff_id": 17,
        "register_id": None,
        "reason": "charged in error",
    }


TAKING: dict[str, tuple[Step, NotRecorded | MaybeRecorded]] = {
    "gone": (NO_ROUTE, NotRecorded("", again=True)),
    "no such booking": (told(404, "no_such_booking"), NotRecorded("", again=False, absent=True)),
    "not allowed": (told(403, "not_allowed"), NotRecorded("", again=False)),
    "busy": (told(503, "busy"), NotRecorded("", again=True)),
    "refunded": (told(409, "refunded"), NotRecorded("", again=False)),
    "more than booked": (told(409, "more_than_booked", left=[]), NotRecorded("", again=False)),
    "other content": (told(409, "other_content"), MaybeRecorded("", ended=True)),
    "a crash": (told(500, "internal_server_error"), MaybeRecorded("", ended=True)),
    "dropped": (("drop",), MaybeRecorded("", ended=False)),
    "unreadable": (("json", 201, {}), MaybeRecorded("", ended=True)),
    "another": (("json", 201, {"reference": "tillbridge:ELSE"}), MaybeRecorded("", ended=True)),
}


@pytest.mark.parametrize("name", TAKING)
async def test_each_refusal_to_take_or_give_back_proves_what_it_proves(
    name: str, library: LibrarySystem, peer: Peer
) -> None:
    step, answer = TAKING[name]
    await learned(library, peer, step)
    reversed_ = await library.reverse(REVERSAL)
    assert isinstance(reversed_, NotRecorded | MaybeRecorded)
    assert replace(reversed_, why="") == answer
    refunded = await library.refund(REFUND)
    assert isinstance(refunded, NotRecorded | MaybeRecorded)
    assert replace(refunded, why="") == answer


async def test_a_booking_of_plain_rest_is_made_known_to_the_plugin_before_it_is_taken_back(
    library: LibrarySystem, peer: Peer
) -> None:
    unknown = told(404, "no_such_booking")
    script = (unknown, ("json", 200, {"bookings": [booking()]}), ("json", 200, booking()), ("json", 201, REVERSED))
    await learned(library, peer, *script)
    assert await library.reverse(REVERSAL) == Reversed()
    assert [(asked.method, asked.path.removeprefix(f"{BASE}/")) for asked in peer.asked] == [
        ("POST", "reversals"),
        ("GET", "bookings"),
        ("POST", "bookings"),
        ("POST", "reversals"),
    ]
    assert peer.asked[2].json()["lines"] == [{"charge_id": 42, "amount": "8.5"}, {"charge_id": 43, "amount": "2.8"}]


UNADOPTED: dict[str, tuple[Step, ...]] = {
    "not there": (("json", 200, {"bookings": []}),),
    "void": (("json", 200, {"bookings": [booking(credits=[credit(void=True, lines=[])])]}),),
    "another's": (("json", 200, {"bookings": [booking(reference=f"{REFERENCE}:1")]}),),
    "not to be asked": (("drop",),),
    "not taken over": (("json", 200, {"bookings": [booking()]}), told(403, "not_allowed")),
}


@pytest.mark.parametrize("name", UNADOPTED)
async def test_what_cannot_be_made_known_is_not_there_to_be_given_back(
    name: str, library: LibrarySystem, peer: Peer
) -> None:
    await learned(library, peer, told(404, "no_such_booking"), *UNADOPTED[name])
    answer = await library.refund(REFUND)
    assert isinstance(answer, NotRecorded)
    assert answer.absent
    assert [asked.path for asked in peer.asked].count(f"{BASE}/refunds") == 1


async def test_a_refund_that_is_answered_with_other_lines_is_asked_about_again(
    library: LibrarySystem, peer: Peer
) -> None:
    await learned(library, peer, ("json", 201, REFUNDED | {"lines": GIVEN[:1]}))
    assert isinstance(await library.refund(REFUND), MaybeRecorded)


async def test_what_cannot_be_written_is_neither_taken_nor_given_back(library: LibrarySystem, peer: Peer) -> None:
    await learned(library, peer, ("json", 201, {}))
    assert isinstance(await library.reverse(replace(REVERSAL, staff_id="anna")), NotRecorded)
    assert isinstance(await library.refund(replace(REFUND, shares={"x": Decimal(1)})), NotRecorded)
    assert peer.asked == []

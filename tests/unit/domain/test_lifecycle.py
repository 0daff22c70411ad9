# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows what, written out by hand from the rules; a blank (`.`) is a fact that is only noted.

Rows are where a payment stands, columns what may happen, both in the order of the enumerations.
"""

from __future__ import annotations

import itertools

import pytest

from tillbridge.domain import lifecycle
from tillbridge.domain.lifecycle import (
    IN_DOUBT,
    REFUND_OPEN,
    STANDINGS,
    UNDECIDED,
    Booking,
    Collection,
    Decider,
    Done,
    Heard,
    NotInTheTable,
    Reaction,
    RefundState,
    RefundStep,
    Standing,
    advance,
    advance_refund,
    diagrams,
    hear,
)

SHORT: dict[str, Standing | Reaction] = {
    "new": lifecycle.CREATED,
    "sending": lifecycle.SENDING,
    "there": lifecycle.AT_REGISTER,
    "unknown": lifecycle.UNKNOWN,
    "refused": lifecycle.REFUSED,
    "PAID": lifecycle.PAID_TILL,
    "paid-c": lifecycle.PAID_CLERK,
    "CANC": lifecycle.CANCELLED_TILL,
    "canc-c": lifecycle.CANCELLED_CLERK,
    "never": lifecycle.NEVER_COLLECTED,
    "BACK": lifecycle.REVERSED_TILL,
    "back-c": lifecycle.REVERSED_CLERK,
    "again": Reaction.DUPLICATE,
    "CASE": Reaction.CONTRADICTION,
    ".": Reaction.NOTED,
}

# Rules 1, 2: our own steps. 3, 5-7: what the till says. 8: status 99. 10, 11: what a person says.
COLLECTION = """
         send     never_sent reached lost    given_up till_paid till_cancelled till_refused clerk_paid clerk_cancelled
new      sending  .          .       .       never    PAID      CANC           .            .          .
sending  .        new        there   unknown .        PAID      CANC           refused      .          .
there    .        .          .       unknown .        PAID      CANC           refused      .          .
unknown  .        .          .       .       .        PAID      CANC           refused      paid-c     canc-c
refused  .        .          .       .       .        PAID      CANC           again        .          .
PAID     .        .          .       .       .        again     BACK           .            .          .
paid-c   .        .          .       .       .        PAID      CASE           CASE         .          back-c
CANC     .        .          .       .       .        CASE      again          .            paid-c     .
canc-c   .        .          .       .       .        PAID      CANC           .            .          .
never    .        .          .       .       .        PAID      CANC           .            .          .
BACK     .        .          .       .       .        CASE      again          .            .          .
back-c   .        .          .       .       .        CASE      BACK           .            .          .
"""

# And the word that the till has given all of it back: a column of its own, since the table is wide enough.
GIVEN_BACK = {"PAID": "back-c", "paid-c": "back-c"}

# A blank is a step that cannot be taken: the engine must never try.
BOOKING = {
    "none": {"money_taken": "due"},
    "due": {
        "start": "booking",
        "block": "blocked",
        "returned_unbooked": "none",
        "returned_booked": "reversal_due",
    },
    "booking": {"confirmed": "booked", "unclear": "unknown", "absent": "due", "block": "blocked"},
    "unknown": {"confirmed": "booked", "absent": "due", "block": "blocked"},
    "blocked": {
        "try_again": "due",
        "confirmed": "booked",
        "settled_by_hand": "none",
        "returned_unbooked": "none",
        "returned_booked": "reversal_due",
    },
    "booked": {"returned_booked": "reversal_due"},
    "reversal_due": {"reversal_started": "reversing", "reversal_seen": "reversed"},
    "reversing": {"reversal_unclear": "reversal_due", "reversal_seen": "reversed"},
    "reversed": {},
}

# Likewise for money that is given back.
REFUND = {
    "asked": {"given_back": "due", "withdraw": "withdrawn", "take_back": "taken_back"},
    "due": {"start": "recording", "settled_by_hand": "settled"},
    "recording": {"confirmed": "recorded", "unclear": "unknown", "absent": "due", "block": "blocked"},
    "recorded": {},
    "unknown": {"start": "recording", "settled_by_hand": "settled"},
    "blocked": {"try_again": "due", "settled_by_hand": "settled"},
    "withdrawn": {},
    "taken_back": {},
    "settled": {},
}


def rows() -> dict[tuple[Standing | Reaction, str], Standing | Reaction]:
    head, *lines = (text.split() for text in COLLECTION.strip().splitlines())
    table = {
        (SHORT[first], heard): SHORT[cell] for first, *cells in lines for heard, cell in zip(head, cells, strict=True)
    }
    return table | {(SHORT[first], "given_back"): SHORT[GIVEN_BACK.get(first, ".")] for first, *_ in lines}


@pytest.mark.parametrize(("standing", "heard"), [*itertools.product(STANDINGS, Heard)], ids=str)
def test_whatever_is_heard_wherever_a_payment_stands_has_its_deliberate_outcome(
    standing: Standing, heard: Heard
) -> None:
    assert hear(standing, heard) == rows()[standing, heard]


def test_the_expected_table_is_whole() -> None:
    assert set(rows()) == set(itertools.product(STANDINGS, map(str, Heard)))
    assert set(BOOKING) == set(map(str, Booking))
    assert {done for steps in BOOKING.values() for done in steps} == set(map(str, Done))
    assert set(REFUND) == set(map(str, RefundState))
    assert {step for steps in REFUND.values() for step in steps} == set(map(str, RefundStep))


@pytest.mark.parametrize(("booking", "done"), [*itertools.product(Booking, Done)], ids=str)
def test_whatever_happens_to_a_booking_has_its_deliberate_outcome(booking: Booking, done: Done) -> None:
    expected = BOOKING[booking].get(done)
    if expected is not None:
        assert advance(booking, done) == expected
        return
    with pytest.raises(NotInTheTable, match=f"a booking that is {booking} cannot hear {done}"):
        advance(booking, done)


@pytest.mark.parametrize(("state", "step"), [*itertools.product(RefundState, RefundStep)], ids=str)
def test_whatever_happens_to_a_refund_has_its_deliberate_outcome(state: RefundState, step: RefundStep) -> None:
    expected = REFUND[state].get(step)
    if expected is not None:
        assert advance_refund(state, step) == expected
        return
    with pytest.raises(NotInTheTable, match=f"a refund that is {state} cannot hear {step}"):
        advance_refund(state, step)


def test_a_refund_is_open_until_nothing_more_can_happen_to_it() -> None:
    assert {state for state, steps in REFUND.items() if steps} == REFUND_OPEN


def test_every_standing_is_listed_once_and_every_state_stands_somewhere() -> None:
    assert len(set(STANDINGS)) == len(STANDINGS) == 12
    assert {standing.state for standing in STANDINGS} == set(Collection)


@pytest.mark.parametrize("standing", STANDINGS, ids=str)
def test_a_standing_names_its_decider_exactly_when_it_is_decided(standing: Standing) -> None:
    assert (standing.by is None) == (standing.state in UNDECIDED)


def reachable() -> set[Standing]:
    found = {lifecycle.CREATED}
    while True:
        more = {hear(standing, heard) for standing in found for heard in Heard} - found
        fresh = {each for each in more if isinstance(each, Standing)}
        if not fresh:
            return found
        found |= fresh


def test_every_standing_can_be_reached_and_no_other() -> None:
    assert reachable() == set(STANDINGS)


@pytest.mark.parametrize("standing", [each for each in STANDINGS if each.by is not Decider.TILL], ids=str)
def test_money_that_the_till_took_is_never_only_noted(standing: Standing) -> None:
    follows = hear(standing, Heard.TILL_PAID)
    assert follows in (lifecycle.PAID_TILL, Reaction.CONTRADICTION)


@pytest.mark.parametrize("standing", STANDINGS, ids=str)
def test_only_the_till_or_a_person_makes_a_payment_paid(standing: Standing) -> None:
    for heard in set(Heard) - {Heard.TILL_PAID, Heard.CLERK_PAID}:
        follows = hear(standing, heard)
        assert not isinstance(follows, Standing) or follows.state is not Collection.PAID


def test_a_booking_in_doubt_is_settled_before_it_is_taken_back() -> None:
    assert {Booking.BOOKING, Booking.UNKNOWN} == IN_DOUBT
    for booking in IN_DOUBT:
        for done in (Done.RETURNED_BOOKED, Done.RETURNED_UNBOOKED, Done.START):
            with pytest.raises(NotInTheTable):
                advance(booking, done)


def test_the_diagrams_draw_every_change_and_nothing_else() -> None:
    collection, booking, refund = diagrams()
    drawn = {
        f"{first} --> {to}: {heard}".replace(" by ", "_by_")
        for (first, heard), to in rows().items()
        if isinstance(to, Standing)
    }
    assert arrows(collection) == drawn | {"[*] --> created"}
    assert arrows(booking) == arrows_of(BOOKING) | {"[*] --> none"}
    assert arrows(refund) == arrows_of(REFUND) | {"[*] --> asked"}
    assert all(text.startswith("```mermaid\nstateDiagram-v2\n") for text in (collection, booking, refund))


def arrows(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines() if "-->" in line}


def arrows_of(table: dict[str, dict[str, str]]) -> set[str]:
    return {f"{first} --> {to}: {step}" for first, steps in table.items() for step, to in steps.items()}

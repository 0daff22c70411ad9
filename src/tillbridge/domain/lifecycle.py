# SPDX-License-Identifier: GPL-3.0-or-later
"""The one transition table: which state follows which fact, for collection, for booking, and for a refund.

*Collected* (did the till take the money?) and *booked* (does the library system have it?) are two machines that
never share a column; money that is given back has a third one. What is not in a table does not happen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Collection(StrEnum):
    """Say what is known about the money at the till."""

    CREATED = "created"
    SENDING = "sending"
    AT_REGISTER = "at_register"
    PAID = "paid"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    REVERSED = "reversed"


class Booking(StrEnum):
    """Say what is known about the credit in the library system."""

    NONE = "none"
    DUE = "due"
    BOOKING = "booking"
    BOOKED = "booked"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    REVERSAL_DUE = "reversal_due"
    REVERSING = "reversing"
    REVERSED = "reversed"


class Decider(StrEnum):
    """Say whose word a decided collection rests on."""

    TILL = "till"
    CLERK = "clerk"
    NOTHING_SENT = "nothing_sent"


class Heard(StrEnum):
    """Name what may happen to a collection."""

    SEND = "send"
    NEVER_SENT = "never_sent"
    REACHED = "reached"
    LOST = "lost"
    GIVEN_UP = "given_up"
    TILL_PAID = "till_paid"
    TILL_CANCELLED = "till_cancelled"
    TILL_REFUSED = "till_refused"
    CLERK_PAID = "clerk_paid"
    CLERK_CANCELLED = "clerk_cancelled"
    GIVEN_BACK = "given_back"


class Done(StrEnum):
    """Name what may happen to a booking."""

    MONEY_TAKEN = "money_taken"
    START = "start"
    CONFIRMED = "confirmed"
    UNCLEAR = "unclear"
    ABSENT = "absent"
    BLOCK = "block"
    TRY_AGAIN = "try_again"
    SETTLED_BY_HAND = "settled_by_hand"
    RETURNED_UNBOOKED = "returned_unbooked"
    RETURNED_BOOKED = "returned_booked"
    REVERSAL_STARTED = "reversal_started"
    REVERSAL_UNCLEAR = "reversal_unclear"
    REVERSAL_SEEN = "reversal_seen"


class RefundState(StrEnum):
    """Say how far money is on its way back to the customer: first at the till, then in the library system."""

    ASKED = "asked"
    DUE = "due"
    RECORDING = "recording"
    RECORDED = "recorded"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    WITHDRAWN = "withdrawn"
    TAKEN_BACK = "taken_back"
    SETTLED = "settled"


class RefundStep(StrEnum):
    """Name what may happen to a refund."""

    GIVEN_BACK = "given_back"
    WITHDRAW = "withdraw"
    TAKE_BACK = "take_back"
    START = "start"
    CONFIRMED = "confirmed"
    UNCLEAR = "unclear"
    ABSENT = "absent"
    BLOCK = "block"
    TRY_AGAIN = "try_again"
    SETTLED_BY_HAND = "settled_by_hand"


@dataclass(frozen=True, slots=True)
class Standing:
    """Hold a collection state with the one whose word it rests on, where that matters."""

    state: Collection
    by: Decider | None = None

    def __str__(self) -> str:
        return f"{self.state} by {self.by}" if self.by else str(self.state)


class Reaction(StrEnum):
    """Say what a fact does that changes no state."""

    DUPLICATE = "duplicate"
    CONTRADICTION = "contradiction"
    NOTED = "noted"


CREATED = Standing(Collection.CREATED)
SENDING = Standing(Collection.SENDING)
AT_REGISTER = Standing(Collection.AT_REGISTER)
UNKNOWN = Standing(Collection.UNKNOWN)
REFUSED = Standing(Collection.REFUSED, Decider.TILL)
PAID_TILL = Standing(Collection.PAID, Decider.TILL)
PAID_CLERK = Standing(Collection.PAID, Decider.CLERK)
CANCELLED_TILL = Standing(Collection.CANCELLED, Decider.TILL)
CANCELLED_CLERK = Standing(Collection.CANCELLED, Decider.CLERK)
NEVER_COLLECTED = Standing(Collection.CANCELLED, Decider.NOTHING_SENT)
REVERSED_TILL = Standing(Collection.REVERSED, Decider.TILL)
REVERSED_CLERK = Standing(Collection.REVERSED, Decider.CLERK)

STANDINGS = (
    CREATED, SENDING, AT_REGISTER, UNKNOWN, REFUSED, PAID_TILL, PAID_CLERK,
    CANCELLED_TILL, CANCELLED_CLERK, NEVER_COLLECTED, REVERSED_TILL, REVERSED_CLERK,
)  # fmt: skip

_OPEN = (CREATED, SENDING, AT_REGISTER, UNKNOWN)
_WITH_THE_TILL = (SENDING, AT_REGISTER, UNKNOWN)

COLLECTION: dict[tuple[Standing, Heard], Standing | Reaction] = {
    # Our own steps.
    (CREATED, Heard.SEND): SENDING,
    (SENDING, Heard.NEVER_SENT): CREATED,
    (CREATED, Heard.GIVEN_UP): NEVER_COLLECTED,
    (SENDING, Heard.REACHED): AT_REGISTER,
    (SENDING, Heard.LOST): UNKNOWN,
    (AT_REGISTER, Heard.LOST): UNKNOWN,
    # The till says paid. Money that was taken is never ignored, whoever had given it up.
    **{(s, Heard.TILL_PAID): PAID_TILL for s in (*_OPEN, REFUSED, PAID_CLERK, CANCELLED_CLERK, NEVER_COLLECTED)},
    (PAID_TILL, Heard.TILL_PAID): Reaction.DUPLICATE,
    (CANCELLED_TILL, Heard.TILL_PAID): Reaction.CONTRADICTION,
    (REVERSED_TILL, Heard.TILL_PAID): Reaction.CONTRADICTION,
    (REVERSED_CLERK, Heard.TILL_PAID): Reaction.CONTRADICTION,
    # The till says not paid, or taken back.
    **{(s, Heard.TILL_CANCELLED): CANCELLED_TILL for s in (*_OPEN, REFUSED, CANCELLED_CLERK, NEVER_COLLECTED)},
    (CANCELLED_TILL, Heard.TILL_CANCELLED): Reaction.DUPLICATE,
    (PAID_TILL, Heard.TILL_CANCELLED): REVERSED_TILL,
    (PAID_CLERK, Heard.TILL_CANCELLED): Reaction.CONTRADICTION,
    (REVERSED_TILL, Heard.TILL_CANCELLED): Reaction.DUPLICATE,
    (REVERSED_CLERK, Heard.TILL_CANCELLED): REVERSED_TILL,
    # The register server rejected the message.
    **{(s, Heard.TILL_REFUSED): REFUSED for s in _WITH_THE_TILL},
    (REFUSED, Heard.TILL_REFUSED): Reaction.DUPLICATE,
    (PAID_CLERK, Heard.TILL_REFUSED): Reaction.CONTRADICTION,
    # A person's word: for an unknown outcome, or to settle a contradiction (the use case asks for its open case).
    (UNKNOWN, Heard.CLERK_PAID): PAID_CLERK,
    (UNKNOWN, Heard.CLERK_CANCELLED): CANCELLED_CLERK,
    (CANCELLED_TILL, Heard.CLERK_PAID): PAID_CLERK,
    (PAID_CLERK, Heard.CLERK_CANCELLED): REVERSED_CLERK,
    # A person's word that the till has given all of it back, with the number of its receipt.
    (PAID_TILL, Heard.GIVEN_BACK): REVERSED_CLERK,
    (PAID_CLERK, Heard.GIVEN_BACK): REVERSED_CLERK,
}

BOOKING: dict[tuple[Booking, Done], Booking] = {
    (Booking.NONE, Done.MONEY_TAKEN): Booking.DUE,
    (Booking.DUE, Done.START): Booking.BOOKING,
    (Booking.DUE, Done.BLOCK): Booking.BLOCKED,
    (Booking.DUE, Done.RETURNED_UNBOOKED): Booking.NONE,
    (Booking.DUE, Done.RETURNED_BOOKED): Booking.REVERSAL_DUE,
    (Booking.BOOKING, Done.CONFIRMED): Booking.BOOKED,
    (Booking.BOOKING, Done.UNCLEAR): Booking.UNKNOWN,
    (Booking.BOOKING, Done.ABSENT): Booking.DUE,
    (Booking.BOOKING, Done.BLOCK): Booking.BLOCKED,
    (Booking.UNKNOWN, Done.CONFIRMED): Booking.BOOKED,
    (Booking.UNKNOWN, Done.ABSENT): Booking.DUE,
    (Booking.UNKNOWN, Done.BLOCK): Booking.BLOCKED,
    (Booking.BLOCKED, Done.TRY_AGAIN): Booking.DUE,
    (Booking.BLOCKED, Done.CONFIRMED): Booking.BOOKED,
    (Booking.BLOCKED, Done.SETTLED_BY_HAND): Booking.NONE,
    (Booking.BLOCKED, Done.RETURNED_UNBOOKED): Booking.NONE,
    (Booking.BLOCKED, Done.RETURNED_BOOKED): Booking.REVERSAL_DUE,
    (Booking.BOOKED, Done.RETURNED_BOOKED): Booking.REVERSAL_DUE,
    (Booking.REVERSAL_DUE, Done.REVERSAL_STARTED): Booking.REVERSING,
    (Booking.REVERSAL_DUE, Done.REVERSAL_SEEN): Booking.REVERSED,
    (Booking.REVERSING, Done.REVERSAL_UNCLEAR): Booking.REVERSAL_DUE,
    (Booking.REVERSING, Done.REVERSAL_SEEN): Booking.REVERSED,
}  # fmt: skip

REFUND: dict[tuple[RefundState, RefundStep], RefundState] = {
    (RefundState.ASKED, RefundStep.GIVEN_BACK): RefundState.DUE,
    (RefundState.ASKED, RefundStep.WITHDRAW): RefundState.WITHDRAWN,
    (RefundState.ASKED, RefundStep.TAKE_BACK): RefundState.TAKEN_BACK,
    (RefundState.DUE, RefundStep.START): RefundState.RECORDING,
    (RefundState.RECORDING, RefundStep.CONFIRMED): RefundState.RECORDED,
    (RefundState.RECORDING, RefundStep.UNCLEAR): RefundState.UNKNOWN,
    (RefundState.RECORDING, RefundStep.ABSENT): RefundState.DUE,
    (RefundState.RECORDING, RefundStep.BLOCK): RefundState.BLOCKED,
    (RefundState.UNKNOWN, RefundStep.START): RefundState.RECORDING,
    (RefundState.UNKNOWN, RefundStep.SETTLED_BY_HAND): RefundState.SETTLED,
    (RefundState.DUE, RefundStep.SETTLED_BY_HAND): RefundState.SETTLED,
    (RefundState.BLOCKED, RefundStep.TRY_AGAIN): RefundState.DUE,
    (RefundState.BLOCKED, RefundStep.SETTLED_BY_HAND): RefundState.SETTLED,
}
"""There is no arrow from `unknown` but to ask again: the library system knows a refund by its reference."""

UNDECIDED = frozenset({Collection.CREATED, Collection.SENDING, Collection.AT_REGISTER, Collection.UNKNOWN})
"""Collections of which nobody has said yet how they ended."""

AT_REST = frozenset({Booking.NONE, Booking.BOOKED, Booking.REVERSED})
"""Bookings at which nothing is left to do."""

IN_DOUBT = frozenset({Booking.BOOKING, Booking.UNKNOWN})
"""Bookings that must be settled before anything else may happen to the patron's account."""


REFUND_OPEN = frozenset(
    {RefundState.ASKED, RefundState.DUE, RefundState.RECORDING, RefundState.UNKNOWN, RefundState.BLOCKED}
)
"""Refunds of which something is still to be done; a payment has one of them at a time."""

NOTHING_GIVEN = frozenset({RefundState.WITHDRAWN, RefundState.TAKEN_BACK})
"""Refunds that came to nothing of their own: no money was given back, or the whole payment was taken back."""


class NotInTheTable(ValueError):  # noqa: N818 - reads as the sentence it is
    """Say that a booking or a refund cannot go on like this from where it is."""


def hear(standing: Standing, heard: Heard) -> Standing | Reaction:
    """Return the collection that follows, or what else the fact means; a fact without a row is only noted."""
    return COLLECTION.get((standing, heard), Reaction.NOTED)


def advance(booking: Booking, done: Done) -> Booking:
    """Return the booking state that follows; raise NotInTheTable where there is no row."""
    try:
        return BOOKING[booking, done]
    except KeyError:
        raise NotInTheTable(f"a booking that is {booking} cannot hear {done}") from None


def advance_refund(state: RefundState, step: RefundStep) -> RefundState:
    """Return the refund's state that follows; raise NotInTheTable where there is no row."""
    try:
        return REFUND[state, step]
    except KeyError:
        raise NotInTheTable(f"a refund that is {state} cannot hear {step}") from None


def diagrams() -> tuple[str, str, str]:
    """Write the machines of collection, booking and refund as Mermaid state diagrams, for the page in the docs."""
    return _mermaid(_collection_lines()), _mermaid(_booking_lines()), _mermaid(_refund_lines())


def _mermaid(lines: list[str]) -> str:
    return "\n".join(("```mermaid", *lines, "```"))


def _collection_lines() -> list[str]:
    changes = [(s, h, to) for (s, h), to in COLLECTION.items() if isinstance(to, Standing)]
    arrows = [f"    {_node(s)} --> {_node(to)}: {h}" for s, h, to in changes]
    names = [f'    state "{s}" as {_node(s)}' for s in STANDINGS]
    return ["stateDiagram-v2", *names, f"    [*] --> {_node(CREATED)}", *arrows]


def _booking_lines() -> list[str]:
    arrows = [f"    {state} --> {to}: {done}" for (state, done), to in BOOKING.items()]
    return ["stateDiagram-v2", f"    [*] --> {Booking.NONE}", *arrows]


def _refund_lines() -> list[str]:
    arrows = [f"    {state} --> {to}: {step}" for (state, step), to in REFUND.items()]
    return ["stateDiagram-v2", f"    [*] --> {RefundState.ASKED}", *arrows]


def _node(standing: Standing) -> str:
    return str(standing).replace(" ", "_")

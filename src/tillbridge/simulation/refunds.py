# SPDX-License-Identifier: GPL-3.0-or-later
"""Money that is given back: clerks ask for it, cashiers give it out, and somebody says so; sometimes wrongly."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from tillbridge.domain.lifecycle import NOTHING_GIVEN, RefundState
from tillbridge.domain.refund import Refund
from tillbridge.errors import Declined
from tillbridge.service.refunding import RefundRequest, give_back, withdraw_refund
from tillbridge.service.refunding import ask_refund as ask_service
from tillbridge.service.resolving import Action, Word
from tillbridge.service.store_port import Case, CaseKind
from tillbridge.simulation.refund_rules import refunded
from tillbridge.simulation.rules import Held
from tillbridge.simulation.script import Step
from tillbridge.simulation.stage import Stage
from tillbridge.simulators.library import corrections
from tillbridge.simulators.library.facts import PayoutOrder

WHOLE, ALL, PART = 0.1, 0.5, 0.9
"""Picks that lead to a refund of the whole payment, of all that is left of it, and of a part."""
MISTAKEN, RIGHT, FORGETS = 0.05, 0.5, 0.95
"""Picks of somebody who says that money was given out that was not, who does all, and who forgets to say so."""

_REASON = "charged in error"
_LIBRARIAN = 1


async def ask_refund(stage: Stage, step: Step) -> None:
    """Let a clerk ask for money of a payment to be given back: the whole payment, all that is left of it, or a part."""
    held = stage.payment(step.n)
    if held is None:
        return
    amounts = None
    if step.pick >= 0.7:  # noqa: PLR2004 - three in ten
        line = held.payment.lines[step.n % len(held.payment.lines)]
        amounts = ((line.charge_id, max(1, int(line.amount_minor * (step.pick - 0.4)))),)
    whole = step.pick < 0.35  # noqa: PLR2004 - about a third
    request = RefundRequest("anna", _REASON, amounts, owed_again=whole, register="11")
    refund = await stage.fleet.call(lambda world: ask_service(world, held.payment.id, request))
    stage.telling.say(f"anna asks for {refund.total.minor} cents of {refund.payment_id} to be given back")


async def hand_out(stage: Stage, step: Step) -> None:
    """Let the cashier give the money of a refund out, and somebody say so, or two people at once."""
    held = stage.payment(step.n)
    refund = None if held is None else _asked(held)
    if held is None or refund is None:
        return
    which = (refund.payment_id, refund.n)
    if step.pick < MISTAKEN * 2 and which not in stage.till.drawer.out:
        stage.till.drawer.mistaken.add(which)
        stage.telling.say("sari is mistaken, and takes another receipt for that of a refund: nothing was given out")
        await _say_given(stage, refund, f"M{step.at:.0f}")
    elif _give_out(stage, held, refund) and step.pick < 1 - (1 - FORGETS) * 2:
        receipt = stage.till.drawer.out[which].receipt
        says = [_say_given(stage, refund, receipt) for _ in range(1 + (step.pick > 0.7))]  # noqa: PLR2004 - some
        done = await asyncio.gather(*says, return_exceptions=True)
        for no in done:
            if isinstance(no, BaseException):
                raise no


async def withdraw(stage: Stage, step: Step) -> None:
    """Let somebody say that no money was given back after all; who knows of a receipt says so only by mistake."""
    held = stage.payment(step.n)
    refund = None if held is None else _asked(held)
    if refund is None:
        return
    which = (refund.payment_id, refund.n)
    if which in stage.till.drawer.out:
        if step.pick < 0.8:  # noqa: PLR2004 - mostly
            return
        stage.till.drawer.mistaken.add(which)
        stage.telling.say("anna is mistaken, and says that no money was given back: the cashier has given it out")
    await stage.fleet.call(lambda world: withdraw_refund(world, *which, "anna", "the customer has left"))


def _asked(held: Held) -> Refund | None:
    return next((refund for refund in held.refunds if refund.state is RefundState.ASKED), None)


def _give_out(stage: Stage, held: Held, refund: Refund) -> bool:
    """Let the cashier give the money out, where the till shows that it was taken; tell whether it is out."""
    there = stage.till.truth(held.payment.id)
    if there is not None and there.state != "paid":
        stage.telling.say(f"the till shows {held.payment.id} as {there.state}: nothing is given out")
        return False
    taken = held.payment.collected_minor if there is None else there.collected_minor
    minor = (taken or 0) if refund.owed_again else refund.total.minor
    given = stage.till.drawer.give_out((held.payment.id, refund.n), minor, whole=refund.owed_again)
    stage.telling.say(f"the cashier gives {given.minor} cents of {held.payment.id} out: {given.receipt}")
    return True


async def _say_given(stage: Stage, refund: Refund, receipt: str) -> None:
    """Say that money was given out; where the bridge says that the refund is over, it goes back into the drawer."""
    which = (refund.payment_id, refund.n)
    try:
        await stage.fleet.call(lambda world: give_back(world, *which, "sari", receipt))
    except Declined:
        put_back(stage, stage.known[refund.payment_id], refund.n)
        raise
    stage.till.drawer.believed[which] = receipt


def put_back(stage: Stage, held: Held, n: int) -> None:
    """Let the cashier put money back that was given out for a refund which has come to nothing, but by mistake."""
    drawer, which = stage.till.drawer, (held.payment.id, n)
    given, refund = drawer.out.get(which), held.refunds[n - 1]
    if given is None or which in drawer.mistaken or refund.state not in NOTHING_GIVEN:
        return
    if refund.receipt_number != given.receipt:
        drawer.put_back(which)
        stage.telling.say(f"the cashier takes {given.minor} cents of {held.payment.id} back: the refund is over")


def put_back_all(stage: Stage, held: Held) -> None:
    """Let the cashier look at the end of the day for what was given out, and nobody has said so in time."""
    for refund in held.refunds:
        put_back(stage, held, refund.n)


# --- cases ---


def note_decided(stage: Stage, held: Held | None, case: Case, action: Action) -> str | None:
    """Note where a decision about a refund may be mistaken; return the receipt that there is for it."""
    refund = _asked(held) if held is not None and case.kind is CaseKind.REFUND_UNDECIDED else None
    if refund is None:
        return None
    which = (refund.payment_id, refund.n)
    given = stage.till.drawer.out.get(which)
    if (action is Action.GIVEN_BACK) != (given is not None):
        stage.till.drawer.mistaken.add(which)
        out = "nothing was given out" if given is None else "the cashier has given it out"
        stage.telling.say(f"sari may be mistaken about the money of {refund.payment_id} to be given back: {out}")
    return None if given is None else given.receipt


def honest_word(stage: Stage, case: Case, held: Held, looks: int, fitting: Sequence[Action]) -> Word | None:
    """Say what becomes of a refund that is on the list, after so many looks at it; None to wait."""
    refund = next((refund for refund in held.refunds if refund.open), None)
    if refund is None:
        return None
    if case.kind is CaseKind.REFUND_UNDECIDED:
        return _whether_given(stage, held, refund)
    tried = sum(event.kind == "refund_try_again" for event in held.events)
    if Action.BOOK in fitting and tried < 2:  # noqa: PLR2004 - patience has an end
        return Word(Action.BOOK, "sari", "it may work by now")
    goes_on = refund.state is not RefundState.BLOCKED and looks < 6  # noqa: PLR2004 - longer than it is told again
    if goes_on or Action.SETTLED not in fitting:
        return None
    record_by_hand(stage, refund)
    return Word(Action.SETTLED, "sari", "recorded by hand")


def _whether_given(stage: Stage, held: Held, refund: Refund) -> Word:
    given = stage.till.drawer.out.get((held.payment.id, refund.n))
    there = stage.till.truth(held.payment.id)
    if given is not None:
        return Word(Action.GIVEN_BACK, "sari", "the receipt is there", given.receipt)
    if refund.owed_again and there is not None and there.state == "taken_back":
        return Word(Action.GIVEN_BACK, "sari", "the till has taken it back", there.receipt_number)
    return Word(Action.NOT_GIVEN_BACK, "sari", "no money was given out")


def record_by_hand(stage: Stage, refund: Refund) -> None:
    """Let a librarian record in Koha what it does not have of a refund."""
    library, which = stage.library, (refund.payment_id, refund.n)
    if which in library.given_by_hand or refunded(library.refunds_of(refund.payment_id), refund.n):
        return
    library.given_by_hand[which] = {}
    for line in refund.lines:
        payout = PayoutOrder("CASH", refund.branch, None, _LIBRARIAN, _REASON)
        corrections.refund(library.book, int(line.charge_id), line.exact, payout)
        library.given_by_hand[which][line.charge_id] = line.exact
    stage.telling.say(f"a librarian records refund {refund.n} of {refund.payment_id} by hand")


# --- at rest ---


def given_in_library(stage: Stage, held: Held) -> Decimal:
    """Sum up what the library system has as given back of a payment."""
    return sum((_in_library(stage, refund) for refund in held.refunds), Decimal(0))


def lacking_by_hand(stage: Stage, held: Held) -> Decimal:
    """Sum up what people have said that they recorded by hand, and have not."""
    settled = [refund for refund in held.refunds if refund.state is RefundState.SETTLED]
    return sum((exact_of_refund(refund) - _in_library(stage, refund) for refund in settled), Decimal(0))


def exact_of_refund(refund: Refund) -> Decimal:
    """Return what the library system is to give back."""
    return sum((line.exact for line in refund.lines), Decimal(0))


def mistaken_minor(stage: Stage, held: Held) -> int:
    """Return how much more the till has than the bridge says, since people were mistaken about refunds."""
    return sum(_said(held, refund) - _out(stage, held, refund) for refund in _mistaken(stage, held))


def _mistaken(stage: Stage, held: Held) -> list[Refund]:
    return [refund for refund in held.refunds if (held.payment.id, refund.n) in stage.till.drawer.mistaken]


def _said(held: Held, refund: Refund) -> int:
    """Return how much the bridge has heard was given out."""
    if refund.owed_again:
        return (held.payment.collected_minor or 0) if refund.receipt_number else 0
    return refund.total.minor if refund.counts else 0


def _out(stage: Stage, held: Held, refund: Refund) -> int:
    given = stage.till.drawer.out.get((held.payment.id, refund.n))
    return 0 if given is None else given.minor


def _in_library(stage: Stage, refund: Refund) -> Decimal:
    by_hand = stage.library.given_by_hand.get((refund.payment_id, refund.n), {})
    there = refunded(stage.library.refunds_of(refund.payment_id), refund.n)
    return there + sum(by_hand.values(), Decimal(0))

# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do: clerks, cashiers, customers and supervisors; honest, and sometimes mistaken."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from random import Random

from tillbridge.domain.lifecycle import Collection
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.deciding import agree, decide_case, decide_payment, refuse, withdraw
from tillbridge.service.resolving import Action, Word, fitting, matter_of_case, stop_waiting
from tillbridge.service.sending import wish_to_cancel
from tillbridge.service.starting import ByHand, Chosen, StartRequest, record_by_hand, start_payment
from tillbridge.service.store_port import Case
from tillbridge.simulation.refunds import note_decided
from tillbridge.simulation.rules import Held, need
from tillbridge.simulation.script import Step
from tillbridge.simulation.stage import Stage
from tillbridge.simulation.wording import spaced
from tillbridge.simulators.library.facts import Side
from tillbridge.simulators.till.faults import Options
from tillbridge.simulators.till.payment import NotNowError

CLERKS = ("anna", "ville")
SUPERVISORS = ("sari", "otto")
_AT_TILL = {"pay": "take the money of", "leave": "cancel", "take_back": "take back"}
_IS = {Action.PAID: "is paid", Action.NOT_PAID: "is not paid"}


async def start(stage: Stage, step: Step) -> None:
    """Let a clerk send a patron's charges to the till."""
    await _start(stage, step)


async def _start(stage: Stage, step: Step) -> bool:
    """Start a payment; return whether there was anything to pay."""
    request = _request(stage, step.n, Random(f"start/{step.pick}"))  # noqa: S311 - a simulation, no secret
    if request is not None:
        await _begin(stage, request)
    return request is not None


async def _begin(stage: Stage, request: StartRequest) -> None:
    stage.telling.say(f"{request.clerk} starts a payment for patron {request.patron_id}")
    surname = stage.library.book.patrons[int(request.patron_id or 0)].surname
    payment = await stage.fleet.call(lambda world: start_payment(world, request))
    asked = request.sum_minor in (None, payment.total.minor)
    stage.judged(lambda: need(asked, f"{payment.id} asks for another sum than the clerk has said"))
    if request.sum_minor is not None:
        stage.telling.fault(22, f"a partial sum of {request.sum_minor} cents")
    if not surname.isascii() or any(sign in surname for sign in ";&'\"<"):
        stage.telling.fault(25, f"a patron named {surname}")


async def start_twice(stage: Stage, step: Step) -> None:
    """Let a clerk click twice, or two clerks start at once for one patron."""
    both = await asyncio.gather(_start(stage, step), _start(stage, step), return_exceptions=True)
    if all(result is True or isinstance(result, Declined) for result in both):
        stage.telling.fault(11, "the same charges were started twice at once")


async def start_other(stage: Stage, step: Step) -> None:
    """Let another clerk send something to the till that no payment has begun yet, of any patron."""
    del step
    taken = {line.charge_id for held in stage.known.values() for line in held.payment.lines}
    for patron_id in stage.library.book.patrons:
        debits = stage.library.book.open_lines(patron_id, Side.DEBIT)
        free = tuple(Chosen(str(line.line_id)) for line in debits if str(line.line_id) not in taken)
        if free:
            await _begin(stage, StartRequest("CPL", "10", "ville", patron_id=str(patron_id), charges=free))
            return


async def start_again(stage: Stage, step: Step) -> None:
    """Let a clerk send the same charges once more, as when the first attempt is believed to be over."""
    held = stage.payment(step.n)
    if held is not None:
        charges = tuple(Chosen(line.charge_id) for line in held.payment.lines)
        request = StartRequest("CPL", "11", "ville", patron_id=held.payment.patron_id, charges=charges)
        await stage.fleet.call(lambda world: start_payment(world, request))


async def tamper(stage: Stage, step: Step) -> None:
    """Let a browser name a charge with another amount than is owed, or one of another patron; for scripts alone."""
    mine, other = (stage.library.book.open_lines(stage.patron(step.n + k), Side.DEBIT) for k in (0, 1))
    named = Chosen(str(mine[0].line_id), Decimal(99)) if step.pick < 0.5 else Chosen(str(other[0].line_id))  # noqa: PLR2004 - the one or the other
    await _begin(stage, StartRequest("CPL", "10", "anna", patron_id=str(stage.patron(step.n)), charges=(named,)))


async def by_hand(stage: Stage, step: Step) -> None:
    """Let a supervisor record what a till took while the bridge was down."""
    draws = Random(f"by hand/{step.pick}")  # noqa: S311 - as above
    request = _request(stage, step.n, draws)
    if request is not None:
        word = ByHand(f"H{step.at:.0f}", "sari", "the bridge was down")
        await stage.fleet.call(lambda world: record_by_hand(world, request, word))


def _request(stage: Stage, n: int, draws: Random) -> StartRequest | None:
    patron_id = stage.patron(n)
    if patron_id not in stage.library.book.patrons:
        return None
    debits = stage.library.book.open_lines(patron_id, Side.DEBIT)
    if not debits:
        return None
    chosen = sorted(draws.sample(debits, draws.randint(1, len(debits))), key=lambda line: line.line_id)
    owed = int(sum((line.outstanding for line in chosen), Decimal(0)) * 100)
    part = draws.randint(1, owed) if owed > 1 and draws.random() < 0.3 else None  # noqa: PLR2004 - three in ten
    charges = tuple(Chosen(str(line.line_id), line.outstanding) for line in chosen)
    register = draws.choice(("10", "11"))
    return StartRequest(
        "CPL", register, draws.choice(CLERKS), patron_id=str(patron_id), charges=charges, sum_minor=part
    )


async def cancel(stage: Stage, step: Step) -> None:
    """Let a clerk wish to cancel."""
    held = stage.payment(step.n)
    if held is not None:
        there = stage.till.truth(held.payment.id)
        await stage.fleet.call(lambda world: wish_to_cancel(world, held.payment.id, "anna"))
        if there is not None and there.state in ("waiting", "paid"):
            stage.telling.fault(12, "a clerk cancels while the till has the payment")


async def stop(stage: Stage, step: Step) -> None:
    """Let a clerk stop waiting."""
    if (held := stage.payment(step.n)) is not None:
        await stage.fleet.call(lambda world: stop_waiting(world, held.payment.id, "anna"))


async def word(stage: Stage, step: Step) -> None:
    """Let a clerk say what became of an unknown payment; one in four looked at the wrong line of the till's list."""
    held = stage.payment(step.n)
    if held is None or held.payment.collection is not Collection.UNKNOWN:
        return
    said = true_word(stage, held.payment, "anna")
    if step.pick < 0.25:  # noqa: PLR2004 - one in four
        wrong = Action.NOT_PAID if said.action is Action.PAID else Action.PAID
        said = Word(wrong, "anna", "I looked, and was mistaken", _line_beside(stage, held) or f"M{step.at:.0f}")
    _note_mistake(stage, held, said)
    second = step.pick > 0.7  # noqa: PLR2004 - some libraries want a second look
    await stage.fleet.call(lambda world: decide_payment(world, held.payment.id, said, second_look=second))


def _note_mistake(stage: Stage, held: Held, said: Word) -> None:
    """Tell where a person is going to say of a payment what is not so at the till."""
    if said.action not in _IS or said.action is true_word(stage, held.payment, said.person).action:
        return
    there = stage.till.truth(held.payment.id)
    has = "nothing of it" if there is None else f"it as {spaced(there.state)}"
    stage.mistaken.add(held.payment.id)
    stage.telling.say(
        f"{said.person} is mistaken, and says that {held.payment.id} {_IS[said.action]}: the till has {has}"
    )


def _line_beside(stage: Stage, held: Held) -> str | None:
    """Return the receipt of another payment, which stands beside the right one on the till's list."""
    others = (stage.till.truth(payment_id) for payment_id in stage.known if payment_id != held.payment.id)
    return next((there.receipt_number for there in others if there is not None and there.state == "paid"), None)


def true_word(stage: Stage, payment: Payment, person: str) -> Word:
    """Say what the till's own list shows."""
    there = stage.till.truth(payment.id)
    if there is not None and there.state == "paid":
        return Word(Action.PAID, person, "the receipt is there", there.receipt_number)
    return Word(Action.NOT_PAID, person, "the till has surely cancelled it")


async def second(stage: Stage, step: Step) -> None:
    """Let another person agree to what waits, or refuse it, or who has decided take it back."""
    waiting = await stage.fleet.call(lambda world: world.store.read(lambda tx: tx.open_second_looks()))
    if not waiting:
        return
    wish = waiting[int(step.pick * len(waiting))]
    if step.pick < 0.6:  # noqa: PLR2004 - mostly they agree
        await stage.fleet.call(lambda world: agree(world, wish.id, "otto"))
    elif step.pick < 0.8:  # noqa: PLR2004 - as above
        await stage.fleet.call(lambda world: refuse(world, wish.id, "otto", "I see it otherwise"))
    else:
        await stage.fleet.call(lambda world: withdraw(world, wish.id, wish.person))


async def pay(stage: Stage, step: Step) -> None:
    """Let the customer pay."""
    if (held := stage.payment(step.n)) is not None:
        try_till(stage, held, "pay", step.pick)


async def pay_newest(stage: Stage, step: Step) -> None:
    """Let the customer of the newest payment pay."""
    if stage.known:
        try_till(stage, list(stage.known.values())[-1], "pay", step.pick)


async def leave(stage: Stage, step: Step) -> None:
    """Let the customer go away, and the cashier cancel."""
    if (held := stage.payment(step.n)) is not None:
        try_till(stage, held, "leave", step.pick)


async def take_back(stage: Stage, step: Step) -> None:
    """Let the cashier give the money back."""
    if (held := stage.payment(step.n)) is not None:
        try_till(stage, held, "take_back", step.pick)


def try_till(stage: Stage, held: Held, what: str, pick: float) -> None:
    """Do something at the till, if it can be done."""
    till, payment_id = stage.till.till, held.payment.id
    try:
        match what:
            case "pay":
                done = till.accept(payment_id, "cash" if pick < 0.5 else "card")  # noqa: PLR2004 - half and half
                stage.telling.say(
                    f"the customer pays {payment_id}: {done.collected_minor} cents, {done.receipt_number}"
                )
            case "leave":
                till.cancel(payment_id)
                stage.telling.say(f"the cashier cancels {payment_id}")
            case _:
                stage.till.take_back(payment_id)
                stage.telling.fault(23, f"the till takes {payment_id} back (booking {held.payment.booking})")
    except (KeyError, NotNowError):
        stage.telling.say(f"the till cannot {_AT_TILL[what]} {payment_id} now")


async def other_sum(stage: Stage, step: Step) -> None:
    """Let the cashier round, or change the sum (only a 3.0 till names sums)."""
    held = stage.payment(step.n)
    if held is None or stage.setup.version == "2.0":
        return
    by = (-2, -1, 1, 2, -5, 40, 150)[int(step.pick * 7)]
    total = max(1, held.payment.total.minor + by)
    stage.till.till.faults.add(held.payment.id, "report_other_sum", 1, Options(minor=total))
    stage.telling.say(f"the till will take {total} cents")


# --- supervisors ---


async def decide(stage: Stage, step: Step) -> None:
    """Let a supervisor decide some open case in any way that fits, well or badly."""
    cases = await stage.fleet.call(lambda world: world.store.read(lambda tx: tx.open_cases()))
    if not cases:
        return
    case = cases[step.n % len(cases)]
    actions = await fitting_actions(stage, case)
    if not actions:
        return
    action = actions[int(step.pick * len(actions))]
    patron = str(stage.patron(step.n))
    held = stage.known.get(case.payment_id or "")
    receipt = note_decided(stage, held, case, action)
    said = Word(action, "sari", "I looked", receipt or f"S{step.at:.0f}", patron)
    if held is not None:
        _note_mistake(stage, held, said)
    second_look = step.pick > 0.8  # noqa: PLR2004 - some libraries want a second look
    await stage.fleet.call(lambda world: decide_case(world, case.id, said, second_look=second_look))


async def fitting_actions(stage: Stage, case: Case) -> tuple[Action, ...]:
    """List what can be decided about a case right now."""
    return await stage.fleet.call(lambda world: world.store.read(lambda tx: fitting(matter_of_case(tx, case.id))))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide about open cases and unknown outcomes, where it is so set with a second look by another person.

While a decision waits nothing changes. It is carried out only if nothing has happened to the payment since: what the
till has said meanwhile is never overruled by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

from tillbridge.errors import Declined
from tillbridge.service.overtaking import end, overtake
from tillbridge.service.ports import World
from tillbridge.service.resolving import (
    Action,
    Matter,
    Word,
    carry_out,
    matter_of_case,
    matter_of_payment,
    need_fit,
    need_reason,
)
from tillbridge.service.second_look_port import Ending, SecondLook
from tillbridge.service.store_port import Transaction

WISHED = "second_look_wished"

CHANGES_NOTHING = frozenset({"look", "cancel_wished"})
"""Events that tell of nothing which a decision could rest on."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Say that a decision is carried out."""


@dataclass(frozen=True, slots=True)
class Awaiting:
    """Say that a decision waits for another person."""

    second_look: SecondLook


async def decide_payment(world: World, payment_id: str, word: Word, *, second_look: bool) -> Decided | Awaiting:
    """Take a person's word about an unknown outcome, or let it wait for a second look; Declined where it is unfit."""
    return await _decide(world, word, lambda tx: matter_of_payment(tx, payment_id), second_look=second_look)


async def decide_case(world: World, case_id: int, word: Word, *, second_look: bool) -> Decided | Awaiting:
    """Take a person's word about a case, or let it wait for a second look; raise Declined where it does not fit."""
    return await _decide(world, word, lambda tx: matter_of_case(tx, case_id), second_look=second_look)


async def _decide(
    world: World, word: Word, read: Callable[[Transaction], Matter], *, second_look: bool
) -> Decided | Awaiting:
    need_reason(word)

    def store(tx: Transaction) -> Decided | Awaiting:
        matter = read(tx)
        need_fit(tx, matter, word)
        if second_look and word.action is not Action.LOOK:
            return Awaiting(_wait(tx, world.clock.now(), matter, word))
        carry_out(tx, world, matter, word)
        return Decided()

    result = await world.store.write(store)
    world.notifier.changed()
    return result


async def agree(world: World, second_look_id: int, person: str) -> None:
    """Carry out another person's decision; raise Declined, `overtaken` too where it no longer fits and has ended."""
    no = await world.store.write(lambda tx: _agree(tx, world, second_look_id, person.strip()))
    world.notifier.changed()
    if no is not None:
        raise no


async def refuse(world: World, second_look_id: int, person: str, reason: str) -> None:
    """Say no to another person's decision, with a reason."""
    _need_words(person, reason)

    def store(tx: Transaction) -> None:
        wish = _waiting(tx, second_look_id)
        _need_another(wish, person)
        end(tx, wish, world.clock.now(), person.strip(), Ending.REFUSED, reason.strip())

    await world.store.write(store)
    world.notifier.changed()


async def withdraw(world: World, second_look_id: int, person: str) -> None:
    """Take one's own decision back while it waits."""

    def store(tx: Transaction) -> None:
        wish = _waiting(tx, second_look_id)
        if not _same(wish.person, person):
            raise Declined("not_own_decision", "Only who has decided can take it back; others can refuse it.")
        end(tx, wish, world.clock.now(), person.strip(), Ending.WITHDRAWN)

    await world.store.write(store)
    world.notifier.changed()


def _wait(tx: Transaction, now: float, matter: Matter, word: Word) -> SecondLook:
    for waiting in matter.second_looks(tx):
        if not _moved_on(tx, waiting):
            raise Declined("second_look_waits", "Another decision waits for a second look.", _facts_of(waiting))
        overtake(tx, [waiting], now, word.person, "something happened before anyone agreed")
    wish = tx.add_second_look(_wish(now, matter, word))
    if wish.payment_id is not None:
        about = {"case": str(matter.case.kind)} if matter.case else {}
        more = {"receipt": wish.receipt_number, "patron": wish.patron_id}
        facts = about | word.facts | {key: value for key, value in more.items() if value is not None}
        tx.append_event(wish.payment_id, now, word.person, WISHED, facts)
    return wish


def _wish(now: float, matter: Matter, word: Word) -> SecondLook:
    return SecondLook(
        id=0,
        case_id=matter.case.id if matter.case else None,
        payment_id=matter.payment.id if matter.payment else None,
        action=word.action,
        person=word.person,
        reason=word.reason,
        receipt_number=word.receipt,
        patron_id=word.patron_id,
        wished_at=now,
    )


def _facts_of(wish: SecondLook) -> dict[str, object]:
    return {
        "second_look": wish.id,
        "action": wish.action,
        "person": wish.person,
        "reason": wish.reason,
        "wished_at": wish.wished_at,
    }


def _agree(tx: Transaction, world: World, second_look_id: int, person: str) -> Declined | None:
    wish, now = _waiting(tx, second_look_id), world.clock.now()
    _need_another(wish, person)
    word = Word(Action(wish.action), wish.person, wish.reason, wish.receipt_number, wish.patron_id, seconded_by=person)
    try:
        matter = _as_it_was(tx, wish)
        need_fit(tx, matter, word)
    except Declined as no:
        overtake(tx, [wish], now, person, no.message)
        return Declined("overtaken", f"This decision no longer fits, and is not carried out. {no.message}")
    end(tx, wish, now, person, Ending.AGREED)
    carry_out(tx, world, matter, word)
    return None


def _as_it_was(tx: Transaction, wish: SecondLook) -> Matter:
    """Read again what a decision is about; raise Declined where it is not as the person saw it."""
    if wish.case_id is not None:
        matter = matter_of_case(tx, wish.case_id)
    else:
        matter = matter_of_payment(tx, str(wish.payment_id))
    if _moved_on(tx, wish):
        raise Declined("overtaken", "Something has happened since: look at it again.")
    return matter


def _moved_on(tx: Transaction, wish: SecondLook) -> bool:
    """Tell whether anything has happened to the payment since: only one decision of a payment waits at a time."""
    if wish.payment_id is None:
        return False
    backwards = (event.kind for event, _ in reversed(tx.history(wish.payment_id)))
    return not CHANGES_NOTHING.issuperset(takewhile(lambda kind: kind != WISHED, backwards))


def _waiting(tx: Transaction, second_look_id: int) -> SecondLook:
    """Read a decision that waits, while its payment is held: others who would end it wait for this one."""
    wish = tx.second_look(second_look_id)
    if wish is not None and wish.payment_id is not None:
        tx.payment(wish.payment_id)
        wish = tx.second_look(second_look_id)
    if wish is None or wish.ended_at is not None:
        raise Declined("no_such_second_look", "This decision does not wait any more.")
    return wish


def _need_another(wish: SecondLook, person: str) -> None:
    _need_words(person)
    if _same(wish.person, person):
        raise Declined("own_decision", "Another person must look at this: it is your own decision.")


def _need_words(person: str, reason: str = "-") -> None:
    if not person.strip() or not reason.strip():
        raise Declined("reason_missing", "Say who you are and give a reason.")


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold what the bridge was answered, and what it has heard, against what was really said and done.

A message whose outcome nobody knows is two worlds: it has arrived, or it has not (as in Jepsen's and porcupine's checks
of histories). What till and library system have must be what one of these worlds leads to, and what the bridge has
heard must have been said in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from tillbridge.domain.lifecycle import Heard, Reaction
from tillbridge.libraries.koha.adapter import KohaLibrary
from tillbridge.registers.ceepos.adapter import Ceepos
from tillbridge.service.library_port import (
    BookingAnswer,
    Charge,
    CreditOrder,
    MaybeRecorded,
    NoSuchPatron,
    NotRecorded,
    RefundAnswer,
    RefundOrder,
    ReversalAnswer,
    ReversalOrder,
    Unavailable,
)
from tillbridge.service.register_port import Answer, Cancelled, NeverSent, NoOutcome, Order, Paid, Refused
from tillbridge.simulation.rules import Held, need
from tillbridge.simulation.saying import Said

Outcome = Literal["arrived", "not arrived", "unknown"]

_TELLS: dict[type, Heard] = {
    Paid: Heard.TILL_PAID,
    Cancelled: Heard.TILL_CANCELLED,
    Refused: Heard.TILL_REFUSED,
}
"""Answers that name an outcome."""


class Listener(Protocol):
    """Be a process of the bridge that is answered."""

    @property
    def alive(self) -> bool:
        """Tell whether it has not died."""

    @property
    def outages(self) -> int:
        """Return how often its database has failed so far."""


@dataclass(frozen=True, slots=True)
class Told:
    """Hold an outcome that an answer has told to a process; whoever dies, or cannot store it, may forget it."""

    heard: Heard
    process: Listener
    outages: int

    @property
    def may_be_forgotten(self) -> bool:
        """Tell whether something has come between the answer and the note of it."""
        return not self.process.alive or self.process.outages > self.outages


@dataclass
class Question:
    """Hold one message to the outside, and what its answer has proven; whose process dies never knows."""

    outcome: Outcome = "unknown"
    keyed: bool = False
    """Whether it is known by its key, so that any number of them are one."""


class Questions:
    """Keep every message to the outside by what it was about: a payment's order, or a credit's reference."""

    def __init__(self) -> None:
        self._asked: defaultdict[str, list[Question]] = defaultdict(list)
        self.answered: Callable[[str], None] = lambda _: None
        """Is told what an answer was about, as soon as it is there."""
        self.told: defaultdict[str, list[Told]] = defaultdict(list)
        """The outcomes that answers have named, by payment."""
        self.shown: set[tuple[str, str, Decimal]] = set()
        """Every charge that the library system has shown: patron, charge and what was owed."""

    def ask(self, about: str, *, keyed: bool = False) -> Question:
        """Note a message that is about to go out."""
        question = Question(keyed=keyed)
        self._asked[about].append(question)
        return question

    def close(self, about: str, question: Question, outcome: Outcome) -> None:
        """Note what the answer to a message has proven."""
        question.outcome = outcome
        self.answered(about)

    def has_asked(self, about: str) -> bool:
        """Tell whether there was ever a message about this."""
        return bool(self._asked.get(about))

    def worlds(self, about: str) -> range:
        """Return how many of the messages may have arrived: at least those of which it is known."""
        plain = [question.outcome for question in self._asked[about] if not question.keyed]
        keyed = {question.outcome for question in self._asked[about] if question.keyed}
        surely = max(plain.count("arrived"), int("arrived" in keyed))
        most = plain.count("arrived") + plain.count("unknown") + bool(keyed - {"not arrived"})
        return range(surely, most + 1)

    def check(self, about: str, arrived: int) -> None:
        """Need a world in which so many of the messages have arrived."""
        worlds = self.worlds(about)
        need(arrived in worlds, f"{arrived} messages about {about} have arrived, and by the answers {list(worlds)} may")


class WatchedTill(Ceepos):
    """Be the real adapter to the till, and keep what it answers."""

    questions: Questions
    process: Listener

    async def send(self, order: Order, at_register: Callable[[], Awaitable[None]]) -> Answer:
        """Send an order."""
        question = self.questions.ask(order.payment_id)
        answer = await super().send(order, at_register)
        match answer:
            case NeverSent():
                self.questions.close(order.payment_id, question, "not arrived")
            case NoOutcome():
                self.questions.close(order.payment_id, question, "unknown")
            case _:
                self.questions.close(order.payment_id, question, "arrived")
        if heard := _TELLS.get(type(answer)):
            self.questions.told[order.payment_id].append(Told(heard, self.process, self.process.outages))
        return answer


class WatchedLibrary(KohaLibrary):
    """Be the real adapter to the library system, and keep what it answers."""

    questions: Questions

    async def open_charges(self, patron_id: str) -> tuple[Charge, ...] | NoSuchPatron | Unavailable:
        """Read what a patron owes."""
        charges = await super().open_charges(patron_id)
        if isinstance(charges, tuple):
            self.questions.shown |= {(each.patron_id, each.charge_id, each.owed) for each in charges}
        return charges

    async def record(self, order: CreditOrder) -> BookingAnswer:
        """Record a credit."""
        question = self.questions.ask(order.reference, keyed=self.abilities.keyed and order.shares is not None)
        answer = await super().record(order)
        self.questions.close(order.reference, question, _proven(answer))
        return answer

    async def reverse(self, order: ReversalOrder) -> ReversalAnswer:
        """Take a credit back."""
        question = self.questions.ask(order.reference, keyed=True)
        answer = await super().reverse(order)
        self.questions.close(order.reference, question, _proven(answer))
        return answer

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        """Give money of a credit back."""
        question = self.questions.ask(order.reference, keyed=True)
        answer = await super().refund(order)
        self.questions.close(order.reference, question, _proven(answer))
        return answer


def _proven(answer: object) -> Outcome:
    """Say what an answer of the library system proves of the request that it is to."""
    match answer:
        case NotRecorded():
            return "not arrived"
        case MaybeRecorded():
            return "unknown"
        case _:
            return "arrived"


@dataclass(frozen=True, slots=True)
class Word:
    """Hold one outcome that the bridge took for the till's, where it stands in the history, and what it named."""

    at: int
    heard: Heard
    receipt: object
    sum_minor: object

    def fits(self, said: Said) -> bool:
        """Tell whether this is what was said."""
        return (
            self.heard is said.heard
            and self.receipt in (None, said.receipt)
            and self.sum_minor in (None, said.sum_minor)
        )


def heard_by(held: Held) -> list[Word]:
    """List what the bridge took for the till's word, in order, also what changed nothing."""
    words = []
    for n, event in enumerate(held.events):
        kind = event.facts.get("heard") if event.kind in set(Reaction) else event.kind
        if event.actor == "till" and kind in set(Heard) - {Heard.REACHED}:
            words.append(Word(n, Heard(str(kind)), event.facts.get("receipt"), event.facts.get("sum_minor")))
    return words


def check_heard(held: Held, said: Iterable[Said]) -> None:
    """Need everything that the bridge has heard to have been said, with proof, by the till."""
    spoken = list(said)
    for word in heard_by(held):
        need(any(word.fits(each) for each in spoken), f"the bridge has heard {word.heard}, and no till has said so")


def check_answers_heard(held: Held, told: Iterable[Told]) -> None:
    """Need every outcome that an answer has named to stand in the history, unless something has come between."""
    answers = [event for event in held.events if event.facts.get("via") == "answer"]
    heard = {str(event.facts.get("heard", event.kind)) for event in answers}
    for each in told:
        known = each.heard in heard or each.may_be_forgotten
        need(known, f"an answer has said {each.heard}, and the history does not know it")


def check_begun(held: Held, shown: AbstractSet[tuple[str, str, Decimal]]) -> None:
    """Need the lines of a payment to be charges that the library system has shown of its patron, with these amounts."""
    begun = held.events[0].facts
    for charge_id, _, owed, _ in begun["lines"]:  # type: ignore[attr-defined]
        right = (begun["patron"], charge_id, Decimal(owed)) in shown
        need(right, f"charge {charge_id} is not what the library system has shown")

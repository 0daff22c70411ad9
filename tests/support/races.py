# SPDX-License-Identifier: GPL-3.0-or-later
"""Races between two bridges: who is first may be anybody, and the money is where it must be whoever it was."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from support.racing import OWED_MINOR, REPORTED, Course, Json

T = TypeVar("T")

REPORTS = 64


@dataclass
class Round:
    """Hold one round: what became of it, in words, and which rules it broke."""

    outcome: str = ""
    violations: list[str] = field(default_factory=list)

    def need(self, holds: object, rule: str) -> None:
        """Note a rule that is broken."""
        if not holds:
            self.violations.append(rule)


Race = Callable[[Course, Round], Awaitable[None]]


async def reports_at_once(course: Course, this: Round) -> None:
    """Post 64 equal reports at once, half of them to each bridge."""
    card = await course.patron()
    payment_id = await course.started(card, REPORTED)
    await course.fault(payment_id, "report_never")
    raw = course.signed(payment_id, await course.accept(payment_id))
    statuses = await asyncio.gather(*(course.report(n % 2, raw) for n in range(REPORTS)))
    this.outcome = f"{Counter(statuses)[200]} answered 200"
    judge_statuses(this, statuses)
    await _booked_once(course, this, card, payment_id)


async def two_clerks(course: Course, this: Round) -> None:
    """Let two clerks start a payment of one charge, each at a bridge of their own."""
    card = await course.patron()
    answers = await asyncio.gather(*(course.click(bridge, card) for bridge in (0, 1)))
    winner = judge_clicks(this, answers)
    if winner is None:
        return
    this.outcome = f"the clerk at bridge {winner + 1} was first"
    payment_id = str(answers[winner][1]["id"])
    await course.at_till(payment_id)
    if course.any_bridge():
        await course.accept(payment_id)
        await _booked_once(course, this, card, payment_id)
    else:
        await course.cancel(payment_id)
        await _never_booked(course, this, card, payment_id)


async def double_click(course: Course, this: Round) -> None:
    """Let one request come twice, with its key, once to each bridge."""
    card = await course.patron()
    answers = await asyncio.gather(*(course.click(bridge, card, key=f"click of {card}") for bridge in (0, 1)))
    this.need([status for status, _ in answers] == [201, 201], f"a click was answered {answers}")
    ids = {str(body.get("id")) for _, body in answers}
    this.need(len(ids) == 1, "one click has made two payments")
    this.outcome = "both were shown one payment"
    for payment_id in ids:
        await course.at_till(payment_id)
        await course.cancel(payment_id)
        await _never_booked(course, this, card, payment_id)


async def answer_report_and_cancel(course: Course, this: Round) -> None:
    """Let the held answer, the report and a clerk's wish to cancel come at once; in one of three the till cancels."""
    card = await course.patron()
    await course.fault("next", "answer_late", seconds=course.chance.uniform(0.0, 0.03))
    payment_id = await course.started(card)
    takes = course.chance.random() < 0.67
    at_the_till = course.accept(payment_id) if takes else course.cancel(payment_id)
    _, (status, body) = await asyncio.gather(at_the_till, _wish(course, payment_id))
    this.need(status == 200 or (status, body.get("code")) == (409, "decided"), f"a wish was answered {status} {body}")
    payment = await course.payment(payment_id, *(("paid", "booked") if takes else ("cancelled", "none")))
    first = "the wish" if status == 200 else _heard_by(payment)
    this.outcome = f"{payment['collection']}; {first} was first"
    await (_booked_once if takes else _never_booked)(course, this, card, payment_id)


async def word_and_report(course: Course, this: Round) -> None:
    """Let a clerk who looked at the wrong line say no while two reports come that say yes."""
    card, payment_id, raw = await _paid_unheard(course)
    word = course.ask(course.any_bridge(), f"/payments/{payment_id}/resolve", _word("not_paid"))
    *statuses, (status, body) = await asyncio.gather(
        _later(course, course.report(0, raw)), _later(course, course.report(1, raw)), _later(course, word)
    )
    judge_statuses(this, statuses)
    this.need(status == 200 or (status, body.get("code")) == (409, "not_unknown"), f"a word was answered {status}")
    this.outcome = "the word was first" if status == 200 else "a report was first"
    await _booked_once(course, this, card, payment_id)


async def two_words(course: Course, this: Round) -> None:
    """Let two clerks say opposite things about one payment, each at a bridge of their own; then the report comes."""
    card, payment_id, raw = await _paid_unheard(course)
    words = (_word("paid") | {"receipt_number": _receipt(raw)}, _word("not_paid"))
    place = f"/payments/{payment_id}/resolve"
    answers = await asyncio.gather(*(_later(course, course.ask(n, place, word)) for n, word in enumerate(words)))
    statuses = sorted(status for status, _ in answers)
    this.need(statuses == [200, 409], f"two words were answered {statuses}")
    this.outcome = "yes was first" if answers[0][0] == 200 else "no was first"
    this.need(await course.report(course.any_bridge(), raw) == 200, "a report was not taken")
    await _booked_once(course, this, card, payment_id)


async def cancel_and_send(course: Course, this: Round) -> None:
    """Let a clerk cancel at one bridge what the other one is about to send."""
    card = await course.patron()
    _, made = await course.click(0, card)
    payment_id = str(made["id"])
    status, body = await _wish(course, payment_id)
    this.need(status == 200, f"a wish was answered {status} {body}")
    if body.get("collection") == "cancelled":
        this.outcome = "cancelled before it was sent"
    else:
        this.outcome = "sent, and cancelled at the till"
        await course.at_till(payment_id)
        await course.cancel(payment_id)
    await _never_booked(course, this, card, payment_id)
    there = await course.truth(payment_id)
    this.need((there is None) == (body.get("collection") == "cancelled"), "sent, and cancelled as if it had not been")


RACES: Mapping[str, Race] = {
    f"{REPORTS} equal reports at once": reports_at_once,
    "two clerks and one charge": two_clerks,
    "one click that comes twice": double_click,
    "held answer, report and cancel": answer_report_and_cancel,
    "a clerk's no and two reports": word_and_report,
    "a clerk's yes and another's no": two_words,
    "cancel and send": cancel_and_send,
}


def judge_statuses(this: Round, statuses: Sequence[object]) -> None:
    """Hold the answers to reports to the rule that each is taken."""
    this.need(set(statuses) == {200}, f"reports were answered {dict(Counter(statuses))}")


def judge_clicks(this: Round, answers: Sequence[tuple[int, Json]]) -> int | None:
    """Hold two clerks' answers to the rule that one wins and the other is shown that one; return who won."""
    winners = [n for n, (status, _) in enumerate(answers) if status == 201]
    this.need(len(winners) == 1, f"two clerks were answered {[status for status, _ in answers]}")
    if len(winners) != 1:
        return None
    (winner,) = winners
    status, shown = answers[1 - winner]
    this.need((status, shown.get("code")) == (409, "claimed"), f"the other clerk was answered {status} {shown}")
    this.need(shown.get("payment") == answers[winner][1]["id"], "the other clerk is not shown the first payment")
    return winner


async def _wish(course: Course, payment_id: str) -> tuple[int, Json]:
    return await _later(course, course.ask(1, f"/payments/{payment_id}/cancel", {"clerk": "ville"}))


async def _later(course: Course, work: Awaitable[T]) -> T:
    await course.a_moment()
    return await work


async def _paid_unheard(course: Course) -> tuple[str, str, bytes]:
    """Let the till take money of which the bridge knows nothing; return card, payment and the report to come."""
    card = await course.patron()
    await course.fault("next", "drop_after_reading")
    payment_id = await course.started(card)
    await course.payment(payment_id, "unknown")
    await course.fault(payment_id, "report_never")
    return card, payment_id, course.signed(payment_id, await course.accept(payment_id))


def _word(action: str) -> Json:
    return {"action": action, "person": "anna", "reason": "I looked at the till"}


def _receipt(raw: bytes) -> str:
    return str(json.loads(raw)["Reference"])


def _heard_by(payment: Json) -> str:
    """Tell which of the till's messages has decided: the other one is in the history as a repeat."""
    words = [event["words"] for event in payment["history"] if event["kind"] in ("till_paid", "till_cancelled")]
    return "the report" if any("report" in each for each in words) else "the answer"


async def _booked_once(course: Course, this: Round, card: str, payment_id: str) -> None:
    payment = await course.payment(payment_id, "paid", "booked")
    kinds = Counter(event["kind"] for event in payment["history"])
    this.need(kinds["booking_money_taken"] == 1, "the money was taken more than once")
    this.need(payment["open_cases"] == [], f"cases are open: {payment['open_cases']}")
    booked = await course.credits(card)
    this.need(booked == [(payment_id, OWED_MINOR)], f"the library has {booked}")
    await _sent_once(course, this, payment_id, "paid")


async def _never_booked(course: Course, this: Round, card: str, payment_id: str) -> None:
    await course.payment(payment_id, "cancelled", "none")
    this.need(await course.credits(card) == [], "booked, and not collected")
    await _sent_once(course, this, payment_id, "cancelled")


async def _sent_once(course: Course, this: Round, payment_id: str, state: str) -> None:
    there = await course.truth(payment_id)
    if there is not None:
        this.need((there["sent_count"], there["state"]) == (1, state), f"the till has {there}")


@dataclass(frozen=True)
class Raced:
    """Sum up the rounds of a race."""

    race: str
    rounds: int
    outcomes: Mapping[str, int]
    violations: int
    seconds: float
    broken: Sequence[str]
    """Each rule that was broken, once for each time."""


async def run(name: str, course: Course, rounds: int) -> Raced:
    """Run so many rounds of a race, one after the other; at the end the ledgers must be equal."""
    begun, outcomes, violations = time.monotonic(), Counter[str](), list[str]()
    for _ in range(rounds):
        this = Round()
        await RACES[name](course, this)
        await course.mend()
        outcomes[this.outcome] += 1
        violations += this.violations
    till, library = await course.totals()
    if till != library:
        violations.append(f"the till has {till} cents, the library has {library}")
    seconds = round(time.monotonic() - begun, 1)
    return Raced(name, rounds, dict(outcomes), len(violations), seconds, violations)

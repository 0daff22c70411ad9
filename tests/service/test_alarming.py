# SPDX-License-Identifier: GPL-3.0-or-later
"""People are told of every new open case: at least once, once in the good case, and gathered when there are many."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
import structlog
from structlog.typing import EventDict

from support.fakes import report
from support.logs import collected as collected_log
from support.steps import at_register, collected, decide, rows, tasks, unknown
from support.worlds import Bench
from tillbridge.domain.money import Money
from tillbridge.service import alarming
from tillbridge.service.alarm_port import AlarmMessage, Alarms, CaseNews
from tillbridge.service.alarming import AT_ONCE, GIVE_UP_S, LOOK_S, keep_alarming, put_on_list
from tillbridge.service.lease import Lease
from tillbridge.service.register_port import NoOutcome
from tillbridge.service.resolving import Action
from tillbridge.service.runner import handlers
from tillbridge.service.store_port import CaseKind, TaskKind, Transaction
from tillbridge.service.telling import CASES
from tillbridge.store import tables as t

BRIDGE = "https://bridge.example.fi"
DOWN = "the mail server refuses the connection"
Answer = str | None | Callable[[], Awaitable[str | None]]


@dataclass
class FakeChannel:
    """A channel that keeps what it is told; `answers` are laid down, then `usual` counts."""

    usual: str | None = None
    answers: deque[Answer] = field(default_factory=deque)
    messages: list[AlarmMessage] = field(default_factory=list)

    async def tell(self, message: AlarmMessage) -> str | None:
        self.messages.append(message)
        answer = self.answers.popleft() if self.answers else self.usual
        return await answer() if callable(answer) else answer

    @property
    def told(self) -> list[list[int]]:
        """The numbers of the cases that each message lists."""
        return [[case.case_id for case in message.cases] for message in self.messages]


@dataclass
class Watch:
    """A bench with two channels."""

    bench: Bench
    webhook: FakeChannel
    mail: FakeChannel

    async def opened(self, kind: CaseKind = CaseKind.PAID_FOR_UNKNOWN_ID, payment_id: str | None = None) -> None:
        """Open a case that belongs to no payment, unless a test says otherwise."""
        await self.bench.store.write(self.opening(kind, payment_id))

    def opening(self, kind: CaseKind, payment_id: str | None) -> Callable[[Transaction], None]:
        world, now = self.bench.world, self.bench.clock.now()
        return lambda tx: put_on_list(tx, world, kind, payment_id, now, {})


@pytest.fixture
async def watch(bench: Bench) -> Watch:
    webhook, mail = FakeChannel(), FakeChannel()
    await bench.store.write(lambda tx: keep_alarming(tx, bench.clock.now()))  # as a bridge does when it starts
    alarms = Alarms(BRIDGE, {"webhook": webhook, "mail": mail})
    return Watch(replace(bench, world=replace(bench.world, alarms=alarms)), webhook, mail)


@pytest.fixture(autouse=True)
def quiet_log() -> object:
    with structlog.testing.capture_logs() as logs:
        yield logs


async def test_what_was_told_stays_told_whatever_another_process_says_later(watch: Watch) -> None:
    await watch.opened()
    await watch.bench.work()
    told, now = await rows(watch.bench, t.alarm), watch.bench.clock.now()

    def in_vain(tx: Transaction) -> None:
        for alarm in told:
            tx.alarm_tried(alarm.id, now, delivered=False)

    await watch.bench.store.write(in_vain)
    await watch.bench.wait_and_work(2 * LOOK_S)
    assert (len(watch.webhook.messages), len(watch.mail.messages)) == (1, 1)


async def test_the_log_tells_who_could_not_be_told_of_what_and_why(watch: Watch, quiet_log: list[EventDict]) -> None:
    await watch.opened()
    [case] = await watch.bench.cases()
    watch.mail.usual = DOWN
    await watch.bench.work()
    await watch.bench.wait_and_work(300)
    late = {"event": "an alarm was not delivered", "log_level": "warning", "channel": "mail", "cases": [case.id]}
    assert quiet_log == [late | {"attempt": 1, "why": DOWN}, late | {"attempt": 2, "why": DOWN}]
    await watch.bench.wait_and_work(2 * GIVE_UP_S)
    await watch.bench.wait_and_work(GIVE_UP_S)
    given_up = {"event": "an alarm is given up; the cases stay on the list", "log_level": "error"}
    assert quiet_log[-1] == given_up | {"channel": "mail", "cases": [case.id]}


async def test_the_log_tells_who_was_told_of_what(watch: Watch) -> None:
    await watch.opened()
    with collected_log() as log:
        await watch.bench.work()
    lines = log.of("people were told of open cases")
    assert [(line["level"], line["channel"], line["cases"]) for line in lines] == [
        ("info", "webhook", [1]),
        ("info", "mail", [1]),
    ]


async def test_a_new_open_case_is_told_over_each_channel_with_what_to_do(watch: Watch) -> None:
    payment = await unknown(watch.bench, "3", "4.50")
    assert watch.webhook.messages == []
    await watch.bench.wait_and_work(600)
    (case,) = await watch.bench.cases()
    words, to_do = CASES[CaseKind.UNKNOWN_OUTCOME]
    news = CaseNews(
        case_id=case.id,
        kind="unknown_outcome",
        words=words,
        to_do=to_do,
        opened_at=case.opened_at,
        age_s=0,
        payment_id=payment.id,
        branch="CPL",
        register="10",
        amount=Money(750, "EUR"),
    )
    message = AlarmMessage(BRIDGE, watch.bench.clock.now(), (news,))
    assert watch.webhook.messages == watch.mail.messages == [message]
    await watch.bench.wait_and_work(3600)
    assert watch.webhook.told == watch.mail.told == [[case.id]]


async def test_money_that_is_not_booked_after_two_minutes_is_told(watch: Watch) -> None:
    payment = await collected(watch.bench, "5")
    watch.bench.library.away = "down"
    await watch.bench.wait_and_work(119)
    assert watch.mail.messages == []
    await watch.bench.wait_and_work(1)
    ((news,),) = [message.cases for message in watch.mail.messages]
    assert (news.kind, news.payment_id) == ("not_booked", payment.id)


async def test_a_report_for_a_payment_that_nobody_knows_is_told_without_one(watch: Watch) -> None:
    await watch.bench.report(report("F" * 24, "paid"))
    await watch.bench.work()
    ((news,),) = [message.cases for message in watch.mail.messages]
    assert (news.kind, news.payment_id, news.branch, news.amount) == ("paid_for_unknown_id", None, None, None)


async def test_no_name_no_card_and_no_note_is_told(watch: Watch) -> None:
    watch.bench.till.steps.append(NoOutcome("Mäkinen hung up"))
    await at_register(watch.bench, "3", note="promised to Matti")
    await watch.bench.wait_and_work(600)
    told = repr(watch.mail.messages)
    assert "unknown_outcome" in told
    assert [secret for secret in ("Mäkinen", "Äijä", "C1", "anna", "Maksu", "Matti") if secret in told] == []


async def test_an_open_case_that_is_found_again_is_not_told_again(watch: Watch) -> None:
    payment = await unknown(watch.bench, "3")
    for _ in range(2):
        await watch.opened(CaseKind.ODD_STATUS, payment.id)
        await watch.bench.wait_and_work(LOOK_S)
    assert len(await rows(watch.bench, t.alarm)) == 2
    assert len(watch.mail.told) == 1


async def test_a_case_and_its_alarm_are_one_transaction(watch: Watch) -> None:
    def work(tx: Transaction) -> None:
        watch.opening(CaseKind.PAID_FOR_UNKNOWN_ID, None)(tx)
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        await watch.bench.store.write(work)
    assert (await rows(watch.bench, t.alarm), await watch.bench.cases()) == ([], [])


async def test_a_case_that_is_closed_before_its_alarm_went_out_is_not_told(watch: Watch) -> None:
    await unknown(watch.bench, "3")
    watch.mail.usual = DOWN
    await watch.bench.wait_and_work(600)
    await decide(watch.bench, CaseKind.UNKNOWN_OUTCOME, Action.NOT_PAID)
    watch.mail.usual = None
    await watch.bench.wait_and_work(GIVE_UP_S)
    assert (len(watch.webhook.told), len(watch.mail.told)) == (1, 1)
    assert [row.done_at is None for row in await rows(watch.bench, t.alarm)] == [False, False]


async def test_a_flood_is_gathered_into_one_message_a_minute(watch: Watch) -> None:
    for _ in range(4):
        await watch.opened()
        await watch.bench.wait_and_work(10)
    assert watch.mail.told == [[1]]
    await watch.bench.wait_and_work(19)
    assert watch.mail.told == [[1]]
    await watch.bench.wait_and_work(LOOK_S)
    assert watch.mail.told == watch.webhook.told == [[1], [2, 3, 4]]


@pytest.mark.parametrize("later_s", [0, 0.5])
async def test_what_is_new_right_behind_a_message_waits_for_the_next_one(watch: Watch, later_s: float) -> None:
    await watch.opened()
    await watch.bench.work()
    await watch.opened()
    await watch.bench.store.write(lambda tx: keep_alarming(tx, watch.bench.clock.now()))
    await watch.bench.wait_and_work(later_s)
    assert watch.mail.told == watch.webhook.told == [[1]]
    await watch.bench.wait_and_work(LOOK_S)
    assert watch.mail.told == watch.webhook.told == [[1], [2]]


async def test_a_message_has_an_end_and_the_rest_follows_a_minute_later(watch: Watch) -> None:
    def many(tx: Transaction) -> None:
        for _ in range(AT_ONCE + 1):
            watch.opening(CaseKind.PAID_FOR_UNKNOWN_ID, None)(tx)

    await watch.bench.store.write(many)
    await watch.bench.work()
    await watch.bench.wait_and_work(LOOK_S)
    assert [len(told) for told in watch.mail.told] == [AT_ONCE, 1]


async def attempts(watch: Watch, seconds: int, step: int = 60) -> list[float]:
    """Let time pass in steps, and return when something was tried over the mail channel, counted from now."""
    start, tried = watch.bench.clock.now(), []
    for _ in range(seconds // step):
        before = len(watch.mail.messages)
        await watch.bench.work()
        tried += [watch.bench.clock.now() - start] * (len(watch.mail.messages) - before)
        watch.bench.clock.advance(step)
    return tried


async def test_what_is_not_delivered_is_tried_again_with_growing_pauses_for_a_day(
    watch: Watch, quiet_log: list[EventDict]
) -> None:
    watch.mail.usual = DOWN
    await watch.opened()
    assert await attempts(watch, 8400) == [0, 60, 180, 480, 1380, 4980]
    hourly = await attempts(watch, 100_000, 600)
    assert {late - early for early, late in pairwise(hourly)} == {3600}
    assert GIVE_UP_S < 8400 + hourly[-1] <= GIVE_UP_S + 3600
    assert len(watch.webhook.told) == 1
    (given_up,) = [entry for entry in quiet_log if entry["log_level"] == "error"]
    assert (given_up["channel"], given_up["cases"]) == ("mail", [1])
    failed = [entry for entry in quiet_log if entry["log_level"] == "warning"]
    assert [(entry["attempt"], entry["why"]) for entry in failed[:2]] == [(1, DOWN), (2, DOWN)]
    assert len(await watch.bench.cases()) == 1


async def test_what_waits_goes_along_with_what_is_new(watch: Watch) -> None:
    watch.mail.answers += [DOWN, DOWN, DOWN, None]
    await watch.opened()
    await attempts(watch, 240)
    await watch.opened()
    await watch.bench.work()
    assert watch.mail.told == [[1], [1], [1], [1, 2]]
    assert watch.webhook.told == [[1], [2]]


async def test_a_bridge_that_was_down_for_days_tells_what_it_could_not(watch: Watch) -> None:
    await watch.opened()
    await watch.bench.wait_and_work(3 * GIVE_UP_S)
    ((news,),) = [message.cases for message in watch.mail.messages]
    assert news.age_s == 3 * GIVE_UP_S


async def test_a_bridge_that_was_down_for_days_tries_once_more_what_it_had_tried_in_vain(watch: Watch) -> None:
    watch.mail.answers += [DOWN, DOWN]
    await watch.opened()
    await watch.bench.work()
    await watch.bench.wait_and_work(3 * GIVE_UP_S)
    assert watch.mail.told == [[1], [1]]
    await watch.bench.wait_and_work(LOOK_S)
    assert watch.mail.told == [[1], [1]], "that was the last try"
    assert [row.done_at is None for row in await rows(watch.bench, t.alarm)] == [False, False]


async def raises() -> str | None:
    raise LookupError


async def hangs() -> str | None:
    await asyncio.Event().wait()
    return None


@pytest.mark.parametrize(
    ("fault", "why"), [(raises, "the channel failed: LookupError"), (hangs, "it took longer than 0.01 s")]
)
async def test_a_channel_that_is_broken_counts_as_not_delivered(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, quiet_log: list[EventDict], fault: Answer, why: str
) -> None:
    monkeypatch.setattr(alarming, "TELL_S", 0.01)
    watch.webhook.answers.append(fault)
    await watch.opened()
    await watch.bench.work()
    assert [entry["why"] for entry in quiet_log if entry["log_level"] == "warning"] == [why]
    assert len(watch.mail.told) == 1
    await watch.bench.wait_and_work(LOOK_S)
    assert (len(watch.webhook.told), len(watch.mail.told)) == (2, 1)


class CrashError(BaseException):
    """End everything that the process was doing, as no `except Exception` can hinder."""


async def dies() -> str | None:
    raise CrashError


async def test_a_crash_between_sending_and_storing_tells_it_twice_and_loses_nothing(watch: Watch) -> None:
    watch.webhook.answers.append(dies)
    await watch.opened()
    with pytest.raises(CrashError):
        await watch.bench.work()
    await watch.bench.store.write(lambda tx: tx.expire_leases())
    await watch.bench.work()
    assert (watch.webhook.told, watch.mail.told) == ([[1], [1]], [[1]])


async def test_whoever_has_no_lease_for_long_enough_tells_nothing(watch: Watch) -> None:
    await watch.opened()
    (task,) = await watch.bench.due()
    await handlers(watch.bench.world)[TaskKind.ALARM](task, Lease(watch.bench.clock.now() + 30))
    assert (watch.webhook.told, watch.mail.told) == ([], [])
    await watch.bench.wait_and_work(LOOK_S)
    assert (watch.webhook.told, watch.mail.told) == ([[1]], [[1]])


async def test_a_clock_that_was_set_back_silences_nothing(watch: Watch) -> None:
    watch.mail.usual = DOWN
    await watch.opened()
    await watch.bench.work()
    watch.bench.clock.advance(-86_400)
    await watch.opened()
    await watch.bench.work()
    assert watch.mail.told == [[1], [1, 2]]


async def test_the_task_is_never_finished_so_that_no_wake_up_is_lost(watch: Watch) -> None:
    await watch.bench.store.write(lambda tx: keep_alarming(tx, watch.bench.clock.now()))
    for _ in range(3):
        await watch.bench.wait_and_work(LOOK_S)
        (task,) = await rows(watch.bench, t.task)
        assert (task.payment_id, task.kind, task.due_at) == ("-", "alarm", watch.bench.clock.now() + LOOK_S)


async def test_without_a_channel_nothing_is_kept_for_one(bench: Bench) -> None:
    await unknown(bench, "3")
    await bench.wait_and_work(600)
    assert await bench.kinds() == [CaseKind.UNKNOWN_OUTCOME]
    assert (await rows(bench, t.alarm), await tasks(bench)) == ([], set())


def test_every_kind_of_case_is_told_in_plain_words() -> None:
    assert set(CASES) == set(CaseKind)

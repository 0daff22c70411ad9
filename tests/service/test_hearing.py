# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from support.fakes import FakeTill, report
from support.patience import limits_of_waiting
from support.steps import (
    at_register,
    begun,
    claims,
    decide,
    held,
    rows,
    stored_messages,
    tasks,
    unknown,
    verdicts,
)
from support.worlds import Bench
from tillbridge.domain.lifecycle import (
    CREATED,
    NEVER_COLLECTED,
    PAID_TILL,
    SENDING,
    UNKNOWN,
    Booking,
    Collection,
)
from tillbridge.service import sending
from tillbridge.service.register_port import (
    Answer,
    AtRegister,
    Cancelled,
    Forged,
    NeverSent,
    NoOutcome,
    Order,
    Paid,
    Refused,
    Report,
    Verdict,
)
from tillbridge.service.reporting import REPEATS_KEPT, Reply, take_report
from tillbridge.service.resolving import Action, stop_waiting
from tillbridge.service.starting import Chosen
from tillbridge.service.store_port import CaseKind, TaskKind
from tillbridge.store import tables as t


async def fails(_: Order, __: Callable[[], Awaitable[None]]) -> Answer:
    raise OSError("the adapter fell over")


@pytest.mark.parametrize(
    ("answer", "standing", "kept", "why"),
    [
        (AtRegister(), "at_register", [], ""),
        (Paid("4711", None, b"p"), "paid by till", [("Paid", b"p")], ""),
        (Cancelled(b"c"), "cancelled by till", [("Cancelled", b"c")], ""),
        (Refused("99", b"r"), "refused by till", [("Refused", b"r")], "99"),
        (NoOutcome("time-out"), "unknown", [], "time-out"),
        (NoOutcome("status 97", b"97"), "unknown", [("NoOutcome", b"97")], "status 97"),
        (NoOutcome("wrongly signed", b"?"), "unknown", [("NoOutcome", b"?")], "wrongly signed"),
        (fails, "unknown", [], "the adapter failed: OSError"),
    ],
)
async def test_hearing_1_no_failure_to_hear_is_a_no(
    bench: Bench, answer: Answer, standing: str, kept: list[tuple[str, bytes]], why: str
) -> None:
    bench.till.steps.append(answer)
    payment = await at_register(bench, "3")
    assert str(payment.standing) == standing
    messages = await bench.store.read(lambda tx: tx.messages(payment.id))
    assert [(message.verdict, message.raw) for message in messages] == kept
    heard, _ = (await bench.store.read(lambda tx: tx.history(payment.id)))[-1]
    assert heard.facts.get("why", "") == why


async def test_hearing_1_only_a_connection_that_was_never_made_proves_that_nothing_was_sent(bench: Bench) -> None:
    bench.till.steps.append(NeverSent("connection refused"))
    payment = await at_register(bench, "3")
    assert payment.standing == CREATED
    assert [row.attempt for row in await rows(bench, t.task) if row.kind == TaskKind.SEND] == [1]
    await bench.wait_and_work(3)
    assert (await bench.payment(payment.id)).collection is Collection.AT_REGISTER
    assert len(bench.till.orders) == 2


async def test_hearing_1_a_till_that_cannot_be_reached_in_time_cancels_with_nothing_sent(bench: Bench) -> None:
    bench.till.steps.extend([NeverSent("connection refused")] * 100)
    payment = await at_register(bench, "3")
    while (await bench.payment(payment.id)).undecided:
        await bench.wait_and_work(3)
    assert (await bench.payment(payment.id)).standing == NEVER_COLLECTED
    assert bench.clock.now() - payment.created_at <= 66
    assert await tasks(bench) == set()
    assert await claims(bench) == {}


async def test_hearing_1_an_adapter_that_never_answers_is_an_unknown_outcome(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = limits_of_waiting(monkeypatch)
    bench.till.answer_limit_s = 0.01 - sending.HANG_MARGIN_S
    bench.till.steps.append(held(AtRegister(), asyncio.Event(), asyncio.Event()))
    payment = await at_register(bench, "3")
    assert payment.standing == UNKNOWN
    assert pytest.approx(0.01) in limits


async def test_hearing_2_a_payment_found_in_sending_after_a_restart_becomes_unknown_and_is_not_sent_again(
    bench: Bench,
) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    waiting = asyncio.Event()

    async def silent(_: Order, __: Callable[[], Awaitable[None]]) -> Answer:
        waiting.set()
        return await asyncio.Future()

    await _die_while_sending(bench, silent, waiting)
    assert (await bench.payment(payment.id)).standing == SENDING
    await _restart(bench)
    assert (await bench.payment(payment.id)).standing == UNKNOWN
    assert len(bench.till.orders) == 1
    assert await tasks(bench) == {(payment.id, TaskKind.ASK)}


async def test_hearing_2_a_held_request_that_died_becomes_unknown(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    waiting = asyncio.Event()
    await _die_while_sending(bench, held(AtRegister(), asyncio.Event(), waiting), waiting)
    assert (await bench.payment(payment.id)).collection is Collection.AT_REGISTER
    await _restart(bench)
    assert (await bench.payment(payment.id)).standing == UNKNOWN


async def test_hearing_2_a_payment_that_waits_for_a_report_stays_at_the_register_over_a_restart(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await _restart(bench)
    assert (await bench.payment(payment.id)).collection is Collection.AT_REGISTER
    assert await tasks(bench) == {(payment.id, TaskKind.LIMIT)}


async def test_hearing_2_an_unknown_payment_is_never_sent_again(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    for _ in range(5):
        await bench.wait_and_work(700)
    assert len(bench.till.orders) == 1
    assert (await bench.payment(payment.id)).standing == UNKNOWN
    assert await bench.kinds() == [CaseKind.UNKNOWN_OUTCOME]


async def test_hearing_2_a_report_that_does_not_come_in_time_leaves_an_unknown_outcome_and_then_a_case(
    bench: Bench,
) -> None:
    payment = await at_register(bench, "3")
    await bench.wait_and_work(600)
    assert (await bench.payment(payment.id)).standing == UNKNOWN
    assert await bench.kinds() == [CaseKind.UNKNOWN_OUTCOME]


@pytest.mark.parametrize("answer_first", [True, False])
async def test_hearing_3_answer_and_report_are_equals(bench: Bench, answer_first: bool) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    waiting, until = asyncio.Event(), asyncio.Event()
    bench.till.steps.append(held(Paid(None, None, b"answer"), until, waiting))
    (task,) = await bench.due()
    sends = asyncio.create_task(bench.do(task))
    await waiting.wait()
    if not answer_first:
        assert (await bench.report(report(payment.id, "paid"))).status == 200
    until.set()
    await sends
    if answer_first:
        assert (await bench.report(report(payment.id, "paid"))).status == 200
    done = await bench.payment(payment.id)
    assert (done.standing, done.receipt_number, done.booking) == (PAID_TILL, "4711", Booking.DUE)
    assert (await bench.events(payment.id)).count("duplicate") == 1
    assert await tasks(bench) == {(payment.id, TaskKind.BOOK), (payment.id, TaskKind.WATCH)}
    await bench.work()
    assert bench.library.writes == 1
    assert await tasks(bench) == set()


async def test_hearing_3_two_reports_at_once_take_effect_once_and_are_answered_alike(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    replies = await asyncio.gather(*(bench.report(report(payment.id, "paid")) for _ in range(5)))
    assert [reply.status for reply in replies] == [200] * 5
    assert (await bench.events(payment.id)).count("duplicate") == 1
    await bench.work()
    assert bench.library.writes == 1
    assert len(await verdicts(bench, payment)) == REPEATS_KEPT


async def test_hearing_3_a_failing_held_request_never_changes_what_is_decided(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    waiting, until = asyncio.Event(), asyncio.Event()
    bench.till.steps.append(held(NoOutcome("connection lost"), until, waiting))
    (task,) = await bench.due()
    sends = asyncio.create_task(bench.do(task))
    await waiting.wait()
    await bench.report(report(payment.id, "paid"))
    until.set()
    await sends
    assert (await bench.payment(payment.id)).standing == PAID_TILL
    assert (await bench.events(payment.id))[-1] == "noted"


async def test_hearing_3_a_register_server_that_answers_after_all_is_waited_for(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()

    async def held_then_let_go(_: Order, at_till: Callable[[], Awaitable[None]]) -> Answer:
        await at_till()
        await at_till()
        return AtRegister()

    bench.till.steps.append(held_then_let_go)
    await bench.work()
    assert (await bench.payment(payment.id)).collection is Collection.AT_REGISTER
    assert await tasks(bench) == {(payment.id, TaskKind.LIMIT)}
    history = await bench.store.read(lambda tx: [event for event, _ in tx.history(payment.id)])
    assert [event.facts["why"] for event in history if event.kind == "reached"] == ["the request is held"]


async def test_hearing_3_at_the_till_is_no_news_of_what_is_paid_already(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    waiting, until = asyncio.Event(), asyncio.Event()
    bench.till.steps.append(held(AtRegister(), until, waiting))
    sends = await begun(bench, "first", waiting)
    await bench.report(report(payment.id, "paid"))
    until.set()
    await sends
    assert (await bench.payment(payment.id)).standing == PAID_TILL
    assert await tasks(bench) == {(payment.id, TaskKind.BOOK), (payment.id, TaskKind.WATCH)}


async def test_hearing_3_an_answer_after_the_clerk_stopped_waiting_still_counts(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    waiting, until = asyncio.Event(), asyncio.Event()
    bench.till.steps.append(held(Paid("9", 300), until, waiting))
    (task,) = await bench.due()
    sends = asyncio.create_task(bench.do(task))
    await waiting.wait()
    await stop_waiting(bench.world, payment.id, "anna")
    assert (await bench.payment(payment.id)).standing == UNKNOWN
    until.set()
    await sends
    assert (await bench.payment(payment.id)).standing == PAID_TILL


@pytest.mark.parametrize(
    ("sent", "address"),
    [
        ("own forged", None),
        ("own paid", "nobody"),
        ("own paid", "other"),
        ("nobody paid", "own"),
        ("nobody paid", "other"),
        ("nobody forged", None),
        ("\udcff not json", None),
        ("[]", None),
    ],
)
async def test_hearing_4_a_report_that_proves_nothing_is_stored_answered_400_and_changes_nothing(
    bench: Bench, sent: str, address: str | None
) -> None:
    payment = await at_register(bench, "3")
    bench.library.add_charge("2", "4")
    other = await bench.start(charges=(Chosen("2"),))
    before = [await bench.payment(payment.id), await bench.payment(other.id)]
    ids = {"own": payment.id, "other": other.id, "nobody": "F" * 24}
    who, _, says = sent.partition(" ")
    raw = report(ids[who], says) if who in ids else sent.encode(errors="surrogateescape")
    assert (await bench.report(raw, ids.get(address or ""))).status == 400
    assert [await bench.payment(payment.id), await bench.payment(other.id)] == before
    assert await bench.cases() == []
    assert [(message.direction, message.raw) for message in await stored_messages(bench)] == [("report", raw)]


async def test_hearing_4_a_report_that_came_for_another_register_server_is_a_stray(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    bench.world = replace(bench.world, registers={"city": bench.till, "north": FakeTill()})
    reply = await take_report(bench.world, ("north",), report(payment.id, "cancelled"), None)
    assert (reply.status, reply.why) == (404, "no payment has this id")
    assert [(message.direction, message.payment_id) for message in await stored_messages(bench)] == [("report", None)]
    assert (await bench.payment(payment.id)).collection is Collection.AT_REGISTER


@pytest.mark.parametrize(
    ("says", "address", "why"),
    [("paid", "E" * 24, "the id in the address is another than the report's"), ("forged", None, "the hash is wrong")],
)
async def test_hearing_4_whoever_reads_logs_is_told_why_a_report_proves_nothing(
    bench: Bench, says: str, address: str | None, why: str
) -> None:
    payment = await at_register(bench, "3")
    for payment_id in (payment.id, "F" * 24):
        assert await bench.report(report(payment_id, says), address) == Reply(400, why)


async def test_hearing_4_a_report_at_the_address_of_another_payment_is_kept_with_the_payment_that_it_names(
    bench: Bench,
) -> None:
    payment = await at_register(bench, "3")
    for payment_id in (payment.id, "F" * 24):
        await bench.report(report(payment_id, "paid"), "E" * 24)
    why = "the id in the address is another than the report's"
    assert [message.verdict for message in await stored_messages(bench)] == [f"{payment.id}: {why}", why]


class Stranger(FakeTill):
    """A register server that has signed none of it."""

    def judge_stray_report(self, report: Report) -> Verdict:
        return Forged("another key")


@pytest.mark.parametrize("servers", [("north", "city"), ("city", "north")])
async def test_hearing_5_a_report_for_an_unknown_id_counts_where_any_server_of_the_address_has_signed_it(
    bench: Bench, servers: tuple[str, ...]
) -> None:
    bench.world = replace(bench.world, registers={"city": bench.till, "north": Stranger()})
    assert (await take_report(bench.world, servers, report("F" * 24, "paid"), None)).status == 404
    assert await bench.kinds() == [CaseKind.PAID_FOR_UNKNOWN_ID]


async def test_hearing_5_a_signed_paid_for_an_unknown_id_is_stored_and_opens_one_case(bench: Bench) -> None:
    for _ in range(3):
        assert (await bench.report(report("F" * 24, "paid", total=300))).status == 404
    (case,) = await bench.cases()
    assert case.kind is CaseKind.PAID_FOR_UNKNOWN_ID
    assert case.facts == {"reported_id": "F" * 24, "receipt": "4711", "sum_minor": 300}
    assert (await bench.report(report("E" * 24, "cancelled"))).status == 404
    assert len(await bench.cases()) == 1
    await decide(bench, CaseKind.PAID_FOR_UNKNOWN_ID, Action.SETTLED)
    assert await bench.cases() == []


async def test_hearing_5_an_acknowledged_report_keeps_its_raw_bytes(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    raw = report(payment.id, "paid")
    await bench.report(raw)
    (message,) = await bench.store.read(lambda tx: tx.messages(payment.id))
    assert (message.raw, message.verdict, message.direction) == (raw, "Paid", "report")


async def _die_while_sending(bench: Bench, step: object, waiting: asyncio.Event) -> None:
    bench.till.steps.append(step)  # type: ignore[arg-type]
    (task,) = await bench.due()
    sends = asyncio.create_task(bench.do(task))
    await waiting.wait()
    sends.cancel()
    await asyncio.gather(sends, return_exceptions=True)


async def _restart(bench: Bench) -> None:
    await bench.store.write(lambda tx: tx.expire_leases())
    await bench.work()

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the adapters are asked is counted and timed, and what was said is in no line of the log."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from support.fakes import FakeLibrary, FakeTill, report
from support.logs import collected
from tillbridge.domain.money import Money
from tillbridge.operation import measuring
from tillbridge.operation.measuring import answer_kind, measured_channel, measured_library, measured_register
from tillbridge.operation.metrics import Metrics
from tillbridge.service import alarm_port
from tillbridge.service.alarm_port import AlarmMessage
from tillbridge.service.library_port import CreditOrder, LibrarySystem, NoSuchPatron, Unavailable
from tillbridge.service.register_port import Answer, NoOutcome, Order, Product, Register

ORDER = Order("ID", "CPL", "10", (Product("1000", "Maksu", 300),), Money(300, "EUR"))
CREDIT = CreditOrder("5", "CPL", ("1",), Decimal(3), "tillbridge:ID", "note tillbridge:ID")


async def nothing() -> None:
    return None


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def counted(metrics: Metrics, part: str) -> dict[tuple[str, str], float]:
    """Return how often each method was answered how, without what has not happened yet."""
    samples = [sample for family in metrics.answers.collect() for sample in family.samples]
    return {
        (sample.labels["method"], sample.labels["answer"]): sample.value
        for sample in samples
        if sample.labels["part"] == part and sample.name.endswith("_total") and sample.value
    }


async def test_everything_that_a_library_system_is_asked_is_counted_by_its_answer(metrics: Metrics) -> None:
    fake = FakeLibrary()
    fake.add_patron()
    fake.add_charge("1", "3")
    library = measured_library(fake, "library", metrics)
    assert await library.patron_by_card("C1") == fake.patrons["5"]
    assert await library.patron("6") == NoSuchPatron()
    assert len(await library.open_charges("5")) == 1  # type: ignore[arg-type]
    await library.record(CREDIT)
    await library.credits_of("5", "tillbridge:ID")
    assert await library.ping() is None
    fake.away = "broken"
    assert await library.ping() == "broken"
    assert await library.open_charges("5") == Unavailable("broken")
    assert counted(metrics, "library") == {
        ("patron_by_card", "patron"): 1,
        ("patron", "no_such_patron"): 1,
        ("open_charges", "list"): 1,
        ("open_charges", "unavailable"): 1,
        ("record", "recorded"): 1,
        ("credits_of", "list"): 1,
        ("ping", "reachable"): 1,
        ("ping", "away"): 1,
    }


async def test_everything_that_a_register_server_is_asked_is_counted_by_its_answer(metrics: Metrics) -> None:
    register = measured_register(FakeTill(), "register_server.city", metrics)
    await register.send(ORDER, nothing)
    unreadable, read = register.read_report(b"x"), register.read_report(report("ID", "paid"))
    assert type(unreadable).__name__ == "Unreadable"
    register.judge_report(read, "CPL")  # type: ignore[arg-type]
    register.judge_stray_report(register.read_report(report("ID", "forged")))  # type: ignore[arg-type]
    await register.ping()
    assert counted(metrics, "register_server.city") == {
        ("send", "at_register"): 1,
        ("read_report", "unreadable"): 1,
        ("read_report", "report"): 2,
        ("judge_report", "paid"): 1,
        ("judge_stray_report", "forged"): 1,
        ("ping", "reachable"): 1,
    }


class Channel:
    """A channel of alarms that says what it is told to say."""

    def __init__(self, *says: str | Exception | None) -> None:
        self.says, self.messages = list(says), list[AlarmMessage]()

    async def tell(self, message: AlarmMessage) -> str | None:
        self.messages.append(message)
        said = self.says.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


async def test_alarms_are_counted_by_whether_they_were_delivered(metrics: Metrics) -> None:
    channel = Channel(None, "the mail server says no", None, RuntimeError("broken"))
    measured, message = measured_channel(channel, "alarm.mail", metrics), AlarmMessage("https://bridge.example.fi", 1.0)
    assert [await measured.tell(message) for _ in range(3)] == [None, "the mail server says no", None]
    with pytest.raises(RuntimeError):
        await measured.tell(message)
    assert channel.messages == [message] * 4
    assert counted(metrics, "alarm.mail") == {
        ("tell", "delivered"): 2,
        ("tell", "not_delivered"): 1,
        ("tell", "raised"): 1,
    }


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        *(("judge_report", "forged"), ("judge_stray_report", "forged")),
        *(("tell", "delivered"), ("tell", "not_delivered"), ("tell", "raised"), ("tell", "given_up")),
    ],
)
def test_what_an_alarm_looks_for_begins_with_zero(metrics: Metrics, method: str, answer: str) -> None:
    measured_register(FakeTill(), "part", metrics)
    measured_channel(Channel(), "part", metrics)
    line = f'tillbridge_adapter_answers_total{{answer="{answer}",method="{method}",part="part"}} 0.0'
    assert line in metrics.text().decode()


def test_what_can_be_looked_at_before_the_first_customer_is_the_adapters_own(metrics: Metrics) -> None:
    till, library = FakeTill(), FakeLibrary()
    assert measured_register(till, "register_server.city", metrics).checks is till.checks
    assert measured_library(library, "library", metrics).checks is library.checks


@pytest.mark.parametrize(
    ("port", "wrapper", "not_asked"),
    [
        (Register, measuring._MeasuredRegister, {"close"}),
        (LibrarySystem, measuring._MeasuredLibrary, {"close"}),
        (alarm_port.Channel, measuring._MeasuredChannel, set()),
    ],
)
def test_every_method_of_a_port_is_measured(port: type, wrapper: type, not_asked: set[str]) -> None:
    methods = {name for name, each in vars(port).items() if inspect.isfunction(each) and not name.startswith("_")}
    sources = {name: inspect.getsource(getattr(wrapper, name)) for name in methods - not_asked}
    assert [name for name, source in sources.items() if f'("{name}", ' not in source] == []


async def test_what_an_adapter_says_of_itself_is_kept_and_it_is_closed(metrics: Metrics) -> None:
    closed: list[str] = []

    class Closing(FakeTill):
        async def close(self) -> None:
            closed.append("register")

    class ClosingLibrary(FakeLibrary):
        async def close(self) -> None:
            closed.append("library")

    register = measured_register(Closing(names_payer=False, answer_limit_s=7.0), "register_server.city", metrics)
    library = measured_library(ClosingLibrary(currency="SEK", write_limit_s=9.0), "library", metrics)
    assert (register.names_payer, register.answer_limit_s) == (False, 7.0)
    assert (library.currency, library.write_limit_s) == ("SEK", 9.0)
    await register.close()
    await library.close()
    assert closed == ["register", "library"]


async def test_a_held_request_is_shown_as_under_way_until_it_is_answered(metrics: Metrics) -> None:
    till, release, reached = FakeTill(), asyncio.Event(), asyncio.Event()

    async def held(_: Order, at_register: Callable[[], Awaitable[None]]) -> Answer:
        await at_register()
        await release.wait()
        return NoOutcome("97")

    async def at_register() -> None:
        reached.set()

    till.steps.append(held)
    register = measured_register(till, "register_server.city", metrics)
    sending = asyncio.create_task(register.send(ORDER, at_register))
    await reached.wait()
    line = b'tillbridge_adapter_under_way{method="send",part="register_server.city"} '
    assert line + b"1.0" in metrics.text()
    release.set()
    assert await sending == NoOutcome("97")
    assert line + b"0.0" in metrics.text()


async def test_an_adapter_that_fails_and_a_question_that_is_given_up_are_counted_as_such(metrics: Metrics) -> None:
    fake = FakeLibrary()
    fake.add_patron()
    fake.add_charge("1", "3")
    fake.faults.extend(["raises", "hangs"])
    library = measured_library(fake, "library", metrics)
    with pytest.raises(RuntimeError):
        await library.record(CREDIT)
    asking = asyncio.create_task(library.record(CREDIT))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert counted(metrics, "library") == {("record", "raised"): 1, ("record", "given_up"): 1}
    assert b'tillbridge_adapter_under_way{method="record",part="library"} 0.0' in metrics.text()


def test_an_adapter_that_fails_to_judge_is_counted_as_such(metrics: Metrics) -> None:
    class Failing(FakeTill):
        def read_report(self, raw: bytes) -> Any:
            raise RuntimeError(raw)

    with pytest.raises(RuntimeError):
        measured_register(Failing(), "register_server.city", metrics).read_report(b"x")
    assert counted(metrics, "register_server.city") == {("read_report", "raised"): 1}


async def test_the_time_that_an_answer_took_is_told_by_method(metrics: Metrics) -> None:
    library = measured_library(FakeLibrary(), "library", metrics)
    await library.ping()
    await library.ping()
    text = metrics.text().decode()
    assert 'tillbridge_adapter_seconds_count{method="ping",part="library"} 2.0' in text
    assert 'tillbridge_adapter_seconds_bucket{le="600.0",method="ping",part="library"} 2.0' in text


async def test_an_exchange_is_in_the_log_at_debug_without_what_was_said(metrics: Metrics) -> None:
    fake = FakeLibrary()
    fake.add_patron(card="CARD-20271")
    with collected() as log:
        await measured_library(fake, "library", metrics).patron_by_card("CARD-20271")
    (line,) = log.of("exchange")
    duration_ms = line.pop("duration_ms")
    assert duration_ms >= 0
    assert {name: line[name] for name in ("part", "method", "answer", "level")} == {
        "part": "library",
        "method": "patron_by_card",
        "answer": "patron",
        "level": "debug",
    }
    assert [word for word in ("CARD-20271", "Mäkinen", "Äijä") if word in "".join(log.texts)] == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (None, "reachable"),
        ("why", "away"),
        ((), "list"),
        (NoSuchPatron(), "no_such_patron"),
        (NoOutcome(""), "no_outcome"),
    ],
)
def test_an_answer_is_named_by_its_kind(answer: object, kind: str) -> None:
    assert answer_kind(answer) == kind


def test_the_metrics_of_two_bridges_are_apart() -> None:
    one, other = Metrics(), Metrics()
    one.bookings.labels("booked").inc()
    assert b'to="booked"' in one.text()
    assert b'to="booked"' not in other.text()


def test_the_metrics_say_what_runs_and_no_birthdays(metrics: Metrics) -> None:
    metrics.bookings.labels("booked").inc()
    text = metrics.text().decode()
    assert "tillbridge_build_info{" in text
    assert "process_resident_memory_bytes" in text
    assert "_created" not in text

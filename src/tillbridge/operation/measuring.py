# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what the adapters and the channels of alarms are asked: how often, what they answer, and how long they take.

Every question to the outside goes through here, so that it is counted, and in the log at debug, in one place. What was
asked and answered is not in the log: names and card numbers are in it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import structlog

from tillbridge.operation.metrics import Metrics
from tillbridge.service.alarm_port import AlarmMessage, Channel
from tillbridge.service.library_port import (
    Abilities,
    BookingAnswer,
    Charge,
    Credit,
    CreditOrder,
    LibrarySystem,
    NoSuchPatron,
    Patron,
    RefundAnswer,
    RefundOrder,
    ReversalAnswer,
    ReversalOrder,
    Unavailable,
)
from tillbridge.service.register_port import Answer, Order, Register, Report, Unreadable, Verdict

if TYPE_CHECKING:
    from tillbridge.service.checking_port import LibraryChecks, RegisterChecks

T = TypeVar("T")

RAISED, GIVEN_UP = "raised", "given_up"
"""What is counted as the answer where there was none: the adapter failed, or nobody waited for it any more."""

DELIVERED, NOT_DELIVERED = "delivered", "not_delivered"
_FORGED = (("judge_report", "forged"), ("judge_stray_report", "forged"))
_TOLD = tuple(("tell", kind) for kind in (DELIVERED, NOT_DELIVERED, RAISED, GIVEN_UP))

_log = structlog.get_logger()


def measured_register(register: Register, part: str, metrics: Metrics) -> Register:
    """Return the register with everything that it is asked measured; `part` names it."""
    return _MeasuredRegister(register, _Watch(part, metrics, _FORGED))


def measured_library(library: LibrarySystem, part: str, metrics: Metrics) -> LibrarySystem:
    """Return the library system with everything that it is asked measured; `part` names it."""
    return _MeasuredLibrary(library, _Watch(part, metrics))


def measured_channel(channel: Channel, part: str, metrics: Metrics) -> Channel:
    """Return the channel of alarms with every message that it carries measured; `part` names it."""
    return _MeasuredChannel(channel, _Watch(part, metrics, _TOLD))


def answer_kind(answer: object) -> str:
    """Name the kind of an answer: its type's name, or what a ping has found."""
    if answer is None:
        return "reachable"
    return "away" if isinstance(answer, str) else _snake(type(answer).__name__)


def _delivery(why: str | None) -> str:
    return DELIVERED if why is None else NOT_DELIVERED


@cache
def _snake(kind: str) -> str:
    return "list" if kind == "tuple" else re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


class _Watch:
    def __init__(self, part: str, metrics: Metrics, from_zero: Iterable[tuple[str, str]] = ()) -> None:
        self._part, self._metrics = part, metrics
        for method, kind in from_zero:
            # Prometheus sees no increase in what begins with 1.
            metrics.answers.labels(part, method, kind)

    async def asked(self, method: str, answer: Awaitable[T], kind_of: Callable[[T], str] = answer_kind) -> T:
        """Wait for an answer."""
        under_way = self._metrics.under_way.labels(self._part, method)
        kind, started = RAISED, time.perf_counter()
        under_way.inc()
        try:
            given = await answer
            kind = kind_of(given)
        except asyncio.CancelledError:
            kind = GIVEN_UP
            raise
        finally:
            under_way.dec()
            self._note(method, kind, time.perf_counter() - started)
        return given

    def told(self, method: str, answer: Callable[[], T]) -> T:
        """Take an answer that needs no waiting."""
        kind, started = RAISED, time.perf_counter()
        try:
            given = answer()
            kind = answer_kind(given)
        finally:
            self._note(method, kind, time.perf_counter() - started)
        return given

    def _note(self, method: str, kind: str, seconds: float) -> None:
        self._metrics.answers.labels(self._part, method, kind).inc()
        self._metrics.seconds.labels(self._part, method).observe(seconds)
        duration_ms = round(seconds * 1000, 1)
        _log.debug("exchange", part=self._part, method=method, answer=kind, duration_ms=duration_ms)


class _MeasuredRegister:
    def __init__(self, register: Register, watch: _Watch) -> None:
        self._register, self._watch = register, watch
        self.names_payer, self.answer_limit_s = register.names_payer, register.answer_limit_s

    @property
    def checks(self) -> RegisterChecks:
        return self._register.checks

    async def send(self, order: Order, at_register: Callable[[], Awaitable[None]]) -> Answer:
        return await self._watch.asked("send", self._register.send(order, at_register))

    def read_report(self, raw: bytes) -> Report | Unreadable:
        return self._watch.told("read_report", lambda: self._register.read_report(raw))

    def judge_report(self, report: Report, branch: str) -> Verdict:
        return self._watch.told("judge_report", lambda: self._register.judge_report(report, branch))

    def judge_stray_report(self, report: Report) -> Verdict:
        return self._watch.told("judge_stray_report", lambda: self._register.judge_stray_report(report))

    async def ping(self) -> str | None:
        return await self._watch.asked("ping", self._register.ping())

    async def close(self) -> None:
        await self._register.close()


class _MeasuredLibrary:
    def __init__(self, library: LibrarySystem, watch: _Watch) -> None:
        self._library, self._watch = library, watch
        self.write_limit_s, self.currency = library.write_limit_s, library.currency

    @property
    def checks(self) -> LibraryChecks:
        return self._library.checks

    async def patron_by_card(self, card_number: str) -> Patron | NoSuchPatron | Unavailable:
        return await self._watch.asked("patron_by_card", self._library.patron_by_card(card_number))

    async def patrons_by_name(self, text: str, limit: int) -> tuple[Patron, ...] | Unavailable:
        return await self._watch.asked("patrons_by_name", self._library.patrons_by_name(text, limit))

    async def patron(self, patron_id: str) -> Patron | NoSuchPatron | Unavailable:
        return await self._watch.asked("patron", self._library.patron(patron_id))

    async def open_charges(self, patron_id: str) -> tuple[Charge, ...] | NoSuchPatron | Unavailable:
        return await self._watch.asked("open_charges", self._library.open_charges(patron_id))

    async def record(self, order: CreditOrder) -> BookingAnswer:
        return await self._watch.asked("record", self._library.record(order))

    async def credits_of(
        self, patron_id: str, payment_reference: str
    ) -> tuple[Credit, ...] | NoSuchPatron | Unavailable:
        return await self._watch.asked("credits_of", self._library.credits_of(patron_id, payment_reference))

    @property
    def abilities(self) -> Abilities:
        return self._library.abilities

    async def learn(self) -> Abilities:
        return await self._watch.asked("learn", self._library.learn())

    async def reverse(self, order: ReversalOrder) -> ReversalAnswer:
        return await self._watch.asked("reverse", self._library.reverse(order))

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        return await self._watch.asked("refund", self._library.refund(order))

    async def ping(self) -> str | None:
        return await self._watch.asked("ping", self._library.ping())

    async def close(self) -> None:
        await self._library.close()


class _MeasuredChannel:
    def __init__(self, channel: Channel, watch: _Watch) -> None:
        self._channel, self._watch = channel, watch

    async def tell(self, message: AlarmMessage) -> str | None:
        return await self._watch.asked("tell", self._channel.tell(message), _delivery)

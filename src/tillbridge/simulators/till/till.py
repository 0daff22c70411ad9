# SPDX-License-Identifier: GPL-3.0-or-later
"""The register server itself: it takes payments in, lets the cashier finish them, answers and reports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tillbridge.simulators.till.autopilot import Autopilot
from tillbridge.simulators.till.background import Background
from tillbridge.simulators.till.book import Book
from tillbridge.simulators.till.faults import AnswerPlan, FaultBox, ReportPlan
from tillbridge.simulators.till.inbound import Faulty, NoId, PaymentRequest, read_request
from tillbridge.simulators.till.messages import PLAIN, Reply, answer, error
from tillbridge.simulators.till.outside import Outside
from tillbridge.simulators.till.payment import (
    STATUS_OF,
    Payment,
    Tender,
    cancelled,
    paid,
    taken_back,
)
from tillbridge.simulators.till.reporter import Reporter
from tillbridge.simulators.till.settings import TillSettings

_IN_PROGRESS, _PAID, _ID_USED, _SYSTEM_ERROR, _FAULTY = 2, 1, 97, 98, 99
_SYNCHRONOUS = 2


@dataclass(frozen=True, slots=True)
class Taken:
    """State that a request was taken in and is to be answered as planned; `again` marks a repetition."""

    payment_id: str
    plan: AnswerPlan
    again: bool


@dataclass(slots=True)
class _Live:
    """Let those who wait for one payment know: it is decided, its first report is done, its answers are written."""

    decided: asyncio.Event = field(default_factory=asyncio.Event)
    reported: asyncio.Event = field(default_factory=asyncio.Event)
    report_first: bool = False
    answering: set[asyncio.Future[None]] = field(default_factory=set)


class Till:
    """Be one register server with its tills. Everything runs on one event loop; `open` first, `close` last.

    Making one raises SettingsError where the file that the settings name for its state cannot be used.
    """

    def __init__(
        self, settings: TillSettings, outside: Outside | None = None, reporter: type[Reporter] = Reporter
    ) -> None:
        self.settings = settings
        self.outside = outside or Outside()
        self.book = Book(settings.max_payments, self.outside.now, settings.state)
        self.faults = FaultBox()
        self.autopilot = settings.autopilot
        self._background = Background()
        self.reporter = reporter(settings, self.book, self.outside)
        self._live: dict[str, _Live] = {}
        self._held: set[asyncio.Task[Reply | None]] = set()
        self.closing = False

    async def open(self) -> None:
        """Make ready to report, and go on with what an earlier process has left in the state's file."""
        await self.reporter.open()
        for payment in self.book:
            self._live[payment.payment_id] = live = _Live()
            if payment.state != "waiting":
                live.decided.set()
            self._set_alarm(payment)
            if payment.payment_id in self.book.to_report:
                self._background.start(self._report(payment, ReportPlan(), live))

    async def close(self) -> None:
        """Stop reporting and release every connection."""
        self.hang_up()
        await self._background.close()
        await self.reporter.close()
        self.book.close()

    def hang_up(self) -> None:
        """Drop every held request, so that the server can stop at once."""
        self.closing = True
        self.book.touch()
        for task in self._held:
            task.cancel()

    async def until(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Wait until something holds in the book, at most until the server stops; return whether it does."""
        await self.book.until(lambda: self.closing or holds(), within_s)
        return holds()

    def take_in(self, body: bytes) -> Taken | Reply:
        """Check a request and put its payment on the till; return what is answered at once, or how to answer."""
        match read_request(body, self.settings):
            case NoId(why):
                self.book.note("in", "request", "", body, remark=why)
                self._note_answer("", PLAIN)
                return PLAIN
            case Faulty(payment_id, why):
                self.book.note("in", "request", payment_id, body, remark=why)
                self._refuse(payment_id, why)
                return self._error(payment_id, _FAULTY)
            case PaymentRequest() as request:
                self.book.note("in", "request", request.payment_id, body)
                return self._take(request)

    async def answer(self, taken: Taken) -> Reply | None:
        """Return the answer as soon as it is due; None drops the connection."""
        live = self._live[taken.payment_id]
        plan = taken.plan
        if plan.ending == "nothing":
            await asyncio.Event().wait()
        if self._waits_for_cashier(taken):
            await live.decided.wait()
        if live.report_first:
            await live.reported.wait()
        reply = self._reply(taken)
        await asyncio.sleep(plan.delay_s)
        self._note_answer(taken.payment_id, reply)
        return reply

    def hold(self, taken: Taken) -> asyncio.Task[Reply | None]:
        """Run `answer` so that stopping the server ends it."""
        task = asyncio.get_running_loop().create_task(self.answer(taken))
        self._held.add(task)
        task.add_done_callback(self._held.discard)
        return task

    @contextmanager
    def answering(self, taken: Taken) -> Iterator[None]:
        """Let reports of this payment wait until its answer is written or given up."""
        written = asyncio.get_running_loop().create_future()
        waiting = self._live[taken.payment_id].answering
        if taken.plan.prompt:
            waiting.add(written)
        try:
            yield
        finally:
            waiting.discard(written)
            written.set_result(None)

    def accept(self, payment_id: str, tender: Tender) -> Payment:
        """Take the money of a waiting payment; raise KeyError for an unknown id, NotNowError if it does not wait."""
        done = paid(self._known(payment_id), tender, self.outside.now())
        numbers = iter(self.outside.receipt_number, None)
        return self._finish(replace(done, receipt_number=next(each for each in numbers if self._is_new(each))))

    def cancel(self, payment_id: str) -> Payment:
        """Cancel a waiting payment; raises like `accept`."""
        return self._finish(cancelled(self._known(payment_id), self.outside.now()))

    def take_back(self, payment_id: str) -> Payment:
        """Give the money of a paid payment back; raises like `accept`."""
        return self._finish(taken_back(self._known(payment_id), self.outside.now()))

    async def post_trial(self, payment_id: str, address: str) -> tuple[int | None, str]:
        """Post a report of a payment that never was; return HTTP status and answer, or None and why not."""
        return await self.reporter.post_trial(payment_id, address)

    def steer(self, autopilot: Autopilot) -> None:
        """Change what the autopilot does, also with those that already wait."""
        self.autopilot = autopilot
        for payment in self.book:
            self._set_alarm(payment)
        self.book.touch()

    def _is_new(self, receipt_number: str) -> bool:
        """Tell whether no earlier process has given this number away."""
        return receipt_number not in self.book.earlier_receipts

    def _known(self, payment_id: str) -> Payment:
        payment = self.book.get(payment_id)
        if payment is None:
            raise KeyError(payment_id)
        return payment

    def _take(self, request: PaymentRequest) -> Taken | Reply:
        known = self.book.get(request.payment_id)
        if known is None or known.state == "refused":
            if self.book.full:
                return self._error(request.payment_id, _SYSTEM_ERROR)
            return self._enter(request, sent_before=known.sent_count if known else 0)
        self.book.put(replace(known, sent_count=known.sent_count + 1))
        if known.fingerprint != request.fingerprint:
            return self._error(request.payment_id, _ID_USED)
        return Taken(request.payment_id, self.faults.for_answer(request.payment_id), again=True)

    def _enter(self, request: PaymentRequest, sent_before: int) -> Taken:
        plan = self.faults.for_answer(request.payment_id)
        payment = self._new(request, sent_before + 1)
        self._live[request.payment_id] = _Live()
        if plan.collected:
            self.book.put(payment)
            self._set_alarm(payment)
        elif plan.status == STATUS_OF["cancelled"]:
            self._finish(cancelled(payment, self.outside.now()))
        else:
            self.book.put(replace(payment, state="refused", reason="a fault keeps it off the till"))
            self._live[request.payment_id].decided.set()
        return Taken(request.payment_id, plan, again=False)

    def _new(self, request: PaymentRequest, sent_count: int) -> Payment:
        return Payment(
            payment_id=request.payment_id,
            source=request.source,
            office=request.office,
            mode=request.mode,
            description=request.description,
            products=request.products,
            report_address=request.report_address,
            fingerprint=request.fingerprint,
            arrived_at=self.outside.now(),
            sent_count=sent_count,
        )

    def _refuse(self, payment_id: str, why: str) -> None:
        """Remember a faulty request without touching a payment that is on the till with the same id."""
        known = self.book.get(payment_id)
        if known is None:
            known = Payment(payment_id, "", "", 0, "", (), "", "", self.outside.now(), sent_count=0)
            known = replace(known, state="refused")
        reason = why if known.state == "refused" else known.reason
        self.book.put(replace(known, sent_count=known.sent_count + 1, reason=reason))

    def _waits_for_cashier(self, taken: Taken) -> bool:
        if taken.plan.at_end or self.faults.expects(taken.payment_id, "report_before_answer"):
            return True
        return self._known(taken.payment_id).mode == _SYNCHRONOUS and not taken.plan.early

    def _reply(self, taken: Taken) -> Reply | None:
        payment = self._known(taken.payment_id)
        status = self._status(payment, again=taken.again) if taken.plan.status is None else taken.plan.status
        reference = payment.receipt_number if status == _PAID else None
        return answer(self.settings, payment.payment_id, status, reference, taken.plan)

    def _status(self, payment: Payment, *, again: bool) -> int:
        """Mode 1 says only that the payment has arrived; a repetition gets its present state (dossier 4.4)."""
        if payment.mode == _SYNCHRONOUS or again or payment.state == "refused":
            return STATUS_OF[payment.state]
        return _IN_PROGRESS

    def _error(self, payment_id: str, status: int) -> Reply:
        reply = error(self.settings, payment_id, status)
        self._note_answer(payment_id, reply)
        return reply

    def _note_answer(self, payment_id: str, reply: Reply | None) -> None:
        if reply is None:
            self.book.note("out", "answer", payment_id, b"", remark="connection dropped")
        else:
            self.book.note("out", "answer", payment_id, reply.body, reply.http_status)

    def _finish(self, payment: Payment) -> Payment:
        """Keep a decided payment, wake its held requests and post its report."""
        plan = self.faults.for_report(payment.payment_id)
        payment = self._as_taken(payment, plan)
        self.book.put(payment, to_report=plan.copies > 0)
        live = self._live[payment.payment_id]
        live.report_first = plan.before_answer
        live.decided.set()
        self._background.start(self._report(payment, plan, live))
        return payment

    def _as_taken(self, payment: Payment, plan: ReportPlan) -> Payment:
        """Let the till count the sum that it is going to report (only a 3.0 till names sums)."""
        if plan.sum_minor is None or payment.state != "paid" or self.settings.api_version != "3.0":
            return payment
        return replace(payment, taken_minor=plan.sum_minor)

    async def _report(self, payment: Payment, plan: ReportPlan, live: _Live) -> None:
        try:
            if live.answering and not plan.before_answer:
                await asyncio.wait(live.answering)
            await self.reporter.post(payment, plan)
            self.book.reported(payment)
        finally:
            live.reported.set()

    def _set_alarm(self, payment: Payment) -> None:
        if self.autopilot.do != "off" and payment.state == "waiting":
            self._background.start(self._act(payment.payment_id, self.autopilot))

    async def _act(self, payment_id: str, habit: Autopilot) -> None:
        """Finish a payment like a cashier, unless someone was faster or the habit has changed."""
        await asyncio.sleep(habit.wait_s(self.outside.chance()))
        if habit is not self.autopilot or self._known(payment_id).state != "waiting":
            return
        if habit.accepts(self.outside.chance()):
            self.accept(payment_id, habit.method)
        else:
            self.cancel(payment_id)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a register server's report: check it, store it, let it count, and say what to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tillbridge.domain.lifecycle import Heard
from tillbridge.domain.payment import Payment
from tillbridge.service.alarming import put_on_list
from tillbridge.service.collecting import Collecting, News
from tillbridge.service.ports import World
from tillbridge.service.register_port import (
    Cancelled,
    Forged,
    NoOutcome,
    Paid,
    Refused,
    Report,
    Unreadable,
    Verdict,
)
from tillbridge.service.store_port import CaseKind, Message, Transaction

REPEATS_KEPT = 3
"""How often the same bytes of a report are stored: a flood of them must not fill the disk."""

STRAY = "unknown id: "
"""What is written before the verdict on a report for a payment that nobody knows."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Say what the register server is answered: an HTTP status and, for a person who reads logs, why."""

    status: int
    why: str = ""


async def take_report(world: World, servers: Sequence[str], raw: bytes, address_id: str | None) -> Reply:
    """Take a report that came for one of these register servers, at an address that may name the payment.

    200 only once it is stored with what follows from it; 400 where it proves nothing; 404 for a rightly signed
    report of a payment that nobody knows.
    """
    report = world.registers[servers[0]].read_report(raw)
    if isinstance(report, Unreadable):
        await world.store.write(lambda tx: tx.keep_message(Message(world.clock.now(), "report", report.why, raw)))
        return Reply(400, report.why)

    def store(tx: Transaction) -> Reply:
        payment = tx.payment(report.payment_id)
        if address_id not in (None, report.payment_id):
            return _misdirected(tx, world, payment, raw)
        if payment is None or payment.register_server not in servers:
            return _stray(tx, world, servers, report)
        verdict = world.registers[payment.register_server].judge_report(report, payment.branch)
        if isinstance(verdict, Forged):
            # It proves nothing, so it is kept among the strays, of which there is room for so many.
            tx.keep_message(Message(world.clock.now(), "report", f"{payment.id}: {_label(verdict)}", raw))
            return Reply(400, verdict.why)
        message = Message(world.clock.now(), "report", _label(verdict), raw, payment.id)
        if sum((kept.direction, kept.raw) == ("report", raw) for kept in tx.messages(payment.id)) < REPEATS_KEPT:
            tx.keep_message(message)
        # Heard every time: what it meant before may not be what it means now.
        return _take(Collecting(tx, world.clock.now(), world), payment, verdict)

    reply = await world.store.write(store)
    world.notifier.changed()
    return reply


def _misdirected(tx: Transaction, world: World, payment: Payment | None, raw: bytes) -> Reply:
    why = "the id in the address is another than the report's"
    tx.keep_message(Message(world.clock.now(), "report", f"{payment.id}: {why}" if payment else why, raw))
    return Reply(400, why)


def _take(collecting: Collecting, payment: Payment, verdict: Paid | Cancelled | Refused | NoOutcome) -> Reply:
    match verdict:
        case Paid(receipt, total):
            news = News(Heard.TILL_PAID, "till", "report", receipt_number=receipt, sum_minor=total)
            collecting.hear(payment, news)
        case Cancelled():
            collecting.hear(payment, News(Heard.TILL_CANCELLED, "till", "report"))
        case Refused(why):
            collecting.hear(payment, News(Heard.TILL_REFUSED, "till", "report", why))
        case NoOutcome(why):  # the last case
            if payment.undecided:
                collecting.open_case(payment, CaseKind.ODD_STATUS, {"why": why})
    return Reply(200)


def _stray(tx: Transaction, world: World, servers: Sequence[str], report: Report) -> Reply:
    verdict = _stray_verdict(world, servers, report)
    now = world.clock.now()
    tx.keep_message(Message(now, "report", f"{STRAY}{_label(verdict)}", report.raw))
    match verdict:
        case Forged(why):
            return Reply(400, why)
        case Paid(receipt, total):
            facts = {"reported_id": report.payment_id, "receipt": receipt, "sum_minor": total}
            if not tx.stray_is_known(report.payment_id):
                put_on_list(tx, world, CaseKind.PAID_FOR_UNKNOWN_ID, None, now, facts)
    return Reply(404, "no payment has this id")


def _stray_verdict(world: World, servers: Sequence[str], report: Report) -> Verdict:
    verdicts = [world.registers[server].judge_stray_report(report) for server in servers]
    signed = [verdict for verdict in verdicts if not isinstance(verdict, Forged)]
    return signed[0] if signed else verdicts[0]


def _label(verdict: Verdict) -> str:
    match verdict:
        case Forged(why) | NoOutcome(why) | Refused(why):
            return f"{type(verdict).__name__}: {why}"
        case _:
            return type(verdict).__name__

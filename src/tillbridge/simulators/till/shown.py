# SPDX-License-Identifier: GPL-3.0-or-later
"""How things look in JSON. Amounts are whole cents, times ISO 8601 with their offset; no secret is in anything."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from tillbridge.simulators.till.autopilot import Autopilot
from tillbridge.simulators.till.book import Note
from tillbridge.simulators.till.faults import KINDS, Fault, Options
from tillbridge.simulators.till.payment import Payment, Product
from tillbridge.simulators.till.receipt import receipt
from tillbridge.simulators.till.settings import TillSettings
from tillbridge.simulators.till.totals import Totals

Shown = dict[str, object]


def show_payment(payment: Payment) -> Shown:
    """Show a payment."""
    return {
        "id": payment.payment_id,
        "source": payment.source,
        "office": payment.office,
        "mode": payment.mode,
        "state": payment.state,
        "description": payment.description,
        "products": _products(payment.products),
        "total_minor": payment.total_minor,
        "receipt_number": payment.receipt_number,
        "tender": payment.tender,
        "sent_count": payment.sent_count,
        "report_address": payment.report_address,
        "arrived_at": _time(payment.arrived_at),
        "finished_at": _time(payment.finished_at),
        "taken_back_at": _time(payment.taken_back_at),
        "reason": payment.reason,
    }


def show_receipt(payment: Payment, settings: TillSettings) -> Shown:
    """Show the printed receipt."""
    return {
        "lines": receipt(payment, settings.offices.get(payment.office, payment.office)),
        "total_minor": payment.total_minor,
        "receipt_number": payment.receipt_number,
        "products": _products(payment.products),
    }


def show_note(note: Note) -> Shown:
    """Show a message in or out."""
    return {
        "number": note.number,
        "at": _time(note.at),
        "direction": note.direction,
        "kind": note.kind,
        "payment": note.payment_id,
        "http_status": note.http_status,
        "body": note.body,
        "remark": note.remark,
    }


def show_totals(totals: Totals) -> Shown:
    """Show the sums."""
    return asdict(totals)


def show_autopilot(autopilot: Autopilot) -> Shown:
    """Show what the autopilot does."""
    return asdict(autopilot)


def show_fault(fault: Fault) -> Shown:
    """Show a fault that is switched on, with those options that were given."""
    options = {name: getattr(fault.options, name) for name in Options.__slots__}
    given = {name: value for name, value in options.items() if value is not None}
    return {"number": fault.number, "for": fault.target, "kind": fault.kind, "times": fault.times} | given


def show_kinds() -> Shown:
    """Show what can be switched on."""
    return {name: {"what": kind.what, "options": sorted(kind.takes)} for name, kind in KINDS.items()}


def _products(products: tuple[Product, ...]) -> list[Shown]:
    return [
        {"code": one.code, "description": one.description, "price": one.price_minor, "pieces": one.pieces}
        for one in products
    ]


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds")

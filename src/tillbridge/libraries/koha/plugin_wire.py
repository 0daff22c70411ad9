# SPDX-License-Identifier: GPL-3.0-or-later
"""Write orders as the plugin's JSON, and read its answers; amounts are decimal texts, never JSON numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tillbridge.domain.money import decimal_of
from tillbridge.libraries.koha.replies import Unexpected, json_of
from tillbridge.libraries.koha.transport import Reply
from tillbridge.libraries.koha.wire import amount_text, is_id
from tillbridge.service.library_port import Credit, CreditOrder, Effect, RefundOrder, ReversalOrder

_NOTHING = Decimal(0)
_LONGEST_ID = 80
_EFFECTS = {effect.value: effect for effect in (Effect.RENEWED, Effect.RENEWAL_REFUSED, Effect.RETURNED)}


def booking_body(order: CreditOrder, payment_type: str, description: str) -> bytes:
    """Write a booking; raise ValueError where the plugin would not do what the order says."""
    if order.shares is None or set(order.shares) != set(order.charge_ids):
        raise ValueError("a booking says how much each of its charges gets")
    if sum(order.shares.values(), _NOTHING) != order.amount:
        raise ValueError("what the charges get is not the sum")
    if order.reference not in order.note.split():
        raise ValueError("a credit's note holds its reference, or it is never found once the plugin is gone")
    return _json(
        {
            "reference": order.reference,
            "patron_id": _id(order.patron_id),
            "lines": _lines(order.shares),
            **_place(order),
            "payment_type": payment_type,
            "description": description,
            "note": order.note,
        }
    )


def reversal_body(order: ReversalOrder) -> bytes:
    """Write a reversal."""
    return _json(
        {"reference": order.reference, "booking": order.booking, **_place(order), "reason": order.reason},
    )


def refund_body(order: RefundOrder, payout_type: str) -> bytes:
    """Write a refund."""
    return _json(
        {
            "reference": order.reference,
            "booking": order.booking,
            "lines": _lines(order.shares),
            "payout_type": payout_type,
            **_place(order),
            "reason": order.reason,
        }
    )


def booking_of(said: Any, reference: str) -> tuple[Credit, frozenset[Effect]]:
    """Read a booking that was recorded under this reference, and what Koha did besides."""
    if not isinstance(said, dict) or said.get("reference") != reference:
        raise Unexpected("is of another booking")
    return _credit(said), _effects(said)


def credits_of(said: Any, reference: str) -> tuple[Credit, ...]:
    """Read the bookings of a payment; one that is not of this payment makes the whole answer worthless."""
    match said:
        case {"bookings": [*bookings]}:
            found = tuple(_credit(booking) for booking in bookings)
        case _:
            raise Unexpected("has no list of bookings")
    if not all(_is_of(credit.reference, reference) for credit in found):
        raise Unexpected("has a booking of another payment")
    return found


def owed_of(reply: Reply) -> Mapping[str, Decimal] | None:
    """Read what the charges owe now; None where the answer does not tell it for all of them."""
    try:
        match json_of(reply):
            case {"charges": [*charges]}:
                return dict(_owed(charge) for charge in charges)
    except Unexpected:
        pass
    return None


def by_hand(said: Any, order: ReversalOrder) -> bool:
    """Tell whether a librarian had taken the booking back before."""
    match said:
        case {"reference": order.reference, "booking": order.booking, "by_hand": bool(hand)}:
            return hand
        case _:
            raise Unexpected("is of another reversal")


def refund_ids(said: Any, order: RefundOrder) -> tuple[str, ...]:
    """Return the ids of the refund's lines, once they are those that were asked for."""
    match said:
        case {"reference": order.reference, "booking": order.booking, "lines": [*lines]}:
            pass
        case _:
            raise Unexpected("is of another refund")
    if dict(_share(line) for line in lines) != {key: share for key, share in order.shares.items() if share}:
        raise Unexpected("has other lines than were asked for")
    return tuple(str(_whole(line, name)) for line in lines for name in ("refund_id", "payout_id"))


def _place(order: CreditOrder | ReversalOrder | RefundOrder) -> dict[str, object]:
    if not order.branch:
        raise ValueError("it has a branch")
    return {
        "library_id": order.branch,
        "staff_id": None if order.staff_id is None else _id(order.staff_id),
        "register_id": None if order.register_id is None else _id(order.register_id),
    }


def _lines(shares: Mapping[str, Decimal]) -> list[object]:
    return [{"charge_id": _id(charge_id), "amount": amount_text(share)} for charge_id, share in shares.items() if share]


def _id(text: str) -> int:
    if not is_id(text):
        raise ValueError(f"Koha has no number such as {text}")
    return int(text)


def _json(facts: Mapping[str, object]) -> bytes:
    return json.dumps(facts, ensure_ascii=False).encode("utf-8", "replace")


def _credit(booking: Any) -> Credit:
    """Take what Koha has of one booking together: one credit, or one for each line; void ones do not count."""
    match booking:
        case {"reference": str(reference), "credits": [_, *_] as credits_}:
            parts = [_part(one, reference) for one in credits_]
        case _:
            raise Unexpected("has a booking that is none")
    valid = [part for part in parts if not part.void]
    counted = valid or parts
    lines: dict[str, Decimal] = {}
    for charge_id, share in (each for part in valid for each in (part.lines or {}).items()):
        lines[charge_id] = lines.get(charge_id, _NOTHING) + share
    return Credit(
        credit_id=",".join(part.credit_id for part in counted)[:_LONGEST_ID],
        reference=reference,
        amount=sum((part.amount for part in counted), _NOTHING),
        unapplied=sum((part.unapplied for part in counted), _NOTHING),
        void=not valid,
        lines=lines,
    )


def _part(said: Any, reference: str) -> Credit:
    match said:
        case {"credit_id": _, "amount": amount, "unapplied": unapplied, "void": bool(void), "lines": [*lines]}:
            shares = dict(_share(line) for line in lines)
            number = str(_whole(said, "credit_id"))
            return Credit(number, reference, _amount(amount), _amount(unapplied), void, shares)
        case _:
            raise Unexpected("has a credit that is none")


def _effects(booking: Mapping[str, Any]) -> frozenset[Effect]:
    told = booking.get("effects")
    words = [one.get("what") for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    sent = {Effect.RECEIPT_SENT} if booking.get("receipt_sent") is True else set()
    return frozenset({_EFFECTS[word] for word in words if isinstance(word, str) and word in _EFFECTS} | sent)


def _share(line: Any) -> tuple[str, Decimal]:
    match line:
        case {"charge_id": _, "amount": amount}:
            return str(_whole(line, "charge_id")), _amount(amount)
        case _:
            raise Unexpected("has a line that is none")


def _owed(charge: Any) -> tuple[str, Decimal]:
    match charge:
        case {"charge_id": _, "owed": None}:
            return str(_whole(charge, "charge_id")), _NOTHING
        case {"charge_id": _, "owed": owed}:
            return str(_whole(charge, "charge_id")), _amount(owed)
        case _:
            raise Unexpected("has a charge that is none")


def _amount(value: object) -> Decimal:
    """Read an exact amount; a text that is no plain decimal above or at nothing is none."""
    try:
        amount = decimal_of(value) if isinstance(value, str) else None
    except ValueError:
        amount = None
    if amount is None or amount < 0:
        raise Unexpected("has an amount that is none")
    return amount


def _whole(said: Mapping[str, Any], name: str) -> int:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not is_id(str(value)):
        raise Unexpected(f"has no {name}")
    return value


def _is_of(found: str, reference: str) -> bool:
    head, colon, tail = found.removeprefix(reference).partition(":")
    return found.startswith(reference) and not head and (not colon or (tail.isascii() and tail.isdigit()))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Compose the one message that asks a till to collect (dossier 2.1)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from tillbridge.registers.ceepos.cleaning import cleaned, product_description
from tillbridge.registers.ceepos.hashes import RequestOrder, digest_of, request_slots
from tillbridge.registers.ceepos.reading import Message, text_of_id
from tillbridge.service.register_port import Order, Payer, Product

ID_PLACEHOLDER = "{invoicenumber}"


@dataclass(frozen=True, slots=True)
class Form:
    """Hold what all requests of one register server have in common."""

    api_version: str
    mode: Literal[1, 2]
    notification_address: str
    names_payer: bool


def compose(order: Order, form: Form, source: str) -> Message:
    """Return the request without its hash; texts are cleaned, and nothing in it is empty.

    Amount is never sent (a product is one piece), and a product of no price is left out, since the till would
    charge its own price for it (dossier 8.10).
    """
    return {
        "ApiVersion": form.api_version,
        "Source": source,
        "Id": order.payment_id,
        "Mode": form.mode,
        "Description": _heading(order, names_payer=form.names_payer),
        "Products": [_product(product) for product in order.products if product.price_minor],
        "NotificationAddress": report_address(form.notification_address, order.payment_id),
        "Office": order.register,
    }


def signed(message: Message, rule: RequestOrder, secret: str) -> bytes:
    """Return the bytes that go out: UTF-8 JSON with the hash of its own values."""
    proof = digest_of(request_slots(message, rule), secret)
    return json.dumps(message | {"Hash": proof}, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def report_address(template: str, payment_id: str) -> str:
    """Return where the report of a payment is asked for."""
    return template.replace(ID_PLACEHOLDER, quote(payment_id, safe="", errors="replace"))


def why_not_sendable(order: Order) -> str | None:
    """Return why the order must not be sent, or None.

    It must go to the till that was meant, and not, cleaned or without an Office, to another one; what it asks for
    must be exactly what it sums up to.
    """
    if text_of_id({"Id": order.payment_id}) is None:
        return "the payment's id is none that a register server could give back"
    if not order.register or cleaned(order.register) != order.register:
        return "the register's number is none that a register server could be sent"
    prices = [product.price_minor for product in order.products]
    if any(price < 0 for price in prices):
        return "the order has a negative price"
    if not sum(prices):
        return "there is nothing to collect"
    if sum(prices) != order.total.minor:
        return "the prices of the products do not sum to the order's total"
    return None


def _product(product: Product) -> Message:
    return {
        "Code": cleaned(product.code),
        "Description": product_description(product.description),
        "Price": product.price_minor,
    }


def _heading(order: Order, *, names_payer: bool) -> str:
    name = _name(order.payer) if names_payer and order.payer else ""
    return name or f"#{cleaned(order.payment_id)}"


def _name(payer: Payer) -> str:
    names = ", ".join(filter(None, (cleaned(payer.surname), cleaned(payer.firstname))))
    card = cleaned(payer.card_number)
    return cleaned(f"{names} ({card})" if card else names)

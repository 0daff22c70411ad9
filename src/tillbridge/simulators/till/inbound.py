# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a payment request and check it the way a register server does (dossier 2.1, 4.4)."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tillbridge.simulators.till.payment import Product
from tillbridge.simulators.till.settings import TillSettings
from tillbridge.simulators.till.wire import request_hash, same_hash

MAX_PRODUCTS = 200
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")
_MAX_PRICE_MINOR = 10_000_000


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """Hold a request that passed every check; `fingerprint` is the hash of exactly these contents."""

    payment_id: str
    source: str
    mode: int
    office: str
    description: str
    products: tuple[Product, ...]
    report_address: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Faulty:
    """State that a request with a usable Id fails a check (Status 99), and which."""

    payment_id: str
    why: str


@dataclass(frozen=True, slots=True)
class NoId:
    """State that a request cannot even be answered with its Id."""

    why: str


class _WrongError(Exception):
    """Carry the first thing that is wrong with a request."""


def read_request(body: bytes, settings: TillSettings) -> PaymentRequest | Faulty | NoId:
    """Read and check a request; never raises for what was sent."""
    message = _json_object(body)
    if message is None:
        return NoId("the message is not a JSON object in UTF-8")
    payment_id = _usable_id(message)
    if payment_id is None:
        return NoId("Id is missing, or is no text of 1 to 64 letters, digits and . _ : -")
    try:
        return _checked(payment_id, message, settings)
    except _WrongError as wrong:
        return Faulty(payment_id, str(wrong))


def payment_id_of(body: bytes) -> str | None:
    """Return the Id of a message that has a usable one."""
    message = _json_object(body)
    return None if message is None else _usable_id(message)


def _usable_id(message: Mapping[str, object]) -> str | None:
    payment_id = message.get("Id")
    return payment_id if isinstance(payment_id, str) and _ID.fullmatch(payment_id) else None


def _json_object(body: bytes) -> dict[str, object] | None:
    try:
        message = json.loads(body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _checked(payment_id: str, message: dict[str, object], settings: TillSettings) -> PaymentRequest:
    _text(message, "ApiVersion", 20)
    source = _known(_text(message, "Source", 40), {settings.source}, "Source")
    mode = _whole(message, "Mode", 1, 2)
    if message.get("Action", "new payment") != "new payment":
        raise _WrongError("Action is unknown at a point of sale")
    request = PaymentRequest(
        payment_id=payment_id,
        source=source,
        mode=mode,
        office=_known(_text(message, "Office", 40), settings.offices, "Office"),
        description=_optional_text(message, "Description", 100),
        products=_products(message, settings.products),
        report_address=_address(_text(message, "NotificationAddress", 2000)),
        fingerprint=_fingerprint(message, settings),
    )
    return request


def _fingerprint(message: dict[str, object], settings: TillSettings) -> str:
    try:
        right = request_hash(message, settings.order, settings.secret)
    except ValueError as error:
        raise _WrongError(f"the message has a value that cannot be hashed: {error}") from error
    if settings.check_hash and not same_hash(_text(message, "Hash", 64), right):
        raise _WrongError("Hash is wrong")
    return right


def _products(message: Mapping[str, object], codes: frozenset[str] | None) -> tuple[Product, ...]:
    listed = message.get("Products")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_PRODUCTS:
        raise _WrongError(f"Products is not a list of 1 to {MAX_PRODUCTS}")
    return tuple(_product(entry, codes) for entry in listed)


def _product(entry: object, codes: frozenset[str] | None) -> Product:
    if not isinstance(entry, dict):
        raise _WrongError("Products holds something that is no object")
    code = _text(entry, "Code", 25)
    if codes is not None:
        _known(code, codes, "product code")
    return Product(
        code=code,
        description=_optional_text(entry, "Description", 100),
        price_minor=_whole(entry, "Price", 0, _MAX_PRICE_MINOR),
        pieces=1 if entry.get("Amount") is None else _whole(entry, "Amount", 1, 999),
    )


def _known(value: str, known: Container[str], what: str) -> str:
    if value not in known:
        raise _WrongError(f"{what} is unknown: {value!r}")
    return value


def _text(values: Mapping[str, object], key: str, most: int) -> str:
    value = values.get(key)
    if not isinstance(value, str) or not value:
        raise _WrongError(f"{key} is missing or no text")
    if len(value) > most:
        raise _WrongError(f"{key} has {len(value)} characters, at most {most} are allowed")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _WrongError(f"{key} has half a character") from error
    return value


def _optional_text(values: Mapping[str, object], key: str, most: int) -> str:
    return _text(values, key, most) if values.get(key) not in (None, "") else ""


def _whole(values: Mapping[str, object], key: str, least: int, most: int) -> int:
    """Read a whole number, also from text: the vendor's servers take both (dossier 2.1)."""
    value = values.get(key)
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _WrongError(f"{key} is no whole number from {least} to {most}")
    return value


def _address(address: str) -> str:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc:
        raise _WrongError("NotificationAddress is no plain http or https address")
    return address

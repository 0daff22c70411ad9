# SPDX-License-Identifier: GPL-3.0-or-later
"""How messages are signed: values joined with ``&``, the secret last, SHA-256, lower-case hex (dossier 3.1)."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Literal

Order = Literal["sorted", "documented"]
"""The two known orders of a request's values: ``sorted`` at points of sale, ``documented`` in web shops."""

Message = Mapping[str, object]

_DOCUMENTED = (
    "ApiVersion",
    "Source",
    "Id",
    "Mode",
    "Office",
    "Action",
    "Description",
    "Products",
    "Email",
    "FirstName",
    "LastName",
    "Language",
    "ReturnAddress",
    "NotificationAddress",
    "SubscriptionCode",
    "SubscriptionPeriod",
    "SubscriptionEnd",
    "PaymentMethod",
    "PaymentInfo",
)
_DOCUMENTED_PRODUCT = ("Code", "Amount", "Price", "Description", "Taxcode")
_ADDRESSES = frozenset({"ReturnAddress", "NotificationAddress"})
_TENDER_SLOTS = ("PaymentMethod", "PaymentSum", "Timestamp", "PaymentDescription", "CardExpiration")


def digest(slots: Iterable[str], secret: str) -> str:
    """Return the hex digest of the slots and the secret, as UTF-8; raise ValueError for lone surrogates."""
    return sha256("&".join((*slots, secret)).encode()).hexdigest()


def request_hash(message: Message, order: Order, secret: str) -> str:
    """Return the hash that a payment request must carry (dossier 3.2); raise ValueError if it cannot have one."""
    slots = _sorted_slots(message) if order == "sorted" else _documented_slots(message)
    return digest(slots, secret)


def message_hash(message: Message, secret: str) -> str:
    """Return the hash of an answer or a report (dossier 3.4).

    Source comes first where it is sent; a Reference of null keeps its slot, a missing one has none; an Action and the
    entries of Payments follow with what they have (3.x).
    """
    slots = [_slot(message["Source"])] if "Source" in message else []
    slots += [_slot(message["Id"]), _slot(message["Status"])]
    if "Reference" in message:
        slots.append(_slot(message["Reference"]))
    if "Action" in message:
        slots.append(_slot(message["Action"]))
    for entry in _objects(message.get("Payments", [])):
        slots += [_slot(entry[key]) for key in _TENDER_SLOTS if entry.get(key) is not None]
    return digest(slots, secret)


def same_hash(one: str, other: str) -> bool:
    """Compare two hashes exactly, in constant time; the protocol writes lower-case hex."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


def _sorted_slots(message: Message) -> Iterator[str]:
    """Yield values in ASCII order of their keys; null leaves an empty slot (dossier 3.3)."""
    for key in sorted(message.keys() - {"Hash"}):
        if key == "Products":
            for product in _objects(message[key]):
                yield from (_slot(_as_hashed(name, product[name])) for name in sorted(product))
        else:
            yield _slot(_as_hashed(key, message[key]))


def _documented_slots(message: Message) -> Iterator[str]:
    """Yield values in the order of the documentation; what is absent or null has no slot (dossier 3.3)."""
    for key in _DOCUMENTED:
        if key == "Products":
            for product in _objects(message.get(key, [])):
                yield from _present(product, _DOCUMENTED_PRODUCT)
        else:
            yield from _present(message, (key,))


def _present(values: Message, keys: Iterable[str]) -> Iterator[str]:
    return (_slot(_as_hashed(key, values[key])) for key in keys if values.get(key) is not None)


def _as_hashed(key: str, value: object) -> object:
    """Drop semicolons and outer blanks, as the server presumably does before it hashes (dossier 2.4, inferred).

    A client that sends them uncleaned and hashes them therefore gets 99, as the Koha authors remark.
    """
    if isinstance(value, str) and key not in _ADDRESSES:
        return value.replace(";", "").strip()
    return value


def _slot(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError("only texts and whole numbers can be hashed")  # noqa: TRY004 - what was sent is wrong
    return str(value)


def _objects(value: object) -> list[dict[str, object]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ValueError("a list of objects is needed here")
    return value

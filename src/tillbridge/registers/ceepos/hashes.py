# SPDX-License-Identifier: GPL-3.0-or-later
"""The strings and SHA-256 digests that prove Ceepos messages (dossier 3).

Every function named ``…_slots`` returns the values of one message in the order in which they are hashed. For one
message and one version of the interface there is exactly one string: values are joined without escaping, so that
trying several would let one message borrow the proof of another (dossier 3.4).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from tillbridge.registers.ceepos.reading import Message, MessageError

Version = tuple[int, ...]
"""A version of the interface, such as ``(2, 1, 2)``."""

NEWEST: Version = (999,)
"""Stand for the newest version: whatever a message may cover is covered."""

WITH_ACTION: Version = (2, 1)
"""From here on a message may have an Action, and an answer that names it covers it (dossier 2.1, 4.1)."""

_DETAILED: Version = (3, 0)
"""From here on the hash covers PaymentExpires and the details of payments (dossier 3.4, inferred)."""

_BEFORE_PRODUCTS = ("ApiVersion", "Source", "Id", "Mode", "Office", "Action", "Description")
_OF_PRODUCT = ("Code", "Amount", "Price", "Description", "Taxcode")
_AFTER_PRODUCTS = (
    *("Email", "FirstName", "LastName", "Language", "ReturnAddress", "NotificationAddress"),
    *("SubscriptionCode", "SubscriptionPeriod", "SubscriptionEnd", "PaymentMethod", "PaymentInfo"),
)
_OF_DELETE = ("ApiVersion", "Source", "Id", "Mode", "Action")
_OF_PAYMENT = ("PaymentMethod", "PaymentSum", "Timestamp", "PaymentDescription", "CardExpiration")


class RequestOrder(StrEnum):
    """Name the two rules for requests; the point of sale is known to use the sorted one (dossier 3.2)."""

    SORTED = "sorted"
    DOCUMENTED = "documented"


def version_of(text: str) -> Version:
    """Read a version such as ``2.1.2``; raise ValueError for anything else."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){1,3}", text):
        raise ValueError(f"not a version such as 2.0 or 3.0.5: {text!r}")
    return tuple(int(part) for part in text.split("."))


def string_of(slots: Iterable[str], secret: str) -> str:
    """Join the slots and the secret to the text that is hashed."""
    return "&".join([*slots, secret])


def digest_of(slots: Iterable[str], secret: str) -> str:
    """Return the SHA-256 of slots and secret as 64 lower-case hexadecimal digits (dossier 3.1)."""
    try:
        return hashlib.sha256(string_of(slots, secret).encode("utf-8")).hexdigest()
    except UnicodeEncodeError as error:
        raise MessageError("a text in it is not valid Unicode") from error


def request_slots(message: Message, order: RequestOrder) -> list[str]:
    """Return the slots of a request by the given rule (dossier 3.2, 3.3)."""
    return list(_sorted_slots(message) if order is RequestOrder.SORTED else _documented_slots(message))


def delete_slots(message: Message) -> list[str]:
    """Return the slots of a request that deletes an unpaid payment (dossier 5)."""
    _demand(message, ("Id", "Action"))
    return list(_present(message, _OF_DELETE))


def response_slots(message: Message, version: Version, *, with_action: bool) -> list[str]:
    """Return the slots of the answer to a request; `with_action` says whether an Action in it is covered.

    Where the Action is covered, a null address or expiry keeps its slot; elsewhere it has none (vectors E5, E13).
    """
    covered = with_action and "Action" in message
    later = ["PaymentAddress", *(["PaymentExpires"] if version >= _DETAILED else [])]
    slots = [*head_slots(message), *_kept(message, ["Action"] if covered else [])]
    return [*slots, *(_kept(message, later) if covered else _present(message, later))]


def report_slots(message: Message, version: Version) -> list[str]:
    """Return the slots of a report, with the details of its payments from 3.0 on (dossier 3.4, 4.2)."""
    if version < _DETAILED:
        return head_slots(message)
    details = [slot for entry in payments_of(message) for slot in _present(entry, _OF_PAYMENT)]
    return [*head_slots(message), *details, *_present(message, ("SubscriptionCode", "LoyaltyCard"))]


def return_slots(message: Message, version: Version) -> list[str]:
    """Return the slots of the parameters with which a browser comes back (dossier 4.3)."""
    details = (*_OF_PAYMENT, "SubscriptionCode") if version >= _DETAILED else ()
    return [*head_slots(message), *_present(message, details)]


def head_slots(message: Message) -> list[str]:
    """Return the slots with which every answer, report and return begins (dossier 3.4)."""
    return [*subject_slots(message), *_kept(message, ("Reference",))]


def subject_slots(message: Message) -> list[str]:
    """Return the first of these: whose payment it is, and what became of it."""
    _demand(message, ("Id", "Status"))
    return [*_present(message, ("Source",)), *_kept(message, ("Id", "Status"))]


def payments_of(message: Message) -> list[Message]:
    """Return the entries of Payments; the message itself where there is no such list (dossier 4.2)."""
    entries = message.get("Payments")
    return [message] if entries is None else _objects(entries, "Payments")


def covers_payments(version: Version) -> bool:
    """Tell whether a report of this version proves the sums in it."""
    return version >= _DETAILED


def _sorted_slots(message: Message) -> Iterator[str]:
    for key in sorted(message.keys() - {"Hash"}):
        if key == "Products" and message[key] is not None:
            for product in _objects(message[key], key):
                yield from _kept(product, sorted(product))
        else:
            yield _slot(message, key)


def _documented_slots(message: Message) -> Iterator[str]:
    yield from _present(message, _BEFORE_PRODUCTS)
    for product in _objects(message.get("Products") or [], "Products"):
        yield from _present(product, _OF_PRODUCT)
    yield from _present(message, _AFTER_PRODUCTS)


def _present(message: Message, keys: Iterable[str]) -> Iterator[str]:
    """Give a slot to what is there and not null."""
    return (_slot(message, key) for key in keys if message.get(key) is not None)


def _kept(message: Message, keys: Iterable[str]) -> Iterator[str]:
    """Give a slot to what is there, an empty one where it is null."""
    return (_slot(message, key) for key in keys if key in message)


def _slot(message: Message, key: str) -> str:
    value = message[key]
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise MessageError(f"{key} is neither text nor a whole number nor null")


def _objects(entries: object, key: str) -> list[Message]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise MessageError(f"{key} is not a list of objects")
    return entries


def _demand(message: Message, keys: Sequence[str]) -> None:
    for key in keys:
        if key not in message:
            raise MessageError(f"{key} is missing")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a register server sends, without trusting it: bounded, strict JSON, no value guessed."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from tillbridge.errors import TillbridgeError

Message = dict[str, object]
"""One message as its JSON says: nothing in it is proven."""

MESSAGE_LIMIT = 1024 * 1024
ID_LIMIT = 100

_STATUS_TEXT = re.compile(r"0|[1-9][0-9]{0,8}")


class MessageError(TillbridgeError):
    """Say in plain words why a message cannot be read or hashed."""


def read_object(raw: bytes) -> Message:
    """Read one JSON object; raise MessageError for anything that two readers could understand differently.

    Refused: more than 1 MiB, bytes that are not UTF-8, a key that stands there twice, NaN and Infinity.
    """
    if len(raw) > MESSAGE_LIMIT:
        raise MessageError(f"it is longer than {MESSAGE_LIMIT} bytes")
    value = _parsed(_decoded(raw))
    if not isinstance(value, dict):
        raise MessageError("it is JSON, but not an object")
    return value


def text_of_id(message: Message) -> str | None:
    """Return the Id as text, or None where it is not one that a payment could have.

    An ``&`` is refused: values are hashed without escaping, so an Id with one could borrow the proof of
    another message (dossier 3.4).
    """
    value = message.get("Id")
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not 0 < len(text) <= ID_LIMIT:
        return None
    return text if text.isprintable() and "&" not in text else None


def status_of(message: Message) -> int | None:
    """Return the Status as a number, or None; text counts only in plain decimal (dossier 4.2)."""
    value = message.get("Status")
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _STATUS_TEXT.fullmatch(value):
        return int(value)
    return None


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MessageError(f"it is not UTF-8 (byte {error.start})") from error


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise MessageError(f"it is not JSON (line {error.lineno}, column {error.colno})") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; a thousandfold nesting
        raise MessageError("it is JSON beyond all measure") from error


def _distinct(pairs: list[tuple[str, object]]) -> Message:
    message: Message = {}
    for key, value in pairs:
        if key in message:
            raise MessageError(f"the key {key[:40]!r} stands there twice")
        message[key] = value
    return message


def _no_number(name: str) -> NoReturn:
    raise MessageError(f"{name} is not JSON")

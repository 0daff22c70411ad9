# SPDX-License-Identifier: GPL-3.0-or-later
"""Read Koha's answers: JSON with exact decimals, and errors in the forms that are Koha's own (dossier 1.4)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from tillbridge.libraries.koha.transport import Reply

_LONGEST_TEXT = 200
_GONE = ("patron not found", "patron not found.")  # 23.05 ends it with a stop, newer versions do not


class Unexpected(Exception):  # noqa: N818 - it names what an answer is, and never leaves this folder
    """Say in what way an answer is not what Koha's interface promises."""


@dataclass(frozen=True, slots=True)
class KohaError:
    """Hold an error in one of Koha's own forms; `rights` are the ones that are missing, `code` may be empty."""

    text: str
    code: str = ""
    rights: tuple[str, ...] = ()
    of_interface: bool = False
    """Whether the REST interface's own layer speaks (body against the schema, no such path)."""

    @property
    def patron_gone(self) -> bool:
        """Tell whether it says that there is no such patron."""
        return self.text.lower() in _GONE


def json_of(reply: Reply) -> Any:
    """Read the body with numbers as int or Decimal, never float; raise Unexpected where it is no JSON."""
    if reply.body is None:
        raise Unexpected("broke off or was too long")
    if not reply.is_json:
        raise Unexpected("is not JSON")
    try:
        return json.loads(reply.body, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Unexpected("is damaged") from error


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def koha_error(reply: Reply) -> KohaError | None:
    """Return the error that Koha itself states, or None where the answer has not Koha's form.

    A page of something between (a proxy, a filter) may stand in for whatever Koha answered, so it proves nothing.
    """
    try:
        said = json_of(reply)
    except Unexpected:
        return None
    match said:
        case {"error": str(text)}:
            return KohaError(_safe(text), _safe(said.get("error_code")), _rights(said))
        case {"errors": [*errors], "status": reply.status} | [*errors] if errors:
            return _of_interface(errors)
        case _:
            return None


def _of_interface(errors: list[Any]) -> KohaError | None:
    texts = []
    for error in errors:
        match error:
            case {"message": str(message), "path": str(path)}:
                texts.append(f"{path}: {message}")
            case _:
                return None
    return KohaError(_safe("; ".join(texts)), of_interface=True)


def _rights(said: dict[str, Any]) -> tuple[str, ...]:
    match said.get("required_permissions"):
        case dict() as needed:
            return rights_of(needed)
        case [*alternatives]:
            return tuple(_safe(str(one)) for one in alternatives[:9])
        case _:
            return ()


def rights_of(needed: dict[str, Any]) -> tuple[str, ...]:
    """Name rights as Koha's own pages do: ``module:part``, or the module where all of it, or any part, will do."""
    return tuple(_right(name, part) for name, part in list(needed.items())[:9])


def _right(name: str, part: object) -> str:
    return _safe(f"{name}:{part}" if isinstance(part, str) else name)


def _safe(text: object) -> str:
    if not isinstance(text, str):
        return ""
    return "".join(sign if sign.isprintable() else " " for sign in text[:_LONGEST_TEXT])


def why_of(reply: Reply) -> str:
    """Say in plain words, fit for a screen, why an answer is not the wished one."""
    error = koha_error(reply)
    if error is None:
        return _why_foreign(reply.status)
    match reply.status:
        case 401:
            return f"Koha does not let the bridge in ({error.text})"
        case 403 if error.rights:
            return f"the bridge's user in Koha lacks the right {' and '.join(error.rights)}: give it there"
        case 403:
            return f"Koha does not accept the user and its password ({error.text})"
        case status:
            return f"Koha answered {status} ({error.text})"


def _why_foreign(status: int) -> str:
    if 300 <= status < 400:  # noqa: PLR2004 - the class of redirects in HTTP
        return f"Koha's address leads elsewhere ({status}): give the address of the staff interface itself"
    return f"the answer ({status}) is not one of Koha's interface: a server in between, or a wrong address"

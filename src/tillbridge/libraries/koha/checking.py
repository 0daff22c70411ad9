# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a Koha before the first customer. Every request reads: a right that is proven by storing is not tried.

What needs proof is a right to read accounts and a right to record credits. Koha asks for both ``borrowers`` and
``updatecharges`` to read an account, and to record a credit for the latter alone (dossier 1.1, measured), so that an
account that may be read proves the right to record. Patron 0 is read, whom no Koha has: rights come first, and a
404 says that they were there.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from tillbridge.certificates import certificate_of
from tillbridge.http_date import instant_of
from tillbridge.libraries.koha.replies import Unexpected, json_of, koha_error, rights_of, why_of
from tillbridge.libraries.koha.transport import NotAsked, Outcome, Reply, Trust, Unanswered
from tillbridge.service.checking_port import (
    DebitTypes,
    Interface,
    NotAllowed,
    PaymentTypes,
    Right,
    ServerTime,
    Tls,
)
from tillbridge.service.library_port import Unavailable

Get = Callable[[str, Mapping[str, str]], Awaitable[Outcome]]

NOBODY = "/api/v1/patrons/0"
_SPECIFICATION = "/api/v1/"
_BRANCHES = "/api/v1/libraries"
_PAYMENT_TYPES = "/api/v1/authorised_value_categories/PAYMENT_TYPE/authorised_values"

EDIT_BORROWERS, CHARGES = "borrowers:edit_borrowers", "updatecharges:remaining_permissions"

_CREDITS = "/patrons/{patron_id}/account/credits"
_NEEDED = (
    ("get", "/patrons"),
    ("get", "/patrons/{patron_id}"),
    ("get", "/patrons/{patron_id}/account"),
    ("get", _CREDITS),
    ("post", _CREDITS),
)

EVERY_KOHA = (
    *("ACCOUNT", "ACCOUNT_RENEW", "ARTICLE_REQUEST", "LOST", "MANUAL", "NEW_CARD", "OVERDUE", "PROCESSING"),
    *("RENT", "RENT_DAILY", "RENT_DAILY_RENEW", "RENT_RENEW", "RESERVE", "RESERVE_EXPIRED"),
)
"""The debit types that Koha is installed with and that patrons come to owe (PAYOUT and VOID are never owed)."""


class KohaServer:
    """Look at the server that Koha's address names."""

    def __init__(self, address: str, trust: Trust, connect_s: float, get: Get) -> None:
        parts = urlsplit(address)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = None if parts.scheme == "http" else _context(trust)
        self._connect_s, self._get = connect_s, get
        self.name = f"{self._host}:{self._port}"

    async def time(self) -> ServerTime | Unavailable:
        """Read the date of any answer."""
        outcome = await self._get(f"{NOBODY}/account", {})
        if not isinstance(outcome, Reply):
            return Unavailable("it does not answer")
        at = instant_of(outcome.date)
        return Unavailable("its answers have no date") if at is None else ServerTime(at)

    async def certificate(self) -> Tls:
        """Look at the certificates that the adapter's connections see."""
        return await certificate_of(self._host, self._port, self._tls, self._connect_s)


class KohaChecks:
    """Implement `LibraryChecks` for one Koha; `get` sends a GET as the bridge's account."""

    def __init__(self, server: KohaServer, get: Get, payment_type: str) -> None:
        self.servers = (server,)
        self._get, self._payment_type = get, payment_type

    async def rights(self) -> tuple[Right, ...] | Unavailable:
        """Try to read the account of nobody, and where that is refused, whether nobody can be read at all."""
        account = await self._may_read(f"{NOBODY}/account")
        if isinstance(account, Unavailable):
            return account
        patron = account or await self._may_read(NOBODY)
        if isinstance(patron, Unavailable):
            return patron
        return (
            Right(EDIT_BORROWERS, "read patrons and what they owe", patron),
            Right(CHARGES, "read what patrons owe, and record payments", account if patron else None),
        )

    async def interface(self) -> Interface | Unavailable:
        """Read Koha's own specification: which routes there are, and which rights recording a credit takes."""
        try:
            match await self._get(_SPECIFICATION, {}):
                case Reply(status=200) as reply:
                    return _interface_of(json_of(reply))
                case outcome:
                    return _unavailable(outcome)
        except Unexpected as unexpected:
            return Unavailable(f"Koha's specification {unexpected}")

    async def debit_types(self) -> DebitTypes | NotAllowed | Unavailable:
        """Return those of every Koha: no version of its REST interface lists debit types."""
        return DebitTypes(EVERY_KOHA, whole=False)

    async def payment_types(self) -> PaymentTypes | NotAllowed | Unavailable:
        """List the authorised values of PAYMENT_TYPE (this takes the right ``catalogue``)."""
        listed = await self._listed(_PAYMENT_TYPES, "value")
        return PaymentTypes(self._payment_type, listed) if isinstance(listed, tuple) else listed

    async def branches(self) -> tuple[str, ...] | NotAllowed | Unavailable:
        """List the codes of Koha's libraries (this takes the right ``catalogue``)."""
        return await self._listed(_BRANCHES, "library_id")

    async def _may_read(self, path: str) -> bool | Unavailable:
        match await self._get(path, {}):
            case Reply(status=404) as reply if (error := koha_error(reply)) and error.patron_gone:
                return True
            case Reply(status=403) as reply if (error := koha_error(reply)) and error.rights:
                return False
            case outcome:
                return _unavailable(outcome)

    async def _listed(self, path: str, field: str) -> tuple[str, ...] | NotAllowed | Unavailable:
        try:
            match await self._get(path, {"_per_page": "-1"}):
                case Reply(status=200) as reply:
                    return _texts_of(reply, field)
                case Reply(status=403) as reply if (error := koha_error(reply)) and error.rights:
                    return NotAllowed(" and ".join(error.rights))
                case outcome:
                    return _unavailable(outcome)
        except Unexpected as unexpected:
            return Unavailable(f"Koha's list {unexpected}")


def _context(trust: Trust) -> ssl.SSLContext:
    return ssl.create_default_context() if trust is True else trust


def _unavailable(outcome: Outcome) -> Unavailable:
    match outcome:
        case NotAsked(why) | Unanswered(why):
            return Unavailable(why)
        case Reply():
            return Unavailable(why_of(outcome))


def _texts_of(reply: Reply, field: str) -> tuple[str, ...]:
    rows = json_of(reply)
    if not isinstance(rows, list) or not all(isinstance(row, dict) and isinstance(row.get(field), str) for row in rows):
        raise Unexpected(f"is none of {field}")
    if reply.total is not None and reply.total != str(len(rows)):
        raise Unexpected("is not whole")
    return tuple(row[field] for row in rows)


def _interface_of(specification: Any) -> Interface:
    match specification:
        case {"paths": dict(paths)}:
            missing = [(method, path) for method, path in _NEEDED if not _operation(paths, method, path)]
            named = tuple(f"{method.upper()} {path}" for method, path in missing)
            return Interface(named, _beyond_what_is_known(_operation(paths, "post", _CREDITS)))
        case _:
            raise Unexpected("names no routes")


def _operation(paths: dict[str, Any], method: str, path: str) -> Any:
    route = paths.get(path)
    return route.get(method) if isinstance(route, dict) else None


def _beyond_what_is_known(operation: Any) -> tuple[str, ...]:
    """Return the rights that this Koha asks for beyond those that reading an account proves.

    A list of permissions means any one of them (dossier 1.1).
    """
    match operation:
        case {"x-koha-authorization": {"permissions": needed}}:
            ways = [way for way in (needed if isinstance(needed, list) else [needed]) if isinstance(way, dict)]
            return min((_unproven(rights_of(way)) for way in ways), key=len, default=())
        case _:
            return ()


def _unproven(rights: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(right for right in rights if right not in (EDIT_BORROWERS, CHARGES))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer the port's questions from one Koha."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tillbridge.errors import WrongSetting
from tillbridge.libraries.koha.access import Access, Basic, Tokens
from tillbridge.libraries.koha.booking import judge
from tillbridge.libraries.koha.checking import NOBODY, KohaChecks, KohaServer
from tillbridge.libraries.koha.plugin import Gone, KohaPlugin
from tillbridge.libraries.koha.replies import Unexpected, json_of, koha_error, why_of
from tillbridge.libraries.koha.settings import Settings
from tillbridge.libraries.koha.transport import NotAsked, Outcome, Reply, Transport, Trust, Unanswered
from tillbridge.libraries.koha.wire import (
    CreditLine,
    charges_of,
    credit_body,
    credit_lines,
    is_id,
    is_name,
    name_query,
    patron_of,
    patrons_of,
    reference_in,
    reference_query,
)
from tillbridge.secret import read_secret
from tillbridge.service.library_port import (
    Abilities,
    BookingAnswer,
    Charge,
    Credit,
    CreditOrder,
    LibrarySystem,
    NoSuchPatron,
    NotRecorded,
    Patron,
    RefundAnswer,
    RefundOrder,
    ReversalAnswer,
    ReversalOrder,
    Unavailable,
)
from tillbridge.surroundings import Surroundings

_PATRONS = "/api/v1/patrons"
_LONGEST_CARD = 100
_MOST_PAGES = 50
_PAGE = 100
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Page:
    lines: dict[int, CreditLine]
    total: int


class KohaLibrary:
    """Be the library system that is this Koha. Keeps nothing between questions but connections and a token."""

    def __init__(self, settings: Settings, transport: Transport, access: Access, trust: Trust) -> None:
        self.currency = settings.currency
        # A token, the credit, and after a 401 both again: each exchange has its own limit.
        self.write_limit_s = transport.limit_s * (4 if access.renews else 1)
        self._payment_type, self._description = settings.payment_type, settings.description
        self._transport, self._access = transport, access
        server = KohaServer(settings.address, trust, settings.connect_s, self._get)
        self.checks = KohaChecks(server, self._get, settings.payment_type)
        payout_type = settings.payout_type or settings.payment_type
        self._plugin = KohaPlugin(self._get, self._post, settings.payment_type, settings.description, payout_type)

    @property
    def abilities(self) -> Abilities:
        """Return what is known of this Koha: the least, unless the plugin is there."""
        return self._plugin.abilities

    async def learn(self) -> Abilities:
        """Ask whether the plugin is there, at most every few minutes."""
        return await self._plugin.learn()

    async def patron_by_card(self, card_number: str) -> Patron | NoSuchPatron | Unavailable:
        """Find the patron with this card number, compared letter by letter: Koha's database ignores case."""
        if not 0 < len(card_number) <= _LONGEST_CARD or not card_number.isprintable():
            return NoSuchPatron()
        found = await self._ask(_PATRONS, {"cardnumber": card_number, "_match": "exact"}, patrons_of)
        if not isinstance(found, tuple):
            return found
        if len(found) > 1:
            return Unavailable("Koha has more than one patron for this card number")
        return next((one for one in found if one.card_number == card_number), NoSuchPatron())

    async def patrons_by_name(self, text: str, limit: int) -> tuple[Patron, ...] | Unavailable:
        """Find patrons by the beginnings of their names; which letters are alike is for Koha's collation to say."""
        name = text.strip(" ")
        if limit < 1 or not is_name(name):
            return ()
        query = {"q": name_query(name), "_order_by": "+surname,+firstname", "_per_page": str(limit)}
        found = await self._ask(_PATRONS, query, patrons_of)
        if isinstance(found, NoSuchPatron):
            return Unavailable("Koha answered for one patron where a list was asked for")
        return found[:limit] if isinstance(found, tuple) else found

    async def patron(self, patron_id: str) -> Patron | NoSuchPatron | Unavailable:
        """Read a patron by Koha's borrowernumber."""
        if not is_id(patron_id):
            return NoSuchPatron()
        found = await self._ask(f"{_PATRONS}/{patron_id}", {}, patron_of)
        if isinstance(found, Patron) and found.patron_id != patron_id:
            return Unavailable("Koha answered with another patron than the one asked for")
        return found

    async def open_charges(self, patron_id: str) -> tuple[Charge, ...] | NoSuchPatron | Unavailable:
        """List the open charges in the order of their ids, which is Koha's order of paying (measured)."""
        if not is_id(patron_id):
            return NoSuchPatron()
        return await self._ask(f"{_PATRONS}/{patron_id}/account", {}, lambda account: charges_of(account, patron_id))

    async def record(self, order: CreditOrder) -> BookingAnswer:
        """Record a credit over a fresh connection; only a 401, which Koha gives before all else, is tried again.

        With the plugin where it is there. What relies on its key is not sent without it: nobody has read the charges.
        """
        if not is_id(order.patron_id):
            return NotRecorded("no patron of Koha has such a number", again=False, patron_gone=True)
        if self._plugin.there and order.shares is not None:
            answer = await self._plugin.record(order)
            if not isinstance(answer, Gone):
                return answer
        if order.keyed:
            return NotRecorded("the plugin is not there any more", again=True)
        return await self._record_by_rest(order)

    async def reverse(self, order: ReversalOrder) -> ReversalAnswer:
        """Take a credit back, which takes the plugin."""
        return await self._plugin.reverse(order)

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        """Give money of a credit back, which takes the plugin."""
        return await self._plugin.refund(order)

    async def _record_by_rest(self, order: CreditOrder) -> BookingAnswer:
        try:
            body = credit_body(order, self._payment_type, self._description)
        except ValueError as error:
            return NotRecorded(f"nothing was sent: {error}", again=False)
        return judge(await self._post(f"{_PATRONS}/{order.patron_id}/account/credits", body), order)

    async def credits_of(
        self, patron_id: str, payment_reference: str
    ) -> tuple[Credit, ...] | NoSuchPatron | Unavailable:
        """Find the credits of a payment. A list that may not be whole is `Unavailable`, never "none"."""
        if not is_id(patron_id):
            return NoSuchPatron()
        if payment_reference.split() != [payment_reference]:
            return Unavailable("a reference is one word")  # it cannot be looked for, which is not "none"
        if self._plugin.there:
            found = await self._plugin.find(patron_id, payment_reference)
            if not isinstance(found, Gone):
                return found
        return await self._credits_by_rest(patron_id, payment_reference)

    async def _credits_by_rest(
        self, patron_id: str, payment_reference: str
    ) -> tuple[Credit, ...] | NoSuchPatron | Unavailable:
        lines: dict[int, CreditLine] = {}
        for number in range(_MOST_PAGES):
            page = await self._page(patron_id, payment_reference, number)
            if not isinstance(page, _Page):
                return page
            if number > 1 and page.lines.keys() <= lines.keys():
                break
            lines |= page.lines
            if len(lines) >= page.total:
                return _matching(lines, payment_reference)
        return Unavailable("Koha's list of credits could not be read to its end")

    async def ping(self) -> str | None:
        """Ask for the account of patron 0, whom no Koha has: log-in and both rights are checked, nothing is read."""
        answer = await self._ask(f"{NOBODY}/account", {}, lambda _: None)
        return answer.why if isinstance(answer, Unavailable) else None

    async def close(self) -> None:
        """Release every connection."""
        await self._transport.close()
        await self._access.close()

    async def _page(self, patron_id: str, reference: str, number: int) -> _Page | NoSuchPatron | Unavailable:
        query = {"q": reference_query(reference), "_per_page": "-1"}
        if number:  # not all came at once: a server that does not know -1
            query |= {"_per_page": str(_PAGE), "_page": str(number), "_order_by": "+account_line_id"}
        outcome = await self._get(f"{_PATRONS}/{patron_id}/account/credits", query)
        return _understood(outcome, lambda listed: _Page(credit_lines(listed, patron_id), _total(outcome)))

    async def _ask(
        self, path: str, query: Mapping[str, str], read: Callable[[Any], _T]
    ) -> _T | NoSuchPatron | Unavailable:
        return _understood(await self._get(path, query), read)

    async def _get(self, path: str, query: Mapping[str, str]) -> Outcome:
        return await self._let_in(lambda who: self._transport.read(path, query, who))

    async def _post(self, path: str, body: bytes) -> Outcome:
        json_type = "application/json; charset=utf-8"
        return await self._let_in(
            lambda who: self._transport.write(path, body, {"Authorization": who, "Content-Type": json_type})
        )

    async def _let_in(self, send: Callable[[str], Awaitable[Outcome]]) -> Outcome:
        who = await self._access.authorization()
        if isinstance(who, NotAsked):
            return who
        outcome = await send(who)
        if not (self._access.renews and _is_turned_away(outcome)):
            return outcome
        who = await self._access.authorization(refused=who)
        return who if isinstance(who, NotAsked) else await send(who)


def _is_turned_away(outcome: Outcome) -> bool:
    return isinstance(outcome, Reply) and outcome.status == 401 and koha_error(outcome) is not None  # noqa: PLR2004 - HTTP


def _understood(outcome: Outcome, read: Callable[[Any], _T]) -> _T | NoSuchPatron | Unavailable:
    match outcome:
        case NotAsked(why) | Unanswered(why):
            return Unavailable(why)
        case Reply(status=200):
            return _read(outcome, read)
        case Reply(status=404) if (error := koha_error(outcome)) and error.patron_gone:
            return NoSuchPatron()
        case Reply():
            return Unavailable(why_of(outcome))


def _read(reply: Reply, read: Callable[[Any], _T]) -> _T | Unavailable:
    try:
        return read(json_of(reply))
    except Unexpected as unexpected:
        return Unavailable(f"Koha's answer {unexpected}")


def _total(outcome: Outcome) -> int:
    text = (outcome.total if isinstance(outcome, Reply) else None) or ""
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - a thousand million credits
        raise Unexpected("does not say how many credits there are")
    return int(text)


def _matching(lines: Mapping[int, CreditLine], payment_reference: str) -> tuple[Credit, ...]:
    ordered = (lines[number] for number in sorted(lines))
    words = ((line, reference_in(line.note, payment_reference)) for line in ordered)
    return tuple(line.as_credit(word) for line, word in words if word is not None)


def connect(settings: Settings, surroundings: Surroundings) -> LibrarySystem:
    """Return the adapter to this Koha; raise SettingsError where its secret or authority cannot be read.

    Nothing is sent yet.
    """
    setting = (surroundings.name, settings.secret_setting)
    secret = read_secret(setting, surroundings.folder, *settings.secret_places)
    trust = _trust(settings, surroundings)
    transport = Transport(settings.address, trust, settings.connect_s, settings.answer_s)
    access: Access
    if settings.client_id is not None:
        access = Tokens(transport, settings.client_id, secret)
    else:
        access = Basic(settings.user or "", secret)
    return KohaLibrary(settings, transport, access, trust)


def _trust(settings: Settings, surroundings: Surroundings) -> Trust:
    if settings.ca_file is None:
        return True  # aiohttp's own context trusts the system's authorities
    path = surroundings.folder / settings.ca_file
    try:
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise WrongSetting(
            (surroundings.name, "ca_file"),
            f"the certificates in {path} cannot be read",
            "Name a file with the authority's certificate in PEM",
        ) from error

# SPDX-License-Identifier: GPL-3.0-or-later
"""Be the peer of a Koha adapter over a real Koha: with a test patron's card, and nothing but the kit's own charges.

What the kit makes it pays again after every check, so that nothing stays owed. Whatever needs a fault, a second
patron, a librarian's hand or more than a little money is skipped. With Tillbridge's plugin in Koha, credits go
through it, and some of the kit's own are taken back, or money of them is given back.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn

from tillbridge.conformance.kit import Failed, Skipped
from tillbridge.conformance.library_peer import Booked, Clerk, LibraryFault, Made, Need, Of, Wanted
from tillbridge.conformance.library_trying import new_reference
from tillbridge.conformance.register_peer import Situation
from tillbridge.conformance.wire import HOST, free_port
from tillbridge.errors import SettingsError
from tillbridge.libraries.koha.adapter import KohaLibrary
from tillbridge.libraries.koha.replies import Unexpected, json_of, why_of
from tillbridge.libraries.koha.transport import Reply
from tillbridge.libraries.koha.wire import amount_text, credit_lines, exact_amount
from tillbridge.service.library_port import CreditOrder, LibrarySystem, Patron, Recorded
from tillbridge.surroundings import Surroundings

MOST_CHARGES, MOST_OWED = 6, Decimal("10.00")
"""How many charges one check may make in a real library, and of which amount."""

_CREATED = 201


@dataclass(slots=True)
class Traces:
    """Hold what the kit has made in the library system, by its ids: charges, credits, and the lines of undoing them."""

    charges: list[str] = field(default_factory=list)
    credits: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)


class LiveKohaPeer:
    """Implement `LibraryPeer` over a real Koha."""

    settings: Mapping[str, Any]
    settings_model: Any
    abilities = None
    """Whether the plugin is in this Koha is for the adapter to say."""

    def __init__(self, adapter: Any, settings: Any, surroundings: Surroundings, branch: str) -> None:
        self._adapter, self._given, self._surroundings = adapter, settings, surroundings
        self.branch, self.currency = branch, str(settings.currency)
        self.settings_model = adapter.Settings
        self.settings = settings.model_dump(exclude_unset=True)
        self.traces = Traces()
        self._own = self._connected(settings)
        self._made: list[LibrarySystem] = []
        self._patron: Patron | None = None
        self._given_out = False
        self._before: frozenset[int] = frozenset()
        self._before_check: frozenset[int] = frozenset()
        self._debits_before: frozenset[str] = frozenset()

    async def begin(self, card_number: str) -> None:
        """Find the test patron; raise SettingsError where there is none, or where anything is owed already."""
        try:
            self._patron = await self._test_patron(card_number)
            await self._own.learn()
            self._before = frozenset(await self._credit_ids(self._patron.patron_id))
            self._debits_before = frozenset(await self._debit_ids(self._patron.patron_id))
        except Failed as failed:
            await self._own.close()
            remedy = "Mend the settings, or the account's rights in Koha"
            raise SettingsError("library", str(failed), remedy) from failed
        except SettingsError:
            await self._own.close()
            raise

    async def end(self) -> None:
        """Pay what is left, write down every credit that the kit has made, and hang up."""
        patron = self._the_patron()
        with contextlib.suppress(Failed):  # what could not be paid is told as left open
            await self.fresh()
        try:
            credit_ids = await self._credit_ids(patron.patron_id)
            self.traces.credits = [str(each) for each in sorted(credit_ids - self._before)]
            new_debits = await self._debit_ids(patron.patron_id) - self._debits_before
            self.traces.undone = sorted(new_debits - set(self.traces.charges), key=int)
            self.traces.open = list(await self._lines(patron.patron_id))
        except Failed as failed:
            self.traces.open = [f"not known ({failed})"]
        await self._own.close()

    def takes(self, *needs: Need) -> None:
        """Give none of them: this is somebody's library system."""
        if needs:
            raise Skipped(needs[0])

    def connect(self, situation: Situation = Situation.USUAL) -> LibrarySystem:
        """Connect an adapter anew, or one to nowhere on this machine."""
        if situation is Situation.QUICK:
            raise Skipped(Need.FAULTS)
        settings = self._given
        if situation is Situation.NOT_THERE:
            settings = settings.model_copy(update={"address": f"http://{HOST}:{free_port()}", "connect_s": 1.0})
        library: LibrarySystem = self._adapter.connect(settings, self._surroundings)
        self._made.append(library)
        return library

    async def fresh(self) -> None:
        """Close every adapter, and pay what the last check has left of the kit's own charges."""
        for library in self._made:
            await library.close()
        self._made.clear()
        self._given_out = False
        patron = self._the_patron()
        left = await self._lines(patron.patron_id)
        if foreign := left.keys() - set(self.traces.charges):
            raise Failed(f"the test patron owes something that the kit has not made: {', '.join(sorted(foreign))}")
        if left:
            await self._pay(patron, left)

    async def patron(self, owed: Sequence[str] = (), wanted: Wanted = Wanted()) -> Made:  # noqa: B008 - frozen
        """Give the test patron, once for each check, with charges that the kit makes."""
        if wanted != Wanted() or self._given_out:
            raise Skipped(Need.PATRONS)
        if len(owed) > MOST_CHARGES or any(Decimal(amount) > MOST_OWED for amount in owed):
            raise Skipped("it takes more charges, or larger ones, than are made in a real library")
        self._given_out, patron = True, self._the_patron()
        self._before_check = frozenset(await self._credit_ids(patron.patron_id))
        charge_ids = [await self.charge(patron.patron_id, amount) for amount in owed]
        return Made(patron.patron_id, patron.card_number, patron.surname, patron.firstname, tuple(charge_ids))

    async def charge(self, patron_id: str, amount: str, description: str = "") -> str:
        """Make a charge over Koha's own interface, with the bridge's own account."""
        facts = {"type": "MANUAL", "description": description or "Tillbridge conformance kit"}
        rest = json.dumps({**facts, "library_id": self.branch}, ensure_ascii=False)
        body = f'{{"amount": {amount_text(Decimal(amount))}, {rest[1:]}'.encode()
        outcome = await self._own._post(f"/api/v1/patrons/{patron_id}/account/debits", body)  # noqa: SLF001 - our way in
        if not isinstance(outcome, Reply) or outcome.status != _CREATED:
            why = why_of(outcome) if isinstance(outcome, Reply) else outcome.why
            raise Skipped(f"Koha makes no charge for the kit: {why}")
        self.traces.charges.append(str(json_of(outcome)["account_line_id"]))
        return self.traces.charges[-1]

    def lay(self, fault: LibraryFault, of: Of, times: int = 1) -> None:
        """Lay nothing."""
        del fault, of, times
        raise Skipped(Need.FAULTS)

    def unlay(self) -> None:
        """Have nothing to forget."""

    async def owed(self, patron_id: str) -> Mapping[str, Decimal]:
        """Read the account with eyes of the kit's own."""
        return await self._lines(patron_id)

    async def booked(self, patron_id: str) -> Sequence[Booked]:
        """Read the credits of this check with eyes of the kit's own."""
        lines = await self._credits(patron_id)
        return [
            Booked(str(number), line.amount, line.unapplied, line.note)
            for number, line in lines.items()
            if number not in self._before_check and not line.void
        ]

    async def given_back(self, patron_id: str) -> Decimal:
        """Read the refunds of this check with eyes of the kit's own."""
        listed = await self._read(f"/api/v1/patrons/{patron_id}/account/credits", {"_per_page": "-1"})
        new = (line for line in listed if line["account_line_id"] not in self._before_check)
        refunds = (line for line in new if line["type"] == "REFUND" and line["status"] != "VOID")
        return sum((-exact_amount(line["amount"]) for line in refunds), Decimal(0))

    async def clerk(self) -> Clerk:
        """Name nobody: the kit knows no librarian here."""
        raise Skipped(Need.CLERK)

    async def void(self, credit_id: str) -> None:
        """Leave voiding to a librarian."""
        _by_hand(credit_id)

    async def grow(self, charge_id: str, by: str) -> None:
        """Leave growing to Koha."""
        _by_hand(charge_id, by)

    async def merge(self, patron_id: str, into: str) -> None:
        """Leave merging to a librarian."""
        _by_hand(patron_id, into)

    async def delete(self, patron_id: str) -> None:
        """Leave deleting to a librarian."""
        _by_hand(patron_id)

    def writes(self) -> int:
        """Count nothing: there is no wire between."""
        raise Skipped(Need.COUNTING)

    def connections(self) -> int:
        """Count nothing: there is no wire between."""
        return int(self.writes())

    async def until_hung_up(self) -> None:
        """See nothing: there is no wire between."""
        raise Skipped(Need.FAULTS)

    async def _test_patron(self, card_number: str) -> Patron:
        found = await self._own.patron_by_card(card_number)
        if not isinstance(found, Patron):
            raise SettingsError("--card", f"Koha does not show this patron: {found}", "Name a test patron's card")
        if await self._lines(found.patron_id):
            what, remedy = "this patron owes something already", "Name a test patron who owes nothing"
            raise SettingsError("--card", what, remedy)
        return found

    def _connected(self, settings: Any) -> KohaLibrary:
        library = self._adapter.connect(settings, self._surroundings)
        assert isinstance(library, KohaLibrary)  # noqa: S101 - this peer is Koha's
        return library

    def _the_patron(self) -> Patron:
        assert self._patron is not None  # noqa: S101 - `begin` comes first
        return self._patron

    async def _pay(self, patron: Patron, left: Mapping[str, Decimal]) -> None:
        reference = new_reference()
        note = f"Tillbridge conformance kit: pays what a check has left {reference}"
        all_ = sum(left.values(), Decimal(0))
        order = CreditOrder(patron.patron_id, self.branch, tuple(left), all_, reference, note, shares=left)
        answer = await self._own.record(order)
        if not isinstance(answer, Recorded):
            raise Failed(f"the kit could not pay its own charges {', '.join(left)}: {answer}")

    async def _lines(self, patron_id: str) -> dict[str, Decimal]:
        account = await self._read(f"/api/v1/patrons/{patron_id}/account", {})
        lines = account["outstanding_debits"]["lines"]
        return {str(line["account_line_id"]): exact_amount(line["amount_outstanding"]) for line in lines}

    async def _credits(self, patron_id: str) -> Mapping[int, Any]:
        listed = await self._read(f"/api/v1/patrons/{patron_id}/account/credits", {"_per_page": "-1"})
        return credit_lines(listed, patron_id)

    async def _credit_ids(self, patron_id: str) -> set[int]:
        return set(await self._credits(patron_id))

    async def _debit_ids(self, patron_id: str) -> set[str]:
        listed = await self._read(f"/api/v1/patrons/{patron_id}/account/debits", {"_per_page": "-1"})
        return {str(line["account_line_id"]) for line in listed}

    async def _read(self, path: str, query: Mapping[str, str]) -> Any:
        outcome = await self._own._get(path, query)  # noqa: SLF001 - our way in
        try:
            if isinstance(outcome, Reply) and outcome.status == 200:  # noqa: PLR2004 - HTTP
                return json_of(outcome)
        except Unexpected as unexpected:
            raise Failed(f"Koha's answer {unexpected}") from unexpected
        raise Failed(why_of(outcome) if isinstance(outcome, Reply) else outcome.why)


def _by_hand(*_: str) -> NoReturn:
    raise Skipped(Need.LIBRARIAN)


@contextlib.asynccontextmanager
async def open_live(
    adapter: Any, settings: Any, surroundings: Surroundings, branch: str, card_number: str
) -> AsyncIterator[LiveKohaPeer]:
    """Open the peer for a test patron, and pay what is left at the end; raise SettingsError."""
    peer = LiveKohaPeer(adapter, settings, surroundings, branch)
    await peer.begin(card_number)
    try:
        yield peer
    finally:
        await peer.end()

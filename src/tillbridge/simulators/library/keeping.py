# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the ledger in a file: nobody is answered before what the answer may rest on is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import TypeAdapter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.facts import Line, Offset, Patron
from tillbridge.simulators.shelf import Change, Kind, Shelf, erased, written

_PATRON = Kind("patron", TypeAdapter(Patron))
_LINE = Kind("line", TypeAdapter(Line))
_OFFSET = Kind("offset", TypeAdapter(Offset))
_LAST_IDS = Kind("last ids", TypeAdapter(tuple[int, int]))


class Keeper:
    """Keep one ledger: patrons, lines and offsets. Faults, tokens, settings and the log are no part of it."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; raise SettingsError where it cannot be used."""
        self._shelf = Shelf(path)
        self._offsets = 0

    def fill(self, book: Book) -> bool:
        """Fill an empty book with what was kept; return False where nothing was."""
        last_ids = self._shelf.all(_LAST_IDS)
        if not last_ids:
            return False
        book.restore(self._shelf.all(_PATRON), self._shelf.all(_LINE), self._shelf.all(_OFFSET), last_ids[0])
        self._offsets = len(book.offsets)
        return True

    def keep(self, book: Book) -> None:
        """Keep what has changed since the last time."""
        if book.touched_patrons or book.touched_lines or len(book.offsets) > self._offsets:
            self._shelf.keep(self._changes(book))
            self._offsets = len(book.offsets)
            book.touched_patrons.clear()
            book.touched_lines.clear()

    def start_again(self) -> None:
        """Forget everything, before a fresh book takes the place of the one before."""
        self._shelf.empty()
        self._offsets = 0

    def close(self) -> None:
        """Let go of the file."""
        self._shelf.close()

    def _changes(self, book: Book) -> Iterator[Change]:
        for patron_id in sorted(book.touched_patrons):
            patron = book.patrons.get(patron_id)
            yield erased(_PATRON, patron_id) if patron is None else written(_PATRON, patron_id, patron)
        for line_id in sorted(book.touched_lines):
            yield written(_LINE, line_id, book.lines[line_id])
        for number, offset in enumerate(book.offsets[self._offsets :], self._offsets):
            yield written(_OFFSET, number, offset)
        yield written(_LAST_IDS, "", book.last_ids)


class Kept:
    """Wrap an application: whatever it has changed is kept before any of its answers begins."""

    def __init__(self, app: ASGIApp, keep: Callable[[], None]) -> None:
        self._app, self._keep = app, keep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, a little later."""

        async def after_keeping(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._keep()
            await send(message)

        await self._app(scope, receive, after_keeping)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the demo library: Koha's routes, the control API and the page."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware

from tillbridge.simulators.dated import Dated
from tillbridge.simulators.library import control, koha, page
from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.keeping import Kept
from tillbridge.simulators.library.library import DemoLibrary
from tillbridge.simulators.library.settings import DemoLibrarySettings


def build_app(
    settings: DemoLibrarySettings | None = None,
    book: Book | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Starlette:
    """Build the application; its memory is at `app.state.library`.

    A `book` that is handed in is used as it is, without staff or seed. `clock` counts seconds for tokens and faults.
    Serve it with `serving`: only that server can cut a connection. Raises SettingsError where the file that the
    settings name for the ledger cannot be used.
    """
    library = DemoLibrary(settings or DemoLibrarySettings(), book, clock)
    dated = Middleware(Dated, now=library.time)
    kept = [] if library.keeper is None else [Middleware(Kept, keep=library.keep)]
    app = Starlette(routes=[koha.mount(), control.mount(), *page.ROUTES], middleware=[*kept, dated])
    app.state.library = library
    return app

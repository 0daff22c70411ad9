# SPDX-License-Identifier: GPL-3.0-or-later
"""The web application over real HTTP, in a world whose till, library system and time the test owns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from support.site import Site, bridge_of
from support.stores import server_in_turn
from support.worlds import Bench, open_bench
from tillbridge.listening import listening_socket
from tillbridge.web.app import make_app
from tillbridge.web.serving import serving


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """A world on one of the two engines, by turns."""
    with open_bench(tmp_path, server_in_turn(request)) as made:
        made.library.add_charge("1", "3")
        made.library.add_charge("2", "4")
        made.library.add_charge("3", "6.005")
        yield made


@pytest.fixture
async def site(bench: Bench) -> AsyncIterator[Site]:
    app = make_app(bridge_of(bench))
    listener = listening_socket("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with serving(app, listener), aiohttp.ClientSession() as session:
        yield Site(bench, address, session, app)

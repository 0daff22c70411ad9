# SPDX-License-Identifier: GPL-3.0-or-later
"""What a demo library with a state file still has when it is started again."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.commands import run, started
from tillbridge.errors import SettingsError
from tillbridge.simulators.library import DemoLibrarySettings, build_app, serving
from tillbridge.simulators.library.facts import ChargeOrder, Side
from tillbridge.simulators.library.library import DemoLibrary


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "library.db"


async def _ask(address: str, method: str, path: str, body: object = None) -> Any:
    async with aiohttp.ClientSession() as http, http.request(method, address + path, json=body) as answer:
        content = await answer.json()
        assert answer.status < 300, content
        return content


def _library(state: Path, *, seeded: bool = True) -> Any:
    return serving(build_app(DemoLibrarySettings(state=state, seeded=seeded)))


async def _everything(address: str) -> Any:
    return [await _ask(address, "GET", f"/control{path}") for path in ("/ledger", "/totals", "/patrons/3/ledger")]


async def test_the_ledger_is_there_again_as_it_was(state: Path) -> None:
    async with _library(state) as address:
        made = await _ask(address, "POST", "/control/patrons", {"cardnumber": "C1", "surname": "Äiti \N{SNOWMAN}"})
        place = f"/control/patrons/{made[0]['patron_id']}"
        (charge,) = await _ask(address, "POST", f"{place}/charges", {"amount": "0.333", "type": "OVERDUE"})
        credit = await _ask(address, "POST", f"{place}/pay", {"amount": "0.300", "note": "kuitti"})
        await _ask(address, "POST", f"/control/credits/{credit['account_line_id']}/void")
        await _ask(address, "POST", f"/control/charges/{charge['account_line_id']}/grow", {"amount": "1"})
        await _ask(address, "POST", f"{place}/merge", {"into": 3})
        await _ask(address, "DELETE", "/control/patrons/2")
        before = await _everything(address)
    async with _library(state) as address:
        assert await _everything(address) == before
        new = await _ask(address, "POST", "/control/patrons", {"cardnumber": "C2", "surname": "Uusi"})
        assert new[0]["patron_id"] == made[0]["patron_id"] + 1, "the number of a patron who is gone is not used again"


def test_half_a_sign_does_not_keep_the_ledger_from_being_kept(state: Path) -> None:
    first = DemoLibrary(DemoLibrarySettings(state=state))
    first.book.charge(2, ChargeOrder(Decimal(1), "MANUAL", "x\ud800"))
    first.close()
    second = DemoLibrary(DemoLibrarySettings(state=state))
    assert second.book.lines_of(2, Side.DEBIT)[-1].description == "x?"
    second.close()


async def test_a_reset_forgets_what_was_kept(state: Path) -> None:
    async with _library(state) as address:
        await _ask(address, "POST", "/control/reset", {"seed": "empty"})
        await _ask(address, "POST", "/control/patrons", {"cardnumber": "C1", "surname": "Uusi"})
    async with _library(state) as address:
        assert (await _ask(address, "GET", "/control/ledger"))["lines"] == []


async def test_nobody_is_shown_what_is_not_kept(state: Path) -> None:
    app = build_app(DemoLibrarySettings(state=state))
    async with serving(app) as address:
        app.state.library.book.remove_patron(2, None)  # as if its own answer were never to come
        await _ask(address, "GET", "/control/totals")
        app.state.library.keeper.close()  # what is not kept by now never will be
        app.state.library.keeper = None
    async with _library(state) as address:
        with pytest.raises(AssertionError, match="no patron 2"):
            await _ask(address, "GET", "/control/patrons/2/ledger")


async def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unable to open"):
        build_app(DemoLibrarySettings(state=tmp_path))


async def test_a_killed_program_comes_back_with_what_it_had(state: Path) -> None:
    command = ("demo-library", "--state", str(state))
    async with started(*command) as program:
        address = (await program.line()).split()[-1]
        await _ask(address, "POST", "/control/faults", {"kind": "answer_lost", "route": "credits"})
        body = {"credit_type": "PAYMENT", "amount": 2.4, "note": "kuitti"}
        headers = {"Authorization": aiohttp.encode_basic_auth("tillbridge", "demo-library")}
        async with aiohttp.ClientSession(headers=headers) as http:
            with suppress(aiohttp.ClientError):
                await http.post(f"{address}/api/v1/patrons/2/account/credits", json=body)
        before = await _everything(address)
        program.process.kill()
        await program.process.wait()
    async with started(*command) as program:
        address = (await program.line()).split()[-1]
        assert await _everything(address) == before
        refused = await run(*command)
        assert (refused.status, len(refused.err.splitlines())) == (2, 1)
        assert "Stop the program that has it open" in refused.err
    assert before[1]["payments_minor"] == 240

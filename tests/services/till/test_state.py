# SPDX-License-Identifier: GPL-3.0-or-later
"""What a till with a state file still has when it is started again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support.commands import run, started
from tillbridge.errors import SettingsError
from tillbridge.simulators.till import Autopilot, TillSettings, running
from tillbridge.simulators.till.book import MOST_REFUSED

if TYPE_CHECKING:
    from pathlib import Path

    from services.till.conftest import Shop, Shops


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "till.db"


async def _stop(shop: Shop) -> None:
    await shop.till.close()


async def test_payments_are_there_again_as_they_were(shops: Shops, state: Path) -> None:
    first = await shops.open(state=state)
    requests = [await first.held(first.request(name)) for name in ("P1", "P2", "P3")]
    await first.act("P1", "accept")
    await first.act("P2", "cancel")
    shown = (await first.ask("GET", "/api/payments")).json
    await _stop(first)
    second = await shops.open(state=state)
    assert (await second.ask("GET", "/api/payments")).json == shown
    await second.act("P3", "accept", {"method": "cash"})
    assert (await second.ask("GET", "/api/totals")).json["collected_minor"] == 500
    await asyncio.gather(*requests, return_exceptions=True)


async def test_no_receipt_number_is_given_away_twice(shops: Shops, state: Path) -> None:
    receipts = []
    for name in ("P1", "P2", "P3"):
        shop = await shops.open(state=state)
        asking = await shop.held(shop.request(name))
        receipts.append((await shop.act(name, "accept"))["receipt_number"])
        await asking
        await _stop(shop)
    assert receipts == ["K000001", "K000002", "K000003"]


async def test_a_report_that_was_due_is_posted_after_the_start(shops: Shops, state: Path) -> None:
    first = await shops.open(state=state)
    first.receiver.gate.clear()
    await first.post(first.request("P1", Mode=1))
    await first.act("P1", "accept")
    await first.receiver.until(1)
    await _stop(first)
    first.receiver.gate.set()
    second = await shops.open(state=state)
    assert [report["Status"] for report in await first.receiver.until(2, "P1")] == [1, 1]
    await second.noted("report")
    await _stop(second)
    third = await shops.open(state=state)
    await third.post(third.request("P2", Mode=1, NotificationAddress=first.receiver.address))
    await third.act("P2", "accept")
    await first.receiver.until(1, "P2")
    assert len(await first.receiver.until(2, "P1")) == 2, "what was delivered is not posted again"


async def test_a_report_that_a_fault_left_out_stays_left_out(shops: Shops, state: Path) -> None:
    first = await shops.open(state=state)
    await first.ask("POST", "/api/faults", {"kind": "report_never"})
    await first.post(first.request("P1", Mode=1))
    await first.act("P1", "accept")
    await _stop(first)
    second = await shops.open(state=state)
    assert second.till.book.to_report == frozenset()


async def test_a_cashier_who_acts_by_himself_finishes_what_waits(shops: Shops, state: Path) -> None:
    first = await shops.open(state=state)
    asking = await first.held(first.request("P1"))
    await _stop(first)
    second = await shops.open(state=state, autopilot=Autopilot("accept", after_s=0.0))
    await second.on_till("P1", "paid")
    await asyncio.gather(asking, return_exceptions=True)


async def test_only_so_many_refused_ones_are_kept(shops: Shops, state: Path) -> None:
    first = await shops.open(state=state)
    for number in range(MOST_REFUSED + 2):
        first.till.take_in(b'{"Id": "P%d"}' % number)
    await _stop(first)
    second = await shops.open(state=state)
    assert next(payment.payment_id for payment in second.till.book) == "P2"
    assert len(list(second.till.book)) == MOST_REFUSED


async def test_a_file_that_is_in_use_or_none_is_refused(shops: Shops, state: Path) -> None:
    await shops.open(state=state)
    settings = TillSettings("KOHA", "secret", {"10": "Kassa 1"}, state=state)
    with pytest.raises(SettingsError, match="locked"):
        async with running(settings):
            pass
    with pytest.raises(SettingsError, match="unable to open"):
        async with running(TillSettings("KOHA", "secret", {"10": "Kassa 1"}, state=state.parent)):
            pass


async def test_a_killed_program_comes_back_with_what_it_had(shop: Shop, state: Path) -> None:
    secret = state.with_name("secret")
    secret.write_text("top_secret\n", encoding="utf-8")
    command = ("till", "--secret-file", str(secret), "--state", str(state))
    async with started(*command) as program:
        shop.address = (await program.line()).split()[-1]
        asking = asyncio.create_task(shop.post(shop.request("P1")))
        await shop.ask("GET", "/api/payments?state=waiting&wait_s=30")
        shown = (await shop.ask("POST", "/api/payments/P1/accept")).json
        program.process.kill()
        await program.process.wait()
    async with started(*command) as program:
        shop.address = (await program.line()).split()[-1]
        assert (await shop.ask("GET", "/api/payments/P1")).json == shown
        refused = await run(*command)
        assert (refused.status, len(refused.err.splitlines())) == (2, 1)
        assert "Stop the program that has it open" in refused.err
    await asyncio.gather(asking, return_exceptions=True)

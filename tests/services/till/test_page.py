# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tillbridge.simulators.till.faults import KINDS

if TYPE_CHECKING:
    from services.till.conftest import Shop

HOSTILE = "<script>alert('1')</script>"


async def test_the_page_shows_waiting_payments_per_till_with_lines_total_and_buttons(shop: Shop) -> None:
    products = [
        {"Code": "1000", "Description": "Myöhästymismaksu", "Price": 250},
        {"Code": "2000", "Description": "Kopio", "Price": 40, "Amount": 3},
    ]
    await shop.post(shop.request("P1", Mode=1, Products=products))
    got = await shop.ask("GET", "/")
    assert got.status == 200
    for part in (
        "Kassa 1",
        "Kassa 2",
        "Virtanen, Matti (A1)",
        "Myöhästymismaksu",
        "3,70 €",
        "1 waiting",
        "3 \N{MULTIPLICATION SIGN} 0,40",
    ):
        assert part in got.text
    for action in ("accept", "cancel"):
        assert f'data-path="/api/payments/P1/{action}"' in got.text
    for method in ("cash", "card", "mixed"):
        assert f'data-order=\'{{"method": "{method}"}}\'' in got.text


async def test_a_finished_payment_shows_its_receipt_and_can_be_taken_back(shop: Shop) -> None:
    await shop.post(shop.request("P1", Mode=1))
    await shop.act("P1", "accept")
    page = (await shop.ask("GET", "/")).text
    assert "Kuitti / Receipt K000001" in page
    assert 'data-path="/api/payments/P1/take-back"' in page
    await shop.act("P1", "take-back")
    page = (await shop.ask("GET", "/")).text
    assert "PALAUTETTU" in page
    assert "/take-back" not in page


async def test_hostile_texts_are_escaped_everywhere(shop: Shop) -> None:
    products = [{"Code": "<i>", "Description": HOSTILE, "Price": 1}]
    for payment_id in ("P1", "P2"):
        await shop.post(shop.request(payment_id, Mode=1, Products=products, Description=HOSTILE))
    await shop.act("P2", "accept")
    await shop.ask("POST", "/api/faults", {"for": HOSTILE, "kind": "html"})
    page = (await shop.ask("GET", "/")).text
    assert HOSTILE not in page
    assert "<i>" not in page
    assert page.count("&lt;script&gt;") >= 4


async def test_the_page_of_one_till_shows_that_till_alone(shop: Shop) -> None:
    await shop.post(shop.request("P1", Mode=1, Office="11"))
    assert "P1" in (await shop.ask("GET", "/?office=11")).text
    assert "P1" not in (await shop.ask("GET", "/?office=10")).text
    unknown = await shop.ask("GET", "/?office=12")
    assert (unknown.status, unknown.headers["location"]) == (307, "/")


async def test_the_board_comes_as_soon_as_something_has_changed(shop: Shop) -> None:
    seen = shop.till.book.version
    board = asyncio.create_task(shop.ask("GET", f"/board?seen={seen}"))
    assert (await shop.ask("GET", "/api/payments")).json == []
    assert not board.done()
    await shop.post(shop.request("P1", Mode=1))
    got = await board
    assert got.status == 200
    assert 'data-version="' in got.text
    assert f'data-version="{seen}"' not in got.text


async def test_the_board_says_after_a_while_that_nothing_has_changed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tillbridge.simulators.till.page._WAIT_S", 0.01)
    assert (await shop.ask("GET", f"/board?seen={shop.till.book.version}")).status == 204


async def test_every_fault_can_be_switched_on_the_page_and_those_that_are_on_are_shown(shop: Shop) -> None:
    await shop.ask("POST", "/api/faults", {"kind": "report_late", "seconds": 7})
    page = (await shop.ask("GET", "/")).text
    for kind in KINDS:
        assert f'<option value="{kind}"' in page
    assert 'data-path="/api/faults/1"' in page


async def test_only_the_newest_payments_fill_the_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tillbridge.simulators.till.page.MOST_WAITING", 1)
    monkeypatch.setattr("tillbridge.simulators.till.page.MOST_FINISHED", 1)
    for payment_id in ("W1", "W2", "D1", "D2"):
        await shop.post(shop.request(payment_id, Mode=1))
    await shop.act("D1", "accept")
    await shop.act("D2", "cancel")
    page = (await shop.ask("GET", "/")).text
    assert ("w-W1" in page, "w-W2" in page) == (True, False)
    assert "1 more wait." in page
    assert page.count('<details class="done"') == 1


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/static/till.js", 200, "text/javascript"),
        ("/static/till.css", 200, "text/css"),
        ("/static/..%2fsettings.py", 404, ""),
        ("/static/settings.py", 404, ""),
    ],
)
async def test_only_the_files_of_the_page_are_served(shop: Shop, path: str, status: int, kind: str) -> None:
    got = await shop.ask("GET", path)
    assert got.status == status
    assert kind in got.headers.get("content-type", "")


async def test_the_page_runs_nothing_but_its_own_script(shop: Shop) -> None:
    got = await shop.ask("GET", "/")
    policy = got.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "top_secret" not in got.text

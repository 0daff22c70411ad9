# SPDX-License-Identifier: GPL-3.0-or-later
"""What the buttons and forms of the till's page do: read from its HTML, and sent as its script sends them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tillbridge.simulators.till as package
from support.pages import Page, Request
from tillbridge.simulators.till.faults import KINDS, Options

if TYPE_CHECKING:
    from services.till.conftest import Got, Shop

SCRIPT = (Path(package.__file__).parent / "static" / "till.js").read_text(encoding="utf-8")
EXAMPLES = {"seconds": ["0", "0.5", "3600"], "minor": ["-1", "250"]}
"""What is typed into the fields that offer no choice."""


async def _page(shop: Shop, path: str = "/") -> Page:
    got = await shop.ask("GET", path)
    assert got.status == 200
    return Page(got.text)


async def _send(shop: Shop, request: Request) -> Got:
    return await shop.ask(request.method, request.path, request.order, Sec_Fetch_Site="same-origin")


@pytest.mark.parametrize(
    ("act", "state", "tender"),
    [
        ("card", "paid", "card"),
        ("cash", "paid", "cash"),
        ("mixed", "paid", "mixed"),
        ("cancel", "cancelled", None),
    ],
)
async def test_each_button_of_a_waiting_payment_ends_it_in_its_way(
    shop: Shop, act: str, state: str, tender: str | None
) -> None:
    await shop.post(shop.request("P1", Mode=1))
    assert (await _send(shop, (await _page(shop)).button(act=act))).status == 200
    shown = (await shop.ask("GET", "/api/payments/P1")).json
    assert (shown["state"], shown["tender"]) == (state, tender)


async def test_each_till_has_the_buttons_of_its_own_payments(shop: Shop) -> None:
    await shop.post(shop.request("P1", Mode=1, Office="10"))
    await shop.post(shop.request("P2", Mode=1, Office="11"))
    for payment_id, office in (("P1", "10"), ("P2", "11")):
        assert (await _send(shop, (await _page(shop, f"/?office={office}")).button(act="card"))).status == 200
        assert (await shop.ask("GET", f"/api/payments/{payment_id}")).json["state"] == "paid"


async def test_what_was_paid_is_taken_back_by_the_button_that_the_board_then_has(shop: Shop) -> None:
    await shop.post(shop.request("P1", Mode=1))
    first = await _page(shop)
    await _send(shop, first.button(act="cash"))
    board = await _page(shop, "/board?seen=0")
    await _send(shop, board.button(path="/api/payments/P1/take-back"))
    assert (await shop.ask("GET", "/api/payments/P1")).json["state"] == "taken_back"
    assert list((await _page(shop)).buttons()) == []
    late = await _send(shop, first.button(act="cash"))
    assert (late.status, bool(late.json["error"])) == (409, True)  # the script shows it


@pytest.mark.parametrize("kind", KINDS)
async def test_each_fault_can_be_switched_on_with_each_option_that_is_offered_and_off_again(
    shop: Shop, kind: str
) -> None:
    form = (await _page(shop)).forms["fault-form"]
    offered = {
        one.option: [choice["value"] for choice in one.choices] or EXAMPLES[one.option]
        for one in form.fields
        if one.option in KINDS[kind].takes
    }
    assert offered.keys() == KINDS[kind].takes
    tries = [{}, {"for": "all"}, {"for": "P1", "times": "2"}]
    tries += [{name: text} for name, texts in offered.items() for text in texts]
    for texts in tries:
        added = await _send(shop, form.filled(kind=kind, **texts))
        assert added.status == 201, added.text
        page = await _page(shop)
        off = page.button(path=f"/api/faults/{added.json['number']}")
        assert (await _send(shop, off)).status == 204
    assert list(shop.till.faults) == []


async def test_a_fault_of_the_form_happens_as_it_was_filled_in(shop: Shop) -> None:
    form = (await _page(shop)).forms["fault-form"]
    await _send(shop, form.filled(kind="status_97", collected="no", unsigned="yes"))
    answer = (await shop.post(shop.request("P1"))).json
    assert (answer["Status"], answer["Hash"]) == (97, None)
    assert (await shop.ask("GET", "/api/payments/P1")).json["state"] == "refused"


async def test_a_field_that_is_left_as_it_is_leaves_the_kind_its_own_way(shop: Shop) -> None:
    request = (await _page(shop)).forms["fault-form"].filled(kind="status_99")
    assert "collected" not in request.order
    assert "times" not in request.order
    shown = (await _send(shop, request)).json
    assert (shown["for"], shown["times"]) == ("next", 1)


async def test_all_faults_are_switched_off_together(shop: Shop) -> None:
    for kind in ("html", "report_twice"):
        await shop.ask("POST", "/api/faults", {"kind": kind})
    assert (await _send(shop, (await _page(shop)).button(path="/api/faults"))).status == 204
    assert list(shop.till.faults) == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not KINDS[kind].takes])
async def test_the_form_offers_no_option_that_a_kind_does_not_take(shop: Shop, kind: str) -> None:
    form = (await _page(shop)).forms["fault-form"]
    assert form.filled(kind=kind).order.keys() == {"kind", "for"}


async def test_every_option_of_a_fault_has_its_field(shop: Shop) -> None:
    form = (await _page(shop)).forms["fault-form"]
    assert {one.option for one in form.fields} - {None} == set(Options.__slots__)
    assert [one["value"] for one in form.field("kind").choices] == list(KINDS)


@pytest.mark.parametrize("do", ["off", "accept", "cancel"])
@pytest.mark.parametrize("method", ["card", "cash", "mixed"])
async def test_the_habit_form_steers_the_autopilot_and_shows_what_it_does(shop: Shop, do: str, method: str) -> None:
    form = (await _page(shop)).forms["habit-form"]
    texts = {"do": do, "method": method, "after_s": "0.5", "spread_s": "2", "cancel_share": "0.25"}
    assert (await _send(shop, form.filled(**texts))).status == 200
    habit = {"do": do, "method": method, "after_s": 0.5, "spread_s": 2, "cancel_share": 0.25}
    assert (await shop.ask("GET", "/api/autopilot")).json == habit
    again = (await _page(shop)).forms["habit-form"].filled()
    assert again.order == habit  # the page offers what is on, so that pressing it once more changes nothing


async def test_the_script_finds_all_that_it_looks_for_in_the_page(shop: Shop) -> None:
    await shop.post(shop.request("P1", Mode=1))
    page = await _page(shop)
    wanted = set(re.findall(r'getElementById\("([\w-]+)"\)', SCRIPT))
    parts = re.findall(r"for \(const part of \[(.+?)\]\)", SCRIPT)[0]
    for part in re.findall(r'"(\w+)"', parts):
        wanted |= {f"{part}-on", f"{part}-now"}
    assert wanted
    assert wanted <= page.ids


async def test_each_key_of_the_script_presses_a_button_that_is_there(shop: Shop) -> None:
    await shop.post(shop.request("P1", Mode=1))
    got = await shop.ask("GET", "/")
    keys = dict(re.findall(r"(\w): \"(\w+)\"", re.findall(r"KEYS = \{(.+?)\}", SCRIPT)[0]))
    assert set(re.findall(r'data-act="(\w+)"', got.text)) == set(keys.values())
    [spoken] = re.findall(r'aria-keyshortcuts="([\w ]+)"', got.text)
    assert spoken.split() == list(keys)

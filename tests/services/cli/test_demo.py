# SPDX-License-Identifier: GPL-3.0-or-later
"""``tillbridge demo`` as a process: what its walk shows, when it says no, and how it stops."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from support.commands import Running, run, started
from support.patience import until
from support.scenes import open_scene
from tillbridge.demo.once import walk_on
from tillbridge.demo.show import told
from tillbridge.demo.stage import Stage, set_stage
from tillbridge.simulators.till.autopilot import Autopilot

KEYS = {
    "agree",
    "currency",
    "collected_minor",
    "till_minor",
    "library_minor",
    "payment",
    "receipt",
    "account_before",
    "account_after",
}
PAYER = "Virtanen, Matti (21000001)"
PAID_IN_PART = {"Sinuhe egyptiläinen": "0.00", "Tuntematon sotilas": "0.00", "Täällä Pohjantähden alla": "17.50"}


async def test_a_walk_as_json_shows_one_payment_over_three_charges_and_ledgers_that_agree(tmp_path: Path) -> None:
    ended = await run("demo", "--once", "--json", environment={"TMPDIR": str(tmp_path), "LC_ALL": "C"})
    assert ended.status == 0
    assert "Traceback" not in ended.err
    shown = json.loads(ended.out)  # standard output is the document alone
    assert shown.keys() == KEYS
    sums = [shown[name] for name in ("collected_minor", "till_minor", "library_minor")]
    assert (shown["agree"], shown["currency"], sums) == (True, "EUR", [1000] * 3)
    payment = shown["payment"]
    assert (payment["collection"], payment["booking"], payment["open_cases"]) == ("paid", "booked", [])
    assert [line["amount_minor"] for line in payment["lines"]] == [240, 20, 740]
    assert payment["note"] == "Näyttelymaksu"
    assert [line["amount_outstanding"] for line in shown["account_before"]] == ["2.40", "0.20", "24.90"]
    debits = [line for line in shown["account_after"] if line["side"] == "debit"]
    assert {line["description"].split(": ")[1]: line["amount_outstanding"] for line in debits} == PAID_IN_PART
    [credit] = [line for line in shown["account_after"] if line["side"] == "credit"]
    assert (credit["amount"], credit["amount_outstanding"]) == ("-10.00", "0.00")
    assert payment["id"] in credit["note"]
    _is_a_right_receipt("\n".join(shown["receipt"]), payment["receipt_number"])
    assert _is_empty(tmp_path), "its folder is left behind"


async def test_a_walk_in_words_tells_the_same() -> None:
    ended = await run("demo", "--once")
    assert (ended.status, "Traceback" in ended.err) == (0, False)
    titles = re.findall(r"^(.+)\n-+$", ended.out, re.MULTILINE)
    assert titles == [
        "The patron's account before",
        "What happened",
        "The till's receipt",
        "The patron's account after",
        "The three ledgers",
    ]
    before, happened, receipt, after, ledgers = re.split(r"^.+\n-+$", ended.out, flags=re.MULTILINE)[1:]
    assert re.findall(r"open +([\d.]+)", before) == ["2.40", "0.20", "24.90"]
    assert "The clerk sends  10.00 to register 10:" in happened
    assert re.findall(r"([\d.]+) of +([\d.]+)", happened) == [("2.40", "2.40"), ("0.20", "0.20"), ("7.40", "24.90")]
    assert "The library system has it, whole, on its own charges." in happened
    _is_a_right_receipt(receipt, "K000001")
    assert re.findall(r"open +([\d.]+)", after) == ["0.00", "0.00", "17.50", "0.00"]
    assert re.findall(r"(till|bridge|library) +10\.00 EUR", ledgers) == ["till", "bridge", "library"]
    assert "They agree." in ledgers


def _is_a_right_receipt(receipt: str, number: str) -> None:
    """Check the borrower with card number, every item with its price, the sum, and letters beyond ASCII."""
    assert PAYER in receipt
    assert f"Kuitti / Receipt {number}" in receipt
    flat = " ".join(receipt.split())
    for item in ("Sinuhe egyptiläinen 2,40", "Tuntematon sotilas 0,20", "Täällä Pohjantähden alla 7,40"):
        assert item in flat
    assert re.search(r"YHTEENSÄ / TOTAL EUR +10,00", receipt)


async def _library_has_more(stage: Stage) -> None:
    async with aiohttp.ClientSession() as http:
        more = {"amount": "0.35", "payment_type": "CEEPOS"}
        assert (await http.post(f"{stage.library}/control/patrons/3/pay", json=more)).status == 201


async def _till_cancels(stage: Stage) -> None:
    async with aiohttp.ClientSession() as http:
        assert (await http.put(f"{stage.till}/api/autopilot", json={"do": "cancel"})).status == 200


async def _credit_is_not_applied(stage: Stage) -> None:
    async with aiohttp.ClientSession() as http:
        fault = {"kind": "credit_201_unapplied"}
        assert (await http.post(f"{stage.library}/control/faults", json=fault)).status == 201


@pytest.mark.parametrize(
    ("disturb", "sums"),
    [(_library_has_more, (1000, 1000, 1035)), (_till_cancels, (0, 0, 0)), (_credit_is_not_applied, (1000, 1000, 1000))],
)
async def test_a_walk_that_does_not_end_well_does_not_agree(
    tmp_path: Path, disturb: Callable[[Stage], Awaitable[None]], sums: tuple[int, int, int]
) -> None:
    async with set_stage(tmp_path, Autopilot("accept")) as stage:
        await disturb(stage)
        outcome = await walk_on(stage)
    assert (outcome.collected_minor, outcome.till_minor, outcome.library_minor) == sums
    assert not outcome.agree
    assert list(told(outcome))[-2].strip() == "THEY DO NOT AGREE."


async def test_a_walk_whose_ledgers_disagree_exits_with_1(tmp_path: Path) -> None:
    """In the same folder a payment of yesterday waits to be booked, of which today's till knows nothing."""
    async with open_scene(tmp_path) as scene:
        payment = await scene.start("21000002")
        await scene.library("POST", "/control/faults", {"kind": "unavailable", "next": "all"})
        await scene.accept(payment["id"])
        waits = await scene.collected(payment["id"], "paid")
        assert waits["booking"] == "due"
    ended = await run("demo", "--once", "--json", "--folder", str(tmp_path))
    assert (ended.status, "Traceback" in ended.err) == (1, False)
    shown = json.loads(ended.out)
    sums = [shown[name] for name in ("collected_minor", "till_minor", "library_minor")]
    assert (shown["agree"], sums) == (False, [1000, 1000, 1435])


async def test_a_walk_that_cannot_begin_says_why_in_one_line(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        payment = await scene.start("21000001")
        await scene.collected(payment["id"], "at_register")
    ended = await run("demo", "--once", "--json", "--folder", str(tmp_path))
    assert (ended.status, ended.out) == (2, "")
    [line] = [line for line in ended.err.splitlines() if not line.startswith("{")]
    assert line.startswith("tillbridge demo: One of these charges is being paid already.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_demo_shows_addresses_that_answer_and_ends_by_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with started("demo", environment={"TMPDIR": str(tmp_path)}) as running, aiohttp.ClientSession() as http:
        text = await _directions(running)
        desk, till, library, bridge = (
            _address(text, what)
            for what in ("Open the desk at", "the till", "the demo library", "The bridge answers at")
        )
        await _signs_in(http, desk, *re.findall(r"sign in as +(\w+) / (\w+)", text)[0])
        assert "Kassa 1" in await _page(http, till)
        assert "Virtanen" in await _page(http, library)
        assert "Tillbridge" in await _page(http, f"{bridge}/openapi.json")
        following = asyncio.create_task(_page(http, f"{till}board?seen=0"))  # as an open page does
        ended = await running.ended(number)
        await asyncio.gather(following, return_exceptions=True)
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    assert _is_empty(tmp_path), "its folder is left behind"


async def test_the_commands_that_the_demo_prints_make_a_payment_and_its_end_cuts_one_that_waits_off(
    tmp_path: Path,
) -> None:
    async with started("demo", "--folder", str(tmp_path)) as running, aiohttp.ClientSession() as http:
        text = await _directions(running)
        till = _address(text, "the till")
        whole, part = re.findall(r"^  \S*tillbridge (pay .+?)   ", text, re.MULTILINE)
        paying = asyncio.create_task(run(*shlex.split(part)))
        await _press(http, till, "accept")
        paid = await paying
        assert (paid.status, paid.err) == (0, "")
        assert "Take 5.00 EUR at register 10." in paid.out
        paying = asyncio.create_task(run(*shlex.split(whole)))
        await _waiting(http, till)
        ended = await running.ended(signal.SIGINT)
        assert (ended.status, "Traceback" in ended.err) == (0, False)
        paying.cancel()
        await asyncio.gather(paying, return_exceptions=True)


def _is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


async def _directions(running: Running) -> str:
    text = ""
    while "Stop with Ctrl-C." not in text:
        line = await running.line()
        assert line, "it has ended"
        text += line
    return text


def _address(text: str, what: str) -> str:
    found = re.search(rf"{what} +(http://127\.0\.0\.1:\d+/?)", text)
    assert found, text
    return found[1]


async def _signs_in(http: aiohttp.ClientSession, desk: str, name: str, password: str) -> None:
    form = {"name": name, "password": password, "next": "/"}
    async with http.post(f"{desk}sign-in", data=form, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        assert "tillbridge_session" in answer.cookies


async def _page(http: aiohttp.ClientSession, address: str) -> str:
    async with http.get(address) as answer:
        assert answer.status == 200
        return await answer.text()


async def _waiting(http: aiohttp.ClientSession, till: str) -> str:
    """Wait until a payment waits at register 10, and return its id."""

    async def look() -> str | None:
        async with http.get(f"{till}api/payments?office=10&state=waiting") as answer:
            waiting = await answer.json()
        return str(waiting[0]["id"]) if waiting else None

    return await until(look)


async def _press(http: aiohttp.ClientSession, till: str, button: str) -> None:
    payment_id = await _waiting(http, till)
    assert (await http.post(f"{till}api/payments/{payment_id}/{button}")).status == 200

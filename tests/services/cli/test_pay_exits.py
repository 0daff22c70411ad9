# SPDX-License-Identifier: GPL-3.0-or-later
"""``tillbridge pay`` as a process: how each way that a payment can end is told, and with which exit status."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.commands import Ended, run, started
from support.patience import until
from support.scenes import Ledgers, Scene, open_scene

ORDER = ("--branch", "CPL", "--register", "10", "--clerk", "anna")
DO_NOT_TAKE_IT_AGAIN = "No one knows what became of it at the till. Do not take the money again."


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path) as made:
        yield made


@dataclass(frozen=True)
class Row:
    """Say what the cashier does and what is broken; then the exit status, the words, and what is taken and booked."""

    status: int
    words: str
    taken: tuple[int, int]
    cashier: str | None = None
    options: Sequence[str] = ()
    till_fault: dict[str, Any] = field(default_factory=dict)
    library_fault: dict[str, Any] = field(default_factory=dict)


ROWS = {
    "paid and booked": Row(0, "The library system has it, whole", (700, 700), "accept"),
    "a part": Row(0, "Take 5.00 EUR at register 10.", (500, 500), "accept", ["--sum", "5.00"]),
    "a part, the Finnish way": Row(0, "Take 5.00 EUR at register 10.", (500, 500), "accept", ["--sum", "5,00"]),
    "one charge": Row(0, "Take 4.00 EUR at register 10.", (400, 400), "accept", ["--charge", "{second}"]),
    "two charges and a note": Row(
        0, "Take 7.00", (700, 700), "accept", ["--charge", "{first}", "--charge", "{second}", "--note", "ääkkösiä"]
    ),
    "cancelled": Row(1, "The till says: not paid", (0, 0), "cancel"),
    "refused by the till": Row(1, "refused the message", (0, 0), till_fault={"kind": "status_99"}),
    "no answer of the till": Row(3, DO_NOT_TAKE_IT_AGAIN, (0, 0), till_fault={"kind": "http_500"}),
    "paid, and the credit is not applied": Row(
        3, "A person must act", (700, 700), "accept", library_fault={"kind": "credit_201_unapplied"}
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_each_end_of_a_payment_has_its_exit_status_and_words(scene: Scene, row: Row) -> None:
    if row.till_fault:
        await scene.fault(**row.till_fault)
    if row.library_fault:
        await scene.library("POST", "/control/faults", row.library_fault)
    card, charges = await scene.patron("3.00", "4.00")
    ended, payment_id = await _pay(scene, card, row.cashier, *_named(row.options, charges))
    assert (ended.status, ended.err) == (row.status, "")
    assert row.words in ended.out
    assert payment_id in ended.out
    ledgers = await scene.ledgers()
    assert (ledgers.till, ledgers.library) == row.taken


DECLINED = {
    "an unknown card": (["--card", "C999999"], "knows no patron with this card number"),
    "a sum that is none": (["--sum", "five"], "five"),
    "a fraction of a cent": (["--sum", "5.001"], "5.001"),
    "more than is owed": (["--sum", "7.01"], "owed_minor: 700"),
    "nothing": (["--sum", "0"], "sum_minor"),
    "a charge of somebody else": (["--charge", "999"], "The charges have changed"),
    "an unknown branch": (["--branch", "XXX"], "branch"),
    "an unknown register": (["--register", "99"], "register"),
    "no settings": (["--settings", "nowhere.toml"], "nowhere.toml: there is no such file"),
}


@pytest.mark.parametrize(("options", "words"), DECLINED.values(), ids=DECLINED)
async def test_what_the_bridge_declines_is_exit_2_in_one_line_and_nothing_is_sent(
    scene: Scene, options: list[str], words: str
) -> None:
    card, _ = await scene.patron("3.00", "4.00")
    ended = await run("pay", "--settings", str(scene.stage.settings), "--card", card, *ORDER, *options)
    assert (ended.status, ended.out) == (2, "")
    [line] = ended.err.splitlines()
    assert line.startswith("tillbridge pay: ")
    assert words in line
    assert await scene.till("GET", "/api/payments") == []


async def test_a_wrong_key_is_declined(scene: Scene) -> None:
    card, _ = await scene.patron("3.00")
    scene.stage.settings.with_name("wrong-key").write_text("guessed")
    wrong = scene.stage.settings.with_name("wrong.toml")
    wrong.write_text(scene.stage.settings.read_text().replace("secrets/api-key", "wrong-key"))
    ended = await run("pay", "--settings", str(wrong), "--card", card, *ORDER)
    assert (ended.status, ended.out) == (2, "")
    assert "guessed" not in ended.err


async def test_charges_that_another_payment_holds_are_declined_and_the_other_one_is_named(scene: Scene) -> None:
    card, _ = await scene.patron("3.00")
    first = await scene.start(card)
    ended = await run("pay", "--settings", str(scene.stage.settings), "--card", card, *ORDER)
    assert (ended.status, ended.out) == (2, "")
    assert str(first["id"]) in ended.err


async def test_json_is_one_document_on_standard_output_and_remarks_are_beside_it(scene: Scene) -> None:
    card, _ = await scene.patron("3.00", status="UNRETURNED", text="Myöhästymismaksu")
    ended, payment_id = await _pay(scene, card, "accept", "--json")
    assert ended.status == 0
    shown = json.loads(ended.out)
    assert (shown["id"], shown["booking"]) == (payment_id, "booked")
    assert shown["lines"][0]["description"] == "Myöhästymismaksu"
    [remark] = ended.err.splitlines()
    assert "renewed" in remark
    assert await scene.ledgers() == Ledgers(till=300, bridge=300, library=300)


async def _pay(scene: Scene, card: str, cashier: str | None, *options: str) -> tuple[Ended, str]:
    """Run the command, and let the cashier act once the payment waits at the till."""
    paying = asyncio.create_task(run("pay", "--settings", str(scene.stage.settings), "--card", card, *ORDER, *options))
    payment_id = await until(lambda: _at_the_till(scene))
    scene.started.append(payment_id)
    if cashier is not None:
        await scene.till("POST", f"/api/payments/{payment_id}/{cashier}")
    return await paying, payment_id


async def _at_the_till(scene: Scene) -> str | None:
    payments = await scene.till("GET", "/api/payments")
    return payments[-1]["id"] if payments else None


def _named(options: Sequence[str], charges: Sequence[str]) -> list[str]:
    first, second = charges
    return [option.replace("{first}", first).replace("{second}", second) for option in options]


async def test_who_stops_waiting_is_not_told_that_nothing_was_paid(scene: Scene) -> None:
    card, _ = await scene.patron("3.00")
    async with started("pay", "--settings", str(scene.stage.settings), "--card", card, *ORDER) as paying:
        await until(lambda: _at_the_till(scene))
        ended = await paying.ended(signal.SIGINT)
    assert ended.status == 3
    assert "Do not take the money again" in ended.err

# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of ``tillbridge serve``, with real adapters: one id from the click to the booking, and no name."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tillbridge.bridge_client import BridgeClient
from tillbridge.demo.setup import HOST
from tillbridge.demo.stage import Scenery, set_scenery
from tillbridge.listening import listening_socket
from tillbridge.simulators.till.autopilot import Autopilot

SERVE = "from tillbridge.cli import app; app()"
CARD, NAMES = "21000001", ("Virtanen", "Matti")
ORDER: dict[str, object] = {
    "card_number": CARD,
    "branch": "CPL",
    "register": "10",
    "clerk": "Anna Kassanen",
    "note": "a note for the payment",
}
EXCHANGES = [
    *(("library", "patron_by_card", "patron"), ("library", "open_charges", "list")),
    *(("register_server.demo", "read_report", "report"), ("register_server.demo", "judge_report", "paid")),
    *(("register_server.demo", "send", "paid"), ("library", "open_charges", "list")),
    ("library", "record", "recorded"),
]


@asynccontextmanager
async def scenery(folder: Path) -> AsyncIterator[Scenery]:
    with listening_socket(HOST, 0) as free:
        port = free.getsockname()[1]
    async with set_scenery(folder, port, autopilot=Autopilot("accept", 0.0)) as made:
        yield made


@asynccontextmanager
async def serving(settings: Path, *more: str) -> AsyncIterator[list[str]]:
    """Run the command; the log is there when the block has ended."""
    log: list[str] = []
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-c", SERVE, "serve", "--settings", str(settings), *more)
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    try:
        assert b"listens" in await process.stdout.readline()
        yield log
    finally:
        process.terminate()
        _, written = await process.communicate()
    assert process.returncode == 0
    log += written.decode().splitlines()


async def pay(scene: Scenery) -> str:
    async with BridgeClient(scene.address, scene.api_key) as client:
        payment = await client.start(ORDER)
        last = [seen async for seen in client.follow(str(payment["id"]))][-1]
    assert last["booking"] == "booked"
    return str(payment["id"])


def secrets_of(scene: Scenery) -> list[str]:
    return [path.read_text().strip() for path in (scene.settings.parent / "secrets").iterdir()]


async def test_a_payment_can_be_followed_through_the_log_and_nobody_is_named(tmp_path: Path) -> None:
    async with scenery(tmp_path) as scene:
        async with serving(scene.settings, "--log-level", "debug") as log:
            payment_id = await pay(scene)
        private = (CARD, *NAMES, *secrets_of(scene), "Anna", "a note", "Authorization")
    lines: list[dict[str, Any]] = [json.loads(line) for line in log]
    click = next(line for line in lines if line["event"] == "request" and line["method"] == "POST")
    ours = [line for line in lines if payment_id in (line.get("payment_id"), click["payment_id"])]
    told = [line for line in ours if line["event"] == "payment"]
    assert (told[0]["kind"], told[-1]["kind"]) == ("created", "booking_confirmed")
    assert {line["payment_id"] for line in told} == {payment_id}
    assert told[0]["request_id"] == click["request_id"]
    # What the library system can do is asked for once, at the start, for no payment.
    exchanges = [line for line in lines if line["event"] == "exchange" and line["method"] != "learn"]
    assert {(line["part"], line["method"], line["answer"]) for line in exchanges} == set(EXCHANGES)
    # What was asked before the payment had its id is bound to the click, the rest to the payment.
    assert all(payment_id == line.get("payment_id") or line["request_id"] for line in exchanges)
    assert [words for words in private if words in "\n".join(log)] == []


async def test_without_being_asked_the_exchanges_are_not_in_the_log(tmp_path: Path) -> None:
    async with scenery(tmp_path) as scene, serving(scene.settings) as log:
        await pay(scene)
    events = {json.loads(line)["event"] for line in log}
    assert events == {"payment", "request"}

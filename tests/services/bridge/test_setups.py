# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which a bridge and a register server can be set up to speak with each other, with real parts."""

from __future__ import annotations

import itertools
import json
import ssl
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest
import trustme

from support.patience import until
from support.scenes import Ledgers, Scene, open_scene
from tillbridge.demo.setup import Https, Setup
from tillbridge.simulators.till.server import Tls
from tillbridge.simulators.till.settings import ApiVersion
from tillbridge.simulators.till.wire import Order

MODES: tuple[Literal[1, 2], ...] = (1, 2)
VERSIONS: tuple[ApiVersion, ...] = ("2.0", "3.0")
ORDERS: tuple[Order, ...] = ("sorted", "documented")
SETUPS = [Setup(*choice) for choice in itertools.product(MODES, VERSIONS, ORDERS)]


def _named(setup: Setup) -> str:
    return f"mode {setup.mode}, {setup.api_version}, {setup.order}"


@pytest.mark.parametrize("setup", SETUPS, ids=_named)
async def test_in_every_setup_a_payment_is_paid_cancelled_or_taken_back_and_the_ledgers_agree(
    tmp_path: Path, setup: Setup
) -> None:
    async with open_scene(tmp_path, setup=setup) as scene:
        await _paid(scene)
        await _cancelled(scene)
        await _taken_back(scene)
        assert await scene.ledgers() == Ledgers(till=500, bridge=500, library=500)
        await _spoke_as_set_up(scene, setup)


async def test_over_https_with_a_client_certificate_a_payment_is_booked_and_a_stranger_is_not_let_in(
    tmp_path: Path,
) -> None:
    https = _https(tmp_path)
    async with open_scene(tmp_path, setup=Setup(https=https)) as scene:
        assert scene.stage.till.startswith("https://")
        await _paid(scene)
        await _cancelled(scene)
        assert await scene.ledgers() == Ledgers(till=500, bridge=500, library=500)
        async with aiohttp.ClientSession() as stranger:
            with pytest.raises(aiohttp.ClientError):
                await stranger.get(f"{scene.stage.till}/api/totals", ssl=_without_certificate(https))


async def _paid(scene: Scene) -> None:
    card, _ = await scene.patron("3.00", "4.00")
    payment = await scene.start(card, sum_minor=500)
    await scene.collected(payment["id"], "at_register")
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"])
    assert (done["collection"], done["decided_by"], done["open_cases"]) == ("paid", "till", [])
    assert await scene.owed(done["patron_id"]) == ["0.00", "2.00"]


async def _cancelled(scene: Scene) -> None:
    card, _ = await scene.patron("2.00")
    payment = await scene.start(card)
    await scene.collected(payment["id"], "at_register")
    await scene.cancel(payment["id"])
    done = await scene.collected(payment["id"], "cancelled")
    assert (done["decided_by"], done["booking"], done["open_cases"]) == ("till", "none", [])
    assert await scene.owed(done["patron_id"]) == ["2.00"]


async def _taken_back(scene: Scene) -> None:
    card, _ = await scene.patron("1.00")
    payment = await scene.start(card)
    await scene.accept(payment["id"])
    await scene.booked(payment["id"])
    await scene.take_back(payment["id"])
    due = await scene.booked(payment["id"], "reversal_due")
    assert due["collection"] == "reversed"
    assert [case["kind"] for case in await scene.cases(due)] == ["void_by_hand"]
    [credit] = await scene.credits(due["patron_id"])
    await scene.library("POST", f"/control/credits/{credit['account_line_id']}/void")
    await scene.decide(due, "look")
    assert (await scene.booked(payment["id"], "reversed"))["open_cases"] == []


async def _spoke_as_set_up(scene: Scene, setup: Setup) -> None:
    """Check that the till was asked in that way, once for each payment, and that its reports were taken."""
    notes = await scene.till("GET", "/api/messages")
    requests = [json.loads(note["body"]) for note in notes if note["kind"] == "request"]
    assert {(message["Mode"], message["ApiVersion"]) for message in requests} == {(setup.mode, setup.api_version)}
    assert [message["Id"] for message in requests] == scene.started
    reports = await _reports(scene)
    assert {note["http_status"] for note in reports} == {200}
    assert {"Payments" in json.loads(note["body"]) for note in reports} == {setup.api_version == "3.0"}


async def _reports(scene: Scene) -> list[dict[str, Any]]:
    """Wait for the four reports: paid, cancelled, and paid and taken back."""

    async def look() -> list[dict[str, Any]] | None:
        notes = await scene.till("GET", "/api/messages")
        reports = [note for note in notes if note["kind"] == "report"]
        return reports if len(reports) == 4 else None

    return await until(look)


def _https(folder: Path) -> Https:
    """Issue what either end shows, by one authority that both trust."""
    authority = trustme.CA()
    files = {name: folder / f"{name}.pem" for name in ("ca", "chain", "key", "client")}
    authority.cert_pem.write_to_path(files["ca"])
    server = authority.issue_cert("127.0.0.1")
    server.cert_chain_pems[0].write_to_path(files["chain"])
    server.private_key_pem.write_to_path(files["key"])
    authority.issue_cert("bridge.example").private_key_and_cert_chain_pem.write_to_path(files["client"])
    return Https(Tls(files["chain"], files["key"], files["ca"]), files["ca"], files["client"])


def _without_certificate(https: Https) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=https.ca)

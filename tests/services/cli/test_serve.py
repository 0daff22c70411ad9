# SPDX-License-Identifier: GPL-3.0-or-later
"""``tillbridge serve`` as a process: it listens, keeps what it stored, and stops when told to, or says why not."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from support.commands import Ended, Running, run, started
from support.patience import until
from tillbridge.bridge_client import BridgeClient, Json
from tillbridge.demo.setup import HOST
from tillbridge.demo.stage import Scenery, set_scenery
from tillbridge.listening import listening_socket

CARD = "21000001"
ORDER: Json = {"card_number": CARD, "branch": "CPL", "register": "10", "clerk": "anna"}


@pytest.fixture
async def scenery(tmp_path: Path) -> AsyncIterator[Scenery]:
    async with set_scenery(tmp_path, _free_port()) as made:
        yield made


@contextlib.asynccontextmanager
async def _serving(scenery: Scenery) -> AsyncIterator[tuple[Running, BridgeClient]]:
    async with started("serve", "--settings", str(scenery.settings)) as running:
        assert await running.line() == f"tillbridge listens on {scenery.address}\n"
        async with BridgeClient(scenery.address, scenery.api_key) as client:
            yield running, client


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_a_signal_and_ends_well(scenery: Scenery, number: signal.Signals) -> None:
    async with _serving(scenery) as (running, client):
        payment = await client.start(ORDER)
        await _press(scenery, payment, "accept")
        done = [seen async for seen in client.follow(str(payment["id"]))][-1]
        assert (done["collection"], done["booking"]) == ("paid", "booked")
        assert _is_well(await running.ended(number))


async def test_what_waited_at_the_till_when_it_was_stopped_is_unknown_when_it_is_started_again(
    scenery: Scenery,
) -> None:
    async with _serving(scenery) as (running, client):
        payment = await client.start(ORDER)
        await _collected(client, payment, "at_register")
        assert _is_well(await running.ended(signal.SIGTERM))
    async with _serving(scenery) as (running, client):
        kept = await client.payment(str(payment["id"]))
        assert kept["lines"] == payment["lines"]
        unknown = await _collected(client, payment, "unknown")
        assert unknown["booking"] == "none"
        assert _is_well(await running.ended(signal.SIGTERM))


async def test_a_port_that_is_taken_is_said_and_nothing_is_begun(scenery: Scenery) -> None:
    with socket.create_server((HOST, scenery.port)):
        ended = await run("serve", "--settings", str(scenery.settings))
    assert _why(ended).startswith(
        f"{scenery.settings}, line 4: {HOST}:{scenery.port} cannot be listened on (Address already in use). "
    )
    assert not (scenery.settings.parent / "tillbridge.db").exists()


async def test_a_database_that_another_bridge_has_is_left_to_it(scenery: Scenery) -> None:
    second = scenery.settings.with_name("second.toml")
    second.write_text(scenery.settings.read_text().replace(f"port = {scenery.port}", "port = 0"))
    async with _serving(scenery) as (running, client):
        assert "tillbridge.db" in _why(await run("serve", "--settings", str(second)))
        assert (await client.start(ORDER))["collection"] == "created"
        assert _is_well(await running.ended(signal.SIGTERM))


def _spoil(old: str, new: str) -> Callable[[Path], object]:
    return lambda settings: settings.write_text(settings.read_text().replace(old, new))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no file": (Path.unlink, "tillbridge.toml: there is no such file"),
    "no TOML": (_spoil('kind = "koha"', "kind = "), "tillbridge.toml: this is not valid TOML"),
    "a slip of the pen": (_spoil("api_key_file", "apikey_file"), "tillbridge.toml, line 7: bridge.apikey_file"),
    "a kind that is none": (_spoil('"ceepos"', '"abacus"'), "tillbridge.toml, line 18: register_server.demo.kind"),
    "a mode that is none": (_spoil("mode = 2", "mode = 3"), "tillbridge.toml, line 22: register_server.demo.mode"),
    "no secret": (lambda path: (path.parent / "secrets/ceepos").unlink(), "secrets/ceepos cannot be read"),
    "no key for programs": (lambda path: (path.parent / "secrets/api-key").write_text(""), "the secret is empty"),
    "no product map": (lambda path: (path.parent / "products.yaml").unlink(), "products.yaml"),
}


@pytest.mark.parametrize(("spoil", "why"), BROKEN.values(), ids=BROKEN)
async def test_settings_that_cannot_be_used_are_named_with_the_line_and_the_remedy(
    scenery: Scenery, spoil: Callable[[Path], object], why: str
) -> None:
    spoil(scenery.settings)
    ended = await run("serve", "--settings", str(scenery.settings))
    assert why in _why(ended)
    assert scenery.api_key not in ended.err


def _is_well(ended: Ended) -> bool:
    return (ended.status, ended.out, "Traceback" in ended.err) == (0, "", False)


def _why(ended: Ended) -> str:
    """Return what was said by a program that could not begin: one line, and no more."""
    assert (ended.status, ended.out) == (2, ""), ended.err
    [line] = ended.err.splitlines()
    return line.removeprefix("tillbridge serve: ")


def _free_port() -> int:
    with listening_socket(HOST, 0) as free:
        return int(free.getsockname()[1])


async def _collected(client: BridgeClient, payment: Json, state: str) -> Json:
    async def look() -> Json | None:
        seen = await client.payment(str(payment["id"]))
        return seen if seen["collection"] == state else None

    return await until(look)


async def _press(scenery: Scenery, payment: Json, button: str) -> None:
    async with aiohttp.ClientSession() as http:
        address = f"{scenery.till}/api/payments/{payment['id']}/{button}"

        async def look() -> bool | None:
            return True if (await http.post(address)).status == 200 else None

        await until(look)

# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ast
import asyncio
import os
import signal
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
import trustme
import typer.main

import tillbridge.simulators.till as package
from support.patience import PATIENCE_S
from tillbridge.simulators.till.api import Api
from tillbridge.simulators.till.cli import till
from tillbridge.simulators.till.faults import KINDS, Options
from tillbridge.simulators.till.server import running
from tillbridge.simulators.till.settings import TillSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.till.conftest import Shop

_PACKAGE = Path(package.__file__).parent
_ROOT = Path(__file__).parents[3]
_GUIDE = _ROOT / "docs" / "how-to" / "try-the-till.md"
_FORBIDDEN = ("tillbridge.registers", "tillbridge.service", "tillbridge.domain")
_COMMAND = (sys.executable, "-m", "tillbridge.simulators.till")


@asynccontextmanager
async def _started(secret: Path, *options: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Start the command, hand out the address that it prints, and make sure that it has ended."""
    process = await asyncio.create_subprocess_exec(
        *_COMMAND,
        "--secret-file",
        str(secret),
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(_ROOT / "src")},
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        line = (await process.stdout.readline()).decode()
        try:
            yield line.split()[-1] if line else "", process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("top_secret\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_quietly_although_requests_are_held(shop: Shop, secret: Path, number: int) -> None:
    async with _started(secret, "--office", "10=Kassa 1") as (address, process):
        shop.address = address
        held = asyncio.create_task(shop.post(shop.request("P1")))
        await shop.ask("GET", "/api/payments?state=waiting&wait_s=30")
        board = asyncio.create_task(shop.ask("GET", "/api/messages?after=99&wait_s=30"))
        await shop.ask("GET", "/api/payments")
        process.send_signal(number)
        # A line on standard error would tell that the server had to give up waiting.
        out, err = await process.communicate()
        assert (process.returncode, out, err) == (0, b"", b"")
        with pytest.raises(aiohttp.ClientConnectionError):
            await held
        await asyncio.gather(board, return_exceptions=True)


async def test_https_with_client_certificates_lets_only_their_holders_in(shop: Shop, secret: Path) -> None:
    ca = trustme.CA()
    files = {name: secret.with_name(name) for name in ("chain.pem", "key.pem", "ca.pem", "client.pem")}
    server, client = ca.issue_cert("127.0.0.1"), ca.issue_cert("bridge@example.org")
    server.cert_chain_pems[0].write_to_path(files["chain.pem"])
    server.private_key_pem.write_to_path(files["key.pem"])
    ca.cert_pem.write_to_path(files["ca.pem"])
    client.private_key_and_cert_chain_pem.write_to_path(files["client.pem"])
    flags = ("--certificate", "chain.pem", "--key", "key.pem", "--client-ca", "ca.pem")
    named = [str(files.get(flag, flag)) for flag in flags]
    async with _started(secret, *named) as (address, _):
        assert address.startswith("https://")
        stranger = ssl.create_default_context(cafile=files["ca.pem"])
        with pytest.raises(aiohttp.ClientError):
            await shop.client.post(f"{address}/maksu.html", json={}, ssl=stranger)
        known = ssl.create_default_context(cafile=files["ca.pem"])
        known.load_cert_chain(files["client.pem"])
        async with shop.client.post(f"{address}/maksu.html", json={}, ssl=known) as got:
            assert got.status == 200


async def test_the_flags_reach_the_till(shop: Shop, secret: Path) -> None:
    flags = (
        *("--source", "KOHA2", "--office", "7=Aula", "--order", "documented", "--api-version", "3.0"),
        *("--product", "1000", "--no-check-hash", "--auto", "cancel", "--auto-after", "0"),
    )
    async with _started(secret, *flags) as (address, _):
        shop.address = address
        message = shop.request("P1", Source="KOHA2", Office="7")
        answer = (await shop.post({**message, "Hash": "any"})).json
        assert (answer["Status"], "Source" in answer) == (0, False)
        refused = shop.request("P2", Source="KOHA2", Office="7", Products=[{"Code": "9", "Price": 1}])
        assert (await shop.post(refused)).json["Status"] == 99


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--secret-file", "nowhere"], "cannot be read"),
        (["--office", "=x"], "an office is written"),
        (["--certificate", "chain.pem"], "both --certificate and --key"),
        (["--host", "192.0.2.1"], "tillbridge till:"),
        (["--source", ""], "a till needs a source"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(secret: Path, options: list[str], why: str) -> None:
    given = [*_COMMAND, "--secret-file", str(secret), *options]
    env = {**os.environ, "PYTHONPATH": str(_ROOT / "src")}
    done = subprocess.run(given, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert "top_secret" not in done.stderr


async def test_ipv6_addresses_are_written_with_brackets() -> None:
    async with running(TillSettings("KOHA", "secret", {"1": "Aula"}), host="::1") as till:
        assert till.protocol_address.startswith("http://[::1]:")
        async with aiohttp.ClientSession() as client, client.get(f"{till.address}/api/payments") as got:
            assert await got.json() == []


def test_it_imports_nothing_of_the_bridge_itself() -> None:
    found = []
    for file in _PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [(file.name, name) for name in names if name.startswith(_FORBIDDEN)]
    assert found == []
    listing = "import sys, tillbridge.simulators.till.cli; print(*sys.modules)"
    env = {**os.environ, "PYTHONPATH": str(_ROOT / "src")}
    loaded = subprocess.run([sys.executable, "-c", listing], env=env, capture_output=True, text=True, check=True)
    assert [name for name in loaded.stdout.split() if name.startswith(_FORBIDDEN)] == []


def test_the_guide_names_every_fault_option_address_and_flag(shop: Shop) -> None:
    guide = _GUIDE.read_text(encoding="utf-8")
    application = typer.Typer(add_completion=False)
    application.command()(till)
    flags = {flag for one in typer.main.get_command(application).params for flag in one.opts if flag.startswith("--")}
    addresses = {route.path for route in Api(shop.till).routes()}
    spoken = {path.replace("{payment_id}", "{id}").replace("{number:int}", "{number}") for path in addresses}
    words = {f"`{name}`" for name in (*KINDS, *Options.__slots__)} | spoken | (flags - {"--help"})
    assert {word for word in words if word not in guide} == set()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo library as a program: its command, what it imports, and its documentation."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import aiohttp
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from support.commands import run
from tillbridge.simulators.library import DemoLibrarySettings, build_app, serving
from tillbridge.simulators.library.answers import ABORT
from tillbridge.simulators.library.control import COMMANDS
from tillbridge.simulators.library.faults import FaultKind

_ROOT = Path(__file__).parents[3]
_PACKAGE = _ROOT / "src" / "tillbridge" / "simulators" / "library"
_GUIDE = _ROOT / "docs" / "how-to" / "try-the-demo-library.md"
_RUN = "import typer; from tillbridge.simulators.library.cli import demo_library; typer.run(demo_library)"


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module or "")
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def test_the_demo_library_imports_no_adapter_and_nothing_of_the_bridge_but_what_everyone_shares() -> None:
    files = list(_PACKAGE.rglob("*.py"))
    ours = {name for path in files for name in _imported(path) if name.startswith("tillbridge")}

    assert files
    assert {name for name in ours if not name.startswith("tillbridge.simulators.library")} == {
        "tillbridge.errors",
        "tillbridge.listening",
        "tillbridge.secret",
        "tillbridge.simulators.dated",
        "tillbridge.simulators.shelf",
    }


def test_the_ledger_knows_nothing_of_http() -> None:
    pure = {
        "book.py",
        "corrections.py",
        "facts.py",
        "ledger_view.py",
        "query.py",
        "listing.py",
        "json_text.py",
        "schema.py",
    }
    imported = {name.partition(".")[0] for file in pure for name in _imported(_PACKAGE / file)}

    assert not imported & {"starlette", "uvicorn", "jinja2", "pydantic", "asyncio"}


def test_every_control_route_and_every_fault_stands_in_the_guide() -> None:
    guide = _GUIDE.read_text(encoding="utf-8")
    documented = {(m[1], re.sub(r"\{\w+\}", "{}", m[2])) for m in re.finditer(r"`([A-Z]+) /control(/[^`]*)`", guide)}

    assert documented == {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path, _ in COMMANDS}
    assert [kind.value for kind in FaultKind if f"`{kind.value}`" not in guide] == []


def _start(*options: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-c", _RUN, *options]
    path = os.pathsep.join([str(_ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})
    assert running.stdout is not None
    return running, running.stdout.readline()


def test_the_command_says_where_it_listens_and_stops_when_told_to(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n", encoding="utf-8")
    running, line = _start("--empty", "--client-id", "me", "--client-secret-file", str(secret))
    with running:
        try:
            address = line.removeprefix("Demo library listens on ").strip()
            form = b"grant_type=client_credentials&client_id=me&client_secret=s3cret"
            with urlopen(f"{address}/api/v1/oauth/token", form) as answer:  # noqa: S310 - our own server
                given = answer.status
            with urlopen(address) as answer:  # noqa: S310 - our own server
                page = answer.read().decode()
        finally:
            running.send_signal(signal.SIGTERM)

    assert given == 200
    assert "There are no patrons." in page
    assert running.returncode == 0


async def test_held_requests_do_not_keep_it_from_stopping() -> None:
    app = build_app(DemoLibrarySettings(seeded=False))
    async with aiohttp.ClientSession() as client:
        async with serving(app) as address:
            await client.post(f"{address}/control/faults", json={"kind": "delay", "seconds": 600})
            held = client.get(f"{address}/api/v1/")
            asking = asyncio.ensure_future(held)
            await app.state.library.faults.until_held(1)
        answer = await asking
        assert answer.status == 200
        answer.release()


async def test_an_answers_head_and_body_do_not_wait_for_each_other() -> None:
    async def probe(request: Request) -> PlainTextResponse:
        connection = request.scope["extensions"][ABORT].__self__.get_extra_info("socket")
        return PlainTextResponse(str(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0))

    app = build_app()
    app.router.routes.append(Route("/probe", probe))
    async with serving(app) as address, aiohttp.ClientSession() as client, client.get(f"{address}/probe") as answer:
        assert await answer.text() == "True"


async def test_it_starts_with_the_invented_patrons_and_the_documented_account() -> None:
    form = {"grant_type": "client_credentials", "client_id": "tillbridge", "client_secret": "demo-library"}
    async with serving(build_app()) as address, aiohttp.ClientSession() as client:
        async with client.post(f"{address}/api/v1/oauth/token", data=form) as answer:
            token = (await answer.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        async with client.get(f"{address}/api/v1/patrons?_per_page=-1", headers=headers) as answer:
            names = {row["surname"] for row in await answer.json()}

    assert {"Virtanen", "Ahlström-Nieminen", "Çelik"} <= names
    assert "`demo-library`" in _GUIDE.read_text(encoding="utf-8")


async def test_a_port_that_is_taken_is_said_at_once() -> None:
    async with serving(build_app()) as address:
        with pytest.raises(OSError, match="in use"):
            async with serving(build_app(), port=int(address.rpartition(":")[2])):
                pass


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--port", "{taken}"], "127.0.0.1:{taken} cannot be listened on (Address already in use). "),
        (["--host", "nowhere.invalid"], "nowhere.invalid:0 cannot be listened on ("),
        (["--client-secret-file", "nowhere"], "--client-secret-file: the secret file "),
    ],
)
async def test_the_command_says_in_one_line_why_it_cannot_begin(options: list[str], why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = await run("demo-library", *(option.replace("{taken}", port) for option in options))
    assert (ended.status, ended.out) == (2, "")
    [line] = ended.err.splitlines()
    assert line.startswith("tillbridge demo-library: " + why.replace("{taken}", port))

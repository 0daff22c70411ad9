# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what a held request costs with each HTTP client that is installed, against bare sockets.

A register server in another process holds every request until all are there, then answers all. Each client runs in
a fresh process and gives every request a connection of its own, plain and over mutual TLS, on both event loops.
Memory is what the client's process has gained, by held request; CPU is its user and system time for the round.

    python bench/clients.py [--held 2000] [--only floor,aiohttp]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import itertools
import os
import resource
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

BODY = b'{"ApiVersion":"2.0","Id":"7f3a","Mode":2,"Products":[{"Code":"1111","Price":250}]}' * 5
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
LOOPS = ("asyncio", "uvloop")
BATCH, PAUSE_S = 200, 0.02
SOURCE = Path(__file__).parents[1] / "src"

Send = Callable[[], Awaitable[int]]
Make = Callable[[str, ssl.SSLContext | None], tuple[Send, Callable[[], Awaitable[None]]]]


def floor(address: str, tls: ssl.SSLContext | None) -> tuple[Send, Callable[[], Awaitable[None]]]:
    port = int(address.rsplit(":", 1)[1].strip("/"))
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()

    async def send() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        writer.write(head + BODY)
        await writer.drain()
        status = int((await reader.readuntil(b"\r\n\r\n")).split()[1])
        writer.close()
        return status

    return send, _nothing


def with_aiohttp(address: str, tls: ssl.SSLContext | None) -> tuple[Send, Callable[[], Awaitable[None]]]:
    import aiohttp  # noqa: PLC0415 - each process loads only what it measures

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True), timeout=aiohttp.ClientTimeout(total=None)
    )

    async def send() -> int:
        async with session.post(address, data=BODY, ssl=tls or True) as response:
            await response.read()
            return response.status

    return send, session.close


def with_httpx(
    address: str, tls: ssl.SSLContext | None, module: str = "httpx"
) -> tuple[Send, Callable[[], Awaitable[None]]]:
    library = importlib.import_module(module)
    limits = library.Limits(max_connections=None, max_keepalive_connections=0)
    client = library.AsyncClient(verify=tls or True, timeout=None, limits=limits, trust_env=False)

    async def send() -> int:
        response = await client.post(address, content=BODY)
        return int(response.status_code)

    return send, client.aclose


def with_httpx2(address: str, tls: ssl.SSLContext | None) -> tuple[Send, Callable[[], Awaitable[None]]]:
    return with_httpx(address, tls, "httpx2")


def with_ours(address: str, tls: ssl.SSLContext | None) -> tuple[Send, Callable[[], Awaitable[None]]]:
    from tillbridge.registers.ceepos.client import Client, Limits, Received, Target  # noqa: PLC0415 - as above

    client, target, limits = Client(), Target(address, tls), Limits(60, 600)

    async def send() -> int:
        outcome = await client.post(target, BODY, limits)
        return outcome.http_status if isinstance(outcome, Received) else 0

    return send, client.close


CLIENTS: dict[str, tuple[str, Make]] = {
    "floor": ("asyncio", floor),
    "aiohttp": ("aiohttp", with_aiohttp),
    "tillbridge": ("aiohttp", with_ours),
    "httpx": ("httpx", with_httpx),
    "httpx2": ("httpx2", with_httpx2),
}


async def _nothing() -> None:
    pass


def resident_kb() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make both sides of mutual TLS from the files in the folder."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.pem")
    client = ssl.create_default_context(cafile=folder / "ca.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    for context in (server, client):
        context.load_cert_chain(folder / "both.pem")
    return server, client


async def serve(held: int, folder: Path, *, mutual: bool) -> None:
    """Hold requests until all are there and standard input says go; then answer and end."""
    writers: list[asyncio.StreamWriter] = []
    all_held = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(BODY))
        writers.append(writer)
        if len(writers) == held:
            all_held.set()

    tls = contexts(folder)[0] if mutual else None
    server = await asyncio.start_server(hold, "127.0.0.1", 0, ssl=tls, backlog=4096)
    async with server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await all_held.wait()
        print("all held", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for writer in writers:
            writer.write(ANSWER)
            with contextlib.suppress(OSError):
                await writer.drain()
        await asyncio.to_thread(sys.stdin.readline)


async def ask(name: str, held: int, port: int, folder: Path, *, mutual: bool) -> None:
    """Send all requests; print the memory gained when standard input says that all are held, and CPU at the end."""
    tls = contexts(folder)[1] if mutual else None
    scheme = "https" if mutual else "http"
    send, close = CLIENTS[name][1](f"{scheme}://127.0.0.1:{port}/", tls)
    before_kb = resident_kb()
    sends: list[asyncio.Task[int]] = []
    for number in range(held):
        sends.append(asyncio.ensure_future(send()))
        if number % BATCH == 0:
            await asyncio.sleep(PAUSE_S)
    await asyncio.to_thread(sys.stdin.readline)
    threads = threading.active_count() - 1  # the one that has just read standard input
    print((resident_kb() - before_kb) / held, threads, flush=True)
    statuses = await asyncio.gather(*sends)
    assert statuses == [200] * held, "not every request was answered"
    await close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, flush=True)


def started(*words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, __file__, *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise RuntimeError("a process of the measure ended early")
    return line


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def measured(name: str, held: int, folder: Path, loop: str, *, mutual: bool) -> tuple[float, float, int]:
    """Return KB for each held request, CPU seconds, and threads of one round."""
    common = (str(held), str(folder), str(int(mutual)))
    with started("serve", *common) as server:
        port = line_of(server)
        with started("ask", *common, name, port, loop) as client:
            assert line_of(server) == "all held"
            tell(client)
            memory_kb, threads = line_of(client).split()
            tell(server)
            cpu_s = float(line_of(client))
            tell(server)
    return float(memory_kb), cpu_s, int(threads)


def certificates(folder: Path) -> None:
    import trustme  # noqa: PLC0415 - only the process that starts the others needs it

    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")


def versions(name: str) -> str:
    library = CLIENTS[name][0]
    return getattr(importlib.import_module(library), "__version__", f"Python {sys.version.split()[0]}")


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    parser = argparse.ArgumentParser(description="Measure HTTP clients with held requests.")
    parser.add_argument("--held", type=int, default=5000 if hard >= 6000 else 2000)
    parser.add_argument("--only", default=",".join(CLIENTS))
    chosen = parser.parse_args()
    print(f"{chosen.held} held requests, each on a connection of its own")
    print(f"{'client':12}{'version':16}{'loop':10}{'connection':12}{'KB/request':>12}{'CPU s':>8}{'threads':>9}")
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        certificates(folder)
        for name in chosen.only.split(","):
            if importlib.util.find_spec(CLIENTS[name][0]) is None:
                print(f"{name:12}not installed")
                continue
            for loop, mutual in itertools.product(LOOPS, (False, True)):
                if loop == "asyncio" or importlib.util.find_spec(loop):
                    memory_kb, cpu_s, threads = measured(name, chosen.held, folder, loop, mutual=mutual)
                    what = f"{name:12}{versions(name):16}{loop:10}{'mutual TLS' if mutual else 'plain':12}"
                    print(f"{what}{memory_kb:12.1f}{cpu_s:8.2f}{threads:9}", flush=True)


def run_on(loop: str, work: Coroutine[Any, Any, None]) -> None:
    factory = importlib.import_module(loop).new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", held, folder, mutual]:
            asyncio.run(serve(int(held), Path(folder), mutual=mutual == "1"))
        case ["ask", held, folder, mutual, name, port, loop]:
            run_on(loop, ask(name, int(held), int(port), Path(folder), mutual=mutual == "1"))
        case _:
            main()

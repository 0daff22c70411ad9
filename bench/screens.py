# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep live pages open as browsers do, without showing them. On stdin, as JSON: [path, cookie, language] of each.

Says `open` when each has had its first part, reads what comes, and stays until killed: PORT.
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop

AT_ONCE = 16
CHUNK = 1 << 16

_reading: set[asyncio.Task[None]] = set()


async def run(port: int) -> None:
    screens = iter(json.loads(await asyncio.to_thread(sys.stdin.readline)))

    async def some() -> None:
        for path, cookie, language in screens:
            await _open(port, path, cookie, language)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    print("open", flush=True)
    await asyncio.gather(*_reading)


async def _open(port: int, path: str, cookie: str, language: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\nAccept-Language: {language}\r\n\r\n"
    writer.write(head.encode())
    assert b" 200 " in await reader.readline(), path
    await reader.readuntil(b"event: part\n")
    _reading.add(asyncio.create_task(_read(path, reader)))


async def _read(path: str, reader: asyncio.StreamReader) -> None:
    while await reader.read(CHUNK):
        pass
    raise EOFError(f"{path} has ended")


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1])))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that the register server holds open until the cashier has finished (mode 2)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
import threading
from typing import TYPE_CHECKING, cast

import pytest
import uvloop

from support.logs import collected
from tillbridge.registers.ceepos import Settings, connect
from tillbridge.registers.ceepos.client import Client, Limits, NotReceived, Target, _Body
from tillbridge.service.register_port import Answer, AtRegister, NeverSent, NoOutcome, Order, Paid
from tillbridge.surroundings import Surroundings

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp.abc import AbstractStreamWriter

    from contract.ceepos.conftest import Bell, Registers, Till, Visit


async def hold(visit: Visit) -> None:
    await visit.read()
    await visit.reader.read()
    visit.till.hung_up.set()


async def pay(visit: Visit) -> None:
    await visit.state(1)


async def test_the_held_request_is_told_once_it_is_written(
    till: Till, registers: Registers, order: Order, bell: Bell
) -> None:
    decided = asyncio.Event()

    async def act(visit: Visit) -> None:
        message = await visit.read()
        await decided.wait()
        await visit.answer(visit.stated(message["Id"], 1))

    await till.open(act)
    sending = asyncio.create_task(registers(till.address).send(order, bell))
    await bell.rung.wait()
    assert not sending.done()
    decided.set()
    assert isinstance(await sending, Paid)
    assert bell.times == 1


async def test_mode_1_leaves_it_to_the_answer(till: Till, registers: Registers, order: Order, bell: Bell) -> None:
    async def accept(visit: Visit) -> None:
        await visit.state(2, None)

    await till.open(accept)
    assert isinstance(await registers(till.address, mode=1).send(order, bell), AtRegister)
    assert bell.times == 0


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # far over what an order may have
async def test_a_request_that_is_half_written_is_not_at_the_register(till: Till) -> None:
    begun, may_read, written = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def act(visit: Visit) -> None:
        await visit.reader.readexactly(1000)
        begun.set()
        await may_read.wait()
        await visit.reader.read()

    await till.open(act)
    client, more_than_all_buffers = Client(), bytes(32 * 1024 * 1024)
    posting = asyncio.create_task(
        client.post(Target(till.address, None), more_than_all_buffers, Limits(3, 30), written.set)
    )
    await begun.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    assert not written.is_set()
    may_read.set()
    await written.wait()
    await client.close()
    assert isinstance(await posting, NotReceived)


class SlowWriter:
    """A connection that the operating system takes nothing from until `room`."""

    def __init__(self) -> None:
        self.room = asyncio.Event()
        self.taken = b""
        self.high: int | None = None
        self.transport = self

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    async def write(self, chunk: object) -> None:
        assert isinstance(chunk, bytes)
        self.taken += chunk

    async def drain(self) -> None:
        assert self.high == 0
        await self.room.wait()


async def test_even_a_small_request_counts_as_written_only_when_nothing_of_it_is_left() -> None:
    written, writer = asyncio.Event(), SlowWriter()
    writing = asyncio.create_task(
        _Body(b"small", written.set).write_with_length(cast("AbstractStreamWriter", writer), 5)
    )
    await asyncio.sleep(0)
    assert (writer.taken, written.is_set()) == (b"small", False)
    writer.room.set()
    await writing
    assert written.is_set()


async def test_a_failing_notice_does_not_harm_the_answer(
    till: Till, registers: Registers, order: Order, bell: Bell
) -> None:
    bell.error = RuntimeError("the store is away")
    await till.open(pay)
    with collected() as logged:
        assert isinstance(await registers(till.address).send(order, bell), Paid)
    [line] = logged.texts
    assert "RuntimeError" in line


async def test_a_hanging_notice_does_not_harm_the_answer_and_is_dropped(
    till: Till, registers: Registers, order: Order, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tillbridge.registers.ceepos.adapter.NOTICE_GRACE_S", 0.01)
    bell.hangs = True
    await till.open(pay)
    assert isinstance(await registers(till.address).send(order, bell), Paid)
    await bell.dropped.wait()


async def test_cancelling_closes_the_connection(till: Till, registers: Registers, order: Order, bell: Bell) -> None:
    bell.hangs = True
    await till.open(hold)
    sending = asyncio.create_task(registers(till.address).send(order, bell))
    await till.asked.wait()
    await bell.rung.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await till.hung_up.wait()
    await bell.dropped.wait()


async def test_closing_ends_held_requests_without_an_outcome_and_sends_no_more(
    till: Till, registers: Registers, order: Order, bell: Bell
) -> None:
    await till.open(hold)
    register = registers(till.address)
    sending = asyncio.create_task(register.send(order, bell))
    await till.asked.wait()
    await register.close()
    assert isinstance(await sending, NoOutcome)
    assert isinstance(await register.send(order, bell), NeverSent)
    assert till.connections == 1


async def test_a_thousand_held_requests_cost_no_thread(
    till: Till, registers: Registers, order: Order, bell: Bell
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    all_there = asyncio.Event()

    async def act(visit: Visit) -> None:
        await visit.read()
        if len(till.requests) == 1000:
            all_there.set()
        await visit.reader.read()

    await till.open(act)
    before = threading.active_count()
    register = registers(till.address, connect_s=10)
    sends = [asyncio.create_task(register.send(order, bell)) for _ in range(1000)]
    await all_there.wait()
    assert threading.active_count() == before
    await register.close()
    assert {type(fact) for fact in await asyncio.gather(*sends)} == {NoOutcome}
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_it_works_alike_under_uvloop(tmp_path: Path, order: Order) -> None:
    (tmp_path / "secret").write_text("top_secret", encoding="utf-8")
    rung: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b'"Hash":')
        proof = hashlib.sha256(b"7f3a&1&K1&top_secret").hexdigest()
        body = json.dumps({"Id": "7f3a", "Status": 1, "Reference": "K1", "Hash": proof}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    async def ring() -> None:
        rung.append("rung")

    async def walk() -> Answer:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = {"address": f"http://127.0.0.1:{port}/", "source": "KOHA", "secret_file": "secret"}
        register = connect(Settings.model_validate(settings), Surroundings("city", tmp_path, "https://b.example"))
        async with server:
            fact = await register.send(order, ring)
            await register.close()
        return fact

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert isinstance(runner.run(walk()), Paid)
    assert rung == ["rung"]

# SPDX-License-Identifier: GPL-3.0-or-later
"""A body may be neither too long nor too slow, and is not read to the end to find that out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from support.site import Site
from tillbridge.web.bodies import BODY_LIMIT, BoundedBodies

ADDRESSES = [
    "/api/v1/payments",
    "/api/v1/payments/by-hand",
    "/api/v1/payments/1/cancel",
    "/api/v1/open-cases/1/resolve",
    "/api/v1/pos/cpu/1/report",
    "/api/v1/contrib/kohasuomi/payments/ceepos/report",
]


@pytest.mark.parametrize("key", [None, "Bearer wrong"])
async def test_a_body_that_is_too_long_is_refused_everywhere_even_before_the_key(site: Site, key: str | None) -> None:
    for path in ADDRESSES:
        answer = await site.post(path, data=b"x" * (BODY_LIMIT + 1), json=None, key=key)
        assert answer.problem == (413, "body_too_long"), path


async def test_a_body_of_the_longest_length_is_read(site: Site) -> None:
    answer = await site.post(ADDRESSES[-1], data=b"x" * BODY_LIMIT, json=None, key=None)
    assert answer.status == 400
    assert "error" in answer.json


async def test_a_body_without_an_end_is_cut_off(site: Site) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 4096

    try:
        answer = await site.post(ADDRESSES[-1], data=endless(), json=None, key=None)
    except OSError:
        return  # the bridge hung up while the client was still writing
    assert answer.problem == (413, "body_too_long")


async def pass_on(_scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "whole"})
    await send(await receive())


def caller(*pieces: Message) -> Receive:
    """A caller that sends these pieces and then nothing more, without hanging up."""
    waiting = list(pieces)

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    return receive


async def told(message: Message) -> None:
    del message


async def test_a_body_that_does_not_end_in_time_is_given_up() -> None:
    bounded = BoundedBodies(pass_on, limit_s=0.001)
    half: Message = {"type": "http.request", "body": b"x", "more_body": True}
    for sent in ((), (half,)):
        with pytest.raises(HTTPException) as error:
            await bounded({"type": "http"}, caller(*sent), told)
        assert error.value.status_code == 408


async def test_after_the_whole_body_the_time_does_not_count() -> None:
    """Who streams an answer waits here for the caller to go."""
    done = asyncio.Event()

    async def send(message: Message) -> None:
        if message["type"] == "whole":
            done.set()

    whole: Message = {"type": "http.request", "body": b"x", "more_body": False}
    bounded = BoundedBodies(pass_on, limit_s=0.02)
    running = asyncio.create_task(bounded({"type": "http"}, caller(whole), send))
    await done.wait()
    finished, _ = await asyncio.wait([running], timeout=0.05)
    assert not finished
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_other_kinds_of_connections_pass_untouched() -> None:
    seen: list[Receive] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        seen.append(receive)

    receive = caller()
    await BoundedBodies(app)({"type": "lifespan"}, receive, told)
    assert seen == [receive]

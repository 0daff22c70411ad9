# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of one order, over real sockets, whatever the register server does."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tillbridge.domain.money import Money
from tillbridge.service.register_port import (
    Answer,
    AtRegister,
    Cancelled,
    NeverSent,
    NoOutcome,
    Order,
    Paid,
    Refused,
)

if TYPE_CHECKING:
    from contract.ceepos.conftest import Bell, Registers, Till, Visit


def stating(status: object, reference: str | None = "K1") -> Callable[[Visit], Awaitable[None]]:
    return lambda visit: visit.state(status, reference)


async def test_the_request_is_what_a_till_expects(till: Till, registers: Registers, order: Order, bell: Bell) -> None:
    await till.open(stating(1))
    register = registers(till.address, receipt_description="borrower")
    assert isinstance(await register.send(order, bell), Paid)
    ((head, body),) = till.requests
    assert head.startswith(b"POST /maksu.html HTTP/1.1\r\n")
    assert b"content-type: application/json\r\n" in head.lower()
    assert b"connection: close\r\n" in head.lower()
    message = json.loads(body)
    notification = "https://bridge.example/api/v1/pos/cpu/7f3a/report"
    hashed = f"2.0&Mäkinen, Äijä (123456)&7f3a&2&{notification}&10&1111&Myöhästymismaksu&250&KOHA&top_secret"
    assert message["Hash"] == hashlib.sha256(hashed.encode()).hexdigest()


@pytest.mark.parametrize("mode", [1, 2])
@pytest.mark.parametrize(
    ("status", "fact"),
    [
        (0, Cancelled),
        (1, Paid),
        ("1", Paid),
        (2, AtRegister),
        (99, Refused),
        (3, NoOutcome),
        (97, NoOutcome),
        (98, NoOutcome),
    ],
)
async def test_a_signed_answer_is_taken_in_both_modes(
    till: Till, registers: Registers, order: Order, bell: Bell, mode: int, status: object, fact: type[Answer]
) -> None:
    await till.open(stating(status))
    outcome = await registers(till.address, mode=mode).send(order, bell)
    assert type(outcome) is fact
    if isinstance(outcome, Paid):
        assert outcome.receipt_number == "K1"


async def drop_at_once(visit: Visit) -> None:
    visit.writer.transport.abort()


async def drop_after_reading(visit: Visit) -> None:
    await visit.read()


async def break_off(visit: Visit) -> None:
    await visit.read()
    await visit.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"Id": "7f3a", "Status": 1')


async def break_off_without_length(visit: Visit) -> None:
    await visit.read()
    await visit.write(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"Id": "7f3a", "Status": 1')


async def break_off_in_chunks(visit: Visit) -> None:
    await visit.read()
    await visit.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1b\r\n{"Id": "7f3a", "Status": 1,\r\n')


async def break_off_in_head(visit: Visit) -> None:
    await visit.read()
    await visit.write(b"HTTP/1.1 200 OK\r\nContent-Le")


async def speak_another_tongue(visit: Visit) -> None:
    await visit.read()
    await visit.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


async def endless_head(visit: Visit) -> None:
    await visit.read()
    await visit.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")


async def html(visit: Visit) -> None:
    await visit.read()
    await visit.answer(b"<html>Kirjaudu</html>")


async def foreign_hash(visit: Visit) -> None:
    await visit.read()
    await visit.answer(json.dumps({"Id": "7f3a", "Status": 1, "Reference": "K1", "Hash": "0" * 64}).encode())


async def unsigned_refusal(visit: Visit) -> None:
    await visit.read()
    await visit.answer(b'{"Id": "7f3a", "Status": 99, "Reference": null, "Hash": null}')


async def oversize(visit: Visit) -> None:
    await visit.read()
    await visit.answer(b" " * (1024 * 1024 + 1))


async def endless(visit: Visit) -> None:
    await visit.read()
    await visit.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await visit.write(b"x" * 65536)


async def packed(visit: Visit) -> None:
    await visit.read()
    await visit.answer(b"\x1f\x8b\x08junk", more="Content-Encoding: gzip\r\n")


async def send_elsewhere(visit: Visit) -> None:
    message = await visit.read()
    await visit.answer(b"", "307 Temporary Redirect", f"Location: /elsewhere?{message['Id']}\r\n")


async def nothing(visit: Visit) -> None:
    await visit.read()
    await visit.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def silence(visit: Visit) -> None:
    await visit.read()
    await visit.reader.read()
    visit.till.hung_up.set()


async def drip(visit: Visit) -> None:
    await visit.read()
    await visit.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
    await visit.reader.read()
    visit.till.hung_up.set()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (drop_at_once, "broke"),
        (drop_after_reading, "broke"),
        (break_off, "broke off"),
        (break_off_without_length, "not JSON"),
        (break_off_in_chunks, "broke off"),
        (break_off_in_head, "broke"),
        (speak_another_tongue, "not HTTP"),
        (endless_head, "not HTTP"),
        (html, "not JSON"),
        (foreign_hash, "hash"),
        (unsigned_refusal, "hash"),
        (oversize, "longer"),
        (endless, "longer"),
        (packed, "UTF-8"),
        (send_elsewhere, "307"),
        (nothing, "204"),
    ],
)
async def test_a_failure_to_hear_is_no_outcome_and_is_never_repeated(
    till: Till,
    registers: Registers,
    order: Order,
    bell: Bell,
    fault: Callable[[Visit], Awaitable[None]],
    why: str,
) -> None:
    await till.open(fault)
    outcome = await registers(till.address).send(order, bell)
    assert isinstance(outcome, NoOutcome)
    assert why in outcome.why
    assert len(outcome.raw) < 5000
    assert till.connections == 1


@pytest.mark.timeout(9)  # less than the limit for connecting, which must not count any more
@pytest.mark.parametrize("mode", [1, 2])
@pytest.mark.parametrize("slowness", [silence, drip])
async def test_no_whole_answer_within_the_mode_s_limit_is_no_outcome(
    till: Till,
    registers: Registers,
    order: Order,
    bell: Bell,
    slowness: Callable[[Visit], Awaitable[None]],
    mode: int,
) -> None:
    await till.open(slowness)
    limits = {"answer_s": 0.3} if mode == 1 else {"held_s": 0.3, "answer_s": 0.01}
    outcome = await registers(till.address, mode=mode, connect_s=10, **limits).send(order, bell)
    assert outcome == NoOutcome("the register server gave no whole answer within 0.3 s")
    await till.hung_up.wait()


@pytest.mark.parametrize("status", ["201 Created", "302 Found", "400 Bad", "404 Lost", "500 Oh", "503 Away"])
async def test_another_http_status_is_no_outcome_even_with_a_signed_paid(
    till: Till, registers: Registers, order: Order, bell: Bell, status: str
) -> None:
    async def act(visit: Visit) -> None:
        message = await visit.read()
        await visit.answer(visit.stated(message["Id"], 1), status, "Location: /other\r\n")

    await till.open(act)
    outcome = await registers(till.address).send(order, bell)
    assert isinstance(outcome, NoOutcome)
    assert status[:3] in outcome.why
    assert till.connections == 1


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_refused_connection_was_never_sent(registers: Registers, order: Order, bell: Bell, scheme: str) -> None:
    outcome = await registers(f"{scheme}://127.0.0.1:{free_port()}/").send(order, bell)
    assert outcome == NeverSent("the register server refuses the connection")
    assert bell.times == 0


@pytest.mark.parametrize("host", ["no-such-till.invalid", "a" * 70 + ".invalid", "xn--.invalid"])
async def test_a_name_that_does_not_exist_was_never_sent(
    registers: Registers, order: Order, bell: Bell, host: str
) -> None:
    outcome = await registers(f"http://{host}/").send(order, bell)
    assert isinstance(outcome, NeverSent)


async def test_an_order_that_is_empty_or_endless_is_never_sent(
    till: Till, registers: Registers, order: Order, bell: Bell
) -> None:
    await till.open(stating(1))
    empty = Order("7f3a", "CPL", "10", (), order.total)
    assert isinstance(await registers(till.address).send(empty, bell), NeverSent)
    endless = Order("7f3a", "CPL", "10", order.products * 20_000, Money(5_000_000, "EUR"))
    assert isinstance(await registers(till.address).send(endless, bell), NeverSent)
    assert till.connections == 0


@pytest.mark.parametrize("register", ["", " ", "10;", " 10"])
async def test_an_order_for_a_till_that_cannot_be_named_is_never_sent(
    till: Till, registers: Registers, order: Order, bell: Bell, register: str
) -> None:
    await till.open(stating(1))
    outcome = await registers(till.address).send(replace(order, register=register), bell)
    assert outcome == NeverSent("the register's number is none that a register server could be sent")
    assert till.connections == 0


async def test_every_payment_has_a_connection_of_its_own(
    till: Till, registers: Registers, order: Order, bell: Bell
) -> None:
    await till.open(stating(1))
    register = registers(till.address)
    for _ in range(3):
        assert isinstance(await register.send(order, bell), Paid)
    assert till.connections == 3


async def test_proxies_of_the_environment_are_not_used(
    till: Till, registers: Registers, order: Order, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    await till.open(stating(1))
    assert isinstance(await registers(till.address).send(order, bell), Paid)


async def test_a_branch_goes_to_its_own_address_with_its_own_secret(
    till: Till, registers: Registers, order: Order, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_BRANCH", "top_secret")
    await till.open(stating(1))
    branch = {"CPL": {"address": till.address, "secret_variable": "OF_THE_BRANCH", "source": "OTHER"}}
    register = registers(f"http://127.0.0.1:{free_port()}/", branch=branch)
    assert isinstance(await register.send(order, bell), Paid)
    assert json.loads(till.requests[0][1])["Source"] == "OTHER"
    elsewhere = Order("7f3a", "MPL", "10", order.products, order.total)
    assert isinstance(await register.send(elsewhere, bell), NeverSent)

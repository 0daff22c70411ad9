# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as register servers have it: authorities of their own, client certificates, and all that goes wrong there."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest

from tillbridge.service.register_port import NeverSent, NoOutcome, Order, Paid, Refused

if TYPE_CHECKING:
    from contract.ceepos.conftest import Bell, Papers, Registers, Till, Visit


async def paid(visit: Visit) -> None:
    await visit.state(1)


async def held(visit: Visit) -> None:
    await visit.read()
    await visit.reader.read()


@pytest.mark.parametrize("newest", [True, False], ids=["TLS 1.3", "TLS 1.2"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_right_authority_and_name_make_a_payment(
    till: Till, registers: Registers, papers: Papers, order: Order, bell: Bell, host: str, newest: bool
) -> None:
    await till.open(paid, papers.of_server(host, newest=newest), host)
    assert isinstance(await registers(till.address, ca_file="ca.pem").send(order, bell), Paid)
    assert bell.times == 1


@pytest.mark.parametrize(
    ("name", "expired", "ca_file", "why"),
    [
        ("other.example", False, "ca.pem", "not valid for"),
        ("127.0.0.1", True, "ca.pem", "expired"),
        ("127.0.0.1", False, "foreign-ca.pem", "certificate is not accepted"),
        ("127.0.0.1", False, None, "certificate is not accepted"),
    ],
)
async def test_a_server_that_is_not_proven_gets_nothing(
    till: Till,
    registers: Registers,
    papers: Papers,
    order: Order,
    bell: Bell,
    name: str,
    expired: bool,
    ca_file: str | None,
    why: str,
) -> None:
    await till.open(paid, papers.of_server(name, expired=expired))
    register = registers(till.address, ca_file=ca_file)
    outcome = await register.send(order, bell)
    assert isinstance(outcome, NeverSent)
    assert why in outcome.why
    assert (till.requests, bell.times) == ([], 0)
    assert why in (await register.ping() or "")


async def test_an_old_tls_is_not_spoken(
    till: Till, registers: Registers, papers: Papers, order: Order, bell: Bell
) -> None:
    context = papers.of_server()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    await till.open(paid, context)
    assert isinstance(await registers(till.address, ca_file="ca.pem").send(order, bell), NeverSent)
    assert till.requests == []


@pytest.mark.parametrize("newest", [True, False], ids=["TLS 1.3", "TLS 1.2"])
async def test_our_client_certificate_is_shown(
    till: Till, registers: Registers, papers: Papers, order: Order, bell: Bell, newest: bool
) -> None:
    await till.open(paid, papers.of_server(demanding=True, newest=newest))
    register = registers(till.address, ca_file="ca.pem", client_certificate="us.pem")
    assert await register.ping() is None
    assert isinstance(await register.send(order, bell), Paid)


@pytest.mark.parametrize("certificate", [None, "foreign.pem"])
@pytest.mark.parametrize(("newest", "fact"), [(True, NoOutcome), (False, NeverSent)], ids=["TLS 1.3", "TLS 1.2"])
async def test_a_refused_client_certificate_is_never_taken_for_more_than_is_known(
    till: Till,
    registers: Registers,
    papers: Papers,
    order: Order,
    bell: Bell,
    certificate: str | None,
    newest: bool,
    fact: type[NoOutcome | NeverSent],
) -> None:
    """With TLS 1.3 the refusal comes after our side of the handshake is done: bytes may have gone."""
    await till.open(paid, papers.of_server(demanding=True, newest=newest))
    register = registers(till.address, ca_file="ca.pem", client_certificate=certificate)
    assert type(await register.send(order, bell)) is fact
    assert till.requests == []
    assert await register.ping() is not None


async def test_a_branch_has_certificates_of_its_own(
    till: Till, registers: Registers, papers: Papers, order: Order, bell: Bell
) -> None:
    await till.open(paid, papers.of_server(demanding=True))
    branch = {"CPL": {"ca_file": "ca.pem", "client_certificate": "us.pem"}}
    register = registers(till.address, ca_file="foreign-ca.pem", branch=branch)
    assert isinstance(await register.send(order, bell), Paid)
    elsewhere = Order("7f3a", "MPL", "10", order.products, order.total)
    assert isinstance(await register.send(elsewhere, bell), NeverSent)


async def test_an_unsigned_refusal_counts_over_a_verified_connection(
    till: Till, registers: Registers, papers: Papers, order: Order, bell: Bell
) -> None:
    async def refuse(visit: Visit) -> None:
        await visit.read()
        await visit.answer(b'{"Id": "7f3a", "Status": 99, "Reference": null, "Hash": null}')

    await till.open(refuse, papers.of_server())
    assert isinstance(await registers(till.address, ca_file="ca.pem").send(order, bell), Refused)


async def test_a_server_that_never_finishes_the_handshake_got_nothing(
    till: Till, registers: Registers, order: Order, bell: Bell
) -> None:
    async def stare(visit: Visit) -> None:
        await visit.reader.read()

    await till.open(stare)  # plain TCP: it reads our greeting and says nothing
    register = registers(till.address.replace("http:", "https:"), connect_s=0.3)
    outcome = await register.send(order, bell)
    assert outcome == NeverSent("no connection to the register server within 0.3 s")
    assert "in time" in (await register.ping() or "")


async def test_plain_http_at_a_tls_address_got_nothing(
    till: Till, registers: Registers, order: Order, bell: Bell
) -> None:
    async def babble(visit: Visit) -> None:
        await visit.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await visit.reader.read()

    await till.open(babble)
    outcome = await registers(till.address.replace("http:", "https:")).send(order, bell)
    assert isinstance(outcome, NeverSent)
    assert "no TLS connection" in outcome.why


async def test_the_connection_may_break_under_tls(
    till: Till, registers: Registers, papers: Papers, order: Order, bell: Bell
) -> None:
    async def drop(visit: Visit) -> None:
        await visit.read()

    await till.open(drop, papers.of_server())
    assert isinstance(await registers(till.address, ca_file="ca.pem").send(order, bell), NoOutcome)


async def test_cancelling_closes_a_tls_connection(
    till: Till, registers: Registers, papers: Papers, order: Order, bell: Bell
) -> None:
    gone = asyncio.Event()

    async def act(visit: Visit) -> None:
        try:
            await held(visit)
        finally:
            gone.set()

    await till.open(act, papers.of_server())
    sending = asyncio.create_task(registers(till.address, ca_file="ca.pem").send(order, bell))
    await bell.rung.wait()
    sending.cancel()
    await asyncio.wait({sending})
    await gone.wait()


async def test_ping_says_nothing_to_the_server(till: Till, registers: Registers, papers: Papers) -> None:
    heard: list[bytes] = []

    async def listen(visit: Visit) -> None:
        heard.append(await visit.reader.read())
        visit.till.hung_up.set()

    await till.open(listen, papers.of_server())
    assert await registers(till.address, ca_file="ca.pem").ping() is None
    await till.hung_up.wait()
    assert b"".join(heard) == b""


async def test_ping_tries_every_address_and_names_the_one_that_is_away(till: Till, registers: Registers) -> None:
    await till.open(held)
    branches = {"A": {"address": "http://no-such-till.invalid/"}, "B": {"address": till.address}}
    why = await registers(till.address, branch=branches).ping()
    assert why == "no-such-till.invalid:80: the name of the register server cannot be found"
    assert await registers(till.address).ping() is None

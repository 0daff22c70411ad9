# SPDX-License-Identifier: GPL-3.0-or-later
"""Check an installation before the first customer: gather every finding, and change nothing anywhere."""

from __future__ import annotations

import asyncio

from tillbridge.service.checking_library import LIBRARY, judge_ping, look_at_library
from tillbridge.service.checking_port import ServerChecks
from tillbridge.service.checking_products import look_at_products, look_at_store
from tillbridge.service.checking_servers import judge_own_certificate, look_at_server
from tillbridge.service.findings import Check, Finding
from tillbridge.service.installation import Installation
from tillbridge.service.register_port import Register


async def check(installation: Installation) -> tuple[Finding, ...]:
    """Look at everything that can be looked at; what waits for a report from outside is beside (`checking_reports`)."""
    stored, database = await look_at_store(installation.stored)
    listed = await installation.library.checks.debit_types()
    library, bridge, *registers = await asyncio.gather(
        _library(installation),
        _bridge(installation),
        *(_register(installation, name, register) for name, register in installation.registers.items()),
    )
    return (
        database,
        *look_at_products(installation, stored, listed),
        *library,
        *(finding for register in registers for finding in register),
        *bridge,
    )


async def _library(installation: Installation) -> tuple[Finding, ...]:
    seen = await look_at_library(installation.library, installation.branches)
    return (*seen, *await _servers(installation, LIBRARY, *installation.library.checks.servers))


async def _register(installation: Installation, name: str, register: Register) -> tuple[Finding, ...]:
    answers = judge_ping(Check.REGISTER_ANSWERS, name, await register.ping())
    return (answers, *await _servers(installation, name, *register.checks.servers))


async def _servers(installation: Installation, about: str, *servers: ServerChecks) -> tuple[Finding, ...]:
    found = [await look_at_server(installation.clock, about, server) for server in servers]
    return tuple(finding for group in found for finding in group)


async def _bridge(installation: Installation) -> tuple[Finding, ...]:
    seen = await installation.bridge.certificate()
    return (judge_own_certificate(installation.bridge.public_address, seen, installation.clock.now()),)

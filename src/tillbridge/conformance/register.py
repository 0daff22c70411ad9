# SPDX-License-Identifier: GPL-3.0-or-later
"""The register kit: one table of everything that an adapter to a register server must do."""

from __future__ import annotations

from tillbridge.conformance import register_engine, register_faults, register_reports, register_sending
from tillbridge.conformance.kit import Check
from tillbridge.conformance.register_peer import RegisterPeer

CHECKS: tuple[Check[RegisterPeer], ...] = (
    *register_sending.CHECKS,
    *register_faults.CHECKS,
    *register_reports.CHECKS,
    *register_engine.CHECKS,
)

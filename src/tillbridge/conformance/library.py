# SPDX-License-Identifier: GPL-3.0-or-later
"""The library kit: one table of everything that an adapter to a library system must do."""

from __future__ import annotations

from tillbridge.conformance import (
    library_engine,
    library_faults,
    library_keyed,
    library_reading,
    library_recording,
    library_undoing,
)
from tillbridge.conformance.kit import Check
from tillbridge.conformance.library_peer import LibraryPeer

CHECKS: tuple[Check[LibraryPeer], ...] = (
    *library_reading.CHECKS,
    *library_recording.CHECKS,
    *library_keyed.CHECKS,
    *library_undoing.CHECKS,
    *library_faults.CHECKS,
    *library_engine.CHECKS,
)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Record one credit as Koha does while others may run, with what was planned for it (measured.md)."""

from __future__ import annotations

from tillbridge.simulators.library.facts import CrashError, Line
from tillbridge.simulators.library.faults import OF_CREDITS, OF_PAIRS, Fault, FaultKind
from tillbridge.simulators.library.library import DemoLibrary
from tillbridge.simulators.library.pairs import Asked, Encounter
from tillbridge.simulators.library.schema import BadBodyError

_WINDOW_S = 2.0
_UNKNOWN_PROPERTY = [("/body", "Properties not allowed: account_lines_ids.")]
"""What another version of Koha may say to a body that this one takes."""


async def recorded(library: DemoLibrary, asked: Asked, planned: Fault | None = None) -> Line:
    """Record a credit, alone or beside a second one; raise what Koha answers an error for."""
    kind = planned.kind if planned and planned.kind in OF_CREDITS else None
    if library.pairs.awaits(asked.patron_id):
        if planned and kind in OF_PAIRS:
            planned.give_back()  # the pair has used one up already
        return library.pairs.second(library.book, asked)
    if planned and kind in OF_PAIRS:
        return await _planned_pair(library, asked, planned)
    if kind is not None:
        return _alone(library, asked, kind)
    met = None if library.pace is None else await library.pairs.first(asked, library.pace())
    return met or asked.record(library.book)


async def _planned_pair(library: DemoLibrary, asked: Asked, planned: Fault) -> Line:
    """Wait for a second credit; record alone, and give the fault back, when none comes in time."""
    encounter = Encounter(_WINDOW_S if planned.seconds is None else planned.seconds, planned.kind)
    met = await library.pairs.first(asked, encounter)
    if met is None:
        planned.give_back()
        return asked.record(library.book)
    return met


def _alone(library: DemoLibrary, asked: Asked, kind: FaultKind) -> Line:
    if kind is FaultKind.CREDIT_400:
        raise BadBodyError(_UNKNOWN_PROPERTY)
    if kind is FaultKind.CREDIT_500_KEPT:
        asked.record(library.book)
        raise CrashError("planned")
    line = asked.store(library.book)
    if kind is FaultKind.CREDIT_500_UNAPPLIED:
        raise CrashError("planned")
    return line

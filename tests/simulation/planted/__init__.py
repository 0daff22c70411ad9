# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges that are broken on purpose, as programs for this task have really been: each must be found."""

from __future__ import annotations

from simulation.planted import booking, hearing, listing, reversing, starting
from simulation.planted.bug import Bug

BUGS: tuple[Bug, ...] = (*hearing.BUGS, *starting.BUGS, *booking.BUGS, *listing.BUGS, *reversing.BUGS)

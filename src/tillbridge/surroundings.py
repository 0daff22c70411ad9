# SPDX-License-Identifier: GPL-3.0-or-later
"""What the place where the program is put together hands to every adapter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Tell an adapter where it lives: its own name, its settings' folder and the bridge's public address.

    `branches` has the codes of the branches that use it, so that it can refuse settings for any other.
    """

    name: str
    folder: Path
    public_address: str
    branches: tuple[str, ...] = ()

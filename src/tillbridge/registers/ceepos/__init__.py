# SPDX-License-Identifier: GPL-3.0-or-later
"""Talk to Ceepos register servers at the point of sale (modes 1 and 2)."""

from tillbridge.registers.ceepos.adapter import connect
from tillbridge.registers.ceepos.settings import Settings

__all__ = ["Settings", "connect"]

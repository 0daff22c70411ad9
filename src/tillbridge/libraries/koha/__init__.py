# SPDX-License-Identifier: GPL-3.0-or-later
"""Koha by its REST interface: reads patrons and charges, records credits and finds them again.

What Koha does was measured on 23.05.04; the facts are cited where they decide something.
"""

from __future__ import annotations

from tillbridge.libraries.koha.adapter import connect
from tillbridge.libraries.koha.pages import pages
from tillbridge.libraries.koha.settings import Settings

__all__ = ["Settings", "connect", "pages"]

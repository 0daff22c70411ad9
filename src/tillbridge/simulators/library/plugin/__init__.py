# SPDX-License-Identifier: GPL-3.0-or-later
"""Speak the routes of the plugin that Tillbridge brings for Koha: it records in one transaction, under a key."""

from __future__ import annotations

from tillbridge.simulators.library.plugin.desk import ABILITIES, Plugin

__all__ = ["ABILITIES", "Plugin"]

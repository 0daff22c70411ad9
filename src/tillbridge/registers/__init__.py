# SPDX-License-Identifier: GPL-3.0-or-later
"""Adapters to register servers, one folder each, found by the entry point group ``tillbridge.registers``."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""Adapters to library systems: one folder each, found by the entry point group ``tillbridge.libraries``."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""Kits that prove an adapter: checks against a peer that really listens, for registers and for library systems."""

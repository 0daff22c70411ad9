# SPDX-License-Identifier: GPL-3.0-or-later
"""Tillbridge connects library systems with cash registers."""

__version__ = "0.1.0"

# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for the systems that a bridge talks to. Products of their own: they import no adapter."""

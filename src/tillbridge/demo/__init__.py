# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the whole: a demo library, a bridge and a simulated till on this machine."""

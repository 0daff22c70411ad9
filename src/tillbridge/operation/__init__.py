# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch the bridge at work: its metrics, its log, and whether it is ready."""

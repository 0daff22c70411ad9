# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the rules of a payment's life; nothing here knows a network, a database or a clock."""

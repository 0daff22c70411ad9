# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry a payment through its life: the ports, the use cases and the runner of tasks."""

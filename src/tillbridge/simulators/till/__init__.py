# SPDX-License-Identifier: GPL-3.0-or-later
"""A Ceepos register server to try things with: the protocol, a till page for the cashier, and faults on demand.

It has its own code for hashes and messages, so that one mistake cannot hide on both sides of the wire.
"""

from tillbridge.simulators.till.app import build_app
from tillbridge.simulators.till.autopilot import Autopilot
from tillbridge.simulators.till.outside import Outside
from tillbridge.simulators.till.server import RunningTill, running
from tillbridge.simulators.till.settings import TillSettings
from tillbridge.simulators.till.till import Till

__all__ = ["Autopilot", "Outside", "RunningTill", "Till", "TillSettings", "build_app", "running"]

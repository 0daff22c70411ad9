# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the demo library and the simulated register server beside a bridge under measure: FOLDER PORT HABIT."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import uvloop

from tillbridge.demo.stage import set_scenery
from tillbridge.simulators.till.autopilot import Autopilot


async def run(folder: Path, port: int, habit: str) -> None:
    """Set the scenery for a bridge on this port, say where all is, and stay until killed."""
    autopilot = Autopilot("accept", after_s=0.0) if habit == "accept" else Autopilot()
    async with set_scenery(folder, port, autopilot=autopilot) as made:
        facts = {"library": made.library, "till": made.till, "settings": str(made.settings), "api_key": made.api_key}
        print(json.dumps(facts), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(run(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))

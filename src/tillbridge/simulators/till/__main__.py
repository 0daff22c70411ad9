# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the simulator by itself: ``python -m tillbridge.simulators.till``."""

import typer

from tillbridge.simulators.till.cli import till

if __name__ == "__main__":
    typer.run(till)

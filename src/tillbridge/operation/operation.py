# SPDX-License-Identifier: GPL-3.0-or-later
"""Put together what watches one bridge."""

from __future__ import annotations

from dataclasses import dataclass

from tillbridge.operation.gauges import Gauges
from tillbridge.operation.metrics import Metrics
from tillbridge.operation.readiness import Readiness
from tillbridge.service.feed import Feed
from tillbridge.service.ports import World


@dataclass(frozen=True, slots=True)
class Operation:
    """Hold what is known about a bridge at work."""

    metrics: Metrics
    gauges: Gauges
    readiness: Readiness

    async def metrics_text(self) -> bytes:
        """Write all metrics, those of the store as fresh as they may be."""
        await self.gauges.refresh()
        return self.metrics.text()


def operation_of(world: World, feed: Feed, metrics: Metrics) -> Operation:
    """Return what watches this world; it lives as long as the world does."""
    gauges = Gauges(world.store, world.clock, feed)
    metrics.registry.register(gauges)
    return Operation(metrics, gauges, Readiness(world))

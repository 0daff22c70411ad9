# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics of one bridge, in a registry of its own (Prometheus)."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric

from tillbridge import __version__

TEXT = "text/plain; version=0.0.4; charset=utf-8"
"""The form in which the metrics are written."""

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Bounds of the histogram: a library system answers within seconds, a till when the customer has paid."""


class Metrics:
    """Hold what is counted as it happens; what the store counts is added to `registry`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.collections = self._counter("collection_changes", "Collections by the state they came to.", "to", "by")
        self.bookings = self._counter("booking_changes", "Bookings by the state they came to.", "to")
        self.answers = self._counter("adapter_answers", "What an adapter answered.", "part", "method", "answer")
        self.requests = self._counter("http_requests", "Requests that were answered.", "method", "route", "status")
        self.under_way = Gauge(
            "tillbridge_adapter_under_way",
            "Questions to an adapter that are not answered yet.",
            ("part", "method"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "tillbridge_adapter_seconds",
            "How long an adapter took.",
            ("part", "method"),
            buckets=SECONDS,
            registry=self.registry,
        )
        build = Info("tillbridge_build", "What runs here.", registry=self.registry)
        build.info({"version": __version__, "python": platform.python_version()})
        ProcessCollector(registry=self.registry)

    def text(self) -> bytes:
        """Write all metrics."""
        return generate_latest(_WithoutBirths(self.registry))

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"tillbridge_{name}", help_text, labels, registry=self.registry)


class _WithoutBirths:
    """Leave out the instant at which each series began: it doubles what is written, and nobody asks for it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family

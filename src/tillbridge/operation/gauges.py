# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what is not at rest as metrics: counted in the store, at most once in a few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import structlog
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from tillbridge.domain.lifecycle import AT_REST, UNDECIDED, Booking
from tillbridge.service.counting_port import Tally, Waiting
from tillbridge.service.feed import Feed
from tillbridge.service.ports import Clock
from tillbridge.service.store_port import CaseKind, Store, TaskKind, Transaction

FRESH_S = 5.0
"""How long a count is shown before the store is asked again, however often the metrics are read."""

COUNT_LIMIT_S = 5.0
"""How long the store is waited for."""

UNBOOKED = frozenset(Booking) - AT_REST
_NOTHING, _NO_WORK = Tally(0, 0.0), Waiting(0, None, 0)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Counts:
    at: float
    undecided: Mapping[str, Tally]
    unbooked: Mapping[str, Tally]
    cases: Mapping[str, Tally]
    tasks: Mapping[str, Waiting]


class Gauges:
    """Be a collector of a registry; `refresh` before it is asked."""

    def __init__(self, store: Store, clock: Clock, feed: Feed) -> None:
        self._store, self._clock, self._feed = store, clock, feed
        self._asked_at = float("-inf")
        self._counts: _Counts | None = None
        self._one_at_a_time = asyncio.Lock()

    async def refresh(self) -> None:
        """Count anew where the last count is old; a store that cannot be asked leaves nothing to be shown."""
        async with self._one_at_a_time:
            if self._clock.now() - self._asked_at < FRESH_S:
                return
            self._asked_at = self._clock.now()
            self._counts = None
            try:
                async with asyncio.timeout(COUNT_LIMIT_S):
                    self._counts = await self._store.read(self._count)
            except Exception:  # noqa: BLE001 - logged, and shown as a database that is away
                _log.exception("the store cannot be asked for its counts")

    def collect(self) -> Iterator[Metric]:
        """Yield what was counted last."""
        streams = GaugeMetricFamily("tillbridge_event_streams", "Streams of events that are listened to.")
        streams.add_metric((), self._feed.listening)
        yield streams
        up = GaugeMetricFamily("tillbridge_database_up", "Whether the database could be asked for its counts.")
        up.add_metric((), self._counts is not None)
        yield up
        if self._counts is not None:
            yield from _families(self._counts)

    def _count(self, tx: Transaction) -> _Counts:
        now = self._clock.now()
        return _Counts(now, tx.count_undecided(), tx.count_unbooked(), tx.count_open_cases(), tx.count_tasks(now))


def _families(counts: _Counts) -> Iterator[Metric]:
    for stem, label, names, tallies in (
        ("payments_undecided", "collection", UNDECIDED, counts.undecided),
        ("payments_unbooked", "booking", UNBOOKED, counts.unbooked),
        ("open_cases", "case", CaseKind, counts.cases),
    ):
        # What there is none of is 0 and not missing: an alarm must be able to end.
        shown = {str(name): tallies.get(name, _NOTHING) for name in sorted(names)}
        yield _gauge(stem, "How many there are.", label, ((n, tally.count) for n, tally in shown.items()))
        ages = ((n, _age(counts.at, tally.oldest_at if tally.count else None)) for n, tally in shown.items())
        yield _gauge(f"{stem}_oldest_seconds", "How long ago the oldest began.", label, ages)
    yield from _tasks(counts)


def _tasks(counts: _Counts) -> Iterator[Metric]:
    shown = {str(kind): counts.tasks.get(kind, _NO_WORK) for kind in TaskKind}
    due = ((kind, waiting.due) for kind, waiting in shown.items())
    yield _gauge("tasks_due", "Tasks that are due and in nobody's hands.", "task", due)
    ages = ((kind, _age(counts.at, waiting.due_since)) for kind, waiting in shown.items())
    yield _gauge("tasks_due_oldest_seconds", "For how long the oldest of them has been due.", "task", ages)
    leased = ((kind, waiting.leased) for kind, waiting in shown.items())
    yield _gauge("tasks_leased", "Tasks that are being done.", "task", leased)


def _gauge(name: str, help_text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(f"tillbridge_{name}", help_text, labels=(label,))
    for value_of, value in values:
        family.add_metric((value_of,), value)
    return family


def _age(now: float, since: float | None) -> float:
    return 0.0 if since is None else max(0.0, now - since)

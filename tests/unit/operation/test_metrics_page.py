# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about the metrics names every metric with its labels, and every answer, and none that is not there."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from support.worlds import make_bench
from tillbridge.operation.measuring import DELIVERED, GIVEN_UP, NOT_DELIVERED, RAISED, _snake
from tillbridge.operation.metrics import Metrics
from tillbridge.operation.operation import operation_of
from tillbridge.service.feed import Feed
from tillbridge.service.library_port import LibrarySystem
from tillbridge.service.register_port import Register
from tillbridge.service.store_port import TaskKind
from tillbridge.simulation.store import InlineStore

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/metrics.md").read_text(encoding="utf-8")
SUFFIX = {"counter": "_total", "info": "_info"}
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ((?:`\w+`(?:, )?)*) ?\| (.{5,}) \|$", re.MULTILINE)


async def families() -> list[Metric]:
    """Return all that a bridge shows."""
    store, metrics = InlineStore(), Metrics()
    try:
        world = make_bench(store).world
        await operation_of(world, Feed(store), metrics).metrics_text()
    finally:
        store.close()
    return [*metrics.registry.collect()]


def labels_of(family: Metric, wrappers: dict[str, tuple[str, ...]]) -> set[str]:
    return set(wrappers.get(family.name, ())) or {name for sample in family.samples for name in sample.labels}


async def test_every_metric_is_described_with_its_labels_and_no_other_is() -> None:
    own = [each for each in vars(Metrics()).values() if isinstance(each, MetricWrapperBase)]
    wrappers = {each._name: each._labelnames for each in own}
    shown = {
        family.name + SUFFIX.get(family.type, ""): (family.type.replace("info", "gauge"), labels_of(family, wrappers))
        for family in await families()
    }
    rows = {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels, _ in ROW.findall(PAGE)}
    assert rows == shown


def test_every_kind_of_work_is_named() -> None:
    assert [kind for kind in TaskKind if f"`{kind}`" not in PAGE] == []


def answers_of(method: Any) -> Iterator[str]:
    """Name what a method of a port may answer."""
    returned = typing.get_type_hints(method)["return"]
    for kind in typing.get_args(returned) or (returned,):
        name = (typing.get_origin(kind) or kind).__name__
        yield {"NoneType": "reachable", "str": "away"}.get(name) or _snake(name)


def test_every_method_is_described_with_its_answers() -> None:
    methods = {
        name: set(answers_of(method))
        for port in (Register, LibrarySystem)
        for name, method in vars(port).items()
        if inspect.isfunction(method) and not name.startswith("_") and name != "close"
    } | {"tell": {DELIVERED, NOT_DELIVERED}}
    rows = dict(re.findall(r"^\| `(\w+)` \| ((?:`|The same).+) \|$", PAGE, re.MULTILINE))
    rows["judge_stray_report"] = rows["judge_report"]
    assert {name: set(re.findall(r"`(\w+)`", text)) for name, text in rows.items()} == methods
    assert [kind for kind in (RAISED, GIVEN_UP) if f"`{kind}`" not in PAGE] == []

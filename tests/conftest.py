# SPDX-License-Identifier: GPL-3.0-or-later
"""One PostgreSQL server for a whole run of the tests, however many processes share them."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest
import structlog
from coverage import Coverage
from sqlalchemy import URL

from support.postgres import ADDRESS, cluster, database, shared_server

_held = ExitStack()

HERE = Path(__file__).parent
MEASURED = tuple(HERE / name for name in ("unit/domain", "service"))
"""Where the tests are that cover domain and service wholly: the others run faster where nobody measures."""

# How long an example takes says something about the machine, and nothing about the product.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Start the server before the processes that share the tests, so that all of them find its address."""
    # Whoever wants to see more than what went wrong asks for it (support.logs).
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    # A shell lets what it runs in its background ignore Ctrl-C, and so would every program that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    shares = hasattr(config, "workerinput")
    if shares:
        # What a test starts is not measured: it runs as fast as it does at a library.
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    starts_others = getattr(config.option, "numprocesses", None) and not shares
    if starts_others and not config.option.collectonly:
        made = _held.enter_context(cluster())
        os.environ[ADDRESS] = made.url.render_as_string(hide_password=False)


def pytest_unconfigure() -> None:
    """Stop what this process has started."""
    _held.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure what a test covers only where it matters."""
    measuring = Coverage.current()
    if measuring is None or _is_measured(item):
        return (yield)
    measuring.stop()
    try:
        return (yield)
    finally:
        measuring.start()


def _is_measured(item: pytest.Item) -> bool:
    """Tell whether a test covers what must be covered wholly; of two that differ in the engine, one is enough."""
    callspec = getattr(item, "callspec", None)
    again = callspec is not None and "postgres" in callspec.params.values()
    return not again and any(item.path.is_relative_to(folder) for folder in MEASURED)


@pytest.fixture(autouse=True)
def log_stays_as_it_is() -> Iterator[None]:
    """Let no test change what the tests after it hear of the log: commands that run in this process set it."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules can be imported, and are forgotten after the test: the next one writes others."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if _is_from(tmp_path, getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


def _is_from(folder: Path, file: str | None) -> bool:
    return file is not None and Path(file).is_relative_to(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    with shared_server() as url:
        yield url


@pytest.fixture
def postgres(postgres_server: URL) -> Iterator[URL]:
    """An empty database."""
    with database(postgres_server) as url:
        yield url

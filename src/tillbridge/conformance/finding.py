# SPDX-License-Identifier: GPL-3.0-or-later
"""Find an adapter by its entry point, and the peer that it is tried against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tillbridge.errors import SettingsError

REGISTERS, LIBRARIES = "tillbridge.registers", "tillbridge.libraries"
REGISTER_PEERS, LIBRARY_PEERS = "tillbridge.register_peers", "tillbridge.library_peers"

_SHIPPED = {
    (REGISTER_PEERS, "ceepos"): "tillbridge.conformance.ceepos",
    (LIBRARY_PEERS, "koha"): "tillbridge.conformance.koha",
}
"""The peers of the adapters that come with the bridge are the kit's own."""

Setups = Mapping[str, Callable[..., Any]]


def adapter_of(group: str, name: str) -> Any:
    """Load the module that an adapter's entry point names; raise SettingsError."""
    points = {point.name: point for point in entry_points(group=group)}
    if name not in points:
        known = ", ".join(sorted(points)) or "none"
        raise SettingsError(name, f"no adapter of this name is installed ({group})", f"Installed are: {known}")
    return _loaded(points[name], "Settings", "connect")


def setups_of(group: str, name: str) -> Setups:
    """Load an adapter's ways to be set up, each with its peer; raise SettingsError."""
    if (group, name) in _SHIPPED:
        setups: Setups = import_module(_SHIPPED[group, name]).SETUPS
        return setups
    points = {point.name: point for point in entry_points(group=group)}
    if name not in points:
        remedy = f'Name its peer in pyproject.toml: [project.entry-points."{group}"]'
        raise SettingsError(name, "the adapter is there, and nothing to try it against", remedy)
    found: Setups = _loaded(points[name], "SETUPS").SETUPS
    return found


def in_one_line(error: Exception) -> str:
    """Name an error and what it says, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _loaded(point: EntryPoint, *needed: str) -> Any:
    """Load a module that must have these names; raise SettingsError: it is its author who reads it."""
    try:
        module = point.load()
    except Exception as error:
        what = f"this module cannot be loaded: {in_one_line(error)}"
        raise SettingsError(point.value, what, "Mend it, or install what it imports") from error
    missing = [name for name in needed if not hasattr(module, name)]
    if missing:
        raise SettingsError(point.value, f"this module has no {' and no '.join(missing)}", "Write it")
    return module


def live_of(name: str) -> Callable[..., Any]:
    """Load the way to try an adapter on a real library system; raise SettingsError where it has none."""
    lives = {"koha": "tillbridge.conformance.live_koha"}
    if name not in lives:
        raise SettingsError(name, "this adapter cannot be tried on a real library system", "Leave --settings out")
    live: Callable[..., Any] = import_module(lives[name]).open_live
    return live

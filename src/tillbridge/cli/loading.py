# SPDX-License-Identifier: GPL-3.0-or-later
"""Load a command's module once somebody asks for the command: all of them together take seconds."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

ADAPTER_COMMANDS = "tillbridge.commands"
"""Entry points by which an adapter brings commands of its own."""

OWN = {
    "serve": "tillbridge.cli.serve:serve",
    "check": "tillbridge.cli.check:check",
    "pay": "tillbridge.cli.pay:pay",
    "demo": "tillbridge.cli.demo:demo",
    "verify-history": "tillbridge.cli.verify_history:verify_history",
    "simulate": "tillbridge.cli.simulate:simulate",
    "till": "tillbridge.simulators.till.cli:till",
    "demo-library": "tillbridge.simulators.library.cli:demo_library",
    "alarm": "tillbridge.cli.alarm:alarm",
    "branch": "tillbridge.cli.branch:branch",
    "conformance": "tillbridge.cli.conformance:app",
    "key": "tillbridge.cli.key:key",
    "products": "tillbridge.cli.products:products",
    "user": "tillbridge.cli.user:user",
}
"""Our commands in the order in which they are listed, and where each is."""

_WHATEVER_FOLLOWS = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


class Commands(TyperGroup):
    """A group whose commands are loaded when they are asked for: ours, and those that adapters bring."""

    def __init__(self, **settings: Any) -> None:
        own = {name: EntryPoint(name, where, ADAPTER_COMMANDS) for name, where in OWN.items()}
        adapters = {point.name: point for point in entry_points(group=ADAPTER_COMMANDS) if point.name not in own}
        super().__init__(**settings | {"commands": LoadedWhenAsked(own | adapters)})


class LoadedWhenAsked(Mapping[str, Any]):
    """Map the name of a command to the command; to list the names loads none."""

    def __init__(self, places: Mapping[str, EntryPoint]) -> None:
        self._places = places
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return the command of this name; raise KeyError where there is none."""
        place = self._places[name]
        if name not in self._loaded:
            self._loaded[name] = _command(place)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _command(place: EntryPoint) -> Any:
    """Let typer make a command of a function, or a group of an application; what cannot be loaded harms no other."""
    around = typer.Typer()
    try:
        with _without_collecting():
            found = place.load()
    except Exception as fault:  # noqa: BLE001 - whatever an adapter does wrong
        around.command(place.name, context_settings=_WHATEVER_FOLLOWS)(_out_of_order(place, fault))
    else:
        if isinstance(found, typer.Typer):
            around.add_typer(found, name=place.name)
        else:
            around.command(place.name)(found)
    return get_group(around).commands[place.name]


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Look for no garbage while modules are loaded: nearly all of it stays, and looking is a sixth of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _out_of_order(place: EntryPoint, fault: Exception) -> Callable[[], None]:
    why = f"{place.value} cannot be loaded: {type(fault).__name__}: {fault}"

    def say() -> None:
        typer.echo(f"tillbridge {place.name}: {why}. Mend or remove the package that brings it.", err=True)
        raise typer.Exit(2)

    say.__doc__ = f"Out of order: {why}"
    return say

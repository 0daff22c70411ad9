# SPDX-License-Identifier: GPL-3.0-or-later
"""Name branches and registers as people do, and remember which register stands beside a workstation."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from fastapi.responses import Response

from tillbridge.service.store_port import Transaction
from tillbridge.web.desk.visit import YEAR_S, Visit

REGISTER = "tillbridge_register"
_BETWEEN = "/"
_STALE_S = 7 * 86400
"""After how long a register that nobody heard of gets a sign."""


@dataclass(frozen=True, slots=True)
class Place:
    """Hold a register that can be chosen: `heard_at` is when a till there has last answered, None for never."""

    branch: str
    register: str
    branch_name: str
    name: str
    on: bool
    chosen: bool
    heard_at: float | None
    quiet: bool

    @property
    def value(self) -> str:
        """Return what a form sends for it."""
        return f"{self.branch}{_BETWEEN}{self.register}"


def branch_name(visit: Visit, branch: str) -> str:
    """Return what a branch is called."""
    known = visit.bridge.world.branches.get(branch)
    return known.name if known is not None and known.name else branch


def register_name(visit: Visit, branch: str, register: str) -> str:
    """Return what a register is called; its number where it has no name."""
    known = visit.bridge.world.branches.get(branch)
    return known.registers.get(register, register) if known is not None else register


def places(visit: Visit, tx: Transaction) -> list[Place]:
    """List the registers of the branches that this person sees, with the one of this workstation chosen."""
    now, chosen = visit.bridge.world.clock.now(), visit.request.cookies.get(REGISTER, "")
    found = [
        _place(visit, tx, branch, register, chosen, now)
        for branch in visit.branches()
        for register in visit.bridge.world.branches[branch].registers
    ]
    return found


def split(value: str) -> tuple[str, str]:
    """Take apart what a form sent for a register: its branch and its number."""
    branch, _, register = value.partition(_BETWEEN)
    return branch, register


def remember(visit: Visit, response: Response, branch: str, register: str) -> None:
    """Let this workstation remember its register."""
    visit.keep(response, REGISTER, _kept(branch, register), YEAR_S)


def _kept(branch: str, register: str) -> str:
    """Return what a cookie, which takes few signs, keeps for a register."""
    return quote(f"{branch}{_BETWEEN}{register}")


def _place(visit: Visit, tx: Transaction, branch: str, register: str, chosen: str, now: float) -> Place:
    heard_at = tx.register_heard_at(branch, register)
    return Place(
        branch=branch,
        register=register,
        branch_name=branch_name(visit, branch),
        name=register_name(visit, branch, register),
        on=visit.bridge.world.products.is_on(branch),
        chosen=chosen == _kept(branch, register),
        heard_at=heard_at,
        quiet=heard_at is None or now - heard_at > _STALE_S,
    )

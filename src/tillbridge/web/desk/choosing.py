# SPDX-License-Identifier: GPL-3.0-or-later
"""Read from a form which charges are chosen and how much is paid, and show how it is split over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tillbridge.domain.allocation import allocate
from tillbridge.domain.money import decimal_of, rounded
from tillbridge.errors import Declined
from tillbridge.service.library_port import Charge
from tillbridge.service.starting import NOTE_LIMIT, Chosen, StartRequest
from tillbridge.web.desk.amounts import typed_cents
from tillbridge.web.desk.places import split
from tillbridge.web.desk.visit import Form, Visit

CHARGE, SUM = "charge", "sum"


@dataclass(frozen=True, slots=True)
class Choice:
    """Hold what a form chooses: charges with what the page showed as owed, and a partial sum in cents."""

    charges: tuple[Chosen, ...]
    sum_minor: int | None

    def owed(self) -> list[int]:
        """Return what each chosen charge owed when the page was made, in cents."""
        return [rounded(chosen.owed or Decimal(0)) for chosen in self.charges]


def choice_of(form: Form) -> Choice:
    """Read the choice; raise Declined where a field was tampered with, or the sum is none."""
    charges = tuple(_chosen(value) for value in form.all(CHARGE))
    if len({each.charge_id for each in charges}) != len(charges):
        raise Declined("wrong_field", "A charge is named twice.")
    return Choice(charges, typed_cents(form.one(SUM, 40)))


def value_of(charge: Charge) -> str:
    """Return what the form sends for a charge: its id, and what the clerk saw it owe."""
    return f"{charge.charge_id}={charge.owed:f}"


def choice_now(form: Form, ticked: Sequence[Charge]) -> Choice:
    """Return what a form chooses, by what these charges owe now; raise Declined where the sum is none."""
    charges = tuple(Chosen(charge.charge_id, charge.owed) for charge in ticked)
    return Choice(charges, typed_cents(form.one(SUM, 40)))


def request_of(visit: Visit, form: Form, patron_id: str) -> StartRequest:
    """Read a whole request for a payment; raise Declined."""
    branch, register = split(form.one("register", 100))
    if not register:
        raise Declined("register_missing", "No register is chosen.")
    visit.need_branch(branch)
    choice = choice_of(form)
    if not choice.charges:
        raise Declined("nothing_chosen", "No charge is chosen.")
    return StartRequest(
        branch=branch,
        register=register,
        clerk=visit.person.id,
        patron_id=patron_id,
        charges=choice.charges,
        sum_minor=choice.sum_minor,
        note=form.one("note", NOTE_LIMIT),
    )


def shares_of(choice: Choice) -> dict[str, int]:
    """Return how many cents each chosen charge gets; raise Declined where the sum does not fit."""
    owed = choice.owed()
    wanted = sum(owed) if choice.sum_minor is None else choice.sum_minor
    if not owed:
        return {}
    if not 0 < wanted <= sum(owed):
        raise Declined("sum_out_of_range", "The sum must be above zero and at most what is owed.")
    ids = [chosen.charge_id for chosen in choice.charges]
    return dict(zip(ids, allocate(wanted, owed), strict=True))


def _chosen(value: str) -> Chosen:
    charge_id, _, owed = value.rpartition("=")
    try:
        return Chosen(charge_id, decimal_of(owed))
    except ValueError as error:
        raise Declined("wrong_field", "A charge of the form cannot be read.") from error

# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a token of the plugin says, once its signature is proven."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tillbridge.domain.money import cents_of, decimal_of, rounded
from tillbridge.errors import Declined
from tillbridge.service.librarians import Librarian
from tillbridge.service.library_pages import LibraryPages
from tillbridge.service.library_port import Charge, Patron
from tillbridge.service.tokens import verified

C = TypeVar("C", bound=BaseModel)

MOST_LINES = 500

Number = Annotated[int, Field(ge=0, lt=10**12)]
Words = Annotated[str | None, Field(max_length=10_000)]
Amount = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")]


class _Claims(BaseModel):
    # Newer plugins may say more.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class LookPatron(_Claims):
    """Name the patron whose payments may be looked at."""

    id: Number


class Look(_Claims):
    """Let a page ask which payments of one patron are open."""

    scope: Literal["look"]
    library: str = Field(max_length=80)
    patron: LookPatron


class PayStaff(_Claims):
    """Name the librarian who pressed the button."""

    id: Number
    userid: Words
    name: Words


class PayPatron(LookPatron):
    """Name the patron who pays."""

    card: Words
    name: Words
    restricted: bool = False


class PayLine(_Claims):
    """Hold a charge with what it owes exactly, and how much of it is paid, in whole cents."""

    id: Number
    type: Words
    description: Words
    owed: Amount
    amount: Amount

    @model_validator(mode="after")
    def _pays_no_more_than_is_owed(self) -> Self:
        if not 0 < cents_of(self.amount) <= rounded(decimal_of(self.owed)):
            raise ValueError("a line pays more than nothing, and no more than it owes")
        return self

    @property
    def amount_minor(self) -> int:
        """Return how many cents of it are paid."""
        return cents_of(self.amount)

    def charge(self, patron: PayPatron) -> Charge:
        """Return the charge as the library system has just told it."""
        text = self.description or ""
        return Charge(str(self.id), str(patron.id), self.type or "", text, decimal_of(self.owed))


class Pay(_Claims):
    """Hand a payment over: who pays what, and who asks for it where."""

    jti: str = Field(pattern=r"^[0-9a-f]{32}$")
    iat: int = 0
    scope: Literal["pay"]
    staff: PayStaff
    library: str = Field(min_length=1, max_length=80)
    register_id: Number | None = Field(alias="register")
    patron: PayPatron
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    lines: list[PayLine] = Field(min_length=1, max_length=MOST_LINES)
    amount: Amount

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.amount_minor != sum(line.amount_minor for line in self.lines):
            raise ValueError("the amount is not the sum of its lines")
        if len({line.id for line in self.lines}) != len(self.lines):
            raise ValueError("a charge is named twice")
        return self

    @property
    def amount_minor(self) -> int:
        """Return the sum to pay in cents."""
        return cents_of(self.amount)

    @property
    def age_s(self) -> float:
        """Return how long ago the charges were read, by the wall clocks of both machines."""
        return time.time() - self.iat

    @property
    def charges(self) -> Sequence[Charge]:
        """Return the charges in the order in which they stand there: the library system's own."""
        return tuple(line.charge(self.patron) for line in self.lines)

    @property
    def librarian(self) -> Librarian:
        """Return who pressed the button."""
        return Librarian(str(self.staff.id), self.staff.userid or "", self.staff.name or "")

    @property
    def payer(self) -> Patron:
        """Return who pays; the library system names people in one piece here."""
        patron = self.patron
        return Patron(str(patron.id), patron.card or "", patron.name or "", "", patron.restricted)


def claims_in(token: str, pages: LibraryPages, kind: type[C]) -> C:
    """Return what a token says that counts now; raise Declined for any other."""
    # The wall clock: it is compared with another machine's, and ours may have been set right since the bridge began.
    said = verified(token, pages, time.time())
    try:
        return kind.model_validate(said)
    except ValidationError:
        raise Declined("bad_token", "What comes from the library system's page cannot be read here.") from None

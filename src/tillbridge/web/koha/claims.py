# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a token of the plugin says, once its signature is proven."""

from __future__ import annotations

import time
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tillbridge.errors import Declined
from tillbridge.service.library_pages import LibraryPages
from tillbridge.service.tokens import verified

C = TypeVar("C", bound=BaseModel)

Number = Annotated[int, Field(ge=0, lt=10**12)]


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


def claims_in(token: str, pages: LibraryPages, kind: type[C]) -> C:
    """Return what a token says that counts now; raise Declined for any other."""
    # The wall clock: it is compared with another machine's, and ours may have been set right since the bridge began.
    said = verified(token, pages, time.time())
    try:
        return kind.model_validate(said)
    except ValidationError:
        raise Declined("bad_token", "What comes from the library system's page cannot be read here.") from None

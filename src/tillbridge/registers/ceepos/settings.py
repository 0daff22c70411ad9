# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of one Ceepos register server: ``[register_server.NAME]`` with ``kind = "ceepos"``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tillbridge.registers.ceepos.cleaning import cleaned
from tillbridge.registers.ceepos.hashes import RequestOrder, version_of
from tillbridge.registers.ceepos.request import ID_PLACEHOLDER

ADDRESS_LIMIT = 2000


def _sound_address(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address starts with https:// (or http://) and names a host")
    if parts.username is not None or parts.fragment or not address.isprintable() or " " in address:
        raise ValueError("an address has no user name, no fragment and no blanks")
    _ = parts.port  # raises ValueError where the port is none
    return address


def _sound_template(address: str) -> str:
    if set(address.replace(ID_PLACEHOLDER, "")) & set("{}"):
        raise ValueError(f"the only placeholder is {ID_PLACEHOLDER}")
    if ";" in address:  # the address is a value of the message, and none may hold one (dossier 2.4, 8.2)
        raise ValueError("an address for reports has no ;")
    return _sound_address(address.replace(ID_PLACEHOLDER, "id")) and address


def _sound_source(source: str) -> str:
    if source != cleaned(source) or "&" in source:
        raise ValueError("a source is plain text without ; ' & and without blanks around it")
    return source


def _sound_version(version: str) -> str:
    version_of(version)
    return version


Address = Annotated[str, Field(max_length=ADDRESS_LIMIT), AfterValidator(_sound_address)]
Template = Annotated[str, Field(max_length=ADDRESS_LIMIT), AfterValidator(_sound_template)]
Source = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_sound_source)]
VersionText = Annotated[str, AfterValidator(_sound_version)]

_GROUPS = (
    *(("address",), ("source",), ("order",), ("ca_file",), ("client_certificate", "client_key")),
    ("secret_file", "secret_variable", "previous_secret_file", "previous_secret_variable"),
)
"""What a branch takes over together or not at all."""


class Branch(BaseModel):
    """Hold what one branch may have of its own; None means: as the register server's settings say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: Address | None = None
    source: Source | None = None
    secret_file: Path | None = None
    secret_variable: str | None = None
    previous_secret_file: Path | None = None
    previous_secret_variable: str | None = None
    ca_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    order: RequestOrder | None = None

    @model_validator(mode="after")
    def _key_needs_certificate(self) -> Self:
        if self.client_key is not None and self.client_certificate is None:
            raise ValueError("client_key needs client_certificate beside it")
        return self

    def over(self, base: Branch) -> Branch:
        """Return this branch's settings with those of `base` where it has none.

        A secret and its predecessor belong together, and so do a certificate and its key: of such a group either
        all is this branch's own or all is `base`'s.
        """
        owners = {group: self if self._has_any(group) else base for group in _GROUPS}
        return Branch.model_validate({name: getattr(owner, name) for group, owner in owners.items() for name in group})

    def _has_any(self, group: tuple[str, ...]) -> bool:
        return any(getattr(self, name) is not None for name in group)


class Settings(Branch):
    """Hold the settings of one register server; times are in seconds.

    Each secret comes from a file (relative to the settings' folder) or from an environment variable. During a
    rotation, answers and reports signed with the previous secret are believed too.
    """

    address: Address
    source: Source
    order: RequestOrder = RequestOrder.SORTED
    mode: Literal[1, 2] = 2
    api_version: VersionText = "2.0"
    receipt_description: Literal["borrower", "payment"] = "payment"
    notification_address: Template | None = None
    connect_s: float = Field(default=3, gt=0, le=10)
    answer_s: float = Field(default=15, gt=0, le=600)
    held_s: float = Field(default=510, gt=0, le=7200)
    branch: dict[str, Branch] = Field(default_factory=dict)

    @property
    def limit_s(self) -> float:
        """Return how long an answer may take, counted from the made connection."""
        return self.answer_s if self.mode == 1 else self.held_s

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the section ``[library]`` of a settings file says about a Koha."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tillbridge.this_machine import is_this_machine

_NEEDS_REGISTER = re.compile(r"CASH|SIP[0-9]{2}", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http") or not parts.hostname or not text.isprintable():
        raise ValueError("give the address of Koha's staff interface, such as https://koha-staff.example.fi")
    if parts.username or parts.password or parts.query or parts.fragment or " " in text:
        raise ValueError("an address has no user, password, blank, ? or #: take them out")
    if parts.scheme == "http" and not is_this_machine(parts.hostname):
        raise ValueError("the secret would go over the network in clear text: use https")
    return text.rstrip("/")


def _origin(text: str) -> str:
    """Return an address as browsers write an origin: without a path, and without the port that goes without saying."""
    parts = urlsplit(_address(text))
    if parts.path:
        raise ValueError("give the address of Koha's staff pages without a path: https://koha-staff.example.fi")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("its port is no number of a port") from None
    usual = {"https": 443, "http": 80}[parts.scheme]
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc.rstrip(":")
    return f"{parts.scheme}://{host}" + ("" if port in (None, usual) else f":{port}")


def _payment_type(text: str) -> str:
    if _NEEDS_REGISTER.fullmatch(text):
        raise ValueError(
            "Koha takes CASH and SIPnn only with a register of its own (it answers 500): "
            "make a payment type for the till, such as CEEPOS"
        )
    return _plain(text)


def _plain(text: str) -> str:
    if text != text.strip() or _CONTROL.search(text):
        raise ValueError("use plain text on one line, with no blank before or behind")
    return text


class Settings(BaseModel):
    """Describe one Koha: where it is, who the bridge is there, and how its credits look.

    Either `client_id` with its secret (OAuth2, dossier 2) or `user` with a password (Basic). Times in seconds;
    measured: a Koha that restarts its workers stalls for 6 s, so `answer_s` under 30 makes false doubts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: Annotated[str, AfterValidator(_address)] = Field(max_length=500)
    client_id: str | None = Field(None, min_length=1, max_length=200)
    client_secret_file: Path | None = None
    client_secret_variable: str | None = None
    user: str | None = Field(None, pattern=r"^[^:]+$", max_length=200)
    password_file: Path | None = None
    password_variable: str | None = None
    payment_type: Annotated[str, AfterValidator(_payment_type)] = Field(min_length=1, max_length=80)
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$")
    ca_file: Path | None = None
    connect_s: float = Field(3, gt=0, le=60)
    answer_s: float = Field(30, gt=0, le=300)
    description: Annotated[str, AfterValidator(_plain)] = Field("", max_length=200)
    """What the patron sees as the credit's text; empty leaves it to Koha, which names the type of credit."""
    payout_type: Annotated[str, AfterValidator(_plain)] | None = Field(None, min_length=1, max_length=80)
    """What money is given back by, where the plugin is there; None: the payment type."""
    staff_address: Annotated[str, AfterValidator(str.lower), AfterValidator(_origin)] | None = Field(
        None, max_length=500
    )
    """Where librarians open Koha; without it nothing of Koha's pages leads here."""
    hand_over_secret_file: Path | None = None
    hand_over_secret_variable: str | None = None
    previous_hand_over_secret_file: Path | None = None
    previous_hand_over_secret_variable: str | None = None
    hide_confirm: tuple[str, ...] = ()
    branches: dict[str, str] = Field(default_factory=dict)
    """Koha's code of a branch → that of the branch in these settings, where they differ."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        client = (self.client_id, self.client_secret_file, self.client_secret_variable)
        user = (self.user, self.password_file, self.password_variable)
        if any(client) == any(user):
            raise ValueError("say who the bridge is in Koha in one way: client_id, or user")
        name, *places = client if any(client) else user
        if name is None or sum(place is not None for place in places) != 1:
            raise ValueError(
                "client_id goes with client_secret_file or client_secret_variable, "
                "user with password_file or password_variable: one of the two"
            )
        return self

    @model_validator(mode="after")
    def _pages_have_an_address(self) -> Self:
        given = [name for name, places in self.hand_over_places.items() if any(places)]
        if (given or self.hide_confirm or self.branches) and self.staff_address is None:
            raise ValueError("say where librarians open Koha too: staff_address")
        if given == ["previous_hand_over_secret"]:
            raise ValueError("previous_hand_over_secret goes with hand_over_secret")
        return self

    @property
    def hand_over_places(self) -> dict[str, tuple[Path | None, str | None]]:
        """Return the secrets of the plugin, the newest first: setting → its file and its environment variable."""
        return {
            "hand_over_secret": (self.hand_over_secret_file, self.hand_over_secret_variable),
            "previous_hand_over_secret": (
                self.previous_hand_over_secret_file,
                self.previous_hand_over_secret_variable,
            ),
        }

    @property
    def secret_setting(self) -> str:
        """Return the name of the setting of the secret, without its ``_file`` or ``_variable``."""
        return "password" if self.client_id is None else "client_secret"

    @property
    def secret_places(self) -> tuple[Path | None, str | None]:
        """Return the file and the environment variable of the secret; one of them is None."""
        if self.client_id is not None:
            return self.client_secret_file, self.client_secret_variable
        return self.password_file, self.password_variable

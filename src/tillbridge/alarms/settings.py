# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the alarms: ``[alarm]``."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

PORTS = {"starttls": 587, "tls": 465, "none": 25}


def _webhook(text: str) -> str:
    if not re.fullmatch(r"https?://[^/?#@\s]+([/?][^#\s]*)?", text) or not text.isprintable():
        raise ValueError("give an address such as https://alarms.example.fi/tillbridge, with no user, blank or #")
    return text


def _mail_address(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+", text):
        raise ValueError("give a bare address such as till@example.fi")
    return text


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:-]+", text):
        raise ValueError("give the bare name of the mail server, such as smtp.example.fi")
    return text


WebhookAddress = Annotated[str, Field(max_length=2000), AfterValidator(_webhook)]
MailAddress = Annotated[str, Field(max_length=254), AfterValidator(_mail_address)]


class AlarmSettings(BaseModel):
    """Say who is told of a new open case; with neither a webhook nor a mail address nobody is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    webhook: WebhookAddress | None = Field(default=None, repr=False)
    webhook_secret_file: Path | None = None
    webhook_secret_variable: str | None = None
    mail_to: tuple[MailAddress, ...] = Field(default=(), max_length=50)
    mail_from: MailAddress | None = None
    smtp_host: Annotated[str, Field(max_length=253), AfterValidator(_host)] | None = None
    smtp_port: int | None = Field(default=None, ge=1, le=65535, strict=True)
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str | None = Field(default=None, pattern=r"^[!-~]+$", max_length=200)
    smtp_password_file: Path | None = None
    smtp_password_variable: str | None = None
    ca_file: Path | None = None

    @property
    def port(self) -> int:
        """Return the mail server's port: the one that goes with the kind of TLS where none is named."""
        return self.smtp_port or PORTS[self.smtp_tls]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.webhook is None and (self.webhook_secret_file or self.webhook_secret_variable):
            raise ValueError("a webhook_secret signs what goes to a webhook: name the webhook too")
        mail = {"mail_to": self.mail_to, "mail_from": self.mail_from, "smtp_host": self.smtp_host}
        if any(mail.values()) and (missing := [name for name, value in mail.items() if not value]):
            raise ValueError(f"for e-mail {', '.join(missing)} is needed too")
        password = self.smtp_password_file or self.smtp_password_variable
        if (self.smtp_user is None) != (password is None):
            raise ValueError("smtp_user goes with smtp_password_file or smtp_password_variable, and they with it")
        if password is not None and self.smtp_tls == "none" and not _is_this_machine(self.smtp_host or ""):
            raise ValueError("the password would go over the network in clear text: use starttls or tls")
        return self


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

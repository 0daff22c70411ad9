# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry alarms to people: over a webhook and by e-mail."""

from __future__ import annotations

from pathlib import Path

from tillbridge.alarms.mail import Mail
from tillbridge.alarms.settings import AlarmSettings
from tillbridge.alarms.tls import trusting
from tillbridge.alarms.webhook import Webhook
from tillbridge.errors import WrongSetting
from tillbridge.secret import read_secret
from tillbridge.service.alarm_port import Channel

__all__ = ["AlarmSettings", "channels"]


_TABLE = "alarm"


def channels(settings: AlarmSettings, folder: Path) -> dict[str, Channel]:
    """Make the channels that the settings name; raise WrongSetting for a file that cannot be used.

    Files are relative to `folder`.
    """
    found: dict[str, Channel] = {}
    tls = trusting(None if settings.ca_file is None else folder / settings.ca_file, (_TABLE, "ca_file"))
    if settings.webhook is not None:
        places = (settings.webhook_secret_file, settings.webhook_secret_variable)
        found["webhook"] = Webhook(settings.webhook, tls, _secret("webhook_secret", folder, *places))
    if settings.mail_to:
        places = (settings.smtp_password_file, settings.smtp_password_variable)
        found["mail"] = Mail(settings, tls, _password(folder, *places))
    return found


def _password(folder: Path, file: Path | None, variable: str | None) -> str | None:
    password = _secret("smtp_password", folder, file, variable)
    if password is not None and not password.isascii():
        setting = (_TABLE, "smtp_password_variable" if file is None else "smtp_password_file")
        raise WrongSetting(setting, "the password has letters beyond ASCII", "Give the account a plain one")
    return password


def _secret(name: str, folder: Path, file: Path | None, variable: str | None) -> str | None:
    return None if file is None and variable is None else read_secret((_TABLE, name), folder, file, variable)

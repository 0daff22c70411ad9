# SPDX-License-Identifier: GPL-3.0-or-later
"""Send alarms by e-mail: plain text in UTF-8, over a connection that proves who the mail server is."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import TypeVar

import structlog

from tillbridge.alarms.settings import AlarmSettings
from tillbridge.alarms.tls import why_not
from tillbridge.alarms.words import subject, text
from tillbridge.service.alarm_port import AlarmMessage

T = TypeVar("T")

STEP_S = 10.0
"""How long the mail server may take for each step of the conversation."""

_log = structlog.get_logger()


class Mail:
    """Send each message to all addresses in one letter.

    The standard library's client waits on a thread. Nothing waits for that thread: the program may end, and whoever
    gives up goes on, while it is still waiting for a mail server.
    """

    def __init__(self, settings: AlarmSettings, tls: ssl.SSLContext, password: str | None) -> None:
        self._settings, self._tls, self._password = settings, tls, password

    async def tell(self, message: AlarmMessage) -> str | None:
        """Send a letter; return why nobody gets it."""
        letter = self.letter(message)
        try:
            refused = await _on_a_thread(lambda: self._send(letter))
        except (OSError, UnicodeError) as error:
            return _why(error)
        if refused:
            _log.warning("some addresses get no alarms", refused=sorted(refused))
        return None

    def letter(self, message: AlarmMessage) -> EmailMessage:
        """Write the letter."""
        sender, receivers = str(self._settings.mail_from), ", ".join(self._settings.mail_to)
        letter = EmailMessage(policy=SMTP)
        letter["Subject"], letter["From"], letter["To"] = subject(message), sender, receivers
        letter["Date"] = format_datetime(datetime.fromtimestamp(message.at, UTC))
        letter["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(text(message), charset="utf-8", cte="quoted-printable")
        return letter

    def _send(self, letter: EmailMessage) -> dict[str, tuple[int, bytes]]:
        with contextlib.closing(self._connected()) as server:
            if self._settings.smtp_tls == "starttls":
                server.starttls(context=self._tls)
            if self._settings.smtp_user is not None:
                server.login(self._settings.smtp_user, self._password or "")
            refused = server.send_message(letter)
            with contextlib.suppress(OSError):  # the letter is taken, however the server says good-bye
                server.quit()
        return refused

    def _connected(self) -> smtplib.SMTP:
        host, port = str(self._settings.smtp_host), self._settings.port
        if self._settings.smtp_tls == "tls":
            return smtplib.SMTP_SSL(host, port, timeout=STEP_S, context=self._tls)
        return smtplib.SMTP(host, port, timeout=STEP_S)


async def _on_a_thread(work: Callable[[], T]) -> T:
    """Run this on a thread that keeps nobody from ending."""
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()  # whoever gives up waiting does not stop it

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            done.set_exception(error)

    threading.Thread(target=run, name="alarm-mail", daemon=True).start()
    return await asyncio.wrap_future(done)


def _why(error: Exception) -> str:
    match error:
        case smtplib.SMTPRecipientsRefused():
            code, answer = next(iter(error.recipients.values()))
            return f"the mail server refuses every address: {code} {_plain(answer)}"
        case smtplib.SMTPResponseException():
            return f"the mail server says no: {error.smtp_code} {_plain(error.smtp_error)}"
        case smtplib.SMTPServerDisconnected():
            return "the mail server hung up, or gave no answer in time"
        case smtplib.SMTPException():
            return f"the mail server cannot do it: {error}"
        case _:
            return why_not(error, "mail server")


def _plain(answer: bytes | str) -> str:
    """Return what the server said on one line, and no more of it than one reads."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:200]

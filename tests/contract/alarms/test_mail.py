# SPDX-License-Identifier: GPL-3.0-or-later
"""Alarms by e-mail, to mail servers that really listen: what the letter says, and everything that hinders it."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import threading
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import structlog
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tillbridge.alarms import channels, mail
from tillbridge.alarms.settings import AlarmSettings
from tillbridge.service.alarm_port import AlarmMessage, Channel

if TYPE_CHECKING:
    from contract.alarms.conftest import Papers

USER, PASSWORD = "tillbridge", "mail-password"
TO = ("till@example.fi", "it@example.fi")


class Post:
    """A mail server that keeps its letters; `say` holds what it answers in place of yes, by command."""

    def __init__(self) -> None:
        self.letters: list[tuple[Envelope, EmailMessage]] = []
        self.sessions: list[Session] = []
        self.say: dict[str, str] = {}
        self.refused: set[str] = set()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._ends: list[asyncio.BaseTransport] = []

    async def open(self, *, implicit: bool = False, **options: Any) -> None:
        tls = options.pop("tls_context", None)
        inside = {} if implicit else {"tls_context": tls}
        loop = asyncio.get_running_loop()

        def speak() -> SMTP:
            return SMTP(self, hostname="mail.example", authenticator=self._knows, **inside, **options)

        self._server = await loop.create_server(speak, "127.0.0.1", 0, ssl=tls if implicit else None)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _knows(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, shown: Any) -> AuthResult:
        right = (shown.login, shown.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd finds it by this name
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        self.sessions.append(session)
        envelope.mail_from = address
        return self.say.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802 - as above
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such\tmailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        assert isinstance(envelope.content, bytes)
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append((envelope, letter))
        return self.say.get("DATA", "250 OK")

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802 - as above
        return self.say.get("QUIT", "221 Bye")


@pytest_asyncio.fixture
async def post() -> AsyncIterator[Post]:
    made = Post()
    yield made
    await made.close()


def mail_over(port: int, folder: Path, **more: Any) -> Channel:
    plain = {"mail_to": TO, "mail_from": "bridge@example.fi", "smtp_host": "127.0.0.1", "smtp_port": port}
    return channels(AlarmSettings(**{**plain, "smtp_tls": "none", **more}), folder)["mail"]


def with_password(folder: Path, password: str = PASSWORD) -> dict[str, Any]:
    (folder / "password").write_text(f"{password}\n", encoding="utf-8")
    return {"smtp_user": USER, "smtp_password_file": "password"}


async def test_a_letter_says_all_that_people_need(post: Post, message: AlarmMessage, tmp_path: Path) -> None:
    await post.open()
    assert await mail_over(post.port, tmp_path).tell(message) is None
    ((envelope, letter),) = post.letters
    assert (envelope.mail_from, envelope.rcpt_tos) == ("bridge@example.fi", list(TO))
    assert (letter["From"], letter["To"]) == ("bridge@example.fi", ", ".join(TO))
    assert letter["Subject"] == "Tillbridge: 2 open cases"
    assert letter["Date"].datetime.timestamp() == message.at
    assert letter["Message-ID"].endswith("@example.fi>")
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content_type() == "text/plain"
    assert letter.get_content().replace("\r\n", "\n") == (
        "A person must look: 2 open cases.\n"
        "\n"
        "It is collected and not booked.\n"
        "  Case 7, payment 0A1B, branch Pääkirjasto, register 10, 12.50 EUR, open for 2 min\n"
        "  What to do: See whether the library system answers.\n"
        "\n"
        "Nobody knows the payment.\n"
        "  Case 8, open for 1 d\n"
        "  What to do: Find out.\n"
        "\n"
        "The bridge: https://bridge.example.fi\n"
    )


async def test_the_letter_is_seven_bits_wide_whatever_it_says(
    post: Post, message: AlarmMessage, tmp_path: Path
) -> None:
    await post.open(decode_data=False)
    await mail_over(post.port, tmp_path).tell(message)
    ((envelope, _),) = post.letters
    assert isinstance(envelope.content, bytes)
    assert envelope.content.isascii()


async def test_the_subject_of_a_single_case_is_what_has_happened(
    post: Post, message: AlarmMessage, tmp_path: Path
) -> None:
    await post.open()
    channel = mail_over(post.port, tmp_path)
    await channel.tell(AlarmMessage(message.bridge, message.at, message.cases[:1]))
    await channel.tell(AlarmMessage(message.bridge, message.at))
    (_, one), (_, test) = post.letters
    assert one["Subject"] == "Tillbridge: It is collected and not booked."
    assert one.get_content().startswith("A person must look.")
    assert test["Subject"] == "Tillbridge: a test of the alarms"
    assert "There is nothing to do." in test.get_content()


@pytest.mark.parametrize("kind", ["starttls", "tls"])
async def test_the_password_goes_to_a_server_that_has_proven_itself(
    post: Post, papers: Papers, message: AlarmMessage, tmp_path: Path, kind: str
) -> None:
    tls = papers.of_server()
    if kind == "tls":
        # The server does not know of the encryption around it, and would ask for its own.
        await post.open(implicit=True, tls_context=tls, auth_require_tls=False)
    else:
        await post.open(tls_context=tls, require_starttls=True)
    secured = mail_over(post.port, tmp_path, smtp_tls=kind, ca_file="ca.pem", **with_password(tmp_path))
    assert await secured.tell(message) is None
    assert [session.authenticated for session in post.sessions] == [True]
    assert len(post.letters) == 1


@pytest.mark.parametrize("kind", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("name", "foreign", "ca_file", "why"),
    [
        ("127.0.0.1", True, "ca.pem", "is not accepted"),
        ("127.0.0.1", False, None, "is not accepted"),
        ("other.example", False, "ca.pem", "not valid for '127.0.0.1'"),
    ],
    ids=["another authority", "no authority", "another name"],
)
async def test_a_server_that_is_not_proven_gets_neither_password_nor_letter(
    post: Post,
    papers: Papers,
    message: AlarmMessage,
    tmp_path: Path,
    kind: str,
    name: str,
    foreign: bool,
    ca_file: str | None,
    why: str,
) -> None:
    tls = papers.of_server(name, foreign=foreign)
    await post.open(implicit=kind == "tls", tls_context=tls, auth_require_tls=False)
    secured = mail_over(post.port, tmp_path, smtp_tls=kind, ca_file=ca_file, **with_password(tmp_path))
    told = await secured.tell(message)
    assert told is not None
    assert told.startswith("the certificate of the mail server is not accepted")
    assert why in told
    assert (post.sessions, post.letters) == ([], [])


async def test_a_server_that_offers_no_encryption_gets_nothing_where_it_is_wanted(
    post: Post, message: AlarmMessage, tmp_path: Path
) -> None:
    await post.open()
    told = await mail_over(post.port, tmp_path, smtp_tls="starttls").tell(message)
    assert told == "the mail server cannot do it: STARTTLS extension not supported by server."
    told = await mail_over(post.port, tmp_path, smtp_tls="tls").tell(message)
    assert "no TLS connection to the mail server" in str(told)
    assert (post.sessions, post.letters) == ([], [])


FAULTS: dict[str, tuple[dict[str, str], str, int]] = {
    "the sender is refused": ({"MAIL": "553 not you"}, "the mail server says no: 553 not you", 0),
    "the disk is full": ({"DATA": "452 no room"}, "the mail server says no: 452 no room", 1),
    "a long answer": ({"MAIL": f"550 {'x' * 400}"}, f"the mail server says no: 550 {'x' * 200}", 0),
}


@pytest.mark.parametrize(("say", "why", "seen"), FAULTS.values(), ids=FAULTS)
async def test_what_the_server_does_not_take_is_told(
    post: Post, message: AlarmMessage, tmp_path: Path, say: dict[str, str], why: str, seen: int
) -> None:
    post.say = say
    await post.open()
    assert await mail_over(post.port, tmp_path).tell(message) == why
    assert len(post.letters) == seen


async def test_a_wrong_password_is_told(post: Post, message: AlarmMessage, tmp_path: Path) -> None:
    await post.open(auth_require_tls=False)
    told = await mail_over(post.port, tmp_path, **with_password(tmp_path, "another")).tell(message)
    assert str(told).startswith("the mail server says no: 535")
    assert "another" not in str(told)
    assert post.letters == []


async def test_a_letter_that_nobody_may_get_is_told(post: Post, message: AlarmMessage, tmp_path: Path) -> None:
    post.refused = set(TO)
    await post.open()
    told = await mail_over(post.port, tmp_path).tell(message)
    assert told == "the mail server refuses every address: 550 no such mailbox"


async def test_a_letter_that_some_get_is_delivered_and_the_log_names_the_others(
    post: Post, message: AlarmMessage, tmp_path: Path
) -> None:
    post.refused = {TO[0]}
    await post.open()
    with structlog.testing.capture_logs() as log:
        assert await mail_over(post.port, tmp_path).tell(message) is None
    assert [entry["refused"] for entry in log] == [[TO[0]]]
    assert [envelope.rcpt_tos for envelope, _ in post.letters] == [[TO[1]]]


async def test_a_letter_that_is_taken_is_delivered_however_the_server_says_good_bye(
    post: Post, message: AlarmMessage, tmp_path: Path
) -> None:
    post.say = {"QUIT": "421 too busy"}
    await post.open()
    assert await mail_over(post.port, tmp_path).tell(message) is None
    assert len(post.letters) == 1


async def test_a_server_that_is_away_is_told(message: AlarmMessage, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert await mail_over(port, tmp_path).tell(message) == "the mail server refuses the connection"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b"])
async def test_a_name_that_leads_nowhere_is_told(message: AlarmMessage, tmp_path: Path, host: str) -> None:
    told = await mail_over(25, tmp_path, smtp_host=host).tell(message)
    assert told == "the name of the mail server cannot be found"


@pytest.mark.parametrize("kind", ["none", "tls"])
async def test_a_server_that_never_says_a_word_is_not_waited_for(
    message: AlarmMessage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(mail, "STEP_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        told = await mail_over(mute.getsockname()[1], tmp_path, smtp_tls=kind, ca_file=None).tell(message)
    assert "in time" in str(told)


async def test_whoever_gives_up_waiting_goes_on_while_the_thread_does_not(
    message: AlarmMessage, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        channel = mail_over(mute.getsockname()[1], tmp_path)
        telling = asyncio.create_task(channel.tell(message))
        ear, _ = await asyncio.to_thread(mute.accept)
        telling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await telling
        (thread,) = [each for each in threading.enumerate() if each.name == "alarm-mail"]
        assert thread.daemon
        ear.close()
        await asyncio.to_thread(thread.join)

# SPDX-License-Identifier: GPL-3.0-or-later
"""``tillbridge alarm test`` sends over each channel and says what happened."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from support.commands import Ended, run
from support.receiver import Receiver

SETTINGS = """
[bridge]
public_address = "https://bridge.example.fi"
[library]
kind = "koha"
[register_server]
[branch]
"""
MAIL = 'mail_to = ["a@b"]\nmail_from = "c@d"\nsmtp_host = "127.0.0.1"\nsmtp_tls = "none"\nsmtp_port = {port}\n'


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.open()
    yield made
    await made.close()


def written(folder: Path, alarm: str) -> Path:
    path = folder / "tillbridge.toml"
    path.write_text(SETTINGS + alarm)
    return path


async def test_a_test_alarm_goes_out_and_changes_nothing(receiver: Receiver, tmp_path: Path) -> None:
    settings = written(tmp_path, f'[alarm]\nwebhook = "{receiver.address}"\n')
    assert await run("alarm", "test", "--settings", str(settings)) == Ended(0, "webhook: delivered\n", "")
    ((_, body),) = receiver.posts
    posted = json.loads(body)
    assert (posted["test"], posted["bridge"]) == (True, "https://bridge.example.fi")
    assert not settings.with_suffix(".db").exists()


async def test_a_channel_that_does_not_work_is_told_and_the_others_are_tried(
    receiver: Receiver, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = written(tmp_path, f'[alarm]\nwebhook = "{receiver.address}"\n{MAIL.format(port=port)}')
    ended = await run("alarm", "test", "--settings", str(settings))
    status, out = ended.status, ended.out
    assert status == 1
    assert out == "webhook: delivered\nmail: not delivered: the mail server refuses the connection\n"


@pytest.mark.parametrize(
    ("alarm", "why"),
    [
        ("", "it names no channel for alarms. Add [alarm] with webhook or mail_to"),
        ('[alarm]\nwebhook = "chat"\n', "line 9: alarm.webhook: give an address"),
        ('[alarm]\nwebhook = "http://x"\nwebhook_secret_file = "nowhere"\n', "the secret file"),
    ],
)
async def test_what_is_wrong_with_the_settings_is_told(tmp_path: Path, alarm: str, why: str) -> None:
    ended = await run("alarm", "test", "--settings", str(written(tmp_path, alarm)))
    status, out, err = ended.status, ended.out, ended.err
    assert (status, out) == (2, "")
    assert err.startswith("tillbridge alarm test: ")
    assert why in err

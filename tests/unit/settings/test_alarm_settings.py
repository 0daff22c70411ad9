# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the alarms: what they make, and what is wrong in them, told with file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tillbridge.alarms.words import text
from tillbridge.composition import alarms_of
from tillbridge.errors import SettingsError
from tillbridge.service.alarm_port import AlarmMessage, CaseNews
from tillbridge.settings import read_settings

GOOD = """\
[bridge]
public_address = "https://bridge.example.fi/"

[library]
kind = "koha"

[register_server]
[branch]

[alarm]
webhook = "https://chat.example.fi/hooks/x?room=1"
webhook_secret_file = "webhook-secret"
mail_to = ["till@example.fi", "it+alarm@example.fi"]
mail_from = "bridge@example.fi"
smtp_host = "smtp.example.fi"
smtp_user = "bridge"
smtp_password_variable = "ALARM_PASSWORD"
"""
LAST = 'smtp_password_variable = "ALARM_PASSWORD"'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "webhook-secret").write_text("the webhook's secret\n")
    monkeypatch.setenv("ALARM_PASSWORD", "the password")
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "bridge.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_both_channels_are_made_and_lead_to_the_bridge(folder: Path) -> None:
    alarms = alarms_of(read_settings(written(folder, GOOD)))
    assert (alarms.bridge, list(alarms.channels)) == ("https://bridge.example.fi", ["webhook", "mail"])


@pytest.mark.parametrize(
    ("alarm", "made"),
    [
        ("", []),
        ("[alarm]\n", []),
        ('[alarm]\nwebhook = "http://127.0.0.1:9"\n', ["webhook"]),
        ('[alarm]\nmail_to = ["a@b"]\nmail_from = "c@d"\nsmtp_host = "::1"\n', ["mail"]),
    ],
)
def test_a_channel_is_made_where_it_is_named(folder: Path, alarm: str, made: list[str]) -> None:
    path = written(folder, GOOD.partition("[alarm]")[0] + alarm)
    assert list(alarms_of(read_settings(path)).channels) == made


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_without_a_port_it_is_the_one_that_goes_with_the_encryption(folder: Path, tls: str, port: int) -> None:
    text = GOOD.replace("smtp.example.fi", "localhost").replace(LAST, f'{LAST}\nsmtp_tls = "{tls}"')
    assert read_settings(written(folder, text)).settings.alarm.port == port
    assert read_settings(written(folder, f"{text}smtp_port = 2525\n")).settings.alarm.port == 2525


def test_no_secret_stands_in_the_text_of_a_channel_or_of_the_settings(folder: Path) -> None:
    file = read_settings(written(folder, GOOD))
    shown = f"{alarms_of(file)!r}{file.settings!r}"
    assert [secret for secret in ("hooks/x", "the webhook's secret", "the password") if secret in shown] == []


WRONG: dict[str, tuple[str, str, str]] = {
    "an unknown key": ('smtp_user = "bridge"', 'smtp_login = "bridge"', "line 16: alarm.smtp_login is not a setting"),
    "a webhook without a scheme": ('"https://chat', '"chat', "line 11: alarm.webhook: give an address such as"),
    "a webhook with a user": ('"https://chat', '"https://me@chat', "line 11: alarm.webhook: give an address such as"),
    "a webhook with a blank": ("hooks/x", "hooks/ x", "line 11: alarm.webhook: give an address such as"),
    "a webhook without end": ("hooks/x", "x" * 2001, "line 11: alarm.webhook: "),
    "a secret for no webhook": (
        'webhook = "https://chat.example.fi/hooks/x?room=1"\n',
        "",
        "line 10: alarm: a webhook_secret signs what goes to a webhook: name the webhook too",
    ),
    "an address with a name": ("till@", "Till <till@", "line 13: alarm.mail_to.0: give a bare address"),
    "an address of nobody": ("it+alarm@example.fi", "it", "line 13: alarm.mail_to.1: give a bare address"),
    "two addresses in one": ("bridge@example.fi", "a@b, c@d", "line 14: alarm.mail_from: give a bare address"),
    "a header in an address": ("bridge@example.fi", "a@b\\nBcc: c@d", "line 14: alarm.mail_from: give a bare address"),
    "one address that is no list": (
        '["till@example.fi", "it+alarm@example.fi"]',
        '"till@example.fi"',
        "line 13: alarm.mail_to: ",
    ),
    "no sender": ('mail_from = "bridge@example.fi"\n', "", "line 10: alarm: for e-mail mail_from is needed too"),
    "no server": ('smtp_host = "smtp.example.fi"\n', "", "line 10: alarm: for e-mail smtp_host is needed too"),
    "nobody to write to": (
        'mail_to = ["till@example.fi", "it+alarm@example.fi"]\n',
        "mail_to = []\n",
        "line 10: alarm: for e-mail mail_to is needed too",
    ),
    "a server with a scheme": ("smtp.example.fi", "smtp://smtp.example.fi", "line 15: alarm.smtp_host: give the bare"),
    "a port that is text": (LAST, f'{LAST}\nsmtp_port = "25"', "line 18: alarm.smtp_port: "),
    "a port beyond all ports": (LAST, f"{LAST}\nsmtp_port = 65536", "line 18: alarm.smtp_port: "),
    "an unknown encryption": (LAST, f'{LAST}\nsmtp_tls = "ssl"', "line 18: alarm.smtp_tls: "),
    "a user without a password": (LAST, "", "line 10: alarm: smtp_user goes with smtp_password_file"),
    "a password without a user": ('smtp_user = "bridge"\n', "", "line 10: alarm: smtp_user goes with"),
    "a user beyond ASCII": ('smtp_user = "bridge"', 'smtp_user = "käyttäjä"', "line 16: alarm.smtp_user: "),
    "a password in clear text": (
        LAST,
        f'{LAST}\nsmtp_tls = "none"',
        "line 10: alarm: the password would go over the network in clear text: use starttls or tls",
    ),
}


@pytest.mark.parametrize(("good", "bad", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_told_with_file_line_and_remedy(folder: Path, good: str, bad: str, told: str) -> None:
    assert good in GOOD
    path = written(folder, GOOD.replace(good, bad))
    with pytest.raises(SettingsError) as error:
        read_settings(path)
    assert f"{path}, {told}" in str(error.value)
    assert error.value.remedy


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_password_may_go_in_clear_text_within_this_machine(folder: Path, host: str) -> None:
    text = GOOD.replace("smtp.example.fi", host).replace(LAST, f'{LAST}\nsmtp_tls = "none"')
    assert "mail" in alarms_of(read_settings(written(folder, text))).channels


BAD_FILES: dict[str, tuple[str, str]] = {
    "no such secret": ('"webhook-secret"', '"nowhere"'),
    "two places for a secret": (LAST, f'{LAST}\nsmtp_password_file = "webhook-secret"'),
    "an empty password": ("ALARM_PASSWORD", "EMPTY"),
    "a password beyond ASCII": ("ALARM_PASSWORD", "ODD"),
    "no such authority": (LAST, f'{LAST}\nca_file = "nowhere.pem"'),
    "an authority that is none": (LAST, f'{LAST}\nca_file = "webhook-secret"'),
}


@pytest.mark.parametrize(("good", "bad"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_cannot_be_used_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, good: str, bad: str) -> None:
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("ODD", "salasäna")
    path = written(folder, GOOD.replace(good, bad))
    with pytest.raises(SettingsError) as error:
        alarms_of(read_settings(path))
    assert error.value.where.startswith(f"{path}, line ")
    assert str(error.value).startswith(f"{error.value.where}: alarm.")
    assert "salasäna" not in str(error.value)


@pytest.mark.parametrize(
    ("age_s", "told"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (86_399, "23 h"), (172_800, "2 d")],
)
def test_an_age_is_told_so_that_it_is_grasped(age_s: int, told: str) -> None:
    case = CaseNews(1, "surplus", "What", "Do", 0.0, age_s)
    assert f"open for {told}\n" in text(AlarmMessage("https://b", 0.0, (case,)))

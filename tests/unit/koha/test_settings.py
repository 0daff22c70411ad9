# SPDX-License-Identifier: GPL-3.0-or-later
"""What a settings file may say about a Koha, and what it is told when it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tillbridge.errors import SettingsError
from tillbridge.libraries.koha import Settings, connect
from tillbridge.surroundings import Surroundings

GOOD: dict[str, Any] = {
    "address": "https://koha-staff.example.fi",
    "client_id": "0123",
    "client_secret_variable": "KOHA_SECRET",
    "payment_type": "CEEPOS",
}


def without(*names: str, **instead: Any) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key not in names} | instead


def test_the_shortest_settings_have_safe_limits() -> None:
    settings = Settings.model_validate(GOOD)
    assert (settings.connect_s, settings.answer_s, settings.currency, settings.description) == (3, 30, "EUR", "")
    assert settings.secret_places == (None, "KOHA_SECRET")


def test_a_user_with_a_password_is_the_other_way_in() -> None:
    basic = without("client_id", "client_secret_variable", user="bridge", password_file="secrets/koha")
    assert Settings.model_validate(basic).secret_places == (Path("secrets/koha"), None)


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://koha.example.fi/", "https://koha.example.fi"),
        ("https://koha.example.fi:8443/intranet/", "https://koha.example.fi:8443/intranet"),
        ("http://localhost:8081", "http://localhost:8081"),
        ("http://kohadev-intra.localhost", "http://kohadev-intra.localhost"),
        ("http://127.0.0.9", "http://127.0.0.9"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_an_address_is_kept_without_its_last_stroke(address: str, kept: str) -> None:
    assert Settings.model_validate(without(address=address)).address == kept


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "clear text over the network": (without(address="http://koha.example.fi"), "use https"),
    "clear text to a neighbour": (without(address="http://10.0.0.5"), "use https"),
    "another scheme": (without(address="ftp://koha.example.fi"), "give the address"),
    "no scheme": (without(address="koha.example.fi"), "give the address"),
    "no host": (without(address="https:///x"), "give the address"),
    "a secret in the address": (without(address="https://a:b@koha.example.fi"), "take them out"),
    "a question in the address": (without(address="https://koha.example.fi?x=1"), "take them out"),
    "a control sign in the address": (without(address="https://koha.example.fi/\x07"), "give the address"),
    "cash": (without(payment_type="CASH"), "register of its own"),
    "cash in small letters": (without(payment_type="cash"), "register of its own"),
    "SIP": (without(payment_type="SIP00"), "register of its own"),
    "another SIP": (without(payment_type="SIP02"), "register of its own"),
    "a type that Koha would cut": (without(payment_type="X" * 81), "at most 80"),
    "no type": (without("payment_type"), "payment_type"),
    "an empty type": (without(payment_type=""), "at least 1"),
    "a type with a blank behind": (without(payment_type="CEEPOS "), "plain text"),
    "a description of two lines": (without(description="a\nb"), "plain text"),
    "a currency that is none": (without(currency="euro"), "currency"),
    "a currency with a line behind": (without(currency="EUR\n"), "currency"),
    "an unknown setting": (without(adress="x"), "adress"),
    "the secret itself": (without(client_secret="x"), "client_secret"),
    "no time": (without(answer_s=0), "answer_s"),
    "too much time": (without(answer_s=301), "answer_s"),
    "an endless time": (without(connect_s=float("inf")), "connect_s"),
    "nobody": (without("client_id", "client_secret_variable"), "in one way"),
    "two ways in": (without(user="bridge", password_file="x"), "in one way"),
    "a password for a client": (without(password_file="x"), "in one way"),
    "no secret": (without("client_secret_variable"), "one of the two"),
    "two secrets": (without(client_secret_file="x"), "one of the two"),
    "a secret without a client": (without("client_id"), "one of the two"),
    "a user whose name Basic would cut": (
        without("client_id", "client_secret_variable", user="a:b", password_file="x"),
        "user",
    ),
}


@pytest.mark.parametrize(("settings", "words"), WRONG.values(), ids=WRONG.keys())
def test_wrong_settings_are_refused_with_the_reason(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate(settings)


def _connect(folder: Path, **instead: Any) -> None:
    connect(Settings.model_validate(without(**instead)), Surroundings("library", folder, "https://bridge"))


def test_a_secret_that_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"library\.client_secret_variable: "):
        _connect(tmp_path)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_cannot_be_read_is_told_with_its_place(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOHA_SECRET", "an example")
    if content is not None:
        (tmp_path / "ca.pem").write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"library\.ca_file: "):
        _connect(tmp_path, ca_file="ca.pem")


def test_connecting_needs_no_loop_and_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOHA_SECRET", "an example")
    _connect(tmp_path)

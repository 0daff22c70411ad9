# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from tillbridge.errors import WrongSetting
from tillbridge.secret import read_secret

SETTING = ("bridge", "api_key")


@pytest.mark.parametrize(
    ("raw", "secret"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b"s3cret\n\n", "s3cret\n"),
        (b" s3 cret ", " s3 cret "),
        ("sälä;&\n".encode(), "sälä;&"),
    ],
)
def test_a_secret_file_loses_its_last_newline_and_nothing_else(tmp_path: Path, raw: bytes, secret: str) -> None:
    (tmp_path / "key").write_bytes(raw)
    assert read_secret(SETTING, tmp_path, Path("key"), None) == secret


def test_a_secret_file_is_looked_for_beside_the_settings_unless_its_path_is_whole(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/key").write_text("s3cret")
    assert read_secret(SETTING, tmp_path, Path("secrets/key"), None) == "s3cret"
    assert read_secret(SETTING, Path("elsewhere"), tmp_path / "secrets/key", None) == "s3cret"


def test_a_secret_variable_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", "s3cret\n")
    assert read_secret(SETTING, tmp_path, None, "THE_KEY") == "s3cret\n"


@pytest.mark.parametrize(
    ("file", "variable", "told"),
    [
        (None, None, "a secret comes from one place. Name a file or an environment variable, not both"),
        ("key", "THE_KEY", "a secret comes from one place"),
        ("empty", None, "the secret is empty. Put the secret into"),
        ("newline", None, "the secret is empty"),
        (None, "EMPTY_KEY", "the secret is empty"),
        (None, "NO_SUCH_KEY", "the secret is empty"),
        ("nowhere", None, "nowhere cannot be read. Check its path, rights and text"),
        (".", None, "cannot be read"),
        ("binary", None, "binary cannot be read"),
    ],
)
def test_a_secret_that_is_not_there_is_told_with_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str | None, variable: str | None, told: str
) -> None:
    for name, raw in {"key": b"s3cret", "empty": b"", "newline": b"\n", "binary": b"s3cret\xff"}.items():
        (tmp_path / name).write_bytes(raw)
    monkeypatch.setenv("THE_KEY", "s3cret")
    monkeypatch.setenv("EMPTY_KEY", "")
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(WrongSetting) as error:
        read_secret(SETTING, tmp_path, None if file is None else Path(file), variable)
    assert error.value.place == ("bridge", "api_key_file" if file or not variable else "api_key_variable")
    assert error.value.where == ".".join(error.value.place)
    assert told in str(error.value)
    assert "s3cret" not in str(error.value)

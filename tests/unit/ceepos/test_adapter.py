# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports as the port takes them: each branch with its own source and secrets."""

import hashlib
import json
from pathlib import Path

import pytest

from tillbridge.registers.ceepos import Settings, connect
from tillbridge.service.register_port import Cancelled, Forged, Paid, Register, Report, Unreadable, Verdict
from tillbridge.surroundings import Surroundings


@pytest.fixture
def register(tmp_path: Path) -> Register:
    for name in ("city", "city-old", "branch"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    settings = {
        "address": "https://till.example/",
        "source": "KOHA",
        "secret_file": "city",
        "previous_secret_file": "city-old",
        "notification_address": "https://proxy.example/{invoicenumber}",
        "branch": {"CPL": {"source": "OTHER", "secret_file": "branch"}},
    }
    surroundings = Surroundings("city", tmp_path, "", ("CPL", "MPL"))
    return connect(Settings.model_validate(settings), surroundings)


def report(register: Register, secret: str, source: str | None = None, status: int = 1) -> Report:
    hashed = "&".join([*([source] if source else []), "7f3a", str(status), "K1", secret])
    fields = {"Id": "7f3a", "Source": source, "Status": status, "Reference": "K1"}
    proof = hashlib.sha256(hashed.encode()).hexdigest()
    read = register.read_report(json.dumps(fields | {"Hash": proof}).encode())
    assert isinstance(read, Report)
    return read


@pytest.mark.parametrize(
    ("branch", "secret", "source", "fact"),
    [
        ("MPL", "city", None, Paid),
        ("MPL", "city-old", "KOHA", Paid),
        ("CPL", "branch", "OTHER", Paid),
        ("CPL", "branch", None, Paid),
        ("CPL", "city", None, Forged),
        ("CPL", "city-old", None, Forged),
        ("CPL", "branch", "KOHA", Forged),
        ("MPL", "branch", None, Forged),
    ],
)
def test_a_report_is_judged_with_the_secrets_of_its_branch(
    register: Register, branch: str, secret: str, source: str | None, fact: type[Verdict]
) -> None:
    assert type(register.judge_report(report(register, secret, source), branch)) is fact


@pytest.mark.parametrize("secret", ["city", "city-old", "branch"])
def test_a_stray_report_may_be_signed_with_any_secret(register: Register, secret: str) -> None:
    assert isinstance(register.judge_stray_report(report(register, secret)), Paid)
    assert isinstance(register.judge_stray_report(report(register, secret, status=0)), Cancelled)
    assert isinstance(register.judge_stray_report(report(register, "guessed")), Forged)


def test_what_is_no_report_is_unreadable(register: Register) -> None:
    assert isinstance(register.read_report(b"<html>"), Unreadable)

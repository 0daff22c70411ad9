# SPDX-License-Identifier: GPL-3.0-or-later
import tomllib
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import ValidationError

from tillbridge.errors import SettingsError, WrongSetting
from tillbridge.registers.ceepos import Settings, connect
from tillbridge.registers.ceepos.hashes import RequestOrder
from tillbridge.registers.ceepos.places import Place, Places
from tillbridge.registers.ceepos.settings import _GROUPS, Branch
from tillbridge.surroundings import Surroundings

LEAST: dict[str, Any] = {
    "address": "https://till.example:8443/maksu.html",
    "source": "KOHA",
    "secret_file": "secret",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("secret", "old", "other", "other-old"):
        (tmp_path / name).write_text(f"{name} hush\n", encoding="utf-8")
    return tmp_path


def surroundings(folder: Path, public_address: str = "https://bridge.example/") -> Surroundings:
    return Surroundings("city", folder, public_address, branches=("CPL",))


def place_of(name: str, folder: Path, **settings: object) -> Place:
    return Places(Settings.model_validate(LEAST | settings), "city", folder).of(name)


def test_three_settings_are_enough() -> None:
    settings = Settings.model_validate(LEAST)
    assert (settings.mode, settings.api_version, settings.order) == (2, "2.0", RequestOrder.SORTED)
    assert (settings.connect_s, settings.answer_s, settings.held_s) == (3, 15, 510)
    assert settings.receipt_description == "payment"


def test_a_whole_settings_file_is_understood() -> None:
    table = tomllib.loads("""
        address = "https://till.example:8443/maksu.html"
        source = "KOHA"
        secret_file = "secret"
        previous_secret_variable = "OLD"
        mode = 1
        api_version = "3.0.5"
        order = "documented"
        receipt_description = "borrower"
        notification_address = "https://bridge.example/in/{invoicenumber}"
        ca_file = "ca.pem"
        client_certificate = "us.pem"
        client_key = "us.key"
        connect_s = 5
        answer_s = 20.5
        held_s = 600
        [branch.CPL]
        source = "OTHER"
        secret_variable = "OTHER_SECRET"
        [branch."Kirjasto 2"]
        address = "http://10.0.0.5:8080/"
    """)
    settings = Settings.model_validate(table)
    assert settings.branch["CPL"].source == "OTHER"
    assert settings.limit_s == 20.5


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"address": "till.example:8443"}, "https://"),
        ({"address": "ftp://till.example"}, "https://"),
        ({"address": "https://"}, "names a host"),
        ({"address": "https://user:word@till.example"}, "no user name"),
        ({"address": "https://till.example/#x"}, "no fragment"),
        ({"address": "https://till.example/a b"}, "no blanks"),
        ({"address": "https://till.example:99999/"}, "ort"),
        ({"address": "https://till.example/" + "x" * 2000}, "2000"),
        ({"source": ""}, "at least 1"),
        ({"source": "x" * 41}, "at most 40"),
        ({"source": "KO&HA"}, "plain text"),
        ({"source": "KOHA;"}, "plain text"),
        ({"source": " KOHA"}, "plain text"),
        ({"mode": 3}, "1 or 2"),
        ({"mode": "2"}, "1 or 2"),
        ({"api_version": 2.0}, "string"),
        ({"api_version": "two"}, "not a version"),
        ({"order": "random"}, "sorted"),
        ({"receipt_description": "name"}, "borrower"),
        ({"notification_address": "https://bridge.example/{id}"}, "only placeholder"),
        ({"notification_address": "bridge.example/{invoicenumber}"}, "https://"),
        ({"notification_address": "https://bridge.example/in;v=1/{invoicenumber}"}, "no ;"),
        ({"notification_address": "https://bridge.example/{invoicenumber}?a=1;b=2"}, "no ;"),
        ({"connect_s": 0}, "greater than 0"),
        ({"connect_s": 10.1}, "less than or equal to 10"),
        ({"held_s": 100_000}, "7200"),
        ({"secret": "in the open"}, "Extra inputs"),
        ({"kind": "ceepos"}, "Extra inputs"),
        ({"client_key": "us.key"}, "client_certificate beside it"),
        ({"branch": {"CPL": {"mode": 1}}}, "Extra inputs"),
        ({"branch": {"CPL": {"client_key": "us.key"}}}, "client_certificate beside it"),
        ({"branch": {"CPL": {"address": "nowhere"}}}, "https://"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_reason(change: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Settings.model_validate(LEAST | change)


@pytest.mark.parametrize("missing", ["address", "source"])
def test_a_missing_setting_is_named(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        Settings.model_validate({key: value for key, value in LEAST.items() if key != missing})


def test_every_setting_of_a_branch_belongs_to_one_group() -> None:
    assert sorted(name for group in _GROUPS for name in group) == sorted(Branch.model_fields)


def test_a_branch_without_settings_has_those_of_the_register_server(folder: Path) -> None:
    ours = place_of("CPL", folder, previous_secret_file="old")
    assert ours.target.address == LEAST["address"]
    assert (ours.terms.source, ours.terms.secrets) == ("KOHA", ("secret hush", "old hush"))


@pytest.mark.parametrize(
    ("own", "address", "source", "secrets", "order"),
    [
        ({}, LEAST["address"], "KOHA", ("secret hush", "old hush"), "sorted"),
        ({"address": "http://b/"}, "http://b/", "KOHA", ("secret hush", "old hush"), "sorted"),
        ({"order": "documented"}, LEAST["address"], "KOHA", ("secret hush", "old hush"), "documented"),
        ({"source": "B", "secret_file": "other"}, LEAST["address"], "B", ("other hush",), "sorted"),
        ({"secret_variable": "B_SECRET"}, LEAST["address"], "KOHA", ("from the variable",), "sorted"),
        (
            {"secret_file": "other", "previous_secret_file": "other-old"},
            LEAST["address"],
            "KOHA",
            ("other hush", "other-old hush"),
            "sorted",
        ),
    ],
)
def test_a_branch_overrides_and_never_inherits_half_of_a_secret(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    own: dict[str, str],
    address: str,
    source: str,
    secrets: tuple[str, ...],
    order: str,
) -> None:
    monkeypatch.setenv("B_SECRET", "from the variable")
    ours = place_of("CPL", folder, previous_secret_file="old", branch={"CPL": own})
    assert ours.target.address == address
    assert (ours.terms.source, ours.terms.secrets, ours.order) == (source, secrets, order)


def test_http_is_allowed_and_never_counts_as_verified(folder: Path) -> None:
    assert place_of("CPL", folder).target.verified
    assert not place_of("CPL", folder, address="http://till.example/").target.verified


def test_distinct_places_are_known_once(folder: Path) -> None:
    branches = {"A": {}, "B": {"secret_file": "other"}, "C": {"address": "http://c/"}}
    places = Places(Settings.model_validate(LEAST | {"branch": branches}), "city", folder)
    assert [target.address for target in places.targets()] == [LEAST["address"], "http://c/"]
    assert [terms.secrets[0] for terms in places.terms()] == ["secret hush", "other hush"]


def pem(folder: Path) -> None:
    """Put a CA, a certificate, its key, a foreign key and a locked key into the folder."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    own, foreign = (authority.issue_cert(name) for name in ("bridge.example", "other.example"))
    own.cert_chain_pems[0].write_to_path(folder / "us.pem")
    own.private_key_pem.write_to_path(folder / "us.key")
    foreign.private_key_pem.write_to_path(folder / "foreign.key")
    key = load_pem_private_key(own.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass"))
    (folder / "locked.key").write_bytes(locked)
    (folder / "junk.pem").write_text("no certificate", encoding="utf-8")


def test_the_right_files_make_a_register(folder: Path) -> None:
    pem(folder)
    files = {"ca_file": "ca.pem", "client_certificate": "us.pem", "client_key": "us.key"}
    register = connect(Settings.model_validate(LEAST | files), surroundings(folder))
    assert not register.names_payer
    assert register.answer_limit_s == 3 + 510 + 1


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"secret_file": "missing"}, "secret_file"),
        ({"secret_variable": "BOTH"}, "secret_file"),
        ({"secret_file": None}, "secret_file"),
        ({"previous_secret_file": "missing"}, "previous_secret_file"),
        ({"branch": {"CPL": {"secret_file": "missing"}}}, "branch.CPL.secret_file"),
        ({"branch": {"CPL": {"previous_secret_file": "old"}}}, "branch.CPL.secret_file"),
        ({"ca_file": "missing.pem"}, "ca_file"),
        ({"ca_file": "junk.pem"}, "ca_file"),
        ({"client_certificate": "missing.pem"}, "client_certificate"),
        ({"client_certificate": "us.pem"}, "client_certificate"),
        ({"client_certificate": "us.pem", "client_key": "foreign.key"}, "client_certificate"),
        ({"client_certificate": "us.pem", "client_key": "locked.key"}, "client_certificate"),
        ({"branch": {"CPL": {"ca_file": "missing.pem"}}}, "branch.CPL.ca_file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_a_remedy(folder: Path, change: dict[str, object], where: str) -> None:
    pem(folder)
    with pytest.raises(SettingsError) as raised:
        connect(Settings.model_validate(LEAST | change), surroundings(folder))
    assert raised.value.where == f"register_server.city.{where}"
    assert raised.value.remedy
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("code", ["CPLL", "cpl", "CPL "])
def test_settings_for_a_branch_that_does_not_use_the_register_server_are_refused(folder: Path, code: str) -> None:
    connect(Settings.model_validate(LEAST | {"branch": {"CPL": {}}}), surroundings(folder))
    with pytest.raises(WrongSetting, match="no branch of this code") as raised:
        connect(Settings.model_validate(LEAST | {"branch": {"CPL": {}, code: {}}}), surroundings(folder))
    assert raised.value.place == ("register_server", "city", "branch", code)
    assert raised.value.remedy.endswith("Those that do: CPL")


@pytest.mark.parametrize(
    ("mode", "receipt_description", "limit_s"), [(1, "borrower", 3 + 15 + 1), (2, "payment", 3 + 510 + 1)]
)
def test_the_register_tells_its_limit_and_whether_it_names_the_payer(
    folder: Path, mode: int, receipt_description: str, limit_s: float
) -> None:
    settings = Settings.model_validate(LEAST | {"mode": mode, "receipt_description": receipt_description})
    register = connect(settings, surroundings(folder))
    assert register.answer_limit_s == limit_s
    assert register.names_payer == (receipt_description == "borrower")


def test_without_any_address_for_reports_there_is_no_register(folder: Path) -> None:
    with pytest.raises(SettingsError, match="notification_address"):
        connect(Settings.model_validate(LEAST), surroundings(folder, public_address=""))

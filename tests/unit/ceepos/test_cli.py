# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tillbridge.registers.ceepos.cli import app

VECTORS: dict[str, dict[str, Any]] = {
    vector["id"]: vector
    for vector in json.loads((Path(__file__).parents[2] / "data/ceepos/vectors.json").read_text(encoding="utf-8"))[
        "vectors"
    ]
}
SOURCE = Path(__file__).parents[3] / "src"
PAID = b'{"Id": "7", "Status": 1, "Reference": "K1", "Hash": "x"}'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret").write_text("s3cret\n", encoding="utf-8")


def run(command: str, *options: str, message: str | bytes = b"") -> tuple[int, dict[str, Any], str]:
    """Give the message on standard input; return exit code, document and what went to standard error."""
    done = CliRunner().invoke(app, [command, "-", "--secret-file", "secret", *options], input=message)
    return done.exit_code, json.loads(done.stdout or "{}"), done.stderr


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("B1", []),
        ("A5", ["--kind", "request", "--order", "sorted"]),
        ("A1", ["--order", "documented"]),
        ("D1", ["--kind", "delete"]),
        ("E1", ["--kind", "response"]),
        ("E3", ["--kind", "response", "--api-version", "2.1.2"]),
        ("E5", ["--kind", "response", "--api-version", "2.0"]),
        ("E10", ["--kind", "response"]),
        ("E13", ["--kind", "response"]),
        ("F1", ["--kind", "report"]),
        ("F3", ["--kind", "report", "--api-version", "2.0"]),
        ("G1", ["--kind", "return"]),
        ("G3", ["--kind", "return", "--api-version", "2.0"]),
    ],
)
def test_a_vector_is_signed_and_verified(name: str, options: list[str]) -> None:
    vector = VECTORS[name]
    Path("secret").write_text(vector["secret"], encoding="utf-8")
    message = json.dumps(vector["input"])
    masked = vector["string"].removesuffix(vector["secret"]) + "***"
    expected = {"string": masked, "hash": vector["sha256"]}
    assert run("sign", *options, message=message) == (0, expected, "")
    shown = expected | {"string": vector["string"]}
    assert run("sign", *options, "--show-secret", message=message) == (0, shown, "")
    for proof in (vector["sha256"], vector["sha256"].upper()):
        hashed = json.dumps(vector["input"] | {"Hash": proof})
        assert run("verify", *options, message=hashed) == (0, expected | {"valid": True}, "")
    wrong = json.dumps(vector["input"] | {"Hash": "0" * 64})
    assert run("verify", *options, message=wrong) == (1, expected | {"valid": False}, "")


QUERY = "Id=17&Status=0&Reference=&Hash=dc58c44e00879c4467ec09b91f1304851e2b07ce33410485b7cfd9393786a33a"


@pytest.mark.parametrize(
    "message",
    [
        QUERY,
        "?" + QUERY,
        "https://shop.example/back?" + QUERY,
        "https://shop.example/back?own=1&" + QUERY + "#top\n",
        json.dumps(dict(pair.split("=") for pair in QUERY.split("&"))),
    ],
)
def test_a_return_is_read_from_a_query_an_address_or_json(message: str) -> None:
    Path("secret").write_text("secret\n", encoding="utf-8")
    code, document, _ = run("verify", "--kind", "return", message=message)
    assert (code, document["string"], document["valid"]) == (0, "17&0&&***", True)


def test_a_query_is_decoded_before_it_is_hashed() -> None:
    query = "Id=a%26b&Status=1&Reference=%C3%84+1"
    assert run("sign", "--kind", "return", message=query)[1]["string"] == "a&b&1&Ä 1&***"


def test_values_are_hashed_as_given_and_never_cleaned() -> None:
    message = json.dumps({"Description": " O'Neil; \n ", "Hash": "ignored"})
    assert run("sign", message=message)[1]["string"] == " O'Neil; \n &***"


def test_one_newline_of_the_secret_file_is_dropped_and_no_more() -> None:
    Path("secret").write_text(" s3cret \n\n", encoding="utf-8")
    assert run("sign", "--show-secret", message='{"A": "a"}')[1]["string"] == "a& s3cret \n"


def test_a_secret_that_is_also_a_value_is_masked_at_the_end_alone() -> None:
    assert run("sign", message='{"A": "s3cret"}')[1]["string"] == "s3cret&***"


def test_a_message_may_come_from_a_file_with_a_byte_order_mark() -> None:
    Path("message.json").write_bytes(b"\xef\xbb\xbf" + '{"A": "ä"}'.encode())
    done = CliRunner().invoke(app, ["sign", "message.json", "--secret-file", "secret"])
    assert json.loads(done.stdout)["string"] == "ä&***"


BAD: list[tuple[list[str], bytes, str]] = [
    ([], b"", "not JSON"),
    ([], b"<html>", "not JSON"),
    ([], b"[]", "not an object"),
    ([], b"\xff", "not UTF-8"),
    ([], b'{"A": 1, "A": 1}', "'A' stands there twice"),
    ([], b'{"Price": 2.5}', "Price is neither text nor a whole number"),
    ([], b'{"Price": true}', "Price is neither text nor a whole number"),
    ([], b'{"Products": {}}', "Products is not a list"),
    ([], b'{"A": "\\ud800"}', "not valid Unicode"),
    (["--kind", "report"], b'{"Id": "7"}', "Status is missing"),
    (["--kind", "delete"], PAID, "Action is missing"),
    (["--kind", "return"], b"no query", "query string"),
    (["--kind", "return"], b"Id=1&Id=2&Status=1", "twice"),
    (["--kind", "return"], b"Id=%ff&Status=1", "query string"),
    (["--api-version", "two"], PAID, "--api-version"),
    (["--secret-file", "missing"], PAID, "--secret-file"),
]


@pytest.mark.parametrize("command", ["sign", "verify"])
@pytest.mark.parametrize(("options", "message", "why"), BAD, ids=lambda value: str(value)[:24])
def test_bad_input_is_one_clear_line(command: str, options: list[str], message: bytes, why: str) -> None:
    code, document, error = run(command, *options, message=message)
    assert (code, document) == (2, {})
    assert why in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("kind", ["request", "response", "report", "return"])
@pytest.mark.parametrize("proof", ["", ', "Hash": null', ', "Hash": 5', ', "Hash": ""', ', "Hash": "ä"'])
def test_a_message_without_a_hash_is_not_valid(proof: str, kind: str) -> None:
    message = f'{{"Id": "7", "Status": 1{proof}}}'
    code, document, error = run("verify", "--kind", kind, message=message)
    _, signed, _ = run("sign", "--kind", kind, message=message)
    assert (code, document, error) == (1, signed | {"valid": False}, "")


@pytest.mark.parametrize("file", ["missing.json", ".", "bad\0name"])
def test_a_file_that_cannot_be_read_is_named(file: str) -> None:
    done = CliRunner().invoke(app, ["sign", file, "--secret-file", "secret"])
    assert done.exit_code == 2
    assert "cannot be read" in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_secret_shows_in_an_error() -> None:
    assert "s3cret" not in "".join(run("sign", *options, message=message)[2] for options, message, _ in BAD)


def test_the_command_prints_utf_8_whatever_the_locale_is() -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "LC_ALL": "C", "PYTHONIOENCODING": "latin-1"}
    program = "from tillbridge.registers.ceepos.cli import app; app()"
    message = '{"Description": "Mäkinen 💶"}'
    done = subprocess.run(
        [sys.executable, "-c", program, "sign", "-", "--secret-file", "secret"],
        input=message.encode(),
        capture_output=True,
        env=environment,
        check=True,
    )
    assert json.loads(done.stdout.decode("utf-8"))["string"] == "Mäkinen 💶&***"
    assert "Mäkinen 💶" in done.stdout.decode("utf-8")
    assert done.stderr == b""

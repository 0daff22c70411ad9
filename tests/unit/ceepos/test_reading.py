# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest

from tillbridge.registers.ceepos.reading import (
    MESSAGE_LIMIT,
    MessageError,
    read_object,
    status_of,
    text_of_id,
)


def test_an_object_is_read_as_it_stands() -> None:
    assert read_object('{"Id": "ä", "n": null, "i": 5}'.encode()) == {"Id": "ä", "n": None, "i": 5}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not JSON"),
        (b"<html></html>", "not JSON"),
        (b'{"Id": "a"', "line 1, column"),
        (b'{"Id": "a"} x', "not JSON"),
        (b"[]", "not an object"),
        (b'"Id"', "not an object"),
        (b"null", "not an object"),
        (b"\xff\xfe", "not UTF-8"),
        ('{"Id": "ä"}'.encode("latin-1"), "not UTF-8"),
        (b'\xef\xbb\xbf{"Id": "a"}', "not JSON"),
        (b'{"Id": "a", "Id": "b"}', "'Id' stands there twice"),
        (b'{"p": [{"a": 1, "a": 1}]}', "'a' stands there twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "beyond all measure"),
        (b"[" * 100_000, "beyond all measure"),
        (b'{"a": "' + b"x" * MESSAGE_LIMIT + b'"}', "longer than"),
    ],
)
def test_what_is_no_plain_object_is_refused_in_plain_words(raw: bytes, why: str) -> None:
    with pytest.raises(MessageError, match=why):
        read_object(raw)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("7f3a", "7f3a"),
        (17, "17"),
        ("x" * 100, "x" * 100),
        ("x" * 101, None),
        ("", None),
        (None, None),
        (True, None),
        (1.0, None),
        (["7f3a"], None),
        ("a&b", None),
        ("a\nb", None),
        ("a\x00", None),
        ("\ud800", None),
    ],
)
def test_an_id_is_text_or_a_whole_number_of_sane_length(value: object, text: str | None) -> None:
    assert text_of_id({"Id": value}) == text


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (1, 1),
        (0, 0),
        (99, 99),
        ("1", 1),
        ("0", 0),
        ("99", 99),
        (-1, -1),
        *((other, None) for other in (" 1", "1 ", "01", "+1", "-0", "1.0", "\u0661", "", "paid", "1\n", "9" * 10)),
        *((other, None) for other in (True, False, 1.0, None, [1], {"a": 1})),
    ],
)
def test_a_status_is_a_number_or_its_plain_text(value: object, status: int | None) -> None:
    assert status_of({"Status": value}) == status


def test_what_is_absent_is_neither_id_nor_status() -> None:
    assert (text_of_id({}), status_of({})) == (None, None)


def test_a_key_in_an_error_is_shortened() -> None:
    key = json.dumps("k" * 1000)
    with pytest.raises(MessageError) as raised:
        read_object(f"{{{key}: 1, {key}: 2}}".encode())
    assert len(str(raised.value)) < 100

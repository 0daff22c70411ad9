# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillbridge.errors import SettingsError, WrongSetting
from tillbridge.product_file import parse_product_map, product_map_file
from tillbridge.registers.ceepos.cleaning import cleaned

Codes = dict[str, dict[str, str] | None]

RIGHT: dict[str, tuple[str, Codes]] = {
    "as users of the plugin know it": (
        "Default:\n  OVERDUE: 0123\n  Default: '1000'\nCPL:\n  POSInterface: CPU\n  LOST: 2000\n",
        {"Default": {"OVERDUE": "0123", "Default": "1000"}, "CPL": {"LOST": "2000"}},
    ),
    "codes are text": (
        "CPL: {A: 007, B: 1.50, C: 1e3, D: 0x1F, E: yes, F: 2026-11-23, G: 1_000}",
        {
            "CPL": {"A": "007", "B": "1.50", "C": "1e3", "D": "0x1F", "E": "yes", "F": "2026-11-23", "G": "1_000"},
        },
    ),
    "names are text": ("NO: {N: 1}\n10: {true: 2}", {"NO": {"N": "1"}, "10": {"true": "2"}}),
    "off": ("A: off\nB: OFF\nC: disabled\nD: false\nE: no", dict.fromkeys("ABCDE")),
    "off by its interface": ("CPL: {POSInterface: Disabled, LOST: 1}", {"CPL": None}),
    "nothing but off by its interface": ("CPL: {POSInterface: disabled}", {"CPL": None}),
    "an anchor": ("CPL: &c {LOST: 1}\nMPL: *c", {"CPL": {"LOST": "1"}, "MPL": {"LOST": "1"}}),
    "an old YAML": ("%YAML 1.1\n---\nCPL: {LOST: 010}", {"CPL": {"LOST": "010"}}),
    "tags": ("CPL: !!python/object:os.system {LOST: !!int x}", {"CPL": {"LOST": "x"}}),
    "a byte order mark": ("\ufeffCPL: {LOST: 1}", {"CPL": {"LOST": "1"}}),
    "the longest code": (f"CPL: {{LOST: {'9' * 25}}}", {"CPL": {"LOST": "9" * 25}}),
    "blanks around": ("CPL: {LOST: ' 1 '}", {"CPL": {"LOST": "1"}}),
}


@pytest.mark.parametrize(("text", "branches"), RIGHT.values(), ids=RIGHT)
def test_a_right_product_map_is_read(text: str, branches: Codes) -> None:
    assert parse_product_map(text, "products.yaml").branches == branches


NO_MAPPING = "a mapping is expected here. Write it as branch: codes"
NO_CODES = "branch CPL has no codes. List its debit types, or write: off"
WRONG: dict[str, tuple[str, int, str]] = {
    "nothing": ("", 1, NO_MAPPING),
    "a comment": ("# nothing yet\n", 1, NO_MAPPING),
    "a word": ("\n\nCPL", 3, NO_MAPPING),
    "a list": ("- CPL", 1, NO_MAPPING),
    "a branch of nothing": ("A: off\nCPL:\nB: off", 2, NO_CODES),
    "a branch of an empty map": ("A: off\nCPL: {}", 2, NO_CODES),
    "a branch of a word": ("CPL: on", 1, NO_CODES),
    "a branch with its interface alone": ("A: off\nCPL:\n  POSInterface: CPU", 2, NO_CODES),
    "a branch of a list": ("CPL:\n  - LOST", 2, "Write it as debit type: product code"),
    "a type without code": ("CPL:\n  LOST:\n  RENT: 1", 2, "LOST has no product code. Write the till's product code"),
    "a type with an empty code": ("CPL:\n  LOST: ' '", 2, "LOST has no product code"),
    "a type with a list": ("CPL:\n  RENT: 1\n  LOST: [1]", 3, "LOST has no product code"),
    "a merge": ("CPL:\n  <<: {LOST: 1}", 2, "<< has no product code"),
    "a map within itself": ("CPL: &c\n  LOST: *c", 2, "LOST has no product code"),
    "a code that is too long": (f"CPL:\n  LOST: {'9' * 26}", 2, "A code has at most 25 characters, and no ; or '"),
    "a code with a semicolon": ("CPL:\n  LOST: 1;2", 2, "'1;2' is no product code"),
    "a code with an apostrophe": ('CPL:\n  LOST: "10\'01"', 2, '"10\'01" is no product code. A code has at most 25'),
    "a code of two lines": ("CPL:\n  LOST: |\n    1\n    2", 2, r"'1\n2' is no product code"),
    "half a sign": ('CPL: {LOST: "\\ud800"}', 1, "is no product code"),
    "a branch twice": ("CPL: {LOST: 1}\nMPL: off\nCPL: {LOST: 2}", 3, "CPL stands here twice. Keep one of them"),
    "a type twice": ("CPL:\n  LOST: 1\n  LOST: 2", 3, "LOST stands here twice"),
    "a branch without a name": ("'': {LOST: 1}", 1, "a name is expected here"),
    "a type without a name": ("CPL:\n  ' ': 1", 2, "a name is expected here"),
    "a list for a name": ("? [CPL]\n: {LOST: 1}", 1, "a name is expected here"),
}


@pytest.mark.parametrize(("text", "line", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_product_map_is_told_with_file_line_and_remedy(text: str, line: int, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_product_map(text, "products.yaml")
    assert error.value.where == f"products.yaml, line {line}"
    assert told in f"{error.value.what}. {error.value.remedy}"
    assert error.value.remedy


NOT_YAML: dict[str, tuple[str, int | None, str]] = {
    "a tab": ("CPL:\n\tLOST: 1", 2, "cannot start any token"),
    "an open bracket": ("CPL: {LOST: 1", 1, "expected ',' or '}'"),
    "an alias of nothing": ("A: off\nCPL: *nobody", 2, "undefined alias"),
    "two documents": ("A: off\n---\nB: off", 2, "found another document"),
    "a YAML of the future": ("%YAML 9.9\n---\nA: off", 1, "incompatible YAML document"),
    "a NUL": ("A: off\x00", None, "position 6"),
    "a sign beyond Unicode": ('A: "\\UFFFFFFFF"', None, "too large"),
    "brackets without end": ("[" * 5000, None, "recursion"),
}


@pytest.mark.parametrize(("text", "line", "told"), NOT_YAML.values(), ids=NOT_YAML)
def test_what_is_no_yaml_is_told_with_its_place(text: str, line: int | None, told: str) -> None:
    with pytest.raises(SettingsError, match="this is not valid YAML") as error:
        parse_product_map(text, "products.yaml")
    assert error.value.where == ("products.yaml" if line is None else f"products.yaml, line {line}")
    assert told in error.value.what
    assert error.value.remedy.startswith("Mend this line or the one above it")


SIGNS = st.text(alphabet="AB:{}[]-?!&*|>%@`'\"#,.~<= \n\t\\0xU1é", max_size=30)


@given(SIGNS)
def test_whatever_stands_in_a_product_map_it_is_read_or_told(text: str) -> None:
    with suppress(SettingsError):
        read = parse_product_map(text, "products.yaml")
        assert all(codes is None or all(codes.values()) for codes in read.branches.values())


@given(st.text(max_size=30) | st.text("1aÄ;' \t\x1c\u00a0\u2028&", max_size=30))
def test_a_code_that_is_taken_reaches_the_till_as_it_stands(code: str) -> None:
    text = json.dumps({"CPL": {"LOST": code}})
    with suppress(SettingsError):
        taken = parse_product_map(text, "products.yaml").code("CPL", "LOST")
        assert cleaned(taken) == taken == code.strip()


def test_a_product_map_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "products.yaml"
    path.write_text("CPL: {LOST: 1}\nÄ: {LOST: 1;}", encoding="utf-8")
    with pytest.raises(SettingsError, match="line 2: '1;'"):
        parse_product_map(product_map_file(path), str(path))
    path.write_text("CPL: {LOST: 1}", encoding="utf-8")
    assert parse_product_map(product_map_file(path), str(path)).code("CPL", "LOST") == "1"


def test_a_product_map_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("Mäntsälä: off".encode("latin-1"))
    for path in (tmp_path, tmp_path / "nowhere.yaml", latin):
        with pytest.raises(WrongSetting, match=f"the product map {path} cannot be read") as error:
            product_map_file(path)
        assert error.value.place == ("bridge", "product_map")

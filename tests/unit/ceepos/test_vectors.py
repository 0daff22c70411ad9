# SPDX-License-Identifier: GPL-3.0-or-later
"""Every test vector of the dossier: it holds here, or the table says why it is not ours.

Run as a program, this file writes docs/reference/ceepos-vectors.md from the same table.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tillbridge.registers.ceepos.cleaning import cleaned, product_description
from tillbridge.registers.ceepos.hashes import (
    RequestOrder,
    delete_slots,
    digest_of,
    report_slots,
    request_slots,
    response_slots,
    return_slots,
    string_of,
    version_of,
)
from tillbridge.registers.ceepos.judge import Terms, judge_answer, judge_report, read_report
from tillbridge.registers.ceepos.reading import Message
from tillbridge.service.register_port import Forged, NoOutcome, Report

ROOT = Path(__file__).parents[3]
DATA = json.loads((ROOT / "tests/data/ceepos/vectors.json").read_text(encoding="utf-8"))
PAGE = ROOT / "docs/reference/ceepos-vectors.md"
VECTORS: dict[str, dict[str, Any]] = {vector["id"]: vector for vector in DATA["vectors"]}

Rule = Callable[[Any], list[str]]


@dataclass(frozen=True)
class Ours:
    """A vector that holds here, by which rule; `as_sent` makes of the input what its client really sends."""

    name: str
    rule: Rule
    remark: str = ""
    as_sent: Callable[[Message], Message] = dict


@dataclass(frozen=True)
class NotOurs:
    """A vector that must not hold here; `rule` is what we would hash instead, where there is anything to hash."""

    remark: str
    rule: Rule | None = None


def without_empties(message: Message) -> Message:
    """Leave out what is empty, in the products too."""
    kept = {key: value for key, value in message.items() if value not in ("", None)}
    products = kept.get("Products")
    return kept | {"Products": [without_empties(each) for each in products]} if isinstance(products, list) else kept


def documented(message: Message) -> list[str]:
    return request_slots(message, RequestOrder.DOCUMENTED)


def by_sorting(message: Message) -> list[str]:
    return request_slots(message, RequestOrder.SORTED)


def response(version: str, *, with_action: bool) -> Rule:
    return lambda message: response_slots(message, version_of(version), with_action=with_action)


def report(version: str) -> Rule:
    return lambda message: report_slots(message, version_of(version))


def browser_return(version: str) -> Rule:
    return lambda message: return_slots(message, version_of(version))


def joined(values: list[object]) -> list[str]:
    return [str(value) for value in values]


WEB = "request, documented order"
POS = "request, sorted"

TABLE: dict[str, Ours | NotOurs] = {
    "A1": Ours(WEB, documented, "a null leaves no slot"),
    "A2": Ours(WEB, documented),
    "A3": Ours(WEB, documented),
    "A5": Ours(POS, by_sorting, "the message of A2 by the other rule"),
    "A6": Ours(WEB, documented, "an absent Action leaves no slot"),
    "B1": Ours(POS, by_sorting),
    "B4": Ours(POS, by_sorting, "a null keeps an empty slot in this rule"),
    "B6": NotOurs("a defect of its client: Latin-1 and UTF-8 in one message. Here all is UTF-8", by_sorting),
    "C1": Ours(WEB, documented, "an empty text that is present keeps its slot"),
    "C2": Ours(WEB, documented),
    "C3": Ours(WEB, documented, "as its client sends it: empty fields left out", without_empties),
    "C4": Ours(WEB, documented),
    "C6": Ours(WEB, documented, "the string alone: the shop's secret is not known"),
    "C7": NotOurs("its client hashes nothing for a price of 0 that its JSON carries. Here 0 is hashed", documented),
    "C8": Ours(WEB, documented, "a price of 0 is hashed as 0"),
    "C9": Ours(WEB, documented, "numbers sent as text hash alike"),
    "C11": Ours(WEB, documented, "a negative amount"),
    "D1": Ours("delete", delete_slots),
    "D3": Ours("response 2.1.2 with Action", response("2.1.2", with_action=True)),
    "D4": Ours("response 3.0.0 with Action", response("3.0.0", with_action=True)),
    "E1": Ours("response 3.0.5 with Action", response("3.0.5", with_action=True)),
    "E3": Ours("response 2.1.2 with Action", response("2.1.2", with_action=True), "no PaymentExpires before 3.0"),
    "E4": Ours("response 2.0", response("2.0", with_action=False), "no Action where the request had none"),
    "E5": Ours("response 2.0", response("2.0", with_action=False)),
    "E6": Ours("response 2.1.2 with Action", response("2.1.2", with_action=True)),
    "E8": Ours("response 2.0", response("2.0", with_action=False)),
    "E10": Ours("response 2.0", response("2.0", with_action=False), "a null Reference keeps its slot"),
    "E11": NotOurs(
        "the form of January 2016, given up by its own authors for that of E10", response("2.0", with_action=False)
    ),
    "E13": Ours("response 2.1.2 with Action", response("2.1.2", with_action=True), "a null address keeps its slot"),
    "F1": Ours("report 3.0.5", report("3.0.5")),
    "F2": Ours("report 3.0.5", report("3.0.5")),
    "F3": Ours("report 2.0", report("2.0"), "no details of payments before 3.0"),
    "F4": NotOurs("its client does not look into Payments. Here a report of 3.x must cover them", report("3.0.0")),
    "F6": Ours("report 2.0", report("2.0"), "a status as text"),
    "F7": Ours("report 2.0", report("2.0")),
    "F8": Ours("report 2.0", report("2.0")),
    "F10": Ours("report 2.0", report("2.0"), "an absent Reference leaves no slot"),
    "F11": Ours("report 2.0", report("2.0")),
    "G1": Ours("return 3.0.5", browser_return("3.0.5")),
    "G3": Ours("return 2.0", browser_return("2.0"), "three fields before 3.0"),
    "G4": Ours("return 2.0", browser_return("2.0"), "an empty Reference keeps its slot"),
    "H1": Ours("values and secret joined", joined),
    "H2": NotOurs("a string from a remark; the message behind it, and the name of one of its slots, are not known"),
}

APPLYING = {name: entry for name, entry in TABLE.items() if isinstance(entry, Ours)}
OTHERS = {name: entry for name, entry in TABLE.items() if isinstance(entry, NotOurs)}


def test_the_table_names_every_vector_of_the_file_and_no_other() -> None:
    assert list(TABLE) == list(VECTORS)


@pytest.mark.parametrize("name", APPLYING)
def test_the_string_and_digest_of_a_vector_that_applies_are_right(name: str) -> None:
    entry, vector = APPLYING[name], VECTORS[name]
    value = vector["input"]
    slots = entry.rule(entry.as_sent(value) if isinstance(value, dict) else value)
    assert string_of(slots, vector["secret"] or "{secret}") == vector["string"]
    if vector["secret"] is not None:
        assert digest_of(slots, vector["secret"]) == vector["sha256"]


@pytest.mark.parametrize("name", [name for name, entry in OTHERS.items() if entry.rule])
def test_a_vector_that_is_not_ours_has_another_digest_here(name: str) -> None:
    rule, vector = OTHERS[name].rule, VECTORS[name]
    assert rule is not None
    assert digest_of(rule(vector["input"]), vector["secret"]) != vector["sha256"]


@pytest.mark.parametrize("name", VECTORS)
def test_the_digest_in_the_file_is_the_one_of_its_string(name: str) -> None:
    vector = VECTORS[name]
    hashed = bytes.fromhex(vector["bytes_hex"]) if vector["string"] is None else vector["string"].encode()
    assert vector["sha256"] in (None, hashlib.sha256(hashed).hexdigest())


def test_a_delete_hashes_alike_as_a_request_in_documented_order() -> None:
    assert documented(VECTORS["D1"]["input"]) == delete_slots(VECTORS["D1"]["input"])


WRONG_EVERYWHERE, WRONG_PAID, WRONG_IN_PRINT = (entry["hash"] for entry in DATA["upstream_values_that_do_not_verify"])


@pytest.mark.parametrize("version", ["2.0", "2.1.2", "3.0.5"])
@pytest.mark.parametrize(
    "fields",
    [
        *(
            {"Id": "abc123", "Status": status, "Reference": "123", "Hash": WRONG_EVERYWHERE}
            for status in (99, 97, 98, 15)
        ),
        {"Id": "abc456", "Status": "1", "Reference": "123", "Hash": WRONG_PAID},
        {**VECTORS["E1"]["input"], "Hash": WRONG_IN_PRINT},
    ],
    ids=lambda fields: f"{fields['Id']}-{fields['Status']}",
)
def test_a_printed_value_that_does_not_verify_is_not_believed(fields: Message, version: str) -> None:
    raw = json.dumps(fields).encode()
    terms = Terms("examplecom", version_of(version), ("123",))
    stated = read_report(raw)
    assert isinstance(stated, Report)
    assert isinstance(judge_report(stated, terms), Forged)
    assert isinstance(judge_answer(200, raw, str(fields["Id"]), terms, verified=False), NoOutcome)
    for with_action in (False, True):
        slots = response_slots(fields, version_of(version), with_action=with_action)
        assert digest_of(slots, "123") != fields["Hash"]


CLEANING: list[tuple[str, str]] = [
    ("Sakko myöhässä Kalevala & muut", "the same here"),
    ("x" * 99, "cut by characters; a long word stays"),
    ("Sakko " * 16 + "Sak", "cut at 99 characters"),
    ("ä" * 60, "60 characters are not too many"),
    ("-", "the same here"),
    ("1001", "codes are cleaned too"),
    ('Kirja "Sinuhe" osa 1', "quotes stay: no one has seen them do harm at a till"),
    ("<b>Sakko</b>", "tags stay: a till is no browser"),
]


@pytest.mark.parametrize("place", range(len(DATA["cleaning"])))
def test_a_text_of_the_dossier_is_cleaned_by_our_own_rule(place: int) -> None:
    row, (expected, remark) = DATA["cleaning"][place], CLEANING[place]
    rule = product_description if row["field"] == "Products[].Description" else cleaned
    assert rule(row["in"]) == expected
    assert (row["out"] == expected) == (remark == "the same here")


def test_the_table_of_cleaning_is_whole() -> None:
    assert len(CLEANING) == len(DATA["cleaning"])


def page() -> str:
    """Write the reference page from the tables."""
    lines = [
        "<!-- SPDX-License-Identifier: GPL-3.0-or-later -->",
        "<!-- Written by tests/unit/ceepos/test_vectors.py; a test compares it with the tables there. -->",
        "# Test vectors of the Ceepos hashes",
        "",
        "The vectors are in `tests/data/ceepos/vectors.json`. Each one holds here, or is refused for the reason given.",
        "",
        "| Vector | Its rule | Here | Remark |",
        "|---|---|---|---|",
        *(_line(name, entry) for name, entry in TABLE.items()),
        "",
        "## Printed digests that must not verify",
        "",
        "Tests hold that none of these is believed, whatever the version:",
        "",
        *(f"- `{entry['hash']}`" for entry in DATA["upstream_values_that_do_not_verify"]),
        "",
        "## Cleaning",
        "",
        "| Text | Another client makes of it | Tillbridge makes of it | Remark |",
        "|---|---|---|---|",
        *(
            f"| {_short(row['in'])} | {_short(row['out'])} | {_short(ours)} | {remark} |"
            for row, (ours, remark) in zip(DATA["cleaning"], CLEANING, strict=True)
        ),
        "",
    ]
    return "\n".join(lines)


def _line(name: str, entry: Ours | NotOurs) -> str:
    here = entry.name if isinstance(entry, Ours) else "not ours"
    return f"| {name} | {VECTORS[name]['rule']} | {here} | {entry.remark} |"


def _short(text: str) -> str:
    return f"`{text}`" if len(text) < 40 else f"`{text[:12]}…` ({len(text)} characters)"


def test_the_reference_page_is_the_one_that_the_tables_give() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The small API: what a program that has the key may ask, and how it is told no."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from support.fakes import report
from support.site import KEY, Site
from tillbridge import __version__
from tillbridge.service.register_port import NoOutcome

START = {"branch": "CPL", "register": "10", "clerk": "anna", "card_number": "C1"}
BY_HAND = START | {"receipt_number": "4711", "supervisor": "otto", "reason": "the bridge was down"}
WORD = {"action": "paid", "person": "otto", "reason": "the receipt is here", "receipt_number": "4711"}
ID = "000000000000000000000001"

ROUTES = [
    ("GET", "/api/v1/patrons/C1/charges", None),
    ("POST", "/api/v1/payments", START),
    ("POST", "/api/v1/payments/by-hand", BY_HAND),
    ("GET", f"/api/v1/payments/{ID}", None),
    ("POST", f"/api/v1/payments/{ID}/cancel", {"clerk": "anna"}),
    ("POST", f"/api/v1/payments/{ID}/stop-waiting", {"clerk": "anna"}),
    ("POST", f"/api/v1/payments/{ID}/resolve", WORD),
    ("GET", "/api/v1/open-cases", None),
    ("POST", "/api/v1/open-cases/1/resolve", WORD),
    ("GET", f"/api/v1/pos/cpu/{ID}", None),
]
WRONG_KEYS = [
    *(None, "", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", KEY, f"Basic {KEY}"),
    "Bearer käy-ttö avain".encode().decode("latin-1"),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_nothing_is_done_without_the_key(site: Site, method: str, path: str, body: Any) -> None:
    for key in WRONG_KEYS:
        answer = await site.ask(method, path, key=key, json=body)
        assert answer.problem == (401, "key_needed"), key
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert site.bench.library.reads == 0
    assert await site.bench.store.read(lambda tx: tx.recent_payments(1)) == ()


@pytest.mark.parametrize("key", [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER  {KEY} "])
async def test_with_the_key_it_is_done(site: Site, key: str) -> None:
    assert (await site.get("/api/v1/open-cases", key=key)).json == {"cases": []}


async def test_a_patron_s_open_charges_are_listed_with_exact_amounts(site: Site) -> None:
    answer = await site.get("/api/v1/patrons/C1/charges")
    assert (answer.status, answer.json["patron_id"]) == (200, "5")
    assert [(charge["charge_id"], charge["owed"]) for charge in answer.json["charges"]] == [
        *(("1", "3"), ("2", "4"), ("3", "6.005"))
    ]
    assert set(answer.json["charges"][0]) == {"charge_id", "debit_type", "description", "owed", "date"}


async def test_an_amount_is_a_plain_decimal_however_the_library_system_wrote_it(site: Site) -> None:
    site.bench.library.owes("1", "1E+2")
    site.bench.library.owes("2", "1E-7")
    charges = (await site.get("/api/v1/patrons/C1/charges")).json["charges"]
    assert [charge["owed"] for charge in charges[:2]] == ["100", "0.0000001"]


async def test_a_payment_is_started_and_shown(site: Site) -> None:
    answer = await site.post("/api/v1/payments", START | {"sum_minor": 500, "note": "Äijä\n2. rivi"})
    payment = answer.json
    assert (answer.status, answer.headers["Location"]) == (201, f"/api/v1/payments/{ID}")
    assert payment == (await site.get(f"/api/v1/payments/{ID}")).json
    assert [(line["charge_id"], line["amount_minor"]) for line in payment["lines"]] == [("1", 300), ("2", 200)]
    shown = {key: payment[key] for key in ("id", "collection", "decided_by", "booking", "total_minor", "currency")}
    assert shown == {
        "id": ID,
        "collection": "created",
        "decided_by": None,
        "booking": "none",
        "total_minor": 500,
        "currency": "EUR",
    }
    assert payment["created_at"] == "2027-01-15T08:00:00.000+00:00"
    assert [event["kind"] for event in payment["history"]] == ["created"]


async def test_a_payment_is_followed_to_its_booking(site: Site) -> None:
    payment_id = await site.at_register(sum_minor=301)
    assert (await site.get(f"/api/v1/payments/{payment_id}")).json["collection"] == "at_register"
    assert (await site.report(payment_id, report(payment_id, "paid"))).status == 200
    await site.bench.work()
    payment = (await site.get(f"/api/v1/payments/{payment_id}")).json
    assert (payment["collection"], payment["decided_by"], payment["booking"]) == ("paid", "till", "booked")
    assert (payment["receipt_number"], payment["collected_minor"]) == ("4711", 301)
    assert payment["credits"] == [{"credit_id": "9000", "amount": "3.01", "state": "booked"}]
    assert payment["history"][-1]["words"] == "The library system has it, whole, on its own charges."


async def test_a_payment_that_the_till_has_for_long_reminds_of_itself(site: Site) -> None:
    payment_id = await site.at_register()
    shown = [(await site.get(f"/api/v1/payments/{payment_id}")).json["remind"]]
    site.bench.clock.advance(181)
    shown.append((await site.get(f"/api/v1/payments/{payment_id}")).json["remind"])
    assert shown == [False, True]


async def test_the_screen_of_each_payment_that_came_in_between_says_so(site: Site) -> None:
    late = await site.at_register()
    await site.post(f"/api/v1/payments/{late}/stop-waiting", {"clerk": "anna"})
    await site.post(f"/api/v1/payments/{late}/resolve", WORD | {"action": "not_paid"})
    others = [(await site.start(charges=[{"charge_id": charge}]))["id"] for charge in ("1", "2")]
    await site.report(late, report(late, "paid"))
    for other in others:
        (warning,) = (await site.get(f"/api/v1/payments/{other}")).json["warnings"]
        assert (warning["kind"], warning["payment_id"]) == ("collected_twice", late)
        assert warning["other_payment_ids"] == others


async def test_chosen_charges_are_paid_as_they_were_seen(site: Site) -> None:
    seen = [{"charge_id": "3", "owed": "6.0050"}, {"charge_id": "1"}]
    payment = await site.start(card_number=None, patron_id="5", charges=seen)
    assert payment["total_minor"] == 901


async def test_charges_that_have_changed_are_named(site: Site) -> None:
    seen = [{"charge_id": "1", "owed": "2.99"}, {"charge_id": "77", "owed": "1"}]
    answer = await site.post("/api/v1/payments", START | {"charges": seen})
    assert answer.problem == (422, "changed")
    assert answer.json["changed"] == [
        {"charge": "1", "seen": "2.99", "now": "3"},
        {"charge": "77", "seen": "1", "now": "0"},
    ]


async def test_a_second_payment_of_a_charge_is_told_the_first(site: Site) -> None:
    await site.start()
    answer = await site.post("/api/v1/payments", START)
    assert answer.problem == (409, "claimed")
    assert answer.json["payment"] == ID


async def test_a_payment_that_was_not_sent_is_cancelled_at_once(site: Site) -> None:
    await site.start()
    answer = await site.post(f"/api/v1/payments/{ID}/cancel", {"clerk": "anna"})
    assert (answer.status, answer.json["collection"], answer.json["decided_by"]) == (200, "cancelled", "nothing_sent")
    again = await site.post(f"/api/v1/payments/{ID}/cancel", {"clerk": "anna"})
    assert again.problem == (409, "decided")


async def test_later_the_wish_to_cancel_is_stored(site: Site) -> None:
    payment_id = await site.at_register()
    answer = await site.post(f"/api/v1/payments/{payment_id}/cancel", {"clerk": "anna"})
    assert (answer.json["collection"], answer.json["cancel_wished"]) == ("at_register", True)


async def test_a_clerk_may_stop_waiting_and_say_what_became_of_it(site: Site) -> None:
    payment_id = await site.at_register()
    stopped = await site.post(f"/api/v1/payments/{payment_id}/stop-waiting", {"clerk": "anna"})
    assert stopped.json["collection"] == "unknown"
    again = await site.post(f"/api/v1/payments/{payment_id}/stop-waiting", {"clerk": "anna"})
    assert again.problem == (409, "not_at_register")
    resolved = await site.post(f"/api/v1/payments/{payment_id}/resolve", WORD)
    assert (resolved.status, resolved.json["decided_by"], resolved.json["booking"]) == (200, "clerk", "due")
    late = await site.post(f"/api/v1/payments/{payment_id}/resolve", WORD)
    assert late.problem == (409, "not_unknown")


async def test_an_open_case_is_listed_and_resolved(site: Site) -> None:
    site.bench.till.steps.append(NoOutcome("time-out"))
    payment_id = await site.at_register()
    await site.bench.wait_and_work(601)
    (case,) = (await site.get("/api/v1/open-cases")).json["cases"]
    assert (case["kind"], case["payment_id"], case["facts"]) == ("unknown_outcome", payment_id, {})
    unfit = await site.post(f"/api/v1/open-cases/{case['id']}/resolve", WORD | {"action": "book"})
    assert unfit.problem == (422, "wrong_action")
    done = await site.post(f"/api/v1/open-cases/{case['id']}/resolve", WORD)
    assert (done.status, done.text) == (204, "")
    assert (await site.get("/api/v1/open-cases")).json == {"cases": []}
    gone = await site.post(f"/api/v1/open-cases/{case['id']}/resolve", WORD)
    assert gone.problem == (404, "no_such_case")


async def test_a_payment_taken_by_hand_is_recorded_and_booked(site: Site) -> None:
    answer = await site.post("/api/v1/payments/by-hand", BY_HAND)
    assert (answer.status, answer.json["collection"], answer.json["receipt_number"]) == (201, "paid", "4711")
    await site.bench.work()
    assert (await site.get(f"/api/v1/payments/{answer.json['id']}")).json["booking"] == "booked"
    assert site.bench.till.orders == []


REFUSED: dict[str, tuple[dict[str, Any], tuple[int, str]]] = {
    "a branch that is not there": ({"branch": "XPL"}, (404, "no_such_branch")),
    "a register that is not there": ({"register": "99"}, (404, "no_such_register")),
    "a branch that is off": ({"branch": "OFF", "register": "1"}, (422, "branch_off")),
    "a card that no one has": ({"card_number": "C2"}, (404, "no_such_patron")),
    "a patron that is gone": ({"card_number": None, "patron_id": "6"}, (404, "no_such_patron")),
    "no patron": ({"card_number": None}, (422, "patron_missing")),
    "two patrons": ({"patron_id": "5"}, (422, "patron_missing")),
    "more than is owed": ({"sum_minor": 100_000}, (422, "sum_out_of_range")),
    "an amount that is none": ({"charges": [{"charge_id": "1", "owed": "NaN"}]}, (422, "not_an_amount")),
    "an amount with an exponent": ({"charges": [{"charge_id": "1", "owed": "3E0"}]}, (422, "not_an_amount")),
}


@pytest.mark.parametrize(("changes", "problem"), REFUSED.values(), ids=REFUSED)
async def test_a_start_that_cannot_be_is_refused_with_its_code(
    site: Site, changes: dict[str, Any], problem: tuple[int, str]
) -> None:
    for path, order in (("/api/v1/payments", START), ("/api/v1/payments/by-hand", BY_HAND)):
        assert (await site.post(path, order | changes)).problem == problem
    assert await site.bench.store.read(lambda tx: tx.recent_payments(1)) == ()


async def test_a_library_system_that_is_away_is_a_503(site: Site) -> None:
    site.bench.library.away = "maintenance"
    assert (await site.get("/api/v1/patrons/C1/charges")).problem == (503, "library_unavailable")
    assert (await site.post("/api/v1/payments", START)).problem == (503, "library_unavailable")


async def test_where_nothing_is_owed_there_is_nothing_to_pay(site: Site) -> None:
    for charge in ("1", "2", "3"):
        site.bench.library.owes(charge, "0")
    assert (await site.post("/api/v1/payments", START)).problem == (422, "nothing_to_pay")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/api/v1/payments/{ID}/cancel", {"clerk": "anna"}),
        (f"/api/v1/payments/{ID}/stop-waiting", {"clerk": "anna"}),
        (f"/api/v1/payments/{ID}/resolve", WORD),
    ],
)
async def test_a_payment_that_nobody_knows_is_a_404(site: Site, path: str, body: Any) -> None:
    assert (await site.post(path, body)).problem == (404, "no_such_payment")


WRONG_SUMS: list[Any] = [5.0, 5.5, 0, -1, True, "500", 100_000_001, 10**30, [], {}]
WRONG_VALUES: list[tuple[str, Any]] = [
    *(("branch", ""), ("branch", "x" * 41), ("branch", None), ("branch", 1), ("branch", "C\x00PL")),
    *(("register", ""), ("register", "1" * 41), ("register", 10), ("clerk", ""), ("clerk", "a\x1bb")),
    *(("clerk", "x" * 201), ("clerk", ["anna"]), ("card_number", "x" * 81), ("card_number", "C\x001")),
    *(("patron_id", "5" * 81), ("note", "x" * 501), ("note", "\x00"), ("note", None)),
    *(("charges", []), ("charges", ["1"]), ("charges", [{}]), ("charges", [{"charge_id": ""}])),
    *(("charges", [{"charge_id": "1", "owed": 3.0}]), ("charges", [{"charge_id": "1", "paid": "1"}])),
    *(("charges", [{"charge_id": "1"}] * 501), ("total_minor", 5), ("currency", "SEK")),
    *(("sum_minor", wrong) for wrong in WRONG_SUMS),
]
WRONG_FORMS: dict[str, tuple[str, Any]] = {
    **{f"{name} {value!r:.20}": ("/api/v1/payments", START | {name: value}) for name, value in WRONG_VALUES},
    "nothing": ("/api/v1/payments", {}),
    "no object": ("/api/v1/payments", [START]),
    "no clerk": (f"/api/v1/payments/{ID}/cancel", {}),
    "an empty clerk": (f"/api/v1/payments/{ID}/stop-waiting", {"clerk": ""}),
    "a control character in a clerk": (f"/api/v1/payments/{ID}/stop-waiting", {"clerk": "\x00"}),
    "by hand without a receipt": ("/api/v1/payments/by-hand", START),
    "by hand without a number": ("/api/v1/payments/by-hand", BY_HAND | {"receipt_number": ""}),
    "a word without a reason": (f"/api/v1/payments/{ID}/resolve", WORD | {"reason": ""}),
    "a word that is none": (f"/api/v1/payments/{ID}/resolve", WORD | {"action": "forget"}),
    "no number of a case": ("/api/v1/open-cases/x/resolve", WORD),
    "case 0": ("/api/v1/open-cases/0/resolve", WORD),
    "a case beyond all measure": (f"/api/v1/open-cases/{10**30}/resolve", WORD),
    "a case of thousands of digits": (f"/api/v1/open-cases/{'9' * 5000}/resolve", WORD),
}


async def test_what_is_not_of_the_right_form_is_refused_with_the_place(site: Site) -> None:
    for name, (path, body) in WRONG_FORMS.items():
        answer = await site.post(path, body)
        assert answer.problem == (422, "form"), name
        assert answer.json["wrong"], name
        assert all(each["where"] and each["what"] for each in answer.json["wrong"]), name
    assert await site.bench.store.read(lambda tx: tx.recent_payments(1)) == ()


async def test_a_person_s_word_needs_more_than_blanks(site: Site) -> None:
    payment_id = await site.at_register()
    answer = await site.post(f"/api/v1/payments/{payment_id}/resolve", WORD | {"reason": "  "})
    assert answer.problem == (422, "reason_missing")
    answer = await site.post("/api/v1/payments/by-hand", BY_HAND | {"receipt_number": " "})
    assert answer.problem == (422, "reason_missing")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", (422, "form")),
        (b"{", (422, "form")),
        (b"null", (422, "form")),
        (b'{"branch": "\\ud800"}', (422, "form")),
        (b'{"branch": "\xff"}', (400, "unreadable")),
        (b"[" * 60_000, (400, "unreadable")),
        (b'{"sum_minor": ' + b"9" * 5000 + b"}", (400, "unreadable")),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(site: Site, raw: bytes, problem: tuple[int, str]) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await site.post("/api/v1/payments", data=raw, json=None, headers=headers)
    assert answer.problem == problem


async def test_a_form_that_is_not_json_is_refused(site: Site) -> None:
    headers = {"Content-Type": "text/plain"}
    answer = await site.post("/api/v1/payments", data=json.dumps(START).encode(), json=None, headers=headers)
    assert answer.problem == (422, "form")


HOSTILE_IDS = [
    *("x" * 4000, "%00", f"{ID}%00", "%F0%9F%92%A9", "%ED%A0%80", "%FF", "..%2F..%2Fetc%2Fpasswd", "%2e%2e", "a%2Fb"),
    *("'%20OR%201=1--", "%25s", "{invoicenumber}", f"{ID}%20", "%E2%80%AE", "*", "-1", "0"),
]


async def test_a_hostile_id_is_a_payment_that_nobody_knows(site: Site) -> None:
    await site.start()
    for hostile in HOSTILE_IDS:
        for path in (f"/api/v1/payments/{hostile}", f"/api/v1/pos/cpu/{hostile}"):
            answer = await site.get(path)
            assert (answer.status, "json" in answer.kind) == (404, True), (path, answer.text)


async def test_a_hostile_card_number_is_a_patron_that_nobody_knows(site: Site) -> None:
    for hostile in HOSTILE_IDS:
        answer = await site.get(f"/api/v1/patrons/{hostile}/charges")
        assert answer.problem in {(404, "no_such_patron"), (404, "no_such_route"), (422, "form")}, hostile


@pytest.mark.parametrize(
    ("method", "path", "problem"),
    [
        ("GET", "/nowhere", (404, "no_such_route")),
        ("GET", "/docs", (404, "no_such_route")),
        ("GET", "/redoc", (404, "no_such_route")),
        ("DELETE", "/api/v1/payments", (405, "wrong_method")),
        ("PUT", f"/api/v1/pos/cpu/{ID}/report", (405, "wrong_method")),
    ],
)
async def test_a_route_that_is_not_there_says_so(site: Site, method: str, path: str, problem: tuple[int, str]) -> None:
    assert (await site.ask(method, path)).problem == problem


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/payments", {"GET", "POST"}),
        ("/api/v1/payments/by-hand", {"POST"}),
        ("/api/v1/product-map", {"GET", "PUT"}),
        (f"/api/v1/payments/{ID}", {"GET"}),
        ("/openapi.json", {"GET", "HEAD"}),
    ],
)
async def test_whoever_takes_the_wrong_method_is_told_all_that_are_right(
    site: Site, path: str, methods: set[str]
) -> None:
    answer = await site.ask("DELETE", path)
    assert answer.problem == (405, "wrong_method")
    assert set(answer.headers["Allow"].split(", ")) == methods


def test_every_text_of_a_form_is_described_as_it_is_checked(site: Site) -> None:
    schemas = site.app.openapi()["components"]["schemas"]
    forms = [schema for name, schema in schemas.items() if name.endswith("Form") or name.startswith("Body_")]
    texts = [text for form in forms for field in form["properties"].values() for text in field.get("anyOf", [field])]
    patterns = [text["pattern"] for text in texts if text.get("type") == "string"]
    assert len(patterns) > 20
    for pattern in patterns:
        assert not re.search(pattern, "a\x00b")


def test_what_no_route_answers_is_not_described(site: Site) -> None:
    assert "HTTPValidationError" not in json.dumps(site.app.openapi())


async def test_the_api_describes_itself(site: Site) -> None:
    answer = await site.get("/openapi.json", key=None)
    assert (answer.status, answer.json["info"]["version"]) == (200, __version__)
    assert set(answer.json["paths"]) >= {"/api/v1/payments", "/api/v1/pos/cpu/{invoicenumber}/report"}
    assert answer.json["components"]["schemas"]["StartForm"]["properties"]["sum_minor"]["anyOf"][0]["type"] == "integer"

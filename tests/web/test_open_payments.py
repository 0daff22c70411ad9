# SPDX-License-Identifier: GPL-3.0-or-later
"""Which payments of a patron are open, for the library system's own pages and for nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from support.site import Answer, Site
from support.tokens import PAGES, STAFF, look_claims, pay_claims, token_of
from tillbridge.service.administration_port import BranchSwitch, Scope
from tillbridge.service.keys import new_key
from tillbridge.service.products import let_count
from tillbridge.service.register_port import NoOutcome
from tillbridge.web.koha.open_payments import MOST_AT_ONCE

OPEN = "/koha/open-payments"


@pytest.fixture(autouse=True)
def has_pages(site: Site) -> None:
    lead_here(site, hides_confirm=frozenset({"CPL", "OFF"}))


def lead_here(site: Site, **changes: Any) -> None:
    site.app.state.bridge = replace(site.app.state.bridge, pages=replace(PAGES, **changes))


async def page_key(site: Site, scope: Scope = Scope.PAGES, branches: list[str] | None = None) -> str:
    token, key = new_key("pages", [scope], branches, 1.0, "otto")
    await site.bench.store.write(lambda tx: tx.add_api_key(key))
    return token


async def ask(site: Site, shown: str, patron: str = "5", branch: str = "CPL", origin: str = STAFF) -> Answer:
    query = f"?patron={patron}&branch={branch}"
    return await site.get(OPEN + query, key=f"Bearer {shown}", headers={"Origin": origin})


async def test_a_page_with_its_key_sees_what_is_open_and_no_name(site: Site) -> None:
    key = await page_key(site)
    payment_id = await site.at_register(charges=[{"charge_id": "1"}, {"charge_id": "3"}])
    answer = await ask(site, key)
    assert answer.status == 200
    [payment] = answer.json["open"]
    assert sorted(payment.pop("charges")) == ["1", "3"]
    assert payment == {
        "payment": payment_id,
        "amount": "9.01",
        "register": "Kassa 1",
        "state": "at_register",
        "address": f"http://bridge.example/payments/{payment_id}/wait",
    }
    assert answer.json | {"open": []} == {"open": [], "currency": "EUR", "on": True, "hide_confirm": True}
    for secret in ("Mäkinen", "Äijä", "C1", "anna"):
        assert secret not in answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == STAFF
    assert (await ask(site, key, patron="6")).json["open"] == []


async def test_a_payment_is_open_until_it_is_settled(site: Site) -> None:
    key = await page_key(site)
    site.bench.till.steps.append(NoOutcome("lost"))
    payment_id = await site.at_register()
    assert [each["state"] for each in (await ask(site, key)).json["open"]] == ["unknown"]
    word = {"action": "not_paid", "person": "otto", "reason": "I looked"}
    assert (await site.post(f"/api/v1/payments/{payment_id}/resolve", word)).status < 300
    assert (await ask(site, key)).json["open"] == []


async def test_a_register_of_another_branch_is_named_with_it(site: Site) -> None:
    key = await page_key(site)
    await site.at_register()
    for branch, name in (
        ("CPL", "Kassa 1"),
        ("KIDS", "Kassa 1"),
        ("MPL", "Kassa 1, Pääkirjasto"),
        ("", "Kassa 1, Pää"),
    ):
        [payment] = (await ask(site, key, branch=branch)).json["open"]
        assert payment["register"].startswith(name)


async def test_a_key_for_other_branches_sees_nothing_of_this_one(site: Site) -> None:
    await site.at_register()
    assert (await ask(site, await page_key(site, branches=["MPL"]))).json["open"] == []
    assert len((await ask(site, await page_key(site, branches=["CPL"]))).json["open"]) == 1


async def test_only_a_valid_page_key_is_let_in(site: Site) -> None:
    key = await page_key(site)
    others = [await page_key(site, scope) for scope in Scope if scope is not Scope.PAGES]
    for wrong in (*others, "", key[:-1], "tb_nothing", "ä"):
        answer = await ask(site, wrong)
        assert answer.problem == (401, "key_needed"), wrong
        # The page may read why not, or it would take the bridge for away.
        assert answer.headers["Access-Control-Allow-Origin"] == STAFF
    assert (await site.get(f"{OPEN}?patron=5", key=None)).status == 401
    assert (await site.get(f"{OPEN}?patron=5", key=f"Basic {key}")).status == 401


async def test_a_token_of_the_plugin_looks_at_its_own_patron_alone_and_as_often_as_it_lasts(site: Site) -> None:
    await site.at_register()
    token = token_of(look_claims(library="KIDS"))
    for _ in range(2):
        answer = await ask(site, token, branch="OFF")
        assert [each["register"] for each in answer.json["open"]] == ["Kassa 1"]
        assert answer.json["on"]
    assert (await ask(site, token, patron="6")).status == 401
    assert (await ask(site, token_of(look_claims(0)), patron="0")).json["open"] == []


async def test_any_other_token_is_refused(site: Site) -> None:
    expired = look_claims(iat=1_700_000_000, exp=1_700_000_090)
    for claims in (
        pay_claims(),
        expired,
        look_claims(iss="https://evil.example"),
        look_claims() | {"patron": {"id": "5"}},
    ):
        assert (await ask(site, token_of(claims))).status == 401
    assert (await ask(site, token_of(look_claims(), b"f" * 64))).status == 401
    assert (await ask(site, token_of(look_claims(), alg="none"))).status == 401
    assert (await ask(site, "a.b.c")).status == 401


async def test_pages_of_other_sites_get_nothing(site: Site) -> None:
    key = await page_key(site)
    for origin in ("https://evil.example", f"{STAFF}.evil.example", STAFF.upper(), "null", "http://bridge.example"):
        answer = await ask(site, key, origin=origin)
        assert answer.problem == (403, "foreign_page")
        assert "Access-Control-Allow-Origin" not in answer.headers
        before = await site.ask("OPTIONS", OPEN, key=None, headers={"Origin": origin})
        assert before.status == 403
        assert "Access-Control-Allow-Origin" not in before.headers
    lead_here(site, address="http://elsewhere.example")
    assert (await ask(site, key)).status == 403
    site.app.state.bridge = replace(site.app.state.bridge, pages=None)
    assert (await ask(site, key)).status == 403
    assert (await site.ask("OPTIONS", OPEN, key=None, headers={"Origin": STAFF})).status == 403


async def test_a_browser_is_told_that_it_may_ask(site: Site) -> None:
    asked = {"Origin": STAFF, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    answer = await site.ask("OPTIONS", f"{OPEN}?patron=5", key=None, headers=asked)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == STAFF
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization"
    assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_a_branch_that_is_off_or_unknown_has_no_button_and_hides_none(site: Site) -> None:
    key = await page_key(site)
    for branch in ("OFF", "XYZ"):
        answer = (await ask(site, key, branch=branch)).json
        assert (answer["on"], answer["hide_confirm"]) == (False, False)
    assert (await ask(site, key, branch="")).json["on"]
    switched = BranchSwitch("CPL", 1.0, "otto", on=False, reason="broken")
    await site.bench.store.write(lambda tx: tx.switch_branch(switched))
    await let_count(site.bench.world)
    answer = (await ask(site, key)).json
    assert (answer["on"], answer["hide_confirm"]) == (False, False)


@pytest.mark.parametrize("patron", ["", "abc", "5'--", "-5", "1" * 13, "5,6", "%D9%A1"])
async def test_what_is_no_patron_is_refused(site: Site, patron: str) -> None:
    assert (await ask(site, await page_key(site), patron=patron)).problem == (422, "form")


async def test_who_asks_too_often_has_to_wait(site: Site) -> None:
    key = await page_key(site)
    answers = [(await ask(site, key)).status for _ in range(MOST_AT_ONCE + 1)]
    assert answers == [200] * MOST_AT_ONCE + [429]
    refused = await ask(site, key)
    assert refused.problem == (429, "too_many_requests")
    assert refused.headers["Access-Control-Allow-Origin"] == STAFF
    site.bench.clock.advance(float(refused.headers["Retry-After"]))
    assert (await ask(site, key)).status == 200


async def test_the_script_is_given_to_other_sites(site: Site) -> None:
    answer = await site.get("/koha/tillbridge.js", key=None)
    assert answer.kind == "text/javascript"
    assert "Pay at the register" in answer.text
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Cache-Control"] == "public, max-age=300"

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Perl plugin does wrong, case by case, and what happens here: with real parts over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from support.scenes import Scene


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_after_reading"},
        {"kind": "http_500", "collected": True},
        {"kind": "http_503", "collected": True},
        {"kind": "bad_hash"},
        {"kind": "html", "collected": True},
    ],
    ids=lambda fault: fault["kind"],
)
async def test_case_1_a_failed_request_is_unknown_and_the_late_report_books_it(
    scene: Scene, fault: dict[str, object]
) -> None:
    card, _ = await scene.patron("5.00")
    await scene.fault(**fault)  # type: ignore[arg-type]
    payment = await scene.start(card)
    if fault["kind"] == "bad_hash":
        await scene.fault("report_never", **{"for": payment["id"]})
        await scene.accept(payment["id"])
    unknown = await scene.collected(payment["id"], "unknown")
    assert unknown["booking"] == "none"
    if fault["kind"] == "bad_hash":
        assert await scene.report(payment["id"], 1) == 200
    else:
        await scene.accept(payment["id"])
    done = await scene.booked(payment["id"])
    assert done["collection"] == "paid"
    assert len(await scene.credits(done["patron_id"])) == 1
    assert await scene.owed(done["patron_id"]) == ["0.00"]
    for _ in range(3):
        assert await scene.report(payment["id"], 1) == 200
    assert len(await scene.credits(done["patron_id"])) == 1
    assert (await scene.at_till(payment["id"]))["sent_count"] == 1


async def test_case_2_report_then_failing_request_then_report_again_books_once_and_refunds_nothing(
    scene: Scene,
) -> None:
    card, _ = await scene.patron("5.00")
    for kind in ("report_before_answer", "report_twice", "http_500"):
        await scene.fault(kind, **({"collected": True, "when": "end"} if kind == "http_500" else {}))
    payment = await scene.start(card)
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"])
    assert await scene.report(payment["id"], 1) == 200
    kinds = [event["kind"] for event in (await scene.stage.client.payment(str(payment["id"])))["history"]]  # type: ignore[attr-defined]
    assert kinds.count("till_paid") == 1
    assert "duplicate" in kinds
    assert [line["type"] for line in await scene.credits(done["patron_id"])] == ["PAYMENT"]
    assert await scene.owed(done["patron_id"]) == ["0.00"]


async def test_case_3_five_euros_over_three_four_and_six_is_three_and_two(scene: Scene) -> None:
    card, _ = await scene.patron("3.00", "4.00", "6.00")
    payment = await scene.start(card, sum_minor=500)
    shown = await scene.at_till(payment["id"])
    assert [product["price"] for product in shown["products"]] == [300, 200]  # type: ignore[attr-defined]
    assert shown["total_minor"] == 500
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"])
    assert await scene.owed(done["patron_id"]) == ["0.00", "2.00", "6.00"]


async def test_case_4_four_of_ten_euros_taken_back_are_four(scene: Scene) -> None:
    card, _ = await scene.patron("10.00")
    payment = await scene.start(card, sum_minor=400)
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"])
    await scene.till("POST", f"/api/payments/{payment['id']}/take-back", {})
    due = await scene.booked(payment["id"], "reversal_due")
    assert due["collection"] == "reversed"
    assert [case["kind"] for case in due["open_cases"]] == ["void_by_hand"]  # type: ignore[attr-defined]
    [credit] = await scene.credits(done["patron_id"])
    assert credit["amount"] == "-4.00"
    await scene.library("POST", f"/control/credits/{credit['account_line_id']}/void")
    case_id = due["open_cases"][0]["id"]  # type: ignore[index]
    look = {"action": "look", "person": "eeva", "reason": "voided in Koha"}
    assert (await scene.call("POST", f"/api/v1/open-cases/{case_id}/resolve", look))[0] == 204
    assert (await scene.booked(payment["id"], "reversed"))["open_cases"] == []
    assert (await scene.owed(done["patron_id"]))[0] == "10.00"


async def test_case_5_a_synchronous_answer_paid_books_without_any_report(scene: Scene) -> None:
    card, _ = await scene.patron("5.00")
    await scene.fault("report_never")
    payment = await scene.start(card)
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"])
    assert len(await scene.credits(done["patron_id"])) == 1


async def test_case_5_a_synchronous_answer_cancelled_ends_it_without_any_report(scene: Scene) -> None:
    card, charges = await scene.patron("5.00")
    await scene.fault("report_never")
    payment = await scene.start(card)
    await scene.at_till(payment["id"])
    await scene.till("POST", f"/api/payments/{payment['id']}/cancel", {})
    done = await scene.collected(payment["id"], "cancelled")
    assert (done["decided_by"], done["booking"]) == ("till", "none")
    again = await scene.start(card, charges=[{"charge_id": charges[0]}])
    assert again["collection"] == "created"


async def test_case_6_two_reports_at_the_same_instant_book_once_and_both_get_200(scene: Scene) -> None:
    for _ in range(20):
        card, _ = await scene.patron("5.00")
        await scene.fault("drop_after_reading")
        payment = await scene.start(card)
        await scene.at_till(payment["id"])
        statuses = await asyncio.gather(*(scene.report(payment["id"], 1) for _ in range(2)))
        assert statuses == [200, 200]
        done = await scene.booked(payment["id"])
        assert len(await scene.credits(done["patron_id"])) == 1


async def test_case_7_the_same_charge_sent_twice_is_refused_and_shows_the_first(scene: Scene) -> None:
    card, charges = await scene.patron("5.00", "1.00")
    first = await scene.start(card, charges=[{"charge_id": charges[0]}])
    status, problem = await scene.try_start(card)
    assert (status, problem["code"], problem["payment"]) == (409, "claimed", first["id"])
    together = await asyncio.gather(*(scene.try_start(card, charges=[{"charge_id": charges[1]}]) for _ in range(8)))
    assert sorted(status for status, _ in together) == [201] + [409] * 7
    assert len(await scene.till("GET", "/api/payments?wait_s=1")) <= 2


async def test_case_8_amounts_and_charges_from_the_browser_are_refused(scene: Scene) -> None:
    card, charges = await scene.patron("5.00")
    _, foreign = await scene.patron("7.00")
    made_up = await scene.try_start(card, charges=[{"charge_id": charges[0], "owed": "99.00"}])
    assert (made_up[0], made_up[1]["code"]) == (422, "changed")
    too_much = await scene.try_start(card, sum_minor=9900)
    assert (too_much[0], too_much[1]["code"]) == (422, "sum_out_of_range")
    other = await scene.try_start(card, charges=[{"charge_id": foreign[0]}])
    assert (other[0], other[1]["code"]) == (422, "changed")
    assert await scene.till("GET", "/api/payments") == []


@pytest.mark.parametrize(
    ("surname", "firstname"),
    [("Mäkelä-Öhman", "Åke"), ("Достоевский", "Фёдор"), ('O\'Neil; & "Co"', "Zoë 📚")],
)
async def test_case_10_names_go_out_in_utf_8_throughout(scene: Scene, surname: str, firstname: str) -> None:
    card, _ = await scene.patron("1.50", surname=surname, firstname=firstname)
    payment = await scene.start(card)
    await scene.at_till(payment["id"])
    [sent] = [note for note in await scene.till("GET", "/api/messages") if note["kind"] == "request"]
    message = json.loads(sent["body"])
    name = f"{surname}, {firstname}".replace(";", "").replace("'", " ")
    assert message["Description"] == f"{name} ({card})"
    assert message["Products"][0]["Description"] == "Myöhästymismaksu 1"
    await scene.accept(payment["id"])
    await scene.booked(payment["id"])


async def test_case_11_97_in_a_report_is_no_outcome(scene: Scene) -> None:
    card, _ = await scene.patron("5.00")
    payment = await scene.start(card)
    await scene.collected(payment["id"], "at_register")
    assert await scene.report(payment["id"], 97) == 200
    seen = await scene.stage.client.payment(str(payment["id"]))
    assert seen["collection"] == "at_register"
    assert [case["kind"] for case in seen["open_cases"]] == ["odd_status"]  # type: ignore[attr-defined]
    await scene.accept(payment["id"])
    assert (await scene.booked(payment["id"]))["open_cases"] == []


async def test_case_11_an_unknown_id_is_404_and_a_forged_one_400(scene: Scene) -> None:
    assert await scene.report("0123456789ABCDEF01234567", 1) == 404
    assert await scene.report("0123456789ABCDEF01234567", 1, Hash="0" * 64) == 400
    _, listed = await scene.call("GET", "/api/v1/open-cases")
    assert [case["kind"] for case in listed["cases"]] == ["paid_for_unknown_id"]


async def test_case_11_the_charges_own_note_is_left_alone_and_long_words_are_cut_by_characters(scene: Scene) -> None:
    card, _ = await scene.patron("2.00", text="ö" * 150, surname="Ä" * 120)
    payment = await scene.start(card)
    shown = await scene.at_till(payment["id"])
    assert shown["description"] == "Ä" * 99
    assert shown["products"][0]["description"] == "ö" * 99  # type: ignore[index]
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"])
    ledger = await scene.library("GET", f"/control/patrons/{done['patron_id']}/ledger")
    [debit] = [line for line in ledger["lines"] if line["side"] == "debit"]
    assert not debit["note"]


async def test_case_13_hundreds_pending_cost_no_thread_and_block_nothing(scene: Scene) -> None:
    cards = [(await scene.patron("1.00"))[0] for _ in range(300)]
    threads = threading.active_count()
    payments = await asyncio.gather(*(scene.start(card) for card in cards))
    for payment in payments:
        await scene.collected(payment["id"], "at_register")
    assert threading.active_count() <= threads + 4  # the readers of the store, however many payments wait
    card, _ = await scene.patron("2.00")
    one_more = await scene.start(card)
    await scene.accept(one_more["id"])
    await scene.booked(one_more["id"])
    for payment in payments:
        await scene.till("POST", f"/api/payments/{payment['id']}/accept", {"method": "cash"})
    for payment in payments:
        await scene.booked(payment["id"])
    till = await scene.till("GET", "/api/totals")
    library = await scene.library("GET", "/control/totals")
    assert till["collected_minor"] == library["payments_minor"] == 300 * 100 + 200

# SPDX-License-Identifier: GPL-3.0-or-later
"""Give the ledger's facts the forms that Koha's REST answers have (recorded exchanges; dossier 1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from tillbridge.simulators.library.facts import Line, Patron
from tillbridge.simulators.library.query import Cell, Row


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COMMON = _names(
    "account_line_id amount amount_outstanding cash_register_id date description interface internal_note "
    "library_id patron_id status timestamp user_id"
)
CREDIT_FIELDS = _COMMON | {"payment_type", "type"}
DEBIT_FIELDS = _COMMON | {"checkout_id", "item_id", "payout_type", "type"}
ACCOUNT_LINE_FIELDS = _COMMON | _names("checkout_id credit_number credit_type debit_type item_id payment_type")


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _everything(line: Line) -> dict[str, Cell]:
    return {
        "account_line_id": line.line_id,
        "amount": line.amount,
        "amount_outstanding": line.outstanding,
        "cash_register_id": line.register_id,
        "checkout_id": None,
        "credit_number": line.credit_number,
        "credit_type": line.type if line.is_credit else None,
        "date": _moment(line.date),
        "debit_type": None if line.is_credit else line.type,
        "description": line.description,
        "interface": line.interface,
        "internal_note": line.note,
        "item_id": None,
        "library_id": line.library_id,
        "patron_id": line.patron_id,
        "payment_type": line.payment_type,
        "payout_type": line.payout_type,
        "status": line.status,
        "timestamp": _moment(line.timestamp),
        "type": line.type,
        "user_id": line.user_id,
    }


def _only(line: Line, fields: frozenset[str]) -> Row:
    return {name: cell for name, cell in _everything(line).items() if name in fields}


def account_line(line: Line) -> Row:
    """Shape a line as POST credits and GET account answer it."""
    return _only(line, ACCOUNT_LINE_FIELDS)


def credit_row(line: Line) -> Row:
    """Shape a line as GET credits lists it."""
    return _only(line, CREDIT_FIELDS)


def debit_row(line: Line) -> Row:
    """Shape a line as GET debits lists it."""
    return _only(line, DEBIT_FIELDS)


def balance(debits: Sequence[Line], credits_: Sequence[Line]) -> dict[str, object]:
    """Shape what is open on both sides as GET account answers it; a sum of nothing is the integer 0."""
    return {
        "balance": _total([*debits, *credits_]),
        "outstanding_credits": _side(credits_),
        "outstanding_debits": _side(debits),
    }


def _side(lines: Sequence[Line]) -> dict[str, object]:
    return {"lines": [account_line(line) for line in lines], "total": _total(lines)}


def _total(lines: Sequence[Line]) -> Decimal | int:
    return sum((line.outstanding for line in lines), 0)


_EMPTY = _names(
    "address address2 altaddress_address altaddress_address2 altaddress_city altaddress_country altaddress_email "
    "altaddress_notes altaddress_phone altaddress_postal_code altaddress_state altaddress_street_number "
    "altaddress_street_type altcontact_address altcontact_address2 altcontact_city altcontact_country "
    "altcontact_firstname altcontact_phone altcontact_postal_code altcontact_state altcontact_surname city country "
    "date_of_birth date_renewed email fax gender initials last_seen middle_name mobile opac_notes other_name "
    "overdrive_auth_token phone postal_code pronouns relationship_type secondary_email secondary_phone sms_number "
    "sms_provider_id staff_notes state statistics_1 statistics_2 street_number street_type title"
)
_FIXED: dict[str, Cell] = {
    "anonymized": False,
    "autorenew_checkouts": True,
    "check_previous_checkout": "inherit",
    "date_enrolled": "2024-01-01",
    "expiry_date": "2099-12-31",
    "incorrect_address": False,
    "lang": "default",
    "login_attempts": 0,
    "patron_card_lost": False,
    "privacy": 1,
    "privacy_guarantor_checkouts": 0,
    "privacy_guarantor_fines": False,
}


def patron_row(patron: Patron) -> Row:
    """Shape a patron as GET patrons answers it; what the demo does not keep is null."""
    return {
        **dict.fromkeys(_EMPTY),
        **_FIXED,
        "cardnumber": patron.cardnumber,
        "category_id": patron.category_id,
        "firstname": patron.firstname,
        "library_id": patron.library_id,
        "patron_id": patron.patron_id,
        "restricted": patron.restricted,
        "surname": patron.surname,
        "updated_on": _moment(patron.updated_on),
        "userid": patron.userid,
    }


PATRON_FIELDS = (
    _EMPTY
    | _FIXED.keys()
    | _names("cardnumber category_id firstname library_id patron_id restricted surname updated_on userid")
)
_LIBRARY_EMPTY = _names(
    "address1 address2 address3 city country email fax geolocation illemail ip marc_org_code notes phone postal_code "
    "reply_to_email return_path_email state url"
)
LIBRARY_FIELDS = _LIBRARY_EMPTY | _names("library_id name pickup_location public")
VALUE_FIELDS = _names("authorised_value_id category_name description image_url opac_description value")


def library_row(library_id: str, name: str) -> Row:
    """Shape a branch as GET libraries answers it."""
    known: dict[str, Cell] = {"library_id": library_id, "name": name, "pickup_location": True, "public": True}
    return {**dict.fromkeys(_LIBRARY_EMPTY), **known}


def value_row(number: int, category: str, value: str, description: str) -> Row:
    """Shape an authorised value."""
    return {
        "authorised_value_id": number,
        "category_name": category,
        "description": description,
        "image_url": None,
        "opac_description": None,
        "value": value,
    }

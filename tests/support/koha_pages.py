# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages that stand where Koha's are: the ids, names and forms that each version has, and nothing of its templates.

The facts are those of the dossier (koha/integration.md, 3.4), looked up in a live 23.05.04.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape

ACCOUNT = "/cgi-bin/koha/members/boraccount.pl"
PAY = "/cgi-bin/koha/members/pay.pl"
PAYCOLLECT = "/cgi-bin/koha/members/paycollect.pl"


@dataclass(frozen=True, slots=True)
class Koha:
    """Say how one version's pages differ from those of the others."""

    version: str
    cud: bool
    """Whether forms name their deed as op=cud-… (24.05), and a line is paid by a form in place of a link."""
    bootstrap: int
    handed_over: str
    """What the field for the money that is handed over is called."""


VERSIONS = {
    each.version: each
    for each in (
        Koha("23.05", cud=False, bootstrap=3, handed_over="collected"),
        Koha("24.05", cud=True, bootstrap=3, handed_over="collected"),
        Koha("24.11", cud=True, bootstrap=5, handed_over="collected"),
        Koha("25.05", cud=True, bootstrap=5, handed_over="tendered"),
    )
}


@dataclass(frozen=True, slots=True)
class Owed:
    """Hold a line of a patron's account: its id, what it owes as Koha has it, and what it says."""

    id: int
    owed: str
    says: str = "Myöhästymismaksu"


@dataclass(frozen=True, slots=True)
class Sheet:
    """Say which page is wanted: of which version, for whom, in which language and form of amounts."""

    koha: Koha
    patron: int
    lines: Sequence[Owed]
    branch: str = "CPL"
    language: str = "en"
    money: str = "US"
    script: str = ""
    """What an administrator has put on every page."""
    nonce: str = ""

    @property
    def total(self) -> str:
        """Return what all lines owe."""
        return str(sum(Decimal(line.owed) for line in self.lines))


def account(sheet: Sheet) -> str:
    """Draw the accounting tab."""
    rows = "".join(
        f"<tr><td>{escape(line.says)}</td><td>{_shown(sheet, line.owed)}</td>"
        f'<td class="actions">{_pay_action(sheet, line)}</td></tr>'
        for line in sheet.lines
    )
    form = f'<form action="{ACCOUNT}" method="get">{_hidden(borrowernumber=sheet.patron)}</form>'
    # Dialogs of this page have fields with the ids of another page's.
    dialog = '<div id="issuePayoutModal" hidden><form id="payout_form"><span id="paid">0.00</span></form></div>'
    table = f'<table id="table_account_fines"><thead>{_head("Description", "Owed", "Actions")}</thead>'
    return _page(sheet, "pat_borraccount", "Account", f"{form}{table}<tbody>{rows}</tbody></table>{dialog}")


def pay(sheet: Sheet) -> str:
    """Draw the tab *Make a payment*."""
    rows = "".join(
        f'<tr><td><input class="cb" type="checkbox" checked name="incl_par_{line.id}" aria-label="{line.id}"></td>'
        f'<td class="actions">{_row_buttons(sheet, line)}'
        + _hidden_of(line.id, accountlines_id=line.id, amountoutstanding=line.owed)
        + f"</td><td>{escape(line.says)}</td></tr>"
        for line in sheet.lines
    )
    table = (
        f'<table id="finest"><thead>{_head("Choose", "Actions", "Description")}</thead><tbody>{rows}</tbody></table>'
    )
    buttons = _button(sheet, "paycollect", "Pay amount") + _button(sheet, "payselected", "Pay selected")
    buttons += _button(sheet, "woall", "Write off all")
    fields = _hidden(borrowernumber=sheet.patron)
    form = f'<form action="{PAY}" method="post" id="pay-fines-form">{fields}{table}<div>{buttons}</div></form>'
    return _page(sheet, "pat_pay", "Make a payment", form)


def one(sheet: Sheet, paid: str | None = None, *, write_off: bool = False) -> str:
    """Draw *Pay an individual charge*, or *Write off* one, for the first line."""
    [line, *_] = sheet.lines
    form = "woindivfine" if write_off else "payindivfine"
    deed = "writeoff_individual" if write_off else "pay_individual"
    about = {"accountlines_id": line.id, "amount": line.owed, "amountoutstanding": line.owed, "description": line.says}
    named = (
        f'<input type="hidden" name="op" id="pay_individual" value="cud-{deed}">'
        if sheet.koha.cud
        else f'<input type="hidden" name="{deed}" id="pay_individual" value="1">'
    )
    fields = named + _hidden(borrowernumber=sheet.patron, **about)
    if sheet.koha.cud:
        fields += _hidden(type="WRITEOFF" if write_off else "PAYMENT")
    return _collect(sheet, form, fields, paid or line.owed, write_off=write_off)


def several(sheet: Sheet, chosen: str, paid: str | None = None, *, write_off: bool = False) -> str:
    """Draw *Pay an amount toward* the lines whose ids `chosen` has, or toward all where it has none."""
    ids = chosen.split(",") if chosen else [str(line.id) for line in sheet.lines]
    total = sum(Decimal(line.owed) for line in sheet.lines if str(line.id) in ids)
    kind = "WRITEOFF" if write_off else "PAYMENT"
    fields = _hidden(borrowernumber=sheet.patron, selected_accts=chosen, total=total, type=kind)
    if sheet.koha.cud:
        fields += _hidden(op="cud-writeoff" if write_off else "cud-pay")
    return _collect(sheet, "payfine", fields, paid or str(total), write_off=write_off)


def other(sheet: Sheet) -> str:
    """Draw a page where no money is taken."""
    return _page(sheet, "pat_moremember", "Details", _hidden(borrowernumber=sheet.patron))


def _collect(sheet: Sheet, name: str, fields: str, paid: str, *, write_off: bool) -> str:
    shown = escape(paid if "'" in paid or "," in paid else _shown(sheet, paid))
    field = "amountwrittenoff" if write_off and name == "woindivfine" else "paid"
    asks = f'<label for="{field}">Amount:</label> <input name="paid" id="{field}" value="{shown}">'
    if not write_off:
        handed = sheet.koha.handed_over
        asks += f'<label for="{handed}">Amount tendered:</label> <input name="{handed}" id="{handed}" value="{shown}">'
        asks += ' Change: <span id="change">0.00</span>'
        # With registers of its own Koha demands a payment type, and none is chosen.
        kinds = '<option value="">Choose</option><option value="CASH">Cash</option>'
        label = '<label for="payment_type">Payment type:</label>'
        asks += f'{label} <select name="payment_type" id="payment_type" class="required">{kinds}</select>'
        extra = '<input name="additional_field_1" id="extra" class="required" value="x">'
        asks += f'<label for="extra">Department:</label> {extra}'
    submit = '<input class="btn btn-primary" name="submitbutton" type="submit" value="Confirm">'
    token = _hidden(csrf_token="token")
    action = (
        f'<div class="action">{submit} <a class="cancel" href="{PAY}?borrowernumber={sheet.patron}">Cancel</a></div>'
    )
    form = f'<form id="{name}" name="{name}" method="post" action="{PAYCOLLECT}">{token}{fields}{asks}{action}</form>'
    return _page(sheet, "pat_paycollect", "Pay", form + _change_dialog(sheet))


def _change_dialog(sheet: Sheet) -> str:
    dismiss = "data-bs-dismiss" if sheet.koha.bootstrap >= 5 else "data-dismiss"
    return (
        '<div id="confirm_change_form" class="modal" tabindex="-1" role="dialog" aria-label="Change" hidden>'
        '<p>The change to give is <span id="modal_change">0.00</span>.</p>'
        '<button class="btn btn-default approve" id="modal_submit" type="button">Yes</button>'
        f'<button class="btn btn-default deny" type="button" {dismiss}="modal">No</button></div>'
    )


def _pay_action(sheet: Sheet, line: Owed) -> str:
    facts = {
        "borrowernumber": sheet.patron,
        "pay_individual": 1,
        "amount": line.owed,
        "amountoutstanding": line.owed,
        "description": line.says,
        "accountlines_id": line.id,
    }
    if not sheet.koha.cud:
        # As it is there: what the description says stands in the address as it is.
        query = "&".join(f"{name}={value}" for name, value in facts.items())
        return f'<a class="btn btn-default btn-xs pay-action" href="{PAYCOLLECT}?{escape(query)}">Pay</a>'
    button = '<button type="submit" class="btn btn-default btn-xs pay-action">Pay</button>'
    return f'<form method="get" action="{PAYCOLLECT}">{_hidden_unnamed(facts.items())}{button}</form>'


def _row_buttons(sheet: Sheet, line: Owed) -> str:
    names = (("pay_indiv", "Pay"), ("wo_indiv", "Write off"))
    if sheet.koha.cud:
        return "".join(f'<button name="op" value="cud-{name}_{line.id}">{text}</button>' for name, text in names)
    return "".join(f'<button name="{name}_{line.id}" value="{text}">{text}</button>' for name, text in names)


def _button(sheet: Sheet, name: str, text: str) -> str:
    if sheet.koha.cud:
        return f'<button type="submit" id="{name}" name="op" value="cud-{name}">{text}</button>'
    return f'<input type="submit" id="{name}" name="{name}" value="{text}">'


def _page(sheet: Sheet, body: str, title: str, main: str) -> str:
    csrf = '<meta name="csrf-token" content="token">' if sheet.koha.cud else ""
    user = (
        f'<span class="loggedinusername">anna</span> <span class="logged-in-branch-code">{escape(sheet.branch)}</span>'
    )
    script = f'<script nonce="{sheet.nonce}">{sheet.script}</script>'
    return (
        f'<!doctype html><html lang="{sheet.language}"><head><meta charset="utf-8">{csrf}'
        f"<title>{title} &rsaquo; Koha</title>"
        f'<link rel="stylesheet" href="/looks.css"></head><body id="{body}" class="pat"><header>{user}</header>'
        f'<main><h1>{title}</h1>{main}</main><script src="/stand-in.js"></script>{script}</body></html>'
    )


def _head(*names: str) -> str:
    return "<tr>" + "".join(f'<th scope="col">{name}</th>' for name in names) + "</tr>"


def _hidden(**facts: object) -> str:
    return "".join(
        f'<input type="hidden" name="{name}" id="{name}" value="{escape(str(value))}">' for name, value in facts.items()
    )


def _hidden_unnamed(facts: Iterable[tuple[str, object]]) -> str:
    """Make fields that stand once in every row, and so have no id."""
    return "".join(f'<input type="hidden" name="{name}" value="{escape(str(value))}">' for name, value in facts)


def _hidden_of(number: int, **facts: object) -> str:
    return _hidden_unnamed((f"{name}{number}", value) for name, value in facts.items())


def _shown(sheet: Sheet, amount: str) -> str:
    """Write an amount as Koha's preference CurrencyFormat wants it."""
    between, mark = {"US": (",", "."), "FR": (" ", ","), "CH": ("'", ".")}[sheet.money]
    return f"{Decimal(amount):,.2f}".translate({ord(","): between, ord("."): mark})

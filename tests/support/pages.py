# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a page of the till as its script does: buttons and forms that say themselves what they send, and where to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

Attributes = dict[str, str]


@dataclass(frozen=True)
class Request:
    """Hold what a button or a form sends."""

    method: str
    path: str
    order: dict[str, Any]


@dataclass
class Field:
    """Hold an input or a select; `option` names the option of a fault that its row is for."""

    attributes: Attributes
    option: str | None
    choices: list[Attributes] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return its name."""
        return self.attributes["name"]

    @property
    def first(self) -> str:
        """Return what it says before anybody has touched it."""
        if not self.choices:
            return self.attributes.get("value", "")
        chosen = next((one for one in self.choices if "selected" in one), self.choices[0])
        return chosen["value"]

    def read(self, text: str) -> Any:
        """Return what it sends for a text: the page says of which type it is."""
        match self.attributes.get("data-type", self.attributes.get("type")):
            case "truth":
                return text == "yes"
            case "whole":
                return int(text)
            case "number":
                return float(text)
            case _:
                return text


@dataclass
class Form:
    """Hold a form with its fields."""

    attributes: Attributes
    fields: list[Field] = field(default_factory=list)

    def field(self, name: str) -> Field:
        """Return the field with this name."""
        return next(one for one in self.fields if one.name == name)

    def filled(self, **texts: str) -> Request:
        """Fill it in: a choice must be offered, an option that the chosen kind does not take cannot be filled in."""
        usable = [one for one in self.fields if one.option is None or one.option in self._takes(texts)]
        assert texts.keys() <= {one.name for one in usable}, "this cannot be filled in"
        said = {one.name: texts.get(one.name, one.first) for one in usable}
        for one in usable:
            assert not one.choices or said[one.name] in [choice["value"] for choice in one.choices]
        order = {one.name: one.read(said[one.name]) for one in usable if said[one.name] != ""}
        return Request(self.attributes["data-method"], self.attributes["data-path"], order)

    def _takes(self, texts: dict[str, str]) -> list[str]:
        kinds = [choice for one in self.fields for choice in one.choices if "data-takes" in choice]
        chosen = [kind for kind in kinds if kind["value"] == texts.get("kind", self.fields[0].first)]
        return chosen[0]["data-takes"].split() if chosen else []


class Page(HTMLParser):
    """Read a page, or a part of one."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.forms: dict[str, Form] = {}
        self._buttons: list[Attributes] = []
        self._form: Form | None = None
        self._option: str | None = None
        self._list: str | None = None
        self._in_template = False
        self.feed(html)
        self.close()

    def button(self, **wanted: str) -> Request:
        """Return what the one button sends whose attributes (``data-act`` is `act`) are these."""
        [found] = [one for one in self._buttons if all(one.get(f"data-{k}") == v for k, v in wanted.items())]
        return _sent(found)

    def buttons(self) -> Iterator[Request]:
        """Return what each button sends."""
        return (_sent(one) for one in self._buttons)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what can be pressed, filled in or found by its id."""
        attributes = {name: text or "" for name, text in attrs}
        self.ids |= {attributes["id"]} if "id" in attributes else set()
        match tag:
            case _ if self._in_template:
                pass  # a part that the script will put elsewhere: nobody can press it here
            case "template":
                self._in_template = True
            case "form":
                self._form = self.forms[attributes["id"]] = Form(attributes)
            case "p":
                self._option = attributes.get("data-option")
            case "input" | "select" if self._form is not None:
                self._form.fields.append(Field(attributes, self._option))
            case "datalist":
                self._list = attributes["id"]
            case "option" if self._form is not None and self._list is None:
                self._form.fields[-1].choices.append(attributes)
            case "button" if "data-path" in attributes:
                self._buttons.append(attributes)

    def handle_data(self, data: str) -> None:
        """Take the text of a choice for its value where it has no other."""
        if self._form is not None and self._form.fields and self._form.fields[-1].choices:
            self._form.fields[-1].choices[-1].setdefault("value", data.strip())

    def handle_endtag(self, tag: str) -> None:
        """Leave a form, a list or a template."""
        if tag == "form":
            self._form = None
        elif tag == "template":
            self._in_template = False
        elif tag == "datalist":
            self._list = None


def _sent(button: Attributes) -> Request:
    order: dict[str, Any] = json.loads(button.get("data-order", "{}"))
    return Request(button.get("data-method", "POST"), button["data-path"], order)

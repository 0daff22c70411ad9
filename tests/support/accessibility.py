# SPDX-License-Identifier: GPL-3.0-or-later
"""Let axe-core judge whether everybody can use a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import Page

AXE = Path(__file__).resolve().parents[1] / "browser/vendor/axe-core/axe.min.js"
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")
MOST_PLACES = 5

RUN = """async ([tags, within, without]) => {
  const rules = Object.fromEntries(without.map((rule) => [rule, {enabled: false}]));
  const found = await axe.run(within, {runOnly: {type: "tag", values: tags}, rules, resultTypes: ["violations"]});
  return found.violations;
}"""


async def accessible(page: Page, *, within: str = "html", without: Mapping[str, str] | None = None) -> None:
    """Fail where axe finds anything in the page as it stands now.

    `within` is a selector of the part to look at; `without` switches rules off, each with its reason.
    """
    violations = await judged(page, within=within, without=tuple(without or ()))
    assert not violations, f"{page.url} is not accessible:\n" + "\n".join(told(violations))


async def judged(page: Page, *, within: str = "html", without: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
    """Return what axe finds.

    The program is evaluated by the debugger, which no content security policy binds: the page's own stays in force.
    """
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(_axe())
    found: Sequence[Mapping[str, Any]] = await page.evaluate(RUN, [list(TAGS), within, list(without)])
    return found


def told(violations: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Tell each rule, the first places where it is broken, and what would mend it."""
    for violation in violations:
        nodes = violation["nodes"]
        yield f"{violation['id']} ({violation['impact']}), {len(nodes)} times: {violation['help']}"
        for node in nodes[:MOST_PLACES]:
            yield f"  {' '.join(map(str, node['target']))}"
            yield from (f"    {line.strip()}" for line in node["failureSummary"].splitlines() if line.strip())


@cache
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``tillbridge simulate``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tillbridge.domain.money import exact_of
from tillbridge.errors import SettingsError
from tillbridge.simulation.campaign import Tally, run_all
from tillbridge.simulation.drawing import DEEDS, draw
from tillbridge.simulation.ledgers import Difference
from tillbridge.simulation.play import Outcome, play
from tillbridge.simulation.reaching import FAULTS, NOT_REACHED, TABLES
from tillbridge.simulation.script import Script, read_script, write_script
from tillbridge.simulation.shrinking import shrunk
from tillbridge.simulation.wording import plain

ENOUGH = 500
"""So many seeds reach everything in the tables; with fewer, chance may leave something out."""

SeedOption = Annotated[str | None, typer.Option(help="Run this one seed and tell how it went", metavar="NUMBER")]
SeedsOption = Annotated[str | None, typer.Option(help="Run these seeds, such as 0..999, and sum them up")]
JobsOption = Annotated[int | None, typer.Option(min=1, max=64, help="Processes to run --seeds on; one if not given")]
KeepOption = Annotated[Path | None, typer.Option(help="Write the script of a failing run here, as short as it gets")]


def simulate(
    *,
    seed: SeedOption = None,
    seeds: SeedsOption = None,
    script: Annotated[Path | None, typer.Option(help="Play a script that --keep has written")] = None,
    jobs: JobsOption = None,
    trace: Annotated[bool, typer.Option("--trace", help="Print every step in plain words")] = False,
    keep: KeepOption = None,
    json: Annotated[Path | None, typer.Option(help="Write the counts of --seeds here, as JSON")] = None,
) -> None:
    """Run the bridge through faults in virtual time: what a seed does, it does again, byte by byte."""
    try:
        _need_one({"--seed": seed, "--seeds": seeds, "--script": script})
        if seeds is None:
            _need_seeds({"--jobs": jobs, "--json": json})
            played = _script(seed, script)
            _try_to_write(keep)
            ok = _one(played, keep, trace=trace)
        else:
            _need_no_trace(trace=trace)
            _need_two_files(keep, json)
            numbers = _range(seeds)
            _try_to_write(keep, json)
            ok = _many(numbers, jobs or 1, keep, json)
    except SettingsError as error:
        typer.echo(f"tillbridge simulate: {error}", err=True)
        raise typer.Exit(2) from error
    raise typer.Exit(0 if ok else 1)


def _need_one(options: Mapping[str, object]) -> None:
    given = [name for name, value in options.items() if value is not None]
    if len(given) != 1:
        what = f"{' and '.join(given)} do not go together" if given else "there is nothing to run"
        raise SettingsError("what to run", what, "Give one of --seed, --seeds and --script")


def _need_seeds(options: Mapping[str, object]) -> None:
    for name, value in options.items():
        if value is not None:
            raise SettingsError(name, "this goes with --seeds alone", "Leave it out, or give a range of seeds")


def _need_no_trace(*, trace: bool) -> None:
    if trace:
        raise SettingsError("--trace", "this goes with --seed or --script alone", "Leave it out, or give one seed")


def _need_two_files(keep: Path | None, json: Path | None) -> None:
    if keep is not None and json is not None and keep.absolute() == json.absolute():
        raise SettingsError("--keep and --json", "both name the same file", "Give each a file of its own")


def _try_to_write(*paths: Path | None) -> None:
    """Need that the files can be written before anything has run for them; what stands in them stays there."""
    for path in paths:
        if path is None:
            continue
        there = path.exists()
        with _writing(path), path.open("ab"):
            pass
        if not there:
            path.unlink()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "Name a file in a folder that is there and that you may write in"
        raise SettingsError(str(path), f"this cannot be written: {error.strerror or error}", remedy) from error


def _script(seed: str | None, path: Path | None) -> Script:
    if path is not None:
        script = read_script(path)
        if unknown := sorted({str(step.do) for step in script.steps} - set(DEEDS)):
            remedy = "Name a file that tillbridge simulate --keep of this version has written"
            raise SettingsError(str(path), f"nobody knows the steps {', '.join(unknown)}", remedy)
        return script
    found = re.fullmatch(r"[0-9]{1,18}", seed or "", re.ASCII)
    if found is None:
        raise SettingsError("--seed", f"{seed!r} is no seed", "Write a whole number from 0 on, such as 7")
    return draw(int(found[0]))


def _range(text: str) -> range:
    found = re.fullmatch(r"([0-9]{1,9})\.\.([0-9]{1,9})", text)
    if found is None or int(found[1]) > int(found[2]):
        raise SettingsError("--seeds", f"{text!r} is no range of seeds", "Write the first and the last, such as 0..999")
    return range(int(found[1]), int(found[2]) + 1)


def _one(script: Script, keep: Path | None, *, trace: bool) -> bool:
    outcome = play(script)
    if trace:
        typer.echo(outcome.trace, nl=False)
    if outcome.broken is not None:
        _explain(outcome, keep)
        return False
    _say_how_it_went(outcome)
    _say_nothing_is_kept(keep)
    return True


def _say_how_it_went(outcome: Outcome) -> None:
    told, sums = outcome.telling, outcome.sums
    hit = ", ".join(f"{number} ({FAULTS[number]})" for number in sorted(told.faults)) or "none"
    payments = "1 payment" if outcome.payments == 1 else f"{outcome.payments} payments"
    lasted = f"{payments} in {outcome.seconds:.0f} simulated seconds"
    typer.echo(f"Seed {outcome.script.seed}: {lasted}, all rules held.")
    typer.echo(f"Faults: {hit}.")
    till, bridge = plain(exact_of(sums.till_minor)), plain(exact_of(sums.bridge_minor))
    typer.echo(f"Till: {till}. Bridge: {bridge}. Library: {plain(sums.library)}.")
    more = "of which every part has a cause" if sums.differences else "and no ledger differs from another"
    typer.echo(f"Till less library, rounding left aside: {plain(sums.named)}, {more}.")
    for each in sums.differences:
        typer.echo(f"  {_in_words(each)}")


def _in_words(difference: Difference) -> str:
    one, other = difference.ledgers
    than = f"{plain(abs(difference.more))} {'more' if difference.more > 0 else 'less'} than the {other}"
    return f"{difference.payment_id}: the {one} has {than}: {difference.why}."


def _say_nothing_is_kept(keep: Path | None) -> None:
    if keep is not None:
        typer.echo("Nothing to keep: all rules held.")


def _explain(failing: Outcome, keep: Path | None) -> None:
    """Print the shortest run that breaks the same rule."""
    short = shrunk(failing)
    typer.echo(f"Seed {failing.script.seed} breaks a rule: {short.broken}")
    typer.echo(f"{len(short.script.steps)} of {len(failing.script.steps)} steps are enough for it:")
    typer.echo(short.trace, nl=False)
    if keep is not None:
        with _writing(keep):
            write_script(Script(short.script.seed, short.script.setup, short.script.steps, str(short.broken)), keep)
        typer.echo(f"Written to {keep}; play it with tillbridge simulate --script {keep}")


def _many(seeds: range, jobs: int, keep: Path | None, written: Path | None) -> bool:
    tally = _run(seeds, jobs)
    _print_tables(tally)
    missing = tally.missing_by_table()
    if tally.seeds < ENOUGH:
        typer.echo(f"So few seeds need not reach everything: a zero fails the run from {ENOUGH} seeds on.")
        missing = {}
    for table, names in missing.items():
        typer.echo(f"Never reached ({table}): {'; '.join(names)}.")
    for seed in sorted(tally.broken):
        typer.echo(f"Seed {seed} breaks a rule: {tally.broken[seed]}")
    try:
        if written is not None:
            _write_counts(seeds, tally, written)
        for seed in sorted(tally.broken)[:1]:
            _explain(play(draw(seed)), keep)
        if not tally.broken:
            _say_nothing_is_kept(keep)
    finally:
        typer.echo(_verdict(tally, sum(map(len, missing.values()))))
    return not tally.broken and not missing


def _verdict(tally: Tally, missing: int) -> str:
    seeds = "1 seed" if tally.seeds == 1 else f"{tally.seeds} seeds"
    ran = f"{seeds}, {tally.payments} payments, {tally.seconds / 3600:.0f} simulated hours"
    broken = len(tally.broken)
    held = "all rules held" if not broken else f"{broken} {'seed breaks' if broken == 1 else 'seeds break'} a rule"
    return f"{ran}: {held}{f', and {missing} of what is to be reached never was' if missing else ''}."


def _write_counts(seeds: range, tally: Tally, path: Path) -> None:
    text = dumps({"seeds": [seeds[0], seeds[-1]], **tally.document()}, indent=1, ensure_ascii=False)
    with _writing(path):
        path.write_text(f"{text}\n", encoding="utf-8")


def _run(seeds: range, jobs: int) -> Tally:
    columns = (
        TextColumn("seeds"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[bad]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("seeds", total=len(seeds), bad="")
        bad = 0

        def done(batch: Tally) -> None:
            nonlocal bad
            bad += len(batch.broken)
            progress.update(task, advance=batch.seeds, bad=f"{bad} broken" if bad else "")

        return run_all(seeds, jobs, done)


def _print_tables(tally: Tally) -> None:
    console = Console(width=100, highlight=False)
    for title, names in TABLES.items():
        console.print(_table(title, {name: tally.counts[title][name] for name in names if name not in NOT_REACHED}))
    for name, why in NOT_REACHED.items():
        console.print(f"Cannot be reached: {name}. {why}.")


def _table(title: str, counts: dict[str, int]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(max_width=80)
    table.add_column(justify="right")
    for name, count in counts.items():
        table.add_row(name, str(count))
    return table

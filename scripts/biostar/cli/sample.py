"""`biostar sample`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from biostar.cli.output import console, json_option, print_json
from biostar.errors import UsageError
from biostar.project import landing_prefix
from biostar.sample import SampleOptions, SampleResult, add_day, write_sample


@click.command(
    epilog="""\b
Examples:
  biostar sample                                     the 27 shipped patients as they are, one drop
  biostar sample --patients 1000 --to /tmp/landing
  biostar sample --patients 500 --days 5 --defects 0.002 --format gzip
  biostar sample --next-day --new 0.01 --changed 0.01
      one more drop: that day's events, 1 % new patients, 1 % of the known rows changed
"""
)
@click.option("--patients", type=int, default=27, show_default=True, help="The first 27 are the real ones, unchanged.")
@click.option("--days", type=int, default=1, show_default=True, help="Daily drops; the first holds the history.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same options give the same bytes.")
@click.option("--to", metavar="FOLDER", help="Where to [BIOSTAR_LANDING, else data/landing].")
@click.option("--format", "file_format", type=click.Choice(["plain", "gzip"]), default="plain", show_default=True)
@click.option(
    "--header", type=click.Choice(["3.0", "newest"]), default="3.0", show_default=True, help="Synthea's header."
)
@click.option(
    "--defects",
    type=float,
    default=0.0,
    show_default=True,
    help="Rate of each kind of defect; answer_key.json says where they are.",
)
@click.option("--next-day", is_flag=True, help="Add one drop to the sample that is there.")
@click.option("--new", type=float, default=0.01, show_default=True, help="With --next-day: share of new patients.")
@click.option("--changed", type=float, default=0.01, show_default=True, help="With --next-day: share of changed rows.")
@click.option("--replace", is_flag=True, help="Remove the sample that is there first.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    patients: int,
    days: int,
    seed: int,
    to: str | None,
    file_format: str,
    header: str,
    defects: float,
    next_day: bool,
    new: float,
    changed: float,
    replace: bool,
    as_json: bool,
) -> None:
    """Amplify the 27 shipped patients to any number and lay them out as a vendor would.

    Files go to <to>/ehr/<table>/ingest_date=YYYY-MM-DD/<table>-NNN.csv; the last drop is of 2024-02-08, the day after
    the last day the shipped data knows. Beside ehr/ lies answer_key.json: for every table and drop the rows, the
    defects, and what the warehouse must make of them.

    Exit codes: 0 done, 2 usage (also: the folder is not empty), 3 shipped files missing, 4 the sample there is not
    finished, 5 the disk.
    """
    folder = _local_folder(landing_prefix(to))
    _refuse_mixed_options(ctx, next_day)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading the shipped patients", total=None)

        def on_table(name: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=f"writing {name:<20}")

        if next_day:
            result = add_day(folder, new, changed, on_table)
        else:
            options = SampleOptions(patients, days, seed, file_format, header, defects)
            result = write_sample(options, folder, replace, on_table)
    if as_json:
        print_json(result.as_dict())
    _print_summary(result)


def _local_folder(to: str) -> Path:
    if "://" in to:
        raise UsageError(
            f"--to is '{to}': a sample is written to a local folder only",
            undone="nothing was written",
            next_step=f"biostar sample --to /tmp/landing …, then aws s3 sync /tmp/landing {to}",
        )
    return Path(to)


def _refuse_mixed_options(ctx: click.Context, next_day: bool) -> None:
    """An option that the mode would ignore is an error, so that nobody believes it did something."""
    other = (
        ("patients", "days", "seed", "file_format", "header", "defects", "replace") if next_day else ("new", "changed")
    )
    given = [name for name in other if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]
    if given:
        names = ", ".join("--" + name.replace("file_", "") for name in given)
        mode = "with --next-day: the sample that is there decides" if next_day else "without --next-day"
        raise UsageError(f"{names} means nothing {mode}")


def _print_summary(result: SampleResult) -> None:
    first, last = result.drops[0], result.drops[-1]
    days = f"drop {first}" if first == last else f"{len(result.drops)} drops {first} to {last}"
    table = Table(title=f"sample in {result.to}: {days}, {result.seconds:.1f} s", title_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    for name, rows in result.rows.items():
        if rows:
            table.add_row(name, f"{rows:,}")
    table.add_section()
    table.add_row("all", f"{sum(result.rows.values()):,}")
    console.print(table)
    console.print(
        f"{result.files} files, {result.bytes / 1e6:,.1f} MB; what to expect of them: {result.to}/answer_key.json"
    )
    console.print(f"next: biostar load --landing {result.to}", markup=False)

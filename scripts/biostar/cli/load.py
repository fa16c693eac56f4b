"""`biostar load`: new objects of the landing into the raw tables."""

from __future__ import annotations

import datetime
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from types import FrameType

import click
import rich.progress
from rich.table import Table

from biostar.cli.output import console, json_option, print_json, report_error
from biostar.cli.raw import target_option
from biostar.contracts import ErrorLimit, read_sources
from biostar.errors import BiostarError, UsageError
from biostar.landing import open_landing
from biostar.load import (
    Batch,
    BatchResult,
    LoadReport,
    Plan,
    Watcher,
    Watchers,
    books_of,
    choose_tables,
    make_plan,
    named_objects,
    plan_reload,
    preview,
    read_ledger,
    run_plan,
)
from biostar.load.log import log_to
from biostar.project import landing_prefix, project_root
from biostar.warehouse import open_warehouse

DEFAULT_JOBS = 4
"""Connections to a server; each waits for its answers most of the time."""


@click.command(
    name="load",
    epilog="""\b
Examples:
  biostar load --dry-run
  biostar load --landing s3://my-bucket/landing --target redshift --jobs 8 --log load.jsonl
  biostar load --tables patients,encounters --max-errors 0.1%
  biostar load --reload ehr/patients/ingest_date=2024-02-08/patients-000.csv
  biostar load --json | jq .rows_rejected
""",
)
@click.option(
    "--landing",
    metavar="PREFIX",
    help="Folder or s3://bucket/prefix where files are delivered [BIOSTAR_LANDING, else data/landing].",
)
@click.option("--tables", default="", metavar="A,B", help="Load these tables only.")
@click.option(
    "--max-errors",
    metavar="N|P%",
    help="Bad records that each load may have, as a count or a share of those read [max_errors of the table, else 50%"
    " of 100 or more]. Over it the whole load is rolled back.",
)
@click.option(
    "--reload",
    "reloaded",
    multiple=True,
    metavar="OBJECT",
    help="Take the load of this object anew: changed content replaces the old, rows of a deleted object go.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 32), default=DEFAULT_JOBS, help="Connections at most [4]. DuckDB has one."
)
@click.option("--log", metavar="FILE", envvar="BIOSTAR_LOG", help="Append a line of JSON for each event; - is stderr.")
@click.option("--dry-run", is_flag=True, help="Read the objects, print the very statements, and write nothing.")
@target_option
@json_option
def command(
    landing: str | None,
    tables: str,
    max_errors: str | None,
    reloaded: tuple[str, ...],
    jobs: int,
    log: str | None,
    dry_run: bool,
    target: str,
    as_json: bool,
) -> int:
    """Load new objects of the landing into the raw tables, each exactly once.

    Takes PREFIX/ehr/<table>/ingest_date=YYYY-MM-DD/*.csv[.gz|.zst], and what other formats and layouts the sources
    declare. The new objects of a table and date go in with one transaction; what is in the ledger is skipped, so run it
    as often as you like, also after it was killed.

    Records that cannot become a row (fields too few or too many, broken quotes, bytes that are not UTF-8, a value
    longer than its column) are listed in raw_meta.load_rejects and are no error until they are more than --max-errors;
    see biostar rejects. An empty field, quoted or not, becomes null; any other value is kept to the byte.

    Exit code 4 when something was left out that somebody has to deliver better: an object that is empty, damaged,
    changed since it was loaded, without its key columns, or in a folder that is no known table or no valid date; or a
    load with too many bad records. All others are loaded. Exit code 5 when the warehouse, the store or the disk failed:
    run it again.
    """
    limit = read_limit(max_errors)
    sources = read_sources(project_root())
    wanted = choose_tables(sources, [name.strip() for name in tables.split(",") if name.strip()])
    if reloaded and tables:
        raise UsageError("--reload names objects and --tables tables", next_step="leave one of them out")
    books = books_of(sources)
    delivered = open_landing(landing_prefix(landing))
    with closing(open_warehouse(target, read_only=dry_run)) as warehouse:
        ledger = read_ledger(warehouse, books)
        if reloaded:
            plan = plan_reload(delivered, sources, named_objects(reloaded, delivered, ledger), ledger)
        else:
            plan = make_plan(delivered, sources, wanted, ledger, now().date())
        if dry_run:
            statements, faults = preview(plan, delivered, books, warehouse, now())
            return _show_plan(plan, statements, faults, as_json)
        with watching(plan, log) as watcher:
            report = run_plan(
                plan,
                delivered,
                sources,
                warehouse,
                ledger,
                now=now,
                jobs=jobs,
                limit=limit,
                watcher=watcher,
            )
    return show_report(report, as_json)


def now() -> datetime.datetime:
    """The time in UTC, without zone."""
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def read_limit(text: str | None) -> ErrorLimit | None:
    """The value of --max-errors.

    Raises:
        UsageError: it is neither a count nor a share.
    """
    if text is None:
        return None
    limit = ErrorLimit.parse(text)
    if limit is None:
        raise UsageError(f"--max-errors is '{text}'", next_step="give a number of records, or a share as 2.5%")
    return limit


@contextmanager
def watching(plan: Plan, log: str | None) -> Iterator[Watcher]:
    """Progress for a person, the log for a machine; SIGTERM ends the run as Ctrl-C does, with nothing half done."""
    with ExitStack() as stack:
        watchers: list[Watcher] = [stack.enter_context(_progress(plan))]
        if log:
            watchers.append(stack.enter_context(log_to(log)))
        if threading.current_thread() is threading.main_thread():
            before = signal.signal(signal.SIGTERM, _interrupt)
            stack.callback(signal.signal, signal.SIGTERM, before)
        yield Watchers(*watchers)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _progress(plan: Plan) -> Iterator[Watcher]:
    """A bar on a terminal; in a log, a line for each batch that took a second or more."""
    if not console.is_terminal:
        yield _Lines()
        return
    with rich.progress.Progress(
        "{task.description}",
        rich.progress.BarColumn(),
        rich.progress.DownloadColumn(),
        "{task.fields[rows]:,} rows",
        rich.progress.TimeElapsedColumn(),
        rich.progress.TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bar:
        yield _Bar(bar, bar.add_task("load", total=sum(batch.size for batch in plan.batches), rows=0))


class _Lines(Watcher):
    def batch_finished(self, batch: Batch, result: BatchResult | None, faults: Sequence[BiostarError]) -> None:
        if result is not None and result.seconds >= 1:
            console.print(
                f"  {batch.name}: {result.rows_loaded:,} rows from {_objects(result.objects)}, {result.seconds:.1f} s",
                markup=False,
            )

    def retried(self, batch: Batch, fault: BiostarError, attempt: int, pause: float) -> None:
        console.print(f"  {batch.name}: {fault.message}; trying again in {pause:.1f} s", markup=False)


class _Bar(_Lines):
    def __init__(self, bar: rich.progress.Progress, task: rich.progress.TaskID) -> None:
        self._bar = bar
        self._task = task
        self._rows = 0

    def batch_started(self, batch: Batch) -> None:
        self._bar.update(self._task, description=batch.name)

    def batch_finished(self, batch: Batch, result: BatchResult | None, faults: Sequence[BiostarError]) -> None:
        self._rows += result.rows_loaded if result else 0
        self._bar.update(self._task, advance=batch.size, rows=self._rows)


def _objects(count: int) -> str:
    return f"{count:,} object{'s' * (count != 1)}"


def _show_plan(plan: Plan, statements: Mapping[Batch, list[str]], faults: Sequence[BiostarError], as_json: bool) -> int:
    failures = [*plan.failures, *faults]
    code = max((failure.exit_code for failure in failures), default=0)
    if as_json:
        print_json(
            {
                "dry_run": True,
                "exit_code": code,
                "batches": [
                    {
                        "kind": batch.kind,
                        "table": batch.table.name,
                        "ingest_date": batch.ingest_date.isoformat(),
                        "objects": [landed.key for landed in batch.objects],
                        "bytes": batch.size,
                        "replaced_load_ids": list(batch.replaces),
                        "statements": statements.get(batch, []),
                    }
                    for batch in plan.batches
                ],
                "objects_skipped": plan.skipped,
                "objects_vanished": len(plan.vanished),
                "vanished": list(plan.vanished),
                "missing_tables": list(plan.missing_tables),
                "warnings": list(plan.warnings),
                "failures": [failure.as_dict() for failure in failures],
            }
        )
        return code
    for batch in plan.batches:
        verb = "take anew" if batch.replaces else "load"
        console.print(
            f"  would {verb} {batch.name}: {_objects(len(batch.objects))}, {batch.size / 1e6:,.1f} MB", markup=False
        )
        for statement in statements.get(batch, []):
            click.echo(f"{statement};")
    console.print(f"{len(plan.batches)} loads to do, {_objects(plan.skipped)} loaded already; nothing was written")
    _show_troubles(plan.warnings, failures, plan.missing_tables)
    return code


def show_report(report: LoadReport, as_json: bool, about_nothing: str = "") -> int:
    """Print what a run did and what comes next; returns the exit code."""
    if as_json:
        print_json(report.as_dict())
    if report.batches:
        table = Table(box=None, pad_edge=False)
        table.add_column("table")
        for heading in ("objects", "rows", "rejected", "MB", "seconds"):
            table.add_column(heading, justify="right")
        for name in dict.fromkeys(batch.table for batch in report.batches):
            of = [batch for batch in report.batches if batch.table == name]
            table.add_row(
                name,
                f"{sum(batch.objects for batch in of):,}",
                f"{sum(batch.rows_loaded for batch in of):,}",
                f"{sum(batch.rows_rejected for batch in of):,}",
                f"{sum(batch.size for batch in of) / 1e6:,.1f}",
                f"{sum(batch.seconds for batch in of):.1f}",
            )
        table.add_section()
        table.add_row(
            "total",
            f"{report.total('objects'):,}",
            f"{report.total('rows_loaded'):,}",
            f"{report.total('rows_rejected'):,}",
            f"{report.total('size') / 1e6:,.1f}",
            f"{report.seconds:.1f}",
        )
        console.print(table)
    elif not report.failures:
        console.print(about_nothing or f"nothing new: {_objects(report.skipped)} loaded before")
    if report.vanished:
        first = ", ".join(f"'{key}'" for key in report.vanished[:3])
        more = f" and {len(report.vanished) - 3:,} more" if len(report.vanished) > 3 else ""
        console.print(
            f"loaded before and no longer in the landing: {first}{more}; the rows stay"
            " (biostar load --reload OBJECT would remove them)",
            markup=False,
        )
    if report.total("rows_removed"):
        console.print(f"{report.total('rows_removed'):,} rows of earlier loads were removed")
    _show_troubles(report.warnings, report.failures)
    # Facts take what is new by its load id; that a row is gone they learn from a full refresh only.
    build = "biostar build --full-refresh" if report.total("rows_removed") else "biostar build"
    if report.total("rows_rejected"):
        console.print(f"next: biostar rejects list, then {build}")
    elif report.batches:
        console.print(f"next: {build}")
    return report.exit_code


def _show_troubles(warnings: Sequence[str], failures: Sequence[BiostarError], missing: Sequence[str] = ()) -> None:
    for warning in warnings:
        console.print("[yellow]warning[/]: ", end="")
        console.print(warning, markup=False)
    if missing:
        console.print(f"the landing has nothing for {', '.join(missing)}", markup=False)
    for failure in failures:
        report_error(failure.as_dict(), as_json=False)

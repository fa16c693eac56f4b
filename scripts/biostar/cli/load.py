"""`biostar load`: new objects of the landing into the raw tables."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
import rich.progress
from rich.table import Table

from biostar.cli.output import console, json_option, print_json, report_error
from biostar.cli.raw import target_option
from biostar.contracts import read_sources
from biostar.errors import BiostarError
from biostar.landing import open_landing
from biostar.load import Batch, BatchResult, LoadReport, Plan, make_plan, run_plan
from biostar.load.plan import LedgerEntry, books_schema, choose_tables
from biostar.load.run import Progress, read_ledger
from biostar.project import duckdb_path, landing_prefix, project_root
from biostar.warehouse import open_warehouse


@click.command(
    name="load",
    epilog="""\b
Examples:
  biostar load --dry-run
  biostar load --landing s3://my-bucket/landing --tables patients,encounters
  biostar load --json | jq .rows_rejected
""",
)
@click.option(
    "--landing",
    metavar="PREFIX",
    help="Folder or s3://bucket/prefix where files are delivered [BIOSTAR_LANDING, else data/landing].",
)
@click.option("--tables", default="", metavar="A,B", help="Load these tables only.")
@click.option("--dry-run", is_flag=True, help="Say what would be loaded and touch nothing.")
@target_option
@json_option
def command(landing: str | None, tables: str, dry_run: bool, target: str, as_json: bool) -> int:
    """Load new objects of the landing into the raw tables, each exactly once.

    Takes PREFIX/ehr/<table>/ingest_date=YYYY-MM-DD/*.csv[.gz]. The new objects of a table and date go in with one
    transaction; what is in the ledger is skipped, so run it as often as you like, also after it was killed.

    Records that cannot become a row (fields too few or too many, broken quotes, bytes that are not UTF-8, a value
    longer than its column) are listed in raw_meta.load_rejects and are no error. An empty field, quoted or not,
    becomes null; any other value is kept to the byte.

    Exit code 4 when something was left out that somebody has to deliver better: an object that is empty, damaged,
    changed since it was loaded, without its key columns, or in a folder that is no known table or no valid date. Its
    batch is left out whole; all others are loaded first. Exit code 5 when the store or the disk failed: run it again.
    """
    sources = read_sources(project_root())
    wanted = choose_tables(sources, [name.strip() for name in tables.split(",") if name.strip()])
    books = books_schema(sources)
    delivered = open_landing(landing_prefix(landing))
    if dry_run:
        ledger: Sequence[LedgerEntry] = []
        # A database that does not exist yet is not made for the asking.
        if target != "duckdb" or duckdb_path().exists():
            warehouse = open_warehouse(target, read_only=True)
            try:
                ledger = read_ledger(warehouse, books)
            finally:
                warehouse.close()
        plan = make_plan(delivered, sources, wanted, ledger, _now().date())
        return _show_plan(plan, as_json)
    warehouse = open_warehouse(target)
    try:
        ledger = read_ledger(warehouse, books)
        plan = make_plan(delivered, sources, wanted, ledger, _now().date())
        with _progress(plan) as tell:
            report = run_plan(plan, delivered, sources, warehouse, ledger, now=_now, progress=tell)
    finally:
        warehouse.close()
    return _show_report(report, as_json)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


@contextmanager
def _progress(plan: Plan) -> Iterator[Progress]:
    """A bar on a terminal; in a log, a line for each batch that took a second or more."""
    if not console.is_terminal:
        yield _say
        return
    with rich.progress.Progress(
        "{task.description}",
        rich.progress.BarColumn(),
        rich.progress.DownloadColumn(),
        rich.progress.TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("load", total=sum(batch.size for batch in plan.batches))

        def show(batch: Batch, result: BatchResult | None) -> None:
            bar.update(task, description=batch.name, advance=batch.size if result else 0)

        yield show


def _say(batch: Batch, result: BatchResult | None) -> None:
    if result is not None and result.seconds >= 1:
        console.print(
            f"  {batch.name}: {result.rows_loaded:,} rows from {_objects(result.objects)}, {result.seconds:.1f} s",
            markup=False,
        )


def _objects(count: int) -> str:
    return f"{count:,} object{'s' * (count != 1)}"


def _show_plan(plan: Plan, as_json: bool) -> int:
    code = 4 if plan.failures else 0
    if as_json:
        print_json(
            {
                "dry_run": True,
                "exit_code": code,
                "batches": [
                    {
                        "table": batch.table.name,
                        "ingest_date": batch.ingest_date.isoformat(),
                        "objects": [landed.key for landed in batch.objects],
                        "bytes": batch.size,
                    }
                    for batch in plan.batches
                ],
                "objects_skipped": plan.skipped,
                "missing_tables": list(plan.missing_tables),
                "warnings": list(plan.warnings),
                "failures": [failure.as_dict() for failure in plan.failures],
            }
        )
        return code
    for batch in plan.batches:
        console.print(
            f"  would load {batch.name}: {_objects(len(batch.objects))}, {batch.size / 1e6:,.1f} MB",
            markup=False,
        )
    console.print(f"{len(plan.batches)} loads to do, {_objects(plan.skipped)} loaded already; nothing was touched")
    _show_troubles(plan.warnings, plan.failures, plan.missing_tables)
    return code


def _show_report(report: LoadReport, as_json: bool) -> int:
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
    else:
        console.print(f"nothing new: {_objects(report.skipped)} loaded before")
    _show_troubles(report.warnings, report.failures)
    if report.total("rows_rejected"):
        console.print("next: select * from raw_meta.load_rejects, then biostar build")
    elif report.batches:
        console.print("next: biostar build")
    return report.exit_code


def _show_troubles(warnings: Sequence[str], failures: Sequence[BiostarError], missing: Sequence[str] = ()) -> None:
    for warning in warnings:
        console.print("[yellow]warning[/]: ", end="")
        console.print(warning, markup=False)
    if missing:
        console.print(f"the landing has nothing for {', '.join(missing)}", markup=False)
    for failure in failures:
        report_error(failure.as_dict(), as_json=False)

"""`biostar rejects`: records that the loader refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import click
from rich.table import Table

from biostar.cli.load import DEFAULT_JOBS, now, show_report, watching
from biostar.cli.output import console, json_option, print_json
from biostar.cli.raw import target_option
from biostar.contracts import read_sources
from biostar.errors import UsageError
from biostar.landing import open_landing
from biostar.load import books_of, choose_tables, read_ledger, run_plan
from biostar.load.books import OpenReject, kept_lines, open_rejects
from biostar.project import landing_prefix, project_root
from biostar.rejects import choose, grouped, plan_retry
from biostar.warehouse import open_warehouse


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--load-id", type=int, metavar="N", help="Only those of this load."),
        click.option("--code", metavar="CODE", help="Only those with this error_code."),
        click.option("--object", "key", metavar="KEY", help="Only those of this object, as list shows it."),
        click.option("--table", metavar="NAME", help="Only those of this raw table."),
    ):
        function = option(function)
    return function


@click.group(
    name="rejects",
    epilog="""\b
Examples:
  biostar rejects list
  biostar rejects show --table patients --code value_too_long
  biostar rejects retry --table patients
""",
)
def command() -> None:
    """Records that the loader refused: list them, look at them, try them again.

    A refused record is open until a retry, or a reload of its object, has taken it.
    """


@command.command(name="list")
@_filters
@target_option
@json_option
def list_(table: str | None, key: str | None, code: str | None, load_id: int | None, target: str, as_json: bool) -> int:
    """Count the open rejects by table, object, reason and column."""
    groups = grouped(_chosen(target, table, key, code, load_id))
    if as_json:
        print_json(
            {"records": sum(group.records for group in groups), "rejects": [group.as_dict() for group in groups]}
        )
        return 0
    if not groups:
        console.print("no open rejects")
        return 0
    shown = Table(box=None, pad_edge=False)
    for heading in ("table", "object", "reason", "column"):
        shown.add_column(heading, overflow="fold")
    shown.add_column("records", justify="right")
    for group in groups:
        shown.add_row(group.table, group.key, group.code, group.column or "", f"{group.records:,}")
    console.print(shown, markup=False)
    console.print("next: biostar rejects show --table NAME, and biostar rejects retry after a declaration was mended")
    return 0


@command.command()
@_filters
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Records at most.")
@click.option("--raw", "with_lines", is_flag=True, help="With the records as delivered. They hold patients' data.")
@target_option
@json_option
def show(
    table: str | None,
    key: str | None,
    code: str | None,
    load_id: int | None,
    limit: int,
    with_lines: bool,
    target: str,
    as_json: bool,
) -> int:
    """Show open rejects one by one: where each record begins, and why it was refused.

    The records themselves are kept in raw_restricted.load_reject_lines, for whoever may read that schema; --raw prints
    them to stdout. They hold patients' data: do not send them to a log or a ticket.
    """
    rejects = _chosen(target, table, key, code, load_id)
    some = rejects[:limit]
    lines = {}
    if with_lines:
        books = books_of(read_sources(project_root()))
        with closing(open_warehouse(target, read_only=True)) as warehouse:
            lines = dict(kept_lines(warehouse, books, some))
        console.print("[yellow]warning[/]: what follows on stdout holds data of patients")
    documents = [_document(reject) for reject in some]
    for document, reject in zip(documents, some, strict=True):
        if with_lines:
            text, size = lines.get((reject.load_id, reject.key, reject.line or 0), (None, None))
            document |= {"raw_line": text, "line_bytes": size}
    if as_json:
        print_json({"records": len(rejects), "rejects": documents})
        return 0
    for document in documents:
        where = document["line_number"] if document["line_number"] is not None else "?"
        column = f", column {document['column_name']}" if document["column_name"] else ""
        console.print(
            f"{document['object_key']}:{where}{column}: {document['error_code']}, {document['error_reason']}"
            f" (load {document['load_id']})",
            markup=False,
        )
        if document.get("raw_line") is not None:
            click.echo(str(document["raw_line"]))
    console.print(f"{len(some):,} of {len(rejects):,} open rejects")
    return 0


@command.command()
@_filters
@click.option(
    "--landing",
    metavar="PREFIX",
    help="Where the objects are [BIOSTAR_LANDING, else data/landing].",
)
@click.option("--log", metavar="FILE", envvar="BIOSTAR_LOG", help="Append a line of JSON for each event; - is stderr.")
@target_option
@json_option
def retry(
    table: str | None,
    key: str | None,
    code: str | None,
    load_id: int | None,
    landing: str | None,
    log: str | None,
    target: str,
    as_json: bool,
) -> int:
    """Read the refused records again from their objects and load those that are good now.

    Do it after a declaration was mended: a column widened, say. Each table and day is a load of its own, so that
    biostar build takes the rows as new ones. Records that are still bad stay open.
    """
    sources = read_sources(project_root())
    books = books_of(sources)
    delivered = open_landing(landing_prefix(landing))
    rejects = _chosen(target, table, key, code, load_id)
    with closing(open_warehouse(target)) as warehouse:
        ledger = read_ledger(warehouse, books)
        plan = plan_retry(delivered, sources, rejects, ledger)
        with watching(plan, log) as watcher:
            report = run_plan(
                plan,
                delivered,
                sources,
                warehouse,
                ledger,
                now=now,
                jobs=DEFAULT_JOBS,
                watcher=watcher,
            )
        still = len(open_rejects(warehouse, books))
    if not as_json:
        console.print(
            f"{report.total('rows_loaded'):,} of {len(rejects):,} records went in; {still:,} rejects are open"
        )
    return show_report(report, as_json, about_nothing="nothing went in")


def _chosen(target: str, table: str | None, key: str | None, code: str | None, load_id: int | None) -> list[OpenReject]:
    sources = read_sources(project_root())
    if table:
        choose_tables(sources, [table])
    with closing(open_warehouse(target, read_only=True)) as warehouse:
        rejects = open_rejects(warehouse, books_of(sources))
    if key and key not in {reject.key for reject in rejects}:
        raise UsageError(f"there is no open reject of '{key}'", next_step="biostar rejects list shows the objects")
    return choose(rejects, table=table, key=key, code=code, load_id=load_id)


def _document(reject: OpenReject) -> dict[str, object]:
    return {
        "load_id": reject.load_id,
        "table": reject.table,
        "object_key": reject.key,
        "line_number": reject.line,
        "column_name": reject.column,
        "error_code": reject.code,
        "error_reason": reject.reason,
        "value_length": reject.length,
    }

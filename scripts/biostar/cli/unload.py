"""`biostar unload`: a model, a raw table or a query to files."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import get_args

import click

from biostar.cli.output import console, json_option, print_json
from biostar.cli.raw import target_option
from biostar.contracts import read_sources
from biostar.errors import ConfigurationError, UsageError
from biostar.project import project_root
from biostar.unload.request import COMPRESSIONS, FileFormat, Options, Subject, Unloaded, read_size


@click.command(
    name="unload",
    epilog="""\b
Examples:
  biostar unload msr_pmpm --to s3://lake/marts/msr_pmpm
  biostar unload raw_ehr.payers --to out/payers --format csv
  biostar unload --query totals.sql --to out/totals --partition-by year_number --replace
  biostar unload --select marts.core --to s3://lake/core --allow-phi --reason "study 12, IRB 2026-7"
""",
)
@click.argument("relation", required=False)
@click.option("--query", metavar="FILE", help="A file with one SELECT, - for stdin, instead of RELATION.")
@click.option("--select", "-s", multiple=True, help="dbt's selectors; each model goes to its own folder below --to.")
@click.option("--to", default="", metavar="PREFIX", help="Folder (DuckDB only) or s3://bucket/prefix.")
@click.option("--format", "file_format", type=click.Choice(get_args(FileFormat)), default="parquet", show_default=True)
@click.option(
    "--compression",
    type=click.Choice(sorted({name for names in COMPRESSIONS.values() for name in names})),
    help="Default snappy for Parquet, gzip for CSV.",
)
@click.option("--partition-by", default="", metavar="A,B", help="Columns whose values become folders column=value.")
@click.option(
    "--as-landing", is_flag=True, help="A raw table as a vendor delivers it, by day, for biostar load (layout: hive)."
)
@click.option("--max-file-size", default="256MB", show_default=True, help="5MB to 6.2GB; the engines estimate it.")
@click.option("--replace", "replacing", is_flag=True, help="Replace what is published there, in one step.")
@click.option("--allow-phi", is_flag=True, help="Let columns about persons out; needs --reason.")
@click.option("--reason", default="", metavar="TEXT", help="Why they may go out; recorded in raw_meta.unload_ledger.")
@click.option("--dry-run", is_flag=True, help="Print the very statements and write nothing.")
@target_option
@json_option
def command(
    relation: str | None,
    query: str | None,
    select: tuple[str, ...],
    to: str,
    file_format: FileFormat,
    compression: str | None,
    partition_by: str,
    as_landing: bool,
    max_file_size: str,
    replacing: bool,
    allow_phi: bool,
    reason: str,
    dry_run: bool,
    target: str,
    as_json: bool,
) -> int:
    """Unload RELATION, a model or a raw table as raw_ehr.patients, to Parquet or CSV files.

    The files go to PREFIX/<run>/[column=value/…]. They are read back and compared with the source, count and checksum
    of every column, and then PREFIX/manifest.json is written in one step, in the layout of Redshift's verbose manifest:
    whoever begins with it sees a whole run, the one before or this one. The run before stays; older ones are removed.

    Columns about persons (meta.phi direct or quasi, and any column of which nobody says what it holds) are refused by
    name, unless --allow-phi gives a --reason. Every run is recorded in raw_meta.unload_ledger.

    Exit codes: 0 published, 2 refused, 3 not set up, 4 the files are not what was read, 5 try again.
    """
    if sum((relation is not None, query is not None, bool(select))) != 1:
        raise UsageError("give one of RELATION, --query and --select", next_step="biostar unload --help")
    if not to.strip():
        raise UsageError("--to is missing", next_step="give --to as a folder or as s3://bucket/prefix")
    if as_landing and (relation is None or partition_by):
        raise UsageError("--as-landing takes a raw table and divides it by day", next_step="biostar unload --help")
    if allow_phi != bool(reason.strip()):
        raise UsageError("--allow-phi and --reason go together", next_step='give --allow-phi --reason "why"')
    options = Options(
        to,
        file_format,
        compression or "",
        tuple(name.strip().lower() for name in partition_by.split(",") if name.strip()),
        read_size(max_file_size),
        replacing,
        reason.strip(),
    )
    subjects = _subjects(relation, query, select, target, as_landing)
    if as_landing:
        options = replace(options, partition_by=("ingest_date",))
    each = [(one, replace(options, to=f"{to.rstrip('/')}/{one.name}") if select else options) for one in subjects]
    if dry_run:
        return _dry_run(each, target, as_json)
    from biostar.unload import open_engine, unload
    from biostar.unload.ledger import ledger_table

    ledger = ledger_table(read_sources(project_root()))
    results = []
    with closing(open_engine(target)) as engine:
        for subject, how in each:
            results.append(unload(engine, subject, how, ledger))
            _show(results[-1])
    if as_json:
        print_json({"target": target, "unloads": [result.as_dict() for result in results]})
    return 0


def _subjects(
    relation: str | None, query: str | None, select: tuple[str, ...], target: str, as_landing: bool
) -> list[Subject]:
    from biostar.unload import subjects

    sources = read_sources(project_root())
    if select:
        return subjects.selected_subjects(select)
    if relation is not None:
        raw = subjects.raw_subject(relation, sources, as_landing=as_landing)
        if raw is None and as_landing:
            raise UsageError(f"'{relation}' is no raw table", next_step="give one as raw_ehr.payers")
        return [raw or subjects.model_subject(relation, subjects.read_manifest()[0])]
    return [subjects.query_subject(_text(query or ""), subjects.read_manifest()[0], sources, target)]


def _text(query: str) -> str:
    try:
        text = sys.stdin.read() if query == "-" else Path(query).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigurationError(
            f"'{query}' cannot be read as text", next_step="give --query a file with one SELECT, or -"
        ) from fault
    if not text.strip():
        raise UsageError("the query is empty", next_step="give --query a file with one SELECT, or -")
    return text


def _dry_run(each: list[tuple[Subject, Options]], target: str, as_json: bool) -> int:
    from biostar.unload import open_engine
    from biostar.unload.phi import personal_columns
    from biostar.unload.run import plan

    documents: list[dict[str, object]] = []
    with closing(open_engine(target, read_only=True)) as engine:
        for subject, options in each:
            statements, columns = plan(engine, subject, options)
            documents.append(
                {
                    "subject": subject.name,
                    "statements": statements,
                    "columns": [column.name for column in columns],
                    "phi_columns": list(personal_columns(columns)),
                }
            )
            if not as_json:
                click.echo("".join(f"{statement};\n" for statement in statements), nl=False)
    if as_json:
        print_json({"target": target, "dry_run": True, "unloads": documents})
    console.print("nothing was written; a run has another name for its folder")
    return 0


def _show(result: Unloaded) -> None:
    console.print(
        f"{result.subject}: {result.rows:,} rows in {result.files:,} file{'s' * (result.files != 1)},"
        f" {result.size / 1e6:,.2f} MB, read back and equal, {result.seconds:.1f} s",
        markup=False,
    )
    for warning in result.warnings:
        console.print("[yellow]warning[/]: ", end="")
        console.print(warning, markup=False)
    here = f"{Path.cwd()}/"
    console.print(f"  {result.manifest.removeprefix(here)}", markup=False)

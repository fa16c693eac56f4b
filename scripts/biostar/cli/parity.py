"""`biostar parity`: compare the marts of two targets, every row of them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from biostar.cli.output import console, json_option, print_json
from biostar.errors import DataError
from biostar.parity import TARGETS, Limits, Report, TableResult, compare_sides, open_side, select_relations

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    epilog="""\b
Examples:
  biostar parity --left duckdb --right standin
  biostar parity --right redshift --select "fct_claim dim_patient"
  biostar parity --right duckdb --right-database before.duckdb
"""
)
@click.option("--left", type=click.Choice(TARGETS), default="duckdb", show_default=True)
@click.option("--right", type=click.Choice(TARGETS), required=True)
@click.option("--left-database", type=_FILE, help="DuckDB file of the left side [BIOSTAR_DUCKDB_PATH].")
@click.option("--right-database", type=_FILE, help="DuckDB file of the right side [BIOSTAR_DUCKDB_PATH].")
@click.option("--select", "-s", multiple=True, help="dbt's selectors; without any, all marts and snapshots.")
@click.option("--limit", type=click.IntRange(0), default=10, show_default=True, help="Differences shown for a table.")
@json_option
def command(
    left: str,
    right: str,
    left_database: Path | None,
    right_database: Path | None,
    select: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> int:
    """Compare every mart and snapshot of two targets: columns, types, and every value of every row.

    Builds nothing. Each engine computes sums over its own rows; only rows near a difference are fetched. Values of
    private columns are never shown.

    Exit codes: 0 no difference, 3 a target is not set up, 4 differences, 5 a target does not answer.
    """
    relations = select_relations(select)
    with closing(open_side(left, left_database)) as one, closing(open_side(right, right_database)) as other:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("comparing", total=len(relations))

            def on_table(finished: int, result: TableResult) -> None:
                bar.update(task, completed=finished, description=f"{result.relation.name:<40.40}")

            report = compare_sides(one, other, relations, Limits(examples=limit), on_table)
    _show(report, as_json)
    return 0 if report.equal else DataError.exit_code


def _show(report: Report, as_json: bool) -> None:
    from biostar.parity.report import closing_line, text_lines

    if as_json:
        print_json(report.as_dict())
    else:
        for line in text_lines(report):
            click.echo(line)
    console.print(closing_line(report), markup=False)

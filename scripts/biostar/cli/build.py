"""`biostar build`."""

from __future__ import annotations

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from biostar.build import BuildResult, run_build
from biostar.build.runner import BAD, GOOD
from biostar.cli.output import console, json_option, print_json
from biostar.errors import DataError
from biostar.project import dbt_target_dir

ACCOUNTED = "rows_accounted_for_"
"""How the tests are named that hold raw against staged, rejected and superseded rows of a table."""


@click.command(
    epilog="""\b
Examples:
  biostar build
  biostar build --select fct_claim+          one model and what depends on it
  biostar build --full-refresh --json        everything anew, the result for a script
"""
)
@click.option("--target", help="Target of the profile [BIOSTAR_TARGET, else duckdb].")
@click.option("--select", "-s", multiple=True, help="dbt selector; may be repeated.")
@click.option("--exclude", multiple=True, help="dbt selector of what to leave out; may be repeated.")
@click.option("--full-refresh", is_flag=True, help="Build incremental tables anew.")
@click.option("--no-tests", is_flag=True, help="Models, seeds and snapshots only.")
@json_option
def command(
    target: str | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    full_refresh: bool,
    no_tests: bool,
    as_json: bool,
) -> int:
    """Build the models and test them: `dbt build` in one process, with progress and a summary.

    Exit codes: 0 all built and all tests passed (warnings allowed), 2 the selectors match nothing, 3 dbt cannot start,
    4 a model or a test failed, 5 the warehouse cannot be reached.
    """
    result = build_with_progress(target, select, exclude, full_refresh, not no_tests)
    if as_json:
        print_json(result.as_dict())
    print_build_summary(result)
    return DataError.exit_code if result.failed else 0


def build_with_progress(
    target: str | None = None,
    select: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    full_refresh: bool = False,
    with_tests: bool = True,
) -> BuildResult:
    """Run the build with a progress bar on stderr; without a terminal, nothing moves."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting dbt", total=None)

        def on_node(finished: int, total: int, name: str) -> None:
            bar.update(task, completed=finished, total=total, description=f"{name:<50.50}")

        return run_build(target, select, exclude, full_refresh, with_tests, on_node)


def print_build_summary(result: BuildResult) -> None:
    """Nodes by kind, what failed with its place and reason, and what to do next."""
    table = Table(title=f"build on {result.target}, {result.seconds:.1f} s", title_justify="left")
    table.add_column("kind")
    for status in ("good", "warned", "failed", "skipped"):
        table.add_column(status, justify="right")
    for kind, counts in result.count().items():
        good = sum(counts.get(status, 0) for status in GOOD)
        bad = sum(counts.get(status, 0) for status in BAD)
        table.add_row(kind, str(good), str(counts.get("warn", 0)), str(bad), str(counts.get("skipped", 0)))
    console.print(table)
    for node in result.warned:
        console.print(f"warning: {node.name}: {node.failures} rows ({node.path})", markup=False)
    for node in result.failed:
        console.print(f"failed: {node.kind} {node.name} ({node.path})", markup=False)
        console.print(f"  {node.message}", markup=False)
    if any("does not exist" in node.message and "raw_" in node.message for node in result.failed):
        console.print("next: biostar load   (the raw tables are not there yet)")
    elif refused := [node.name for node in result.failed if node.name.startswith(ACCOUNTED)]:
        raw_table = refused[0].removeprefix(ACCOUNTED)
        console.print(
            f"next: select reject_reason, count(*) from staging.rejected_ehr__{raw_table} group by reject_reason"
            f"   (rows of {raw_table} are missing, or more than half of its newest load is refused)",
            markup=False,
        )
    elif result.failed:
        compiled = dbt_target_dir() / "compiled"
        console.print(f"next: run the SQL under {compiled} that belongs to the first failure", markup=False)
    else:
        console.print("next: biostar docs   (the site), or query the schemas core, clinical, claims, measures")

"""`biostar clone`: a sample of patients from one target into another."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import click
from rich.table import Table

from biostar.cli.output import console, json_option, print_json
from biostar.clone import ClonePlan, Estimate, Target, clone, estimate, make_plan, read_share
from biostar.clone.run import check_empty, check_ends
from biostar.contracts import read_sources
from biostar.errors import UsageError
from biostar.project import project_root
from biostar.unload import open_engine
from biostar.unload.ledger import ledger_table
from biostar.warehouse import TARGETS

_TARGETS = click.Choice(TARGETS)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    name="clone",
    epilog="""\b
Examples:
  biostar clone --from redshift --to duckdb --sample 1% --via s3://dev/clones --allow-phi --reason "ticket 7"
  biostar clone --from duckdb --to duckdb --to-database dev.duckdb --sample 10% --via out/clones --dry-run
""",
)
@click.option("--from", "source", type=_TARGETS, help="Where the patients are.")
@click.option("--to", "target", type=_TARGETS, help="Where the sample goes; its raw tables are empty.")
@click.option("--from-database", type=_FILE, help="DuckDB file of --from [BIOSTAR_DUCKDB_PATH].")
@click.option("--to-database", type=_FILE, help="DuckDB file of --to [BIOSTAR_DUCKDB_PATH].")
@click.option("--select", default="", metavar="A,B", help="These raw tables only; without it, all landed ones.")
@click.option("--sample", default="1%", show_default=True, metavar="SHARE", help="Share of the patients.")
@click.option("--seed", default="biostar", show_default=True, help="The same seed takes the same patients.")
@click.option("--via", default="", metavar="PREFIX", help="s3:// prefix, or a folder between DuckDB files.")
@click.option("--allow-phi", is_flag=True, help="Let data about persons go; needs --reason.")
@click.option("--reason", default="", metavar="TEXT", help="Why; recorded in the source's raw_meta.unload_ledger.")
@click.option("--max-cost", type=click.FloatRange(0), default=1.0, show_default=True, help="Dollars not asked about.")
@click.option("--yes", is_flag=True, help="Go on above --max-cost without asking.")
@click.option("--confirm", default="", metavar="NAME", help="To write into Redshift: the name of its database.")
@click.option("--dry-run", is_flag=True, help="Say what would be cloned and what it costs.")
@json_option
def command(
    source: str | None,
    target: str | None,
    from_database: Path | None,
    to_database: Path | None,
    select: str,
    sample: str,
    seed: str,
    via: str,
    allow_phi: bool,
    reason: str,
    max_cost: float,
    yes: bool,
    confirm: str,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Clone a sample of patients, with all rows that are theirs, into another target.

    The rows of a patient come from every raw table that declares whose its rows are (meta.references); tables about
    nobody come whole. They are unloaded to PREFIX, read back, and loaded by `biostar load`, so that the models build
    there. The files stay in PREFIX: remove them when they are no longer needed.

    Before anything is written, rows, bytes and an estimate of S3's cost are shown; above --max-cost it asks.
    """
    if source is None or target is None or not via.strip():
        raise UsageError("a clone needs --from, --to and --via", next_step="biostar clone --help")
    share = read_share(sample)
    ends = (Target(source, from_database), Target(target, to_database))
    check_ends(*ends, via)
    if not dry_run and not (allow_phi and reason.strip()):
        raise UsageError(
            "a clone holds data about persons",
            undone="nothing was cloned",
            next_step="give --allow-phi and --reason, which is recorded",
        )
    if target == "redshift" and not dry_run:
        _check_confirmed(confirm)
    sources = read_sources(project_root())
    wanted = [name.strip() for name in select.split(",") if name.strip()]
    with closing(open_engine(source, from_database, read_only=dry_run)) as engine:
        plan = make_plan(engine, sources, wanted, share, seed)
        cost = estimate(plan, via)
        _show(plan, cost)
        if dry_run:
            if as_json:
                print_json({"dry_run": True, **_document(plan, cost)})
            return 0
        check_empty(ends[1], [table.table for table in plan.tables])
        if cost.dollars > max_cost and not yes:
            _ask(cost, max_cost)
        done = clone(
            engine,
            plan,
            sources,
            ends[1],
            via,
            reason.strip(),
            ledger_table(sources),
            progress=lambda table, rows: console.print(f"  {table}: {rows:,} rows unloaded", markup=False),
        )
    if as_json:
        print_json({**_document(plan, cost), **done.as_dict()})
    console.print(
        f"cloned {sum(done.rows.values()):,} rows, {done.size / 1e6:,.1f} MB, {done.seconds:.1f} s; the files stay in"
        f" '{done.landing}'",
        markup=False,
    )
    console.print(f"next: biostar build --target {target}", markup=False)
    return 0


def _check_confirmed(confirm: str) -> None:
    from biostar.warehouse.profile import credentials_of

    name = str(credentials_of("redshift").database)
    if confirm != name:
        raise UsageError(
            f"the target is the Redshift database '{name}', which may be the one that others work with",
            undone="nothing was cloned",
            next_step=f"if it is the one you mean, give --confirm {name}",
        )


def _ask(cost: Estimate, limit: float) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            f"the estimate of ${cost.dollars:,.2f} is above --max-cost {limit:g}",
            undone="nothing was cloned",
            next_step="give --yes, or a higher --max-cost",
        )
    click.confirm(f"The estimate is ${cost.dollars:,.2f}. Go on?", abort=True, err=True)


def _document(plan: ClonePlan, cost: Estimate) -> dict[str, object]:
    return {
        "share": plan.share,
        "seed": plan.seed,
        "planned_rows": {table.table.name: table.rows for table in plan.tables},
        "estimate": cost.as_dict(),
        "warnings": list(plan.warnings),
    }


def _show(plan: ClonePlan, cost: Estimate) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("table")
    for heading in ("rows", "MB as text", "files"):
        table.add_column(heading, justify="right")
    table.add_column("rows taken")
    for one in plan.tables:
        taken = "of the sample" if one.where else "all"
        table.add_row(one.table.name, f"{one.rows:,}", f"{one.size / 1e6:,.1f}", f"{one.files:,}", taken)
    table.add_section()
    table.add_row("total", f"{plan.rows:,}", f"{cost.size / 1e6:,.1f}", f"{cost.files:,}", "")
    console.print(table)
    console.print(
        f"estimate of S3's cost: ${cost.requests:,.4f} for requests, ${cost.transfer:,.4f} for transfer if this machine"
        f" is outside of the bucket's region, ${cost.storage_month:,.4f} for each month that the files stay (prices of"
        f" {cost.prices_as_of}, {cost.source}; Redshift's own time is not in it)",
        markup=False,
    )
    for warning in plan.warnings:
        console.print("[yellow]warning[/]: ", end="")
        console.print(warning, markup=False)

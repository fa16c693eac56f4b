"""`biostar raw`: the raw tables that the source declarations describe."""

from __future__ import annotations

import click

from biostar.cli.output import console, json_option, print_json
from biostar.contracts import read_sources
from biostar.project import project_root
from biostar.raw import create_tables, ddl_statements
from biostar.warehouse import TARGETS, dialect_of, open_warehouse

target_option = click.option(
    "--target",
    type=click.Choice(TARGETS),
    envvar="BIOSTAR_TARGET",
    default="duckdb",
    show_default=True,
    show_envvar=True,
    help="Warehouse to act on.",
)


@click.group(
    name="raw",
    epilog="""\b
Examples:
  biostar raw ddl --target redshift > raw.sql
  biostar raw create
""",
)
def command() -> None:
    """Print or create the raw tables that the source declarations describe."""


@command.command()
@target_option
@json_option
def ddl(target: str, as_json: bool) -> None:
    """Print the statements that make every raw table, ready for a SQL client."""
    statements = list(ddl_statements(dialect_of(target), read_sources(project_root())))
    if as_json:
        print_json({"target": target, "statements": statements})
    else:
        click.echo("".join(f"{statement};\n\n" for statement in statements), nl=False)


@command.command()
@target_option
@json_option
def create(target: str, as_json: bool) -> None:
    """Create the raw tables that are missing, and add columns declared since; what is there already stays as it is."""
    sources = read_sources(project_root())
    warehouse = open_warehouse(target)
    try:
        made = create_tables(warehouse, sources)
    finally:
        warehouse.close()
    if as_json:
        print_json({"target": target, "created": made})
    elif made:
        console.print(f"created {len(made)}: {', '.join(made)}", markup=False)
    else:
        console.print("every declared table and column is there already")

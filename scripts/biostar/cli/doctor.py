"""`biostar doctor`."""

from __future__ import annotations

import click
from rich.table import Table

from biostar.cli.output import console, json_option, print_json
from biostar.doctor import examine
from biostar.errors import ConfigurationError
from biostar.project import landing_prefix

COLOURS = {"ok": "green", "advice": "yellow", "wrong": "red"}


@click.command(
    epilog="""\b
Examples:
  biostar doctor
  biostar doctor --target redshift --json
"""
)
@click.option("--target", help="Target of the profile [BIOSTAR_TARGET, else duckdb].")
@click.option("--landing", help="Folder or s3:// prefix [BIOSTAR_LANDING, else data/landing].")
@json_option
def command(target: str | None, landing: str | None, as_json: bool) -> int:
    """Say what is set up, what is missing and what to do about it. Changes nothing.

    Exit codes: 0 nothing is wrong (advice allowed), 3 something is.
    """
    findings = examine(target, landing_prefix(landing))
    if as_json:
        print_json({"findings": [vars(finding) for finding in findings]})
    table = Table(show_edge=False)
    for column in ("what", "state", "seen", "next"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        table.add_row(finding.subject, f"[{COLOURS[finding.state]}]{finding.state}[/]", finding.seen, finding.next_step)
    console.print(table)
    return ConfigurationError.exit_code if any(finding.state == "wrong" for finding in findings) else 0

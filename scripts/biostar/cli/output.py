"""Where a verb writes: its result to stdout, everything else to stderr, so that a script can read the one."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import click
from rich.console import Console

console = Console(stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else 120)
"""Progress, summaries and errors go here; in a log, tables are 120 wide."""

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


def print_json(document: Mapping[str, object]) -> None:
    """Write the one JSON document of a verb to stdout."""
    json.dump(document, sys.stdout, indent=2, default=str)
    sys.stdout.write("\n")


def report_error(error: Mapping[str, object], as_json: bool) -> None:
    """Say what went wrong: in words on stderr and, where asked for, as the one JSON document on stdout."""
    console.print(f"[bold red]error[/] ({error['error']}): ", end="")
    console.print(str(error["message"]), markup=False)
    if error.get("undone"):
        console.print(f"  left undone: {error['undone']}", markup=False)
    if error.get("next"):
        console.print(f"  next: {error['next']}", markup=False)
    if as_json:
        print_json(error)

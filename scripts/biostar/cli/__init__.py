"""The command `biostar`: one verb for each thing that a person does to the warehouse.

Each verb is a module of this package with a click command named `command`; it is imported only when it is called,
so that `biostar --help` answers at once. Verbs are thin: they parse, call the package of the same name, and print.
"""

from __future__ import annotations

import importlib
import sys

import click

from biostar.cli.output import report_error
from biostar.errors import INTERNAL_ERROR, INTERRUPTED, BiostarError

VERBS = {
    "doctor": "Say what is set up, what is missing and what to do about it.",
    "sample": "Amplify the shipped patients to any number and lay them out as a vendor would.",
    "raw": "Print or create the raw tables that the source declarations describe.",
    "load": "Load new objects of the landing into the raw tables, each exactly once.",
    "unload": "Unload a model, a raw table or a query to Parquet or CSV, verified before it is published.",
    "rejects": "List, show and try again the records that the loader refused.",
    "clone": "Clone a sample of patients, and all that belongs to them, into another target.",
    "build": "Build and test the models, with progress and a summary.",
    "check": "Refuse SQL that Amazon Redshift refuses, before it gets there.",
    "standin": "Start, stop and look at the local stand-in for Amazon Redshift.",
    "parity": "Compare the marts of two targets, every value of every row.",
    "docs": "Write the docs site as one file, with a diagram of every star.",
    "demo": "Show the whole way, from landing files to three answered questions.",
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"biostar.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The one-line texts stand here, so that listing the verbs imports none of them.
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="biostar")
def cli() -> None:
    """Landing files to star schemas in Amazon Redshift, and the very same on DuckDB.

    Exit codes: 0 done, 2 usage, 3 configuration, 4 data, 5 warehouse or network (retry), 70 bug, 130 interrupted.
    """


def main(args: list[str] | None = None) -> int:
    """Run one verb and return its exit code; the console script ends the process with it."""
    as_json = "--json" in (sys.argv[1:] if args is None else args)
    try:
        result = cli.main(args=args, prog_name="biostar", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        report_error({"error": "interrupted", "exit_code": INTERRUPTED, "message": "interrupted"}, as_json)
        return INTERRUPTED
    except click.ClickException as wrong:
        wrong.show(file=sys.stderr)
        if as_json:
            report_error({"error": "usage", "exit_code": 2, "message": wrong.format_message()}, True)
        return 2
    except BiostarError as error:
        report_error(error.as_dict(), as_json)
        return error.exit_code
    except Exception as bug:
        # The text of an unforeseen error may hold a value of a patient: only its kind and place are shown.
        report_error(
            {"error": "bug", "exit_code": INTERNAL_ERROR, "message": _where(bug), "next": "please report it"}, as_json
        )
        return INTERNAL_ERROR


def _where(bug: BaseException) -> str:
    place = bug.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return type(bug).__name__
    return f"{type(bug).__name__} in {place.tb_frame.f_code.co_name}, line {place.tb_lineno}"

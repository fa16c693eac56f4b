"""`biostar demo`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import click
import duckdb
from rich.table import Table

from biostar.cli import docs as docs_verb
from biostar.cli import load as load_verb
from biostar.cli import sample as sample_verb
from biostar.cli.build import build_with_progress, print_build_summary
from biostar.cli.output import console, json_option, print_json
from biostar.demo import Answer, Layer, answer, layers, rejects
from biostar.errors import BiostarError, ConfigurationError, DataError
from biostar.project import dbt_target_dir, duckdb_path, landing_prefix
from biostar.sample.run import ANSWER_KEY

QUESTIONS = ("pmpm_by_payer_and_year", "readmission_rate_by_year", "costliest_diagnoses")
"""Analyses whose answers the demo shows."""

SHOWN_ROWS = 5


@click.command(
    epilog="""\b
Example:
  biostar demo               run it twice: the second time finds nothing new
"""
)
@json_option
def command(as_json: bool) -> int:
    """Show the whole way: sample files, load, star schemas with their tests, docs site, three answers.

    Runs the verbs that a person would type, on DuckDB, with the 27 shipped patients. Nothing leaves the machine.
    """
    seconds: dict[str, float] = {}
    landing = Path(landing_prefix(None))

    began = _announce("sample", "biostar sample --format gzip")
    if landing.is_dir() and any(landing.iterdir()):
        _refuse_other_files(landing)
        console.print("the sample is there already")
    else:
        _run(sample_verb.command, ["--format", "gzip"])
    seconds["sample"] = time.perf_counter() - began

    began = _announce("load", "biostar load")
    _run(load_verb.command, ["--target", "duckdb"])
    seconds["load"] = time.perf_counter() - began

    began = _announce("build", "biostar build")
    result = build_with_progress("duckdb")
    print_build_summary(result)
    seconds["build"] = time.perf_counter() - began
    if result.failed:
        raise DataError(
            f"{len(result.failed)} models or tests failed", undone="docs and answers", next_step="biostar build"
        )

    began = _announce("docs", "biostar docs")
    _run(docs_verb.command, ["--target", "duckdb"])
    seconds["docs"] = time.perf_counter() - began

    began = time.perf_counter()
    prefix = os.environ.get("BIOSTAR_SCHEMA_PREFIX", "")
    compiled = dbt_target_dir() / "compiled" / "biostar" / "analyses"
    with duckdb.connect(str(duckdb_path()), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'; set integer_division = true")
        counted = layers(connection, prefix)
        refused = rejects(connection, prefix)
        answers = [answer(connection, compiled / f"{name}.sql", SHOWN_ROWS) for name in QUESTIONS]
    seconds["answers"] = time.perf_counter() - began

    page = dbt_target_dir() / "static_index.html"
    if as_json:
        print_json(
            {
                "seconds": {phase: round(taken, 2) for phase, taken in seconds.items()},
                "layers": [vars(layer) for layer in counted],
                "rejects": {"load": refused[0], "staging": refused[1]},
                "answers": [vars(one) for one in answers],
                "build": result.as_dict(),
                "docs": str(page),
            }
        )
    _print_summary(counted, refused, seconds, answers, page)
    return 0


def _refuse_other_files(landing: Path) -> None:
    """The demo shows the shipped sample; it must not load whatever else lies there."""
    key = landing / ANSWER_KEY
    if not key.is_file() or not json.loads(key.read_text()).get("complete"):
        raise ConfigurationError(
            f"'{landing}' holds files that are no finished sample",
            undone="nothing was loaded",
            next_step=f"BIOSTAR_LANDING=data/demo-landing biostar demo, or remove '{landing}'",
        )


def _announce(phase: str, typed: str) -> float:
    console.rule(f"[bold]{phase}[/]   $ {typed}", align="left")
    return time.perf_counter()


def _run(verb: click.Command, args: list[str]) -> None:
    code = verb.main(args, standalone_mode=False)
    if isinstance(code, int) and code:
        error = BiostarError(f"'biostar {verb.name}' ended with exit code {code}", next_step="see above")
        error.exit_code = code
        raise error


def _print_summary(
    counted: list[Layer],
    refused: tuple[int, int],
    seconds: dict[str, float],
    answers: list[Answer],
    page: Path,
) -> None:
    console.rule("[bold]what is there now[/]", align="left")
    table = Table(box=None, pad_edge=False)
    for heading, justify in (("layer", "left"), ("relations", "right"), ("rows", "right"), ("largest", "left")):
        table.add_column(heading, justify="right" if justify == "right" else "left")
    for layer in counted:
        largest = f"{layer.largest} ({layer.largest_rows:,})"
        table.add_row(layer.name, str(layer.relations), f"{layer.rows:,}", largest)
    console.print(table)
    console.print(f"rejected: {refused[0]} records by the loader, {refused[1]} rows by staging")
    phases = ", ".join(f"{phase} {taken:.1f} s" for phase, taken in seconds.items())
    console.print(f"time: {phases}; {sum(seconds.values()):.1f} s in all")
    for one in answers:
        console.print()
        shown = Table(title=one.question, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for column in one.columns:
            shown.add_column(column, overflow="fold")
        for row in one.rows:
            shown.add_row(*row)
        console.print(shown)
    console.print()
    console.rule("[bold]next[/]", align="left")
    console.print(f"read  {page}", markup=False)
    console.print(
        "ask   DBT_PROFILES_DIR=profiles .venv/bin/dbt show --inline \"select * from {{ ref('fct_claim') }}\""
        f"   (or any DuckDB client on {duckdb_path().name}: schemas core, clinical, claims, measures)",
        markup=False,
    )
    console.print(
        "grow  .venv/bin/biostar sample --patients 1000 --to data/more, then biostar load --landing data/more",
        markup=False,
    )

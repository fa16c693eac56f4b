"""`biostar standin`: the local stand-in for Amazon Redshift."""

from __future__ import annotations

import os
from pathlib import Path

import click

from biostar.cli.output import console, json_option, print_json
from biostar.errors import ConfigurationError, WarehouseError
from biostar.standin import Settings, StandInError, start, status, stop

home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: Path(os.environ.get("BIOSTAR_STANDIN_HOME") or "data/standin"),
    help="Directory of its data, state and logs [BIOSTAR_STANDIN_HOME, else data/standin].",
)


CHECK = f"{__name__}:refuse_what_check_refuses"


def refuse_what_check_refuses(sql: str) -> str | None:
    """The gate `--gate check`: the first reason for which `biostar check` refuses a statement."""
    from biostar.check import check_sql

    for report in check_sql(sql):
        for finding in report.findings:
            if finding.level == "refused":
                return f"{finding.message} ({finding.rule}); write {finding.instead}; {finding.page}"
    return None


@click.group(
    epilog="""\b
Examples:
  biostar standin start
  biostar standin status --json
  biostar standin stop
"""
)
def command() -> None:
    """A local test rig that the real Redshift driver and the real dbt-redshift connect to.

    An embedded Postgres behind Redshift's protocol, catalog, COPY and UNLOAD. What passes here has not run on Amazon
    Redshift; docs/standin.md says what it emulates, what it only records and what it cannot know.
    """


@command.command(
    "start",
    epilog="""\b
Examples:
  biostar standin start
  biostar standin start --fresh --s3-endpoint http://127.0.0.1:5000
  BIOSTAR_TARGET=standin dbt build
""",
)
@home_option
@click.option(
    "--port", type=click.IntRange(0, 65535), help="TCP port; 0 for any free one [BIOSTAR_STANDIN_PORT, 5439]."
)
@click.option("--database", help="Name of the database [BIOSTAR_STANDIN_DATABASE, else dev].")
@click.option("--user", help="Its administrator [BIOSTAR_STANDIN_USER, else biostar].")
@click.option("--s3-endpoint", help="Where COPY and UNLOAD find S3 [AWS_ENDPOINT_URL, else AWS].")
@click.option("--postgres-bin", default="", help="Directory of Postgres's programs; looked for when not given.")
@click.option(
    "--gate",
    default="check",
    show_default=True,
    help="What may refuse a statement before it runs: `check` (as `biostar check`), `none`, or module:function.",
)
@click.option("--tls/--no-tls", default=True, help="Whether a client may ask for TLS.")
@click.option("--fresh", is_flag=True, help="Delete the data of an earlier run.")
@json_option
def start_command(
    home: Path,
    port: int | None,
    database: str | None,
    user: str | None,
    s3_endpoint: str | None,
    postgres_bin: str,
    gate: str,
    tls: bool,
    fresh: bool,
    as_json: bool,
) -> int:
    """Start it in the background and return once it answers."""
    environment = os.environ
    settings = Settings(
        home=home,
        port=int(environment.get("BIOSTAR_STANDIN_PORT") or 5439) if port is None else port,
        database=database or environment.get("BIOSTAR_STANDIN_DATABASE") or "dev",
        user=user or environment.get("BIOSTAR_STANDIN_USER") or "biostar",
        password=environment.get("BIOSTAR_STANDIN_PASSWORD") or "standin",
        s3_endpoint=s3_endpoint or environment.get("AWS_ENDPOINT_URL") or "",
        gate={"check": CHECK, "none": ""}.get(gate, gate),
        postgres_bin=postgres_bin,
        tls=tls,
    )
    try:
        state = start(settings, fresh=fresh)
    except StandInError as error:
        kind = WarehouseError if error.retryable else ConfigurationError
        raise kind(error.message, undone="no stand-in was started", next_step=error.next_step) from error
    if as_json:
        print_json(state)
    else:
        console.print(
            f"a stand-in for Redshift (not Redshift) answers on {state['host']}:{state['port']}, "
            f"database {state['database']}, user {state['user']}; process {state['pid']}, "
            f"{state['seconds_to_start']} s to start"
        )
        console.print("next: BIOSTAR_TARGET=standin dbt build; biostar standin stop")
    return 0


@command.command("stop")
@home_option
@click.option("--remove", is_flag=True, help="Delete its data too.")
@json_option
def stop_command(home: Path, remove: bool, as_json: bool) -> int:
    """Stop it; the data stay for the next start."""
    stopped = stop(home, remove=remove)
    if as_json:
        print_json({"stopped": stopped, "home": str(home)})
    else:
        console.print("stopped" if stopped else f"no stand-in runs on '{home}'")
    return 0


@command.command("status")
@home_option
@json_option
def status_command(home: Path, as_json: bool) -> int:
    """Say whether it runs. Exit codes: 0 it runs, 3 it does not."""
    state = status(home)
    if as_json:
        print_json(state)
    elif state["running"]:
        console.print(f"runs: {state['host']}:{state['port']}, process {state['pid']}, data in {state['data']}")
    else:
        console.print(f"no stand-in runs on '{home}'; next: biostar standin start")
    return 0 if state["running"] else ConfigurationError.exit_code

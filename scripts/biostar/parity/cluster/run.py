"""Run the checks, in a schema made for the run and dropped after it."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biostar.parity.cluster.checks import Check, Step
from biostar.parity.cluster.macros import EDGE_TABLES, EdgeTable, rendered

SETUP = (
    "create schema {schema}",
    "create table {schema}.one_row (id integer)",
    "insert into {schema}.one_row values (1)",
    "create table {schema}.numbers (number integer)",
    "insert into {schema}.numbers values (1), (2)",
    "create table {schema}.blanks (letter varchar(5))",
    "insert into {schema}.blanks values ('a'), ('a ')",
    "create table {schema}.some_null (number integer)",
    "insert into {schema}.some_null values (null), (1)",
    "create table {schema}.letters (letter varchar(5))",
    "insert into {schema}.letters values ('b'), ('a'), ('c')",
)
TEARDOWN = "drop schema {schema} cascade"
Place = dict[str, str]
"""What stands for `{schema}`, `{prefix}`, `{s3}` and `{role}`."""


@dataclass
class Verdict:
    """What came of a check: `as expected`, `different`, `shown` (to be read by a person) or `skipped`."""

    check: Check
    word: str = "shown"
    answers: list[tuple[Step, str]] = field(default_factory=list)
    why: str = ""


def new_place(s3: str = "", role: str = "") -> Place:
    """Names for one run."""
    return {
        "schema": f"biostar_verify_{secrets.token_hex(4)}",
        "prefix": os.environ.get("BIOSTAR_SCHEMA_PREFIX", ""),
        "s3": s3.rstrip("/"),
        "role": role,
    }


def filled(sql: str, place: Place) -> str:
    """A statement with its names; not `format`, since patterns have braces of their own."""
    for name, value in place.items():
        sql = sql.replace(f"{{{name}}}", value)
    return sql


def run_checks(
    target: str,
    checks: Sequence[Check],
    place: Place,
    tables: Sequence[EdgeTable] = EDGE_TABLES,
    progress: Callable[[Verdict], None] | None = None,
) -> tuple[str, list[Verdict]]:
    """The server's version, and a verdict on each check and on the macros' answers to each table of edge values.

    Raises:
        ConfigurationError: the profile's target is not complete.
        WarehouseError: it does not answer, or the schema of the run cannot be made.
    """
    from biostar.warehouse.profile import connect, run

    verdicts = []
    with _session(connect(target)) as one, _session(connect(target)) as two:
        version = str(run(one, target, "select version()")[0][0])
        for statement in SETUP:
            run(one, target, filled(statement, place))
        try:
            for check in checks:
                verdict = _run_check(check, {1: one, 2: two}, place)
                verdicts.append(verdict)
                if progress:
                    progress(verdict)
            for verdict in _run_macros(target, one, place, tables) if tables else ():
                verdicts.append(verdict)
                if progress:
                    progress(verdict)
        finally:
            run(one, target, filled(TEARDOWN, place))
    return version, verdicts


@contextmanager
def _session(connection: Any) -> Iterator[Any]:
    with closing(connection):
        connection.autocommit = True
        yield connection


def _run_check(check: Check, sessions: dict[int, Any], place: Place) -> Verdict:
    verdict = Verdict(check)
    if check.needs_s3 and not (place["s3"] and place["role"]):
        verdict.word, verdict.why = "skipped", "needs --s3 and --iam-role"
        return verdict
    for name, content in check.files:
        _upload(f"{place['s3']}/{name}", content)
    right = []
    for step in check.steps:
        answer, fault = _ask(sessions[step.session], filled(step.sql, place))
        verdict.answers.append((step, answer))
        if fault and step.fails is None and not step.shown:
            verdict.word, verdict.why = "different", "a statement failed that should not"
            break
        if step.judged:
            right.append(_is_right(step, answer, fault))
    else:
        if right:
            verdict.word = "as expected" if all(right) else "different"
    for session in sessions.values():
        _ask(session, "rollback")
    return verdict


def _is_right(step: Step, answer: str, fault: bool) -> bool:
    if step.fails is not None:
        return fault and step.fails in answer
    if fault:
        return False
    if step.answer is not None:
        return answer == step.answer
    return (step.holds or "") in answer and (step.lacks is None or step.lacks not in answer)


def _ask(session: Any, sql: str) -> tuple[str, bool]:
    """The rows as text, or the server's refusal, and whether it is one."""
    from redshift_connector.error import Error

    from biostar.warehouse.profile import error_fields

    cursor = session.cursor()
    try:
        cursor.execute(sql)
        rows = cursor.fetchall() if cursor.description else []
    except Error as fault:
        fields = error_fields(fault)
        return f"{fields.get('C', '')} {fields.get('M', fault)}".strip(), True
    finally:
        cursor.close()
    return "\n".join(", ".join("null" if value is None else str(value) for value in row) for row in rows), False


def _upload(url: str, content: bytes) -> None:
    import boto3

    bucket, _, key = url.removeprefix("s3://").partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=content)


def _run_macros(target: str, session: Any, place: Place, tables: Sequence[EdgeTable]) -> list[Verdict]:
    """Compute the macros' edge values on both engines and compare them row by row."""
    import duckdb

    from biostar.parity.compare import Limits, compare_sides
    from biostar.parity.report import text_lines
    from biostar.parity.sides import open_side

    schema = place["schema"]
    selects = (rendered("duckdb"), rendered("redshift"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "edges.duckdb"
        with duckdb.connect(str(file)) as local:
            local.execute(f"set TimeZone = 'UTC'; set integer_division = true; create schema {schema}")
            for table in tables:
                for statement in macro_statements(table.name, selects[0], schema):
                    local.execute(statement)
        broken = {}
        for table in tables:
            for statement in macro_statements(table.name, selects[1], schema):
                answer, fault = _ask(session, statement)
                if fault:
                    broken[table.name] = answer
        with closing(open_side("duckdb", file)) as left, closing(open_side(target)) as right:
            relations = [table.relation(schema) for table in tables]
            report = compare_sides(left, right, relations, Limits(examples=50))
    verdicts = []
    for table, result in zip(tables, report.tables, strict=True):
        step = Step(f"create table {schema}.macros_{table.name} as {selects[1][table.name]}")
        lines = (
            [broken[table.name]]
            if table.name in broken
            else list(text_lines(type(report)("duckdb", target, (result,), 0)))
        )
        word = "as expected" if result.equal else "different"
        verdicts.append(Verdict(macro_check(table.name), word, [(step, "\n".join(lines))]))
    return verdicts


def macro_check(name: str) -> Check:
    """The check of one edge table."""
    return Check(
        f"macros-{name}",
        "portable macros",
        f"the macros answer the edge values of '{name}' as on DuckDB",
        "r_TRY_CAST.html",
        (),
    )


def macro_statements(name: str, selects: dict[str, str], schema: str) -> list[str]:
    """The statements that make an edge table and the answers of the macros."""
    (table,) = (table for table in EDGE_TABLES if table.name == name)
    answers = selects[name].replace("<schema>", schema)
    return [table.ddl(schema), table.insert(schema), f"create table {schema}.macros_{name} as {answers}"]

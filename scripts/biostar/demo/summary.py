"""Counts of each layer and answers to the analysts' questions, read from the finished database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

LAYERS = {
    "raw": ("raw_ehr",),
    "staging": ("staging",),
    "intermediate": ("intermediate",),
    "stars": ("core", "clinical", "claims", "measures"),
}
"""The layers in the order in which data passes them, and the schemas of each."""


@dataclass(frozen=True)
class Layer:
    """One layer: how many relations it has, the rows in all of them, and the largest with its rows."""

    name: str
    relations: int
    rows: int
    largest: str
    largest_rows: int


@dataclass(frozen=True)
class Answer:
    """A question in words and its result: the names of the columns, and the first rows as text."""

    question: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def layers(connection: duckdb.DuckDBPyConnection, prefix: str) -> list[Layer]:
    """Relations and rows of each layer; of staging only the rows that stand (stg_)."""
    found = []
    for name, schemas in LAYERS.items():
        relations = connection.execute(
            """
            select table_schema, table_name
            from information_schema.tables
            where list_contains($schemas, table_schema)
                and (table_schema <> $staging or starts_with(table_name, 'stg_'))
            """,
            {"schemas": [prefix + schema for schema in schemas], "staging": prefix + "staging"},
        ).fetchall()
        counts = {f"{schema}.{table}": _count(connection, schema, table) for schema, table in relations}
        largest = max(counts, key=lambda relation: counts[relation], default="")
        found.append(Layer(name, len(counts), sum(counts.values()), largest, counts.get(largest, 0)))
    return found


def rejects(connection: duckdb.DuckDBPyConnection, prefix: str) -> tuple[int, int]:
    """Records that the loader refused and no later load took, and rows that staging refused."""
    row = connection.execute(
        f'select count(*) from "{prefix}raw_meta".load_rejects where resolved_by_load_id is null'
    ).fetchone()
    structural = int(row[0]) if row else 0
    views = connection.execute(
        "select table_name from information_schema.tables"
        " where table_schema = ? and starts_with(table_name, 'rejected_')",
        [f"{prefix}staging"],
    ).fetchall()
    return structural, sum(_count(connection, f"{prefix}staging", view) for (view,) in views)


def answer(connection: duckdb.DuckDBPyConnection, compiled: Path, limit: int) -> Answer:
    """Run one compiled analysis; its first comment is the question in words."""
    sql = compiled.read_text()
    question = next(line.lstrip("- ") for line in sql.splitlines() if line.startswith("--"))
    result = connection.execute(sql)
    columns = tuple(column[0] for column in result.description or ())
    rows = tuple(tuple("" if value is None else str(value) for value in row) for row in result.fetchmany(limit))
    return Answer(question, columns, rows)


def _count(connection: duckdb.DuckDBPyConnection, schema: str, relation: str) -> int:
    row = connection.execute(f'select count(*) from "{schema}"."{relation}"').fetchone()
    return int(row[0]) if row else 0

"""Two DuckDB files with one table each, to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from biostar.parity import Limits, Relation, TableResult, compare_sides, open_side


@dataclass(frozen=True)
class ParityLab:
    """A folder for the two files."""

    folder: Path

    def write(self, side: str, sql: str, rows: Sequence[Sequence[Any]] = ()) -> None:
        """Run statements in one file, then insert rows into core.t."""
        path = self.folder / f"{side}.duckdb"
        path.unlink(missing_ok=True)
        with duckdb.connect(str(path)) as connection:
            connection.execute("set TimeZone = 'UTC'; create schema core;" + sql)
            if rows:
                marks = ", ".join("?" for _ in rows[0])
                connection.executemany(f"insert into core.t values ({marks})", [list(row) for row in rows])

    def compare(self, relation: Relation | None = None, limits: Limits | None = None) -> TableResult:
        """Compare core.t of both files."""
        relation = relation or Relation("t", "core", "t", grain=("id",))
        with (
            closing(open_side("duckdb", self.folder / "left.duckdb")) as left,
            closing(open_side("duckdb", self.folder / "right.duckdb")) as right,
        ):
            (result,) = compare_sides(left, right, [relation], limits).tables
        return result

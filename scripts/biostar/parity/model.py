"""What is compared, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Treatment = Literal["ignore", "presence"]


@dataclass(frozen=True)
class Relation:
    """A model or a snapshot, as the manifest declares it.

    Attributes:
        name: the model's name.
        schema: where both targets keep it.
        table: its table there.
        grain: the columns that identify a row; empty when no test says so, then the whole row is the key.
        declared: type of each column in the contract, in order; empty without a contract.
        private: columns whose values are never shown.
        treatments: columns that cannot be equal: left out, or compared by whether they are null only.
    """

    name: str
    schema: str
    table: str
    grain: tuple[str, ...] = ()
    declared: dict[str, str] = field(default_factory=dict)
    private: frozenset[str] = frozenset()
    treatments: dict[str, Treatment] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The name that people use for it."""
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True)
class Difference:
    """One example: a row that one side lacks, or a column of a row that differs.

    Attributes:
        row: first 16 digits of the MD5 of the row's key.
        key: the key's columns as far as they may be shown.
        column: the column; empty where the whole row is missing.
        diagnosis: what kind of difference it is.
        left: the value, or what may be said of it.
        right: the value, or what may be said of it.
    """

    row: str
    key: str
    column: str
    diagnosis: str
    left: str = ""
    right: str = ""


@dataclass
class TableResult:
    """What the comparison of one table found.

    Attributes:
        relation: the table.
        rows: number of rows left and right; None where there is no table.
        columns: number of columns whose values were compared.
        left_out: columns that cannot be equal, and why.
        schema: differences in names, order and types.
        differing_rows: rows found on both sides with another value in some column.
        only_left: rows that the right side lacks.
        only_right: rows that the left side lacks.
        counts: for each column and diagnosis, in how many rows.
        examples: the first differences.
        unread_rows: rows that differ or lie beside one that does, and were not fetched; above zero the counts are
            lower bounds.
        find: for each side, SQL that finds a row by its number.
        seconds: wall time.
    """

    relation: Relation
    rows: tuple[int | None, int | None] = (None, None)
    columns: int = 0
    left_out: list[str] = field(default_factory=list)
    schema: list[str] = field(default_factory=list)
    differing_rows: int = 0
    only_left: int = 0
    only_right: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[Difference] = field(default_factory=list)
    unread_rows: int = 0
    find: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.schema or self.differing_rows or self.only_left or self.only_right or self.unread_rows)

    def as_dict(self) -> dict[str, object]:
        """The result as the JSON document carries it."""
        return {
            "name": self.relation.name,
            "relation": self.relation.address,
            "grain": list(self.relation.grain),
            "equal": self.equal,
            "left_rows": self.rows[0],
            "right_rows": self.rows[1],
            "columns_compared": self.columns,
            "left_out": self.left_out,
            "schema": self.schema,
            "differing_rows": self.differing_rows,
            "only_left": self.only_left,
            "only_right": self.only_right,
            "counts_are_lower_bounds": self.unread_rows > 0,
            "unread_rows": self.unread_rows,
            "differences": [
                {"column": column, "diagnosis": diagnosis, "rows": rows}
                for (column, diagnosis), rows in self.counts.most_common()
            ],
            "examples": [vars(example) for example in self.examples],
            "find": self.find,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Report:
    """The comparison of all tables."""

    left: str
    right: str
    tables: tuple[TableResult, ...]
    seconds: float

    @property
    def equal(self) -> bool:
        """Whether nothing differs anywhere."""
        return all(table.equal for table in self.tables)

    def as_dict(self) -> dict[str, object]:
        """The report as the JSON document carries it."""
        return {
            "left": self.left,
            "right": self.right,
            "equal": self.equal,
            "tables": [table.as_dict() for table in self.tables],
            "seconds": round(self.seconds, 2),
        }

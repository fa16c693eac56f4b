"""The SQL of the rows as they go out, and of the numbers that prove that the files hold them.

The numbers: how many rows, and for each column how many values and the sum of 60 bits of the MD5 of their canonical
texts; the same of whole rows, which tells values that changed places. Sums need no order, so the engines may write the
rows in any. DuckDB and Redshift come to equal numbers for equal values; biostar parity rests on the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from biostar.parity.sides import Texts, joined
from biostar.parity.types import WIDEST_AS_IS, ColumnType, Meeting
from biostar.unload.request import FileFormat, OutColumn
from biostar.warehouse import quote_identifier

FLOAT_DIGITS = 6
"""Significant digits of a float that are proved. Engines compute the last digits of such a text differently."""

_TEXT = ColumnType("varchar")


@dataclass(frozen=True)
class Measure:
    """What was counted and summed.

    Attributes:
        rows: number of rows.
        values: for each column, how many are not null.
        sums: for each column, the sum over its values.
        row_sum: the sum over whole rows.
    """

    rows: int
    values: tuple[int, ...]
    sums: tuple[int, ...]
    row_sum: int

    def __add__(self, other: Measure) -> Measure:
        return Measure(
            self.rows + other.rows,
            tuple(one + two for one, two in zip(self.values, other.values, strict=True)),
            tuple(one + two for one, two in zip(self.sums, other.sums, strict=True)),
            self.row_sum + other.row_sum,
        )


def outgoing(texts: Texts, columns: Sequence[OutColumn], file_format: FileFormat, partition_by: Sequence[str]) -> str:
    """The select list of what is written."""
    chosen = []
    for column in columns:
        name = quote_identifier(column.name)
        value = _written(texts, column, file_format == "csv" or column.name in partition_by)
        chosen.append(name if value == name else f"{value} as {name}")
    return ", ".join(chosen)


def _written(texts: Texts, column: OutColumn, as_text: bool) -> str:
    name = quote_identifier(column.read_as)
    kind = column.type
    if as_text:
        if kind.family == "text":
            # Not nullif: on Redshift blanks at the end count for nothing in a comparison, so ' ' would equal ''.
            text = _trimmed(name, kind)
            return f"case when length({text}) > 0 then {text} end"
        if kind.family == "float":
            return f"cast({name} as varchar)"
        return texts.text(column.read_as, kind, meeting_of(kind))
    if kind.name == "timestamptz":
        return f"{name} at time zone 'UTC'"
    return _trimmed(name, kind)


def _trimmed(name: str, kind: ColumnType) -> str:
    return f"rtrim({name}, ' ')" if kind.name == "char" else name


def measures(texts: Texts, columns: Sequence[OutColumn], file_format: FileFormat, partition_by: Sequence[str]) -> str:
    """The select list that measures the rows of the source, as they are about to be written."""

    def text(column: OutColumn) -> str:
        if column.type.family == "text" and (file_format == "csv" or column.name in partition_by):
            return _written(texts, column, True)
        return texts.text(column.read_as, column.type, meeting_of(column.type))

    return _measured(texts, columns, text)


def measures_of_files(
    texts: Texts, columns: Sequence[OutColumn], file_format: FileFormat, partition_by: Sequence[str]
) -> str:
    """The select list that measures rows as they are read back."""

    def text(column: OutColumn) -> str:
        if file_format == "csv" or column.name in partition_by:
            if column.type.family == "float":
                return texts.text(column.name, column.type, meeting_of(column.type))
            return quote_identifier(column.name)
        return texts.text(column.name, type_in_file(column.type), meeting_of(column.type))

    return _measured(texts, columns, text)


def _measured(texts: Texts, columns: Sequence[OutColumn], text: Callable[[OutColumn], str]) -> str:
    parts = ["count(*)"]
    whole = []
    for column in columns:
        own = text(column)
        parts += [f"count({own})", f"coalesce({texts.total(texts.row_number(own))}, 0)"]
        whole.append(f"md5({own})" if _wide(column.type) else own)
    return ", ".join([*parts, f"coalesce({texts.total(texts.row_number(joined(whole)))}, 0)"])


def read_measure(row: Sequence[object]) -> Measure:
    """The measure of one row of such a select list."""
    numbers = [int(str(value)) for value in row]
    return Measure(numbers[0], tuple(numbers[1:-1:2]), tuple(numbers[2:-1:2]), numbers[-1])


def differences(columns: Sequence[OutColumn], source: Measure, files: Measure) -> list[str]:
    """In what the files differ from what was read, in words; empty where they are equal."""
    found = []
    if source.rows != files.rows:
        found.append(f"{files.rows:,} rows instead of {source.rows:,}")
    for position, column in enumerate(columns):
        if source.values[position] != files.values[position]:
            found.append(
                f"column {column.name} has {files.values[position]:,} values instead of {source.values[position]:,}"
            )
        elif source.sums[position] != files.sums[position]:
            found.append(f"column {column.name} has other values")
    if not found and source.row_sum != files.row_sum:
        found.append("the values stand in other rows")
    return found


def meeting_of(kind: ColumnType) -> Meeting:
    """How the text of a column is made: all of the value, of a float the leading digits."""
    if kind.family == "numeric":
        return Meeting("numeric", precision=kind.precision, scale=kind.scale)
    if kind.family == "float":
        return Meeting("float", digits=FLOAT_DIGITS)
    return Meeting(kind.family, padded=kind.name == "char")


def type_in_file(kind: ColumnType) -> ColumnType:
    """What the column is when a Parquet file is read: text has no width there, and no time has a zone."""
    if kind.family == "text":
        return _TEXT
    return ColumnType("timestamp") if kind.name == "timestamptz" else kind


def _wide(kind: ColumnType) -> bool:
    return kind.family == "text" and (kind.width is None or kind.width > WIDEST_AS_IS)

"""The report in words."""

from __future__ import annotations

from collections.abc import Iterator

from biostar.parity.model import Difference, Report, TableResult

_TARGETS = {
    "standin": "the stand-in (a local test rig, not Amazon Redshift)",
    "duckdb": "DuckDB",
    "redshift": "Amazon Redshift",
}


def text_lines(report: Report) -> Iterator[str]:
    """One line for each table, and below it what differs."""
    for table in report.tables:
        yield table_line(table)
        yield from _details(table)


def table_line(table: TableResult) -> str:
    """A table's verdict in one line."""
    rows = " against ".join(f"{count:,}" for count in dict.fromkeys(n for n in table.rows if n is not None)) or "no"
    word = "equal    " if table.equal else "different"
    return f"{word}  {table.relation.address}: {rows} rows, {table.columns} columns ({table.seconds:.1f} s)"


def closing_line(report: Report) -> str:
    """What was compared and what came of it."""
    equal = sum(table.equal for table in report.tables)
    rows = sum(table.rows[0] or 0 for table in report.tables)
    sides = f"{_TARGETS[report.left]} and {_TARGETS[report.right]}"
    tables = f"{equal} of {len(report.tables)} tables are equal in {sides}"
    return f"{tables}: {rows:,} rows on the left, {report.seconds:.1f} s"


def _details(table: TableResult) -> Iterator[str]:
    for line in table.schema:
        yield f"  schema: {line}"
    for line in table.left_out:
        yield f"  not compared: {line}"
    least = "at least " if table.unread_rows else ""
    for count, what in (
        (table.differing_rows, "rows with another value"),
        (table.only_left, "rows missing on the right"),
        (table.only_right, "rows missing on the left"),
    ):
        if count:
            yield f"  {least}{count:,} {what}"
    for (column, diagnosis), count in table.counts.most_common():
        if column:
            yield f"    {column}: {diagnosis}, {least}{count:,} rows"
    if table.unread_rows:
        yield f"  {table.unread_rows:,} rows lie in parts that differ and were not looked at"
    for example in table.examples:
        yield f"  row {example.row}{_in_words(example)}"
    for place, sql in table.find.items() if table.examples else ():
        yield f"  to find a row on the {place}: {sql}"


def _in_words(example: Difference) -> str:
    key = f" ({example.key})" if example.key else ""
    if not example.column:
        return f"{key}: {example.diagnosis}"
    return f"{key}: {example.column}: {example.diagnosis}: {example.left} | {example.right}"

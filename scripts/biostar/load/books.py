"""The loader's books: what is loaded, what was refused, and the lines that were.

Reading and writing them, and nothing else; when a statement runs is up to the transaction that calls.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from biostar.contracts import RawTable, Source
from biostar.errors import ConfigurationError
from biostar.warehouse import Warehouse, quote_identifier

BOOKS = "raw_meta"
"""The source that declares load_ledger and load_rejects."""

RESTRICTED = "raw_restricted"
"""The source that declares load_reject_lines."""

LEDGER_COLUMNS = (
    "load_id",
    "source_name",
    "table_name",
    "object_key",
    "object_etag",
    "object_bytes",
    "ingest_date",
    "header_fingerprint",
    "rows_read",
    "rows_loaded",
    "rows_rejected",
    "loaded_at",
    "file_format",
)
LINE_COLUMNS = ("load_id", "source_name", "table_name", "object_key", "line_number", "raw_line", "line_bytes")

_AT_ONCE = 500
"""Values in one list of a statement."""


@dataclass(frozen=True)
class Books:
    """The declared tables of the loader's own."""

    ledger: RawTable
    rejects: RawTable
    lines: RawTable

    @property
    def schema(self) -> str:
        """Schema of ledger and rejects."""
        return self.ledger.schema


@dataclass(frozen=True)
class LedgerEntry:
    """An object of a load whose rows stand."""

    source: str
    table: str
    key: str
    etag: str
    size: int
    load_id: int
    ingest_date: datetime.date


@dataclass(frozen=True)
class OpenReject:
    """A record that was refused and is not resolved."""

    load_id: int
    source: str
    table: str
    key: str
    line: int | None
    column: str | None
    code: str
    reason: str
    length: int | None


def books_of(sources: Iterable[Source]) -> Books:
    """The declarations of the loader's tables.

    Raises:
        ConfigurationError: the project does not declare one of them.
    """
    of = {(source.name, table.name): table for source in sources for table in source.tables}
    found = []
    for source, name in ((BOOKS, "load_ledger"), (BOOKS, "load_rejects"), (RESTRICTED, "load_reject_lines")):
        if (source, name) not in of:
            raise ConfigurationError(
                f"the project does not declare the table '{name}' of the source '{source}'",
                next_step="restore models/staging/meta",
            )
        found.append(of[source, name])
    return Books(*found)


def read_ledger(warehouse: Warehouse, books: Books) -> list[LedgerEntry]:
    """Every object of the loads that stand; none where there is no ledger yet."""
    columns = warehouse.columns_of(books.schema).get("load_ledger")
    if columns is None:
        return []
    # A dry run may meet a ledger of a version before, to which the next load adds the column.
    standing = " where superseded_by_load_id is null" if "superseded_by_load_id" in columns else ""
    rows = warehouse.query(
        "select source_name, table_name, object_key, object_etag, object_bytes, load_id, ingest_date"
        f" from {_name(books.ledger)}{standing} order by load_id"
    )
    return [LedgerEntry(*row) for row in rows]


def loaded_keys(warehouse: Warehouse, books: Books, table: RawTable, ingest_date: datetime.date) -> dict[str, set[int]]:
    """Each object of a table and day that stands in the ledger, with its loads."""
    rows = warehouse.query(
        f"select object_key, load_id from {_name(books.ledger)}"
        " where source_name = ? and table_name = ? and ingest_date = ? and superseded_by_load_id is null",
        (table.source, table.name, ingest_date),
    )
    found: dict[str, set[int]] = {}
    for key, load_id in rows:
        found.setdefault(key, set()).add(int(load_id))
    return found


def is_in_ledger(warehouse: Warehouse, books: Books, load_id: int, loaded_at: datetime.datetime, key: str) -> bool:
    """Whether this very load of an object was committed."""
    rows = warehouse.query(
        f"select 1 from {_name(books.ledger)} where load_id = ? and object_key = ? and loaded_at = ?",
        (load_id, key, loaded_at),
    )
    return bool(rows)


def supersede(warehouse: Warehouse, books: Books, table: RawTable, loads: Sequence[int], load_id: int) -> int:
    """Take the rows of `loads` away in favour of `load_id`; returns how many raw rows there were."""
    removed = count_rows(warehouse, table, loads)
    marks = _marks(loads)
    warehouse.execute(f"delete from {_name(table)} where _load_id in ({marks})", tuple(loads))
    warehouse.execute(
        f"update {_name(books.ledger)} set superseded_by_load_id = ?"
        f" where load_id in ({marks}) and superseded_by_load_id is null",
        (load_id, *loads),
    )
    warehouse.execute(
        f"update {_name(books.rejects)} set resolved_by_load_id = ?"
        f" where load_id in ({marks}) and resolved_by_load_id is null",
        (load_id, *loads),
    )
    warehouse.execute(f"delete from {_name(books.lines)} where load_id in ({marks})", tuple(loads))
    return removed


def count_rows(warehouse: Warehouse, table: RawTable, loads: Sequence[int]) -> int:
    """Raw rows of some loads."""
    (row,) = warehouse.query(f"select count(*) from {_name(table)} where _load_id in ({_marks(loads)})", tuple(loads))
    return int(row[0])


def count_rejects(warehouse: Warehouse, books: Books, load_id: int) -> dict[str, int]:
    """Rejects of a load, by error code."""
    rows = warehouse.query(
        f"select error_code, count(*) as records from {_name(books.rejects)} where load_id = ? group by error_code"
        " order by records desc, error_code",
        (load_id,),
    )
    return {str(code): int(count) for code, count in rows}


def rejects_of_load(warehouse: Warehouse, books: Books, load_id: int) -> dict[str, list[tuple[int, str]]]:
    """Lines and codes of the rejects of a load, by object, in order; without those whose line is unknown."""
    rows = warehouse.query(
        f"select object_key, line_number, error_code from {_name(books.rejects)}"
        " where load_id = ? and line_number is not null order by object_key, line_number",
        (load_id,),
    )
    found: dict[str, list[tuple[int, str]]] = {}
    for key, line, code in rows:
        found.setdefault(key, []).append((int(line), str(code)))
    return found


def open_rejects(warehouse: Warehouse, books: Books) -> list[OpenReject]:
    """Every open reject, in order of table, object and line; none where there is no book yet."""
    columns = warehouse.columns_of(books.schema).get("load_rejects")
    if columns is None:
        return []
    standing = " where resolved_by_load_id is null" if "resolved_by_load_id" in columns else ""
    rows = warehouse.query(
        "select load_id, source_name, table_name, object_key, line_number, column_name, error_code, error_reason,"
        f" value_length from {_name(books.rejects)}{standing}"
        " order by source_name, table_name, object_key, line_number, load_id"
    )
    return [OpenReject(*row) for row in rows]


def forget_rejects(warehouse: Warehouse, books: Books, load_id: int) -> None:
    """Take the rejects of a load out of the book."""
    warehouse.execute(f"delete from {_name(books.rejects)} where load_id = ?", (load_id,))


def count_open(warehouse: Warehouse, books: Books, rejects: Iterable[OpenReject]) -> int:
    """How many of some rejects are still open."""
    count = 0
    for where, values in _places(rejects):
        (row,) = warehouse.query(
            f"select count(*) from {_name(books.rejects)} where {where} and resolved_by_load_id is null", values
        )
        count += int(row[0])
    return count


def resolve(warehouse: Warehouse, books: Books, rejects: Iterable[OpenReject], load_id: int) -> None:
    """Mark rejects as resolved by a load, and forget their lines."""
    for where, values in _places(rejects):
        warehouse.execute(
            f"update {_name(books.rejects)} set resolved_by_load_id = ? where {where}", (load_id, *values)
        )
        warehouse.execute(f"delete from {_name(books.lines)} where {where}", values)


def _places(rejects: Iterable[OpenReject]) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Conditions that name rejects by load, object and line, some hundred lines to each."""
    lines: dict[tuple[int, str], list[int]] = {}
    for reject in rejects:
        assert reject.line is not None
        lines.setdefault((reject.load_id, reject.key), []).append(reject.line)
    for (load_id, key), numbers in lines.items():
        for place in range(0, len(numbers), _AT_ONCE):
            some = numbers[place : place + _AT_ONCE]
            yield f"load_id = ? and object_key = ? and line_number in ({_marks(some)})", (load_id, key, *some)


def write_rows(warehouse: Warehouse, table: RawTable, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Append rows to a book."""
    if rows:
        warehouse.insert_rows(table, columns, rows)


def kept_lines(
    warehouse: Warehouse, books: Books, rejects: Sequence[OpenReject]
) -> Mapping[tuple[int, str, int], tuple[str, int]]:
    """The text that is kept of each of some rejects, and its whole length, by load, object and line."""
    found: dict[tuple[int, str, int], tuple[str, int]] = {}
    for where, values in _places(reject for reject in rejects if reject.line is not None):
        rows = warehouse.query(
            f"select load_id, object_key, line_number, raw_line, line_bytes from {_name(books.lines)} where {where}",
            values,
        )
        found |= {(int(load), key, int(line)): (text, int(size)) for load, key, line, text, size in rows}
    return found


def _name(table: RawTable) -> str:
    return quote_identifier(table.schema, table.name)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values)

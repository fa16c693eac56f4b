"""What every target offers, and the values that go in and out.

The statements that the callers write themselves are plain SQL with `?` for each bound value, which both the DuckDB and
the Redshift driver take; a name goes into a statement through `quote_identifier` only.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from biostar.contracts import Column, Compression, RawTable
from biostar.errors import TransientError


def quote_identifier(*parts: str) -> str:
    """A name, or a dotted path of names, as SQL takes it literally: `"raw_ehr"."allergies"`."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def quote_literal(text: str) -> str:
    r"""Text as a literal of Redshift, where no value can be bound: in the sources and options of COPY and UNLOAD.

    A backslash is an escape within Redshift's quotes
    (https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html: `\'NV\'`), so it is doubled; a NUL ends a statement
    on the wire and is refused.

    Raises:
        ValueError: the text holds a NUL.
    """
    if "\0" in text:
        raise ValueError("a literal cannot hold a NUL")
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


REJECT_COLUMNS = {
    "load_id": "bigint",
    "source_name": "varchar(64)",
    "table_name": "varchar(64)",
    "object_key": "varchar(1024)",
    "line_number": "bigint",
    "column_name": "varchar(128)",
    "error_code": "varchar(32)",
    "error_reason": "varchar(256)",
    "value_length": "integer",
    "rejected_at": "timestamp",
}
"""What an engine writes of load_rejects, with the declared types."""


def insert_statement(table: str, columns: Mapping[str, str], rows: int) -> str:
    """An INSERT of so many rows of bound values; each value is cast, since a null alone has no type.

    Args:
        table: the table, quoted.
        columns: name and type of each column.
        rows: how many rows.
    """
    row = "(" + ", ".join(f"cast(? as {data_type})" for data_type in columns.values()) + ")"
    names = ", ".join(quote_identifier(column) for column in columns)
    return f"insert into {table} ({names}) values " + ", ".join([row] * rows)


def column_types(table: RawTable, columns: Sequence[str]) -> dict[str, str]:
    """The declared type of each of some columns."""
    types = {column.name: column.data_type for column in table.all_columns}
    return {name: types[name] for name in columns}


def next_load_id(books: str) -> str:
    """The query for the load id after the last one.

    Rejects count too, since their load may have been taken back; and a load that only took another's rows away, which
    left no row of its own.
    """
    ledger = quote_identifier(books, "load_ledger")
    return (
        "select 1 + greatest("
        f"(select coalesce(max(load_id), 0) from {ledger}),"
        f" (select coalesce(max(superseded_by_load_id), 0) from {ledger}),"
        f" (select coalesce(max(load_id), 0) from {quote_identifier(books, 'load_rejects')}))"
    )


class CommitUnknownError(TransientError):
    """The connection broke while COMMIT was under way: `reopen()` and look into the ledger, the load may be there."""


class Dialect(Protocol):
    """How a target spells its DDL; statements carry no semicolon."""

    name: str

    def create_schema(self, schema: str) -> str:
        """Create a schema unless it is there."""

    def create_table(self, table: RawTable) -> str:
        """Create a raw table unless it is there."""

    def add_column(self, table: RawTable, column: Column) -> str:
        """Add one column to a table that lacks it."""

    def widen_column(self, table: RawTable, column: Column) -> str:
        """Give a column of text its declared width."""


@dataclass(frozen=True)
class FileToLoad:
    """One object of a group.

    Attributes:
        key: its path below the landing, for the books.
        address: where the warehouse reads it.
        compression: how it is compressed.
        lines: how many lines it has, header included; of Parquet its rows.
        quotes: whether a value may span lines, which takes quotes.
        open: gives its bytes, for the rare second look.
        left_out: lines that are blank in what lies at `address` because their quotes are broken.
        line_end: how its header line ends.
        records_are_lines: of CSV, whether each record is known to have a line of its own.
        size: its bytes as they lie, 0 where nobody counted.
        types: of Parquet, the types of its columns in DuckDB's words.
        repeats_keys: of JSON, whether a record may have a key twice; False where it is known that none has.
        only_texts: of JSON, whether it is known that every line is an object of plain texts.
    """

    key: str
    address: str
    compression: Compression
    lines: int
    quotes: bool
    open: Callable[[], BinaryIO]
    left_out: tuple[int, ...] = ()
    line_end: str = "\n"
    size: int = 0
    types: tuple[str, ...] = ()
    repeats_keys: bool = True
    only_texts: bool = False
    records_are_lines: bool = False


@dataclass(frozen=True)
class LoadGroup:
    """Files of one batch whose headers are equal, all of the table's format.

    Attributes:
        table: where their rows go.
        books: the schema of load_ledger and load_rejects.
        ingest_date: the day of delivery.
        loaded_at: when the load began, UTC without zone.
        fields: for each field of the files in order, the column it goes to, or None where it is left out.
        names: for each field in order, how to call it in a reject.
        keys: of JSON, for each field the keys under which the files may have it, of which a record has one.
        header_lines: how many lines the header takes; 0 where the files have none.
        files: the files.
        widths: bytes that a column may take, for the columns of `fields`.
        constants: columns that are in no file, with the value that each row of the group gets: the keys of its folders.
        run: a name of the run for the tag of statements: letters, digits and hyphens.
        load_id: the number of the load; 0 until `begin_load` has told it.
    """

    table: RawTable
    books: str
    ingest_date: datetime.date
    loaded_at: datetime.datetime
    fields: tuple[str | None, ...]
    names: tuple[str, ...]
    header_lines: int
    files: tuple[FileToLoad, ...]
    widths: tuple[int | None, ...]
    keys: tuple[tuple[str, ...], ...] = ()
    constants: tuple[tuple[str, str | None], ...] = ()
    run: str = ""
    load_id: int = 0


@dataclass(frozen=True)
class Staged:
    """A group that is ready to be published by the connection that staged it.

    Attributes:
        group: the group.
        counts: what each object holds, where the target knows it before the rows are published, else None.
        tables: temporary tables of the target that hold the rows.
    """

    group: LoadGroup
    counts: tuple[ObjectCounts, ...] | None = None
    tables: tuple[str, ...] = ()


@dataclass(frozen=True)
class ObjectCounts:
    """Records of one object: loaded + rejected = read."""

    key: str
    loaded: int
    rejected: int

    @property
    def read(self) -> int:
        """Records that the object holds."""
        return self.loaded + self.rejected


class UnreadableAsIs(Exception):
    """The target cannot read some objects to the end as they lie: the batch is to be undone and tried rewritten.

    Attributes:
        line_ends: objects whose line ends are mixed.
        quotes: objects in which a broken quote swallows lines.
    """

    def __init__(self, *, line_ends: Sequence[str] = (), quotes: Sequence[str] = ()) -> None:
        super().__init__("objects have to be rewritten")
        self.line_ends = tuple(line_ends)
        self.quotes = tuple(quotes)


class Warehouse(Protocol):
    """A connection to a target. Errors of the target come out as errors of biostar, without a value of a row."""

    @property
    def dialect(self) -> Dialect:
        """How the target spells its DDL."""

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run a statement with bound values."""

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query with bound values."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit when the block ends, undo everything in it when it raises."""

    def columns_of(self, schema: str) -> dict[str, frozenset[str]]:
        """Names of the columns of each table of a schema; empty where there is no such schema."""

    def widths_of(self, schema: str) -> dict[tuple[str, str], int]:
        """Bytes that each column of text takes, by table and column; empty where the target enforces no width."""

    def insert_rows(self, table: RawTable, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Append rows of bound values to a declared table, many to a statement."""

    def read_from(self, uri: str, settings: dict[str, str]) -> None:
        """Make the objects of the landing `uri` readable; `settings` is what the landing says of itself.

        Raises:
            ConfigurationError: the target cannot read from there.
        """

    def can_read(self, address: str) -> bool:
        """Whether an object can be read under its own name; of one that cannot, a copy is adopted."""

    def adopt(self, copy: Path) -> str:
        """The address at which the target reads a rewritten object that lies in a local file.

        The file, or what was made of it elsewhere, is needed until the group is published.
        """

    def statements(self, group: LoadGroup) -> list[str]:
        """The statements that loading a group would send, without sending any."""

    def stage(self, group: LoadGroup) -> Staged:
        """Prepare a group outside of any transaction, so that what takes long holds no lock.

        On Redshift the rows are copied into temporary tables and verified; DuckDB reads the files in `publish`.

        Raises:
            UnreadableAsIs: objects have to be rewritten first.
            DataError: an object cannot be read at all.
            WarehouseError: rows or files were lost on the way; the message names the files.
        """

    def begin_load(self, books: str) -> int:
        """First in a transaction: let nobody else write the ledger until it ends; returns the load id to use.

        Load ids become visible in their order, which is what the incremental models rely on.
        """

    def publish(self, staged: Staged, load_id: int) -> list[ObjectCounts]:
        """Append the rows of a staged group to its raw table and its bad records to load_rejects; in a transaction.

        Raises:
            UnreadableAsIs: objects have to be rewritten first.
            DataError: an object cannot be read at all.
        """

    def discard(self, staged: Staged) -> None:
        """Drop what a staged group left behind, published or not; outside of a transaction."""

    def another(self) -> Warehouse:
        """A further connection to the same target, for another thread; closed by the caller."""

    def reopen(self) -> None:
        """Connect anew after a TransientError; what was staged is gone."""

    def clean_up(self) -> list[str]:
        """Remove what a run wrote beside the tables; returns the addresses of what the store did not let go of."""

    def close(self) -> None:
        """Release the connection."""

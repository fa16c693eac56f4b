"""What every target offers, and the values that go in and out.

The statements that the callers write themselves are plain SQL with `?` for each bound value, which both the DuckDB and
the Redshift driver take; a name goes into a statement through `quote_identifier` only.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from biostar.contracts import Column, Compression, RawTable


def quote_identifier(*parts: str) -> str:
    """A name, or a dotted path of names, as SQL takes it literally: `"raw_ehr"."allergies"`."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


class Dialect(Protocol):
    """How a target spells its DDL; statements carry no semicolon."""

    name: str

    def create_schema(self, schema: str) -> str:
        """Create a schema unless it is there."""

    def create_table(self, table: RawTable) -> str:
        """Create a raw table unless it is there."""

    def add_column(self, table: RawTable, column: Column) -> str:
        """Add one column to a table that lacks it."""


@dataclass(frozen=True)
class FileToLoad:
    """One object of a group.

    Attributes:
        key: its path below the landing, for the books.
        address: where the warehouse reads it.
        compression: how it is compressed.
        lines: how many lines it has, header included.
        quotes: whether a value may span lines, which takes quotes.
        open: gives its bytes, for the rare second look.
        left_out: lines that are blank in what lies at `address` because their quotes are broken.
    """

    key: str
    address: str
    compression: Compression
    lines: int
    quotes: bool
    open: Callable[[], BinaryIO]
    left_out: tuple[int, ...] = ()


@dataclass(frozen=True)
class LoadGroup:
    """Files of one batch whose headers are equal.

    Attributes:
        table: where their rows go.
        books: the schema of load_ledger and load_rejects.
        load_id: the number of the load.
        ingest_date: the day of delivery.
        loaded_at: when the load began, UTC without zone.
        fields: for each field of the files in order, the column it goes to, or None where it is left out.
        names: for each field in order, how to call it in a reject.
        header_lines: how many lines the header takes.
        files: the files.
        widths: bytes that a column may take, for the columns of `fields`.
    """

    table: RawTable
    books: str
    load_id: int
    ingest_date: datetime.date
    loaded_at: datetime.datetime
    fields: tuple[str | None, ...]
    names: tuple[str, ...]
    header_lines: int
    files: tuple[FileToLoad, ...]
    widths: tuple[int | None, ...]


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

    def read_from(self, settings: dict[str, str]) -> None:
        """Make the objects of a landing in S3 readable; `settings` is what the landing says of itself."""

    def load_group(self, group: LoadGroup) -> list[ObjectCounts]:
        """Append the rows of a group to its raw table and its bad records to load_rejects; within a transaction.

        Raises:
            UnreadableAsIs: objects have to be rewritten first.
            DataError: an object cannot be read at all.
        """

    def close(self) -> None:
        """Release the connection."""

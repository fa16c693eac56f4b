"""What a target must be able to do to be unloaded from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from biostar.contracts import RawTable
from biostar.parity.sides import Texts
from biostar.parity.types import ColumnType
from biostar.unload.request import Options, OutColumn
from biostar.unload.store import Store

QUERY_TABLE = "biostar_unloaded"
"""The temporary table that holds the rows of a query, so that what is measured is what is written."""


class Engine(Protocol):
    """A connection to a target. Its errors come out as errors of biostar, without a value of a row."""

    name: str
    texts: Texts

    def columns(self, schema: str, table: str) -> dict[str, ColumnType]:
        """Columns of a relation in order; none where there is no such relation."""

    def user(self) -> str:
        """Who is signed in."""

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run a statement with bound values, `?` for each."""

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query with bound values."""

    def begin(self) -> None:
        """Begin a transaction in which all reads see one state."""

    def commit(self) -> None:
        """End it and keep what it did."""

    def rollback(self) -> None:
        """End it and undo what it did."""

    def create_books(self, table: RawTable) -> None:
        """Make a declared table of our own unless it is there."""

    def keep_query(self, sql: str) -> dict[str, ColumnType]:
        """Put the rows of a query into QUERY_TABLE; its columns in order.

        Raises:
            UsageError: it is not one SELECT, or the engine refuses it.
        """

    def reach(self, store: Store) -> None:
        """Be able to write to the store."""

    def statements(
        self, source: str, columns: Sequence[OutColumn], options: Options, store: Store, run: str
    ) -> list[str]:
        """The statements that write the rows of `source` (a FROM clause) into the folder of a run."""

    def write(
        self, source: str, columns: Sequence[OutColumn], options: Options, store: Store, run: str
    ) -> Mapping[str, tuple[int, int]] | None:
        """Write them; what the engine itself says of each file, bytes and rows by key, None where it says nothing.

        Raises:
            WarehouseError: it fails, or what it says contradicts itself.
        """

    def close(self) -> None:
        """Release the connection."""

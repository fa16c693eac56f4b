"""Unload from a DuckDB file, to a folder or to S3."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from biostar.contracts import RawTable
from biostar.errors import ConfigurationError, UsageError, WarehouseError
from biostar.parity.sides import DuckDBTexts, Texts
from biostar.parity.types import ColumnType, duckdb_type
from biostar.project import duckdb_path
from biostar.unload.engine import QUERY_TABLE
from biostar.unload.projection import outgoing
from biostar.unload.readback import connect_to, scan_of, settings_of
from biostar.unload.request import MEGABYTE, Options, OutColumn
from biostar.unload.store import Store
from biostar.warehouse import dialect_of, quote_identifier, quote_literal
from biostar.warehouse.duckdb_words import words_of

_SLACK = 4
"""DuckDB closes a file after it passed the size asked for, so a quarter of it is kept back."""


class DuckDBEngine:
    """A DuckDB file, opened by this process alone."""

    name = "duckdb"

    def __init__(
        self, path: Path | None = None, *, read_only: bool = False, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.texts: Texts = DuckDBTexts()
        self._path = path or duckdb_path()
        if not self._path.is_file():
            raise ConfigurationError(
                f"there is no DuckDB file '{self._path}'", undone="nothing was unloaded", next_step="biostar load"
            )
        with self._guarded():
            self._connection = duckdb.connect(str(self._path), read_only=read_only, config=settings_of(environment))
            self._connection.execute("set TimeZone = 'UTC'")

    def columns(self, schema: str, table: str) -> dict[str, ColumnType]:
        """Columns of a table or view in order."""
        return {
            str(name): duckdb_type(str(kind))
            for name, kind in self.query(
                "select column_name, data_type from duckdb_columns() where database_name = current_database()"
                " and schema_name = ? and table_name = ? order by column_index",
                (schema, table),
            )
        }

    def user(self) -> str:
        """Who runs the process: DuckDB has no users."""
        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return f"uid {os.getuid()}"

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run a statement with bound values."""
        with self._guarded():
            self._connection.execute(sql, list(values))

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query with bound values."""
        with self._guarded():
            return self._connection.execute(sql, list(values)).fetchall()

    def begin(self) -> None:
        """Begin a transaction; DuckDB's reads of one see one state."""
        self.execute("begin transaction")

    def commit(self) -> None:
        """End it and keep what it did."""
        self.execute("commit")

    def rollback(self) -> None:
        """End it and undo what it did, if it did not end already."""
        with self._guarded(), suppress(duckdb.TransactionException):
            self._connection.execute("rollback")

    def create_books(self, table: RawTable) -> None:
        """Make a declared table of our own unless it is there."""
        dialect = dialect_of("duckdb")
        self.execute(dialect.create_schema(table.schema))
        self.execute(dialect.create_table(table))

    def keep_query(self, sql: str) -> dict[str, ColumnType]:
        """Put the rows of a query into the temporary table."""
        try:
            statements = self._connection.extract_statements(sql)
        except duckdb.Error as fault:
            raise _refused(fault) from None
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UsageError("the query is not one SELECT", next_step="give --query a single select statement")
        try:
            self._connection.execute(f"create or replace temp table {QUERY_TABLE} as (\n{sql.rstrip().rstrip(';')}\n)")
            rows = self._connection.execute(f"describe {QUERY_TABLE}").fetchall()
        except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as fault:
            raise _refused(fault) from None
        except duckdb.Error as fault:
            raise self._translated(fault) from None
        return {str(name): duckdb_type(str(kind)) for name, kind, *_ in rows}

    def reach(self, store: Store) -> None:
        """Make S3 known to the connection, where the store lies there."""
        with self._guarded():
            connect_to(self._connection, store.settings())

    def statements(
        self, source: str, columns: Sequence[OutColumn], options: Options, store: Store, run: str
    ) -> list[str]:
        """One COPY."""
        chosen = outgoing(self.texts, columns, options.format, options.partition_by)
        return [_copy(f"select {chosen} from {source}", options, store.address(run), "part_{i}", options.partition_by)]

    def write(
        self, source: str, columns: Sequence[OutColumn], options: Options, store: Store, run: str
    ) -> Mapping[str, tuple[int, int]] | None:
        """Write the rows; a partition's file that came out too large is then divided."""
        store.prepare(run.rpartition("/")[0])
        for statement in self.statements(source, columns, options, store, run):
            self.execute(statement)
        if options.partition_by:
            inner = [column for column in columns if column.name not in options.partition_by]
            for number, (key, size) in enumerate(store.files(run)):
                if size > options.max_file_size:
                    self._divide(key, inner, options, store, number)
        return None

    def _divide(self, key: str, columns: Sequence[OutColumn], options: Options, store: Store, number: int) -> None:
        """Write a file's rows again as several. DuckDB cannot bound the size of files and partition in one COPY."""
        folder = key.rpartition("/")[0]
        plain = Options(options.to, options.format, options.compression, max_file_size=options.max_file_size)
        chosen = ", ".join(quote_identifier(column.name) for column in columns)
        rows = f"select {chosen} from {scan_of([store.address(key)], columns, plain)}"
        self.execute(_copy(rows, plain, store.address(folder), f"part_{number}_{{i}}", (), beside=True))
        store.remove_file(key)

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as fault:
            raise self._translated(fault) from None

    def _translated(self, fault: duckdb.Error) -> WarehouseError:
        return WarehouseError(
            f"DuckDB failed at '{self._path}': {words_of(fault)}",
            undone="nothing is published",
            next_step="let no other process open the file, and the disk have room; then run it again",
        )


def _refused(fault: duckdb.Error) -> UsageError:
    return UsageError(
        f"DuckDB refuses the query: {str(fault).partition(chr(10))[0]}", next_step="correct the query, then try again"
    )


def _copy(
    rows: str, options: Options, folder: str, pattern: str, partition_by: Sequence[str], *, beside: bool = False
) -> str:
    said = [f"format {options.format}"]
    if options.format == "parquet":
        said.append(f"compression {'uncompressed' if options.packed == 'none' else options.packed}")
    else:
        said += ["header true", "delimiter ','", "quote '\"'", "escape '\"'", "nullstr ''"]
        said.append(f"compression {options.packed}")
    said += [f"filename_pattern {quote_literal(pattern)}", f"file_extension '{options.suffix[1:]}'"]
    if partition_by:
        said.append(f"partition_by ({', '.join(quote_identifier(name) for name in partition_by)})")
    else:
        limit = options.max_file_size - options.max_file_size // _SLACK
        said.append(f"file_size_bytes {limit}")
        if options.format == "parquet":
            said.append(f"row_group_size_bytes {max(MEGABYTE, options.max_file_size // 8)}")
    if beside:
        said.append("overwrite_or_ignore true")
    return f"copy ({rows}) to {quote_literal(folder)} ({', '.join(said)})"

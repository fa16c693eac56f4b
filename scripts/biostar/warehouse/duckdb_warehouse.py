"""DuckDB, embedded in one file.

The engine's own error texts may quote a line of the file being read, so only those of kinds that cannot are passed on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb

from biostar.contracts import RawTable
from biostar.environment import whole_number
from biostar.errors import BiostarError, ConfigurationError, DataError, TransientError, WarehouseError
from biostar.project import duckdb_path
from biostar.warehouse.base import (
    LoadGroup,
    ObjectCounts,
    Staged,
    column_types,
    next_load_id,
    quote_identifier,
)
from biostar.warehouse.duckdb_csv import csv_statements, load_csv
from biostar.warehouse.duckdb_dialect import DuckDBDialect
from biostar.warehouse.duckdb_json import json_statements, load_json
from biostar.warehouse.duckdb_parquet import load_parquet, parquet_statements
from biostar.warehouse.httpfs import connect_to_s3

DEFAULT_MEMORY = "1GB"
"""What a load needs does not grow with its files; with this a load of 3.2 GB in one file peaks at 1.2 GB in all."""

DEFAULT_THREADS = 2
ROWS_PER_INSERT = 500

_LOAD = {"csv": load_csv, "json": load_json, "parquet": load_parquet}
_STATEMENTS = {"csv": csv_statements, "json": json_statements, "parquet": parquet_statements}

_OF_HTTP = re.compile(
    r"(?:IO|HTTP) Error: (?P<what>.*?)(?: error)? (?:for HTTP|reading) .*?'(?P<url>(?:https?|s3)://[^']*)'"
)
"""How httpfs words a failed request."""

_MEMORY = re.compile(r"\d+(\.\d+)?\s*(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB|%)?", re.IGNORECASE)


class DuckDBWarehouse:
    """A DuckDB file, opened by this process alone."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: str) -> None:
        self._connection = connection
        self._path = path
        self.dialect = DuckDBDialect()

    @classmethod
    def connect(cls, environment: Mapping[str, str], *, read_only: bool = False) -> DuckDBWarehouse:
        """Open the file that BIOSTAR_DUCKDB_PATH names, creating it unless `read_only`.

        Raises:
            ConfigurationError: a setting is wrong, or the file is not a DuckDB database.
            WarehouseError: another process has it open, or it cannot be written.
        """
        path = duckdb_path(environment)
        memory = environment.get("BIOSTAR_DUCKDB_MEMORY") or DEFAULT_MEMORY
        if not _MEMORY.fullmatch(memory.strip()):
            raise ConfigurationError(
                f"BIOSTAR_DUCKDB_MEMORY is '{memory}'", next_step="give it as 2GB, 512MB or the like"
            )
        threads = whole_number(environment, "BIOSTAR_THREADS", DEFAULT_THREADS)
        new = False
        try:
            new = not path.exists()
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
            # To look at a database that is not there yet is to look at an empty one.
            nothing = read_only and new
            connection = duckdb.connect(
                ":memory:" if nothing else str(path),
                read_only=read_only and not nothing,
                config={
                    "memory_limit": memory.strip(),
                    "threads": threads,
                    # Raw rows have no order of their own; keeping one costs memory.
                    "preserve_insertion_order": False,
                },
            )
            connection.execute("set TimeZone = 'UTC'")
        except duckdb.Error as fault:
            if new:
                # A full disk leaves the first pages of a file that nobody can open any more.
                path.unlink(missing_ok=True)
            raise _translated(fault, str(path)) from None
        except OSError as fault:
            raise WarehouseError(
                f"the folder '{path.parent}' cannot be used: {(fault.strerror or '').lower()}",
                undone="nothing was loaded",
                next_step="set BIOSTAR_DUCKDB_PATH to a place you can write to",
            ) from fault
        return cls(connection, str(path))

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run a statement with bound values."""
        with self._guarded():
            self._connection.execute(sql, list(values))

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query with bound values."""
        with self._guarded():
            return self._connection.execute(sql, list(values)).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit when the block ends, undo everything in it when it raises."""
        self.execute("begin transaction")
        try:
            yield
            self.execute("commit")
        except BaseException:
            # After a full disk the engine may have rolled back by itself, or have shut the database; then what was not
            # committed is discarded when the file is opened next.
            with suppress(duckdb.Error):
                self._connection.execute("rollback")
            raise

    def columns_of(self, schema: str) -> dict[str, frozenset[str]]:
        """Names of the columns of each table of a schema; empty where there is no such schema."""
        rows = self.query(
            "select table_name, list(column_name) from information_schema.columns"
            " where table_catalog = current_database() and table_schema = ? group by table_name",
            (schema,),
        )
        return {str(table): frozenset(columns) for table, columns in rows}

    def widths_of(self, schema: str) -> dict[tuple[str, str], int]:
        """Nothing: DuckDB enforces no width."""
        return {}

    def insert_rows(self, table: RawTable, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Append rows of bound values to a declared table, many to a statement.

        The rows are bound as one JSON text: the driver takes 80 µs for each value that it is given, which for the
        ledger of many small objects is more than all the rest.
        """
        values = ", ".join(
            f"cast(row ->> {position} as {data_type})"
            for position, data_type in enumerate(column_types(table, columns).values())
        )
        statement = (
            f"insert into {quote_identifier(table.schema, table.name)}"
            f" ({', '.join(quote_identifier(column) for column in columns)})"
            f" select {values} from (select unnest(cast(? as json[])) as row)"
        )
        for chunk in (rows[place : place + ROWS_PER_INSERT] for place in range(0, len(rows), ROWS_PER_INSERT)):
            self.execute(statement, [json.dumps([list(row) for row in chunk], default=str, ensure_ascii=False)])

    def read_from(self, uri: str, settings: dict[str, str]) -> None:
        """Make objects in S3 readable through httpfs; credentials are bound values and kept in memory only."""
        if not settings:
            return
        with self._guarded():
            connect_to_s3(self._connection, settings)

    def can_read(self, address: str) -> bool:
        """Whether the engine takes a path for what it is.

        In s3:// it takes what follows a question mark for settings, and a backslash for a slash. In a pattern, which a
        path with `*`, `?` or `[` is made into so that they stand for themselves, no backslash can be written.
        """
        if address.startswith("s3://"):
            return "?" not in address and "\\" not in address
        return "\\" not in address or not any(character in address for character in "*?[")

    def adopt(self, copy: Path) -> str:
        """The path of the file, which is read where it lies."""
        return str(copy)

    def statements(self, group: LoadGroup) -> list[str]:
        """The statements that loading a group would send."""
        return _STATEMENTS[group.table.file_format](group)

    def stage(self, group: LoadGroup) -> Staged:
        """Nothing to prepare: `publish` reads the files."""
        return Staged(group)

    def begin_load(self, books: str) -> int:
        """The next load id; nobody else has the file open."""
        (row,) = self.query(next_load_id(books))
        return int(row[0])

    def publish(self, staged: Staged, load_id: int) -> list[ObjectCounts]:
        """Append the rows of a group to its raw table and its bad records to load_rejects."""
        with self._guarded():
            group = replace(staged.group, load_id=load_id)
            if not group.fields:
                # Files without header and without a record.
                return [ObjectCounts(file.key, 0, 0) for file in group.files]
            return _LOAD[group.table.file_format](self._connection, group)

    def discard(self, staged: Staged) -> None:
        """Nothing to drop."""

    def another(self) -> DuckDBWarehouse:
        """A further connection to the same file, within this process."""
        return DuckDBWarehouse(self._connection.cursor(), self._path)

    def reopen(self) -> None:
        """Nothing to do: a file has no connection to lose."""

    def clean_up(self) -> list[str]:
        """Nothing to do: a load writes nothing but tables."""
        return []

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as fault:
            raise _translated(fault, self._path) from None
        except RuntimeError as fault:
            # What a signal's handler raises while the engine works comes out as this, with the handler's error lost.
            if "interrupted" in str(fault).lower():
                raise KeyboardInterrupt from None
            raise


def _translated(fault: duckdb.Error, path: str) -> BiostarError:
    first_line = str(fault).partition("\n")[0]
    text = first_line.lower()
    undone = "nothing of the current batch is loaded"
    if request := _OF_HTTP.match(first_line):
        return _of_store(unquote(request["url"]), request["what"], getattr(fault, "status_code", 0))
    if "could not set lock" in text or "conflicting lock" in text:
        return WarehouseError(
            f"the database '{path}' is open in another process; DuckDB lets one process write at a time",
            undone=undone,
            next_step="wait for the other load, build or client to end, then run the load again",
        )
    if "not a valid duckdb database" in text:
        return ConfigurationError(
            f"'{path}' is not a DuckDB database", next_step="set BIOSTAR_DUCKDB_PATH to another file"
        )
    if "could not read enough bytes" in text:
        return ConfigurationError(
            f"the database '{path}' is cut off; its making, or a copy of it, was interrupted",
            undone="nothing was changed",
            next_step=f"remove '{path}' and load again, or restore it",
        )
    if "read-only" in text or "permission denied" in text:
        return WarehouseError(
            f"the database '{path}' cannot be written: it, or the folder it lies in, is read-only",
            undone=undone,
            next_step="make it writable, or set BIOSTAR_DUCKDB_PATH to a place you can write to",
        )
    if "no space left" in text or "file too large" in text or "could not write" in text:
        return WarehouseError(
            f"the disk that holds '{path}' is full",
            undone=undone,
            next_step="free some space, then run the load again; it goes on where it stopped",
        )
    if isinstance(fault, duckdb.OutOfMemoryException):
        return WarehouseError(
            "DuckDB needs more memory than it may use",
            undone=undone,
            next_step="raise BIOSTAR_DUCKDB_MEMORY or lower BIOSTAR_THREADS, then run the load again",
        )
    if isinstance(fault, (duckdb.IOException, duckdb.HTTPException, duckdb.ConnectionException)):
        return WarehouseError(f"reading or writing failed: {first_line}", undone=undone, next_step="run the load again")
    if isinstance(fault, duckdb.CatalogException):
        return ConfigurationError(
            f"the tables in '{path}' are not as declared: {first_line}", undone=undone, next_step="biostar raw create"
        )
    if isinstance(fault, (duckdb.InvalidInputException, duckdb.ConversionException)):
        return DataError(
            f"DuckDB refused the data ({type(fault).__name__}); its message is withheld, as it may quote a record",
            undone=undone,
        )
    return WarehouseError(f"DuckDB failed ({type(fault).__name__})", undone=undone, next_step="run the load again")


def _of_store(address: str, what: str, status: int) -> BiostarError:
    """A request to S3 that failed after httpfs's own few tries."""
    undone = "nothing of the current batch is loaded"
    if status in (401, 403):
        return WarehouseError(
            f"'{address}' may not be read with these credentials (HTTP {status})",
            undone=undone,
            next_step="allow s3:GetObject on it, and kms:Decrypt with its key, then run the load again",
        )
    if status == 404:
        return WarehouseError(
            f"'{address}' was removed while the load ran", undone=undone, next_step="run the load again"
        )
    passes = status >= 500 or status == 429 or (not status and "certificate" not in what.lower())
    cause = f"HTTP {status}" if status else what[:1].lower() + what[1:]
    kind = TransientError if passes else WarehouseError
    return kind(f"'{address}' cannot be read from S3 ({cause})", undone=undone, next_step="run the load again")

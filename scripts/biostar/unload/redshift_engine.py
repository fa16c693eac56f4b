"""Unload from Amazon Redshift, or its stand-in, by UNLOAD: the rows go from the cluster to S3 and never come by here.

Neither CLEANPATH nor ALLOWOVERWRITE is ever said: a run writes into a folder of its own, which is empty. UNLOAD's own
manifest is compared with the files and with sys_unload_history, and removed: it would lie among the data, where Athena
and Spectrum take every file for rows.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from biostar.contracts import RawTable
from biostar.errors import BiostarError, UsageError, WarehouseError
from biostar.parity.sides import RedshiftTexts, Texts
from biostar.parity.types import ColumnType, redshift_type
from biostar.unload.engine import QUERY_TABLE
from biostar.unload.manifest import entries_of
from biostar.unload.projection import outgoing
from biostar.unload.request import MEGABYTE, Options, OutColumn
from biostar.unload.store import Store
from biostar.warehouse import dialect_of, quote_identifier, quote_literal

QUERY_GROUP = "biostar_unload"
"""By which a queue of workload management, and the query log, know these statements."""

_OWN_MANIFEST = "manifest"
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.-]")
_HEADER_MEANS = (0, 1)
"""The manual says that a manifest's row count includes the header line; whoever does not count it is believed too."""


class RedshiftEngine:
    """A session, by the driver that dbt uses and the profile's settings."""

    def __init__(self, target: str, environment: Mapping[str, str] = os.environ) -> None:
        from biostar.warehouse.profile import connect

        self.name = target
        self.texts: Texts = RedshiftTexts()
        self._environment = environment
        self._connection = connect(target)
        self.execute(f"set query_group to {quote_literal(QUERY_GROUP)}")
        self.commit()

    def columns(self, schema: str, table: str) -> dict[str, ColumnType]:
        """Columns of a table or view in order."""
        return {
            str(name): _type(kind, width, precision, scale)
            for name, kind, width, precision, scale in self.query(
                "select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale"
                " from svv_columns where table_schema = ? and table_name = ? order by ordinal_position",
                (schema, table),
            )
        }

    def user(self) -> str:
        """The database user."""
        return str(self.query("select current_user")[0][0])

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run a statement with bound values."""
        self.query(sql, values)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query with bound values."""
        from biostar.warehouse.profile import run

        return run(self._connection, self.name, sql, values)

    def begin(self) -> None:
        """Begin a transaction; under Redshift's isolation all its reads see the state of its beginning."""
        self.rollback()
        if self.name == "standin":
            # Postgres would let each statement see what was committed before it.
            self.execute("set transaction isolation level serializable")

    def commit(self) -> None:
        """End it and keep what it did."""
        self.execute("commit")

    def rollback(self) -> None:
        """End it and undo what it did."""
        from biostar.warehouse.profile import guarded

        with guarded(self.name):
            self._connection.rollback()

    def create_books(self, table: RawTable) -> None:
        """Make a declared table of our own unless it is there."""
        if self.columns(table.schema, table.name):
            return  # a user who may fill it need not be allowed to make schemas
        dialect = dialect_of("redshift")
        self.execute(dialect.create_schema(table.schema))
        self.execute(dialect.create_table(table))

    def keep_query(self, sql: str) -> dict[str, ColumnType]:
        """Put the rows of a query into the temporary table; the protocol takes one statement at a time."""
        try:
            if self._kept_columns():
                # Ours is found first; where there is none, this would be a table of somebody else.
                self.execute(f"drop table {QUERY_TABLE}")
            self.execute(f"create temp table {QUERY_TABLE} as (\n{sql.rstrip().rstrip(';')}\n)")
        except BiostarError as fault:
            self.rollback()
            raise UsageError(
                f"the query cannot be run: {fault.message}", next_step="correct the query, then try again"
            ) from None
        return self._kept_columns()

    def _kept_columns(self) -> dict[str, ColumnType]:
        """Columns of the temporary table; none where there is no such table."""
        rows = self.query(
            'select "column", type from pg_table_def where tablename = ? and schemaname like ?',
            (QUERY_TABLE, "pg\\_temp%"),
        )
        return {str(name): redshift_type(str(kind)) for name, kind in rows}

    def reach(self, store: Store) -> None:
        """Nothing: the cluster writes with its role."""

    def statements(
        self, source: str, columns: Sequence[OutColumn], options: Options, store: Store, run: str
    ) -> list[str]:
        """One UNLOAD."""
        chosen = outgoing(self.texts, columns, options.format, options.partition_by)
        said = ["format parquet" if options.format == "parquet" else "format csv header"]
        if options.format == "csv":
            said += [] if options.packed == "none" else [options.packed]
            said.append(f"extension {quote_literal(options.suffix[1:])}")
        if options.partition_by:
            said.append(f"partition by ({', '.join(quote_identifier(name) for name in options.partition_by)})")
        said += ["manifest verbose", f"maxfilesize {options.max_file_size / MEGABYTE:g} mb"]
        if region := self._environment.get("BIOSTAR_UNLOAD_REGION", "").strip():
            said.append(f"region {quote_literal(region)}")
        return [
            f"/* biostar unload {_NOT_PLAIN.sub('', run)} */"
            f" unload ({_quoted(f'select {chosen} from {source}')})"
            f" to {_quoted(store.address(run) + '/')} {self._authorization()} {' '.join(said)}"
        ]

    def write(
        self, source: str, columns: Sequence[OutColumn], options: Options, store: Store, run: str
    ) -> Mapping[str, tuple[int, int]] | None:
        """Run UNLOAD; what it says of each file in its manifest, agreed with its count and its history."""
        for statement in self.statements(source, columns, options, store, run):
            self.execute(statement)
        ((count,),) = self.query("select pg_last_unload_count()")
        found = store.read(f"{run}/{_OWN_MANIFEST}")
        if found is None:
            raise WarehouseError(
                f"UNLOAD left no manifest in '{store.address(run)}'",
                undone="nothing is published",
                next_step="run the same command again",
            )
        manifest = entries_of(json.loads(found[0]))
        store.remove_file(f"{run}/{_OWN_MANIFEST}")
        files = {url.removeprefix(f"{store.uri}/"): said for url, said in manifest.items()}
        self._compare(files, f"{store.address(run)}/", int(count), options)
        return files

    def _compare(self, files: Mapping[str, tuple[int, int]], address: str, count: int, options: Options) -> None:
        """Hold UNLOAD's manifest against its count and sys_unload_history, which may lag behind and then says nothing.

        The bytes are not compared: whether a view counts those of compressed files before or after, the manual does not
        say, and each file is read back anyway.
        """
        header = len(files) if options.format == "csv" else 0
        rows = sum(rows for _, rows in files.values())
        if rows not in [count + header * means for means in _HEADER_MEANS]:
            raise _contradiction(f"its manifest lists {rows:,} rows, pg_last_unload_count() says {count:,}")
        for (said,) in self.query(
            "select unloaded_files_count from sys_unload_history"
            " where trim(unloaded_location) = ? and trim(status) = 'completed'",
            (address,),
        ):
            if int(said) != len(files):
                raise _contradiction(f"its manifest lists {len(files):,} files, sys_unload_history says {said:,}")

    def _authorization(self) -> str:
        from biostar.warehouse.redshift_copy import CopySettings, role_of

        return CopySettings(role_of(self.name, self._environment)).authorization

    def close(self) -> None:
        """Release the connection; one that is closed or broken is released already."""
        from biostar.warehouse.profile import ConnectionLostError, guarded

        with suppress(ConnectionLostError), guarded(self.name):
            self._connection.close()


def _quoted(text: str) -> str:
    """A literal that reads the same whether or not a backslash is an escape: there is none in it."""
    if "\\" in text:
        raise UsageError("a backslash stands in a name, which Redshift would take for an escape")
    return quote_literal(text)


def _type(kind: object, width: object, precision: object, scale: object) -> ColumnType:
    known = redshift_type(str(kind))
    if known.name == "numeric":
        return ColumnType("numeric", precision=int(str(precision or 0)), scale=int(str(scale or 0)))
    return ColumnType(known.name, width=int(str(width))) if known.family == "text" and width else known


def _contradiction(what: str) -> WarehouseError:
    return WarehouseError(
        f"UNLOAD contradicts itself: {what}", undone="nothing is published", next_step="run the same command again"
    )

"""The two ends of a comparison: where a target's rows are asked for, and its SQL for the canonical texts.

Names come from the project's own manifest and catalogs and are quoted; nothing else goes into a statement than these,
numbers and hexadecimal digits. An engine's error text is passed on only where it cannot quote a value.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from biostar.errors import ConfigurationError, UsageError, WarehouseError
from biostar.parity.types import ColumnType, Meeting, duckdb_type, redshift_type
from biostar.warehouse import quote_identifier

TARGETS = ("duckdb", "standin", "redshift")
NULL = "chr(30)"
SEPARATOR = "chr(31)"

Catalog = dict[str, dict[str, ColumnType]]
"""Columns in order, by `schema.table`."""


class Texts(Protocol):
    """SQL of one engine for the canonical texts of its columns, and for numbers made of them."""

    def text(self, column: str, own: ColumnType, meeting: Meeting) -> str:
        """SQL for the canonical text of a column, null where it is null."""

    def row_number(self, text: str) -> str:
        """SQL for 60 bits of the MD5 of a text, read from the digest's end, as a bigint."""

    def total(self, number: str) -> str:
        """SQL for an exact sum of 60-bit numbers, however many."""


class Side(Texts, Protocol):
    """One end of a comparison."""

    name: str

    def catalog(self, schemas: Sequence[str]) -> Catalog:
        """Columns of all tables and views of the schemas."""

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query with bound values, `?` for each."""

    def end(self) -> None:
        """End the transaction in which a table was read."""

    def close(self) -> None:
        """Release the connection."""


def open_side(name: str, database: Path | None = None) -> Side:
    """Connect to a target: DuckDB's file by its path, the others as the profile says.

    Raises:
        UsageError: there is no such target, or a file is given for one that has none.
        ConfigurationError: the file does not exist, or the profile is wrong.
        WarehouseError: it does not answer.
    """
    if name == "duckdb":
        return DuckDBSide(database)
    if name not in TARGETS:
        raise UsageError(f"there is no target '{name}'", next_step=f"choose one of {', '.join(TARGETS)}")
    if database is not None:
        raise UsageError(f"a database file is given for '{name}'", next_step="leave it out; the profile says where")
    return RedshiftSide(name)


def joined(texts: Iterable[str]) -> str:
    """SQL for one text of several: nulls marked and the parts separated, as in a surrogate key."""
    return f" || {SEPARATOR} || ".join(f"coalesce({text}, {NULL})" for text in texts)


class DuckDBTexts:
    """The texts in DuckDB's SQL."""

    def text(self, column: str, own: ColumnType, meeting: Meeting) -> str:
        """SQL for the canonical text of a column."""
        name = quote_identifier(column)
        if meeting.presence:
            return f"case when {name} is not null then 'present' end"
        if meeting.family == "numeric":
            exact = f"decimal({meeting.precision}, {meeting.scale})"
            same = (own.name, own.precision, own.scale) == ("numeric", meeting.precision, meeting.scale)
            return f"cast({name} as varchar)" if same else f"cast(cast({name} as {exact}) as varchar)"
        if meeting.family == "float":
            return significant(name, meeting.digits, "varchar")
        if meeting.family == "boolean":
            return truth(name)
        if meeting.family == "timestamp":
            moment = f"{name} at time zone 'UTC'" if own.name == "timestamptz" else f"cast({name} as timestamp)"
            return f"strftime({moment}, '%Y-%m-%d %H:%M:%S.%f')"
        if meeting.family == "time":
            moment = f"(date '2000-01-01' + {name})"
            moment = f"{moment} at time zone 'UTC'" if own.name == "timetz" else moment
            return f"strftime({moment}, '%H:%M:%S.%f')"
        if meeting.family == "bytes":
            return f"lower(hex({name}))"
        if meeting.family == "json":
            return f"cast(json({name}) as varchar)"
        if meeting.family == "text":
            return f"rtrim({name}, ' ')" if meeting.padded else name
        return f"cast({name} as varchar)"

    def row_number(self, text: str) -> str:
        """SQL for 60 bits of the MD5; md5_number has the bytes last byte first, so the digits of each change places."""
        tail = f"cast(md5_number({text}) >> 64 as ubigint)"
        return f"cast(({tail} & 1085102592571150095) | ((({tail} >> 4) & 1085102592571150095) >> 4) as bigint)"

    def total(self, number: str) -> str:
        """SQL for an exact sum: of 128 bits."""
        return f"sum({number})"


class RedshiftTexts:
    """The texts in Redshift's SQL."""

    def text(self, column: str, own: ColumnType, meeting: Meeting) -> str:
        """SQL for the canonical text of a column."""
        name = quote_identifier(column)
        if meeting.presence:
            return f"case when {name} is not null then 'present' end"
        if meeting.family == "numeric":
            same = (own.name, own.precision, own.scale) == ("numeric", meeting.precision, meeting.scale)
            exact = name if same else f"cast({name} as numeric({meeting.precision}, {meeting.scale}))"
            return f"cast({exact} as varchar(64))"
        if meeting.family == "float":
            return significant(name, meeting.digits, "varchar(32)")
        if meeting.family == "boolean":
            return truth(name)
        if meeting.family == "date":
            return f"to_char({name}, 'YYYY-MM-DD')"
        if meeting.family == "timestamp":
            moment = f"{name} at time zone 'UTC'" if own.name == "timestamptz" else f"cast({name} as timestamp)"
            return f"to_char({moment}, 'YYYY-MM-DD HH24:MI:SS.US')"
        if meeting.family == "time":
            moment = f"(cast('2000-01-01' as date) + {name})"
            moment = f"{moment} at time zone 'UTC'" if own.name == "timetz" else moment
            return f"to_char({moment}, 'HH24:MI:SS.US')"
        if meeting.family == "bytes":
            return f"to_hex({name})"
        if meeting.family == "json":
            return f"json_serialize({name})"
        if meeting.family == "text":
            return f"rtrim({name}, ' ')" if meeting.padded else name
        return f"cast({name} as varchar(32))"

    def row_number(self, text: str) -> str:
        """SQL for 60 bits of the MD5: strtol reads at most a signed 64-bit number, so 15 digits of 16."""
        return f"strtol(substring(reverse(md5({text})), 1, 15), 16)"

    def total(self, number: str) -> str:
        """SQL for an exact sum: that of a bigint is a bigint here, and would overflow."""
        return f"sum(cast({number} as numeric(38, 0)))"


class DuckDBSide(DuckDBTexts):
    """A DuckDB file, opened for reading."""

    def __init__(self, database: Path | None = None, environment: Mapping[str, str] = os.environ) -> None:
        import duckdb

        from biostar.project import duckdb_path

        self.name = "duckdb"
        self._path = database or duckdb_path()
        if not self._path.is_file():
            raise ConfigurationError(
                f"there is no DuckDB file '{self._path}'", undone="nothing was compared", next_step="biostar build"
            )
        with self._guarded():
            self._connection = duckdb.connect(
                str(self._path),
                read_only=True,
                config={
                    "memory_limit": environment.get("BIOSTAR_DUCKDB_MEMORY") or "2GB",
                    "threads": environment.get("BIOSTAR_THREADS") or "2",
                    "preserve_insertion_order": False,
                },
            )
            self._connection.execute("set TimeZone = 'UTC'")

    def catalog(self, schemas: Sequence[str]) -> Catalog:
        """Columns of all tables and views of the schemas."""
        found: Catalog = {}
        marks = ", ".join("?" for _ in schemas)
        for schema, table, column, kind in self.query(
            "select schema_name, table_name, column_name, data_type from duckdb_columns()"
            f" where database_name = current_database() and schema_name in ({marks})"
            " order by schema_name, table_name, column_index",
            schemas,
        ):
            found.setdefault(f"{schema}.{table}", {})[column] = duckdb_type(kind)
        return found

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query with bound values."""
        with self._guarded():
            return self._connection.execute(sql, list(values)).fetchall()

    def end(self) -> None:
        """Nothing to do: the file cannot change while it is open for reading."""

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        import duckdb

        from biostar.warehouse.duckdb_words import words_of

        try:
            yield
        except duckdb.Error as fault:
            raise WarehouseError(
                f"DuckDB cannot read '{self._path}': {words_of(fault)}",
                undone="the comparison is not finished",
                next_step="let no other process have the file open, then run the same command again",
            ) from None


class RedshiftSide(RedshiftTexts):
    """Amazon Redshift or its stand-in, by the driver that dbt uses and the profile's settings."""

    def __init__(self, target: str) -> None:
        from biostar.warehouse.profile import connect

        self.name = target
        self._connection = connect(target)

    def catalog(self, schemas: Sequence[str]) -> Catalog:
        """Columns of all tables and views of the schemas."""
        found: Catalog = {}
        marks = ", ".join("?" for _ in schemas)
        for schema, table, column, kind, width, precision, scale in self.query(
            "select table_schema, table_name, column_name, data_type, character_maximum_length, numeric_precision,"
            f" numeric_scale from svv_columns where table_schema in ({marks})"
            " order by table_schema, table_name, ordinal_position",
            schemas,
        ):
            known = redshift_type(kind)
            if known.name == "numeric":
                known = ColumnType("numeric", precision=int(precision or 0), scale=int(scale or 0))
            elif known.family == "text":
                known = ColumnType(known.name, width=int(width) if width else None)
            found.setdefault(f"{schema}.{table}", {})[column] = known
        return found

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query with bound values."""
        from biostar.warehouse.profile import run

        return run(self._connection, self.name, sql, values)

    def end(self) -> None:
        """End the transaction in which a table was read, so that the next one is read as it is by then."""
        from biostar.warehouse.profile import guarded

        with guarded(self.name):
            self._connection.rollback()

    def close(self) -> None:
        """Release the connection."""
        from biostar.warehouse.profile import guarded

        with guarded(self.name):
            self._connection.close()


def truth(name: str) -> str:
    """SQL for a boolean's text."""
    return f"case when {name} then 'true' when not {name} then 'false' end"


def significant(name: str, digits: int, text: str) -> str:
    """SQL for a float's text with so many significant digits, as whole number and exponent: 1.5 is 150000000000e0.

    Engines print floats differently, so none of their own texts will do. Two floats whose difference is below the last
    digit may still come out unequal where a rounding lies between them; when rows are fetched the floats themselves
    are compared, and such a row is found equal.
    """
    number = f"cast({name} as double precision)"
    exponent = f"cast(floor(log(abs({number}))) as integer)"
    # In two steps, since 10 to the power of -324, the exponent of the smallest floats, is 0.
    large, rest = (
        f"power(cast(10 as double precision), {part})"
        for part in (f"greatest({exponent}, -300)", f"least({exponent} + 300, 0)")
    )
    mantissa = f"cast(round({number} / {large} * 1e{digits - 1} / {rest}) as bigint)"
    return (
        f"case when {number} = 0 then '0' when {number} = cast('NaN' as double precision) then 'NaN'"
        f" when {number} = cast('Infinity' as double precision) then 'Infinity'"
        f" when {number} = cast('-Infinity' as double precision) then '-Infinity'"
        f" when {number} is not null then cast({mantissa} as {text}) || 'e' || cast({exponent} as {text}) end"
    )

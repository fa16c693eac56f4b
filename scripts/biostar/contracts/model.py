"""The contract of a raw table as values: what is declared, and what follows from it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from biostar.contracts.limits import ErrorLimit

UnknownColumns = Literal["error", "ignore", "evolve"]
FileFormat = Literal["csv", "json", "parquet"]
Compression = Literal["none", "gzip", "zstd"]
Layout = Literal["daily", "hourly", "hive", "dms"]

_VARCHAR = re.compile(r"varchar\((\d+)\)")


@dataclass(frozen=True)
class Column:
    """One declared column.

    `width` is in bytes, as Redshift counts, and None for a type that is not text.
    """

    name: str
    data_type: str
    aliases: tuple[str, ...] = ()
    optional: bool = False
    phi: str = "none"
    not_null: bool = False

    @property
    def width(self) -> int | None:
        """Bytes that a value may have; None for a type without a length."""
        text = _VARCHAR.fullmatch(self.data_type)
        return int(text.group(1)) if text else None

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, lower case, under which a file may deliver the column; the canonical one first."""
        return (self.name, *self.aliases)


LOAD_COLUMNS = (
    Column("_load_id", "bigint", not_null=True),
    Column("_ingest_date", "date", not_null=True),
    Column("_loaded_at", "timestamp", not_null=True),
)
"""What the loader adds to each row of a landed table: which load, which delivery, when."""


@dataclass(frozen=True)
class RawTable:
    """One declared table.

    Attributes:
        source: name of its source.
        schema: schema of the raw table.
        name: name of the raw table, and of its folder in the landing.
        landing: folder below the landing where the files of its source arrive, None for our own books.
        columns: what is declared.
        natural_key: columns that identify a record.
        unknown_columns: what becomes of a column that a file has and nobody declared.
        file_format: what its files are.
        layout: how its folder is divided.
        max_errors: bad records that a load may have, None for the default.
        has_header: whether a CSV file begins with the names of its columns; else they are the declared ones in order.
        references: columns that hold the key of another table, each with that table and its key.
        declared_in: the file of the declaration, for messages.
    """

    source: str
    schema: str
    name: str
    landing: str | None
    columns: tuple[Column, ...]
    natural_key: tuple[str, ...]
    unknown_columns: UnknownColumns = "error"
    file_format: FileFormat = "csv"
    layout: Layout = "daily"
    has_header: bool = True
    max_errors: ErrorLimit | None = None
    references: tuple[tuple[str, str, str], ...] = ()
    declared_in: str = field(default="", compare=False)

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The declared columns and, for a landed table, those that the loader adds."""
        return self.columns + (LOAD_COLUMNS if self.landing is not None else ())

    def names_in_order(
        self, width: int, *, without_operation: bool = False, in_folders: Iterable[str] = ()
    ) -> tuple[str, ...] | None:
        """Names of the fields of a file without header, which are the declared columns in order; None if none fits.

        Optional columns at the end may be missing. A full load of AWS DMS may come without the column of the operation
        (`without_operation`), which is the one called `op`. What the folders of a file say (`in_folders`, lower case)
        is not in it.
        """
        apart = {self.by_name[name].name for name in in_folders if name in self.by_name}
        columns = [column for column in self.columns if column.name not in apart]
        names = [column.name for column in columns]
        shortest = len(names)
        while shortest and columns[shortest - 1].optional:
            shortest -= 1
        if max(shortest, 1) <= width <= len(names):
            return tuple(names[:width])
        operation = self.by_name.get("op")
        if without_operation and operation is not None and shortest - 1 <= width < len(names):
            names.remove(operation.name)
            return tuple(names[:width])
        return None

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Column of each name and alias, in lower case."""
        return {name: column for column in self.columns for name in column.names}


@dataclass(frozen=True)
class Source:
    """One declared source: a schema and its tables."""

    name: str
    schema: str
    landing: str | None
    tables: tuple[RawTable, ...]

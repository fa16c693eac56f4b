"""Parquet: read by DuckDB, matched with the table's columns by position, as COPY does."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from biostar.standin.errors import SqlError
from biostar.standin.loading.objects import CHUNK, S3Object, read_chunks
from biostar.standin.loading.values import TargetColumn
from biostar.standin.wire import identifier, literal

_ACCEPTED = {
    "smallint": ("TINYINT", "SMALLINT", "UTINYINT"),
    "integer": ("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT"),
    "bigint": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"),
    "numeric": ("DECIMAL", "TINYINT", "SMALLINT", "INTEGER", "BIGINT"),
    "real": ("FLOAT",),
    "double precision": ("FLOAT", "DOUBLE"),
    "boolean": ("BOOLEAN",),
    "date": ("DATE",),
    "timestamp without time zone": ("TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"),
    "timestamp with time zone": ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP"),
    "character varying": ("VARCHAR", "ENUM"),
    "character": ("VARCHAR", "ENUM"),
    "super": ("VARCHAR", "STRUCT", "MAP", "LIST", "JSON"),
}


@contextlib.contextmanager
def parquet_as_csv(s3: Any, item: S3Object, columns: Sequence[TargetColumn]) -> Iterator[Iterator[bytes]]:
    """The rows of a Parquet object as CSV with ``\\N`` for null.

    Raises:
        SqlError: the file is no Parquet, or a column's type or the number of columns does not fit.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="standin-parquet-") as folder:
        source, target = Path(folder) / "object.parquet", Path(folder) / "rows.csv"
        with source.open("wb") as file:
            file.writelines(read_chunks(s3, item))
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            read = f"read_parquet({_quoted(str(source))})"
            try:
                found = connection.execute(f"describe select * from {read}").fetchall()
            except duckdb.Error as bad:
                raise _unreadable(f"{item.url} is not a Parquet file") from bad
            _match(found, columns, item.url)
            values = ", ".join(_value(row[0], row[1], column) for row, column in zip(found, columns, strict=True))
            try:
                connection.execute(
                    f"copy (select {values} from {read}) to {_quoted(str(target))}"
                    " (format csv, header false, nullstr '\\N', force_quote *)"
                )
            except duckdb.Error as bad:
                raise _unreadable(f"{item.url} is damaged") from bad
        with target.open("rb") as rows:
            yield iter(lambda: rows.read(CHUNK), b"")


def _unreadable(what: str) -> SqlError:
    return SqlError("Spectrum Scan Error", "XX000", detail=f"code: 15001, {what}")


def _match(found: Sequence[Any], columns: Sequence[TargetColumn], url: str) -> None:
    if len(found) != len(columns):
        raise SqlError(
            "Spectrum Scan Error",
            "XX000",
            detail=f"code: 15007, Unmatched number of columns between table and file. Table columns: {len(columns)}, "
            f"Data columns: {len(found)}, File name: {url}",
        )
    for row, column in zip(found, columns, strict=True):
        kind = str(row[1]).partition("(")[0]
        kind = "LIST" if str(row[1]).endswith("]") else kind
        if kind not in _ACCEPTED.get(column.kind, (kind,)):
            raise SqlError(
                "Spectrum Scan Error",
                "XX000",
                detail=f"code: 15001, File '{url}' has an incompatible Parquet schema for column '{column.name}'. "
                f"Column type: {column.type_name.upper()}, Parquet schema: {row[1]}",
            )


def _value(name: str, kind: str, column: TargetColumn) -> str:
    if column.kind == "super" and kind != "VARCHAR":
        return f"to_json({identifier(name)})"
    return identifier(name)


def _quoted(text: str) -> str:
    return literal(text)

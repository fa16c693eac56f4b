"""What the files hold, read by DuckDB whatever engine wrote them: rows of each, types, and the sums of every column."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb

from biostar.errors import DataError, WarehouseError
from biostar.parity.sides import DuckDBTexts
from biostar.parity.types import duckdb_type
from biostar.unload.projection import Measure, measures_of_files, read_measure, type_in_file
from biostar.unload.request import Options, OutColumn
from biostar.unload.store import Store
from biostar.warehouse import quote_literal
from biostar.warehouse.httpfs import connect_to_s3

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes; Redshift's COPY takes no longer row (https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html)."""

OPEN_FILES = 32
"""Files of partitions that are written at once."""

_FILE = "biostar_file"


def measure_files(
    store: Store,
    keys: Sequence[str],
    columns: Sequence[OutColumn],
    options: Options,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, Measure]:
    """Rows and sums of each file.

    Raises:
        DataError: a file cannot be read, or its columns are of other types than those written.
        WarehouseError: the store does not answer.
    """
    if not keys:
        return {}
    addresses = {store.address(key): key for key in keys}
    scan = scan_of(list(addresses), columns, options)
    with _guarded(store.uri), duckdb.connect(config=settings_of(environment)) as connection:
        connect_to(connection, store.settings())
        if options.format == "parquet":
            _check_types(connection, scan, columns, options)
        numbers = measures_of_files(DuckDBTexts(), columns, options.format, options.partition_by)
        rows = connection.execute(f"select {_FILE}, {numbers} from {scan} group by {_FILE}").fetchall()
    found = {addresses[str(row[0])]: read_measure(row[1:]) for row in rows}
    empty = Measure(0, (0,) * len(columns), (0,) * len(columns), 0)
    return {key: found.get(key, empty) for key in keys}


def settings_of(environment: Mapping[str, str]) -> dict[str, str | bool | int | float | list[str]]:
    """DuckDB's settings of a connection."""
    return {
        "memory_limit": environment.get("BIOSTAR_DUCKDB_MEMORY") or "2GB",
        "threads": environment.get("BIOSTAR_THREADS") or "2",
        "preserve_insertion_order": False,
    }


def connect_to(connection: duckdb.DuckDBPyConnection, settings: dict[str, str]) -> None:
    """Make S3 known to DuckDB; credentials are bound values and kept in memory only."""
    connection.execute("set TimeZone = 'UTC'")
    if settings:
        connect_to_s3(connection, settings)
        # A buffer of each open file is a ten-thousandth of this: 8 MB, not the 80 MB of the default.
        connection.execute("set s3_uploader_max_filesize = '80GB'")
        connection.execute(f"set partitioned_write_max_open_files = {OPEN_FILES}")


def scan_of(addresses: Sequence[str], columns: Sequence[OutColumn], options: Options) -> str:
    """SQL that reads files as they were written."""
    listed = ", ".join(quote_literal(literal_path(address)) for address in addresses)
    common = f"filename = '{_FILE}'"
    if options.partition_by:
        common += ", hive_partitioning = true, hive_types_autocast = false"
    else:
        common += ", hive_partitioning = false"
    if options.format == "parquet":
        return f"read_parquet([{listed}], {common})"
    names = ", ".join(
        f"{quote_literal(column.name)}: 'varchar'" for column in columns if column.name not in options.partition_by
    )
    return (
        f"read_csv([{listed}], {common}, auto_detect = false, header = true, columns = {{{names}}}, delim = ',',"
        f" quote = '\"', escape = '\"', nullstr = '', compression = '{options.packed}',"
        f" max_line_size = {LONGEST_LINE})"
    )


def literal_path(address: str) -> str:
    """DuckDB takes a path for a pattern; in brackets each of its special characters stands for itself."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in address)


def _check_types(
    connection: duckdb.DuckDBPyConnection, scan: str, columns: Sequence[OutColumn], options: Options
) -> None:
    found = {
        str(name): duckdb_type(str(kind)) for name, kind, *_ in connection.execute(f"describe from {scan}").fetchall()
    }
    for column in columns:
        if column.name in options.partition_by:
            continue
        wanted = type_in_file(column.type)
        if found.get(column.name) != wanted:
            raise DataError(
                f"column '{column.name}' lies in the files as {found.get(column.name, 'nothing')}, not as {wanted}",
                undone="nothing is published",
            )


@contextmanager
def _guarded(uri: str) -> Iterator[None]:
    try:
        yield
    except (duckdb.IOException, duckdb.HTTPException, duckdb.ConnectionException) as fault:
        raise WarehouseError(
            f"the files under '{uri}' cannot be read back ({type(fault).__name__})",
            undone="nothing is published",
            next_step="run the same command again",
        ) from None
    except duckdb.Error as fault:
        # Its message may quote a record.
        raise DataError(
            f"the files under '{uri}' cannot be read back as they should ({type(fault).__name__})",
            undone="nothing is published",
            next_step="unload as Parquet, which needs no quotes",
        ) from None

"""A small DuckDB in memory, one for each thread that inspects objects; it holds nothing from one object to the next."""

from __future__ import annotations

import threading

import duckdb

_local = threading.local()


def engine() -> duckdb.DuckDBPyConnection:
    """The connection of this thread."""
    if not hasattr(_local, "connection"):
        _local.connection = duckdb.connect(config={"threads": 1, "memory_limit": "512MB"})
        _local.connection.execute("set TimeZone = 'UTC'")
    connection: duckdb.DuckDBPyConnection = _local.connection
    return connection

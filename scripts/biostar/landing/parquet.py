"""What the footer of a Parquet object says, read in the one pass over its bytes.

The footer lies at the end and names columns, types and rows; DuckDB reads it. What it is given is a file with a hole:
the last bytes of the object at their place and nothing before them, so that an object of any size takes no room.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import deque
from dataclasses import dataclass
from typing import BinaryIO

import duckdb

from biostar.errors import ObjectError
from biostar.landing.engine import engine

LONGEST_FOOTER = 64 << 20
"""Bytes; a footer grows with columns times row groups."""

_COLUMNS = "describe select * from read_parquet(?, hive_partitioning = false)"
_ROWS = """
    select coalesce(sum(row_group_num_rows) filter (where column_id = 0), 0), coalesce(sum(total_uncompressed_size), 0)
    from parquet_metadata(?)
"""
_OLD_TIMESTAMPS = "select name from parquet_schema(?) where type = 'INT96'"
_MAGIC = b"PAR1"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class ParquetFooter:
    """Columns in order with their types, rows, bytes of the pages, and size and SHA-256 of it all.

    The types are in DuckDB's words; but INT96 is a timestamp in nanoseconds, which DuckDB reads as one in microseconds.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: int
    page_bytes: int
    size: int
    content_hash: str


def inspect_parquet(stream: BinaryIO, key: str) -> ParquetFooter:
    """Read a Parquet object once, to its end.

    Raises:
        ObjectError: it is no Parquet file, or its end is missing or damaged.
    """
    sha = hashlib.sha256()
    start = b""
    chunks: deque[bytes] = deque()
    held = size = 0
    while chunk := stream.read(_CHUNK):
        sha.update(chunk)
        size += len(chunk)
        start = (start + chunk)[:4] if len(start) < 4 else start
        chunks.append(chunk)
        held += len(chunk)
        while held - len(chunks[0]) >= LONGEST_FOOTER:
            held -= len(chunks.popleft())
    tail = b"".join(chunks)
    if start != _MAGIC:
        raise _wrong(key, "is not a Parquet file", "deliver it as Parquet, or declare another format for its table")
    footer = int.from_bytes(tail[-8:-4], "little")
    if size < 12 or tail[-4:] != _MAGIC or footer + 12 > size:
        raise _wrong(key, "is a truncated Parquet file; its footer is missing", "deliver the object again")
    if footer + 8 > len(tail):
        raise _wrong(key, f"has a Parquet footer of more than {LONGEST_FOOTER >> 20} MiB", "deliver it in parts")
    with tempfile.NamedTemporaryFile(prefix="biostar-load-", suffix=".parquet") as hollow:
        hollow.write(_MAGIC)
        hollow.seek(size - footer - 8)
        hollow.write(tail[-footer - 8 :])
        hollow.flush()
        try:
            columns = engine().execute(_COLUMNS, [hollow.name]).fetchall()
            old = {name for (name,) in engine().execute(_OLD_TIMESTAMPS, [hollow.name]).fetchall()}
            counted = engine().execute(_ROWS, [hollow.name]).fetchone()
        except duckdb.Error:
            raise _wrong(key, "is a damaged Parquet file; its footer cannot be read", "deliver it again") from None
    assert counted is not None
    return ParquetFooter(
        tuple(str(column[0]) for column in columns),
        tuple("INT96" if column[1] == "TIMESTAMP" and column[0] in old else str(column[1]) for column in columns),
        int(counted[0]),
        int(counted[1]),
        size,
        sha.hexdigest(),
    )


def _wrong(key: str, what: str, next_step: str) -> ObjectError:
    return ObjectError(f"'{key}' {what}", key, undone="nothing of it is loaded", next_step=next_step)

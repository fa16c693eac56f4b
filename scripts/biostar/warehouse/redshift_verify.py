"""What Redshift says of a COPY: the files that it read, the lines of each, the rows it loaded, the records it refused.

COPY's own answer is not enough: loads that said "complete" while a file of the manifest was missing, or rows of it, are
on record (awslabs/aws-lambda-redshift-loader issues 230 and 244, airbytehq/airbyte 10646). So what the system views
tell is held against the manifest, and the rows of the temporary table against the lines that the loader counted itself.

The views may lag behind the COPY, more so on Redshift Serverless; they are asked again for a bounded time. Their file
names are cut at 256 bytes (https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_DETAIL.html).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from biostar.errors import WarehouseError
from biostar.warehouse.base import FileToLoad

NAME_BYTES = 256
LONGEST_WAIT = 120.0
"""Seconds that the system views may lag."""
UNDONE = "nothing of the current batch is loaded"

Query = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Refused:
    """A record that COPY refused; `line` is 0 or less where the view does not know it."""

    line: int
    code: int


@dataclass(frozen=True)
class CopyAccount:
    """What the system views say of one COPY.

    Attributes:
        loaded: rows.
        scanned: lines of each file by its key, None where the view does not say.
        refused: records of each file by its key.
    """

    loaded: int
    scanned: Mapping[str, int | None]
    refused: Mapping[str, tuple[Refused, ...]]


def names_differ(files: Sequence[FileToLoad]) -> bool:
    """Whether the system views can tell the files apart, which cut long names."""
    return len({_cut(file.address) for file in files}) == len(files)


def account_of(
    query: Query,
    files: Sequence[FileToLoad],
    manifest: str,
    table: str,
    *,
    wait: float = LONGEST_WAIT,
    sleep: Callable[[float], None] = time.sleep,
    is_columnar: bool = False,
) -> CopyAccount:
    """What the views say of the COPY that read `manifest` into `table`, of which nobody else has either name.

    It is looked for by them, and not by pg_last_copy_id(): that is a number of the STL views, which is not the query_id
    of the SYS views (https://docs.aws.amazon.com/redshift/latest/dg/SYS_QUERY_HISTORY.html).

    Of a columnar format, which is read by Redshift Spectrum, the manual does not say that sys_load_detail has its files
    one by one; there it may have none of them, and their number in sys_load_history counts. Nor is it said whether the
    bytes are those of the file or of what was read of it; the manifest tells the size of each to COPY.

    Raises:
        WarehouseError: they do not say that each file, and no other, was read to its end.
    """
    waited, pause = 0.0, 0.1
    while True:
        is_last = waited >= wait
        trouble, account = _ask(query, files, manifest, table, is_columnar, is_last=is_last)
        if account is not None:
            return account
        if is_last:
            raise WarehouseError(f"a COPY cannot be verified: {trouble}", undone=UNDONE, next_step="run the load again")
        sleep(pause)
        waited += pause
        pause = min(pause * 2, 5.0)


def _ask(
    query: Query, files: Sequence[FileToLoad], manifest: str, table: str, is_columnar: bool, *, is_last: bool
) -> tuple[str, CopyAccount | None]:
    history = query(
        "select query_id, trim(status), loaded_rows, source_file_count, source_file_bytes, error_count"
        " from sys_load_history where trim(table_name) = ? or trim(data_source) = ?",
        (table, manifest[:1024]),
    )
    if not history:
        return "sys_load_history has no row for it", None
    query_id, status, loaded, file_count, file_bytes, error_count = history[0]
    if status != "completed":
        return f"sys_load_history calls it {status}", None
    by_name = {_cut(file.address): file.key for file in files}
    scanned: dict[str, int | None] = {}
    strange = []
    for name, lines in query(
        "select trim(file_name), sum(lines_scanned) from sys_load_detail where query_id = ? group by trim(file_name)",
        (query_id,),
    ):
        key = _key_of(str(name), by_name)
        if key is None:
            strange.append(str(name))
        else:
            scanned[key] = None if lines is None else int(lines)
    missing = [file for file in files if file.key not in scanned]
    if missing and (scanned or not is_columnar):
        return f"sys_load_detail lacks {len(missing)} of {len(files)} files: {named(missing)}", None
    if strange:
        return f"sys_load_detail has a file that the manifest does not list: '{strange[0]}'", None
    if int(file_count or 0) != len(files):
        return f"sys_load_history says {file_count} files, the manifest lists {len(files)}: {named(files)}", None
    size = sum(file.size for file in files)
    if file_bytes and int(file_bytes) < size and not is_columnar:
        return f"sys_load_history says {file_bytes} bytes, the manifest's objects have {size}: {named(files)}", None
    refused = _errors(query, int(query_id), by_name, int(error_count or 0), is_last=is_last)
    if refused is None:
        return f"sys_load_error_detail has fewer than the {error_count} errors of sys_load_history", None
    return "", CopyAccount(int(loaded), scanned, refused)


def _errors(
    query: Query, query_id: int, by_name: Mapping[str, str], expected: int, *, is_last: bool
) -> dict[str, tuple[Refused, ...]] | None:
    if not expected:
        return {}
    rows = query(
        "select trim(file_name), line_number, error_code from sys_load_error_detail where query_id = ?", (query_id,)
    )
    if len(rows) < expected and is_last:
        # Serverless has nothing there, https://docs.aws.amazon.com/redshift/latest/dg/r_STL_LOAD_ERRORS.html.
        with suppress(WarehouseError):
            rows = query(
                "select trim(filename), line_number, err_code from stl_load_errors where query = pg_last_copy_id()", ()
            )
    if len(rows) < expected:
        return None
    found: dict[str, list[Refused]] = {}
    for name, line, code in rows:
        key = _key_of(str(name), by_name)
        if key is not None:
            found.setdefault(key, []).append(Refused(int(line), int(code)))
    return {key: tuple(sorted(set(each), key=lambda one: one.line)) for key, each in found.items()}


def _key_of(name: str, by_name: Mapping[str, str]) -> str | None:
    """The manual's samples name a file with its scheme and bucket, and also by its key alone."""
    if name in by_name:
        return by_name[name]
    ends = [key for address, key in by_name.items() if address.endswith(f"/{name}")]
    return ends[0] if len(ends) == 1 and name else None


def _cut(address: str) -> str:
    return address.encode()[:NAME_BYTES].decode(errors="ignore").rstrip(" ")


def named(files: Sequence[FileToLoad], most: int = 5) -> str:
    """Names of files for a message, of many only the first."""
    more = f" and {len(files) - most} more" if len(files) > most else ""
    return ", ".join(f"'{file.key}'" for file in files[:most]) + more

"""A second opinion on the records that COPY refuses, by the rules of the one engine whose rules are ours.

COPY says of a bad record its line and a code of its own. What stands in load_rejects must not depend on the target, so
the refused lines alone, a handful of an object, are read again by the code that loads into DuckDB, in a database that
lives as long as the reading.

An object that COPY and DuckDB read differently altogether (values that span lines beside broken records, line ends that
are carriage returns, a quote in the middle of a field, a copy that the loader has rewritten) is read by DuckDB as a
whole and delivered to COPY as clean CSV: every field quoted, one record after the other, nothing to refuse.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import duckdb

from biostar.contracts import Column
from biostar.landing.inspect import text_of
from biostar.warehouse.base import (
    REJECT_COLUMNS,
    FileToLoad,
    LoadGroup,
    ObjectCounts,
    UnreadableAsIs,
    quote_identifier,
)
from biostar.warehouse.duckdb_csv import LONGEST_LINE
from biostar.warehouse.duckdb_dialect import DuckDBDialect
from biostar.warehouse.duckdb_warehouse import DuckDBWarehouse

MEMORY = "512MB"
EVOLVED = "varchar(65535)"
_LOAD = 1


@dataclass(frozen=True)
class Reject:
    """A bad record as load_rejects shows it."""

    key: str
    line: int | None
    column: str | None
    code: str
    reason: str
    value_length: int | None


@dataclass(frozen=True)
class Verdict:
    """What the lines that COPY refused are by our rules.

    Attributes:
        rejects: the bad records.
        blank: lines that hold nothing.
        good: lines that hold a record without fault.
    """

    rejects: tuple[Reject, ...]
    blank: tuple[int, ...]
    good: tuple[int, ...]


@dataclass(frozen=True)
class Refined:
    """An object read as a whole.

    Attributes:
        counts: its records.
        rejects: the bad ones.
        clean: a gzip file with the good ones, or None where there is none.
    """

    counts: ObjectCounts
    rejects: tuple[Reject, ...]
    clean: Path | None


def judge_lines(group: LoadGroup, file: FileToLoad, lines: Sequence[int], folder: Path) -> Verdict | None:
    """Read some lines of an object again; None where a record does not end on its line, so that they do not tell."""
    with file.open() as stream:
        texts = list(_lines_of(text_of(stream, file.key), lines))
    if len(texts) != len(lines) or any(text.count(b'"') % 2 for text in texts):
        return None
    blank = tuple(line for line, text in zip(lines, texts, strict=True) if not text)
    kept = [(line, text) for line, text in zip(lines, texts, strict=True) if text]
    path = folder / "lines.csv"
    path.write_bytes(b"header\n" + b"".join(text + b"\n" for _, text in kept))
    copy = replace(
        file,
        address=str(path),
        compression="none",
        lines=1 + len(kept),
        quotes=any(b'"' in text for _, text in kept),
        open=_opening(path),
        left_out=(),
    )
    try:
        _, rejects, _ = _read(replace(group, header_lines=1), copy, folder, clean=False)
    except UnreadableAsIs:
        return None
    finally:
        path.unlink()
    if any(reject.line is None for reject in rejects):
        return None
    placed = tuple(replace(reject, line=kept[(reject.line or 0) - 2][0]) for reject in rejects)
    bad = {reject.line for reject in placed}
    return Verdict(placed, blank, tuple(line for line, _ in kept if line not in bad))


def refine(group: LoadGroup, file: FileToLoad, folder: Path) -> Refined:
    """Read an object as a whole.

    Raises:
        UnreadableAsIs: it has to be rewritten first.
        DataError: it cannot be read.
    """
    path = Path(file.address)
    local = file
    if file.address.startswith("s3://"):
        path = folder / "object"
        with file.open() as stream, path.open("wb") as target:
            shutil.copyfileobj(stream, target, 1 << 20)
        local = replace(file, address=str(path))
    try:
        counts, rejects, clean = _read(group, local, folder, clean=True)
    finally:
        if local is not file:
            path.unlink()
    return Refined(counts, rejects, clean)


def _read(
    group: LoadGroup, file: FileToLoad, folder: Path, *, clean: bool
) -> tuple[ObjectCounts, tuple[Reject, ...], Path | None]:
    database = folder / "second.duckdb"
    declared = {column.name for column in group.table.columns}
    evolved = tuple(Column(name, EVOLVED) for name in group.fields if name is not None and name not in declared)
    table = replace(group.table, columns=group.table.columns + evolved)
    dialect = DuckDBDialect()
    connection = duckdb.connect(str(database), config={"memory_limit": MEMORY, "threads": 1})
    warehouse = DuckDBWarehouse(connection, str(database))
    try:
        # In the order of the file, so that an error of COPY in the clean copy can be looked up.
        warehouse.execute("set preserve_insertion_order = true")
        for statement in (
            dialect.create_schema(table.schema),
            dialect.create_schema(group.books),
            dialect.create_table(table),
            f"create table {quote_identifier(group.books, 'load_rejects')} ("
            + ", ".join(f"{name} {data_type}" for name, data_type in REJECT_COLUMNS.items())
            + ")",
        ):
            warehouse.execute(statement)
        staged = warehouse.stage(replace(group, table=table, files=(file,)))
        (counts,) = warehouse.publish(staged, _LOAD)
        rejects = tuple(
            Reject(*row)
            for row in warehouse.query(
                "select object_key, line_number, column_name, error_code, error_reason, value_length"
                f" from {quote_identifier(group.books, 'load_rejects')} order by line_number"
            )
        )
        path = None
        if clean and counts.loaded:
            path = folder / "clean.csv.gz"
            taken = ", ".join(quote_identifier(name) for name in group.fields if name is not None)
            warehouse.execute(
                f"copy (select {taken} from {quote_identifier(table.schema, table.name)})"
                f" to '{str(path).replace(chr(39), chr(39) * 2)}'"
                " (format csv, header false, nullstr '', force_quote *, compression gzip)"
            )
    finally:
        warehouse.close()
        for left in folder.glob(f"{database.name}*"):
            left.unlink()
    return counts, rejects, path


def _lines_of(chunks: Iterable[bytes], numbers: Sequence[int]) -> Iterable[bytes]:
    """The lines with these numbers, ascending, without their ends."""
    wanted = iter(numbers)
    target = next(wanted, None)
    line = 1
    rest = b""
    for chunk in chunks:
        if target is None:
            return
        text = rest + chunk
        place = 0
        while target is not None:
            ends = text.count(b"\n", place)
            if line + ends <= target:
                # The line does not end in this chunk: keep what there is of it, or nothing where it is far off.
                line += ends
                place = text.rfind(b"\n") + 1 if ends else place
                break
            while line < target:
                place = text.index(b"\n", place) + 1
                line += 1
            end = text.index(b"\n", place)
            yield text[place:end].removesuffix(b"\r")
            place = end + 1
            line += 1
            target = next(wanted, None)
        # What stands before the next end of another line is of no use; of an endless one a beginning is enough.
        rest = text[place : place + LONGEST_LINE + 2] if line == target else b""
    if target == line and rest:
        yield rest.removesuffix(b"\r")


def _opening(path: Path) -> Callable[[], BinaryIO]:
    return lambda: path.open("rb")

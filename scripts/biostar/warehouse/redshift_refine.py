"""A second opinion on the records that COPY refuses, by the rules of the one engine whose rules are ours.

COPY says of a bad record its line and a code of its own. What stands in load_rejects must not depend on the target, so
the refused lines alone, a handful of an object, are read again by the code that loads into DuckDB, in a database that
lives as long as the reading.

An object that COPY and DuckDB read differently altogether, or of which the manual does not say how COPY reads it
(values that span lines beside broken records, line ends that are carriage returns, a quote in the middle of a field,
JSON with numbers, Parquet with floats, a copy that the loader has rewritten) is read by DuckDB as a whole and delivered
to COPY as clean CSV: every field quoted, one record after the other, nothing to refuse.
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
_DATABASE = "second.duckdb"


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


class SecondReader:
    """Reads objects of one group with DuckDB, in a database below `folder` that is made when it is first needed."""

    def __init__(self, group: LoadGroup, folder: Path) -> None:
        declared = {column.name for column in group.table.columns}
        evolved = tuple(Column(name, EVOLVED) for name in group.fields if name is not None and name not in declared)
        self._table = replace(group.table, columns=group.table.columns + evolved)
        # What the folders say is added when the rows are published.
        self._group = replace(group, table=self._table, constants=())
        self._folder = folder
        self._warehouse: DuckDBWarehouse | None = None

    def judge_lines(self, file: FileToLoad, lines: Sequence[int]) -> Verdict | None:
        """Read some lines of an object again; None where a record does not end on its line: then they do not tell."""
        with file.open() as stream:
            texts = list(_lines_of(text_of(stream, file.key), lines))
        if len(texts) != len(lines) or any(text.count(b'"') % 2 for text in texts):
            return None
        blank = tuple(line for line, text in zip(lines, texts, strict=True) if not text)
        kept = [(line, text) for line, text in zip(lines, texts, strict=True) if text]
        path = self._folder / "lines.csv"
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
            _, rejects = self._read(replace(self._group, header_lines=1), copy)
        except UnreadableAsIs:
            return None
        finally:
            path.unlink()
        if any(reject.line is None for reject in rejects):
            return None
        placed = tuple(replace(reject, line=kept[(reject.line or 0) - 2][0]) for reject in rejects)
        bad = {reject.line for reject in placed}
        return Verdict(placed, blank, tuple(line for line, _ in kept if line not in bad))

    def refine(self, file: FileToLoad) -> Refined:
        """Read an object as a whole.

        Raises:
            UnreadableAsIs: it has to be rewritten first.
            DataError: it cannot be read.
        """
        path = Path(file.address)
        local = file
        if file.address.startswith("s3://"):
            path = self._folder / "object"
            with file.open() as stream, path.open("wb") as target:
                shutil.copyfileobj(stream, target, 1 << 20)
            local = replace(file, address=str(path))
        try:
            counts, rejects = self._read(self._group, local)
        finally:
            if local is not file:
                path.unlink()
        if not counts.loaded:
            return Refined(counts, rejects, None)
        clean = self._folder / "clean.csv.gz"
        taken = ", ".join(quote_identifier(name) for name in self._group.fields if name is not None)
        self._database.execute(
            f"copy (select {taken} from {quote_identifier(self._table.schema, self._table.name)})"
            f" to '{str(clean).replace(chr(39), chr(39) * 2)}'"
            " (format csv, header false, nullstr '', force_quote *, compression gzip)"
        )
        return Refined(counts, rejects, clean)

    def close(self) -> None:
        """Remove the database."""
        if self._warehouse is not None:
            self._warehouse.close()
            self._warehouse = None
            for left in self._folder.glob(f"{_DATABASE}*"):
                left.unlink()

    @property
    def _database(self) -> DuckDBWarehouse:
        if self._warehouse is None:
            path = self._folder / _DATABASE
            connection = duckdb.connect(str(path), config={"memory_limit": MEMORY, "threads": 1})
            self._warehouse = DuckDBWarehouse(connection, str(path))
            dialect = DuckDBDialect()
            rejects = ", ".join(f"{name} {data_type}" for name, data_type in REJECT_COLUMNS.items())
            for statement in (
                dialect.create_schema(self._table.schema),
                dialect.create_schema(self._group.books),
                dialect.create_table(self._table),
                f"create table {quote_identifier(self._group.books, 'load_rejects')} ({rejects})",
            ):
                self._warehouse.execute(statement)
        return self._warehouse

    def _read(self, group: LoadGroup, file: FileToLoad) -> tuple[ObjectCounts, tuple[Reject, ...]]:
        warehouse = self._database
        books = quote_identifier(group.books, "load_rejects")
        for table in (quote_identifier(self._table.schema, self._table.name), books):
            warehouse.execute(f"delete from {table}")
        with warehouse.transaction():
            (counts,) = warehouse.publish(warehouse.stage(replace(group, files=(file,))), _LOAD)
        rejects = warehouse.query(
            "select object_key, line_number, column_name, error_code, error_reason, value_length"
            f" from {books} order by line_number"
        )
        return counts, tuple(Reject(*row) for row in rejects)


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

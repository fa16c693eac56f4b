"""Inspected objects as the warehouse takes them: one file for each object, one group for each header."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from biostar.contracts import RawTable
from biostar.errors import ObjectError, WarehouseError
from biostar.landing import Landing, rewrite_object
from biostar.landing.inspect import text_of
from biostar.load.lines import records_at
from biostar.load.objects import InspectedObject, at_fault
from biostar.warehouse import FileToLoad, LoadGroup, UnreadableAsIs, Warehouse

_CHUNK = 1 << 20
LONGEST_RECORD = 4 * 1024 * 1024
"""Bytes; Redshift's COPY takes no longer row, so a longer one stays a reject however often it is tried."""


class Files:
    """The files of a batch: as they lie in the landing, or copies in a scratch folder where they cannot be read so."""

    def __init__(self, landing: Landing, warehouse: Warehouse, scratch: Path) -> None:
        self._landing = landing
        self._warehouse = warehouse
        self._scratch = scratch
        self._files: dict[str, FileToLoad] = {}
        self._rewritten: dict[str, bool] = {}

    def __getitem__(self, key: str) -> FileToLoad:
        return self._files[key]

    def add(self, one: InspectedObject) -> None:
        """Take an object as it lies, or a copy of it where the warehouse cannot be told its name."""
        address = self._landing.address(one.key)
        if not self._warehouse.can_read(address):
            copy = self._scratch / f"copy-{len(self._files)}"
            with at_fault(one.key), self._landing.open(one.key) as stream, _writing(one.key, copy) as target:
                while chunk := stream.read(_CHUNK):
                    target.write(chunk)
            address = self._warehouse.adopt(copy)
        self._files[one.key] = FileToLoad(
            one.key,
            address,
            one.inspection.compression,
            one.inspection.lines,
            one.inspection.quotes,
            partial(self._landing.open, one.key),
            line_end=one.inspection.header.line_end,
            size=one.landed.size,
            types=one.inspection.types,
            repeats_keys=one.inspection.repeats_keys,
            only_texts=one.inspection.only_texts,
            records_are_lines=one.inspection.records_are_lines,
        )

    def add_records(self, one: InspectedObject, begin: Mapping[int, bool]) -> None:
        """Take of an object the header and the records that begin on some lines; all other lines become blank.

        So every record keeps its line. `begin` says of each line whether the record may go on over line ends.
        """
        header = one.inspection.header
        # What ends in carriage returns alone is written with line feeds: the blank lines are ours anyway.
        line_end = b"\r\n" if header.line_end == "\r\n" else b"\n"
        their_end = b"\r" if header.line_end == "\r" else b"\n"
        copy = self._scratch / f"records-{len(self._files)}.{one.landed.key.rpartition('.')[2].lower()[:8]}"
        line = header.lines
        with _writing(one.key, copy) as target:
            with self._landing.open(one.key) as stream:
                target.write(_first_lines(text_of(stream, one.key), header.lines, their_end, line_end))
            with self._landing.open(one.key) as stream:
                for record in records_at(
                    text_of(stream, one.key), begin, line_end=their_end, longest=LONGEST_RECORD + 1
                ):
                    if record.size > LONGEST_RECORD:
                        continue
                    target.write(line_end * (record.line - line - 1) + record.text + line_end)
                    line = record.last_line
        self._files[one.key] = FileToLoad(
            one.key,
            self._warehouse.adopt(copy),
            "none",
            line,
            one.inspection.quotes,
            partial(_reopen, copy),
            size=copy.stat().st_size,
            repeats_keys=one.inspection.repeats_keys,
        )

    def rewrite(self, need: UnreadableAsIs) -> list[ObjectError]:
        """Rewrite the objects that cannot be read as they are; returns a fault for each that this did not help."""
        hopeless = []
        for key in (*need.line_ends, *need.quotes):
            drop = key in need.quotes
            if self._rewritten.get(key) == drop or self._rewritten.get(key):
                hopeless.append(
                    ObjectError(
                        f"'{key}' cannot be read to its end: its quotes or line ends are broken throughout",
                        key,
                        undone="nothing of it is loaded",
                        next_step="deliver the object again",
                    )
                )
                continue
            self._rewritten[key] = drop
            self._files[key] = self._rewrite(self._files[key], drop)
        return hopeless

    def _rewrite(self, file: FileToLoad, drop_open_quotes: bool) -> FileToLoad:
        copy = self._scratch / f"{len(self._rewritten)}-{int(drop_open_quotes)}.csv"
        with file.open() as stream, _writing(file.key, copy) as target:
            outcome = rewrite_object(stream, target, file.key, drop_open_quotes=drop_open_quotes)
        return replace(
            file,
            address=self._warehouse.adopt(copy),
            compression="none",
            open=partial(_reopen, copy),
            quotes=file.quotes and not drop_open_quotes,
            left_out=outcome.open_quotes,
            line_end="\n",
            size=copy.stat().st_size,
        )


@contextmanager
def _writing(key: str, copy: Path) -> Iterator[BinaryIO]:
    """A copy of an object being written; what fails here is the disk."""
    try:
        with at_fault(key), copy.open("wb") as target:
            yield target
    except OSError as fault:
        raise WarehouseError(
            f"no room to rewrite '{key}' in '{copy.parent}': {(fault.strerror or '').lower()}",
            undone="nothing of the current batch is loaded",
            next_step="set TMPDIR to a folder with room for the object uncompressed, then run the load again",
        ) from fault


def groups_of(
    table: RawTable,
    ingest_date: datetime.date,
    members: Sequence[InspectedObject],
    files: Files,
    *,
    books: str,
    loaded_at: datetime.datetime,
    run: str,
) -> list[LoadGroup]:
    """Objects of a batch, in groups that are read alike: of equal headers, types and folders."""
    by_header: dict[tuple[object, ...], list[InspectedObject]] = {}
    for one in members:
        header = one.inspection.header
        names = tuple(name.lower() for name in header.names) if table.file_format == "csv" else header.names
        alike = (names, header.lines, one.inspection.types, one.match.constants)
        by_header.setdefault(alike, []).append(one)
    return [
        _group_of(
            LoadGroup(
                table=table,
                books=books,
                ingest_date=ingest_date,
                loaded_at=loaded_at,
                fields=(),
                names=(),
                header_lines=same[0].inspection.header.lines,
                files=tuple(files[one.key] for one in same),
                widths=(),
                constants=same[0].match.constants,
                run=run,
            ),
            same[0],
        )
        for same in by_header.values()
    ]


def _group_of(group: LoadGroup, one: InspectedObject) -> LoadGroup:
    """The group with the fields that one of its objects has."""
    fields = list(zip(one.match.fields, one.inspection.header.names, strict=True))
    if group.table.file_format == "json":
        # Several keys may go to one column, and what goes to none is of no use.
        keys: dict[str, list[str]] = {}
        for column, key in fields:
            if column is not None:
                keys.setdefault(column, []).append(key)
        fields = [(column, column) for column in keys]
        group = replace(group, keys=tuple(tuple(spelled) for spelled in keys.values()))
    widths = {column.name: column.width for column in (*group.table.columns, *one.match.new_columns)}
    return replace(
        group,
        fields=tuple(column for column, _ in fields),
        names=tuple((column or name)[:128].encode()[:128].decode(errors="ignore") for column, name in fields),
        widths=tuple(widths[column] if column else None for column, _ in fields),
    )


def _first_lines(chunks: Iterable[bytes], count: int, their_end: bytes, line_end: bytes) -> bytes:
    text = b""
    for chunk in chunks:
        text += chunk
        if text.count(their_end) >= count:
            break
    lines = text.split(their_end)[:count]
    return b"".join(line.removesuffix(b"\r") + line_end for line in lines)


def _reopen(copy: Path) -> BinaryIO:
    return copy.open("rb")

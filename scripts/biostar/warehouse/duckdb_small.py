"""Many small CSV objects in one statement: what an object costs is then its rows, not a statement of its own.

Some hundred objects are looked through with one statement that counts the rows of each. Those of which every line is a
row that fits go into the raw table with one more statement. Any other (bad records, blank lines, values that span lines
or are too long) is left to the statement for a single object, which knows what to make of it, and so is the whole lot
where the engine refuses to read it. So nothing is decided here but that an object is without any doubt.

The look is taken by a connection of its own: a statement that fails would end the transaction of the load.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import duckdb

from biostar.errors import DataError
from biostar.warehouse.base import FileToLoad, LoadGroup, ObjectCounts
from biostar.warehouse.duckdb_csv import (
    bound,
    bound_as_text,
    forget,
    insert,
    literal,
    load_group,
    load_statements,
    scan,
)

SMALL = 1 << 20
"""Bytes as an object lies; from here on a statement of its own costs less than reading it."""

MOST_OBJECTS = 500
MOST_BYTES = 32 << 20

_SPECIAL = "*?["
"""Characters of a path that mean others to DuckDB; how it then calls the file is not how we do."""

_REJECTS = "biostar_small_rejects"


def lots(files: Sequence[FileToLoad]) -> tuple[list[list[FileToLoad]], list[FileToLoad]]:
    """Small files that are read alike, in lots of two or more, and the others."""
    alike: dict[tuple[str, str], list[FileToLoad]] = {}
    others = []
    for file in files:
        if 0 < file.size < SMALL and not file.left_out and not any(character in file.address for character in _SPECIAL):
            alike.setdefault((file.compression, file.line_end), []).append(file)
        else:
            others.append(file)
    found = []
    for members in alike.values():
        for lot in _cut(members):
            if len(lot) > 1:
                found.append(lot)
            else:
                others += lot
    return found, others


def _cut(files: Sequence[FileToLoad]) -> Iterator[list[FileToLoad]]:
    lot: list[FileToLoad] = []
    size = 0
    for file in files:
        if lot and (len(lot) == MOST_OBJECTS or size + file.size > MOST_BYTES):
            yield lot
            lot, size = [], 0
        lot.append(file)
        size += file.size
    if lot:
        yield lot


def load_csv(connection: duckdb.DuckDBPyConnection, group: LoadGroup) -> list[ObjectCounts]:
    """Load a group of CSV objects: the small ones in lots, the others and the doubtful ones each on its own."""
    small, others = lots(group.files)
    counts: list[ObjectCounts] = []
    for lot in small:
        good, doubtful = load_lot(connection, group, lot)
        counts += good
        others += doubtful
    if others:
        counts += load_group(connection, replace(group, files=tuple(others)))
    return counts


def csv_statements(group: LoadGroup) -> list[str]:
    """The statements for a group as they are sent where nothing is in doubt, with the bound values written out."""
    small, others = lots(group.files)
    statements: list[str] = []
    for lot in small:
        addresses = f"[{', '.join(literal(file.address) for file in lot)}]"
        statements += [
            _look(group, lot[0]).replace("$address", addresses),
            bound_as_text(insert(group, lot[0], _REJECTS), group).replace("$address", addresses),
        ]
    return statements + load_statements(replace(group, files=tuple(others)))


def load_lot(
    connection: duckdb.DuckDBPyConnection, group: LoadGroup, lot: Sequence[FileToLoad]
) -> tuple[list[ObjectCounts], list[FileToLoad]]:
    """Load what is without doubt; returns its counts, and the files that have to be loaded one by one.

    Raises:
        DataError: objects changed between the look and the load.
    """
    with connection.cursor() as another:
        try:
            rows = another.execute(_look(group, lot[0]), {"address": [file.address for file in lot]}).fetchall()
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            return [], list(lot)
    found = {str(name): (int(count), int(too_long)) for name, count, too_long in rows}
    good = [file for file in lot if found.pop(file.address, (0, 0)) == (file.lines - group.header_lines, 0)]
    keys = {file.key for file in good}
    doubtful = [file for file in lot if file.key not in keys]
    if found or not good:
        # A name that nobody asked for would mean that no name can be trusted.
        return [], list(lot)
    forget(connection, _REJECTS)
    inserted = connection.execute(
        insert(group, good[0], _REJECTS), {"address": [file.address for file in good], **bound(group)}
    ).fetchone()
    forget(connection, _REJECTS)
    counts = [ObjectCounts(file.key, file.lines - group.header_lines, 0) for file in good]
    if inserted is None or inserted[0] != sum(count.loaded for count in counts):
        raise DataError(
            f"objects from '{good[0].key}' to '{good[-1].key}' changed while they were being read",
            undone="nothing of the batch is loaded",
            next_step="run the load again when their delivery is complete",
        )
    return counts, doubtful


def _look(group: LoadGroup, like: FileToLoad) -> str:
    """The statement that counts the rows of each object of a lot, and those with a value that is too long."""
    read = scan(group, like, _REJECTS).removesuffix(")") + ", filename = true)"
    return f"select filename, count(*), count(*) filter (where {_too_long(group)}) from {read} group by filename"


def _too_long(group: LoadGroup) -> str:
    tests = [
        f"strlen(f{position}) > {width}"
        for position, (name, width) in enumerate(zip(group.fields, group.widths, strict=True))
        if name is not None and width is not None
    ]
    return " or ".join(tests) or "false"

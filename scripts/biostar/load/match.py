"""Which column of the raw table each field of a file goes to: by name or alias, in any order and letter case."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from biostar.contracts import Column, RawTable
from biostar.errors import DataError
from biostar.landing import Header
from biostar.landing.layouts import Partition

EVOLVED_TYPE = "varchar(1024)"
"""Type of a column that a file brought and nobody declared; wide enough for text, and one line of YAML to narrow."""

_UNPLAIN = re.compile(r"[^a-z0-9_]+")


@dataclass(frozen=True)
class Match:
    """A header held against a contract.

    Attributes:
        fields: for each field of the file the column it goes to, None where it is left out.
        missing: declared columns that the file should have and has not.
        ignored: names of fields that are left out.
        new_columns: columns to add to the table first.
        constants: columns that the folders of the object give each of its rows, and their value.
    """

    fields: tuple[str | None, ...]
    missing: tuple[str, ...]
    ignored: tuple[str, ...]
    new_columns: tuple[Column, ...]
    constants: tuple[tuple[str, str | None], ...] = ()


NOTHING = Match((), (), (), ())
"""Of an object without header that holds no record."""


def match_object(header: Header, partitions: Sequence[Partition], table: RawTable, key: str) -> Match:
    """Match the header of the object `key`, and what its folders say of its rows, with the columns of `table`.

    Where the file has a column itself, the folder of that name says nothing new.

    Raises:
        DataError: as `match_header`; or the value of a folder is longer than its column.
    """
    if not header.names:
        return NOTHING

    def column_of(name: str) -> str:
        return table.by_name[name].name if name in table.by_name else name

    own = {column_of(name.lower()) for name in header.names}
    added = [(name, value) for name, value in partitions if column_of(name) not in own]
    match = match_header(replace(header, names=header.names + tuple(name for name, _ in added)), table, key)
    width = len(header.names)
    widths = {column.name: column.width for column in (*table.columns, *match.new_columns)}
    constants = []
    for column, (name, value) in zip(match.fields[width:], added, strict=True):
        if column is None:
            continue
        limit = widths[column]
        size = len((value or "").encode())
        if limit is not None and size > limit:
            raise DataError(
                f"the folder '{name}=…' of '{key}' has a value of {size:,} bytes, the column takes {limit:,}",
                undone="nothing of it is loaded",
                next_step=f"rename the folder, or declare the column wider in {table.declared_in}",
            )
        constants.append((column, value or None))
    return replace(match, fields=match.fields[:width], constants=tuple(constants))


def match_header(header: Header, table: RawTable, key: str) -> Match:
    """Match the header of the object `key` with the columns of `table`.

    Raises:
        DataError: a column of the natural key is missing, a column stands twice, or an unknown column is refused by the
            table's policy. Names that only the file has are shown after the key columns were found: a file without
            header has values there.
    """
    known = table.by_name
    columns = [known.get(name.lower()) for name in header.names]
    found = [column.name for column in columns if column is not None]
    lacking = [column.name for column in table.columns if column.name not in found and column.name in table.natural_key]
    required = [name for name in lacking if not known[name].optional]
    if required:
        raise DataError(
            f"'{key}' lacks {_named(required)}, part of the natural key of {table.name}"
            + ("" if found else _no_name_at_all(table)),
            undone="nothing of it is loaded",
            next_step="deliver the object with the column, or declare the name it uses as an alias in "
            + table.declared_in,
        )
    # Of JSON a record has its own keys; that it has one column twice is found when it is read.
    twice = sorted({name for name in found if found.count(name) > 1}) if table.file_format != "json" else []
    if twice:
        spelled = [
            name for name, column in zip(header.names, columns, strict=True) if column and column.name == twice[0]
        ]
        raise DataError(
            f"'{key}' has the column '{twice[0]}' more than once, as {', '.join(spelled)}",
            undone="nothing of it is loaded",
            next_step="deliver the object with the column once",
        )
    unknown = [name for name, column in zip(header.names, columns, strict=True) if column is None]
    lowered = [name.lower() for name in unknown if name]
    for name in lowered:
        if lowered.count(name) > 1 and table.file_format != "json":
            raise DataError(
                f"'{key}' has the column '{name}' more than once",
                undone="nothing of it is loaded",
                next_step="deliver the object with the column once",
            )
    if unknown and table.unknown_columns == "error":
        raise DataError(
            f"'{key}' has {_named(unknown)}, not declared for {table.name}, whose policy refuses unknown columns",
            undone="nothing of it is loaded",
            next_step=f"declare the column, or an alias, or another unknown_columns policy, in {table.declared_in}",
        )
    new: dict[str, Column] = {}
    if table.unknown_columns == "evolve":
        new = {name: _evolved(name, table, key) for name in unknown}
        made = [column.name for column in new.values()]
        if len(set(made)) < len(made):
            raise DataError(
                f"'{key}' has {_named(unknown)}, of which two make the same column name",
                undone="nothing of it is loaded",
                next_step=f"declare them with aliases in {table.declared_in}",
            )
    missing = [
        column.name
        for column in table.columns
        if column.name not in found and not column.optional and column.name not in table.natural_key
    ]
    return Match(
        fields=tuple(
            column.name if column else new[name].name if name in new else None
            for name, column in zip(header.names, columns, strict=True)
        ),
        missing=tuple(missing),
        ignored=tuple(name for name in unknown if name not in new),
        new_columns=tuple(new.values()),
    )


def _no_name_at_all(table: RawTable) -> str:
    if table.file_format == "csv":
        return "; its first line has no known column name at all, is the header missing?"
    return "; it has no known column name at all"


def _evolved(name: str, table: RawTable, key: str) -> Column:
    plain = _UNPLAIN.sub("_", name.lower()).strip("_")
    taken = {column.name for column in table.all_columns}
    if not plain or plain[0].isdigit() or len(plain) > 60 or plain in taken:
        raise DataError(
            f"'{key}' has the column '{name}', which makes no usable column name",
            undone="nothing of it is loaded",
            next_step=f"declare a column with this alias in {table.declared_in}",
        )
    return Column(plain, EVOLVED_TYPE, aliases=() if plain == name.lower() else (name.lower(),))


def _named(names: list[str]) -> str:
    return f"the column{'s' * (len(names) > 1)} {', '.join(repr(name) for name in names)}"

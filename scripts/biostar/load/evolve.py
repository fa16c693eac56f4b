"""A column that a file brought and nobody declared: added to the raw table, and said to the person who maintains it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from biostar.contracts import Column, RawTable
from biostar.load.objects import InspectedObject
from biostar.warehouse import Warehouse

_SOURCES = re.compile(r"_(.+)__sources\.yml")


def add_columns(table: RawTable, members: Iterable[InspectedObject], warehouse: Warehouse) -> None:
    """Add the new columns of some objects to the raw table, those that it has not."""
    wanted = {column.name: column for one in members for column in one.match.new_columns}
    if not wanted:
        return
    there = warehouse.columns_of(table.schema)[table.name]
    for name, column in wanted.items():
        if name not in there:
            warehouse.execute(warehouse.dialect.add_column(table, column))


def remarks(table: RawTable, one: InspectedObject) -> list[str]:
    """What somebody should know of the columns of an object that is loaded."""
    found = []
    if one.match.missing:
        found.append(f"'{one.key}' lacks {', '.join(one.match.missing)}; loaded as null")
    if one.match.new_columns:
        found.append(
            f"'{one.key}' has columns that {table.name} does not declare; they are loaded, and models see them once"
            f" {staging_model(table)} selects them. Judge them and paste into {table.declared_in}, under the columns of"
            f" {table.name}:\n" + "\n".join(_declaration(column) for column in one.match.new_columns)
        )
    if one.match.ignored:
        found.append(f"'{one.key}' has unknown columns, left out: {', '.join(map(repr, one.match.ignored))}")
    return found


def staging_model(table: RawTable) -> str:
    """The model that reads the raw table, by the project's rule of names."""
    declared = PurePosixPath(table.declared_in)
    named = _SOURCES.fullmatch(declared.name)
    source = named.group(1) if named else table.source.removeprefix("raw_")
    return str(declared.parent / "base" / f"base_{source}__{table.name}.sql")


def _declaration(column: Column) -> str:
    # Until a person has judged it, a new column counts as one that identifies somebody.
    aliases = f", aliases: [{', '.join(map(json.dumps, column.aliases))}]" if column.aliases else ""
    return (
        f"          - name: {column.name}\n"
        f"            data_type: {column.data_type}\n"
        f"            config: {{meta: {{phi: direct{aliases}}}}}"
    )

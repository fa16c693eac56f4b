"""Who unloaded what, where to, and why: one row for each run in raw_meta.unload_ledger.

The row is there before the first byte goes out, with the status `started`, so that a run which is killed leaves its
trace; the end of the run completes it as `published` or `failed`.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from biostar.contracts import RawTable, Source
from biostar.errors import ConfigurationError
from biostar.unload.engine import Engine
from biostar.unload.phi import personal_columns
from biostar.unload.request import Options, OutColumn, Subject
from biostar.warehouse import quote_identifier

TABLE = "unload_ledger"


@dataclass(frozen=True)
class Entry:
    """A row that was begun."""

    table: RawTable
    unload_id: str


def ledger_table(sources: Sequence[Source]) -> RawTable:
    """The declared table.

    Raises:
        ConfigurationError: the project does not declare it.
    """
    for source in sources:
        for table in source.tables:
            if source.landing is None and table.name == TABLE:
                return table
    raise ConfigurationError(
        f"the project does not declare the table '{TABLE}'", next_step="restore models/staging/meta/_meta__sources.yml"
    )


def begin_entry(
    engine: Engine,
    table: RawTable,
    unload_id: str,
    subject: Subject,
    columns: Sequence[OutColumn],
    options: Options,
    uri: str,
    now: datetime.datetime,
) -> Entry:
    """Write down that a run begins, and commit it."""
    values = {
        "unload_id": unload_id,
        "user_name": _cut(table, "user_name", engine.user()),
        "started_at": now,
        "status": "started",
        "relation": _cut(table, "relation", subject.name),
        "column_names": _cut(table, "column_names", ", ".join(column.name for column in columns)),
        "phi_columns": _cut(table, "phi_columns", ", ".join(personal_columns(columns))) or None,
        "reason": _cut(table, "reason", options.reason) or None,
        "destination": _cut(table, "destination", uri),
        "file_format": options.format,
    }
    names = ", ".join(quote_identifier(name) for name in values)
    marks = ", ".join("?" for _ in values)
    engine.begin()
    engine.create_books(table)
    engine.execute(f"insert into {_name(table)} ({names}) values ({marks})", tuple(values.values()))
    engine.commit()
    return Entry(table, unload_id)


def end_entry(
    engine: Engine,
    entry: Entry,
    status: str,
    now: datetime.datetime,
    *,
    rows: int | None = None,
    size: int | None = None,
    files: int | None = None,
    manifest: str | None = None,
) -> None:
    """Complete the row of a run, and commit it."""
    engine.begin()
    engine.execute(
        f"update {_name(entry.table)} set status = ?, finished_at = ?, row_count = ?, byte_count = ?, file_count = ?,"
        " manifest = ? where unload_id = ?",
        (status, now, rows, size, files, manifest, entry.unload_id),
    )
    engine.commit()


def _name(table: RawTable) -> str:
    return quote_identifier(table.schema, table.name)


def _cut(table: RawTable, column: str, text: str) -> str:
    """Text that its column can hold; Redshift counts bytes."""
    return text.encode()[: table.by_name[column].width].decode(errors="ignore")

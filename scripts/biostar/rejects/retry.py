"""Another try for refused records: their lines of the object, and no others, as a load of their own.

Records that go in are marked as resolved by that load; those that do not stay open as they were.
"""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Sequence

from biostar.contracts import Source
from biostar.errors import DataError, ObjectError
from biostar.landing import LandedObject, Landing, list_landing
from biostar.load import Batch, LedgerEntry, Plan
from biostar.load.books import OpenReject


def plan_retry(
    landing: Landing, sources: Sequence[Source], rejects: Sequence[OpenReject], ledger: Sequence[LedgerEntry]
) -> Plan:
    """One batch for each table and day that has rejects to try again.

    Left out, with the reason, are records whose line is not known, and objects that are not there as they were loaded.

    Raises:
        ConfigurationError: the landing does not exist.
        DataError: part of it cannot be listed.
    """
    batches: list[Batch] = []
    failures: list[DataError] = []
    warnings: list[str] = []
    for source in sources:
        mine: dict[tuple[str, str], list[OpenReject]] = {}
        for reject in rejects:
            if reject.source == source.name:
                mine.setdefault((reject.table, reject.key), []).append(reject)
        if source.landing is None or not mine:
            continue
        tables = {table.name: table for table in source.tables}
        there = {(found.table, found.key): found for found in list_landing(landing, source.landing, tables).objects}
        entries = {(entry.table, entry.key): entry for entry in ledger if entry.source == source.name}
        days: dict[tuple[datetime.date, str], list[tuple[LandedObject, tuple[OpenReject, ...]]]] = {}
        for (table, key), found_rejects in mine.items():
            if tables[table].file_format == "parquet":
                warnings.append(
                    f"'{key}' is Parquet, whose records cannot be read one by one; load it anew:"
                    f" biostar load --reload {shlex.quote(key)}"
                )
                continue
            known = tuple(reject for reject in found_rejects if reject.line is not None)
            if len(known) < len(found_rejects):
                warnings.append(
                    f"of {len(found_rejects) - len(known):,} records of '{key}' the line is not known; they can only be"
                    f" loaded with their whole object: biostar load --reload {shlex.quote(key)}"
                )
            if not known:
                continue
            landed, entry = there.get((table, key)), entries.get((table, key))
            if landed is None or entry is None or not landing.is_same(landed, entry.size, entry.etag):
                failures.append(
                    ObjectError(
                        f"'{key}' is not in the landing as it was loaded, so its refused records are not there either",
                        key,
                        undone=f"{len(known):,} records of it",
                        next_step=f"put it back, or load what is there now: biostar load --reload {shlex.quote(key)}",
                    )
                )
                continue
            days.setdefault((entry.ingest_date, table), []).append((landed, known))
        batches += [
            Batch(
                tables[table],
                day,
                tuple(landed for landed, _ in members),
                retried={landed.key: known for landed, known in members},
            )
            for (day, table), members in sorted(days.items())
        ]
    return Plan(tuple(batches), tuple(failures), tuple(warnings))

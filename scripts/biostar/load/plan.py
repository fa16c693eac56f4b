"""What a run would load: the landing held against the declarations and the ledger. Nothing is written here."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from biostar.contracts import RawTable, Source
from biostar.errors import ConfigurationError, DataError, UsageError
from biostar.landing import LandedObject, Landing, Listing, list_landing

BOOKS = "raw_meta"
"""The source that declares load_ledger and load_rejects."""


@dataclass(frozen=True)
class LedgerEntry:
    """An object that was loaded."""

    source: str
    table: str
    key: str
    etag: str
    size: int


@dataclass(frozen=True)
class Batch:
    """The new objects of one table and ingest date."""

    table: RawTable
    ingest_date: datetime.date
    objects: tuple[LandedObject, ...]

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.table.name} of {self.ingest_date}"

    @property
    def size(self) -> int:
        """Bytes as they lie in the landing."""
        return sum(landed.size for landed in self.objects)


@dataclass(frozen=True)
class Plan:
    """What is to be done, in order, and what stands in the way of the rest.

    Attributes:
        batches: by ingest date, then table.
        failures: what cannot be loaded and needs somebody who delivers data.
        warnings: what is odd but loads, or is left out on purpose.
        skipped: objects that are in the ledger already.
        missing_tables: declared tables of which the landing and the ledger hold nothing.
    """

    batches: tuple[Batch, ...]
    failures: tuple[DataError, ...]
    warnings: tuple[str, ...]
    skipped: int
    missing_tables: tuple[str, ...]


def landed_tables(sources: Iterable[Source]) -> dict[str, RawTable]:
    """Every table that files are landed for, by name."""
    tables: dict[str, RawTable] = {}
    for source in sources:
        for table in source.tables:
            if source.landing is not None:
                tables[table.name] = table
    return tables


def books_schema(sources: Iterable[Source]) -> str:
    """Schema of the ledger.

    Raises:
        ConfigurationError: the project does not declare it.
    """
    for source in sources:
        if source.name == BOOKS:
            return source.schema
    raise ConfigurationError(
        f"the project does not declare the source '{BOOKS}' with load_ledger and load_rejects",
        next_step="restore models/staging/meta/_meta__sources.yml",
    )


def choose_tables(sources: Iterable[Source], wanted: Sequence[str]) -> frozenset[str]:
    """Names of the tables to load: all, or those wanted.

    Raises:
        UsageError: one of them is not declared.
    """
    known = landed_tables(sources)
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"there is no table '{name}'{_nearest(name, known)}",
                next_step=f"choose from {', '.join(sorted(known))}",
            )
    return frozenset(wanted or known)


def make_plan(
    landing: Landing,
    sources: Sequence[Source],
    wanted: frozenset[str],
    ledger: Sequence[LedgerEntry],
    today: datetime.date,
) -> Plan:
    """Hold the landing against the ledger.

    Args:
        landing: where the files are.
        sources: all that the project declares.
        wanted: names of the tables to load.
        ledger: every object that was ever loaded.
        today: the day in UTC; a delivery of a later one is odd, since it stays the newest until that day.

    Raises:
        ConfigurationError: the landing does not exist.
        DataError: part of it cannot be listed.
    """
    batches: list[Batch] = []
    failures: list[DataError] = []
    warnings: list[str] = []
    skipped = 0
    missing: list[str] = []
    for source in sources:
        if source.landing is None:
            continue
        tables = {table.name: table for table in source.tables}
        known = {(entry.table, entry.key): entry for entry in ledger if entry.source == source.name}
        listing = list_landing(landing, source.landing, frozenset(tables))
        if listing == Listing():
            warnings.append(f"there is no object under '{landing.uri.rstrip('/')}/{source.landing}/'")
        for name, count in sorted(listing.unknown_tables.items()):
            failures.append(
                DataError(
                    f"'{source.landing}/{name}' is no table of {source.name}{_nearest(name, tables)}",
                    undone=f"{count} object{'s' * (count != 1)} in it",
                    next_step=f"rename or remove the folder, or declare the table in {source.tables[0].declared_in}",
                )
            )
        for problem in listing.problems:
            failures.append(
                DataError(f"'{problem.where}': {problem.what}", undone="the object", next_step=problem.next_step)
            )
        warnings += [f"'{key}' is ignored: only .csv and .csv.gz are loaded" for key in _odd(listing.ignored)]

        fresh: dict[tuple[datetime.date, str], list[LandedObject]] = {}
        for landed in listing.objects:
            if landed.table not in wanted:
                continue
            entry = known.get((landed.table, landed.key))
            if entry is None:
                fresh.setdefault((landed.ingest_date, landed.table), []).append(landed)
            elif landing.is_same(landed, entry.size, entry.etag):
                skipped += 1
            else:
                failures.append(
                    DataError(
                        f"'{landed.key}' has changed since it was loaded",
                        undone="its new content",
                        next_step="deliver the new content under a new name, or under the ingest_date of its delivery",
                    )
                )
        # A day's grace: where the files come from, it may be tomorrow already.
        warnings += [
            f"{name} of {day} is of a day that is yet to come; what is delivered until then will not replace its rows."
            " If the folder's date is wrong, rename the folder before the next load"
            for day, name in sorted(fresh)
            if day > today + datetime.timedelta(days=1)
        ]
        batches += [Batch(tables[name], day, tuple(found)) for (day, name), found in sorted(fresh.items())]
        present = {landed.table for landed in listing.objects} | {table for table, _ in known}
        missing += [name for name in tables if name in wanted and name not in present]
    return Plan(tuple(batches), tuple(failures), tuple(warnings), skipped, tuple(missing))


def _odd(ignored: Iterable[str]) -> list[str]:
    """Ignored objects worth a word: not the markers and hidden files that every tool leaves behind."""
    return [key for key in ignored if not any(part.startswith((".", "_")) for part in key.split("/"))]


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f"; the nearest is '{near[0]}'" if near else ""

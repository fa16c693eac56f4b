"""What a run would load: the landing held against the declarations and the ledger. Nothing is written here."""

from __future__ import annotations

import datetime
import difflib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from biostar.contracts import RawTable, Source
from biostar.errors import DataError, ObjectError, UsageError
from biostar.landing import LandedObject, Landing, Listing, list_landing
from biostar.load.books import LedgerEntry, OpenReject


@dataclass(frozen=True, eq=False)
class Batch:
    """Objects of one table and ingest date that go in with one transaction.

    Attributes:
        table: where their rows go.
        ingest_date: the day of their delivery.
        objects: the objects, in order of key.
        replaces: the loads whose rows go, where this takes them anew.
        erased: objects of those loads that are not in the landing any more.
        retried: the refused records of each object that alone are to be taken, where this tries them again.
    """

    table: RawTable
    ingest_date: datetime.date
    objects: tuple[LandedObject, ...]
    replaces: tuple[int, ...] = ()
    erased: tuple[str, ...] = ()
    retried: Mapping[str, tuple[OpenReject, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.table.name} of {self.ingest_date}"

    @property
    def kind(self) -> str:
        """`new`, `reload` or `retry`."""
        return "reload" if self.replaces else "retry" if self.retried else "new"

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
        vanished: objects of the ledger that are not in the landing any more.
    """

    batches: tuple[Batch, ...]
    failures: tuple[DataError, ...] = ()
    warnings: tuple[str, ...] = ()
    skipped: int = 0
    missing_tables: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()


def landed_tables(sources: Iterable[Source]) -> dict[str, RawTable]:
    """Every table that files are landed for, by name."""
    tables: dict[str, RawTable] = {}
    for source in sources:
        for table in source.tables:
            if source.landing is not None:
                tables[table.name] = table
    return tables


def choose_tables(sources: Iterable[Source], wanted: Sequence[str]) -> frozenset[str]:
    """Names of the tables to load: all, or those wanted.

    Raises:
        UsageError: one of them is not declared.
    """
    known = landed_tables(sources)
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"there is no table '{name}'{nearest(name, known)}",
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
        ledger: every object whose rows stand.
        today: the day in UTC; a delivery of a later one is odd, since it stays the newest until that day.

    Raises:
        ConfigurationError: the landing does not exist.
        DataError: part of it cannot be listed.
    """
    batches: list[Batch] = []
    failures: list[DataError] = []
    warnings: list[str] = []
    skipped = 0
    vanished: list[str] = []
    missing: list[str] = []
    for source in sources:
        if source.landing is None:
            continue
        tables = {table.name: table for table in source.tables}
        known = {(entry.table, entry.key): entry for entry in ledger if entry.source == source.name}
        listing = list_landing(landing, source.landing, tables)
        if listing == Listing():
            warnings.append(f"there is no object under '{landing.uri.rstrip('/')}/{source.landing}/'")
        for name, count in sorted(listing.unknown_tables.items()):
            failures.append(
                DataError(
                    f"'{source.landing}/{name}' is no table of {source.name}{nearest(name, tables)}",
                    undone=f"{count} object{'s' * (count != 1)} in it",
                    next_step=f"rename or remove the folder, or declare the table in {source.tables[0].declared_in}",
                )
            )
        for problem in listing.problems:
            failures.append(
                DataError(f"'{problem.where}': {problem.what}", undone="the object", next_step=problem.next_step)
            )
        warnings += listing.warnings

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
                failures.append(changed(landed.key))
        # A day's grace: where the files come from, it may be tomorrow already.
        warnings += [
            f"{name} of {day} is of a day that is yet to come; what is delivered until then will not replace its rows."
            " If the folder's date is wrong, rename the folder before the next load"
            for day, name in sorted(fresh)
            if day > today + datetime.timedelta(days=1)
        ]
        batches += [Batch(tables[name], day, tuple(found)) for (day, name), found in sorted(fresh.items())]
        there = {(landed.table, landed.key) for landed in listing.objects}
        there |= {(table, problem.where) for table in tables for problem in listing.problems}
        vanished += [key for table, key in known if table in wanted and (table, key) not in there]
        present = {landed.table for landed in listing.objects} | {table for table, _ in known}
        missing += [name for name in tables if name in wanted and name not in present]
    return Plan(tuple(batches), tuple(failures), tuple(warnings), skipped, tuple(missing), tuple(vanished))


def changed(key: str) -> ObjectError:
    """What is said of an object whose content is not the one that was loaded."""
    return ObjectError(
        f"'{key}' has changed since it was loaded",
        key,
        undone="its new content",
        next_step="deliver the new content under a new name, or under the ingest_date of its delivery; or put it in the"
        f" place of the old: biostar load --reload {shlex.quote(key)}",
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """`; the nearest is '…'`, where one is near."""
    near = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f"; the nearest is '{near[0]}'" if near else ""

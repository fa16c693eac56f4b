"""What lies under a landing: each object is one to load, one to leave out by a stated rule, or a problem that names it.

Nothing is passed over in silence. Where an object of a table must lie, and which day of delivery that means, is said by
the layout of the table; see `biostar.landing.layouts`.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from biostar.contracts import FileFormat, RawTable
from biostar.errors import BiostarError
from biostar.landing.layouts import MisplacedError, Partition, place
from biostar.landing.manifest import MANIFEST, ManifestError, read_manifest, resolve

LONGEST_KEY = 1024
"""Bytes; what S3 allows a key and the ledger's column takes."""

_COMPRESSIONS = ("", ".gz", ".zst")
_SUFFIXES: Mapping[FileFormat, tuple[str, ...]] = {
    "csv": tuple(f".csv{end}" for end in _COMPRESSIONS),
    "json": tuple(f"{start}{end}" for start in (".json", ".jsonl", ".ndjson") for end in _COMPRESSIONS),
    "parquet": (".parquet",),
}


@dataclass(frozen=True)
class Found:
    """An object as a listing shows it: key relative to the landing, bytes, and a stamp that changes with the content.

    The stamp is the time of the last change for a file and the ETag for an object in S3; `modified` is the time of the
    last change of both, UTC. `fault` says why it cannot be read, if a look at it shows that already.
    """

    key: str
    size: int
    stamp: str
    fault: str = ""
    modified: datetime.datetime | None = None


@dataclass(frozen=True)
class LandedObject:
    """An object to load.

    Attributes:
        key: its path below the landing.
        table: the table that its rows are for.
        ingest_date: the day of delivery.
        size: its bytes as they lie.
        stamp: changes with the content.
        partitions: what its folders say of each of its rows, the day of delivery included, as name and value.
        records: how many it holds by the manifest that lists it, where one does.
    """

    key: str
    table: str
    ingest_date: datetime.date
    size: int
    stamp: str
    partitions: tuple[Partition, ...] = ()
    records: int | None = None


class Landing(Protocol):
    """Where files land. Errors are DataError where an object is at fault, WarehouseError where the store is."""

    uri: str

    def find(self, folder: str) -> Iterator[Found]:
        """Every object below `folder`, in order of key; ConfigurationError if the landing does not exist.

        What lies there and cannot be read is yielded with its fault, since the rest can still be loaded.
        """

    def open(self, key: str) -> BinaryIO:
        """The bytes of an object, as a stream that the caller closes."""

    def address(self, key: str) -> str:
        """Where a warehouse reads the object."""

    def etag(self, found: LandedObject, content_hash: str) -> str:
        """What the ledger keeps to tell a changed object from the same one."""

    def is_same(self, found: LandedObject, ledger_size: int, ledger_etag: str) -> bool:
        """Whether the object is the one in the ledger; reads it only where its stamp alone cannot tell."""

    def warehouse_settings(self) -> dict[str, str]:
        """What a warehouse must be told to read the addresses; nothing for a folder."""

    def is_settled(self, found: LandedObject) -> bool:
        """Whether the object is still as it was listed, so that what was read is what was verified."""


@dataclass(frozen=True)
class Problem:
    """An object, or a folder of objects, that cannot be loaded for where it lies."""

    where: str
    what: str
    next_step: str


@dataclass
class Listing:
    """What lies under the folder of one source.

    Attributes:
        objects: what to load, in order of ingest date, then key.
        problems: what cannot be loaded.
        ignored: keys that are left out: hidden ones, those that a manifest does not list, those of another kind.
        odd: of each folder with objects of another kind: the first of them, how many, and why.
        unknown_tables: folders that are no table, and how many objects lie in each.
    """

    objects: list[LandedObject] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    odd: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    unknown_tables: dict[str, int] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """What is left out and worth a word: not the markers and hidden files that every tool leaves behind."""
        return [
            f"'{first}' is ignored: {why}" + (f"; {count - 1:,} more in its folder" if count > 1 else "")
            for _, (first, count, why) in sorted(self.odd.items())
        ]


def list_landing(landing: Landing, source_folder: str, tables: Mapping[str, RawTable]) -> Listing:
    """Sort what lies under `<landing>/<source_folder>` into objects to load, problems, and what is left out.

    Left out are hidden names and markers (a part that starts with `.` or `_`), what the manifest of a table does not
    list, and names without a suffix of the table's format, where its layout asks for one.

    Raises:
        ConfigurationError: the landing does not exist.
        DataError: a part of it cannot be listed.
    """
    listing = Listing()
    alone = next(iter(tables)) if len(tables) == 1 else None
    of_table: dict[str, list[Found]] = {}
    for found in landing.find(source_folder):
        parts = found.key.split("/")[1:]
        if any(part.startswith((".", "_")) for part in parts):
            listing.ignored.append(found.key)
        elif found.fault:
            listing.problems.append(Problem(found.key, found.fault, "make it readable, or remove it"))
        elif len(found.key.encode()) > LONGEST_KEY:
            listing.problems.append(
                Problem(found.key, f"its key has more than {LONGEST_KEY:,} bytes", "deliver it under a shorter name")
            )
        elif alone and tables[alone].layout == "hourly" and parts[0] != alone and parts[0].isdecimal():
            # The stream of a source with one table: Firehose was given the folder of the source as its prefix.
            of_table.setdefault(alone, []).append(found)
        elif len(parts) > 1 and parts[0] not in tables:
            listing.unknown_tables[parts[0]] = listing.unknown_tables.get(parts[0], 0) + 1
        elif len(parts) == 1:
            if parts[0].lower().endswith(tuple(end for ends in _SUFFIXES.values() for end in ends)):
                listing.problems.append(
                    Problem(found.key, "does not lie in a folder of a table", f"move it to {source_folder}/<table>/…")
                )
            else:
                _leave_out(listing, found.key, "it does not lie in a folder of a table")
        else:
            of_table.setdefault(parts[0], []).append(found)
    for name, objects in of_table.items():
        _list_table(listing, landing, source_folder, tables[name], objects)
    listing.objects.sort(key=lambda landed: (landed.ingest_date, landed.key))
    return listing


def _list_table(listing: Listing, landing: Landing, source_folder: str, table: RawTable, objects: list[Found]) -> None:
    home = f"{source_folder}/{table.name}/"
    records: dict[str, int | None] | None = None
    manifest = next((found for found in objects if found.key == home + MANIFEST), None)
    if manifest is not None:
        try:
            with landing.open(manifest.key) as stream:
                entries = read_manifest(stream)
            records = resolve(entries, home, {found.key: found.size for found in objects})
        except ManifestError as fault:
            # A manifest is published last and promises a whole; a part of it is not what was unloaded.
            listing.problems.append(Problem(manifest.key, str(fault), "copy the whole of what it lists again"))
            return
        except BiostarError as fault:
            listing.problems.append(Problem(manifest.key, fault.message, fault.next_step))
            return
    for found in objects:
        if found is manifest or (records is not None and found.key not in records):
            listing.ignored.append(found.key)
            continue
        if records is None and not _is_wanted(found.key, table):
            _leave_out(listing, found.key, f"{table.name} takes {', '.join(_SUFFIXES[table.file_format])}")
            continue
        inside = found.key.removeprefix(home) if found.key.startswith(home) else found.key.partition("/")[2]
        try:
            day, partitions = place(inside, table, found.modified, listed=records is not None)
        except MisplacedError as fault:
            listing.problems.append(Problem(found.key, fault.what, fault.next_step.replace("<table>/", home)))
            continue
        listing.objects.append(
            LandedObject(
                found.key,
                table.name,
                day,
                found.size,
                found.stamp,
                partitions,
                records[found.key] if records is not None else None,
            )
        )


def _is_wanted(key: str, table: RawTable) -> bool:
    # Firehose names its objects without a suffix unless it is told one, and `.gz` when it compresses; what writes JSON
    # to S3 mostly does likewise. There every object counts, and one of another kind is found out when it is read.
    if table.file_format == "json" or table.layout == "hourly":
        return True
    return key.lower().endswith(_SUFFIXES[table.file_format])


def _leave_out(listing: Listing, key: str, why: str) -> None:
    listing.ignored.append(key)
    folder = key.rpartition("/")[0]
    first, count, _ = listing.odd.get(folder, (key, 0, why))
    listing.odd[folder] = (first, count + 1, why)

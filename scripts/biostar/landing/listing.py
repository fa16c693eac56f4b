"""The layout of a landing, `<landing>/<source>/<table>/ingest_date=YYYY-MM-DD/<any name>.csv[.gz]`, and what breaks it.

Nothing that lies there is passed over in silence: each object is one to load, one to ignore by a stated rule, or a
problem that names it.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

SUFFIXES = (".csv", ".csv.gz")

FIRST_YEAR, LAST_YEAR = 1970, 2100
"""A delivery has a day on which there were files, and one that dim_date has: a patient's versions begin on it."""

_PARTITION = re.compile(r"ingest_date=(.*)", re.DOTALL)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class Found:
    """An object as a listing shows it: key relative to the landing, bytes, and a stamp that changes with the content.

    The stamp is the time of the last change for a file and the ETag for an object in S3. `fault` says why it cannot be
    read, if a look at it shows that already.
    """

    key: str
    size: int
    stamp: str
    fault: str = ""


@dataclass(frozen=True)
class LandedObject:
    """An object to load."""

    key: str
    table: str
    ingest_date: datetime.date
    size: int
    stamp: str


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
    """What lies under the folder of one source."""

    objects: list[LandedObject] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    unknown_tables: dict[str, int] = field(default_factory=dict)


def list_landing(landing: Landing, source_folder: str, tables: frozenset[str]) -> Listing:
    """Sort what lies under `<landing>/<source_folder>` into objects to load, problems, and what is ignored.

    Ignored are hidden names and markers (a part that starts with `.` or `_`), and names that do not end in .csv or
    .csv.gz. Objects are in order of ingest date, then key, which is the order to load them in.
    """
    listing = Listing()
    for found in landing.find(source_folder):
        parts = found.key.split("/")[1:]
        if any(part.startswith((".", "_")) for part in parts) or not parts[-1].lower().endswith(SUFFIXES):
            listing.ignored.append(found.key)
        elif found.fault:
            listing.problems.append(Problem(found.key, found.fault, "make it readable, or remove it"))
        elif len(parts) > 1 and parts[0] not in tables:
            listing.unknown_tables[parts[0]] = listing.unknown_tables.get(parts[0], 0) + 1
        elif len(parts) < 3 or not (partition := _PARTITION.fullmatch(parts[1])):
            listing.problems.append(
                Problem(
                    found.key,
                    "does not lie in a folder ingest_date=YYYY-MM-DD of its table",
                    f"move it to {source_folder}/<table>/ingest_date=YYYY-MM-DD/",
                )
            )
        else:
            day = _day(partition.group(1))
            if day is None:
                listing.problems.append(
                    Problem(
                        found.key,
                        f"'{parts[1]}' is not a day from 1970 to 2100 written YYYY-MM-DD",
                        "rename the folder to the day of delivery",
                    )
                )
            else:
                listing.objects.append(LandedObject(found.key, parts[0], day, found.size, found.stamp))
    listing.objects.sort(key=lambda landed: (landed.ingest_date, landed.key))
    return listing


def _day(text: str) -> datetime.date | None:
    # fromisoformat takes 20240208 and 2024-W06-4 from Python 3.11 on; the layout is one spelling only.
    if not _DATE.fullmatch(text):
        return None
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None

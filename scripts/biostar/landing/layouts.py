"""How the folder of a table is divided: where an object must lie, and which day of delivery that means.

daily   `ingest_date=YYYY-MM-DD/<any name>`
hourly  `YYYY/MM/DD/HH/<any name>`, the prefix that Amazon Data Firehose gives its objects, in UTC unless told otherwise
        (https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html)
hive    folders `key=value`, one of which is the day (`ingest_date`, `dt`, `date`, or `year`, `month` and `day`)
dms     `LOAD00000001.csv` and so on, counted in hexadecimal, of a full load, and `YYYYMMDD-HHMMSS….csv` of ongoing
        changes, in folders for the day or not, as AWS Database Migration Service names them
        (https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Target.S3.html)
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from biostar.contracts import Layout, RawTable

FIRST_YEAR, LAST_YEAR = 1970, 2100
"""A delivery has a day on which there were files, and one that dim_date has: a patient's versions begin on it."""

Partition = tuple[str, "str | None"]
"""A folder `name=value`; the value is None where Hive wrote a null."""

DATE_KEYS = ("ingest_date", "dt", "date")
"""Names of a hive folder that holds the day of delivery; the first of them that is there counts."""

TIME_KEYS = ("year", "month", "day", "hour")
"""Names of hive folders that hold parts of it."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PARTITION = re.compile(r"([^=]+)=(.*)", re.DOTALL)
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
_HOURLY = re.compile(r"(\d{4})/(\d{2})/(\d{2})/([01]\d|2[0-3])/", re.ASCII)
_FULL_LOAD = re.compile(r"LOAD[0-9A-F_]+\.", re.ASCII)
_CHANGES = re.compile(r"(\d{4})(\d{2})(\d{2})-\d{6,}", re.ASCII)


class MisplacedError(Exception):
    """An object lies where its layout does not have it.

    Attributes:
        what: what is wrong with its place.
        next_step: where it belongs; `<table>/` stands for the folder of its table.
    """

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step


def place(
    inside: str, table: RawTable, modified: datetime.datetime | None, *, listed: bool = False
) -> tuple[datetime.date, tuple[Partition, ...]]:
    """The day of delivery of an object, and what its folders say of each row.

    Args:
        inside: its path below the folder of its table.
        table: the table.
        modified: when it was written, UTC.
        listed: whether a manifest lists it; then the folders need not hold the day, and the day it was written counts.

    Raises:
        MisplacedError: its place or its name does not fit the layout.
    """
    return _PLACES[table.layout](inside, table, modified, listed)


def is_full_load(key: str) -> bool:
    """Whether AWS DMS named the object as part of a full load."""
    return bool(_FULL_LOAD.match(key.rpartition("/")[2]))


def _daily(
    inside: str, table: RawTable, modified: datetime.datetime | None, listed: bool
) -> tuple[datetime.date, tuple[Partition, ...]]:
    folder, _, rest = inside.partition("/")
    if not rest or not folder.startswith("ingest_date="):
        raise MisplacedError(
            "does not lie in a folder ingest_date=YYYY-MM-DD of its table",
            "move it to <table>/ingest_date=YYYY-MM-DD/",
        )
    value = folder.removeprefix("ingest_date=")
    # fromisoformat takes 20240208 and 2024-W06-4 from Python 3.11 on; the layout is one spelling only.
    day = _day(*value.split("-")) if _DATE.fullmatch(value) else None
    if day is None:
        raise MisplacedError(
            f"'{folder}' is not a day from 1970 to 2100 written YYYY-MM-DD", "rename the folder to the day of delivery"
        )
    return day, ()


def _hourly(
    inside: str, table: RawTable, modified: datetime.datetime | None, listed: bool
) -> tuple[datetime.date, tuple[Partition, ...]]:
    hour = _HOURLY.match(inside)
    day = _day(*hour.groups()[:3]) if hour else None
    if day is None:
        raise MisplacedError(
            "does not lie in a folder YYYY/MM/DD/HH of its table, of a day from 1970 to 2100",
            "move it to <table>/YYYY/MM/DD/HH/; of what Firehose could not process, mend and deliver the records again",
        )
    return day, ()


def _hive(
    inside: str, table: RawTable, modified: datetime.datetime | None, listed: bool
) -> tuple[datetime.date, tuple[Partition, ...]]:
    folders = [folder for part in inside.split("/")[:-1] if (folder := _PARTITION.fullmatch(part))]
    values = {unquote(folder[1]).lower(): unquote(folder[2]) for folder in folders}
    if len(values) < len(folders):
        raise MisplacedError("lies in two folders for the same key", "move it to <table>/<key>=<value>/…")
    named = next((key for key in DATE_KEYS if key in values), None)
    day = None
    if named is not None:
        digits = values[named].replace("-", "") if _DATE.fullmatch(values[named]) else values[named]
        day = _day(digits[:4], digits[4:6], digits[6:]) if re.fullmatch(r"\d{8}", digits, re.ASCII) else None
        spent: tuple[str, ...] = (named,)
    else:
        parts = [values.get(key, "") for key in TIME_KEYS[:3]]
        if all(re.fullmatch(r"\d{1,4}", part, re.ASCII) for part in parts):
            day = _day(*parts)
        spent = TIME_KEYS if any(key in values for key in TIME_KEYS[:3]) else ()
    if day is None and listed and modified is not None and not spent:
        day = modified.date()
    if day is None:
        raise MisplacedError(
            "its folders name no day from 1970 to 2100: none is ingest_date, dt or date=YYYY-MM-DD, or all of year,"
            " month and day",
            "move it to <table>/ingest_date=YYYY-MM-DD/",
        )
    # What the day was read from is no column, unless one is declared for it.
    return day, tuple(
        (key, None if value == _HIVE_NULL else value)
        for key, value in values.items()
        if key not in spent or key in table.by_name
    )


def _dms(
    inside: str, table: RawTable, modified: datetime.datetime | None, listed: bool
) -> tuple[datetime.date, tuple[Partition, ...]]:
    name = inside.rpartition("/")[2]
    changes = _CHANGES.match(name)
    day = _day(*changes.groups()) if changes else None
    if is_full_load(name) and modified is not None:
        # Their names are counters. When they were written is when the full load was.
        day = modified.date()
    if day is None:
        raise MisplacedError(
            "is not named as AWS DMS names what it writes, LOAD… or YYYYMMDD-HHMMSS…",
            "remove it, or declare another layout for the table",
        )
    return day, ()


_PLACES: Mapping[
    Layout,
    Callable[[str, RawTable, datetime.datetime | None, bool], tuple[datetime.date, tuple[Partition, ...]]],
] = {"daily": _daily, "hourly": _hourly, "hive": _hive, "dms": _dms}


def _day(year: str, month: str, day: str) -> datetime.date | None:
    try:
        found = datetime.date(int(year), int(month), int(day))
    except ValueError:
        return None
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else None

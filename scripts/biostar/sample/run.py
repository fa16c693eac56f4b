"""Make a sample, or add a day to one: files under <to>/ehr, and the answer key beside them.

The same options give the same bytes, on any number of threads: rows are spread from an ordered table of clones, every
look-up is by a unique key with the looked-up side on the right, and the optimizer is told to leave it there.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import date, timedelta
from math import ceil
from pathlib import Path

import duckdb

from biostar.errors import ConfigurationError, DataError, UsageError, WarehouseError
from biostar.project import project_root
from biostar.sample import base
from biostar.sample.answer_key import DropCount, Group, count_drop, resend
from biostar.sample.defects import MAX_RATE, RESENT_TABLES
from biostar.sample.deliveries import AddedDay, World, delivered_rows, file_columns, later_deliveries
from biostar.sample.files import break_rows, compress
from biostar.sample.tables import TABLES, TableSpec

LAST_INGEST_DATE = date(2024, 2, 8)
"""Ingest date of the last drop of a sample: the day after the last event of the shipped data is known."""

EPOCH = date(1970, 1, 1)
BLOCK = 2500
"""Clones in one file of the first drop: at most about 230 MB."""

ANSWER_KEY = "answer_key.json"
RESENT_PART = 900
FORMATS = ("plain", "gzip")
HEADERS = ("3.0", "newest")

OnTable = Callable[[str, int, int], None]
"""Called before each table of each drop, with its name, how many are done and how many there are."""


@dataclass(frozen=True)
class SampleOptions:
    """What a sample is made of; the same options give the same bytes."""

    patients: int
    days: int = 1
    seed: int = 1
    format: str = "plain"
    header: str = "3.0"
    defects: float = 0.0

    def check(self) -> None:
        """Raise UsageError where a value is out of its range."""
        if not 1 <= self.patients <= 1_000_000:
            raise UsageError(f"--patients is {self.patients}, allowed are 1 to 1000000")
        if not 1 <= self.days <= 60:
            raise UsageError(f"--days is {self.days}, allowed are 1 to 60")
        if not 0 <= self.defects <= MAX_RATE:
            raise UsageError(f"--defects is {self.defects}, allowed are 0 to {MAX_RATE:.3f} for each kind of defect")
        if self.format not in FORMATS:
            raise UsageError(f"--format is '{self.format}', allowed are {', '.join(FORMATS)}")
        if self.header not in HEADERS:
            raise UsageError(f"--header is '{self.header}', allowed are {', '.join(HEADERS)}")


@dataclass(frozen=True)
class SampleResult:
    """What was written."""

    to: Path
    options: SampleOptions
    drops: tuple[date, ...]
    rows: dict[str, int]
    files: int
    bytes: int
    seconds: float

    def as_dict(self) -> dict[str, object]:
        """The result as a JSON document carries it."""
        return {
            "to": str(self.to),
            "options": asdict(self.options),
            "drops": [day.isoformat() for day in self.drops],
            "tables": self.rows,
            "rows": sum(self.rows.values()),
            "files": self.files,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 2),
            "answer_key": str(self.to / ANSWER_KEY),
        }


@dataclass
class _Sample:
    """A sample in the making: its options, the days added so far, and the connection that holds the base tables."""

    options: SampleOptions
    added: tuple[AddedDay, ...]
    connection: duckdb.DuckDBPyConnection
    headers: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[tuple[str, int], DropCount] = field(default_factory=dict)

    @property
    def world(self) -> World:
        return World(
            seed=self.options.seed,
            header=self.options.header,
            defect_rate=self.options.defects,
            first_known_day=self.population.last_day - (self.options.days - 1),
            drops=self.options.days,
            added=self.added,
        )

    @property
    def drop_dates(self) -> tuple[date, ...]:
        first = LAST_INGEST_DATE - timedelta(days=self.options.days - 1)
        return tuple(first + timedelta(days=number) for number in range(self.world.last_drop + 1))

    @property
    def population(self) -> base.Population:
        return base.Population(
            seed=self.options.seed,
            patients=self.options.patients,
            last_day=(LAST_INGEST_DATE - timedelta(days=1) - EPOCH).days,
            added=tuple((day.first_i, day.end_i) for day in self.added),
        )


def write_sample(
    options: SampleOptions,
    to: Path,
    replace_existing: bool = False,
    on_table: OnTable | None = None,
    threads: int | None = None,
) -> SampleResult:
    """Write a sample into an empty folder.

    Args:
        options: what to write.
        to: the landing folder; `ehr/` and `answer_key.json` are made in it.
        replace_existing: remove a sample that an earlier run left there. Nothing else is ever removed.
        on_table: told about progress.
        threads: of DuckDB; all cores by default.

    Raises:
        UsageError: an option is out of range, or the folder is not empty.
        ConfigurationError: the shipped files are missing.
        WarehouseError: the disk is full or cannot be written.
    """
    options.check()
    started = time.monotonic()
    with _disk_errors(to):
        _clear(to, replace_existing)
        _write_key(to, {"complete": False})
        with _open_sample(options, (), threads) as sample:
            drops = range(sample.world.last_drop + 1)
            _write_drops(sample, to, drops, on_table)
            return _finish(sample, to, drops, started)


def add_day(
    to: Path,
    new: float = 0.01,
    changed: float = 0.01,
    on_table: OnTable | None = None,
    threads: int | None = None,
) -> SampleResult:
    """Add the next day's drop to a sample: what happened that day, new patients, and corrected rows.

    Args:
        to: the folder of the sample.
        new: share of the patients that register that day, each with the whole history.
        changed: share of the rows known so far that come again with another value.
        on_table: told about progress.
        threads: of DuckDB; all cores by default.

    Raises:
        UsageError: a share is out of range, or there is no sample.
        DataError: the sample was not finished.
    """
    for name, share in (("--new", new), ("--changed", changed)):
        if not 0 <= share <= 1:
            raise UsageError(f"{name} is {share}, allowed are 0 to 1")
    started = time.monotonic()
    options, added = _read_key(to)
    first_i = added[-1].end_i if added else options.patients
    day = AddedDay(options.days + len(added), first_i, first_i + ceil(first_i * new), changed)
    with _disk_errors(to), _open_sample(options, (*added, day), threads) as sample:
        # Written aside and moved at the end: a run that is killed leaves the sample as it was.
        aside = to / ".next-day"
        if aside.exists():
            shutil.rmtree(aside)
        _write_drops(sample, aside, range(day.drop, day.drop + 1), on_table)
        _write_key(to, {"complete": False})
        for folder in sorted(aside.glob("ehr/*/*")):
            folder.rename(to / folder.relative_to(aside))
        shutil.rmtree(aside)
        return _finish(sample, to, range(day.drop, day.drop + 1), started)


# -- files


def _clear(to: Path, replace_existing: bool) -> None:
    if to.exists() and not to.is_dir():
        raise UsageError(f"'{to}' is not a folder", undone="nothing was written", next_step="name a folder with --to")
    if not to.exists() or not any(to.iterdir()):
        to.mkdir(parents=True, exist_ok=True)
        return
    if not replace_existing:
        raise UsageError(
            f"'{to}' is not empty",
            undone="nothing was written",
            next_step="name an empty folder, or give --replace to remove the sample that is there",
        )
    if not (to / ANSWER_KEY).is_file():
        raise UsageError(
            f"'{to}' holds no {ANSWER_KEY}, so what is there was not made by biostar sample",
            undone="nothing was removed, nothing was written",
            next_step="empty the folder yourself, or name another one",
        )
    if (to / "ehr").exists():
        shutil.rmtree(to / "ehr")
    (to / ANSWER_KEY).unlink()


def _write_key(to: Path, document: dict[str, object]) -> None:
    """Write the answer key so that it is there whole or not at all."""
    partial = to / f".{ANSWER_KEY}.partial"
    partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    partial.replace(to / ANSWER_KEY)


def _read_key(to: Path) -> tuple[SampleOptions, tuple[AddedDay, ...]]:
    try:
        document = json.loads((to / ANSWER_KEY).read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise UsageError(
            f"'{to}' holds no {ANSWER_KEY}, so there is no sample to add a day to",
            next_step=f"biostar sample --patients 1000 --to {to}",
        ) from missing
    except ValueError as broken:
        raise DataError(f"'{to / ANSWER_KEY}' is not JSON", next_step="make the sample anew with --replace") from broken
    if not document.get("complete"):
        raise DataError(
            f"the sample in '{to}' was not finished",
            undone="nothing was added",
            next_step="make it anew with --replace",
        )
    return SampleOptions(**document["options"]), tuple(AddedDay(**day) for day in document["added_days"])


@contextmanager
def _disk_errors(to: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, duckdb.IOException) as error:
        reason = error.strerror if isinstance(error, OSError) else "the disk is full or a file cannot be written"
        raise WarehouseError(
            f"cannot write the sample to '{to}': {reason}",
            undone="the sample is not finished",
            next_step="make room or name another folder, then run the same command with --replace",
        ) from error


# -- making


@contextmanager
def _open_sample(options: SampleOptions, added: tuple[AddedDay, ...], threads: int | None) -> Iterator[_Sample]:
    folder = project_root() / "sample_data" / "synthea_27"
    missing = [table.name for table in TABLES if not (folder / f"{table.name}.csv.gz").is_file()]
    if missing:
        raise ConfigurationError(
            f"'{folder}' lacks {', '.join(f'{name}.csv.gz' for name in missing)}",
            undone="no sample was made",
            next_step="restore the folder from the repository: git checkout -- sample_data",
        )
    connection = duckdb.connect(
        config={"threads": threads or os.cpu_count() or 1, "memory_limit": "1200MB", "preserve_insertion_order": True}
    )
    try:
        connection.execute("set disabled_optimizers = 'join_order,build_side_probe_side'")
        sample = _Sample(options, added, connection)
        sample.headers = base.make_base(connection, folder, sample.population)
        yield sample
    finally:
        connection.close()


def _write_drops(sample: _Sample, to: Path, drops: range, on_table: OnTable | None) -> None:
    total = len(drops) * len(TABLES)
    for drop in drops:
        for number, table in enumerate(TABLES):
            if on_table:
                on_table(table.name, (drop - drops.start) * len(TABLES) + number, total)
            _write_table(sample, to, table, drop)


def _write_table(sample: _Sample, to: Path, table: TableSpec, drop: int) -> None:
    """Write the files of one table in one drop; a later drop without rows has none."""
    world = sample.world
    count = sample.counts[table.name, drop] = _count(sample, table, drop)
    if drop and not count.written:
        return
    folder = to / "ehr" / table.name / f"ingest_date={sample.drop_dates[drop].isoformat()}"
    folder.mkdir(parents=True)
    columns = file_columns(table, world, drop, sample.headers[table.name])
    step = BLOCK if drop == 0 and table.entity == "patient" else sample.population.clones
    copied = 0
    for part, low in enumerate(range(0, sample.population.clones, step)):
        path = folder / f"{table.name}-{part:03d}.csv"
        rows = delivered_rows(table, world, drop, low, low + step)
        sample.connection.execute(f"copy (select {columns} from ({rows})) to '{_quoted(path)}' (header, delimiter ',')")
        copied += sum(sample.connection.fetchone() or ())
        if world.defect_rate:
            break_rows(path)
        if sample.options.format == "gzip":
            compress(path)
    if copied != count.written:
        raise AssertionError(f"{table.name}, drop {drop}: {copied} rows written, {count.written} counted")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _count(sample: _Sample, table: TableSpec, drop: int) -> DropCount:
    world = sample.world
    rows = sample.connection.execute(
        f"""
        select defect, first_no < {drop}, {later_deliveries(table, world, drop)}, count(*)
        from ({delivered_rows(table, world, drop, 0, sample.population.clones, with_prices=False)})
        group by all
        """
    ).fetchall()
    return count_drop(Group(*row) for row in rows)


def _finish(sample: _Sample, to: Path, drops: range, started: float) -> SampleResult:
    """Send files again where that is a defect, count everything, and write the answer key."""
    dates = sample.drop_dates

    def files_of(name: str, drop: int) -> list[Path]:
        folder = to / "ehr" / name / f"ingest_date={dates[drop].isoformat()}"
        return [path for path in sorted(folder.glob("*")) if f"-{RESENT_PART}." not in path.name]

    counts: dict[tuple[str, int], DropCount] = {}
    for table in TABLES:
        for drop in range(len(dates)):
            files = files_of(table.name, drop)
            count = sample.counts.get((table.name, drop)) or (_count(sample, table, drop) if files else DropCount())
            count.files = len(files)
            count.bytes = sum(path.stat().st_size for path in files)
            counts[table.name, drop] = count
    last = sample.options.days - 1
    if sample.options.defects and last >= 2:
        for name in RESENT_TABLES:
            if sent := files_of(name, last - 1):
                copy = _send_again(to, name, sent[0], dates[last])
                resend(counts[name, last - 1], counts[name, last], copy.stat().st_size)
    document = {
        "complete": True,
        "about": "rows by table and drop, and what is expected once all drops are loaded and built: "
        "rows_written = structural_rejects + raw, raw = staged + rejected + superseded, exact_copies are superseded",
        "options": asdict(sample.options),
        "added_days": [asdict(day) for day in sample.added],
        "drops": [day.isoformat() for day in dates],
        "totals": _totals(counts.values()),
        "tables": {
            table.name: {
                dates[drop].isoformat(): counts[table.name, drop].as_dict()
                for drop in range(len(dates))
                if counts[table.name, drop].files
            }
            for table in TABLES
        },
    }
    _write_key(to, document)
    written = {table.name: sum(counts[table.name, drop].written for drop in drops) for table in TABLES}
    return SampleResult(
        to=to,
        options=sample.options,
        drops=tuple(dates[drop] for drop in drops),
        rows=written,
        files=sum(counts[table.name, drop].files for table in TABLES for drop in drops),
        bytes=sum(counts[table.name, drop].bytes for table in TABLES for drop in drops),
        seconds=time.monotonic() - started,
    )


def _send_again(to: Path, table: str, path: Path, day: date) -> Path:
    folder = to / "ehr" / table / f"ingest_date={day.isoformat()}"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / path.name.replace("-000.", f"-{RESENT_PART}.")
    shutil.copyfile(path, copy)
    return copy


def _totals(counts: Iterable[DropCount]) -> dict[str, object]:
    total = DropCount()
    for count in counts:
        for name in _SUMMED:
            setattr(total, name, getattr(total, name) + getattr(count, name))
        for kind, rows in count.defects.items():
            total.defects[kind] = total.defects.get(kind, 0) + rows
    return total.as_dict()


_SUMMED = tuple(item.name for item in fields(DropCount) if item.name != "defects")

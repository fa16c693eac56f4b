"""Random schedules of a loader's life: deliveries, faults at any step, clocks that jump; and what must stand then.

A schedule is a number; the same number makes the same schedule. What is delivered is known row by row, so that the end
is compared with the truth and not with another run of the loader.
"""

from __future__ import annotations

import datetime
import gzip
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from biostar.contracts import Source
from biostar.errors import TransientError, WarehouseError
from biostar.landing import Landing
from biostar.load import LoadReport, books_of, choose_tables, make_plan, read_ledger, run_plan
from biostar.load.attempts import Patience
from biostar.load.steps import STEPS
from biostar.warehouse import Warehouse

SOURCES = """
sources:
  - name: raw_ehr
    schema: "{{ env_var('BIOSTAR_SCHEMA_PREFIX', '') }}raw_ehr"
    config: {meta: {landing: ehr, max_errors: 100%}}
    tables:
      - name: visits
        config: {meta: {natural_key: [id], unknown_columns: evolve}}
        columns: [{name: id, data_type: varchar(16)}, {name: note, data_type: varchar(8)}]
      - name: wards
        config: {meta: {natural_key: [id], unknown_columns: ignore}}
        columns:
          - {name: id, data_type: varchar(16)}
          - {name: note, data_type: varchar(8), config: {meta: {aliases: [remark]}}}
"""
DAYS = ("2024-02-08", "2024-02-09")
HEADERS = {"visits": ("Id,Note", "note,ID", "Id,Note,Ward"), "wards": ("Id,Note", "Id,Remark", "x,Id,Note")}


class Killed(BaseException):
    """The process ends here, without a word to anybody."""


@dataclass
class Truth:
    """What was delivered: ids of good rows by table, and (object, line) of bad records; both once each."""

    good: dict[str, list[str]] = field(default_factory=lambda: {"visits": [], "wards": []})
    bad: list[tuple[str, int]] = field(default_factory=list)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)


class Deliveries:
    """Writes objects of a schedule through `put(key, bytes)` and keeps the truth about them."""

    def __init__(self, chance: random.Random, put: Callable[[str, bytes], None]) -> None:
        self.truth = Truth()
        self._chance = chance
        self._put = put
        self._number = 0
        self._broken: list[str] = []

    def deliver(self) -> None:
        """A new object; one in eight is damaged, and delivered better some time later."""
        chance = self._chance
        table = chance.choice(sorted(HEADERS))
        self._number += 1
        key = f"ehr/{table}/ingest_date={chance.choice(DAYS)}/part-{self._number:02}.csv"
        if chance.random() < 0.125:
            self._put(key, gzip.compress(b"Id,Note\n1,a\n")[:-9])
            self._broken.append(key)
        else:
            self._write(key, table)

    def mend(self) -> None:
        """Deliver what was damaged anew."""
        for key in self._broken:
            self._write(key, key.split("/")[1])
        self._broken = []

    def _write(self, key: str, table: str) -> None:
        chance = self._chance
        header = chance.choice(HEADERS[table])
        names = header.lower().split(",")
        lines = [header]
        good = bad = 0
        for number in range(chance.randrange(8)):
            fields = [f"{key[-6:-4]}-{number}" if name == "id" else "n" for name in names]
            kind = chance.random()
            if kind < 0.1:
                fields = fields[:1]
            elif kind < 0.2:
                fields[-1 if names[-1] != "id" else 0] = "far too long to be a note" * (names[-1] != "ward" or 99)
            lines.append(",".join(fields))
            if kind < 0.2:
                self.truth.bad.append((key, len(lines)))
                bad += 1
            else:
                self.truth.good[table].append(f"{key[-6:-4]}-{number}")
                good += 1
        self.truth.counts[key] = (good, bad)
        text = ("\n".join(lines) + "\n").encode()
        self._put(key, gzip.compress(text) if chance.random() < 0.3 else text)


def load(
    landing: Landing,
    sources: tuple[Source, ...],
    warehouse: Warehouse,
    at: Callable[[str], None],
    *,
    now: datetime.datetime,
    jobs: int = 1,
) -> LoadReport:
    """What `biostar load` does."""
    ledger = read_ledger(warehouse, books_of(sources))
    plan = make_plan(landing, sources, choose_tables(sources, []), ledger, datetime.date(2026, 1, 1))
    patience = Patience(sleep=lambda seconds: None)
    return run_plan(plan, landing, sources, warehouse, ledger, now=lambda: now, jobs=jobs, at=at, patience=patience)


def fault(chance: random.Random, meanwhile: Callable[[], None] | None = None) -> Callable[[str], None]:
    """A hook that does something bad at one passing of one step.

    Args:
        chance: which step, which passing, and what.
        meanwhile: what another loader does at that moment, on targets where two can load at once.
    """
    step, passing = chance.choice(STEPS), chance.randrange(3)
    kinds: list[Any] = [Killed, TransientError("the connection broke"), WarehouseError("the store failed")]
    kind = chance.choice(kinds + [meanwhile] * 2 if meanwhile and step in ("inspected", "copied") else kinds)
    seen = 0

    def hook(name: str) -> None:
        nonlocal seen
        if name != step:
            return
        seen += 1
        if seen != passing + 1:
            return
        if kind is meanwhile and meanwhile is not None:
            meanwhile()
        # A commit that is done cannot fail any more; but the process can die after it.
        elif name == "committed" or kind is Killed:
            raise Killed
        else:
            raise kind

    return hook


def live(
    seed: int,
    landing: Landing,
    sources: tuple[Source, ...],
    put: Callable[[str, bytes], None],
    connect: Callable[[], Warehouse],
    *,
    rivals: bool,
    jobs: int = 1,
) -> Truth:
    """Live through one schedule and end with a plain run that must find nothing wrong; returns what was delivered."""
    chance = random.Random(seed)
    deliveries = Deliveries(chance, put)
    for _ in range(chance.randrange(1, 5)):
        deliveries.deliver()

    def moment() -> datetime.datetime:
        return datetime.datetime(2024, 1, 1) + datetime.timedelta(seconds=chance.randrange(10**8))

    def rival() -> None:
        with closed(connect()) as other:
            load(landing, sources, other, lambda step: None, now=moment())

    for _ in range(chance.randrange(1, 4)):
        with closed(connect()) as warehouse, suppress(Killed):
            load(landing, sources, warehouse, fault(chance, rival if rivals else None), now=moment(), jobs=jobs)
        if chance.random() < 0.5:
            deliveries.deliver()
        if chance.random() < 0.3:
            deliveries.mend()
    deliveries.mend()
    with closed(connect()) as warehouse:
        report = load(landing, sources, warehouse, lambda step: None, now=moment(), jobs=jobs)
        assert report.failures == [], f"schedule {seed}: {[failure.message for failure in report.failures]}"
        again = load(landing, sources, warehouse, lambda step: None, now=moment())
        assert (again.batches, again.failures) == ([], []), f"schedule {seed}: a further run found something to do"
        check(seed, deliveries.truth, sources, warehouse)
    return deliveries.truth


@contextmanager
def closed(warehouse: Warehouse) -> Iterator[Warehouse]:
    """A connection for the length of a block; what is not committed when it closes is lost, as when a process dies."""
    try:
        yield warehouse
    finally:
        warehouse.close()


def check(seed: int, truth: Truth, sources: tuple[Source, ...], warehouse: Warehouse) -> None:
    """Each good row once, each bad record once in the rejects, its line kept, and the ledger as the landing is."""
    books = books_of(sources)
    schema = sources[0].schema if sources[0].landing else next(s.schema for s in sources if s.landing)
    where = f"schedule {seed}"
    for table, ids in truth.good.items():
        rows = sorted(str(row[0]) for row in warehouse.query(f"select id from {schema}.{table}"))
        assert rows == sorted(ids), f"{where}: rows of {table}: {set(rows) ^ set(ids)}"
    rejects = warehouse.query(f"select object_key, line_number from {books.schema}.load_rejects")
    assert sorted((str(key), int(line)) for key, line in rejects) == sorted(truth.bad), f"{where}: rejects"
    lines = warehouse.query(f"select object_key, line_number from {books.lines.schema}.load_reject_lines")
    assert sorted((str(key), int(line)) for key, line in lines) == sorted(truth.bad), f"{where}: lines of rejects"
    ledger = warehouse.query(
        f"select object_key, rows_loaded, rows_rejected from {books.schema}.load_ledger"
        " where superseded_by_load_id is null"
    )
    found = sorted((str(key), int(good), int(bad)) for key, good, bad in ledger)
    assert found == sorted((key, *counts) for key, counts in truth.counts.items()), f"{where}: ledger"
    loads = warehouse.query(
        f"select r._load_id from {schema}.visits r left join {books.schema}.load_ledger l on r._load_id = l.load_id"
        " where l.load_id is null"
    )
    assert loads == [], f"{where}: rows of a load that the ledger does not know"

"""Several connections at once: tables are copied side by side, a table never, and load ids become visible in order."""

from __future__ import annotations

import datetime
import threading
from pathlib import Path

import pytest

from biostar.contracts import read_sources
from biostar.landing import open_landing
from biostar.standin import StandIn
from biostar.warehouse import open_warehouse
from conftest import PROJECT, SAMPLE
from redshift_lab import RedshiftLab, make_lab
from schedules import closed, load

TABLES = ("allergies", "conditions", "careplans", "devices")
DAYS = ("2024-02-08", "2024-02-09", "2024-02-10")
JOBS = 3


@pytest.fixture
def lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    made = make_lab(standin, tmp_path, monkeypatch, capsys)
    for table in TABLES:
        for day in DAYS:
            made.put(table, (SAMPLE / f"{table}.csv.gz").read_bytes(), day=day, name="part.csv.gz")
    return made


def test_tables_are_copied_side_by_side_and_published_in_order(lab: RedshiftLab) -> None:
    together = threading.Barrier(JOBS, timeout=60)
    first = threading.local()
    visible: list[tuple[int, ...]] = []
    sessions: set[int] = set()

    def hook(step: str) -> None:
        sessions.add(threading.get_ident())
        if step == "copied" and not hasattr(first, "passed"):
            # Nobody goes on until as many COPYs are done as there are connections: they do not wait for one another.
            first.passed = True
            together.wait()
        if step == "committed":
            rows = lab.query("select distinct load_id from {meta}.load_ledger")
            visible.append(tuple(sorted(load_id for (load_id,) in rows)))

    with closed(open_warehouse("standin")) as warehouse:
        report = load(
            open_landing(lab.landing),
            read_sources(PROJECT),
            warehouse,
            hook,
            now=datetime.datetime(2024, 3, 1),
            jobs=JOBS,
        )
    assert report.failures == []
    assert len(sessions) == JOBS
    assert len(report.batches) == len(TABLES) * len(DAYS) == len(visible)
    for seen in visible:
        assert seen == tuple(range(1, len(seen) + 1)), "a load id was visible before one that is lower"
    for table in TABLES:
        days = [batch.ingest_date.isoformat() for batch in report.batches if batch.table == table]
        assert days == list(DAYS), "the days of a table were not loaded in order"


def test_it_is_what_one_connection_loads(lab: RedshiftLab) -> None:
    ours = lab.load("--jobs", "8")
    theirs = lab.load(target="duckdb")
    assert (ours.code, ours.document["rows_loaded"]) == (0, theirs.document["rows_loaded"])
    rows = "select _ingest_date, patient, encounter, code, description from {raw}."
    for table in TABLES:
        found, expected = (sorted(lab.query(rows + table, target), key=repr) for target in ("standin", "duckdb"))
        assert found == expected
    books = "select object_key, object_etag, rows_read, rows_loaded, rows_rejected from {meta}.load_ledger"
    assert sorted(lab.query(books)) == sorted(lab.query(books, "duckdb"))
    assert lab.keys("_biostar") == []

"""After a reload and a retry the warehouse is the one that a fresh load of the final landing makes."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import duckdb
import pytest

from biostar.build.runner import run_build
from biostar.demo import rejects
from conftest import DAY, SAMPLE, Lab

Row = dict[str, str]
FACT = "clinical.fct_encounter"
DIMENSIONS = ("marts.core", "int_geography__addresses", "*_code_references", "us_states")  # keys need no table
VIEWS = ("config.materialized:view",)  # they need no second build
KEY = f"ehr/encounters/ingest_date={DAY}/"


def sample(table: str) -> list[Row]:
    text = gzip.decompress((SAMPLE / f"{table}.csv.gz").read_bytes()).decode()
    return list(csv.DictReader(io.StringIO(text)))


def text_of(rows: list[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def build(*select: str, exclude: tuple[str, ...] = (), full_refresh: bool = False, with_tests: bool = False) -> None:
    result = run_build(
        select=select or ("+fct_encounter",),
        exclude=(*DIMENSIONS, *exclude),
        with_tests=with_tests,
        full_refresh=full_refresh,
    )
    assert [(node.name, node.message) for node in result.failed] == []


def fact(lab: Lab) -> list[tuple[object, ...]]:
    # The numbers of loads are those of the runs, and differ.
    return lab.query(f"select * exclude (_load_id) from {FACT} order by encounter_id")


def test_a_reload_and_a_full_refresh_equal_a_fresh_load(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    encounters = sample("encounters")
    lab.put("patients", text_of(sample("patients")))
    for number in range(3):
        lab.put("encounters", text_of(encounters[number::3]) + "few\n", name=f"{number}.csv")
    assert lab.load().document["rows_rejected"] == 3
    build()
    assert len(fact(lab)) == len(encounters)

    # One object changes and loses half of its rows, one is deleted, one stays.
    changed = [{**row, "REASONDESCRIPTION": "corrected"} for row in encounters[0::6]]
    lab.put("encounters", text_of(changed), name="0.csv")
    (lab.landing / KEY / "1.csv").unlink()
    reloaded = lab.load("--reload", f"{KEY}0.csv", "--reload", f"{KEY}1.csv")
    assert (reloaded.code, reloaded.document["rows_removed"]) == (0, len(encounters))
    assert "next: biostar rejects list, then biostar build --full-refresh" in reloaded.words
    kept = len(changed) + len(encounters[2::3])

    # What went away is not new to an incremental build, which is why the load names the other one.
    build("fct_encounter")
    assert len(fact(lab)) == len(encounters)
    build(exclude=VIEWS, full_refresh=True)
    build("raw_rows_as_in_the_ledger", with_tests=True)
    assert len(fact(lab)) == kept
    again = fact(lab)
    with duckdb.connect(str(lab.database), read_only=True) as connection:
        assert rejects(connection, "")[0] == 1  # two of the three went with their objects
    lab.database.unlink()
    assert lab.load().code == 0
    build()
    assert fact(lab) == again

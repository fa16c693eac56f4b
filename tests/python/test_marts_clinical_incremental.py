"""Building day by day ends with the rows of building once: for every table of the core and clinical marts.

The three drops hold what makes an incremental warehouse wrong in practice: patients who move, corrections, children
before their parents, equal rows sent again, records sent again with other values or fewer occurrences, a drop that
arrives after a newer one, and a newer load for a day that was already built.
"""

from __future__ import annotations

import csv
import gzip
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from biostar.build.runner import run_build
from conftest import SAMPLE, Lab

Row = dict[str, str]
FIRST, MIDDLE, LAST = "2024-02-08", "2024-02-09", "2024-02-10"
SELECTION = ("+marts.core", "+marts.clinical")
VIEWS = ("config.materialized:view", "resource_type:seed")  # they need no second build
INCREMENTAL = ("fct_encounter", "fct_observation", "fct_medication_order", "fct_procedure", "fct_immunization")
DATES = {
    "encounters": ("START", "STOP"),
    "observations": ("DATE",),
    "medications": ("START", "STOP"),
    "procedures": ("START", "STOP"),
    "immunizations": ("DATE",),
}


def _sample(table: str) -> list[Row]:
    text = gzip.decompress((SAMPLE / f"{table}.csv.gz").read_bytes()).decode()
    return list(csv.DictReader(io.StringIO(text)))


def _text(rows: list[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _put(lab: Lab, table: str, day: str, rows: list[Row], name: str = "part.csv") -> None:
    lab.put(table, _text(rows), day=day, name=name)


def _changed(rows: list[Row], column: str, value: Callable[[Row], str]) -> list[Row]:
    return [{**row, column: value(row)} for row in rows]


def _around_the_drops(table: str, rows: list[Row]) -> list[Row]:
    """The rows with their dates moved, in turn, to each of the days before, between and after the drops."""
    days = ("2024-02-07", FIRST, MIDDLE, LAST, "2024-02-11")
    start, *end = DATES[table]
    return [
        {
            **row,
            start: days[i % len(days)] + row[start][10:],
            **{column: days[i % len(days)] + "T23:59:59Z" for column in end if row[column]},
        }
        for i, row in enumerate(rows)
    ]


def _build(select: tuple[str, ...] = SELECTION, exclude: tuple[str, ...] = VIEWS, full_refresh: bool = False) -> None:
    result = run_build(select=select, exclude=exclude, with_tests=False, full_refresh=full_refresh)
    assert [(node.name, node.message) for node in result.failed] == []


def _content(lab: Lab, model: str) -> list[tuple[str, ...]]:
    return lab.query(f"select md5(string_agg(t::varchar, '' order by t::varchar)) from clinical.{model} as t")


def _assert_equals_full_refresh(lab: Lab) -> None:
    aside = lab.database.with_name("incremental.duckdb")
    shutil.copy(lab.database, aside)
    _build(full_refresh=True)
    with duckdb.connect(str(lab.database), read_only=True) as connection:
        connection.execute(f"attach '{aside}' as incremental (read_only)")
        tables = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_catalog = 'w' and table_schema in ('core', 'clinical') order by 1"
        ).fetchall()
        assert len(tables) >= 19
        different = {}
        for (table,) in tables:
            missing, surplus = (
                connection.execute(
                    f"select count(*) from (select * from {a}.{table} except all select * from {b}.{table})"
                ).fetchall()[0][0]
                for a, b in (("w", "incremental"), ("incremental", "w"))
            )
            if missing or surplus:
                different[table] = (missing, surplus)
    assert different == {}


def test_incremental_builds_equal_a_full_refresh(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    rows = {file.name.removesuffix(".csv.gz"): _sample(file.name.removesuffix(".csv.gz")) for file in SAMPLE.iterdir()}
    for table in DATES:
        rows[table] = _around_the_drops(table, rows[table])
    patients = rows.pop("patients")
    observations, procedures, encounters = rows.pop("observations"), rows.pop("procedures"), rows.pop("encounters")
    providers = rows.pop("providers")

    # day 1: three patients and ten providers are still missing, half of the encounters too
    for table, content in rows.items():
        _put(lab, table, FIRST, content)
    _put(lab, "patients", FIRST, patients[3:])
    _put(lab, "providers", FIRST, providers[10:])
    _put(lab, "observations", FIRST, observations[:800])
    _put(lab, "procedures", FIRST, procedures)
    _put(lab, "encounters", FIRST, encounters[::2])
    assert lab.load().code == 0
    _build(exclude=())
    assert lab.query("select count(*) from core.dim_patient where is_inferred") == [(3,)]
    orphans = (
        "select count(*) from clinical.fct_encounter as f anti join core.dim_patient as d using (patient_version_key)"
    )
    assert lab.query(orphans) == [(0,)]
    keys_before = lab.query("select encounter_id, patient_version_key from clinical.fct_encounter order by 1")

    # day 3: parents arrive; ten patients move, one gets another SSN; rows come again, equal and corrected
    moved = _changed(patients[3:13], "CITY", lambda row: row["CITY"] + " Heights")
    corrected = _changed(patients[13:14], "SSN", lambda row: "999-00-0000")
    _put(lab, "patients", LAST, patients[:3] + moved + corrected + patients[14:])
    _put(lab, "providers", LAST, providers[:10])
    _put(
        lab, "encounters", LAST, encounters[1::2] + _changed(encounters[:40:2], "TOTAL_CLAIM_COST", lambda row: "1.00")
    )
    _put(lab, "observations", LAST, observations[700:])
    twice = _changed(procedures[:20], "BASE_COST", lambda row: "7.00")
    _put(lab, "procedures", LAST, procedures[:20] + twice)
    assert lab.load().code == 0
    _build()
    assert lab.query("select count(*), sum(case when is_inferred then 1 else 0 end) from core.dim_patient") == [
        (27 + 10 + 2, 0)
    ]
    assert lab.query("select count(*) from clinical.fct_procedure where occurrence_number = 2") == [(20,)]
    assert keys_before != lab.query(
        "select encounter_id, patient_version_key from clinical.fct_encounter"
        f" where encounter_id in ({', '.join(repr(row[0]) for row in keys_before)}) order by 1"
    ), "facts after the move must have met the new version"

    # day 2 arrives last: older addresses, older costs (that must not come back), and observations nobody had;
    # and a second load for day 3 takes one move back, and one of the doubled procedures
    _put(lab, "patients", MIDDLE, _changed(patients[5:16], "CITY", lambda row: row["CITY"] + " Falls"))
    _put(lab, "encounters", MIDDLE, _changed(encounters[:80], "TOTAL_CLAIM_COST", lambda row: "2.00"))
    _put(lab, "observations", MIDDLE, _changed(observations[:100], "CODE", lambda row: "9" + row["CODE"]))
    _put(lab, "patients", LAST, patients[3:5], name="again.csv")
    _put(lab, "procedures", LAST, procedures[:10], name="again.csv")
    assert lab.load().code == 0
    _build()
    assert lab.query("select count(*) from clinical.fct_encounter where total_claim_amount = 1") == [(20,)]
    assert lab.query("select count(*) from clinical.fct_encounter where total_claim_amount = 2") == [(20,)]
    assert lab.query("select count(*) from clinical.fct_procedure where occurrence_number = 2") == [(10,)]

    # a build with nothing new changes nothing, and the sum of all is what one build from scratch makes
    before = [_content(lab, name) for name in INCREMENTAL]
    _build(select=INCREMENTAL)
    assert before == [_content(lab, name) for name in INCREMENTAL]
    _assert_equals_full_refresh(lab)

    # and the tests that guard it see a row that is lost, one at the wrong version, and a reason that is gone
    with duckdb.connect(str(lab.database)) as connection:
        connection.execute("delete from clinical.fct_procedure where rowid = 0")
        connection.execute(
            "update clinical.fct_observation as f set patient_version_key = v.patient_version_key"
            " from core.dim_patient as v where v.patient_key = f.patient_key and v.valid_from > f.observed_at"
        )
        connection.execute("delete from clinical.bridge_encounter_diagnosis where is_reason and not is_recorded")
    guards = (
        "clinical_rows_from_staging_to_facts",
        "clinical_patient_versions",
        "clinical_reasons_from_encounters_to_bridge",
    )
    result = run_build(select=guards)
    assert {node.name for node in result.nodes if node.status == "fail"} == set(guards)

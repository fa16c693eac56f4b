"""Claims day by day: what arrives late, is corrected or moves ends as if it had been delivered at once; and the
reconciliation tests notice when money or rows are lost.

The three drops hold claims before their ledger and ledgers before their claim, lines that are booked on another
claim later, reopened claims, coverage that is cut to nothing, a date of death that comes later, and a drop that
arrives after a newer one.
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

from biostar.build.runner import invoke_dbt, run_build
from conftest import SAMPLE, Lab

Row = dict[str, str]
FIRST, MIDDLE, LAST = "2024-02-08", "2024-02-09", "2024-02-10"
FACTS = ("fct_claim_transaction", "fct_claim", "bridge_claim_diagnosis", "fct_coverage_month")
MEASURES = ("msr_pmpm", "msr_readmission_30d")
TAMPERING = {
    "claims_rows_from_staging_to_facts": "delete from claims.bridge_claim_diagnosis where diagnosis_position = 2",
    "claims_money_from_staging_to_ledger": "update claims.fct_claim_transaction"
    " set payment_amount = payment_amount + 0.01 where claim_transaction_id ="
    " (select min(claim_transaction_id) from claims.fct_claim_transaction where paid_by = 'payer')",
    "claims_money_from_ledger_to_claims": "update claims.fct_claim set patient_paid_amount = patient_paid_amount + 0.01"
    " where claim_id = (select max(claim_id) from claims.fct_claim)",
    "claims_patient_versions": "update claims.fct_claim set patient_version_key = -1"
    " where claim_id = (select max(claim_id) from claims.fct_claim)",
    "claims_coverage_days_from_staging": "update claims.fct_coverage_month set covered_days = covered_days - 1"
    " where month_date_key = 20200201 and covered_days = 29",
    "measures_money_from_claims_to_pmpm": "delete from measures.msr_pmpm"
    " where month_date_key = (select max(month_date_key) from measures.msr_pmpm where charged_amount > 0)",
    "measures_stays_from_encounters": "delete from measures.msr_readmission_30d"
    " where admitted_at = (select min(admitted_at) from measures.msr_readmission_30d)",
}


def _sample(table: str) -> list[Row]:
    text = gzip.decompress((SAMPLE / f"{table}.csv.gz").read_bytes()).decode()
    return list(csv.DictReader(io.StringIO(text)))


def _put(lab: Lab, table: str, day: str, rows: list[Row]) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    lab.put(table, out.getvalue(), day=day)


def _changed(rows: list[Row], **values: str | Callable[[Row], str]) -> list[Row]:
    return [
        {**row, **{column: value if isinstance(value, str) else value(row) for column, value in values.items()}}
        for row in rows
    ]


def _build(*models: str, full_refresh: bool = False) -> None:
    result = run_build(select=tuple("+" + model for model in models), with_tests=False, full_refresh=full_refresh)
    assert [(node.name, node.message) for node in result.failed] == []


def _assert_equals_full_refresh(lab: Lab) -> None:
    aside = lab.database.with_name("incremental.duckdb")
    shutil.copy(lab.database, aside)
    _build(*FACTS, *MEASURES, full_refresh=True)
    different = {}
    with duckdb.connect(str(lab.database), read_only=True) as connection:
        connection.execute(f"attach '{aside}' as incremental (read_only)")
        for table in FACTS:
            missing, surplus = (
                connection.execute(
                    f"select count(*) from"
                    f" (select * from {a}.claims.{table} except all select * from {b}.claims.{table})"
                ).fetchall()[0][0]
                for a, b in (("w", "incremental"), ("incremental", "w"))
            )
            if missing or surplus:
                different[table] = (missing, surplus)
    assert different == {}


def test_claims_built_day_by_day_equal_a_full_refresh(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    patients, claims, periods = _sample("patients"), _sample("claims"), _sample("payer_transitions")
    lines = sorted(_sample("claims_transactions"), key=lambda row: int(row["CHARGEID"]))
    for table in ("payers", "encounters", "procedures"):
        _put(lab, table, FIRST, _sample(table))

    # day 1: every third claim is missing, and the end of the ledger
    _put(lab, "patients", FIRST, patients[3:])
    _put(lab, "claims", FIRST, [row for i, row in enumerate(claims) if i % 3])
    _put(lab, "claims_transactions", FIRST, lines[:4000])
    _put(lab, "payer_transitions", FIRST, periods[:1000])
    assert lab.load().code == 0
    _build(*FACTS)
    delivered = {row["Id"] for i, row in enumerate(claims) if i % 3}
    known_from_ledger = {row["CLAIMID"] for row in lines[:4000]} - delivered
    assert lab.query("select count(*) from claims.fct_claim where is_inferred") == [(len(known_from_ledger),)]
    money = "select sum(charge_amount), sum(payment_amount) from claims.fct_claim_transaction"
    assert lab.query(money) == lab.query("select sum(charged_amount), sum(paid_amount) from claims.fct_claim")

    # day 3: claims and lines arrive, claims are reopened and lose a diagnosis; a line is booked on another claim, and
    # so are all lines of a claim that the ledger alone knows and that never comes; a patient died, another one's
    # coverage was none at all
    vanishing = sorted(known_from_ledger)[0]
    moved = [row for row in lines[:4000] if row["CLAIMID"] == vanishing] + lines[100:101]
    target = next(row["Id"] for row in claims if row["Id"] in delivered and row["Id"] != lines[100]["CLAIMID"])
    late = [row for i, row in enumerate(claims) if i % 3 == 0 and row["Id"] != vanishing]
    reopened = _changed(
        [row for i, row in enumerate(claims) if i % 3 == 1][:30], STATUS1="BILLED", DIAGNOSIS1="", DIAGNOSIS2=""
    )
    _put(lab, "claims", LAST, late + reopened)
    others = [row for row in lines[4000:] if row["CLAIMID"] != vanishing]
    repriced = _changed([row for row in lines[200:260] if row["AMOUNT"]], AMOUNT="1.00")
    _put(lab, "claims_transactions", LAST, others + _changed(moved, CLAIMID=target) + repriced)
    alive = [row for row in patients if not row["DEATHDATE"]]
    _put(
        lab,
        "patients",
        LAST,
        patients[:3] + _changed(alive[5:6], DEATHDATE="2019-05-06") + _changed(alive[7:12], CITY="Elsewhere"),
    )
    one = periods[0]["PATIENT"]
    none_at_all = _changed([row for row in periods if row["PATIENT"] == one], END_YEAR=lambda row: row["START_YEAR"])
    _put(lab, "payer_transitions", LAST, periods[1000:] + none_at_all)
    assert lab.load().code == 0
    _build(*FACTS)
    assert lab.query("select count(*) from claims.fct_claim where is_inferred") == [(0,)]
    assert lab.query("select count(*) from claims.fct_claim where claim_id = ?", [vanishing]) == [(0,)]
    assert lab.query("select count(*) from claims.fct_claim where claim_status = 'billed'") >= [(30,)]
    assert lab.query(money) == lab.query("select sum(charged_amount), sum(paid_amount) from claims.fct_claim")

    # day 2 arrives last: an older state of what is known, and lines that nobody had
    _put(lab, "claims", MIDDLE, _changed(claims[:60], STATUSP="BILLED"))
    _put(
        lab,
        "claims_transactions",
        MIDDLE,
        _changed(lines[:50], PAYMENTS=lambda row: row["PAYMENTS"] and "2.00")
        + _changed(lines[50:60], ID=lambda row: "late-" + row["ID"]),
    )
    _put(lab, "payer_transitions", MIDDLE, periods[:200])
    assert lab.load().code == 0
    _build(*FACTS)
    assert lab.query("select count(*) from claims.fct_claim_transaction where claim_transaction_id like 'late-%'") == [
        (10,)
    ]
    _assert_equals_full_refresh(lab)

    # and every test of reconciliation passes, until somebody tampers with what it reconciles
    invoke_dbt(["compile", "--target", "duckdb", "--select", *TAMPERING])
    compiled = {file.stem: file.read_text() for file in (tmp_path / "target" / "compiled").rglob("reconcile/*.sql")}
    with duckdb.connect(str(lab.database)) as connection:
        connection.execute("set integer_division = true")
        for name, statement in TAMPERING.items():
            connection.execute("begin")
            assert connection.execute(compiled[name]).fetchall() == [], name
            assert connection.execute(statement).fetchall()[0][0] > 0, name
            assert connection.execute(compiled[name]).fetchall() != [], name
            connection.execute("rollback")

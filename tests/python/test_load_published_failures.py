"""Losses and duplicates that somebody met with another loader and wrote about: ours finds each out, or has none.

A test's first line says which public issue on GitHub tells of it. Where the fault is in an engine, it is made by
changing what the engine does behind the loader's back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
import redshift_connector

from biostar.errors import TransientError
from biostar.load import attempts
from biostar.standin import StandIn
from biostar.warehouse import ObjectCounts, Staged, duckdb_csv, redshift_copy, redshift_warehouse
from biostar.warehouse.duckdb_warehouse import DuckDBWarehouse
from biostar.warehouse.redshift_warehouse import RedshiftWarehouse
from redshift_lab import (
    CONDITIONS,
    HEADER,
    RedshiftLab,
    Rows,
    assert_loads_now,
    assert_refused,
    deliver,
    lose_rows,
    make_lab,
    make_project,
    tampered,
)
from test_load_redshift_statements import recorded

DAY = "ingest_date=2024-02-08"
SCANS = """      - name: scans
        config: {meta: {natural_key: [id], format: parquet}}
        columns: [{name: id, data_type: varchar(16)}, {name: note, data_type: varchar(64)}]
"""
TARGETS = ("duckdb", "standin")
RAW = "{prefix}_raw_ehr.conditions"


@pytest.fixture
def lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    monkeypatch.setattr(redshift_warehouse, "LONGEST_WAIT", 0.0)  # the stand-in's views do not lag
    monkeypatch.setattr(attempts, "FIRST_PAUSE", 0.01)
    lab = make_lab(standin, tmp_path, monkeypatch, capsys)
    monkeypatch.setenv("DBT_PROJECT_DIR", str(make_project(tmp_path / "project", CONDITIONS + SCANS)))
    return lab


@contextmanager
def after_duckdb_inserts(act: Callable[[DuckDBWarehouse], None]) -> Iterator[None]:
    """Do something in the transaction of a load when DuckDB has said how many rows it took."""
    real = DuckDBWarehouse.publish

    def publish(self: DuckDBWarehouse, staged: Staged, load_id: int) -> list[ObjectCounts]:
        counts = real(self, staged, load_id)
        act(self)
        return counts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DuckDBWarehouse, "publish", publish)
        yield


def test_rows_are_lost_without_an_error_on_redshift(lab: RedshiftLab) -> None:
    """awslabs/aws-lambda-redshift-loader issue 230: 850 million of 23 billion rows are missing."""
    deliver(lab, 3)
    with tampered(after=lose_rows):
        assert_refused(lab, "says 9 rows", "its table has 6", "01.csv")
    assert_loads_now(lab, 9)


def test_rows_are_lost_without_an_error_on_duckdb(lab: RedshiftLab) -> None:
    """awslabs/aws-lambda-redshift-loader issue 230: the same, where DuckDB says that all is well."""
    deliver(lab, 3)
    raw = RAW.format(prefix=lab.prefix)
    with after_duckdb_inserts(lambda warehouse: warehouse.execute(f"delete from {raw} where patient = 'p1'")):
        assert_refused(lab, "the ledger would say 9 rows", "the tables hold 6", "01.csv", target="duckdb")
    assert_loads_now(lab, 9, "duckdb")


def test_rows_are_lost_and_every_view_agrees(lab: RedshiftLab) -> None:
    """awslabs/aws-lambda-redshift-loader issue 230: only who counted the lines himself can tell."""
    deliver(lab, 3)
    counts: dict[str, int] = {}

    def lying(sql: str, rows: Rows) -> Rows:
        if sql.startswith("select count(*), coalesce"):
            counts["rows"] = int(rows[0][0])
        if sql == "select pg_last_copy_count()":
            return [(counts["rows"],)]
        return rows

    real = redshift_warehouse.account_of

    def account(query: Any, files: Any, manifest: str, table: str, **options: Any) -> Any:
        found = real(query, files, manifest, table, **options)
        gone = 3 if any(file.key.endswith("01.csv") for file in files) else 0
        return replace(found, loaded=found.loaded - gone)

    with tampered(after=lose_rows, query=lying), pytest.MonkeyPatch.context() as patch:
        patch.setattr(redshift_warehouse, "account_of", account)
        assert_refused(lab, f"COPY lost records of 'ehr/conditions/{DAY}/01.csv'", "3 lines of data hold 0 rows")
    assert_loads_now(lab, 9)


def test_a_manifest_misses_one_file_of_23(lab: RedshiftLab) -> None:
    """awslabs/aws-lambda-redshift-loader issue 244: the batch has 23 files, its manifest 22."""
    deliver(lab, 23)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            redshift_warehouse, "manifest_of", lambda files: redshift_copy.manifest_of([*files][:11] + [*files][12:])
        )
        assert_refused(lab, "lacks 1 of 23 files", "11.csv")
    assert_loads_now(lab, 69)


@pytest.mark.parametrize("target", TARGETS)
def test_files_of_an_old_schema_block_the_batch_of_a_new_one(target: str, lab: RedshiftLab) -> None:
    """awslabs/aws-lambda-redshift-loader issue 146: old1 and old2 do not fit, new waits for ever."""
    lab.put("conditions", "WHEN,WHO\n2019-01-01,p\n", name="old1.csv")
    lab.put("conditions", "START,STOP,ENCOUNTER,CODE\n2019-01-01,,e,1\n", name="old2.csv")
    lab.put("conditions", HEADER + "2020-01-01,,p,e,1,d\n" * 3, name="new.csv")
    outcome = lab.load(target=target)
    assert outcome.code == 4
    assert [failure["message"].split("'")[1].rpartition("/")[2] for failure in outcome.document["failures"]] == [
        "old1.csv",
        "old2.csv",
    ]
    assert lab.query("select object_key, rows_loaded from {meta}.load_ledger", target) == [
        (f"ehr/conditions/{DAY}/new.csv", 3)
    ]
    assert lab.query("select count(*) from {raw}.conditions", target) == [(3,)]


def test_a_manifest_of_parquet_tells_each_file_its_own_size(lab: RedshiftLab, tmp_path: Path) -> None:
    """awslabs/aws-lambda-redshift-loader 221 and 223: no size is told, or one for all."""
    for number, rows in enumerate((1, 70, 900)):
        path = tmp_path / f"{number}.parquet"
        with duckdb.connect() as engine:
            engine.execute(f"copy (select 'p' || n as id, md5('' || n) as note from range({rows}) t (n)) to '{path}'")
        lab.put("scans", path.read_bytes(), name=path.name)
    manifests: list[dict[str, Any]] = []
    real = redshift_copy.manifest_of

    def kept(files: Sequence[Any]) -> bytes:
        manifests.append(json.loads(real(files)))
        return real(files)

    with pytest.MonkeyPatch.context() as patch, recorded() as sent:
        patch.setattr(redshift_warehouse, "manifest_of", kept)
        assert lab.load().code == 0
    assert sum("format as parquet" in statement for statement, _ in sent) == 1
    (entries,) = (manifest["entries"] for manifest in manifests)
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("*.parquet"))]
    assert [entry["meta"]["content_length"] for entry in entries] == sizes
    assert len(set(sizes)) == 3
    assert lab.query("select count(*) from {raw}.scans") == [(971,)]
    for entry, words in ((entries[0] | {"meta": {}}, "'meta'"), (entries[0] | {"meta": entries[2]["meta"]}, "size")):
        lab.put_key("manifest", json.dumps({"entries": [entry]}))
        with closing(redshift_connector.connect(**lab.standin.connection)) as session:
            cursor = session.cursor()
            cursor.execute("create temp table scans (id varchar(16), note varchar(64))")
            with pytest.raises(redshift_connector.Error, match=words):
                cursor.execute(
                    f"copy scans from '{lab.landing}/manifest' iam_role '{redshift_copy.STANDIN_ROLE}'"
                    " manifest format as parquet"
                )


def test_only_the_last_part_is_copied_to_redshift(lab: RedshiftLab) -> None:
    """airbytehq/airbyte issue 10646: all parts are in S3, one is copied, success is reported."""
    deliver(lab, 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redshift_warehouse, "manifest_of", lambda files: redshift_copy.manifest_of([files[-1]]))
        assert_refused(lab, "lacks 5 of 6 files", "00.csv", "04.csv")
    assert_loads_now(lab, 18)


def test_only_the_last_part_is_read_by_duckdb(lab: RedshiftLab) -> None:
    """airbytehq/airbyte issue 10646: the same, where DuckDB is asked for six parts and reads one."""
    deliver(lab, 6)
    real = duckdb_csv._insert
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb_csv, "_insert", lambda group, lot, rejects: real(group, lot, rejects) + " limit 3")
        assert_refused(lab, "00.csv", "05.csv", "changed while they were being read", target="duckdb", code=4)
    assert_loads_now(lab, 18, "duckdb")


def double(table: str) -> str:
    return f"insert into {table} select * from {table}"


def test_a_temporary_table_gets_its_rows_twice(lab: RedshiftLab) -> None:
    """artie-labs/transfer pull request 190: at a time when Redshift had issues, loading doubled rows."""
    deliver(lab, 2)

    def twice(warehouse: RedshiftWarehouse, sql: str) -> None:
        if " copy " in sql:
            warehouse.execute(double(sql.split(" copy ")[1].split()[0]))

    with tampered(after=twice):
        assert_refused(lab, "says 6 rows", "its table has 12", "00.csv")
    assert_loads_now(lab, 6)


def test_a_raw_table_gets_its_rows_twice(lab: RedshiftLab) -> None:
    """artie-labs/transfer pull request 190: the same on DuckDB, which has no temporary table between."""
    deliver(lab, 2)
    with after_duckdb_inserts(lambda warehouse: warehouse.execute(double(RAW.format(prefix=lab.prefix)))):
        assert_refused(lab, "the ledger would say 6 rows", "the tables hold 12", "00.csv", target="duckdb")
    assert_loads_now(lab, 6, "duckdb")


@pytest.mark.parametrize("target", TARGETS)
def test_rows_of_a_try_before_are_not_loaded_with_the_next_one(target: str, lab: RedshiftLab) -> None:
    """artie-labs/transfer pull request 190: what a failed attempt copied may still be there."""
    deliver(lab, 2)
    failed: list[str] = []

    def fail_once(warehouse: object, sql: str = "") -> None:
        is_insert = not sql or (sql.startswith("insert into") and "biostar_stage_" in sql)
        if is_insert and not failed:
            failed.append(sql)
            raise TransientError("a fault of the test")

    with tampered(after=fail_once), after_duckdb_inserts(fail_once):
        assert lab.load(target=target).code == 0
    assert failed
    assert lab.query("select count(*), count(distinct patient) from {raw}.conditions", target) == [(6, 2)]
    assert lab.query("select count(*), sum(rows_loaded) from {meta}.load_ledger", target) == [(2, 6)]

"""A clone has the same persons each time, all that is theirs, and every reference that the source has; models build."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
import redshift_connector

from biostar.clone import read_share
from biostar.clone.plan import patient_column, sampled
from biostar.contracts import RawTable, read_sources
from biostar.errors import ConfigurationError, UsageError
from biostar.parity.sides import DuckDBTexts
from biostar.standin import StandIn
from conftest import PROJECT, S3_KEYS, SAMPLE, Lab

ALLOWED = ("--allow-phi", "--reason", "a test of the clone")
DAYS = ("2024-02-08", "2024-02-09")


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole sample loaded into a DuckDB file; of two tables a second delivery on the same day, later."""
    from biostar.cli import main

    folder = tmp_path_factory.mktemp("production")
    landing, database = folder / "landing", folder / "w.duckdb"
    for file in SAMPLE.glob("*.csv.gz"):
        day = landing / "ehr" / file.name.partition(".")[0] / f"ingest_date={DAYS[0]}"
        day.mkdir(parents=True)
        shutil.copy(file, day / file.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_PROJECT_DIR", str(PROJECT))
        patch.setenv("BIOSTAR_DUCKDB_PATH", str(database))
        patch.delenv("BIOSTAR_TARGET", raising=False)
        assert main(["load", "--landing", str(landing)]) == 0
        for table in ("patients", "payers"):
            home = landing / "ehr" / table
            shutil.copy(
                home / f"ingest_date={DAYS[0]}" / f"{table}.csv.gz", home / f"ingest_date={DAYS[0]}" / "2.csv.gz"
            )
        assert main(["load", "--landing", str(landing)]) == 0
    return database


@pytest.fixture
def bench(lab: Lab, production: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A copy of it, since a clone writes into the ledger."""
    shutil.copy(production, lab.database)
    return lab


def rows_of(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def dangling(database: Path, schema: str = "raw_ehr") -> dict[str, int]:
    """References that name a row which is not there, by column."""
    found = {}
    for source in read_sources(PROJECT):
        for table in source.tables:
            for column, other, key in table.references:
                (count,) = rows_of(
                    database,
                    f"select count(*) from {schema}.{table.name} where {column} is not null"
                    f" and {column} not in (select {key} from {schema}.{other})",
                )[0]
                found[f"{table.name}.{column}"] = int(count)
    return found


def clone(lab: Lab, to: Path, *arguments: str, sample: str = "30%") -> Any:
    via = str(lab.landing.parent / "via")
    ends = ("--from", "duckdb", "--to", "duckdb", "--to-database", str(to))
    return lab.run("clone", *ends, "--via", via, "--sample", sample, *arguments)


def test_a_sample_holds_every_row_of_its_patients_and_every_reference(
    bench: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "dev.duckdb"
    outcome = clone(bench, to, *ALLOWED)
    assert outcome.code == 0, outcome.words
    persons = {row[0] for row in rows_of(to, "select id from raw_ehr.patients")}
    assert 0 < len(persons) < 27
    for source in read_sources(PROJECT):
        for table in source.tables:
            if not source.landing:
                continue
            columns = ", ".join(f'"{column.name}"' for column in table.columns) + ", _ingest_date"
            column = patient_column(table)
            listed = ", ".join(f"'{one}'" for one in sorted(persons))
            where = f"where {column} in ({listed})" if column else ""
            sql = f"select {columns} from raw_ehr.{table.name} {where} order by all"
            here = rows_of(to, sql)
            assert here == rows_of(bench.database, sql), table.name
            assert len(here) == rows_of(to, f"select count(*) from raw_ehr.{table.name}")[0][0]
    before = dangling(bench.database)
    assert all(count <= before[name] for name, count in dangling(to).items())
    assert dangling(to)["encounters.patient"] == dangling(to)["claims_transactions.claimid"] == 0
    # What was loaded, and what staging makes of it, adds up to the raw rows.
    monkeypatch.setenv("BIOSTAR_DUCKDB_PATH", str(to))
    built = bench.run("build", "--select", "base_ehr__payers", "--select", "raw_rows_as_in_the_ledger")
    assert (built.code, built.document["failed"]) == (0, []), built.words
    # Two loads of one day are two loads again, in their order, and the books of both sides know.
    (loads,) = rows_of(to, "select count(distinct _load_id), min(_ingest_date) from raw_ehr.patients")
    assert (loads[0], str(loads[1])) == (2, DAYS[0])
    assert rows_of(to, "select sum(rows_loaded), sum(rows_rejected) from raw_meta.load_ledger") == [
        (sum(outcome.document["rows"].values()), 0)
    ]
    told = rows_of(bench.database, "select distinct status, reason, user_name is not null from raw_meta.unload_ledger")
    assert told == [("published", ALLOWED[2], True)]


def test_the_same_seed_takes_the_same_patients_and_a_larger_share_holds_a_smaller_one(bench: Lab) -> None:
    taken: dict[tuple[float, str], set[str]] = {}
    for share, seed in ((0.2, "a"), (0.5, "a"), (0.5, "b")):
        where = sampled(DuckDBTexts(), "id", share, seed)
        taken[share, seed] = {row[0] for row in bench.query(f"select id from raw_ehr.patients where {where}")}
    assert taken[0.2, "a"] < taken[0.5, "a"] != taken[0.5, "b"]
    many = sampled(DuckDBTexts(), "id", 0.01, "a")
    ((count,),) = bench.query(
        f"select count(*) from (select cast(i as varchar) as id from range(100000) as t (i)) where {many}"
    )
    assert 900 < count < 1100


def test_it_says_what_it_costs_and_asks_above_a_limit(
    bench: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "dev.duckdb"
    dry = clone(bench, to, "--dry-run")
    assert (dry.code, to.exists()) == (0, False)
    assert dry.document["estimate"]["is_an_estimate"] is True
    assert dry.document["estimate"]["dollars"] == 0  # a folder costs nothing
    some = clone(bench, to, "--dry-run", "--select", "patients,payer_transitions").document
    assert "which is not among the tables" in " ".join(some["warnings"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    paid = clone(bench, to, "--dry-run", "--via", "s3://lake/clones").document["estimate"]
    assert paid["dollars"] > 0
    assert paid["source"] == "https://aws.amazon.com/s3/pricing/"
    refused = clone(bench, to, *ALLOWED, "--via", "s3://lake/clones", "--max-cost", "0")
    assert (refused.code, "above --max-cost" in refused.document["message"], to.exists()) == (2, True, False)


def test_what_could_do_harm_is_refused(bench: Lab, tmp_path: Path) -> None:
    to = tmp_path / "dev.duckdb"
    assert bench.run("clone", "--from", "duckdb").code == 2
    assert "data about persons" in clone(bench, to).document["message"]
    assert "both ends" in clone(bench, bench.database, *ALLOWED).document["message"]
    assert clone(bench, to, *ALLOWED, "--select", "nothing").code == 2
    assert clone(bench, to, *ALLOWED, "--seed", "a' or true --").code == 2
    for share in ("0%", "101%", "1", "-5%", "a lot"):
        with pytest.raises(UsageError):
            read_share(share)
    assert not to.exists()
    shutil.copy(bench.database, to)
    assert "has rows already" in clone(bench, to, *ALLOWED).document["message"]
    outcome = bench.run("clone", "--from", "duckdb", "--to", "redshift", "--via", "s3://lake/x", *ALLOWED)
    assert (outcome.code, "give --confirm" in outcome.document["next"]) == (2, True)
    (table,) = (table for source in read_sources(PROJECT) for table in source.tables if table.name == "allergies")
    with pytest.raises(ConfigurationError, match="does not say whose"):
        patient_column(type(table)(**{**vars(table), "references": ()}))


def test_from_a_warehouse_to_a_laptop_where_all_models_build(
    bench: Lab, standin: StandIn, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BIOSTAR_STANDIN_PORT", str(standin.settings.port))
    monkeypatch.setenv("BIOSTAR_SCHEMA_PREFIX", "clone_")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", S3_KEYS["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", S3_KEYS["aws_secret_access_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", S3_KEYS["region_name"])
    with duckdb.connect(str(bench.database)) as connection:
        # The prefix is for the stand-in, which other tests share; here it renames the source's schemas likewise.
        connection.execute("create schema clone_raw_ehr")
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'raw_ehr'"
        ).fetchall():
            connection.execute(f"create table clone_raw_ehr.{name} as from raw_ehr.{name}")
    outcome = bench.run(
        "clone", "--from", "duckdb", "--to", "standin", "--via", "s3://lake/clones", "--sample", "100%", *ALLOWED
    )
    assert outcome.code == 0, outcome.words
    tables = [table for source in read_sources(PROJECT) if source.landing for table in source.tables]
    for table in tables:
        assert rows_on(standin, table) == rows_in(bench.database, table), table.name

    laptop = tmp_path / "laptop.duckdb"
    monkeypatch.setenv("BIOSTAR_DUCKDB_PATH", str(laptop))
    outcome = bench.run(
        "clone", "--from", "standin", "--to", "duckdb", "--via", "s3://lake/clones-back", "--sample", "30%", *ALLOWED
    )
    assert outcome.code == 0, outcome.words
    persons = {row[0] for row in rows_of(laptop, "select id from clone_raw_ehr.patients")}
    assert 0 < len(persons) < 27
    listed = ", ".join(f"'{one}'" for one in sorted(persons))
    for table in tables:
        column = patient_column(table)
        where = f"where {column} in ({listed})" if column else ""
        assert rows_in(laptop, table) == rows_in(bench.database, table, where), table.name
    before = dangling(bench.database, "clone_raw_ehr")
    assert all(count <= before[name] for name, count in dangling(laptop, "clone_raw_ehr").items())
    built = bench.run("build")
    assert (built.code, built.document["failed"]) == (0, []), built.words
    (stars,) = rows_of(
        laptop, "select count(distinct patient_id) from clone_core.dim_patient where patient_id is not null"
    )
    assert stars[0] >= len(persons)


def sql_of(table: RawTable, where: str = "") -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    return f"select {columns} from clone_raw_ehr.{table.name} {where}"


def rows_in(database: Path, table: RawTable, where: str = "") -> list[tuple[Any, ...]]:
    return sorted(rows_of(database, sql_of(table, where)), key=repr)


def rows_on(standin: StandIn, table: RawTable) -> list[tuple[Any, ...]]:
    with closing(redshift_connector.connect(**standin.connection)) as session:
        cursor = session.cursor()
        cursor.execute(sql_of(table))
        return sorted((tuple(row) for row in cursor.fetchall()), key=repr)

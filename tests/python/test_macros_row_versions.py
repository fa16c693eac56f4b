"""What becomes of delivered rows, by hand-made deliveries: newest, rejected, superseded; and the tests of staging
notice when a row is lost, doubled or invented.

Staging is built once, as views on empty raw tables; each test puts rows into raw and looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pytest
import sqlglot

from biostar.contracts.reading import read_sources
from biostar.raw import ddl_statements
from biostar.warehouse import dialect_of
from macros_lab import PROJECT, MacroLab, macro_lab

TABLES = tuple(
    sorted(
        path.stem.removeprefix("stg_ehr__")
        for path in PROJECT.glob("models/staging/ehr/stg_ehr__*.sql")
        if not path.stem.endswith("_references")
    )
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> MacroLab:
    lab = macro_lab(tmp_path_factory.mktemp("staging"))
    lab.copy("models/staging", "tests/reconcile")
    for test in (lab.folder / "tests" / "reconcile").glob("*.sql"):
        if test.stem != "raw_rows_as_in_the_ledger":
            test.unlink()
    with duckdb.connect(str(lab.database)) as connection:
        for statement in ddl_statements(dialect_of("duckdb"), read_sources(PROJECT, {})):
            connection.execute(statement)
    lab.dbt("build")
    return lab


@dataclass
class Raw:
    """The warehouse of one test; everything is rolled back after it."""

    connection: duckdb.DuckDBPyConnection
    tests: dict[str, str]

    def deliver(self, table: str, load_id: int, day: str, *rows: dict[str, str | None]) -> None:
        """Put a load into raw, and into the ledger."""
        for row in rows:
            values = {**row, "_load_id": load_id, "_ingest_date": day, "_loaded_at": f"{day} 06:00:00"}
            columns = ", ".join(f'"{column}"' for column in values)
            self.connection.execute(
                f"insert into raw_ehr.{table} ({columns}) values ({', '.join('?' * len(values))})",
                list(values.values()),
            )
        self.connection.execute(
            "insert into raw_meta.load_ledger (load_id, source_name, table_name, object_key, rows_loaded)"
            " values (?, 'raw_ehr', ?, 'x', ?)",
            [load_id, table, len(rows)],
        )

    def query(self, sql: str) -> list[tuple[object, ...]]:
        return self.connection.execute(sql).fetchall()

    def failing(self, table: str) -> list[str]:
        """The tests that fail now, of this table and of the ledger."""
        names = (f"rows_accounted_for_{table}", "raw_rows_as_in_the_ledger")
        return [name for name in names if self.query(self.tests[name])]


@pytest.fixture
def raw(project: MacroLab) -> Iterator[Raw]:
    tests = project.compiled("*rows_a*.sql")
    with duckdb.connect(str(project.database)) as connection:
        connection.execute("set TimeZone = 'UTC'; set integer_division = true")
        connection.execute("begin")
        yield Raw(connection, tests)
        connection.execute("rollback")


def plan(identifier: str | None, stop: str | None = None, **values: str | None) -> dict[str, str | None]:
    return {"id": identifier, "start": "2020-01-01", "stop": stop, "patient": "p", "code": "1", **values}


def diagnosis(code: str, description: str = "x", **values: str | None) -> dict[str, str | None]:
    return {"start": "2020-01-01", "patient": "p", "encounter": "e", "code": code, "description": description, **values}


STANDING_PLANS = (
    "select careplan_id, cast(stopped_date as varchar), _load_id from staging.stg_ehr__careplans order by all"
)
STANDING_DIAGNOSES = """
    select condition_code, occurrence_number, condition_description, _load_id
    from staging.stg_ehr__conditions order by all
"""
REJECTED_PLANS = "select record_id, reject_reason, _load_id from staging.rejected_ehr__careplans order by all"
SUPERSEDED = """
    select table_name, _load_id, superseded_by_load_id, is_exact_copy
    from staging.ehr_superseded_rows order by all
"""


def test_the_newest_delivery_stands(raw: Raw) -> None:
    raw.deliver("careplans", 1, "2024-01-01", plan("a"), plan("b"))
    raw.deliver("careplans", 2, "2024-01-02", plan("a", "2024-01-01"))
    assert raw.query(STANDING_PLANS) == [("a", "2024-01-01", 2), ("b", None, 1)]
    assert raw.query(SUPERSEDED) == [("careplans", 1, 2, False)]
    assert raw.failing("careplans") == []


def test_a_late_older_drop_does_not_override_a_newer_one(raw: Raw) -> None:
    raw.deliver("careplans", 1, "2024-01-05", plan("a", "2024-01-05"))
    raw.deliver("careplans", 2, "2024-01-02", plan("a", "2024-01-02"))
    assert raw.query(STANDING_PLANS) == [("a", "2024-01-05", 1)]
    assert raw.query(SUPERSEDED) == [("careplans", 2, 1, False)]
    assert raw.failing("careplans") == []


def test_of_one_day_the_later_load_is_newer(raw: Raw) -> None:
    raw.deliver("careplans", 1, "2024-01-05", plan("a", "2024-01-02"))
    raw.deliver("careplans", 2, "2024-01-05", plan("a", "2024-01-01"))
    assert raw.query(STANDING_PLANS) == [("a", "2024-01-01", 2)]


def test_a_bad_newer_row_leaves_the_older_good_one_standing(raw: Raw) -> None:
    raw.deliver("careplans", 1, "2024-01-01", plan("a", "2024-01-01"))
    raw.deliver("careplans", 2, "2024-01-02", plan("a", "2024-02-30"))
    assert raw.query(STANDING_PLANS) == [("a", "2024-01-01", 1)]
    assert raw.query(REJECTED_PLANS) == [("a", "stop: not a date", 2)]
    assert raw.query(SUPERSEDED) == []
    assert raw.failing("careplans") == []


def test_an_exact_copy_in_one_load_stands_once(raw: Raw) -> None:
    raw.deliver("careplans", 1, "2024-01-01", plan("a"), plan("a"), plan("a"))
    assert raw.query(STANDING_PLANS) == [("a", None, 1)]
    assert raw.query(SUPERSEDED) == [("careplans", 1, 1, True)] * 2
    assert raw.failing("careplans") == []


def test_of_conflicting_rows_with_one_id_one_stands_and_the_others_are_rejected(raw: Raw) -> None:
    raw.deliver("careplans", 1, "2024-01-01", plan("a"), plan("a", "2024-01-01"), plan("a"), plan("b"))
    standing = raw.query(STANDING_PLANS)
    assert [row[0] for row in standing] == ["a", "b"]
    assert raw.query(REJECTED_PLANS) == [("a", "id: delivered with other values in the same load", 1)]
    assert raw.query(SUPERSEDED) == [("careplans", 1, 1, True)]
    assert raw.failing("careplans") == []


def test_spaces_around_an_id_make_no_other_record(raw: Raw) -> None:
    raw.deliver("careplans", 1, "2024-01-01", plan("a"))
    raw.deliver("careplans", 2, "2024-01-02", plan(" a "))
    assert raw.query(STANDING_PLANS) == [("a", None, 2)]


def test_without_an_id_different_rows_are_occurrences(raw: Raw) -> None:
    raw.deliver(
        "conditions", 1, "2024-01-01", diagnosis("1", "x"), diagnosis("1", "y"), diagnosis("1", "y"), diagnosis("2")
    )
    assert [row[:2] for row in raw.query(STANDING_DIAGNOSES)] == [("1", 1), ("1", 2), ("2", 1)]
    assert raw.query(SUPERSEDED) == [("conditions", 1, 1, True)]
    assert raw.query("select count(*) from staging.rejected_ehr__conditions") == [(0,)]
    assert raw.failing("conditions") == []


def test_without_an_id_a_redelivered_set_replaces_the_old_set(raw: Raw) -> None:
    raw.deliver("conditions", 1, "2024-01-01", diagnosis("1", "x"), diagnosis("1", "y"), diagnosis("2"))
    raw.deliver("conditions", 2, "2024-01-02", diagnosis("1", "z"))
    assert raw.query(STANDING_DIAGNOSES) == [("1", 1, "z", 2), ("2", 1, "x", 1)]
    assert raw.query(SUPERSEDED) == [("conditions", 1, 2, False)] * 2
    assert raw.failing("conditions") == []


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [
        ("careplans", plan(None), "id: missing"),
        ("careplans", plan("  "), "id: missing"),
        ("careplans", plan("a", start=None), "start: missing"),
        ("careplans", plan("a", start=" "), "start: missing"),
        ("careplans", plan("a", start="soon"), "start: not a date"),
        ("careplans", plan("a", "2019-12-31"), "stopped_date: before started_date"),
        ("careplans", plan("a", patient=""), "patient: missing"),
        ("conditions", diagnosis(""), "code: missing"),
        ("payers", {"id": "a", "qols_avg": "many"}, "qols_avg: not a number"),
        ("payers", {"id": "a", "member_months": "5.5"}, "member_months: not a whole number"),
        ("payers", {"id": "a", "revenue": "1,000"}, "revenue: not an amount"),
        ("patients", {"id": "a", "birthdate": "1990-01-01", "lat": "north"}, "lat: not a coordinate"),
        ("patients", {"id": "a", "birthdate": "1990-01-01", "deathdate": "1989-01-01"},
         "death_date: before birth_date"),
        ("payer_transitions", {"patient": "a", "payer": "b", "start_date": "201"},
         "start_date: neither a timestamp nor a year"),
        ("observations", {"patient": "a", "code": "b", "date": "2020-01-01T25:00:00Z"}, "date: not a timestamp"),
    ],
)  # fmt: skip
def test_a_refused_row_says_why(raw: Raw, table: str, row: dict[str, str | None], reason: str) -> None:
    raw.deliver(table, 1, "2024-01-01", row)
    assert raw.query(f"select reject_reason from staging.rejected_ehr__{table}") == [(reason,)]
    assert raw.query(f"select count(*) from staging.stg_ehr__{table}") == [(0,)]
    assert raw.failing(table) == []


@pytest.mark.parametrize(
    ("table", "row", "column", "value"),
    [
        ("payers", {"id": "a", "qols_avg": "NaN"}, "average_qols", None),
        ("payers", {"id": "a", "member_months": "5.0"}, "member_month_count", 5),
        ("payer_transitions", {"patient": "a", "payer": "b", "start_date": "2014", "end_date": "2014"},
         "cast(coverage_end_at as varchar)", "2015-01-01 00:00:00"),
        ("claims", {"id": "a", "patientid": "b", "servicedate": "2020-01-01", "primarypatientinsuranceid": "0"},
         "primary_payer_id", None),
        ("claims_transactions", {"id": "a", "claimid": "b", "patientid": "c", "type": "CHARGE",
         "fromdate": "2020-01-02", "todate": "2020-01-01"}, "cast(to_at as varchar)", "2020-01-01 00:00:00"),
        ("conditions", diagnosis("1", system="http://snomed.info/sct"), "code_system", "SNOMED"),
    ],
)  # fmt: skip
def test_usable_rows_are_kept(raw: Raw, table: str, row: dict[str, str | None], column: str, value: object) -> None:
    raw.deliver(table, 1, "2024-01-01", row)
    assert raw.query(f"select {column} from staging.stg_ehr__{table}") == [(value,)]


@pytest.mark.parametrize("table", TABLES)
def test_every_staging_model_accounts_for_its_rows_and_its_test_can_fail(raw: Raw, table: str) -> None:
    raw.deliver(table, 1, "2024-01-01", {}, {})
    name = f"staging.stg_ehr__{table}"
    assert raw.query(f"select count(*) from staging.rejected_ehr__{table}") == [(2,)]
    assert raw.failing(table) == []
    raw.query(f"create or replace view staging.rejected_ehr__{table} as select cast(1 as bigint) as _load_id")
    assert raw.failing(table) == [f"rows_accounted_for_{table}"]
    raw.query(f"create or replace view {name} as select cast(7 as bigint) as _load_id")
    assert raw.query(raw.tests[f"rows_accounted_for_{table}"]) != []


def test_a_load_that_is_mostly_refused_is_noticed_until_a_good_one_comes(raw: Raw) -> None:
    unread = {"start": "44927"}
    raw.deliver("careplans", 1, "2024-01-01", *({**plan(f"a{n}"), **unread} for n in range(99)))
    assert raw.failing("careplans") == []  # too few to tell
    raw.deliver("careplans", 2, "2024-01-02", *({**plan(f"b{n}"), **(unread if n < 50 else {})} for n in range(100)))
    assert raw.failing("careplans") == []  # half of them
    raw.deliver("careplans", 3, "2024-01-03", *({**plan(f"c{n}"), **(unread if n < 51 else {})} for n in range(100)))
    assert raw.failing("careplans") == ["rows_accounted_for_careplans"]
    assert raw.query(raw.tests["rows_accounted_for_careplans"])[0][:2] == ("too many rejected", 3)
    raw.deliver("careplans", 4, "2024-01-04", plan("d"))
    assert raw.failing("careplans") == []


def test_losses_and_doubles_are_noticed(raw: Raw) -> None:
    raw.deliver("careplans", 1, "2024-01-01", plan("a"), plan("b"))
    raw.deliver("careplans", 2, "2024-01-02", plan("a", "2024-01-01"))
    view = "staging.stg_ehr__careplans"
    (definition,) = raw.query("select sql from duckdb_views() where view_name = 'stg_ehr__careplans'")[0]
    body = str(definition).split(" AS ", 1)[1].rstrip(";\n ")
    for tampered in (
        f"select * from ({body}) where careplan_id <> 'b'",  # lost
        f"select * from ({body}) union all select * from ({body})",  # doubled
        f"select * replace (cast(3 as bigint) as _load_id) from ({body})",  # of a load that never was
    ):
        raw.query(f"create or replace view {view} as {tampered}")
        assert raw.failing("careplans") == ["rows_accounted_for_careplans"]
        raw.query(f"create or replace view {view} as {body}")
    assert raw.failing("careplans") == []


def test_raw_rows_that_the_ledger_does_not_know_are_noticed(raw: Raw) -> None:
    raw.deliver("careplans", 1, "2024-01-01", plan("a"), plan("b"))
    assert raw.failing("careplans") == []
    for tampering in (
        "delete from raw_ehr.careplans where id = 'b'",
        "insert into raw_ehr.careplans select * replace (9 as _load_id) from raw_ehr.careplans",
        "delete from raw_ehr.careplans",
    ):
        raw.query(tampering)
        assert "raw_rows_as_in_the_ledger" in raw.failing("careplans")


def test_staging_for_redshift_needs_no_cluster_and_parses(project: MacroLab) -> None:
    project.dbt("compile", "--target", "redshift", "--no-introspect", "--no-populate-cache")
    compiled = project.compiled("*.sql")
    assert {f"stg_ehr__{table}" for table in TABLES} <= set(compiled)
    for name, sql in compiled.items():
        assert len(sqlglot.parse(sql, dialect="redshift")) == 1, name
        assert "md5_number" not in sql and "fence" not in sql, name

"""Which tables are compared, by which key, and what of them is private: read from dbt's manifest."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from biostar.cli import main
from biostar.errors import ConfigurationError, UsageError
from biostar.parity import open_side, relations_of
from biostar.parity.types import duckdb_type, meet, redshift_type, type_difference
from parity_lab import ParityLab


def model(name: str, **more: Any) -> dict[str, Any]:
    node = {
        "resource_type": "model",
        "name": name,
        "schema": "core",
        "alias": name,
        "original_file_path": f"models/marts/core/{name}.sql",
        "columns": {},
        "config": {"materialized": "table", "contract": {"enforced": True}},
    }
    return {**node, **more}


def manifest(**nodes: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": nodes}


def grain(of: str, *columns: str) -> dict[str, Any]:
    return {
        "resource_type": "test",
        "attached_node": of,
        "test_metadata": {"name": "unique_grain", "kwargs": {"columns": list(columns)}},
    }


def test_marts_and_snapshots_are_chosen_and_staging_only_when_asked_for() -> None:
    nodes = manifest(
        a=model("dim_a"),
        b=model("stg_b", original_file_path="models/staging/stg_b.sql"),
        c=model("c", config={"materialized": "ephemeral"}),
        d=model("d_history", resource_type="snapshot", original_file_path="snapshots/d.sql", config={}),
        t=grain("a", "a_key"),
    )
    assert [(relation.name, relation.grain) for relation in relations_of(nodes)] == [
        ("d_history", ()),
        ("dim_a", ("a_key",)),
    ]
    assert [relation.name for relation in relations_of(nodes, {"b", "c"})] == ["stg_b"]


def test_a_column_that_is_private_in_one_model_is_private_in_all() -> None:
    told = {"patient_id": {"data_type": "varchar(64)", "config": {"meta": {"phi": "direct"}}}}
    old = {"city": {"data_type": "varchar(64)", "meta": {"phi": "quasi"}}, "x": {"data_type": "date"}}
    silent = {"patient_id": {"data_type": "varchar(64)"}, "city": {"data_type": "varchar(64)"}}
    relations = relations_of(manifest(a=model("a", columns={**told, **old}), b=model("b", columns=silent)))
    assert {relation.private for relation in relations} == {frozenset(("patient_id", "city"))}


@pytest.mark.parametrize(
    ("config", "key", "treatments"),
    [
        (
            {"strategy": "check", "unique_key": "id"},
            ("id",),
            {
                "dbt_scd_id": "ignore",
                "dbt_valid_from": "ignore",
                "dbt_updated_at": "ignore",
                "dbt_valid_to": "presence",
            },
        ),
        ({"strategy": "timestamp", "unique_key": ["a", "b"]}, ("a", "b", "dbt_valid_from"), {"dbt_scd_id": "ignore"}),
        (
            {
                "strategy": "timestamp",
                "unique_key": "id",
                "hard_deletes": "invalidate",
                "snapshot_meta_column_names": {"dbt_valid_to": "ends", "dbt_valid_from": "begins"},
            },
            ("id", "begins"),
            {"dbt_scd_id": "ignore", "ends": "presence"},
        ),
    ],
)
def test_what_the_clock_fills_in_a_snapshot_is_not_compared(
    config: dict[str, Any], key: tuple[str, ...], treatments: dict[str, str]
) -> None:
    (relation,) = relations_of(manifest(s=model("s", resource_type="snapshot", config=config)))
    assert (relation.grain, relation.treatments) == (key, treatments)


def test_versions_of_a_snapshot_are_compared_without_their_times(tmp_path: Any) -> None:
    config = {"strategy": "check", "unique_key": "id"}
    node = model("t", resource_type="snapshot", config=config)
    (relation,) = relations_of(manifest(s=node))
    lab = ParityLab(tmp_path)
    history = (
        "create table core.t as select * from (values (1, 'old', {0}, {1}), (1, 'new', {1}, null), (2, 'x', {0}, null))"
        " as v(id, value, dbt_valid_from, dbt_valid_to)"
    )
    lab.write("left", history.format("timestamp '2024-01-01'", "timestamp '2024-01-02'"))
    lab.write("right", history.format("timestamp '2024-03-01'", "timestamp '2024-03-02'"))
    found = lab.compare(relation)
    assert found.equal
    assert found.left_out == ["dbt_valid_from: filled by the clock of a run"]
    with duckdb.connect(str(tmp_path / "right.duckdb")) as connection:
        connection.execute("update core.t set dbt_valid_to = timestamp '2024-04-01' where id = 2")
    found = lab.compare(relation)
    assert dict(found.counts) == {("dbt_valid_to", "open on one side, closed on the other"): 1}


@pytest.mark.parametrize(
    ("left", "right", "declared", "difference"),
    [
        ("VARCHAR", "character varying(64)", "varchar(64)", ""),
        ("VARCHAR", "character varying(32)", "varchar(64)", "varchar(32), declared as varchar(64)"),
        ("VARCHAR", "character(2)", "varchar(2)", "char(2), declared as varchar(2)"),
        ("VARCHAR", "character varying(32)", None, ""),
        ("BIGINT", "int8", "bigint", ""),
        ("INTEGER", "bigint", "bigint", "integer and bigint"),
        ("HUGEINT", "bigint", "bigint", "hugeint and bigint: hugeint cannot be compared"),
        ("DECIMAL(18,2)", "numeric(18,2)", None, ""),
        ("DECIMAL(38,2)", "numeric(18,2)", None, "numeric(38,2) and numeric(18,2)"),
        ("TIMESTAMP", "timestamp without time zone", None, ""),
        ("TIMESTAMP WITH TIME ZONE", "timestamp without time zone", None, "timestamptz and timestamp"),
        ("DOUBLE", "float8", None, ""),
        ("FLOAT", "double precision", None, "real and double precision"),
        ("VARCHAR", "super", None, "varchar and super"),
        ("JSON", "super", "super", ""),
        ("TIME", "time without time zone", "time", ""),
        ("TIME WITH TIME ZONE", "time without time zone", None, "timetz and time"),
        ("BLOB", "binary varying(64000)", "varbyte", ""),
        ("VARCHAR", "hllsketch", None, "varchar and hllsketch: hllsketch cannot be compared"),
    ],
)
def test_types_agree_by_the_mapping_and_not_otherwise(
    left: str, right: str, declared: str | None, difference: str
) -> None:
    of = redshift_type(declared) if declared else None
    assert type_difference(duckdb_type(left), redshift_type(right), of) == difference


def test_a_numeric_that_holds_both_is_compared() -> None:
    meeting = meet(duckdb_type("BIGINT"), redshift_type("numeric(18,4)"))
    assert meeting is not None
    assert (meeting.family, meeting.precision, meeting.scale) == ("numeric", 23, 4)
    widest = meet(duckdb_type("DECIMAL(38,2)"), redshift_type("numeric(38,10)"))
    assert widest is not None
    assert (widest.precision, widest.scale) == (38, 10)
    assert meet(duckdb_type("BOOLEAN"), redshift_type("integer")) is None


def test_a_file_that_is_not_there_and_a_file_for_redshift_are_refused(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    with pytest.raises(ConfigurationError, match=f"there is no DuckDB file '{tmp_path / 'none.duckdb'}'"):
        open_side("duckdb", tmp_path / "none.duckdb")
    assert main(["parity", "--right", "duckdb", "--select", "no_such_model"]) == 2
    assert "no model and no snapshot is called no_such_model" in capsys.readouterr().err
    with pytest.raises(UsageError, match="a database file is given for 'redshift'"):
        open_side("redshift", tmp_path / "x.duckdb")

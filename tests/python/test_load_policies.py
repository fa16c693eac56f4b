"""What becomes of a column that nobody declared, and of the raw tables when declarations grow."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from conftest import DAY, Lab, declare_sources, make_project

TABLE = """
version: 2
sources:
  - name: raw_ehr
    schema: "{{{{ env_var('BIOSTAR_SCHEMA_PREFIX', '') }}}}raw_ehr"
    config: {{meta: {{landing: ehr}}}}
    tables:
      - name: visits
        config: {{meta: {{natural_key: [id], unknown_columns: {policy}}}}}
        columns:
          - {{name: id, data_type: varchar(8)}}
          - {{name: note, data_type: varchar(8), config: {{meta: {{aliases: [REMARK]}}}}}}
"""
HEADER = 'Id,Note,Ward,"Bed No."\n'


@pytest.fixture
def project(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = make_project(tmp_path / "project")
    monkeypatch.setenv("DBT_PROJECT_DIR", str(root))
    return root


def declare(project: Path, policy: str) -> None:
    declare_sources(project, TABLE.format(policy=policy))


def test_ignore_leaves_the_column_out_and_names_it(lab: Lab, project: Path) -> None:
    declare(project, "ignore")
    lab.put("visits", HEADER + "1,n,w,b\n")
    outcome = lab.load()
    assert outcome.code == 0
    [warning] = outcome.document["warnings"]
    assert warning == f"'ehr/visits/ingest_date={DAY}/part.csv' has unknown columns, left out: 'Ward', 'Bed No.'"
    assert lab.query("select id, note from raw_ehr.visits") == [("1", "n")]


def test_error_refuses_the_object(lab: Lab, project: Path) -> None:
    declare(project, "error")
    lab.put("visits", HEADER + "1,n,w,b\n")
    outcome = lab.load()
    assert outcome.code == 4
    [failure] = outcome.document["failures"]
    assert "has the columns 'Ward', 'Bed No.', not declared for visits" in failure["message"]
    assert "models/staging/ehr/_ehr__sources.yml" in failure["next"]
    assert lab.query("select count(*) from raw_ehr.visits") == [(0,)]


def test_evolve_adds_the_column_and_says_how_to_declare_it(lab: Lab, project: Path) -> None:
    declare(project, "evolve")
    lab.put("visits", "ID,REMARK\n0,n\n")
    lab.load()
    lab.put("visits", HEADER + f"1,n,w,b\n2,n,{'w' * 1025},b\n", day="2024-02-09")
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_rejected"]) == (0, 1)
    assert lab.query("select id, note, ward, bed_no from raw_ehr.visits order by 1") == [
        ("0", "n", None, None),
        ("1", "n", "w", "b"),
    ]
    assert lab.rejects() == [(3, "ward", "value_too_long")]
    [warning] = outcome.document["warnings"]
    pasted = yaml.safe_load(warning.partition(":\n")[2])
    assert pasted == [
        {"name": "ward", "data_type": "varchar(1024)", "config": {"meta": {"phi": "direct"}}},
        {"name": "bed_no", "data_type": "varchar(1024)", "config": {"meta": {"phi": "direct", "aliases": ["bed no."]}}},
    ]
    # The column is there; the next file with it goes on, with the lines pasted or not.
    lab.put("visits", HEADER + "3,n,w3,b\n", day="2024-02-10")
    assert lab.load().code == 0
    path = project / "models/staging/ehr/_ehr__sources.yml"
    path.write_text(path.read_text() + warning.partition(":\n")[2] + "\n")
    lab.put("visits", HEADER + "4,n,w4,b\n", day="2024-02-11")
    outcome = lab.load()
    assert (outcome.code, outcome.document["warnings"]) == (0, [])
    assert lab.query("select ward from raw_ehr.visits where id in ('3', '4') order by id") == [("w3",), ("w4",)]


def test_evolve_refuses_what_makes_no_column(lab: Lab, project: Path) -> None:
    declare(project, "evolve")
    names = ("note!", "日本", "9", '""', "x" * 61)
    for number, name in enumerate(names, start=1):
        lab.put("visits", f"Id,Note,{name}\n1,n,w\n", day=f"2024-02-{number:02}")
    outcome = lab.load()
    assert outcome.code == 4
    assert len(outcome.document["failures"]) == len(names)
    for failure in outcome.document["failures"]:
        assert "makes no usable column name" in failure["message"]
    assert lab.query("select count(*) from raw_ehr.visits") == [(0,)]


def test_a_failed_evolution_leaves_no_column(lab: Lab, project: Path) -> None:
    declare(project, "evolve")
    lab.put("visits", HEADER + "1,n,w,b\n" + "1,n\n" * 2, name="a.csv")
    assert lab.load("--max-errors", "1").code == 4
    assert lab.query("select column_name from duckdb_columns() where table_name = 'visits' order by column_index") == [
        ("id",),
        ("note",),
        ("_load_id",),
        ("_ingest_date",),
        ("_loaded_at",),
    ]


def test_raw_create_twice_and_with_a_new_column(lab: Lab, project: Path) -> None:
    declare(project, "ignore")
    first = lab.run("raw", "create")
    assert first.document["created"][:3] == ["raw_ehr.visits", "raw_meta.load_ledger", "raw_meta.load_rejects"]
    assert "raw_restricted.load_reject_lines" in first.document["created"]
    assert lab.run("raw", "create").document["created"] == []
    lab.put("visits", HEADER + "1,n,w,b\n")
    lab.load()
    path = project / "models/staging/ehr/_ehr__sources.yml"
    path.write_text(path.read_text() + "          - {name: ward, data_type: varchar(9)}\n")
    assert lab.run("raw", "create").document["created"] == ["raw_ehr.visits.ward"]
    assert lab.query("select id, ward from raw_ehr.visits") == [("1", None)]


def test_schemas_with_a_prefix(lab: Lab, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(project, "ignore")
    monkeypatch.setenv("BIOSTAR_SCHEMA_PREFIX", "ci_7_")
    lab.put("visits", HEADER + "1,n,w,b\n2,n\n")
    assert lab.load().document["rows_loaded"] == 1
    assert lab.query("select count(*) from ci_7_raw_ehr.visits") == [(1,)]
    assert lab.query("select count(*) from ci_7_raw_meta.load_rejects") == [(1,)]
    assert lab.load().document["objects_skipped"] == 1


def test_a_table_that_somebody_else_made(lab: Lab, project: Path) -> None:
    import duckdb

    declare(project, "ignore")
    with duckdb.connect(str(lab.database)) as connection:
        connection.execute("create schema raw_ehr; create table raw_ehr.visits (id varchar)")
    outcome = lab.load()
    assert (outcome.code, outcome.document["error"]) == (3, "configuration")
    assert "was not made by biostar" in outcome.document["message"]

"""The whole project as a user runs it: defective deliveries in, all models and tests, counts against the truth."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import sqlglot
from click.testing import CliRunner

from biostar.build import BuildResult, invoke_dbt, run_build
from biostar.cli import check as check_verb
from biostar.cli import load as load_verb
from biostar.sample import SampleOptions, write_sample
from biostar.site import publish
from biostar.site.stars import bus_matrix, read_stars

OPTIONS = SampleOptions(patients=60, days=3, seed=11, defects=0.01)


class Project:
    """One database that has taken in a defective sample and built everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.landing = folder / "landing"
        self.database = folder / "biostar.duckdb"
        write_sample(OPTIONS, self.landing)
        self.key = json.loads((self.landing / "answer_key.json").read_text())

    def load(self) -> dict[str, object]:
        outcome = CliRunner().invoke(
            load_verb.command, ["--landing", str(self.landing), "--json"], standalone_mode=False
        )
        assert outcome.exception is None, outcome.output
        document: dict[str, object] = json.loads(outcome.stdout)
        return document

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("BIOSTAR_DUCKDB_PATH", str(folder / "biostar.duckdb"))
        environment.setenv("DBT_TARGET_PATH", str(folder / "target"))
        environment.setenv("DBT_LOG_PATH", str(folder / "logs"))
        yield Project(folder)


@pytest.fixture(scope="module")
def built(project: Project) -> tuple[Project, dict[str, object], BuildResult]:
    loaded = project.load()
    return project, loaded, run_build()


def test_every_model_and_every_test_passes_on_defective_deliveries(
    built: tuple[Project, dict[str, object], BuildResult],
) -> None:
    _, _, result = built
    assert [(node.name, node.message) for node in result.failed] == []
    kinds = result.count()
    assert sum(kinds["test"].values()) > 60
    assert sum(kinds["unit test"].values()) > 15


def test_what_became_of_each_row_is_what_the_answer_key_says(
    built: tuple[Project, dict[str, object], BuildResult],
) -> None:
    project, loaded, _ = built
    expected = project.key["totals"]["expected"]
    assert loaded["rows_rejected"] == expected["structural_rejects"]
    assert loaded["rows_loaded"] == expected["raw"]
    replaced = dict(project.rows("select table_name, count(*) from staging.ehr_superseded_rows group by table_name"))
    differing = {}
    for table, drops in project.key["tables"].items():
        wanted: Counter[str] = Counter()
        for drop in drops.values():
            wanted.update(drop["expected"])
        found = {
            "raw": project.rows(f"select count(*) from raw_ehr.{table}")[0][0],
            "staged": project.rows(f"select count(*) from staging.stg_ehr__{table}")[0][0],
            "rejected": project.rows(f"select count(*) from staging.rejected_ehr__{table}")[0][0],
            "superseded": replaced.get(table, 0),
        }
        for what, count in found.items():
            if count != wanted[what]:
                differing[f"{table} {what}"] = (count, wanted[what])
    assert differing == {}
    assert sum(project.key["totals"]["defects"].values()) > 50, "a sample without defects shows nothing"


def test_a_second_run_finds_nothing_new_and_changes_nothing(
    built: tuple[Project, dict[str, object], BuildResult],
) -> None:
    project, _, _ = built
    count = "select schema_name || '.' || table_name, estimated_size from duckdb_tables() order by 1"
    before = project.rows(count)
    again = project.load()
    assert (again["rows_loaded"], again["objects_loaded"]) == (0, 0)
    result = run_build(with_tests=False)
    assert result.failed == ()
    assert project.rows(count) == before


def test_no_direct_identifier_reaches_a_fact(built: tuple[Project, dict[str, object], BuildResult]) -> None:
    project, _, _ = built
    manifest = json.loads((project.folder / "target" / "manifest.json").read_text())
    offending = [
        f"{node['name']}.{column['name']}"
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["name"].startswith(("fct_", "bridge_", "msr_"))
        for column in node["columns"].values()
        if column.get("config", {}).get("meta", {}).get("phi") == "direct" or column["name"] == "patient_id"
    ]
    assert offending == []


def test_every_mart_is_described_to_the_last_column(built: tuple[Project, dict[str, object], BuildResult]) -> None:
    project, _, _ = built
    manifest = json.loads((project.folder / "target" / "manifest.json").read_text())
    silent = []
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model" or "marts" not in node["fqn"]:
            continue
        if not node["description"].startswith("One row per "):
            silent.append(node["name"])
        if not node["config"]["contract"]["enforced"]:
            silent.append(f"{node['name']} has no contract")
        silent += [f"{node['name']}.{name}" for name, column in node["columns"].items() if not column["description"]]
        in_database = project.rows(
            "select count(*) from duckdb_columns()"
            f" where schema_name = '{node['schema']}' and table_name = '{node['name']}' and comment is null"
        )
        if in_database[0][0]:
            silent.append(f"{node['name']}: {in_database[0][0]} columns without a comment in the database")
    assert silent == []


def test_the_docs_site_is_one_file_with_every_star(built: tuple[Project, dict[str, object], BuildResult]) -> None:
    project, _, _ = built
    site = publish("duckdb")
    html = site.path.read_text()
    assert "[bus matrix]" not in html
    assert "[star diagrams]" not in html
    assert html.count("data:image/svg+xml;base64,") >= 3
    stars = read_stars(json.loads((project.folder / "target" / "manifest.json").read_text()))
    assert {star.name for star in stars} >= {
        "fct_encounter",
        "fct_claim",
        "msr_readmission_30d",
        "bridge_claim_diagnosis",
    }
    assert bus_matrix(stars).count("\n") == len(stars) + 1


def test_a_landing_with_two_tables_builds_with_the_others_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIOSTAR_DUCKDB_PATH", str(tmp_path / "few.duckdb"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    write_sample(SampleOptions(patients=27), tmp_path / "landing")
    for folder in (tmp_path / "landing" / "ehr").iterdir():
        if folder.name not in ("patients", "encounters"):
            folder.rename(tmp_path / folder.name)
    outcome = CliRunner().invoke(
        load_verb.command, ["--landing", str(tmp_path / "landing"), "--json"], standalone_mode=False
    )
    assert outcome.exception is None
    assert "claims" in json.loads(outcome.stdout)["missing_tables"]
    result = run_build(exclude=("resource_type:unit_test",))
    assert [(node.name, node.message) for node in result.failed] == []
    with duckdb.connect(str(tmp_path / "few.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from clinical.fct_encounter").fetchone() == (604,)
        assert connection.execute("select count(*) from core.dim_provider where is_inferred").fetchone() == (51,)


def test_a_payer_that_moves_has_two_periods_in_its_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOSTAR_DUCKDB_PATH", str(tmp_path / "payers.duckdb"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    write_sample(SampleOptions(patients=1), tmp_path / "landing")
    payers = next((tmp_path / "landing" / "ehr" / "payers").rglob("*.csv"))
    moved = payers.read_text().replace("151 Farmington Ave", "1 Harbour Street")
    for delivered in (None, moved):
        if delivered:
            later = payers.parent.with_name("ingest_date=2024-02-09") / "payers.csv"
            later.parent.mkdir()
            later.write_text(delivered)
        loaded = CliRunner().invoke(load_verb.command, ["--landing", str(tmp_path / "landing")], standalone_mode=False)
        assert loaded.return_value == 0
        result = run_build(select=("+payers_snapshot",))
        assert [(node.name, node.message) for node in result.failed] == []
    with duckdb.connect(str(tmp_path / "payers.duckdb"), read_only=True) as connection:
        count = "select count(*), count(distinct payer_id), count(dbt_valid_to) from snapshots.payers_snapshot"
        assert connection.execute(count).fetchone() == (11, 10, 1)
        periods = connection.execute(
            "select street_address from snapshots.payers_snapshot where payer_id in"
            " (select payer_id from snapshots.payers_snapshot where dbt_valid_to is not null) order by dbt_valid_from"
        ).fetchall()
        assert periods == [("151 Farmington Ave",), ("1 Harbour Street",)]


def test_the_project_compiles_for_redshift_without_a_cluster_and_parses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    outcome = invoke_dbt(["compile", "--target", "redshift", "--no-introspect", "--no-populate-cache"])
    assert outcome.success, outcome.exception
    compiled = sorted((tmp_path / "target" / "compiled").rglob("*.sql"))
    assert len(compiled) > 100
    for path in compiled:
        statements = sqlglot.parse(path.read_text(), read="redshift")
        assert len([statement for statement in statements if statement]) == 1, path.name
    unparsable = _sqlfluff_findings(tmp_path / "target" / "compiled", tmp_path / "sqlfluff.cfg")
    assert unparsable == []
    jinja = [path.name for path in compiled if re.search(r"{{|{%", path.read_text())]
    assert jinja == []


def _sqlfluff_findings(folder: Path, config: Path) -> list[str]:
    """What sqlfluff cannot parse as Redshift's SQL; one cheap rule is on, since it lints nothing without any."""
    config.write_text(
        "[sqlfluff]\ndialect = redshift\ntemplater = raw\nrules = CP01\nlarge_file_skip_byte_limit = 0\n"
        "[sqlfluff:rules:capitalisation.keywords]\ncapitalisation_policy = lower\n"
    )
    command = [Path(sys.executable).with_name("sqlfluff"), "lint", folder, "--config", config, "--ignore-local-config"]
    outcome = subprocess.run([*command, "--processes", "2", "--format", "json"], capture_output=True, text=True)
    return [
        f"{Path(file['filepath']).name}:{finding['start_line_no']} {finding['code']} {finding['description']}"
        for file in json.loads(outcome.stdout)
        for finding in file["violations"]
    ]


def test_the_gate_refuses_nothing_of_what_dbt_would_send(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(
        check_verb.command, ["--sent", "--json", "--target-path", str(tmp_path)], standalone_mode=False
    )
    assert outcome.exception is None, outcome.output
    summary = json.loads(outcome.stdout)["summary"]
    assert summary["refused"] == 0, outcome.stderr
    assert summary["statements"] > 1500
    assert outcome.return_value == 0

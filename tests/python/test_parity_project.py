"""The whole project on DuckDB and on the stand-in, from the same raw rows: not one value differs.

The real dbt-redshift builds through the real redshift_connector; a run on the stand-in is still not one on Redshift.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
import redshift_connector

from biostar.build.runner import run_build
from biostar.check import Options, check_sql
from biostar.cli import main
from biostar.parity.compare import Limits, compare_sides
from biostar.parity.relations import select_relations
from biostar.parity.sides import RedshiftSide, open_side
from biostar.standin import StandIn
from conftest import Outcome
from standin_raw import copy_raw_tables

pytestmark = pytest.mark.timeout(900)


class Twins:
    """One landing, loaded into DuckDB and from there into the stand-in, and built on both."""

    def __init__(self, folder: Path, standin: StandIn) -> None:
        self.folder = folder
        self.database = folder / "w.duckdb"
        self.standin = standin

    def deliver(self, *arguments: str) -> None:
        """Make a sample, load it on DuckDB, copy the raw rows, build on both."""
        landing = str(self.folder / "landing")
        assert main(["sample", "--to", landing, *arguments]) == 0
        assert main(["load", "--landing", landing]) == 0
        copied = copy_raw_tables(self.database, self.standin, self.folder)
        assert copied["raw_ehr.claims_transactions"] > 1000
        assert not run_build("duckdb", with_tests=False).failed

    def execute(self, sql: str) -> None:
        """Run one statement on the stand-in."""
        with closing(redshift_connector.connect(**self.standin.connection)) as connection:
            connection.autocommit = True
            connection.cursor().execute(sql)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory, standin: StandIn) -> Iterator[Twins]:
    folder = tmp_path_factory.mktemp("twins")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("BIOSTAR_TARGET", "BIOSTAR_DUCKDB_MEMORY", "BIOSTAR_THREADS", "DBT_PROJECT_DIR"):
            patch.delenv(name, raising=False)
        patch.setenv("BIOSTAR_DUCKDB_PATH", str(folder / "w.duckdb"))
        patch.setenv("BIOSTAR_STANDIN_PORT", str(standin.settings.port))
        patch.setenv("DBT_TARGET_PATH", str(folder / "target"))
        patch.setenv("DBT_LOG_PATH", str(folder / "logs"))
        made = Twins(folder, standin)
        made.deliver("--patients", "40", "--days", "2", "--defects", "0.01", "--seed", "7")
        yield made


def parity(capsys: pytest.CaptureFixture[str], *arguments: str) -> Outcome:
    capsys.readouterr()
    code = main(["parity", "--left", "duckdb", "--right", "standin", *arguments, "--json"])
    said = capsys.readouterr()
    return Outcome(code, json.loads(said.out), said.err)


def differences(document: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        (table["relation"], table["schema"] or table["differences"] or table["unread_rows"])
        for table in document["tables"]
        if not table["equal"]
    ]


def test_a_first_build_with_all_its_tests_leaves_the_same_rows(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    built = run_build("standin")
    assert [(node.name, node.message) for node in built.failed] == []
    found = parity(capsys)
    assert differences(found.document) == []
    assert (found.code, found.document["equal"], found.document["right"]) == (0, True, "standin")
    assert len(found.document["tables"]) >= 25
    assert sum(table["left_rows"] for table in found.document["tables"]) > 90_000
    clocked = {table["name"]: len(table["left_out"]) for table in found.document["tables"] if table["left_out"]}
    assert {name.rpartition(".")[2] for name in clocked} == {"payers_snapshot"}, "only a snapshot has values of a clock"
    assert "the stand-in (a local test rig, not Amazon Redshift)" in found.words
    assert "passed" not in found.words.lower()


def test_changed_values_are_found_and_no_private_one_is_shown(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    with duckdb.connect(str(twins.database), read_only=True) as connection:
        names = connection.execute(
            "select patient_key, patient_version_key, last_name from core.dim_patient"
            " where last_name is not null order by patient_version_key limit 1"
        ).fetchone()
        encounter = connection.execute("select min(encounter_id) from clinical.fct_encounter").fetchone()
    assert names is not None
    assert encounter is not None
    for table in ("core.dim_patient", "clinical.fct_encounter"):
        twins.execute(f"create table {table}_kept as select * from {table}")
    twins.execute(f"update core.dim_patient set last_name = upper(last_name) where patient_version_key = {names[1]}")
    twins.execute(f"delete from clinical.fct_encounter where encounter_id = '{encounter[0]}'")
    try:
        found = parity(capsys, "--select", "dim_patient fct_encounter")
        assert found.code == 4
        encounters, patients = sorted(found.document["tables"], key=lambda table: table["name"], reverse=True)
        assert patients["differences"] == [{"column": "last_name", "diagnosis": "letter case", "rows": 1}]
        assert patients["examples"][0]["key"] == f"patient_version_key={names[1]}"
        assert (encounters["only_left"], encounters["only_right"]) == (1, 0)
        said = str(found.document) + found.words
        for secret in (names[2], names[2].upper(), encounter[0]):
            assert secret not in said
        with closing(redshift_connector.connect(**twins.standin.connection)) as connection:
            cursor = connection.cursor()
            cursor.execute(patients["find"]["right"].replace("<row>", patients["examples"][0]["row"]))
            assert len(cursor.fetchall()) == 1
    finally:
        for table in ("core.dim_patient", "clinical.fct_encounter"):
            twins.execute(f"delete from {table}")
            twins.execute(f"insert into {table} select * from {table}_kept")
            twins.execute(f"drop table {table}_kept")
    assert parity(capsys, "--select", "dim_patient fct_encounter").code == 0


def test_an_incremental_build_after_one_more_day_leaves_the_same_rows(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    twins.deliver("--next-day", "--new", "0.05", "--changed", "0.02")
    assert [node.message for node in run_build("standin", with_tests=False).failed] == []
    found = parity(capsys)
    assert (differences(found.document), found.code) == ([], 0)


def test_a_table_that_was_not_built_is_a_difference_and_a_dead_target_an_error(
    twins: Twins, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    twins.execute("drop table clinical.fct_supply")
    found = parity(capsys, "--select", "fct_supply")
    assert (found.code, found.document["tables"][0]["schema"]) == (
        4,
        ["there is no such table on the right (standin)"],
    )
    monkeypatch.setenv("BIOSTAR_STANDIN_PORT", "1")
    dead = parity(capsys, "--select", "fct_supply")
    assert (dead.code, dead.document["error"]) == (5, "warehouse")


def test_everything_that_parity_sends_passes_the_gate(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    query = RedshiftSide.query

    def recorded(side: RedshiftSide, sql: str, values: Any = ()) -> Any:
        sent.append(sql)
        return query(side, sql, values)

    monkeypatch.setattr(RedshiftSide, "query", recorded)
    with closing(open_side("duckdb")) as left, closing(open_side("standin")) as right:
        twins.execute("update clinical.fct_careplan set _load_id = _load_id + 1")
        compare_sides(left, right, select_relations(("fct_careplan", "dim_patient")), Limits())
    assert len(sent) == 6  # the catalog, twice count and sums, and once rows
    for sql in sent:
        for statement in check_sql(sql.replace("?", "'core'"), Options(strict=False)):
            assert statement.verdict != "refused", (sql[:200], statement)

"""The whole project on DuckDB and on the stand-in, from the same raw rows: not one value differs.

The real dbt-redshift builds through the real redshift_connector; a run on the stand-in is still not one on Redshift.
The tests stand in the order of a life: first build, a day later, docs, a broken off full refresh, a whole one.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
import redshift_connector

from biostar.build.runner import BuildResult, invoke_dbt, run_build
from biostar.check import Options, check_sql
from biostar.cli import main
from biostar.parity.compare import Limits, compare_sides
from biostar.parity.relations import select_relations
from biostar.parity.sides import RedshiftSide, open_side
from biostar.standin import StandIn
from conftest import PROJECT, Outcome
from standin_raw import copy_raw_tables

pytestmark = pytest.mark.timeout(900)

MOVED, PURGED = "Aetna", "Anthem"
"""Payers: one moves on the second day; of the other, raw loses every delivery."""


@dataclass
class Twins:
    """One landing, loaded into DuckDB and from there into the stand-in, and built on both."""

    folder: Path
    standin: StandIn
    ran: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        """The DuckDB file."""
        return self.folder / "w.duckdb"

    @property
    def landing(self) -> Path:
        """The files of all days."""
        return self.folder / "landing"

    def deliver(self, *arguments: str, changing: Callable[[], None] = lambda: None, purging: str = "") -> None:
        """Make a sample, load it on DuckDB, copy the raw rows to the stand-in, and build DuckDB."""
        assert main(["sample", "--to", str(self.landing), *arguments]) == 0
        changing()
        assert main(["load", "--landing", str(self.landing)]) == 0
        if purging:
            with duckdb.connect(str(self.database)) as connection:
                connection.execute(purging)
        copied = copy_raw_tables(self.database, self.standin, self.folder)
        assert copied["raw_ehr.claims_transactions"] > 1000
        assert not run_build("duckdb", with_tests=False).failed

    def build(self, threads: int, **how: Any) -> BuildResult:
        """Build on the stand-in; nothing may fail, and `ran` holds dbt's record of each node."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BIOSTAR_THREADS", str(threads))
            built = run_build("standin", **how)
        assert [(node.name, node.message) for node in built.failed] == []
        records = self.artifact("run_results.json")["results"]
        assert len({record["thread_id"] for record in records}) == threads
        self.ran = {record["unique_id"]: record for record in records}
        return built

    def artifact(self, name: str) -> dict[str, Any]:
        """A JSON file of dbt's."""
        found: dict[str, Any] = json.loads((self.folder / "target" / name).read_text())
        return found

    def rows(self, sql: str, session: Any = None) -> list[list[Any]]:
        """Rows of a query on the stand-in."""
        if session is not None:
            cursor = session.cursor()
            cursor.execute(sql)
            return [list(row) for row in cursor.fetchall()]
        with closing(redshift_connector.connect(**self.standin.connection)) as own:
            return self.rows(sql, own)

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


def parity(capsys: pytest.CaptureFixture[str], *arguments: str, right: str = "standin") -> Outcome:
    capsys.readouterr()
    code = main(["parity", "--left", "duckdb", "--right", right, *arguments, "--json"])
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
    counts = twins.build(4).count()
    assert set(counts) >= {"model", "seed", "snapshot", "test", "unit test"}
    assert all(set(statuses) == {"success"} for kind, statuses in counts.items() if kind in ("model", "snapshot"))
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


def a_payer_moves(twins: Twins) -> None:
    """Deliver one payer again, from a new address."""
    (first,) = (twins.landing / "ehr" / "payers").rglob("*.csv")
    names, *lines = first.read_text().splitlines()
    later = first.parents[1] / "ingest_date=2024-02-09" / "payers.csv"
    later.parent.mkdir()
    (line,) = (line for line in lines if f",{MOVED}," in line)
    later.write_text(f"{names}\n{line.replace('151 Farmington Ave', '1 Harbour Street')}\n")


def test_the_right_side_may_be_redshift_by_its_profile_and_with_tls(
    twins: Twins, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The `redshift` target of the profile, pointed at the stand-in; an unknown certificate is refused."""
    settings = twins.standin.settings
    for name, value in {
        "HOST": settings.host,
        "PORT": str(settings.port),
        "DATABASE": settings.database,
        "USER": settings.user,
        "PASSWORD": settings.password,
    }.items():
        monkeypatch.setenv(f"BIOSTAR_REDSHIFT_{name}", value)
    monkeypatch.setenv("BIOSTAR_STANDIN_PORT", "1")  # nobody listens there
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    refused = parity(capsys, "--select", "dim_payer", right="redshift")
    assert (refused.code, refused.document["error"]) == (5, "warehouse")
    monkeypatch.setenv("SSL_CERT_FILE", twins.standin.state["certificate"])
    found = parity(capsys, "--select", "dim_payer fct_encounter", right="redshift")
    assert (found.code, found.document["right"]) == (0, "redshift")
    assert [table["right_rows"] > 0 for table in found.document["tables"]] == [True, True]
    with closing(open_side("redshift")) as side:
        assert type(side) is RedshiftSide


def test_an_incremental_build_after_one_more_day_leaves_the_same_rows(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = twins.artifact("manifest.json")["nodes"].values()
    incremental = [node for node in manifest if node["config"].get("materialized") == "incremental"]
    assert len(incremental) >= 8
    names = ", ".join(f"'{node['name']}'" for node in incremental)
    tables = f'select "table", table_id from svv_table_info where "table" in ({names}) order by 1'
    before = twins.rows(tables)
    twins.deliver(
        *("--next-day", "--new", "0.05", "--changed", "0.02"),
        changing=lambda: a_payer_moves(twins),
        purging=f"delete from raw_ehr.payers where name = '{PURGED}'",
    )
    twins.build(1, with_tests=False)
    assert len(before) == len(incremental)
    assert twins.rows(tables) == before, "an incremental model keeps its table"
    assert differences(parity(capsys).document) == []
    periods = twins.rows(
        "select payer_name, street_address, dbt_valid_to is null from snapshots.payers_snapshot"
        f" where payer_name in ('{MOVED}', '{PURGED}') order by 1, dbt_valid_from"
    )
    assert periods == [
        [MOVED, "151 Farmington Ave", False],
        [MOVED, "1 Harbour Street", True],
        [PURGED, "220 Virginia Ave", True],  # the history outlives raw: a row that is gone is not closed
    ]
    assert twins.rows(f"select count(*) from staging.stg_ehr__payers where payer_name = '{PURGED}'") == [[0]]


def test_the_freshness_of_every_source_is_known(twins: Twins) -> None:
    outcome = invoke_dbt(["source", "freshness", "--target", "standin"])
    assert outcome.success
    judged = {result.node.name: (result.status, result.max_loaded_at) for result in outcome.result}
    assert {status for status, _ in judged.values()} == {"pass"}
    manifest = twins.artifact("manifest.json")
    assert set(judged) == {source["name"] for source in manifest["sources"].values() if source["loaded_at_field"]}
    assert len(judged) >= 18
    with duckdb.connect(str(twins.database), read_only=True) as connection:
        for name, (_, newest) in judged.items():
            loaded = connection.execute(f"select max(_loaded_at) from raw_ehr.{name}").fetchone()
            assert loaded == (newest.replace(tzinfo=None),)


SHORT_TYPES = {"character varying": "varchar", "character": "char", " without time zone": "", ", ": ","}


def test_the_catalog_of_the_docs_is_complete(twins: Twins) -> None:
    """Each column of the manifest with its type and comment, and no column that the manifest does not know.

    A computed text of a view without a contract has no width of its own on the stand-in. dbt writes no comments on
    sources: theirs stand in the manifest alone.
    """
    assert invoke_dbt(["docs", "generate", "--target", "standin", "--no-compile"]).success
    manifest, catalog = twins.artifact("manifest.json"), twins.artifact("catalog.json")
    assert catalog["errors"] is None
    declared = {
        identity: node
        for identity, node in {**manifest["nodes"], **manifest["sources"]}.items()
        if node["resource_type"] in ("model", "snapshot", "seed", "source")
        and node["config"].get("materialized") != "ephemeral"
    }
    found = {**catalog["nodes"], **catalog["sources"]}
    assert set(found) == set(declared)
    wrong, columns = [], 0
    for identity, node in declared.items():
        table, source = found[identity], node["resource_type"] == "source"
        if not source and table["metadata"]["comment"] != node["description"]:
            wrong.append((identity, "comment", table["metadata"]["comment"]))
        for name, column in node["columns"].items():
            shown = table["columns"].get(name.strip('"'))
            if shown is None:
                wrong.append((identity, name, "missing"))
                continue
            columns += 1
            if not source and (not column["description"] or shown["comment"] != column["description"]):
                wrong.append((identity, name, shown["comment"]))
            kind = re.sub("|".join(SHORT_TYPES), lambda word: SHORT_TYPES[word[0]], shown["type"])
            computed = kind == "varchar(65535)" and not node["config"].get("contract", {}).get("enforced")
            text = column["data_type"].startswith("varchar")
            if kind != re.sub("|".join(SHORT_TYPES), lambda word: SHORT_TYPES[word[0]], column["data_type"]) and not (
                computed and text and node["resource_type"] in ("model", "snapshot")
            ):
                wrong.append((identity, name, shown["type"]))
        surplus = set(table["columns"]) - {name.strip('"') for name in node["columns"]}
        if source:
            surplus -= {"_load_id", "_ingest_date", "_loaded_at"}
        if surplus and not node["name"].startswith("base_"):  # every version of a row, documented as a whole
            wrong.append((identity, "not declared", sorted(surplus)))
    assert wrong == []
    assert columns > 1000


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, what
        time.sleep(0.05)
    return found


def test_a_full_refresh_broken_off_by_sigint_leaves_nothing_half_and_no_query(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lock keeps one model waiting in the middle of its transaction, so that a query surely runs by then."""
    command = [
        Path(sys.executable).with_name("dbt"),
        "build",
        "--full-refresh",
        "--target",
        "standin",
        "--threads",
        "4",
    ]
    command += ["--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]
    place = {"DBT_PROFILES_DIR": str(PROJECT / "profiles"), "DBT_TARGET_PATH": str(twins.folder / "broken")}
    waiting = "select pid from pg_stat_activity where wait_event_type = 'Lock'"
    sessions = "select pid from pg_stat_activity where usename = current_user and pid <> pg_backend_pid()"
    with (
        closing(redshift_connector.connect(**twins.standin.connection)) as holder,
        closing(redshift_connector.connect(**twins.standin.connection)) as watcher,
    ):
        watcher.autocommit = True  # within a transaction the activity is read once
        (own,) = twins.rows("select pg_backend_pid()", holder)
        holder.cursor().execute("lock clinical.fct_encounter")
        process = subprocess.Popen(
            command, cwd=PROJECT, env=os.environ | place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            wait_for(lambda: twins.rows(waiting, watcher), 90, "nothing waits for the lock")
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=30)
        finally:
            process.kill()
        wait_for(lambda: twins.rows(sessions, watcher) == [own], 5, "a session of dbt is still there")
        assert twins.rows(waiting, watcher) == []
        holder.rollback()
    assert process.returncode != 0
    assert "CANCEL query model.biostar.fct_encounter" in re.sub(r"\x1b\[\d*m", "", said)
    assert "Exited because of keyboard interrupt" in said
    results = json.loads((twins.folder / "broken" / "run_results.json").read_text())["results"]
    finished = {record["unique_id"] for record in results if record["status"] == "success"}
    assert 20 < len(finished) < 90, "it was broken off in the middle"
    assert differences(parity(capsys).document) == []


def test_a_full_refresh_leaves_the_same_rows_as_the_increments(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    """It follows the broken off one, and finds nothing in its way."""
    twins.build(4, full_refresh=True, with_tests=False)
    assert differences(parity(capsys).document) == []
    left = twins.rows("select relname from pg_class where relname like '%!_!_dbt!_%' escape '!'")
    assert left == [], "no table or view of dbt's own stays behind"


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

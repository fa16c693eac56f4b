"""Exactly once, whatever happens: 440 random schedules on DuckDB, and a real SIGKILL at every step."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from biostar.contracts import read_sources
from biostar.landing import open_landing
from biostar.load.steps import STEPS
from biostar.warehouse import open_warehouse
from conftest import PROJECT, make_project
from schedules import SOURCES, live

SCHEDULES = 440
CHUNKS = 8


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"), SOURCES)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where there is one: some thousand commits wait for the disk otherwise."""
    place = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=place if os.access(place, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_schedules_end_with_each_row_once(
    chunk: int, project: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BIOSTAR_SCHEMA_PREFIX", raising=False)
    monkeypatch.setenv("DBT_PROJECT_DIR", str(project))
    sources = read_sources(project)
    good = bad = 0
    for seed in range(chunk, SCHEDULES, CHUNKS):
        folder = memory / str(seed)
        (folder / "ehr").mkdir(parents=True)
        monkeypatch.setenv("BIOSTAR_DUCKDB_PATH", str(folder / "w.duckdb"))

        def put(key: str, content: bytes, folder: Path = folder) -> None:
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

        landing = open_landing(str(folder))
        truth = live(seed, landing, sources, put, lambda: open_warehouse("duckdb"), rivals=False)
        good += sum(len(ids) for ids in truth.good.values())
        bad += len(truth.bad)
        shutil.rmtree(folder)
    assert good > 200
    assert bad > 40


KILLED = """
import os, signal, sys
from biostar.cli import load as verb, main
from biostar.load import run_plan

def killing(*arguments, **options):
    def at(step):
        if step == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGKILL)
    return run_plan(*arguments, at=at, **options)

verb.run_plan = killing
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("step", [step for step in STEPS if step != "superseded"])
def test_a_killed_process_leaves_nothing_half_done(step: str, tmp_path: Path) -> None:
    landing, database = tmp_path / "landing", tmp_path / "w.duckdb"
    for day in ("2024-02-08", "2024-02-09"):
        folder = landing / f"ehr/supplies/ingest_date={day}"
        folder.mkdir(parents=True)
        folder.joinpath("a.csv").write_text(
            f"DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,QUANTITY\n2020-01-01,p,e,1,{day},1\nbad\n"
        )
    environment = os.environ | {
        "DBT_PROJECT_DIR": str(PROJECT),
        "BIOSTAR_DUCKDB_PATH": str(database),
        "BIOSTAR_SCHEMA_PREFIX": "",
        "BIOSTAR_TARGET": "duckdb",
        "TMPDIR": str(tmp_path),
    }
    arguments = ["load", "--landing", str(landing), "--tables", "supplies", "--json"]
    script = [sys.executable, "-c", KILLED]
    killed = subprocess.run([*script, step, *arguments], env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    plain = subprocess.run([*script, "", *arguments], env=environment, capture_output=True, check=True)
    assert json.loads(plain.stdout)["exit_code"] == 0
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute("select description, _load_id from raw_ehr.supplies order by all").fetchall()
        rejects = connection.execute("select load_id, line_number from raw_meta.load_rejects order by all").fetchall()
        ledger = connection.execute(
            "select load_id, object_key, rows_loaded, rows_rejected from raw_meta.load_ledger order by all"
        ).fetchall()
    assert rows == [("2024-02-08", 1), ("2024-02-09", 2)]
    assert rejects == [(1, 3), (2, 3)]
    assert ledger == [
        (1, "ehr/supplies/ingest_date=2024-02-08/a.csv", 1, 1),
        (2, "ehr/supplies/ingest_date=2024-02-09/a.csv", 1, 1),
    ]

"""Runs that a signal, a passing fault or a clock disturbs: nothing half done, nothing left, nothing out of order."""

from __future__ import annotations

import datetime
import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from biostar.cli import load as verb
from biostar.errors import TransientError
from biostar.load import run_plan
from biostar.load.attempts import Patience
from biostar.load.scratch import KEPT, PREFIX, remove_left_behind, scratch_folder
from conftest import Lab

HEADER = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"

SIGNALLED = """
import os, signal, sys, threading
from biostar.cli import load as verb, main
from biostar.load import run_plan
from biostar.warehouse.duckdb_warehouse import DuckDBWarehouse

number, moment = int(sys.argv[1]), sys.argv[2]

def signalling(*arguments, **options):
    def at(step):
        if step == moment:
            os.kill(os.getpid(), number)
    return run_plan(*arguments, at=at, **options)

verb.run_plan = signalling
publish = DuckDBWarehouse.publish

def slowly(self, staged, load_id):
    # The signal comes while the engine works, which is when Python alone would not hear of it.
    threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
    self.query("select sum(hash(i)), count(distinct i % 1000) from range(100000000) as t(i)")
    return publish(self, staged, load_id)

if moment == "in the engine":
    DuckDBWarehouse.publish = slowly
sys.exit(main(["load", "--json"]))
"""


@pytest.mark.parametrize(
    ("number", "moment"),
    [(signal.SIGTERM, "inserted"), (signal.SIGTERM, "in the engine"), (signal.SIGINT, "before_commit")],
)
def test_a_signal_ends_the_run_with_nothing_half_done_and_no_copy_left(
    lab: Lab, tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    # Line ends that are mixed make a copy in the scratch folder.
    lab.put("conditions", HEADER + "2020-01-01,,p,e,1,d\r\n")
    scratch, log = tmp_path / "scratch", tmp_path / "load.jsonl"
    scratch.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", SIGNALLED, str(int(number)), moment],
        env=os.environ | {"TMPDIR": str(scratch), "BIOSTAR_LOG": str(log)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 130, ended.stderr
    assert json.loads(ended.stdout)["error"] == "interrupted"
    assert list(scratch.iterdir()) == []
    assert json.loads(log.read_text().splitlines()[-1])["event"] == "run broken off"
    assert lab.query("select count(*) from raw_ehr.conditions") == [(0,)]
    assert lab.query("select count(*) from raw_meta.load_ledger") == [(0,)]
    assert lab.load().document["rows_loaded"] == 1


def test_what_a_killed_run_left_is_removed_a_day_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    now = 1_700_000_000.0
    for name, age in ((f"{PREFIX}old", KEPT + 1), (f"{PREFIX}young", KEPT - 1), ("another-old", KEPT + 1)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "copy.csv").write_text("a row of a patient")
        os.utime(tmp_path / name, (now - age, now - age))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "elsewhere")
    assert remove_left_behind(now) == [tmp_path / f"{PREFIX}old"]
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{PREFIX}young",
        f"{PREFIX}link",
        "another-old",
        "elsewhere",
    }
    with scratch_folder() as folder:
        assert folder.name.startswith(PREFIX)
    assert not folder.exists()


def test_every_run_looks_for_what_killed_runs_left(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / f"{PREFIX}of-long-ago"
    left.mkdir()
    os.utime(left, (0, 0))
    lab.load()
    assert not left.exists()


def disturbed(monkeypatch: pytest.MonkeyPatch, step: str, times: int, fault: Exception, pauses: list[float]) -> None:
    left = times

    def at(reached: str) -> None:
        nonlocal left
        if reached == step and left:
            left -= 1
            raise fault

    patience = Patience(sleep=pauses.append)
    monkeypatch.setattr(verb, "run_plan", functools.partial(run_plan, at=at, patience=patience))


@pytest.mark.parametrize("step", ["copied", "locked", "inserted", "before_commit"])
def test_a_fault_that_passes_is_met_with_another_try(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    lab.put("conditions", HEADER + "2020-01-01,,p,e,1,d\nbad\n2020-01-01,,q,e,1,d\n")
    lab.put("conditions", b"", name="empty.csv")
    pauses: list[float] = []
    disturbed(monkeypatch, step, 3, TransientError("the connection broke"), pauses)
    log = tmp_path / "load.jsonl"
    outcome = lab.load("--log", str(log))
    assert (outcome.code, outcome.document["rows_loaded"], len(outcome.document["failures"])) == (4, 2, 1)
    assert lab.query("select count(*) from raw_ehr.conditions") == [(2,)]
    assert len(lab.rejects()) == 1
    # Each pause has a random part of up to half a second over 0.5, 1, 2 s.
    assert [floor <= pause <= floor + 0.5 for floor, pause in zip((0.5, 1, 2), pauses, strict=True)] == [True] * 3
    failed = [json.loads(line) for line in log.read_text().splitlines() if "attempt failed" in line]
    assert [event["attempt"] for event in failed] == [1, 2, 3]
    assert {event["cause"] for event in failed} == {"the connection broke"}


def test_a_fault_that_stays_ends_the_run_after_a_few_tries(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in ("2024-02-08", "2024-02-09"):
        lab.put("conditions", HEADER + "2020-01-01,,p,e,1,d\n", day=day)
    pauses: list[float] = []
    disturbed(monkeypatch, "inserted", 99, TransientError("the connection broke"), pauses)
    outcome = lab.load()
    assert (outcome.code, len(outcome.document["failures"]), len(pauses)) == (5, 1, 4)
    assert lab.query("select count(*) from raw_ehr.conditions") == [(0,)]


def test_what_does_not_pass_by_itself_is_not_tried_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.put("conditions", HEADER)
    pauses: list[float] = []
    disturbed(monkeypatch, "inserted", 1, RuntimeError("a bug"), pauses)
    assert (lab.load().code, pauses) == (70, [])


def test_a_clock_that_jumps_back_changes_no_order(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, hour in enumerate((12, 3), start=1):
        lab.put("conditions", HEADER + f"2020-01-01,,p,e,1,version {number}\n", name=f"{number}.csv")
        monkeypatch.setattr(verb, "now", lambda hour=hour: datetime.datetime(2024, 2, 8, hour))
        assert lab.load().code == 0
    assert lab.query(
        "select description, _load_id from raw_ehr.conditions order by _ingest_date desc, _load_id desc"
    ) == [("version 2", 2), ("version 1", 1)]
    assert lab.query(
        "select max(loaded_at) > min(loaded_at), arg_max(load_id, loaded_at) from raw_meta.load_ledger"
    ) == [(True, 1)]


def test_duckdb_has_one_connection_whatever_is_asked_for(lab: Lab, tmp_path: Path) -> None:
    for table in ("conditions", "supplies"):
        lab.put(table, HEADER if table == "conditions" else "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,QUANTITY\n")
    log = tmp_path / "load.jsonl"
    outcome = lab.load("--jobs", "8", "--log", str(log))
    assert [batch["load_id"] for batch in outcome.document["batches"]] == [1, 2]
    assert json.loads(log.read_text().splitlines()[0])["jobs"] == 1


def test_an_attempt_that_took_hours_is_worth_another(monkeypatch: pytest.MonkeyPatch) -> None:
    hours = 0

    def clock() -> float:
        return hours * 3600.0

    monkeypatch.setattr(time, "monotonic", clock)
    attempts = []

    def work() -> str:
        nonlocal hours
        hours += 2
        attempts.append(hours)
        if len(attempts) < 3:
            raise TransientError("the connection broke")
        return "loaded"

    assert Patience(sleep=lambda seconds: None).over(work) == "loaded"
    assert attempts == [2, 4, 6]

"""Exactly once through COPY on the stand-in: 60 schedules, rivals on the same prefix, a SIGKILL at each step."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from biostar.contracts import read_sources
from biostar.landing import open_landing
from biostar.load.steps import STEPS
from biostar.standin import StandIn
from biostar.warehouse import open_warehouse
from conftest import make_project
from redshift_lab import RedshiftLab, make_lab
from schedules import SOURCES, live
from test_load_exactly_once import KILLED

SCHEDULES = 60
CHUNKS = 4


@pytest.fixture
def lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    made = make_lab(standin, tmp_path, monkeypatch, capsys)
    monkeypatch.setenv("DBT_PROJECT_DIR", str(make_project(tmp_path / "project", SOURCES)))
    return made


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_schedules_end_with_each_row_once(
    chunk: int, lab: RedshiftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = bad = 0
    for seed in range(chunk, SCHEDULES, CHUNKS):
        monkeypatch.setenv("BIOSTAR_SCHEMA_PREFIX", f"{lab.prefix}_{seed}_")
        prefix = f"{lab.prefix}/{seed}"

        def put(key: str, content: bytes, prefix: str = prefix) -> None:
            lab.s3.put_object(Bucket="lake", Key=f"{prefix}/{key}", Body=content)

        sources = read_sources(tmp_path / "project")
        landing = open_landing(f"s3://lake/{prefix}")
        truth = live(
            1000 + seed, landing, sources, put, lambda: open_warehouse("standin"), rivals=True, jobs=1 + seed % 2
        )
        good += sum(len(ids) for ids in truth.good.values())
        bad += len(truth.bad)
        left = lab.s3.list_objects_v2(Bucket="lake", Prefix=f"{prefix}/_biostar/").get("Contents", [])
        assert len(left) <= 40, "manifests of runs that were killed stay; those of others do not"
        with_schemas = open_warehouse("standin")
        for schema in ("raw_ehr", "raw_meta", "raw_restricted"):
            with_schemas.execute(f'drop schema if exists "{lab.prefix}_{seed}_{schema}" cascade')
        with_schemas.close()
    assert good > 60
    assert bad > 10


@pytest.mark.parametrize("step", [step for step in STEPS[1::2] if step != "superseded"])
def test_a_killed_process_leaves_nothing_half_done(step: str, lab: RedshiftLab) -> None:
    for day in ("2024-02-08", "2024-02-09"):
        lab.put("wards", f"Id,Note\n{day[-4:]},n\nbad\n", day=day)
    arguments = ["load", "--target", "standin", "--jobs", "1", "--json"]
    script = [sys.executable, "-c", KILLED]
    killed = subprocess.run([*script, step, *arguments], env=os.environ, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    plain = lab.run(*arguments)
    assert plain.code == 0, json.dumps(plain.document)
    assert sorted(lab.query("select id, _load_id from {raw}.wards")) == [("2-08", 1), ("2-09", 2)]
    assert sorted(lab.query("select load_id, line_number from {meta}.load_rejects")) == [(1, 3), (2, 3)]
    assert sorted(lab.query("select load_id, rows_loaded, rows_rejected from {meta}.load_ledger")) == [
        (1, 1, 1),
        (2, 1, 1),
    ]

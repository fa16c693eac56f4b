"""`biostar load` into the stand-in by COPY gives what it gives in DuckDB: rows, ledger, rejects."""

from __future__ import annotations

from pathlib import Path

import pytest

from biostar.standin import StandIn
from redshift_lab import RedshiftLab, make_lab

HEADER = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"
ROW = "2020-01-01,,p,e,1,d\n"


@pytest.fixture
def lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    return make_lab(standin, tmp_path, monkeypatch, capsys)


def test_plain_objects(lab: RedshiftLab) -> None:
    lab.put("conditions", HEADER + ROW * 3)
    lab.put("conditions", HEADER + ROW + "bad\n", name="b.csv")
    outcome = lab.load()
    assert outcome.code == 0, (outcome.document, outcome.words)
    assert (outcome.document["rows_loaded"], outcome.document["rows_rejected"]) == (4, 1)
    assert lab.load(target="duckdb").code == 0
    assert lab.everything("standin") == lab.everything("duckdb")
    assert lab.keys("_biostar") == []

"""What a run on Redshift finds from runs before: columns too narrow now, and leavings of one that was killed."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from biostar.landing.s3 import connect_s3
from biostar.standin import StandIn
from biostar.warehouse.redshift_scratch import FOLDER, Scratch
from conftest import declare_sources, make_project
from redshift_lab import RedshiftLab, make_lab

TABLE = """
sources:
  - name: raw_ehr
    schema: "{{{{ env_var('BIOSTAR_SCHEMA_PREFIX', '') }}}}raw_ehr"
    config: {{meta: {{landing: ehr, max_errors: 100%}}}}
    tables:
      - name: visits
        config: {{meta: {{natural_key: [id]}}}}
        columns: [{{name: id, data_type: varchar(8)}}, {{name: note, data_type: varchar({width})}}]
"""


@pytest.fixture
def lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    return make_lab(standin, tmp_path, monkeypatch, capsys)


@pytest.fixture
def narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose notes have four bytes."""
    root = make_project(tmp_path / "project", TABLE.format(width=4))
    monkeypatch.setenv("DBT_PROJECT_DIR", str(root))
    return root


def test_a_column_that_a_view_holds_cannot_be_widened_and_the_error_says_what_to_do(
    lab: RedshiftLab, narrow: Path
) -> None:
    lab.put("visits", "Id,Note\n1,good\n")
    assert lab.load().code == 0
    view = f"{lab.prefix}_raw_ehr.visit_notes"
    lab.execute(f"create view {view} as select note from {lab.prefix}_raw_ehr.visits")
    declare_sources(narrow, TABLE.format(width=8))
    lab.put("visits", "Id,Note\n2,longer\n", name="next.csv")
    refused = lab.load()
    assert (refused.code, "takes 4 bytes, is declared with 8" in refused.document["message"]) == (3, True)
    assert "drop the view" in refused.document["next"]
    lab.execute(f"drop view {view}")
    assert lab.load().document["rows_loaded"] == 1


def test_a_column_that_is_declared_wider_is_widened_and_a_retry_fits(lab: RedshiftLab, narrow: Path) -> None:
    lab.put("visits", "Id,Note\n1,good\n2,longer\n3,far too long\n")
    assert lab.load().document["rows_rejected"] == 2
    declare_sources(narrow, TABLE.format(width=8))
    retried = lab.run("rejects", "retry", "--target", "standin")
    assert (retried.code, retried.document["rows_loaded"]) == (0, 1)
    assert sorted(lab.query("select id, note from {raw}.visits")) == [("1", "good"), ("2", "longer")]
    assert lab.query(
        "select character_maximum_length from svv_columns where table_schema = '{raw}' and column_name = 'note'"
    ) == [(8,)]
    declare_sources(narrow, TABLE.format(width=6))
    assert lab.run("raw", "create", "--target", "standin").document["created"] == []


def test_leavings_are_removed_after_a_day_and_nothing_else(lab: RedshiftLab) -> None:
    lab.put_key(f"{FOLDER}/killed/0.manifest", b"{}")
    lab.put("patients", "Id\n1\n")
    client, _ = connect_s3(lab.landing, {"AWS_ENDPOINT_URL": lab.standin.settings.s3_endpoint})
    scratch = Scratch(client, f"{lab.landing}/{FOLDER}", "run")
    assert scratch.remove_left_behind() == 0
    tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1, minutes=1)
    chosen = Scratch(client, f"{lab.landing}/somewhere", "run")
    assert chosen.remove_left_behind(tomorrow) == 0
    assert scratch.remove_left_behind(tomorrow) == 1
    assert lab.keys() == ["ehr/patients/ingest_date=2024-02-08/part.csv"]

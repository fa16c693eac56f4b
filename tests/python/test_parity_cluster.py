"""The script for a cluster: it sends nothing unless told to, everything it would send is legal, and it cleans up."""

from __future__ import annotations

import runpy
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redshift_connector

from biostar.check import Options, check_sql
from biostar.parity.cluster import as_markdown, checks, run_checks
from biostar.parity.cluster.macros import EDGE_TABLES
from biostar.parity.cluster.run import new_place
from biostar.standin import StandIn
from biostar.warehouse import profile
from conftest import PROJECT, S3_KEYS

SCRIPT = PROJECT / "scripts" / "verify_on_redshift"
UNKNOWABLE = {"copy-null-as"}
"""What the stand-in answers otherwise than the manual; the marts are not built there either."""


@pytest.fixture
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(target: str) -> Any:
        raise AssertionError(f"connects to {target}")

    monkeypatch.setattr(profile, "connect", refuse)


@pytest.mark.usefixtures("nothing_is_sent")
def test_without_run_every_statement_is_printed_and_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert said.startswith("-- Nothing was sent.")
    for check in checks():
        assert f"-- {check.name}: {check.settles}" in said
    for table in EDGE_TABLES:
        assert "create table biostar_verify_" in said and f".macros_{table.name} as select id" in said
    assert said.rstrip().splitlines()[-1].startswith("drop schema biostar_verify_")
    assert not [name for name in ("{schema}", "{prefix}", "{s3}", "{role}") if name in said]
    assert "from 's3://BUCKET/PREFIX/nulls.csv' iam_role 'ROLE-ARN'" in said


def test_names_are_unique_and_every_check_has_a_page_and_a_verdict_to_come_to() -> None:
    names = [check.name for check in checks()]
    assert len(set(names)) == len(names) > 60
    for check in checks():
        assert check.page.endswith(".html"), check.name
        assert any(step.judged or step.shown for step in check.steps), check.name


def test_what_is_sent_passes_the_gate_except_what_must_be_refused() -> None:
    must_fail = {step.sql for check in checks() for step in check.steps if step.fails is not None}
    for check in checks():
        for step in check.steps:
            sql = step.sql.replace("{schema}", "s").replace("{prefix}", "").replace("{s3}", "s3://b/p")
            sql = sql.replace("{role}", "arn:aws:iam::123456789012:role/loader")
            refused = [report for report in check_sql(sql, Options(strict=False)) if report.verdict == "refused"]
            assert not refused or step.sql in must_fail, (check.name, refused)


@pytest.fixture
def to_the_stand_in(standin: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StandIn:
    monkeypatch.setenv("BIOSTAR_STANDIN_PORT", str(standin.settings.port))
    monkeypatch.setenv("BIOSTAR_SCHEMA_PREFIX", "never_built_")
    monkeypatch.setenv("AWS_ENDPOINT_URL", standin.settings.s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", S3_KEYS["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", S3_KEYS["aws_secret_access_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", S3_KEYS["region_name"])
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    return standin


def test_a_run_on_the_stand_in_answers_every_check_says_what_it_is_and_leaves_nothing(to_the_stand_in: StandIn) -> None:
    place = new_place("s3://lake/verify", "arn:aws:iam::123456789012:role/loader")
    version, verdicts = run_checks("standin", checks(), place)
    found = {verdict.check.name: verdict for verdict in verdicts}
    assert set(found) == {*(check.name for check in checks()), *(f"macros-{table.name}" for table in EDGE_TABLES)}
    wrong = {
        name: verdict.answers[-1][1]
        for name, verdict in found.items()
        if verdict.word in ("different", "skipped")
        and name not in UNKNOWABLE
        and not verdict.check.group.startswith("physical design")
    }
    assert wrong == {}
    assert {found[f"macros-{table.name}"].word for table in EDGE_TABLES} == {"as expected"}
    text = "\n".join(as_markdown("standin", version, verdicts))
    assert "This ran on the stand-in, a local test rig" in text
    assert "passed" not in text.lower()
    assert "123456789012" not in text and "s3://lake" not in text
    with closing(redshift_connector.connect(**to_the_stand_in.connection)) as connection:
        cursor = connection.cursor()
        cursor.execute("select count(*) from pg_namespace where nspname like 'biostar_verify%%'")
        assert cursor.fetchone()[0] == 0


def test_without_a_place_in_s3_the_checks_of_copy_are_skipped_and_say_why(to_the_stand_in: StandIn) -> None:
    chosen = [check for check in checks() if check.name in ("copy-nulls", "declared-keys")]
    _, verdicts = run_checks("standin", chosen, new_place(), tables=())
    assert [(verdict.word, verdict.why) for verdict in verdicts] == [
        ("as expected", ""),
        ("skipped", "needs --s3 and --iam-role"),
    ]

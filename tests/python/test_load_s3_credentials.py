"""The credentials of a role end after an hour or so, and a load may take longer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from biostar.standin import StandIn
from biostar.warehouse.duckdb_warehouse import DuckDBWarehouse
from redshift_lab import HEADER, RedshiftLab, make_lab, make_project

# Prints keys that nobody had before and that end in a minute, so that boto3 asks again for each request.
ISSUER = """
import datetime, json, pathlib
counter = pathlib.Path(__file__).with_suffix(".count")
number = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(number))
end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=1)
keys = {"AccessKeyId": f"key-{number}", "SecretAccessKey": "test", "SessionToken": f"token-{number}"}
print(json.dumps(keys | {"Version": 1, "Expiration": end.isoformat()}))
"""


@pytest.fixture
def lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    lab = make_lab(standin, tmp_path, monkeypatch, capsys)
    monkeypatch.setenv("DBT_PROJECT_DIR", str(make_project(tmp_path / "project")))
    issuer = tmp_path / "issuer.py"
    issuer.write_text(ISSUER)
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {sys.executable} {issuer}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return lab


def test_each_batch_is_read_with_the_keys_of_its_time(lab: RedshiftLab, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in (8, 9, 10):
        lab.put("conditions", HEADER + f"2020-01-01,,p{day},e,1,d\n", day=f"2024-02-{day:02}")
    secrets: list[dict[str, str]] = []
    real = DuckDBWarehouse.read_from

    def read_from(self: DuckDBWarehouse, uri: str, settings: dict[str, str]) -> None:
        secrets.append(settings)
        real(self, uri, settings)

    monkeypatch.setattr(DuckDBWarehouse, "read_from", read_from)
    assert lab.load(target="duckdb").document["rows_loaded"] == 3
    keys = [secret["key_id"] for secret in secrets]
    assert len(set(keys)) == len(keys) == 3
    assert [secret["session_token"] for secret in secrets] == [key.replace("key", "token") for key in keys]

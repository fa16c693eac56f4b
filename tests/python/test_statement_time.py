"""A statement may take the time that is set for it, and no setting of the profile cuts it short.

The driver's `timeout`, which dbt calls connect_timeout, stays on the socket after the connection is made: with 30,
every COPY and model that takes longer than half a minute is given up as a lost connection, while the cluster goes on.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from biostar.errors import ConfigurationError, TransientError, WarehouseError
from biostar.standin import StandIn
from biostar.warehouse import profile
from conftest import PROJECT
from test_profiles import credentials

HOURS = 4 * 60 * 60
TABLE = "public.statement_time"


def lock_table(connection: Any) -> None:
    for statement in (f"create table if not exists {TABLE} (x integer)", "commit", f"lock {TABLE}"):
        profile.run(connection, "standin", statement)


@pytest.fixture
def impatient(standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile whose connections may be silent for a second."""
    monkeypatch.setenv("DBT_PROJECT_DIR", str(PROJECT))
    monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path))
    (tmp_path / "profiles.yml").write_text(
        "biostar:\n  outputs:\n    standin:\n      type: redshift\n      method: database\n      host: 127.0.0.1\n"
        f"      port: {standin.settings.port}\n      dbname: dev\n      user: biostar\n      password: standin\n"
        "      schema: public\n      sslmode: disable\n      connect_timeout: 1\n"
    )


@pytest.mark.parametrize("target", ["redshift", "standin"])
def test_dbts_statements_have_hours(target: str) -> None:
    assert credentials(target, {}).connect_timeout > HOURS
    assert credentials(target, {}).connect_timeout == profile.STATEMENT_SECONDS + profile.GRACE_SECONDS
    assert credentials(target, {"BIOSTAR_REDSHIFT_STATEMENT_SECONDS": ""}).connect_timeout > HOURS
    assert credentials(target, {"BIOSTAR_REDSHIFT_STATEMENT_SECONDS": "600"}).connect_timeout == 660


def test_a_silent_connection_is_kept_alive_before_a_firewall_forgets_it() -> None:
    """AWS's network components forget a silent flow after 350 seconds by default
    (https://docs.aws.amazon.com/network-firewall/latest/APIReference/API_FlowTimeouts.html)."""
    found = credentials("redshift", {})
    assert found.tcp_keepalive
    assert found.tcp_keepalive_idle < 350


@pytest.mark.usefixtures("impatient")
def test_a_statement_outlasts_what_the_profile_calls_connect_timeout() -> None:
    with closing(profile.connect("standin")) as one, closing(profile.connect("standin")) as two:
        lock_table(one)
        release = threading.Timer(2.5, lambda: profile.run(one, "standin", "rollback"))
        release.start()
        began = time.monotonic()
        profile.run(two, "standin", f"lock {TABLE}")
        assert time.monotonic() - began > 2
        release.join()


@pytest.mark.usefixtures("impatient")
def test_the_server_ends_a_statement_that_takes_too_long_and_the_connection_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with closing(profile.connect("standin")) as one:
        monkeypatch.setenv("BIOSTAR_REDSHIFT_STATEMENT_SECONDS", "1")
        with closing(profile.connect("standin")) as two:
            lock_table(one)
            with pytest.raises(WarehouseError, match="timeout") as fault:
                profile.run(two, "standin", f"lock {TABLE}")
            assert not isinstance(fault.value, TransientError)
            profile.run(two, "standin", "rollback")
            assert profile.run(two, "standin", "select 1") == [(1,)]


@pytest.mark.parametrize("told", ["0", "-1", "1.5", "soon", "²"])
def test_a_time_that_is_none_is_refused(told: str) -> None:
    with pytest.raises(ConfigurationError, match="BIOSTAR_REDSHIFT_STATEMENT_SECONDS is"):
        profile.statement_seconds({"BIOSTAR_REDSHIFT_STATEMENT_SECONDS": told})

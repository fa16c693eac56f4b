"""What `biostar doctor` asks for before a connection to Redshift is tried: the variables of each way to sign in."""

from __future__ import annotations

import os
import socket
from contextlib import closing, nullcontext

import pytest

from biostar.doctor import examine

PROVISIONED = "analytics.abc123.eu-west-1.redshift.amazonaws.com"
SERVERLESS = "reports.123456789012.eu-west-1.redshift-serverless.amazonaws.com"


@pytest.mark.parametrize(
    ("variables", "state", "named"),
    [
        ({}, "wrong", "HOST, BIOSTAR_REDSHIFT_USER, BIOSTAR_REDSHIFT_PASSWORD"),
        ({"HOST": PROVISIONED, "USER": "u", "PASSWORD": "p"}, "ok", "method database"),
        (
            {"METHOD": "iam", "HOST": PROVISIONED},
            "wrong",
            "not set: BIOSTAR_REDSHIFT_USER, BIOSTAR_REDSHIFT_CLUSTER_ID",
        ),
        ({"METHOD": "iam", "HOST": PROVISIONED, "USER": "u", "CLUSTER_ID": "analytics"}, "ok", "method iam"),
        ({"METHOD": "iam_role", "HOST": PROVISIONED}, "wrong", "not set: BIOSTAR_REDSHIFT_CLUSTER_ID"),
        ({"METHOD": "iam_role", "HOST": SERVERLESS}, "ok", "method iam_role"),
        ({"METHOD": "iam_role", "HOST": "warehouse.example.org", "WORKGROUP": "reports"}, "ok", "method iam_role"),
        ({"METHOD": "kerberos", "HOST": PROVISIONED}, "wrong", "'kerberos'"),
    ],
)
def test_doctor_names_the_variables_that_are_missing(
    variables: dict[str, str], state: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith("BIOSTAR_REDSHIFT_"):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(f"BIOSTAR_REDSHIFT_{name}", value)
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: nullcontext())
    finding = next(found for found in examine("redshift", "data/landing") if found.subject == "redshift")
    assert finding.state == state
    assert named in finding.seen


def test_doctor_never_shows_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOSTAR_REDSHIFT_PASSWORD", "hunter-2-hunter")
    assert not any("hunter-2-hunter" in str(vars(found)) for found in examine("redshift", "data/landing"))


def test_doctor_tries_whether_anything_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"METHOD": "database", "HOST": "127.0.0.1", "USER": "u", "PASSWORD": "p"}.items():
        monkeypatch.setenv(f"BIOSTAR_REDSHIFT_{name}", value)

    def endpoint() -> tuple[str, str]:
        (found,) = (found for found in examine("redshift", "data/landing") if found.subject == "endpoint")
        return found.state, found.seen

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = str(server.getsockname()[1])
        monkeypatch.setenv("BIOSTAR_REDSHIFT_PORT", port)
        assert endpoint() == ("ok", f"127.0.0.1:{port} answers")
    assert endpoint() == ("wrong", f"127.0.0.1:{port} does not answer")
    monkeypatch.setenv("BIOSTAR_REDSHIFT_HOST", "warehouse.invalid")
    assert endpoint() == ("wrong", f"warehouse.invalid:{port} cannot be found")
    for port in ("five", "123456"):
        monkeypatch.setenv("BIOSTAR_REDSHIFT_PORT", port)
        assert endpoint() == ("wrong", f"BIOSTAR_REDSHIFT_PORT is '{port}'")

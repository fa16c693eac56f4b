"""The profile gives the driver what each way of signing in to Redshift needs, and nothing that breaks it.

No cluster is needed: dbt's own code renders the profile and builds the arguments of the connection; where AWS is asked
for a temporary password, moto answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
import redshift_connector
import yaml
from dbt.adapters.factory import load_plugin
from dbt.adapters.redshift.connections import RedshiftCredentials, get_connection_method
from dbt.config.profile import Profile
from dbt.config.renderer import ProfileRenderer
from dbt_common.context import set_invocation_context
from dbt_common.exceptions import DbtRuntimeError
from moto import mock_aws

PROFILES = Path(__file__).parents[2] / "profiles" / "profiles.yml"
PROVISIONED = "analytics.abc123.eu-west-1.redshift.amazonaws.com"
SERVERLESS = "reports.123456789012.eu-west-1.redshift-serverless.amazonaws.com"


def credentials(target: str, environment: dict[str, str]) -> Any:
    set_invocation_context(environment)
    raw = yaml.safe_load(PROFILES.read_text())["biostar"]
    _, rendered = Profile.render_profile(raw, "biostar", target, ProfileRenderer({}))
    kind = load_plugin(rendered.pop("type"))
    rendered = kind.translate_aliases({name: value for name, value in rendered.items() if name != "threads"})
    kind.validate(rendered)
    return kind.from_dict(rendered)


def redshift(**variables: str) -> RedshiftCredentials:
    found = credentials("redshift", variables)
    assert isinstance(found, RedshiftCredentials)
    return found


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the driver was asked to connect with."""
    seen: dict[str, Any] = {}

    class Recorder:
        autocommit = False

        def __init__(self, **given: Any) -> None:
            seen.update(given)

    monkeypatch.setattr(redshift_connector, "connect", lambda **given: Recorder(**given))
    return seen


def test_without_any_variable_the_profile_still_parses_so_that_compiling_needs_no_cluster() -> None:
    bare = redshift()
    assert (bare.host, bare.port, bare.database) == ("localhost", 5439, "dev")
    for field in ("user", "password", "cluster_id", "serverless_work_group", "region", "iam_profile", "query_group"):
        assert getattr(bare, field) is None, field
    assert bare.is_serverless is False


def test_an_empty_variable_is_null_as_an_unset_one() -> None:
    names = ["USER", "PASSWORD", "CLUSTER_ID", "WORKGROUP", "QUERY_GROUP"]
    empty = redshift(
        **{f"BIOSTAR_REDSHIFT_{name}": "" for name in names}, AWS_REGION="", AWS_DEFAULT_REGION="", AWS_PROFILE=""
    )
    assert empty == redshift()


def test_a_password_of_digits_stays_text() -> None:
    assert redshift(BIOSTAR_REDSHIFT_PASSWORD="00420").password == "00420"


def test_database_method_passes_user_and_password(arguments: dict[str, Any]) -> None:
    get_connection_method(
        redshift(
            BIOSTAR_REDSHIFT_HOST=PROVISIONED, BIOSTAR_REDSHIFT_USER="loader", BIOSTAR_REDSHIFT_PASSWORD="not-a-secret"
        )
    )()
    assert (arguments["host"], arguments["user"], arguments["password"]) == (PROVISIONED, "loader", "not-a-secret")
    assert arguments["ssl"] is True
    assert arguments["is_serverless"] is False
    assert "iam" not in arguments


@pytest.mark.parametrize("missing", ["USER", "PASSWORD"])
def test_database_method_names_the_missing_field(missing: str) -> None:
    given = {"BIOSTAR_REDSHIFT_USER": "loader", "BIOSTAR_REDSHIFT_PASSWORD": "not-a-secret"}
    given.pop(f"BIOSTAR_REDSHIFT_{missing}")
    with pytest.raises(DbtRuntimeError, match=f"'{missing.lower()}' field"):
        get_connection_method(redshift(**given))


def test_iam_method_gets_a_temporary_password_for_the_user_without_a_named_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With `iam_profile: ''` this failed: the driver looked for a profile with an empty name."""
    seen: dict[str, Any] = {}

    class Recorder:
        def __init__(self, **given: Any) -> None:
            seen.update(given)

        autocommit = False

    monkeypatch.setattr(redshift_connector, "Connection", Recorder)
    for name, value in {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        boto3.client("redshift", region_name="eu-west-1").create_cluster(
            ClusterIdentifier="analytics",
            NodeType="ra3.large",
            MasterUsername="admin",
            MasterUserPassword="Not-A-Secret1",
        )
        get_connection_method(
            redshift(
                BIOSTAR_REDSHIFT_METHOD="iam",
                BIOSTAR_REDSHIFT_HOST=PROVISIONED,
                BIOSTAR_REDSHIFT_CLUSTER_ID="analytics",
                BIOSTAR_REDSHIFT_USER="loader",
            )
        )()
    assert seen["user"] == "IAM:loader"
    assert seen["password"]


def test_iam_method_needs_the_cluster_of_a_provisioned_host() -> None:
    with pytest.raises(DbtRuntimeError, match="'cluster_id' must be provided for provisioned cluster"):
        get_connection_method(
            redshift(BIOSTAR_REDSHIFT_METHOD="iam", BIOSTAR_REDSHIFT_HOST=PROVISIONED, BIOSTAR_REDSHIFT_USER="loader")
        )


def test_iam_method_needs_a_user_on_serverless_too() -> None:
    with pytest.raises(DbtRuntimeError, match="'user' field"):
        get_connection_method(redshift(BIOSTAR_REDSHIFT_METHOD="iam", BIOSTAR_REDSHIFT_HOST=SERVERLESS))


def test_iam_role_method_on_a_cluster_asks_for_the_user_of_the_identity(arguments: dict[str, Any]) -> None:
    get_connection_method(
        redshift(
            BIOSTAR_REDSHIFT_METHOD="iam_role",
            BIOSTAR_REDSHIFT_HOST=PROVISIONED,
            BIOSTAR_REDSHIFT_CLUSTER_ID="analytics",
        )
    )()
    assert arguments["iam"] is True
    assert arguments["group_federation"] is True
    assert arguments["cluster_identifier"] == "analytics"
    assert arguments["db_user"] is None
    assert "profile" not in arguments


def test_iam_role_method_on_serverless_needs_only_the_endpoint(arguments: dict[str, Any]) -> None:
    get_connection_method(redshift(BIOSTAR_REDSHIFT_METHOD="iam_role", BIOSTAR_REDSHIFT_HOST=SERVERLESS))()
    assert arguments["iam"] is True
    assert arguments["is_serverless"] is True
    assert arguments["group_federation"] is False
    assert arguments["cluster_identifier"] is None
    # The driver reads workgroup, account and region from the endpoint.
    assert (arguments["serverless_work_group"], arguments["region"]) == (None, None)


def test_serverless_behind_another_host_name_is_named_by_its_workgroup(arguments: dict[str, Any]) -> None:
    get_connection_method(
        redshift(
            BIOSTAR_REDSHIFT_METHOD="iam_role",
            BIOSTAR_REDSHIFT_HOST="warehouse.example.org",
            BIOSTAR_REDSHIFT_WORKGROUP="reports",
            AWS_REGION="eu-west-1",
        )
    )()
    assert arguments["is_serverless"] is True
    assert (arguments["serverless_work_group"], arguments["region"]) == ("reports", "eu-west-1")


def test_a_named_aws_profile_is_used(arguments: dict[str, Any]) -> None:
    get_connection_method(
        redshift(BIOSTAR_REDSHIFT_METHOD="iam_role", BIOSTAR_REDSHIFT_HOST=SERVERLESS, AWS_PROFILE="research")
    )()
    assert arguments["profile"] == "research"


def test_the_schema_prefix_reaches_the_default_schema() -> None:
    assert redshift(BIOSTAR_SCHEMA_PREFIX="ci_42_").schema == "ci_42_public"


def test_duckdb_settings_come_from_the_environment() -> None:
    duckdb = credentials("duckdb", {"BIOSTAR_DUCKDB_PATH": "elsewhere.duckdb", "BIOSTAR_DUCKDB_MEMORY": "512MB"})
    assert duckdb.path == "elsewhere.duckdb"
    assert duckdb.settings["memory_limit"] == "512MB"


@pytest.mark.parametrize("target", ["redshift", "standin"])
def test_no_statement_is_repeated_without_the_transaction_that_it_stood_in(target: str) -> None:
    """dbt-redshift's retry opens a new connection and sends the last statement alone."""
    found = credentials(target, {})
    assert (found.retries, found.retry_all) == (0, False)

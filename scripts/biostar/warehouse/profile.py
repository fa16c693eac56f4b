"""A connection to Redshift, or to its stand-in, by the settings of dbt's profile: dbt's own code reads them.

So password, IAM and Serverless sign in here exactly as they do for a build.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from biostar.environment import whole_number
from biostar.errors import BiostarError, ConfigurationError, TransientError, WarehouseError
from biostar.project import project_root


class ConnectionLostError(TransientError):
    """Nothing can be heard over the connection any more; what it was doing may have been done or not."""


STATEMENT_SECONDS = 4 * 60 * 60
GRACE_SECONDS = 60
"""For the answer of a server that has ended a statement because of its time."""

TAKE_CARE = frozenset(("22", "23"))
"""Classes of SQLSTATE whose messages may quote a value: data exceptions and constraint violations."""


def credentials_of(target: str) -> Any:
    """dbt's credentials of a target of type redshift.

    Raises:
        ConfigurationError: the profile has no such target, or it is of another type, or a setting is wrong.
    """
    import yaml
    from dbt.adapters.factory import load_plugin
    from dbt.config.profile import Profile
    from dbt.config.renderer import ProfileRenderer
    from dbt_common.context import set_invocation_context
    from dbt_common.dataclass_schema import ValidationError
    from dbt_common.exceptions import DbtBaseException

    root = project_root()
    folder = Path(os.environ.get("DBT_PROFILES_DIR") or root / "profiles")
    path = (root / folder) / "profiles.yml"
    try:
        name = yaml.safe_load((root / "dbt_project.yml").read_text(encoding="utf-8"))["profile"]
        profile = yaml.safe_load(path.read_text(encoding="utf-8"))[name]
    except (OSError, KeyError, yaml.YAMLError) as fault:
        raise ConfigurationError(f"there is no profile to read in '{path}'", next_step="biostar doctor") from fault
    if target not in profile["outputs"]:
        raise ConfigurationError(
            f"the profile '{name}' has no target '{target}'", next_step=f"add it to '{path}', or choose another target"
        )
    set_invocation_context(dict(os.environ))
    try:
        _, rendered = Profile.render_profile(profile, name, target, ProfileRenderer({}))
        if rendered.get("type") != "redshift":
            raise ConfigurationError(f"the target '{target}' of the profile '{name}' is not of type redshift")
        kind = load_plugin(rendered.pop("type"))
        rendered = kind.translate_aliases({key: value for key, value in rendered.items() if key != "threads"})
        kind.validate(rendered)
        return kind.from_dict(rendered)
    except (DbtBaseException, ValidationError) as fault:
        raise ConfigurationError(
            f"the target '{target}' of the profile '{name}' is not complete: {_first_line(fault)}",
            next_step="biostar doctor --target redshift",
        ) from fault


def statement_seconds(environment: Mapping[str, str]) -> int:
    """How long a statement may take.

    Raises:
        ConfigurationError: BIOSTAR_REDSHIFT_STATEMENT_SECONDS is no whole number from 1.
    """
    return whole_number(environment, "BIOSTAR_REDSHIFT_STATEMENT_SECONDS", STATEMENT_SECONDS, unit="seconds")


def connect(target: str, environment: Mapping[str, str] = os.environ) -> Any:
    """A connection of redshift_connector, in a transaction from its first statement on.

    The driver's `timeout`, dbt's `connect_timeout`, is the longest silence on the socket, not only while it connects: a
    statement that takes longer is given up for lost. So it is never what the profile says but the time that a statement
    may take; whether the other end is still there is the business of TCP keepalive.

    Raises:
        ConfigurationError: a setting of the profile is missing or wrong.
        WarehouseError: it does not answer or refuses the user.
    """
    from dbt.adapters.redshift.connections import get_connection_method
    from dbt_common.exceptions import DbtBaseException

    seconds = statement_seconds(environment)
    credentials = credentials_of(target)
    credentials.connect_timeout = seconds + GRACE_SECONDS
    try:
        with guarded(target):
            connection = get_connection_method(credentials)()
        connection.autocommit = True
        run(connection, target, f"set statement_timeout to {seconds * 1000}")
        connection.autocommit = False
        return connection
    except DbtBaseException as fault:
        raise ConfigurationError(
            f"cannot sign in to '{target}': {_first_line(fault)}", next_step="biostar doctor --target redshift"
        ) from fault


def run(connection: Any, target: str, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Rows of one statement, none where it returns none; `?` stands for each bound value."""
    with guarded(target), connection.cursor() as cursor:
        cursor.paramstyle = "qmark"
        cursor.execute(sql, tuple(values))
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


@contextmanager
def guarded(target: str) -> Iterator[None]:
    """Turn the driver's errors into ours, without a value of a row."""
    from botocore.exceptions import BotoCoreError, ClientError
    from redshift_connector.error import Error

    try:
        yield
    except (Error, OSError, struct.error, BotoCoreError, ClientError) as fault:
        raise _translated(target, fault) from None


def error_fields(fault: BaseException) -> dict[str, str]:
    """What the server says of an error, by the letters of the protocol: C the SQLSTATE, M the message, …"""
    said = fault.args[0] if fault.args else None
    return {str(key): str(value) for key, value in said.items()} if isinstance(said, dict) else {}


_SERIALIZATION = frozenset(("40001", "40P01"))
_BUSY = re.compile(
    r"\b1023\b.*serializable|serializable isolation violation|deadlock detected|slow ?down|service ?unavailable"
    r"|internal ?error|request ?time ?(?:out|too skewed)|\bstatus:? 50[0234]\b|S3CurlException"
    r"|S3 ?Query Exception Connection failed|concurrent transaction|could not serialize"
    r"|could not open relation with OID|could not find tuple|cache lookup failed",
    re.IGNORECASE | re.DOTALL,
)
"""What passes by itself: https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html says of error 1023 to
retry the transaction; https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html names S3's codes. Where S3
does not answer at all, COPY speaks of S3CurlException, and for Parquet of an S3Query Exception. Catalog tables are not
locked by a transaction (the first page again), so that a query of them fails when a table that it is about to show is
dropped meanwhile; dbt-redshift tries that again too."""


def _translated(target: str, fault: BaseException) -> BiostarError:
    fields = error_fields(fault)
    code = fields.get("C", "")
    words = fields.get("M") or _first_line(fault)
    # Where M is but a number, as 1023 is, D says what it means. It may say more than that, and is not repeated.
    meaning = f"{words} {fields.get('D', '')}"
    if code[:2] in TAKE_CARE:
        words = f"SQLSTATE {code}; the message is withheld, as it may quote a value"
    step = "biostar standin status" if target == "standin" else "dbt debug --target redshift"
    if _is_lost(fault, code):
        return ConnectionLostError(f"the connection to '{target}' broke: {words}", next_step=step)
    if code in _SERIALIZATION or (code[:2] not in TAKE_CARE and _BUSY.search(meaning)):
        return TransientError(f"'{target}' failed: {words}", next_step="run the load again")
    return WarehouseError(f"'{target}' failed: {words}", next_step=step)


def _is_lost(fault: BaseException, code: str) -> bool:
    """Whether nothing can be heard over the connection any more: class 08, a server that shuts down, a socket's end."""
    from redshift_connector.error import InterfaceError

    return (
        code[:2] == "08"
        or code in ("57P01", "57P02", "57P03")
        or isinstance(fault, (InterfaceError, OSError, struct.error))
    )


def _first_line(fault: BaseException) -> str:
    return (str(fault).strip() or type(fault).__name__).partition("\n")[0]

"""The few things that a caller may choose, and their defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Settings:
    """One stand-in.

    Args:
        home: directory of its data, log and state; made when missing.
        host: address to listen on; anything but loopback is refused, since the password is a test password.
        port: TCP port; 0 lets the system choose.
        database: name of the database, as a client gives it.
        user: the administrator, a superuser as Redshift's admin user is.
        password: the administrator's password.
        s3_endpoint: where COPY and UNLOAD find S3; empty means AWS's own or `AWS_ENDPOINT_URL`.
        s3_timeout: seconds that S3 may stay silent within one request.
        gate: `module:function` called with each user statement; it returns a refusal text or None.
        postgres_bin: directory of initdb and postgres; empty means look for them.
        tls: whether SSLRequest is answered with yes.
        idle_exit_seconds: end by itself after so long without a client; 0 means never.
    """

    home: Path
    host: str = "127.0.0.1"
    port: int = 5439
    database: str = "dev"
    user: str = "biostar"
    password: str = "standin"
    s3_endpoint: str = ""
    s3_timeout: float = 60
    gate: str = ""
    postgres_bin: str = ""
    tls: bool = True
    idle_exit_seconds: float = 0

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON carries them."""
        return {**asdict(self), "home": str(self.home)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Settings:
        """The settings out of what `as_dict` made."""
        known = {field.name for field in fields(cls)}
        return cls(**{**{key: value for key, value in values.items() if key in known}, "home": Path(values["home"])})

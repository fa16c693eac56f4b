"""DuckDB's way to S3: the extension httpfs, with certificates verified, and credentials as values."""

from __future__ import annotations

import os
from collections.abc import Mapping

import duckdb


def connect_to_s3(
    connection: duckdb.DuckDBPyConnection, settings: Mapping[str, str], environment: Mapping[str, str] = os.environ
) -> None:
    """Let a connection read and write S3.

    Credentials are bound values, kept in memory only. Of httpfs's two clients one does not verify the server's
    certificate unless told to; a bundle of certificates is named by AWS_CA_BUNDLE, as for boto3.

    Args:
        connection: the connection.
        settings: credentials, region and endpoint in the words of DuckDB's S3 secret.
        environment: where AWS_CA_BUNDLE and BIOSTAR_S3_TIMEOUT are looked up.

    Raises:
        ConfigurationError: BIOSTAR_S3_TIMEOUT is no whole number from 1.
    """
    from duckdb_extensions import import_extension

    from biostar.landing.s3 import s3_timeout  # boto3 takes a third of a second to import

    import_extension("httpfs", con=connection)
    connection.execute("load httpfs")
    connection.execute("set enable_server_cert_verification = true")
    connection.execute("set enable_curl_server_cert_verification = true")
    if bundle := environment.get("AWS_CA_BUNDLE"):
        connection.execute("set ca_cert_file = ?", [bundle])
    connection.execute(f"set http_timeout = {s3_timeout(environment)}")
    names = ", ".join(f"{name} ?" for name in settings)
    connection.execute(f"create or replace temporary secret biostar (type s3, {names})", list(settings.values()))

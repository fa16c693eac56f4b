"""Bring the raw tables of a DuckDB file into the stand-in the way a warehouse gets them: files in S3, then COPY."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import duckdb
import redshift_connector

from biostar.contracts import Column, read_sources
from biostar.raw import ddl_statements
from biostar.standin import StandIn
from biostar.warehouse import dialect_of, quote_identifier
from conftest import PROJECT, S3_KEYS

ROLE = "arn:aws:iam::123456789012:role/loader"


def copy_raw_tables(database: Path, standin: StandIn, folder: Path, bucket: str = "lake") -> dict[str, int]:
    """Make the declared raw tables in the stand-in and fill them anew; returns the rows of each."""
    sources = read_sources(PROJECT)
    storage: Any = boto3.client("s3", endpoint_url=standin.settings.s3_endpoint, **S3_KEYS)
    counts = {}
    with (
        duckdb.connect(str(database), read_only=True) as files,
        closing(redshift_connector.connect(**standin.connection)) as warehouse,
    ):
        cursor = warehouse.cursor()
        for statement in ddl_statements(dialect_of("redshift"), sources):
            cursor.execute(statement)
        for table in (table for source in sources for table in source.tables):
            name = f"{table.schema}.{table.name}"
            columns = ", ".join(quote_identifier(column.name) for column in table.all_columns)
            values = ", ".join(_field(column) for column in table.all_columns)
            cursor.execute(f"delete from {name}")
            part = folder / f"{name}.csv"
            files.execute(f"copy (select {values} from {name}) to '{part}' (header false, nullstr '\\N')")
            storage.upload_file(str(part), bucket, f"raw/{name}.csv")
            cursor.execute(f"copy {name} ({columns}) from 's3://{bucket}/raw/{name}.csv' iam_role '{ROLE}' csv")
            cursor.execute(f"select count(*) from {name}")
            counts[name] = int(cursor.fetchone()[0])
        warehouse.commit()
    return counts


def _field(column: Column) -> str:
    """A null text as COPY's own null string, so that an empty text stays one; any other null as an empty field."""
    name = quote_identifier(column.name)
    return name if column.data_type.startswith("varchar") else f"coalesce(cast({name} as varchar), '')"

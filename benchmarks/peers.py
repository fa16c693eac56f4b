"""One contender of benchmarks/loading.py, run as a process of its own: `python peers.py NAME ADDRESS TABLE`.

Each loads the CSV objects at ADDRESS, `s3://bucket/prefix/` or a folder, into a new table of text columns and prints
the number of rows that are in it afterwards. What each does is what its documentation shows first for this job.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROLE = "arn:aws:iam::123456789012:role/loader"
ROWS_INSERTED = 20_000
"""Rows for the contender that inserts them one by one; its throughput is taken from these."""


def connection() -> Any:
    """The driver's connection to the stand-in."""
    import redshift_connector

    return redshift_connector.connect(
        host="127.0.0.1",
        port=int(os.environ["BIOSTAR_STANDIN_PORT"]),
        database="dev",
        user="biostar",
        password="standin",
        ssl=False,
    )


def header(address: str) -> list[str]:
    """Column names of the first object."""
    if address.startswith("s3://"):
        import boto3

        place = urlsplit(address)
        s3 = boto3.client("s3")
        key = s3.list_objects_v2(Bucket=place.netloc, Prefix=place.path.lstrip("/"))["Contents"][0]["Key"]
        start = s3.get_object(Bucket=place.netloc, Key=key, Range="bytes=0-65535")["Body"].read()
    else:
        with sorted(Path(address).glob("*.csv"))[0].open("rb") as stream:
            start = stream.read(65536)
    return [name.lower() for name in next(csv.reader(io.StringIO(start.decode(errors="ignore"))))]


def create(cursor: Any, table: str, names: list[str]) -> None:
    """A table of text columns."""
    columns = ", ".join(f'"{name}" varchar(1024)' for name in names)
    cursor.execute(f"drop table if exists public.{table}")
    cursor.execute(f"create table public.{table} ({columns})")


def rows(cursor: Any, table: str) -> int:
    """Rows of a table of the stand-in."""
    cursor.execute(f"select count(*) from {table}")
    return int(cursor.fetchone()[0])


def copy(address: str, table: str) -> int:
    """The floor: one COPY of the whole prefix, and nothing else."""
    with closing(connection()) as connected, connected.cursor() as cursor:
        create(cursor, table, header(address))
        cursor.execute(f"copy public.{table} from '{address}' iam_role '{ROLE}' format csv ignoreheader 1")
        connected.commit()
        return rows(cursor, f"public.{table}")


def awswrangler_copy_from_files(address: str, table: str) -> int:
    """awswrangler.redshift.copy_from_files: COPY of files that lie in S3."""
    import awswrangler

    awswrangler.config.s3_endpoint_url = os.environ["AWS_ENDPOINT_URL"]
    names = header(address)
    with closing(connection()) as connected:
        awswrangler.redshift.copy_from_files(
            path=address,
            con=connected,
            schema="public",
            table=table,
            data_format="csv",
            redshift_column_types=dict.fromkeys(names, "varchar(1024)"),
            iam_role=ROLE,
            sql_copy_extra_params=["IGNOREHEADER 1"],
            mode="overwrite",
        )
        with connected.cursor() as cursor:
            return rows(cursor, f"public.{table}")


def awswrangler_copy(address: str, table: str) -> int:
    """awswrangler.redshift.copy: read CSV into DataFrames, write Parquet to S3, COPY it; a chunk at a time."""
    import awswrangler

    awswrangler.config.s3_endpoint_url = os.environ["AWS_ENDPOINT_URL"]
    stage = f"{address.rstrip('/')}-awswrangler/"
    mode = "overwrite"
    with closing(connection()) as connected:
        for frame in awswrangler.s3.read_csv(address, chunksize=500_000, dtype=str, keep_default_na=False):
            awswrangler.redshift.copy(
                df=frame,
                path=stage,
                con=connected,
                schema="public",
                table=table,
                mode=mode,
                iam_role=ROLE,
                index=False,
                varchar_lengths_default=1024,
            )
            mode = "append"
        with connected.cursor() as cursor:
            return rows(cursor, f"public.{table}")


def locopy_copy(address: str, table: str) -> int:
    """locopy: COPY with the keys of the session in the statement, which the stand-in refuses."""
    import locopy
    import redshift_connector

    with closing(connection()) as connected, connected.cursor() as cursor:
        create(cursor, table, header(address))
        connected.commit()
    settings = {"host": "127.0.0.1", "port": int(os.environ["BIOSTAR_STANDIN_PORT"]), "database": "dev"}
    with locopy.Redshift(
        dbapi=redshift_connector, user="biostar", password="standin", ssl=False, **settings
    ) as redshift:
        redshift.copy(f"public.{table}", address, delim=",", copy_options=["CSV", "IGNOREHEADER 1"])
    with closing(connection()) as connected, connected.cursor() as cursor:
        return rows(cursor, f"public.{table}")


def _read_with_dlt(address: str) -> Any:
    import dlt
    from dlt.sources.filesystem import filesystem, read_csv

    credentials: dict[str, str] | None = None
    if address.startswith("s3://"):
        credentials = {
            "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
            "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
            "region_name": "us-east-1",
        }
    place = {"bucket_url": address, "credentials": credentials} if credentials else {"bucket_url": address}
    files = filesystem(file_glob="*.csv", **place)
    return files | read_csv(chunksize=100_000, dtype=str, keep_default_na=False), credentials, dlt


def dlt_redshift(address: str, table: str) -> int:
    """dlt: filesystem source, Parquet staged in S3, COPY."""
    from dlt.destinations import filesystem, redshift

    resource, credentials, dlt = _read_with_dlt(address)
    pipeline = dlt.pipeline(
        f"bench_{table}",
        destination=redshift(
            credentials={
                "host": "127.0.0.1",
                "port": int(os.environ["BIOSTAR_STANDIN_PORT"]),
                "database": "dev",
                "username": "biostar",
                "password": "standin",
            },
            staging_iam_role=ROLE,
        ),
        staging=filesystem(address.rstrip("/") + "-dlt", credentials=credentials),
        dataset_name=f"dlt_{table}",
        pipelines_dir=os.environ["BENCH_FOLDER"],
    )
    pipeline.run(resource, table_name="rows", loader_file_format="parquet", write_disposition="replace")
    with closing(connection()) as connected, connected.cursor() as cursor:
        return rows(cursor, f"dlt_{table}.rows")


def dlt_duckdb(address: str, table: str) -> int:
    """dlt: filesystem source, Parquet, DuckDB."""
    import duckdb
    from dlt.destinations import duckdb as destination

    resource, _, dlt = _read_with_dlt(address)
    path = str(Path(os.environ["BENCH_FOLDER"]) / f"{table}.duckdb")
    pipeline = dlt.pipeline(
        f"bench_{table}",
        destination=destination(credentials=path),
        dataset_name="bench",
        pipelines_dir=os.environ["BENCH_FOLDER"],
    )
    pipeline.run(resource, table_name="rows", loader_file_format="parquet", write_disposition="replace")
    with duckdb.connect(path, read_only=True) as connected:
        return int(connected.execute("select count(*) from bench.rows").fetchall()[0][0])


def insert_rows(address: str, table: str) -> int:
    """Row inserts, as pandas.DataFrame.to_sql makes them: the driver's write_dataframe, for the first rows only."""
    import boto3
    import pandas

    place = urlsplit(address)
    s3 = boto3.client("s3")
    key = s3.list_objects_v2(Bucket=place.netloc, Prefix=place.path.lstrip("/"))["Contents"][0]["Key"]
    body = s3.get_object(Bucket=place.netloc, Key=key)["Body"]
    frame = pandas.read_csv(body, dtype=str, keep_default_na=False, nrows=ROWS_INSERTED)
    frame.columns = [name.lower() for name in frame.columns]
    with closing(connection()) as connected, connected.cursor() as cursor:
        create(cursor, table, list(frame.columns))
        cursor.write_dataframe(frame, f"public.{table}")
        connected.commit()
        return rows(cursor, f"public.{table}")


def read_csv(address: str, table: str) -> int:
    """The floor on DuckDB: create table as select from read_csv, every column text."""
    import duckdb

    path = str(Path(os.environ["BENCH_FOLDER"]) / f"{table}.duckdb")
    with duckdb.connect(path, config={"threads": "2", "memory_limit": "2GB"}) as connected:
        connected.execute("set preserve_insertion_order = false")
        connected.execute(
            f"create table {table} as select * from read_csv(?, all_varchar = true, header = true)",
            [str(Path(address) / "*.csv")],
        )
        return int(connected.execute(f"select count(*) from {table}").fetchall()[0][0])


CONTENDERS: dict[str, Callable[[str, str], int]] = {
    "copy": copy,
    "awswrangler_copy_from_files": awswrangler_copy_from_files,
    "awswrangler_copy": awswrangler_copy,
    "locopy": locopy_copy,
    "dlt_redshift": dlt_redshift,
    "dlt_duckdb": dlt_duckdb,
    "insert_rows": insert_rows,
    "read_csv": read_csv,
}

if __name__ == "__main__":
    print(CONTENDERS[sys.argv[1]](sys.argv[2], sys.argv[3]))

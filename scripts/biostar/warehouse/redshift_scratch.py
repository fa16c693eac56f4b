"""Where the loader keeps what COPY needs beside the landing: manifests, JSONPaths and rewritten objects.

It lies in the bucket of the landing, below `_biostar/`, which no listing of the landing looks at, or where
BIOSTAR_SCRATCH says. Rewritten objects hold rows of patients: each is removed when its batch ends, and what a killed
run left behind is removed by the first run after a day.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from boto3.exceptions import S3UploadFailedError

from biostar.errors import BiostarError, ConfigurationError, TransientError, WarehouseError
from biostar.landing.s3 import FAULTS, code_of, connect_s3, is_forbidden, passes_by_itself

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

FOLDER = "_biostar"
KEPT = datetime.timedelta(days=1)
_FAULTS = (*FAULTS, S3UploadFailedError, OSError)


class Scratch:
    """Objects that one run writes below a prefix of S3, and removes again."""

    def __init__(self, client: S3Client, prefix: str, run: str) -> None:
        parts = urlsplit(prefix, allow_fragments=False)
        self._client = client
        self._bucket = parts.netloc
        self._folder = f"{prefix.removeprefix(f's3://{parts.netloc}').strip('/')}/{run}".strip("/")
        self._written: dict[str, None] = {}

    @classmethod
    def connect(cls, landing: str, run: str, environment: Mapping[str, str]) -> Scratch:
        """The scratch of a run that loads from `landing`.

        Raises:
            ConfigurationError: BIOSTAR_SCRATCH is no s3:// prefix, or there are no credentials.
        """
        prefix = environment.get("BIOSTAR_SCRATCH") or f"{landing.rstrip('/')}/{FOLDER}"
        if not prefix.startswith("s3://") or not urlsplit(prefix, allow_fragments=False).netloc:
            raise ConfigurationError(f"BIOSTAR_SCRATCH is '{prefix}'", next_step="give it as s3://bucket/prefix")
        client, _ = connect_s3(prefix, environment)
        made = cls(client, prefix, run)
        made.remove_left_behind()
        return made

    def address(self, name: str) -> str:
        """The s3:// address of an object of this run."""
        return f"s3://{self._bucket}/{self._folder}/{name}"

    def put(self, name: str, content: bytes) -> str:
        """Write an object; returns its address."""
        key = f"{self._folder}/{name}"
        self._written[self.address(name)] = None
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content)
        except _FAULTS as fault:
            raise self._translated(fault, self.address(name)) from None
        return self.address(name)

    def put_file(self, name: str, path: Path) -> str:
        """Write a local file, in parts where it is large; returns its address."""
        self._written[self.address(name)] = None
        try:
            self._client.upload_file(str(path), self._bucket, f"{self._folder}/{name}")
        except _FAULTS as fault:
            raise self._translated(fault, self.address(name)) from None
        return self.address(name)

    def remove(self, address: str) -> None:
        """Remove an object of this run; removing it twice is nothing. Where S3 fails, `remove_all` tries again."""
        if address not in self._written:
            return
        try:
            self._client.delete_object(Bucket=self._bucket, Key=address.removeprefix(f"s3://{self._bucket}/"))
        except _FAULTS as fault:
            if is_forbidden(fault):
                raise self._translated(fault, address) from None
            return
        self._written.pop(address, None)  # another connection that ends may be removing all

    def remove_all(self) -> list[str]:
        """Remove whatever this run wrote and has not removed; returns the addresses of what is still there."""
        for address in list(self._written):
            self.remove(address)
            if address in self._written:
                break  # the others would meet the same
        return list(self._written)

    def remove_left_behind(self, now: datetime.datetime | None = None) -> int:
        """Remove what runs that were killed more than a day ago have left; returns how many objects.

        Only names below the folder of a run, as this module makes them, are touched.
        """
        parent = self._folder.rpartition("/")[0]
        if not parent.endswith(FOLDER):
            return 0  # a prefix of somebody's choice may hold other things
        oldest = (now or datetime.datetime.now(datetime.timezone.utc)) - KEPT
        removed = 0
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{parent}/")
            for page in pages:
                for entry in page.get("Contents", []):
                    if entry["LastModified"] < oldest:
                        self._client.delete_object(Bucket=self._bucket, Key=entry["Key"])
                        removed += 1
        except _FAULTS as fault:
            raise self._translated(fault, f"s3://{self._bucket}/{parent}/") from None
        return removed

    @staticmethod
    def _translated(fault: BaseException, address: str) -> BiostarError:
        if isinstance(fault, S3UploadFailedError) and fault.__context__ is not None:
            fault = fault.__context__  # what S3 said is in there
        code = code_of(fault)
        if is_forbidden(fault):
            return ConfigurationError(
                f"'{address}' may not be written with these credentials ({code})",
                next_step="allow s3:PutObject and s3:DeleteObject there, or set BIOSTAR_SCRATCH to another prefix",
            )
        kind = TransientError if passes_by_itself(fault) else WarehouseError
        return kind(f"'{address}' cannot be written to S3 ({code})", next_step="run the load again")

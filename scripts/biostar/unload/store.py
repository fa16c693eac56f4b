"""Where the files go: a folder, or a prefix in S3. Only what a run needs: list, read, remove, and publish one object.

A manifest is published whole or not at all: by a rename in a folder, by one PUT in S3. Both are conditional, so that
of two runs that began with the same manifest the second fails and says so.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from biostar.errors import BiostarError, ConfigurationError, UsageError, WarehouseError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

LONGEST_KEY = 1024
"""Bytes (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html)."""

ROOM_FOR_NAMES = 300
"""Bytes of a key kept for the run's folder and the name of a file; partitions come on top and are checked after."""

# What DuckDB's globs and URLs, and the manual's list of characters to avoid, give a meaning of its own.
_RISKY = re.compile(r"[\x00-\x1f\x7f\\?*\[\]{}#%^`\"<>~|]")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


class Store(Protocol):
    """A place to unload to; keys are relative to it."""

    uri: str

    def address(self, key: str) -> str:
        """Where engines write and read a key; with `/` at its end, a folder."""

    def url(self, key: str) -> str:
        """How the manifest names a file: the whole address in S3, relative to the manifest in a folder."""

    def files(self, folder: str) -> list[tuple[str, int]]:
        """Key and bytes of everything below a folder, in order of key."""

    def folders(self) -> list[str]:
        """Names of the folders at the top."""

    def prepare(self, folder: str) -> None:
        """Make a folder where one is needed."""

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Content and stamp of a small object; None where there is none."""

    def publish(self, key: str, content: bytes, stamp: str) -> None:
        """Write an object whole, unless it changed since its stamp was read (empty: since there was none).

        Raises:
            ChangedMeanwhile: it did.
        """

    def remove(self, folder: str) -> None:
        """Remove everything below a folder."""

    def remove_file(self, key: str) -> None:
        """Remove one file."""

    def settings(self) -> dict[str, str]:
        """What DuckDB must be told to read and write the addresses; nothing for a folder."""


class ChangedMeanwhile(WarehouseError):
    """Somebody else published at the same place between our look at it and our own publication."""

    def __init__(self, uri: str) -> None:
        super().__init__(
            f"another run published at '{uri}' meanwhile",
            undone="nothing of this run is published; what is there is the other run's",
            next_step="look at its manifest, then run the same command again if yours is the one wanted",
        )


def open_store(to: str, environment: Mapping[str, str] = os.environ) -> Store:
    """The place that `to` names.

    Raises:
        UsageError: it is no folder and no s3:// prefix that files can be written to.
        ConfigurationError: there are no credentials for S3.
    """
    if to.startswith("s3://"):
        from biostar.landing.s3 import connect_s3

        bucket, prefix = split_uri(to)
        client, settings = connect_s3(to, environment)
        return S3Store(bucket, prefix, client, settings)
    if "://" in to or not to.strip() or "\0" in to:
        raise UsageError(f"cannot unload to {to[:80]!r}", next_step="give --to as a folder or as s3://bucket/prefix")
    return FolderStore(Path(to).absolute())


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and prefix, without a slash at the prefix's ends.

    Raises:
        UsageError: engines and tools would not read the same name everywhere.
    """
    bucket, _, rest = uri.removeprefix("s3://").partition("/")
    prefix = rest.strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(f"{bucket[:80]!r} is no name of a bucket", next_step="give --to as s3://bucket/prefix")
    if not prefix:
        raise UsageError(f"'{uri}' is a whole bucket", next_step="give a prefix in it: s3://bucket/prefix")
    risky = _RISKY.search(prefix)
    if risky:
        raise UsageError(
            f"the prefix {prefix[:80]!r} has {risky[0]!r}, which not every tool reads as itself",
            next_step="use letters, digits and / - _ . = in it",
        )
    if any(part in ("", ".", "..") for part in prefix.split("/")):
        raise UsageError(f"the prefix '{prefix[:80]}' has an empty part, '.' or '..'", next_step="write it out")
    if len(prefix.encode()) > LONGEST_KEY - ROOM_FOR_NAMES:
        raise UsageError(
            f"the prefix is {len(prefix.encode()):,} bytes long, and a key may have {LONGEST_KEY:,}",
            next_step=f"keep it below {LONGEST_KEY - ROOM_FOR_NAMES:,}",
        )
    return bucket, prefix


class FolderStore:
    """A folder."""

    def __init__(self, root: Path) -> None:
        self.uri = str(root)
        self._root = root

    def address(self, key: str) -> str:
        """The path."""
        return str(self._root / key)

    def url(self, key: str) -> str:
        """Relative to the manifest, so that the folder may be moved."""
        return key

    def files(self, folder: str) -> list[tuple[str, int]]:
        """Key and bytes of every file below a folder."""
        with self._guarded():
            found = []
            for here, folders, names in os.walk(self._root / folder):
                folders.sort()
                found += [(Path(here, name).relative_to(self._root).as_posix(), Path(here, name)) for name in names]
            return sorted((key, path.stat().st_size) for key, path in found)

    def folders(self) -> list[str]:
        """Names of the folders at the top."""
        with self._guarded():
            return sorted(path.name for path in self._root.iterdir() if path.is_dir()) if self._root.is_dir() else []

    def prepare(self, folder: str) -> None:
        """Make the folder."""
        with self._guarded():
            (self._root / folder).mkdir(parents=True, exist_ok=True)

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Content, and its digest as the stamp."""
        with self._guarded():
            try:
                content = (self._root / key).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return content, hashlib.sha256(content).hexdigest()

    def publish(self, key: str, content: bytes, stamp: str) -> None:
        """Write beside it and rename; a first publication by a link, which fails where a name is taken."""
        path = self._root / key
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        with self._guarded():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with beside.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                if stamp:
                    there = self.read(key)
                    if there is None or there[1] != stamp:
                        raise ChangedMeanwhile(self.uri)
                    beside.replace(path)
                else:
                    try:
                        path.hardlink_to(beside)
                    except FileExistsError:
                        raise ChangedMeanwhile(self.uri) from None
                folder = os.open(path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
            finally:
                beside.unlink(missing_ok=True)

    def remove(self, folder: str) -> None:
        """Remove the folder."""
        with self._guarded():
            path = self._root / folder
            if path.is_symlink():
                raise UsageError(f"'{path}' is a link, and is left alone", next_step="remove it yourself")
            if path.exists():
                shutil.rmtree(path)

    def remove_file(self, key: str) -> None:
        """Remove one file."""
        with self._guarded():
            (self._root / key).unlink()

    def settings(self) -> dict[str, str]:
        """Nothing: a path is enough."""
        return {}

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            raise WarehouseError(
                f"'{self.uri}' cannot be written or read: {(fault.strerror or type(fault).__name__).lower()}",
                next_step="give --to as a folder that you may write to",
            ) from fault


class S3Store:
    """A prefix of a bucket."""

    def __init__(self, bucket: str, prefix: str, client: S3Client, settings: Callable[[], dict[str, str]]) -> None:
        self.uri = f"s3://{bucket}/{prefix}"
        self._bucket = bucket
        self._prefix = prefix
        self._client = client
        self._settings = settings

    def address(self, key: str) -> str:
        """The s3:// address."""
        return f"{self.uri}/{key}"

    def url(self, key: str) -> str:
        """The s3:// address, which COPY needs whole."""
        return self.address(key)

    def files(self, folder: str) -> list[tuple[str, int]]:
        """Key and bytes of every object below a folder."""
        with self._guarded():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{self._prefix}/{folder}/"
            )
            return [
                (entry["Key"].removeprefix(f"{self._prefix}/"), int(entry["Size"]))
                for page in pages
                for entry in page.get("Contents", [])
                if not entry["Key"].endswith("/")
            ]

    def folders(self) -> list[str]:
        """Names of the folders at the top."""
        with self._guarded():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{self._prefix}/", Delimiter="/"
            )
            return [
                entry["Prefix"].removeprefix(f"{self._prefix}/").rstrip("/")
                for page in pages
                for entry in page.get("CommonPrefixes", [])
            ]

    def prepare(self, folder: str) -> None:
        """Nothing: S3 has no folders."""

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Content, and its ETag as the stamp."""
        from botocore.exceptions import ClientError

        with self._guarded():
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=f"{self._prefix}/{key}")
            except ClientError as fault:
                if fault.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                    return None
                raise
            return found["Body"].read(), found["ETag"]

    def publish(self, key: str, content: bytes, stamp: str) -> None:
        """One conditional PUT."""
        from botocore.exceptions import ClientError

        with self._guarded():
            try:
                self._put(f"{self._prefix}/{key}", content, stamp)
            except ClientError as fault:
                if fault.response.get("Error", {}).get("Code") not in (
                    "PreconditionFailed",
                    "ConditionalRequestConflict",
                ):
                    raise
                # A PUT whose answer was lost is sent again by the client, and then meets itself.
                there = self.read(key)
                if there is None or there[0] != content:
                    raise ChangedMeanwhile(self.uri) from None

    def _put(self, key: str, content: bytes, stamp: str) -> None:
        kind = "application/json"
        if stamp:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=kind, IfMatch=stamp)
        else:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=kind, IfNoneMatch="*")

    def remove(self, folder: str) -> None:
        """Remove every object below a folder, a thousand at a time."""
        keys = [key for key, _ in self.files(folder)]
        with self._guarded():
            for start in range(0, len(keys), 1000):
                batch = [{"Key": f"{self._prefix}/{key}"} for key in keys[start : start + 1000]]
                done = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True})  # type: ignore[typeddict-item]
                if done.get("Errors"):
                    raise WarehouseError(
                        f"{len(done['Errors'])} objects under '{self.address(folder)}' could not be removed"
                        f" ({done['Errors'][0].get('Code', '')})",
                        next_step="allow s3:DeleteObject on the prefix, or remove them by hand",
                    )

    def remove_file(self, key: str) -> None:
        """Remove one object."""
        with self._guarded():
            self._client.delete_object(Bucket=self._bucket, Key=f"{self._prefix}/{key}")

    def settings(self) -> dict[str, str]:
        """Credentials, region and endpoint, in the words of DuckDB's S3 secret."""
        return self._settings()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            yield
        except (ClientError, BotoCoreError, HTTPClientError) as fault:
            raise self._translated(fault) from None

    def _translated(self, fault: Exception) -> BiostarError:
        # The code, not the text: the text of a signature error repeats the request.
        response = getattr(fault, "response", None) or {}
        code = str(response.get("Error", {}).get("Code") or type(fault).__name__)
        if code in ("403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"):
            return ConfigurationError(
                f"'{self.uri}' may not be used with these credentials ({code})",
                next_step="allow s3:ListBucket, GetObject, PutObject and DeleteObject on the prefix",
            )
        if code == "NoSuchBucket":
            return ConfigurationError(f"there is no bucket '{self._bucket}'", next_step="create it, or choose another")
        return WarehouseError(f"S3 failed at '{self.uri}' ({code})", next_step="run the same command again")

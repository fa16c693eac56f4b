"""An s3:// prefix as landing, on AWS or on anything that speaks its protocol (AWS_ENDPOINT_URL).

Listing and verifying go through boto3 with its usual chain of credentials; the warehouse reads the objects itself, with
the same credentials handed over as values, never as text of a statement.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import urlsplit

import boto3
import botocore.exceptions
import botocore.loaders
import botocore.session
from botocore.config import Config

from biostar.environment import whole_number
from biostar.errors import BiostarError, ConfigurationError, ObjectError, TransientError, UsageError, WarehouseError
from biostar.landing.listing import Found, LandedObject

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3.client import S3Client

DEFAULT_TIMEOUT = 60
"""Seconds that S3 may stay silent within one request."""

ATTEMPTS = 5
"""How often a request is sent; botocore's pauses between grow and are random."""

FAULTS = (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError)
"""What a request raises."""

_FORBIDDEN = {"403", "AccessDenied"}
_DENIED = _FORBIDDEN | {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
_GONE = {"404", "NoSuchKey"}
_NO_ANSWER = (
    botocore.exceptions.HTTPClientError,
    botocore.exceptions.ConnectionError,
    botocore.exceptions.IncompleteReadError,
)
_WRONG_ADDRESS = (botocore.exceptions.SSLError, botocore.exceptions.ProxyConnectionError)
_BUSY = {"RequestTimeout", "Throttling", "ThrottlingException"}
"""Codes of a busy store with a status below 500."""


def s3_timeout(environment: Mapping[str, str]) -> int:
    """Seconds that S3 may stay silent before a request counts as failed.

    Raises:
        ConfigurationError: BIOSTAR_S3_TIMEOUT is no whole number from 1.
    """
    return whole_number(environment, "BIOSTAR_S3_TIMEOUT", DEFAULT_TIMEOUT, unit="seconds")


def code_of(fault: BaseException) -> str:
    """S3's code of an error, or what kind it is; never its text, which may repeat the request."""
    response = getattr(fault, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(fault).__name__)


def is_forbidden(fault: BaseException) -> bool:
    """Whether the credentials are wrong, or do not allow it."""
    return code_of(fault) in _DENIED


def passes_by_itself(fault: BaseException) -> bool:
    """Whether S3 is busy, or the connection failed: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html."""
    if isinstance(fault, botocore.exceptions.ClientError):
        status = fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or code_of(fault) in _BUSY
    return isinstance(fault, _NO_ANSWER) and not isinstance(fault, _WRONG_ADDRESS)


def connect_s3(uri: str, environment: Mapping[str, str]) -> tuple[S3Client, Callable[[], dict[str, str]]]:
    """A client with the credentials that boto3 finds, and what tells them in the words of DuckDB's S3 secret.

    Those of a role end after an hour or so. boto3 gets new ones in time; who asks anew gets them too.

    Raises:
        ConfigurationError: there are no credentials.
    """
    core = botocore.session.get_session()
    core.register_component("data_loader", _models())
    session = boto3.session.Session(botocore_session=core)
    credentials = session.get_credentials()
    if credentials is None:
        raise ConfigurationError(
            f"there are no AWS credentials for '{uri}'",
            undone="nothing was read or written",
            next_step="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run under a role",
        )
    region = session.region_name or "us-east-1"
    place = {"region": region}
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    seconds = s3_timeout(environment)
    config = Config(
        connect_timeout=min(10, seconds),
        read_timeout=seconds,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    if endpoint:
        address = urlsplit(endpoint)
        place |= {
            "endpoint": address.netloc + address.path.rstrip("/"),
            "use_ssl": str(address.scheme == "https").lower(),
            "url_style": "path",
        }
        config = config.merge(Config(s3={"addressing_style": "path"}))

    def settings() -> dict[str, str]:
        keys = credentials.get_frozen_credentials()
        found = place | {"key_id": keys.access_key or "", "secret": keys.secret_key or ""}
        return found | {"session_token": keys.token} if keys.token else found

    return session.client("s3", region_name=region, endpoint_url=endpoint, config=config), settings


@functools.cache
def _models() -> botocore.loaders.Loader:
    """botocore's descriptions of services, which take a tenth of a second to read, for all sessions of this process."""
    return botocore.loaders.create_loader()


class S3Landing:
    """Objects below a prefix of a bucket."""

    def __init__(self, uri: str, client: S3Client, settings: Callable[[], dict[str, str]]) -> None:
        parts = urlsplit(uri, allow_fragments=False)
        self.uri = uri.rstrip("/")
        self._bucket = parts.netloc
        self._prefix = uri.removeprefix(f"s3://{parts.netloc}").strip("/")
        self._client = client
        self._settings = settings
        if not self._bucket:
            raise UsageError(f"'{uri}' names no bucket", next_step="give the landing as s3://bucket/prefix")

    @classmethod
    def connect(cls, uri: str, environment: Mapping[str, str]) -> S3Landing:
        """A landing with the credentials that boto3 finds.

        Raises:
            UsageError: the address names no bucket.
            ConfigurationError: there are no credentials.
        """
        client, settings = connect_s3(uri, environment)
        return cls(uri, client, settings)

    def find(self, folder: str) -> Iterator[Found]:
        """Every object below `folder`, in order of key; S3 lists in that order."""
        start = f"{self._prefix}/" if self._prefix else ""
        try:
            anything = self._client.list_objects_v2(Bucket=self._bucket, Prefix=start, MaxKeys=1)
            if not anything.get("Contents"):
                raise ConfigurationError(
                    f"the landing '{self.uri}' does not exist: no object has this prefix",
                    undone="nothing was loaded",
                    next_step="name the landing with --landing or BIOSTAR_LANDING",
                )
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{start}{folder}/"
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    if not entry["Key"].endswith("/"):
                        yield Found(
                            entry["Key"].removeprefix(start),
                            int(entry["Size"]),
                            entry["ETag"].strip('"'),
                            modified=entry["LastModified"].astimezone(datetime.timezone.utc),
                        )
        except FAULTS as fault:
            raise self._translated(fault) from None

    def open(self, key: str) -> BinaryIO:
        """The bytes of an object."""
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=self._full(key))["Body"]
        except FAULTS as fault:
            raise self._translated(fault, key) from None
        return cast(BinaryIO, _Body(body, key))

    def address(self, key: str) -> str:
        """The s3:// address."""
        return f"s3://{self._bucket}/{self._full(key)}"

    def etag(self, found: LandedObject, content_hash: str) -> str:
        """The ETag as S3 gives it, and the content for finding copies."""
        return f"sha256:{content_hash};etag:{found.stamp}"

    def is_same(self, found: LandedObject, ledger_size: int, ledger_etag: str) -> bool:
        """Same size and ETag."""
        return found.size == ledger_size and ledger_etag.partition(";")[2] == f"etag:{found.stamp}"

    def warehouse_settings(self) -> dict[str, str]:
        """Credentials as of now, region and endpoint, in the words of DuckDB's S3 secret."""
        return self._settings()

    def is_settled(self, found: LandedObject) -> bool:
        """Whether the ETag is as listed."""
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=self._full(found.key))
        except FAULTS as fault:
            raise self._translated(fault, found.key) from None
        return head["ETag"].strip('"') == found.stamp

    def _full(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    def _translated(self, fault: Exception, key: str = "") -> BiostarError:
        """A failed listing, or with a key a failed request for one object, which keeps its neighbours out of it."""
        code = code_of(fault)
        if key and code in _GONE:
            return ObjectError(
                f"'{key}' was removed while the load ran",
                key,
                undone="nothing of it is loaded",
                next_step="run the load again",
            )
        if key and code in _FORBIDDEN:
            return ObjectError(
                f"'{key}' may not be read with these credentials ({code})",
                key,
                undone="nothing of it is loaded",
                next_step="allow s3:GetObject on it, and kms:Decrypt with its key, then run the load again",
            )
        if code in _DENIED:
            return ConfigurationError(
                f"'{key or self.uri}' may not be read with these credentials ({code})",
                next_step="allow s3:ListBucket and s3:GetObject on the landing, or use another AWS_PROFILE",
            )
        if code == "NoSuchBucket":
            return ConfigurationError(
                f"the landing '{self.uri}' does not exist: there is no bucket '{self._bucket}'",
                undone="nothing was loaded",
                next_step="name the landing with --landing or BIOSTAR_LANDING",
            )
        kind = TransientError if passes_by_itself(fault) else WarehouseError
        return kind(f"'{key or self.uri}' cannot be read from S3 ({code})", next_step="run the load again")


class _Body:
    """The body of a response; a connection that breaks in the middle is an error of ours."""

    def __init__(self, body: StreamingBody, key: str) -> None:
        self._body = body
        self._key = key

    def read(self, size: int = -1) -> bytes:
        try:
            return self._body.read(size)
        except botocore.exceptions.BotoCoreError as fault:
            raise TransientError(
                f"'{self._key}' cannot be read from S3 to its end ({type(fault).__name__})",
                next_step="run the load again",
            ) from None

    def __enter__(self) -> _Body:
        return self

    def __exit__(self, *_: object) -> None:
        self._body.close()

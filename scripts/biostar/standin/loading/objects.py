"""Objects in S3: which ones a COPY means, and their bytes."""

from __future__ import annotations

import bz2
import contextlib
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from biostar.standin.errors import SqlError
from biostar.standin.settings import Settings

CHUNK = 1 << 20
_HIDDEN = ("_", ".", "~")


@dataclass(frozen=True)
class S3Object:
    """One object to load."""

    bucket: str
    key: str
    size: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"s3://{self.bucket}/{self.key}"


def client(settings: Settings) -> Any:
    """A client of S3; credentials come from the environment, as they do from the role on Redshift.

    It tries twice. COPY on Redshift goes on for a quarter of an hour and more
    (https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-multiple-files.html); here nobody wants to wait for
    an error that long.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"total_max_attempts": 2, "mode": "standard"},
        connect_timeout=min(10, settings.s3_timeout),
        read_timeout=settings.s3_timeout,
    )
    return boto3.client("s3", endpoint_url=settings.s3_endpoint or None, config=config)


def split_url(url: str) -> tuple[str, str]:
    """Bucket and key of an address."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def s3_error(message: str, detail: str = "") -> SqlError:
    """An error of S3 in the words of a COPY."""
    return SqlError(message, "XX000", detail=detail)


@contextlib.contextmanager
def s3_errors(url: str) -> Iterator[None]:
    """Turn failed requests for an address into the error that a COPY or an UNLOAD ends with.

    Raises:
        SqlError: S3 said no, or nothing.
    """
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

    try:
        try:
            yield
        except S3UploadFailedError as failed:
            raise failed.__context__ or failed from None  # what S3 said is in there
    except ClientError as failed:
        code, status = _code(failed), failed.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if code in _GONE:
            raise s3_error(
                f"The specified key does not exist: {url}", "code: 8001, Status 404, Error NoSuchKey"
            ) from failed
        said = failed.response.get("Error", {}).get("Message") or code
        raise s3_error(f"S3ServiceException:{said},Status {status},Error {code}", f"code: 8001, {url}") from failed
    except BotoCoreError as failed:
        number = 28 if isinstance(failed, (ConnectTimeoutError, ReadTimeoutError)) else 56
        raise s3_error(
            f"S3CurlException: {type(failed).__name__}, CurlError {number}, CanRetry 1", f"code: 9001, {url}"
        ) from failed


_GONE = ("404", "NoSuchKey", "NotFound")


def find_objects(s3: Any, source: str, manifest: bool, *, columnar: bool = False) -> list[S3Object]:
    """The objects that a prefix or a manifest names, in order of their names.

    Of a columnar format the manifest has to tell each object's size.

    Raises:
        SqlError: the prefix or a mandatory object does not exist, or the manifest can't be read.
    """
    if manifest:
        return list(_of_manifest(s3, source, columnar))
    bucket, prefix = split_url(source)
    found = list(list_objects(s3, bucket, prefix))
    found = [item for item in found if not item.key.rpartition("/")[2].startswith(_HIDDEN) and item.key[-1] != "/"]
    if not found:
        raise s3_error(f"The specified S3 prefix '{prefix}' does not exist", f"code: 8001, s3://{bucket}/{prefix}")
    return found


def list_objects(s3: Any, bucket: str, prefix: str) -> Iterator[S3Object]:
    """All objects under a prefix."""
    with s3_errors(f"s3://{bucket}/{prefix}"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                yield S3Object(bucket, item["Key"], item["Size"])


def _of_manifest(s3: Any, source: str, columnar: bool) -> Iterator[S3Object]:
    raw = read_object(s3, *split_url(source))
    try:
        entries = json.loads(raw)["entries"]
        listed = [(entry["url"], bool(entry.get("mandatory", False)), entry.get("meta") or {}) for entry in entries]
    except (ValueError, KeyError, TypeError) as bad:
        raise s3_error(f"Manifest file is not in correct json format: {source}", "code: 8001") from bad
    if not listed:
        raise s3_error(f"Manifest file contains no entries: {source}", "code: 8001")
    for url, mandatory, meta in listed:
        if columnar and "content_length" not in meta:
            raise s3_error("File entry does not have 'meta' key.", f"code: 15003, {url}")
        bucket, key = split_url(url)
        size = _size(s3, bucket, key)
        if size is None:
            if mandatory:
                raise s3_error(f"The specified key does not exist: {url}", "code: 8001, Status 404, Error NoSuchKey")
            continue
        declared = meta.get("content_length")
        if declared is not None and int(declared) != size:
            raise s3_error(
                f"The size of {url} differs from the manifest's content_length", f"code: 8001, {declared} <> {size}"
            )
        yield S3Object(bucket, key, size)


def _size(s3: Any, bucket: str, key: str) -> int | None:
    from botocore.exceptions import ClientError

    with s3_errors(f"s3://{bucket}/{key}"):
        try:
            return int(s3.head_object(Bucket=bucket, Key=key)["ContentLength"])
        except ClientError as failed:
            if _code(failed) in _GONE:
                return None
            raise


def _code(failed: Exception) -> str:
    response = getattr(failed, "response", {})
    return str(response.get("Error", {}).get("Code") or type(failed).__name__)


def read_object(s3: Any, bucket: str, key: str) -> bytes:
    """A small object as a whole."""
    return b"".join(read_chunks(s3, S3Object(bucket, key, 0)))


def read_chunks(s3: Any, item: S3Object) -> Iterator[bytes]:
    """The bytes of an object as they lie, in pieces."""
    with s3_errors(item.url):
        body: IO[bytes] = s3.get_object(Bucket=item.bucket, Key=item.key)["Body"]
    with body:
        while True:
            with s3_errors(item.url):
                piece = body.read(CHUNK)
            if not piece:
                return
            yield piece


def chunks(s3: Any, item: S3Object, compression: str) -> Iterator[bytes]:
    """The bytes of an object, decompressed, in pieces.

    Raises:
        SqlError: the object is not compressed as the COPY says, or is cut short.
    """
    yield from decompress(read_chunks(s3, item), compression, item.url)


def decompress(pieces: Iterator[bytes], compression: str, name: str) -> Iterator[bytes]:
    """Pieces of a compressed stream, decompressed; several streams may follow each other."""
    if not compression:
        yield from pieces
        return
    try:
        if compression == "zstd":
            yield from _zstd(pieces)
        elif compression == "gzip":
            yield from _gzip(pieces)
        else:
            decoder = bz2.BZ2Decompressor()
            for piece in pieces:
                while piece:
                    yield decoder.decompress(piece)
                    piece = decoder.unused_data if decoder.eof else b""
                    if decoder.eof:
                        decoder = bz2.BZ2Decompressor()
    except (zlib.error, OSError, EOFError, ValueError) as bad:
        raise s3_error(f"{compression} decompression of {name} failed", "code: 9001, " + str(bad)) from bad


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    decoder, open_stream = zlib.decompressobj(31), False
    for piece in pieces:
        while piece:
            open_stream = True
            yield decoder.decompress(piece)
            piece = decoder.unused_data
            if decoder.eof:
                decoder, open_stream = zlib.decompressobj(31), False
    if open_stream:
        raise EOFError("unexpected end of the stream")


def _zstd(pieces: Iterator[bytes]) -> Iterator[bytes]:
    try:
        import zstandard
    except ImportError as missing:
        raise s3_error("ZSTD needs the package zstandard", "pip install zstandard") from missing
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(as_file(pieces), read_across_frames=True)
        yield from iter(lambda: reader.read(CHUNK), b"")
    except zstandard.ZstdError as bad:
        raise ValueError(str(bad)) from bad


class _Reader(io.RawIOBase):
    """Pieces of bytes as a file to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            try:
                self._left = next(self._pieces)
            except StopIteration:
                return 0
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def as_file(pieces: Iterator[bytes]) -> io.BufferedReader:
    """Pieces of bytes as a buffered file."""
    return io.BufferedReader(_Reader(pieces), CHUNK)

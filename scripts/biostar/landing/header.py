"""The first record of a CSV object, read by ourselves, so that no reader has to guess what the columns are.

A CSV sniffer decides by looking at values; on an unlucky file it decides wrongly. Here the comma, the double quote
doubled to escape itself, and a header line are the contract (RFC 4180), and only names come from the file.
"""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass

from biostar.errors import ObjectError

LONGEST_HEADER = 1 << 20
"""Bytes in which the header line must end; a text without a line end in a mebibyte is not a CSV of ours."""

_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_BOM = b"\xef\xbb\xbf"
_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "gzip inside gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\x28\xb5\x2f\xfd", "compressed twice"),
    (b"\xfd7zXZ", "compressed by xz"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)


@dataclass(frozen=True)
class Header:
    """Column names as the file spells them, stripped of blanks; how many lines they take; and the file's line end."""

    names: tuple[str, ...]
    lines: int
    line_end: str

    @property
    def fingerprint(self) -> str:
        """MD5 over the lower-case names in order: one for each version of an exporter."""
        joined = "\x1f".join(name.lower() for name in self.names)
        return hashlib.md5(joined.encode(), usedforsecurity=False).hexdigest()


def parse_header(start: bytes, key: str, whole: bool) -> Header | None:
    """The header in the first bytes of an object, or None where it does not end in them.

    Args:
        start: the first bytes, uncompressed.
        key: the object, for messages.
        whole: whether `start` is all that there is.

    Raises:
        ObjectError: the bytes are not the start of a CSV file with a header.
    """
    header = first_record(start, key, whole)
    if header is None:
        return None
    names = header.names
    if not names:
        raise ObjectError(
            f"'{key}' is empty; even a delivery without rows has a header line",
            key,
            undone="nothing of it is loaded",
            next_step="deliver the object again, or remove it",
        )
    if len(names) == 1 and (other := [sign for sign in _OTHER_SEPARATORS if sign in names[0]]):
        raise _not_csv(key, f"its columns are separated by {_OTHER_SEPARATORS[other[0]]}, not by commas")
    if not any(names):
        raise _not_csv(key, "its first line holds no column name")
    return header


def first_record(start: bytes, key: str, whole: bool) -> Header | None:
    """The fields of the first record, be they names or values; none where the object holds no record.

    Raises:
        ObjectError: the bytes are not the start of a CSV file.
    """
    for magic, what in _FOREIGN:
        if start.startswith(magic):
            raise _not_csv(key, f"it is {what}")
    text = start.removeprefix(_BOM)
    if not text.strip() and whole:
        return Header((), 0, "\n")
    end = _end_of_record(text)
    if end is None and not whole:
        if len(start) >= LONGEST_HEADER:
            raise _not_csv(key, "its first line does not end within 1 MiB")
        return None
    record = text if end is None else text[:end]
    if b"\0" in record:
        raise _not_csv(key, "its first line holds NUL bytes")
    try:
        decoded = record.decode("utf-8")
    except UnicodeDecodeError:
        raise _not_csv(key, "its first line is not UTF-8 text") from None
    rows = list(csv.reader(io.StringIO(decoded, newline=""), strict=False))
    names = tuple(name.strip() for name in rows[0]) if rows and rows[0] else ("",)
    return Header(names, 1 + _line_breaks(record), _line_end(text, end))


def _end_of_record(text: bytes) -> int | None:
    # A line end inside quotes belongs to a name; quotes are balanced before each line end that does not.
    position = 0
    while True:
        ends = [found for found in (text.find(b"\n", position), text.find(b"\r", position)) if found >= 0]
        if not ends:
            return None
        if text.count(b'"', 0, min(ends)) % 2 == 0:
            return min(ends)
        position = min(ends) + 1


def _line_breaks(record: bytes) -> int:
    return record.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")


def _line_end(text: bytes, end: int | None) -> str:
    if end is None or text[end : end + 1] == b"\n":
        return "\n"
    return "\r\n" if text[end + 1 : end + 2] == b"\n" else "\r"


def _not_csv(key: str, why: str) -> ObjectError:
    return ObjectError(
        f"'{key}' is not a CSV file: {why}",
        key,
        undone="nothing of it is loaded",
        next_step="deliver it as comma-separated UTF-8 text, plain, gzip or zstd",
    )

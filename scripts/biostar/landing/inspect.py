"""One pass over the bytes of an object before it is loaded: is it whole, what is its header, how many lines has it.

Why a pass of our own: DuckDB 1.5 reads a truncated or damaged gzip file up to the damage and reports nothing, and after
a quote that is never closed it drops the lines that the quote swallows, again without a word. Whoever counts the lines
beforehand can tell. The pass runs at the speed of zlib or SHA-256 in a thread of its own, while the object before is
being loaded, and its hash is needed for the ledger anyway.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from biostar.contracts import Compression
from biostar.errors import DataError
from biostar.landing.header import Header, parse_header

_CHUNK = 1 << 20
_PIECE = 1 << 16
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Inspection:
    """What one pass over an object found.

    Attributes:
        header: its columns.
        compression: none, gzip or zstd, told by the first bytes and not by the name.
        quotes: whether there is any double quote; without one no value spans lines.
        lines: lines of the uncompressed text as an editor counts them, header included.
        text_bytes: size of the uncompressed text.
        content_hash: SHA-256 of the bytes as they lie.
    """

    header: Header
    compression: Compression
    quotes: bool
    lines: int
    text_bytes: int
    content_hash: str


def inspect_object(stream: BinaryIO, key: str) -> Inspection:
    """Read an object once, to its end.

    Raises:
        DataError: it is empty, not CSV, or a gzip file that is truncated or damaged.
    """
    sha = hashlib.sha256()
    header: Header | None = None
    start = b""
    line_feeds = returns = pairs = size = 0
    quotes = False
    last = b""
    text = _TextOf(stream, key, sha.update)
    for chunk in text:
        if header is None:
            start += chunk
            header = parse_header(start, key, whole=False)
        size += len(chunk)
        quotes = quotes or b'"' in chunk
        line_feeds += chunk.count(b"\n")
        if header is None or header.line_end == "\r":
            returns += chunk.count(b"\r")
            pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk.startswith(b"\n"))
        last = chunk[-1:]
    if header is None:
        header = parse_header(start, key, whole=True)
        assert header is not None
    ends = line_feeds + returns - pairs if header.line_end == "\r" else line_feeds
    lines = ends + (last not in (b"\n", b"\r") if header.line_end == "\r" else last != b"\n")
    return Inspection(header, text.compression, quotes, lines, size, sha.hexdigest())


# A line with an odd number of quotes: a value begins on it that does not end on it, or the other way round.
_ODD_QUOTES = re.compile(rb'^[^"\n]*"(?:[^"\n]*"[^"\n]*")*[^"\n]*$', re.MULTILINE)
_BLANK = re.compile(rb"^\r?$", re.MULTILINE)


@dataclass(frozen=True)
class Rewritten:
    """What a rewriting left out: the lines with an open quote, by number."""

    open_quotes: tuple[int, ...]


def rewrite_object(stream: BinaryIO, target: BinaryIO, key: str, *, drop_open_quotes: bool) -> Rewritten:
    r"""Copy an object to `target`, uncompressed, in a form that DuckDB reads to the end; lines keep their numbers.

    Line ends become `\n`, since DuckDB refuses a file that mixes them. With `drop_open_quotes` a line on which a quote
    stays open becomes blank; in a file whose quotes are broken nobody can tell a value that spans lines from one that
    was never closed, and this way it costs the line and not the rest of the file.
    """
    dropped: list[int] = []
    lines_before = 0

    def write(block: bytes) -> None:
        nonlocal lines_before
        if drop_open_quotes and b'"' in block:
            place = 0
            line = lines_before + 1
            for match in _ODD_QUOTES.finditer(block):
                line += block.count(b"\n", place, match.start())
                place = match.start()
                dropped.append(line)
            block = _ODD_QUOTES.sub(b"", block)
        lines_before += block.count(b"\n")
        target.write(block)

    rest = b""
    for chunk in _TextOf(stream, key, lambda _: None):
        whole, line_end, rest = (rest + chunk).rpartition(b"\n")
        write((whole + line_end).replace(b"\r\n", b"\n"))
    if rest:
        # A last line without an end gets one, so that it still counts as a line when it becomes blank.
        write(rest.removesuffix(b"\r") + b"\n")
    return Rewritten(tuple(dropped))


def blank_lines(stream: BinaryIO, key: str) -> tuple[int, ...]:
    """Numbers of the lines that hold nothing, which a CSV reader passes over."""
    numbers: list[int] = []
    lines_before = 0
    rest = b""
    for chunk in _TextOf(stream, key, lambda _: None):
        whole, line_end, rest = (rest + chunk).rpartition(b"\n")
        if not line_end:
            continue
        place = 0
        line = lines_before + 1
        for match in _BLANK.finditer(whole):
            line += whole.count(b"\n", place, match.start())
            place = match.start()
            numbers.append(line)
        lines_before += whole.count(b"\n") + 1
    return tuple(numbers)


def lines_at(stream: BinaryIO, key: str, offsets: list[int]) -> list[int]:
    """For each offset into the uncompressed text, ascending, the number of the line that it lies on."""
    numbers: list[int] = []
    wanted = iter(offsets)
    offset = next(wanted, None)
    position = 0
    line = 1
    for chunk in _TextOf(stream, key, lambda _: None):
        done = 0
        while offset is not None and offset < position + len(chunk):
            line += chunk.count(b"\n", done, offset - position)
            done = offset - position
            numbers.append(line)
            offset = next(wanted, None)
        if offset is None:
            break
        line += chunk.count(b"\n", done)
        position += len(chunk)
    return numbers + [line] * (len(offsets) - len(numbers))


class _TextOf:
    """The uncompressed bytes of an object in chunks; gzip is told by its first bytes and checked to its last."""

    def __init__(self, stream: BinaryIO, key: str, see: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._key = key
        self._see = see
        self.compression: Compression = "none"

    def __iter__(self) -> Iterator[bytes]:
        first = self._read()
        while len(first) < len(_GZIP) and (more := self._read()):
            first += more
        if first.startswith(_GZIP):
            self.compression = "gzip"
            yield from self._gunzip(first)
            return
        while first:
            yield first
            first = self._read()

    def _read(self) -> bytes:
        chunk = self._stream.read(_CHUNK)
        self._see(chunk)
        return chunk

    def _gunzip(self, chunk: bytes) -> Iterator[bytes]:
        member = zlib.decompressobj(wbits=31)
        try:
            while chunk:
                # Small pieces, so that what expands a thousandfold stays within 64 MiB.
                for place in range(0, len(chunk), _PIECE):
                    piece = chunk[place : place + _PIECE]
                    while piece:
                        if member.eof:
                            # Members may follow one another, as `cat a.gz b.gz` makes them.
                            member = zlib.decompressobj(wbits=31)
                        if text := member.decompress(piece):
                            yield text
                        piece = member.unused_data
                chunk = self._read()
        except zlib.error:
            raise DataError(
                f"'{self._key}' is a damaged gzip file",
                undone="nothing of its batch is loaded",
                next_step="deliver the object again",
            ) from None
        if not member.eof:
            raise DataError(
                f"'{self._key}' is a truncated gzip file; its end is missing",
                undone="nothing of its batch is loaded",
                next_step="deliver the object again",
            )


def text_of(stream: BinaryIO, key: str) -> Iterator[bytes]:
    """The uncompressed bytes of an object in chunks.

    Raises:
        ObjectError: it is a damaged or truncated archive.
    """
    yield from _TextOf(stream, key, lambda _: None)

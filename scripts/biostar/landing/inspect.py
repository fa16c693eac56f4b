"""One pass over the bytes of an object before it is loaded: is it whole, what is its header, how many lines has it.

Why a pass of our own: DuckDB 1.5 reads a truncated or damaged gzip file up to the damage and reports nothing, and after
a quote that is never closed it drops the lines that the quote swallows, again without a word. Whoever counts the lines
beforehand can tell. The pass runs at the speed of zlib or SHA-256 in a thread of its own, while the object before is
being loaded, and its hash is needed for the ledger anyway.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from biostar.contracts import Compression, FileFormat
from biostar.errors import ObjectError
from biostar.landing.header import Header, first_record, parse_header
from biostar.landing.json_lines import KeysSeen, blocks_of
from biostar.landing.parquet import inspect_parquet
from biostar.landing.text import Text, expansion_limit, refuse_expansion

NamesInOrder = Callable[[int], "tuple[str, ...] | None"]
"""Names of the columns of a CSV file without header that has so many fields, None where no declaration fits."""


@dataclass(frozen=True)
class Inspection:
    """What one pass over an object found.

    Attributes:
        header: its columns. Without a header line they are the declared ones in order, and of JSON all keys.
        compression: none, gzip or zstd, told by the first bytes and not by the name.
        quotes: of CSV, whether there is any double quote; without one no value spans lines.
        lines: lines of the uncompressed text as an editor counts them, header included; of Parquet, its rows.
        text_bytes: size of the uncompressed text.
        content_hash: SHA-256 of the bytes as they lie.
        types: of Parquet, the type of each column in DuckDB's words.
        repeats_keys: of JSON, whether a record has a key twice.
        only_texts: of JSON, whether every line is an object of plain texts, see KeysSeen.
        records_are_lines: of CSV, whether each record has a line of its own: all lines end as the header does, with a
            line feed or with both characters, and no quote is open where one ends.
    """

    header: Header
    compression: Compression
    quotes: bool
    lines: int
    text_bytes: int
    content_hash: str
    types: tuple[str, ...] = ()
    repeats_keys: bool = False
    only_texts: bool = False
    records_are_lines: bool = False


def inspect_object(
    stream: BinaryIO,
    key: str,
    file_format: FileFormat = "csv",
    names_in_order: NamesInOrder | None = None,
) -> Inspection:
    """Read an object once, to its end.

    Args:
        stream: its bytes.
        key: its path below the landing, for messages.
        file_format: what it is said to be.
        names_in_order: for CSV without a header, which names its fields have.

    Raises:
        ObjectError: it is empty, not what it is said to be, truncated, damaged, or a bomb.
    """
    if file_format == "parquet":
        return _of_parquet(stream, key)
    sha = hashlib.sha256()
    text = Text(stream, key, sha.update)
    if file_format == "json":
        return _of_json(text, key, sha)
    return _of_csv(text, key, sha, names_in_order)


def _of_csv(text: Text, key: str, sha: hashlib._Hash, names_in_order: NamesInOrder | None) -> Inspection:
    header: Header | None = None
    start = b""
    line_feeds = returns = pairs = size = quotes = 0
    spans_lines = False
    last = b""
    for chunk in text:
        if header is None:
            start += chunk
            header = _header(start, key, names_in_order, whole=False)
        size += len(chunk)
        line_feeds += _count(chunk, b"\n")
        if b"\r" in chunk or last == b"\r":
            returns += _count(chunk, b"\r")
            pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk.startswith(b"\n"))
        if quotes % 2 or b'"' in chunk:
            between = chunk.split(b'"')
            spans_lines = spans_lines or b"\n" in b"".join(between[1 - quotes % 2 :: 2])
            quotes += len(between) - 1
        last = chunk[-1:]
    if header is None:
        header = _header(start, key, names_in_order, whole=True)
        assert header is not None
    ends = line_feeds + returns - pairs if header.line_end == "\r" else line_feeds
    lines = ends + (last not in ((b"", b"\n", b"\r") if header.line_end == "\r" else (b"", b"\n")))
    return Inspection(
        header,
        text.compression,
        quotes > 0,
        lines,
        size,
        sha.hexdigest(),
        records_are_lines=pairs == returns == (0 if header.line_end == "\n" else line_feeds)
        and not spans_lines
        and quotes % 2 == 0,
    )


def _count(chunk: bytes, character: bytes) -> int:
    """How often a character is in a chunk.

    bytes.count looks at byte after byte: for lines of 60 bytes it takes twice as long, for 200 three times. For 20 both
    take the same, for fewer this is slower.
    """
    return len(chunk) - len(chunk.replace(character, b""))


def _header(start: bytes, key: str, names_in_order: NamesInOrder | None, *, whole: bool) -> Header | None:
    if names_in_order is None:
        return parse_header(start, key, whole)
    first = first_record(start, key, whole)
    if first is None or not first.names:
        return first
    names = names_in_order(len(first.names))
    if names is None:
        # How many fields, and not which: they are values.
        raise ObjectError(
            f"'{key}' has {len(first.names):,} fields in its first line, and is declared to come without a header and"
            " with other columns",
            key,
            undone="nothing of it is loaded",
            next_step="deliver it with the declared columns in their order, or declare what it has",
        )
    return Header(names, 0, first.line_end)


def _of_json(text: Text, key: str, sha: hashlib._Hash) -> Inspection:
    seen = KeysSeen(key)
    lines = size = 0
    start = b""

    def looked_at() -> Iterator[bytes]:
        nonlocal size, start
        for chunk in text:
            if len(start) < len(_LONGEST_MARK):
                start += chunk
                _refuse_foreign(start, key)
            size += len(chunk)
            yield chunk

    is_blank = True
    is_array = False
    for block in blocks_of(looked_at()):
        seen.add(block)
        lines += block.lines
        is_array = is_array or (is_blank and block.text.lstrip()[:1] == "[")
        is_blank = is_blank and not (block.text.strip() or block.too_long or block.not_text)
    if is_array or (not seen.names and not is_blank):
        what = "is a JSON array, not an object on each line" if is_array else "has no line that is a JSON object"
        raise ObjectError(
            f"'{key}' {what}",
            key,
            undone="nothing of it is loaded",
            next_step="deliver each record as an object on a line of its own, without an array around them; in Amazon"
            " Data Firehose switch the new line delimiter on",
        )
    header = Header(seen.names, 0, "\n")
    return Inspection(
        header,
        text.compression,
        False,
        lines,
        size,
        sha.hexdigest(),
        repeats_keys=seen.has_repeated,
        only_texts=seen.only_texts and not start.startswith(_BOM),
    )


_NO_JSON = {b"PK\x03\x04": "a ZIP archive", b"PAR1": "a Parquet file", b"\xff\xfe": "UTF-16 text"}
_LONGEST_MARK = max(_NO_JSON, key=len)
_BOM = b"\xef\xbb\xbf"


def _refuse_foreign(start: bytes, key: str) -> None:
    for magic, what in _NO_JSON.items():
        if start.startswith(magic):
            raise ObjectError(
                f"'{key}' is not newline-delimited JSON: it is {what}",
                key,
                undone="nothing of it is loaded",
                next_step="deliver it as UTF-8 text with one JSON object on each line, plain, gzip or zstd",
            )


def _of_parquet(stream: BinaryIO, key: str) -> Inspection:
    found = inspect_parquet(stream, key)
    # A page may say of itself what it likes; a run of one value takes no bytes at all, but each row does.
    refuse_expansion(key, found.size, max(found.page_bytes, found.rows * len(found.names)), expansion_limit())
    header = Header(found.names, 0, "\n")
    return Inspection(header, "none", False, found.rows, found.page_bytes, found.content_hash, found.types)


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
    for chunk in Text(stream, key):
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
    for chunk in Text(stream, key):
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
    for chunk in Text(stream, key):
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


def text_of(stream: BinaryIO, key: str) -> Iterator[bytes]:
    """The uncompressed bytes of an object in chunks.

    Raises:
        ObjectError: it is damaged, cut off, or expands beyond the limit.
    """
    yield from Text(stream, key)

"""From the bytes of an object to records: a line number, and the text of each field or None."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from biostar.standin.errors import SqlError
from biostar.standin.loading.command import CopyOptions
from biostar.standin.loading.values import BAD_LINE, BAD_QUOTES, BadValue

MAX_JSON = 4 << 20
"""Bytes of the longest JSON record that COPY takes."""

Field = "str | None"


@dataclass
class Record:
    """One record: its fields, or what is wrong with it as a whole."""

    line: int
    fields: Sequence[str | None]
    raw: str
    error: BadValue | None = None


csv.field_size_limit(1 << 30)


def records(pieces: Iterator[bytes], options: CopyOptions, columns: Sequence[str], paths: list[str] | None) -> Any:
    """The records of an object.

    Args:
        pieces: its bytes, decompressed.
        options: of the COPY.
        columns: names of the columns to fill, for JSON by name.
        paths: JSONPath expressions, one for each column, or None.
    """
    from biostar.standin.loading.objects import as_file

    stream = io.TextIOWrapper(as_file(pieces), encoding=options.encoding, errors="surrogateescape", newline="")
    if options.format == "json":
        return _json(stream, options, columns, paths)
    if options.format == "csv":
        return _csv(stream, options)
    return _delimited(stream, options)


def _csv(stream: io.TextIOWrapper, options: CopyOptions) -> Iterator[Record]:
    for _ in range(options.ignore_header):
        stream.readline()
    lines = _Lines(stream, options)
    reader = csv.reader(lines, delimiter=options.delimiter, quotechar=options.quote, strict=True, doublequote=True)
    line = options.ignore_header + 1
    while True:
        lines.raw.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Record(line, [], "".join(lines.raw), BadValue(*BAD_QUOTES))
            line = options.ignore_header + lines.count + 1
            lines.inside = False
            reader = csv.reader(
                lines, delimiter=options.delimiter, quotechar=options.quote, strict=True, doublequote=True
            )
            continue
        raw = "".join(lines.raw)
        if fields or not options.has("ignoreblanklines"):
            yield Record(line, fields or [""], raw)
        line = options.ignore_header + lines.count + 1


class _Lines:
    """The lines of a stream, counted, and those of the running record kept.

    White space between a delimiter and a quotation mark is left out, as the manual's page on CSV says
    (https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-format.html#copy-csv).
    """

    def __init__(self, stream: io.TextIOWrapper, options: CopyOptions) -> None:
        self.count = 0
        self.raw: list[str] = []
        self.inside = False
        self._stream = stream
        self._delimiter, self._quote = options.delimiter, options.quote
        self._blanks = re.compile("[ \t]*".replace(self._delimiter, ""))
        quote = re.escape(self._quote)
        self._loose = re.compile(rf"[ \t]{quote}|{quote}[ \t]")

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._stream)
        self.count += 1
        self.raw.append(line)
        was_inside = self.inside
        self.inside ^= line.count(self._quote) % 2 == 1
        return self._tidied(line, was_inside) if self._loose.search(line) else line

    def _tidied(self, line: str, inside: bool) -> str:
        kept: list[str] = []
        at = 0
        while at < len(line):
            if not inside:
                start = self._after_blanks(line, at)
                if line.startswith(self._quote, start):
                    kept.append(self._quote)
                    at, inside = start + 1, True
                    continue
            else:
                end = line.find(self._quote, at)
                if end < 0:
                    break
                if line.startswith(self._quote, end + 1):
                    kept.append(line[at : end + 2])
                    at = end + 2
                    continue
                kept.append(line[at : end + 1])
                at, inside = end + 1, False
                after = self._after_blanks(line, at)
                if after == len(line) or line[after] in (self._delimiter, "\r", "\n"):
                    at = after
            end = line.find(self._delimiter, at)
            if end < 0:
                break
            kept.append(line[at : end + 1])
            at = end + 1
        return "".join(kept) + line[at:]

    def _after_blanks(self, line: str, at: int) -> int:
        found = self._blanks.match(line, at)
        return found.end() if found is not None else at


def _delimited(stream: io.TextIOWrapper, options: CopyOptions) -> Iterator[Record]:
    """Fields between delimiters; a backslash takes the next character as it is where ESCAPE is given."""
    for number, line in enumerate(stream, 1):
        if number <= options.ignore_header:
            continue
        text = line.rstrip("\r\n")
        if not text and options.has("ignoreblanklines"):
            continue
        fields = _escaped(text, options) if options.has("escape") else text.split(options.delimiter)
        if options.has("removequotes"):
            fields = [f[1:-1] if len(f) > 1 and f[0] == f[-1] and f[0] in "'\"" else f for f in fields]
        yield Record(number, fields, line)


def _escaped(text: str, options: CopyOptions) -> list[str]:
    fields, field, characters = [], "", iter(text)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            field += "\\N" if following == "N" and not field else following
        elif character == options.delimiter:
            fields.append(field)
            field = ""
        else:
            field += character
    return [*fields, field]


def _json(
    stream: io.TextIOWrapper, options: CopyOptions, columns: Sequence[str], paths: list[str] | None
) -> Iterator[Record]:
    decoder = json.JSONDecoder(parse_float=_Literal, parse_int=_Literal, parse_constant=_Literal)
    names = {name.lower() if options.json_paths == "auto ignorecase" else name: n for n, name in enumerate(columns)}
    steps = [_steps(path) for path in paths] if paths is not None else None
    buffer, line, start = "", 0, 1
    for text in stream:
        line += 1
        if not buffer:
            start = line
        buffer += text
        if not buffer.strip():
            buffer = ""
            continue
        while buffer:
            try:
                value, end = decoder.raw_decode(buffer.lstrip())
            except ValueError:
                break
            skipped = len(buffer) - len(buffer.lstrip())
            yield _json_record(value, buffer, start, columns, names, steps, options)
            buffer = buffer[skipped + end :].lstrip()
            start = line
        if len(buffer) > MAX_JSON:
            yield Record(start, [], buffer[:1024], BadValue(BAD_LINE[0], "JSON record exceeds 4 MB"))
            buffer = ""
        elif buffer and _never_valid(buffer):
            yield Record(start, [], buffer, BadValue(BAD_LINE[0], "Invalid JSON format"))
            buffer = ""
    if buffer.strip():
        yield Record(start, [], buffer, BadValue(BAD_LINE[0], "Invalid JSON format"))


def _never_valid(buffer: str) -> bool:
    """Whether no further line can make the text valid JSON: an error before its end."""
    try:
        json.loads(buffer)
    except json.JSONDecodeError as bad:
        return bad.pos < len(buffer.rstrip()) and "Unterminated" not in bad.msg
    return False


class _Literal(str):
    """A number as it was written."""

    __slots__ = ()


def _json_text(value: Any) -> str | None:
    """A JSON value as the text of a field."""
    if value is None:
        return None
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    return _dump(value)


def _dump(value: Any) -> str:
    if isinstance(value, _Literal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_dump(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_dump(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _json_record(
    value: Any,
    raw: str,
    line: int,
    columns: Sequence[str],
    names: dict[str, int],
    steps: list[list[str | int]] | None,
    options: CopyOptions,
) -> Record:
    if options.json_paths == "noshred":
        return Record(line, [_dump(value)], raw)
    if steps is not None:
        return Record(line, [_json_text(_follow(value, path)) for path in steps], raw)
    if not isinstance(value, dict):
        return Record(line, [], raw, BadValue(BAD_LINE[0], "Invalid JSON format: an object is needed"))
    fields: list[str | None] = [None] * len(columns)
    for key, item in value.items():
        place = names.get(key.lower() if options.json_paths == "auto ignorecase" else key)
        if place is not None:
            fields[place] = _json_text(item)
    return Record(line, fields, raw)


def _steps(path: str) -> list[str | int]:
    """The steps of a JSONPath in dot or bracket notation."""
    found: list[str | int] = []
    at = 1 if path.startswith("$") else 0
    pattern = re.compile(r"\.([^.\[\]]+)|\['([^']*)'\]|\[\"([^\"]*)\"\]|\[(\d+)\]")
    while at < len(path):
        step = pattern.match(path, at)
        if step is None:
            raise SqlError(f"Invalid JSONPath format: {path}", "XX000", detail="code: 8001")
        found.append(
            int(step[4]) if step[4] is not None else next(part for part in step.groups()[:3] if part is not None)
        )
        at = step.end()
    return found


def _follow(value: Any, path: list[str | int]) -> Any:
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value

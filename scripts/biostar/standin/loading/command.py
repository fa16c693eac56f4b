"""The COPY statement and its parameters.

https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html; parameters that need what the stand-in has not (DynamoDB,
EMR, SSH, client-side encryption, ORC, Avro, LZOP, fixed width) are refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from biostar.standin.errors import Refused
from biostar.standin.rewrite.definitions import literal_value, read_columns, read_name, sql_name
from biostar.standin.rewrite.tokens import Tokens

if TYPE_CHECKING:
    from biostar.standin.session import Session

MAX_ERROR_LIMIT = 100000
ROLE = re.compile(r"arn:aws(-[a-z-]+)?:iam::\d{12}:role/[\w+=,.@/-]+")

_KEYS = frozenset(("access_key_id", "secret_access_key", "session_token", "token"))
_UNKNOWN = frozenset(("ssh", "avro", "orc", "lzop", "fixedwidth", "shapefile", "readratio", "encrypted", "rcfile"))
_FLAGS = frozenset(
    (
        "removequotes",
        "escape",
        "acceptanydate",
        "blanksasnull",
        "emptyasnull",
        "explicit_ids",
        "fillrecord",
        "ignoreblanklines",
        "ignoreallerrors",
        "roundec",
        "trimblanks",
        "truncatecolumns",
        "noload",
    )
)


@dataclass(frozen=True)
class CopyOptions:
    """What a COPY says beyond table and source."""

    format: str = "text"
    json_paths: str = "auto"
    delimiter: str = "|"
    quote: str = '"'
    null_as: str = "\\N"
    ignore_header: int = 0
    max_error: int = 0
    compression: str = ""
    manifest: bool = False
    encoding: str = "utf-8"
    date_format: str = ""
    time_format: str = ""
    replacement: str = ""
    statupdate: bool = False
    flags: frozenset[str] = frozenset()

    def has(self, flag: str) -> bool:
        """Whether a parameter without a value was given."""
        return flag in self.flags


@dataclass(frozen=True)
class CopyCommand:
    """A COPY, ready to run."""

    table: str
    columns: tuple[str, ...]
    source: str
    options: CopyOptions = field(default_factory=CopyOptions)

    def run(self, session: Session) -> str:
        """Load the objects; returns the command tag."""
        from biostar.standin.loading.load import Load

        return Load(session, self).run()


def parse_copy(tokens: Tokens) -> CopyCommand:
    """The COPY that the tokens say.

    Raises:
        Refused: no IAM role, keys in the text, or a parameter that the stand-in does not know.
    """
    parts, at = read_name(tokens, 1)
    columns: list[str] = []
    if tokens.low(at) == "(":
        columns, at = read_columns(tokens, at)
    if tokens.low(at) != "from":
        raise Refused(f'syntax error at or near "{tokens.low(at)}"', "42601")
    source = literal_value(tokens, at + 1)
    if not source.startswith("s3://"):
        raise Refused(f'COPY source "{source.partition(":")[0]}" is not known to the stand-in', "0A000")
    authorized, values = _parameters(tokens, at + 2)
    if not authorized:
        raise Refused(
            "Must specify credentials with COPY/UNLOAD of data from or to S3",
            "XX000",
            hint="IAM_ROLE 'arn:aws:iam::<account>:role/<name>'",
        )
    _check_format(tokens, at + 2, values)
    return CopyCommand(sql_name(parts), tuple(columns), source, CopyOptions(**values))  # type: ignore[arg-type]


# https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html lists what is supported;
# https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-format.html#copy-json-data-file what is not.
_NOT_WITH = {
    "parquet": [
        "acceptanydate",
        "blanksasnull",
        "bzip2",
        "comprows",
        "compupdate",
        "dateformat",
        "delimiter",
        "emptyasnull",
        "encoding",
        "escape",
        "gzip",
        "ignoreallerrors",
        "ignoreblanklines",
        "ignoreheader",
        "maxerror",
        "noload",
        "null",
        "quote",
        "region",
        "removequotes",
        "roundec",
        "timeformat",
        "trimblanks",
        "truncatecolumns",
        "zstd",
    ],
    "json": [
        "csv",
        "delimiter",
        "escape",
        "fillrecord",
        "fixedwidth",
        "ignoreblanklines",
        "null",
        "readratio",
        "removequotes",
    ],
}


def _check_format(tokens: Tokens, at: int, values: dict[str, object]) -> None:
    kind = str(values.get("format", "text"))
    refused = _NOT_WITH.get(kind, [])
    for place in range(at, len(tokens.items)):
        if tokens.items[place].kind != "string" and tokens.low(place) in refused:
            word = tokens.low(place).upper()
            raise Refused(f"{word} argument is not supported for {kind.upper()} based COPY", "0A000")


def read_authorization(tokens: Tokens, at: int) -> int | None:
    """The place after an authorization parameter at `at`, or None when there is none.

    Raises:
        Refused: access keys in the statement, or a role that can't be one.
    """
    word = tokens.low(at)
    if word in _KEYS or (word in ("with", "as") and tokens.low(at + 1) in _KEYS):
        raise Refused("access keys in a statement are refused", "0A000", hint="use IAM_ROLE")
    if word == "credentials":
        at += 2 if tokens.low(at + 1) == "as" else 1
        value = literal_value(tokens, at)
        if not value.startswith("aws_iam_role="):
            raise Refused("access keys in a statement are refused", "0A000", hint="use IAM_ROLE")
        _check_role(value.removeprefix("aws_iam_role="))
        return at + 1
    if word == "iam_role":
        if tokens.low(at + 1) != "default":
            _check_role(literal_value(tokens, at + 1))
        return at + 2
    return None


def _check_role(value: str) -> None:
    for role in value.split(","):
        if not ROLE.fullmatch(role.strip()):
            raise Refused(f"Invalid IAM role: '{role}'", "XX000", hint="arn:aws:iam::<account>:role/<name>")


class _Reader:
    """Reads parameters one after another."""

    def __init__(self, tokens: Tokens, at: int) -> None:
        self.tokens = tokens
        self.at = at

    @property
    def word(self) -> str:
        return self.tokens.low(self.at)

    def text(self) -> str:
        """A literal, after an optional AS."""
        if self.word == "as":
            self.at += 1
        value = literal_value(self.tokens, self.at)
        self.at += 1
        return value

    def number(self) -> int:
        """A whole number, after an optional AS."""
        if self.word == "as":
            self.at += 1
        token = self.tokens.items[self.at]
        if not token.text.isdigit():
            raise Refused(f'syntax error at or near "{token.text}"', "42601")
        self.at += 1
        return int(token.text)

    def switch(self, *words: str) -> str:
        """One of the words, or nothing."""
        if self.word in words:
            self.at += 1
            return self.tokens.low(self.at - 1)
        return ""

    def literal_follows(self) -> bool:
        """Whether a literal comes next, after an optional AS."""
        ahead = self.at + (self.word == "as")
        return ahead < len(self.tokens.items) and self.tokens.items[ahead].kind == "string"


def _parameters(tokens: Tokens, at: int) -> tuple[bool, dict[str, object]]:
    reader, values, flags, authorized = _Reader(tokens, at), dict[str, object](), set[str](), False
    while reader.at < len(tokens.items):
        after = read_authorization(tokens, reader.at)
        if after is not None:
            authorized, reader.at = True, after
            continue
        word = reader.word
        reader.at += 1
        if word in _FLAGS:
            flags.add(word)
        elif word in ("format", "with"):
            reader.switch("as")
        elif word in _UNKNOWN:
            raise Refused(f"COPY {word.upper()} is not known to the stand-in", "0A000")
        elif word in _PARAMETERS:
            values.update(_PARAMETERS[word](reader))
        else:
            raise Refused(f'syntax error at or near "{tokens.items[reader.at - 1].text}"', "42601")
    return authorized, {**values, "flags": frozenset(flags)}


def _csv(reader: _Reader) -> dict[str, object]:
    values: dict[str, object] = {"format": "csv", "delimiter": ","}
    if reader.switch("quote"):
        values["quote"] = reader.text()
    return values


def _delimiter(reader: _Reader) -> dict[str, object]:
    value = reader.text()
    return {"delimiter": "\t" if value == "\\t" else value}


def _json(reader: _Reader) -> dict[str, object]:
    return {"format": "json", "json_paths": reader.text() if reader.literal_follows() else "auto"}


def _max_error(reader: _Reader) -> dict[str, object]:
    value = reader.number()
    if value > MAX_ERROR_LIMIT:
        raise Refused(f"MAXERROR {value} is greater than {MAX_ERROR_LIMIT}", "22023")
    return {"max_error": value}


def _null(reader: _Reader) -> dict[str, object]:
    if reader.word == "as":
        reader.at += 1
    token = reader.tokens.items[reader.at]
    value = reader.text()
    # The string is compared with fields as it is written: '\N' is a backslash and an N, which is also the default
    # (https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-conversion.html#copy-null-as).
    return {"null_as": token.text[1:-1].replace("''", "'") if token.kind == "string" else value}


def _accept_invalid(reader: _Reader) -> dict[str, object]:
    return {"replacement": reader.text() if reader.literal_follows() else "?"}


def _encoding(reader: _Reader) -> dict[str, object]:
    if reader.word == "as":
        reader.at += 1
    token = reader.tokens.items[reader.at]
    reader.at += 1
    name = token.text.strip("'").lower()
    codecs = {"utf8": "utf-8", "utf16": "utf-16", "utf16le": "utf-16-le", "utf16be": "utf-16-be"}
    codecs["iso88591"] = "iso-8859-1"
    if name not in codecs:
        raise Refused(f'unknown encoding "{name}"', "22023")
    return {"encoding": codecs[name]}


def _compupdate(reader: _Reader) -> dict[str, object]:
    reader.switch("on", "off", "true", "false", "preset")
    return {}


def _statupdate(reader: _Reader) -> dict[str, object]:
    return {"statupdate": reader.switch("on", "off", "true", "false") in ("", "on", "true")}


def _ignored_text(reader: _Reader) -> dict[str, object]:
    reader.text()
    return {}


def _ignored_number(reader: _Reader) -> dict[str, object]:
    reader.number()
    return {}


_PARAMETERS = {
    "csv": _csv,
    "quote": lambda reader: {"quote": reader.text()},
    "delimiter": _delimiter,
    "json": _json,
    "parquet": lambda reader: {"format": "parquet"},
    "manifest": lambda reader: {"manifest": True},
    "gzip": lambda reader: {"compression": "gzip"},
    "zstd": lambda reader: {"compression": "zstd"},
    "bzip2": lambda reader: {"compression": "bzip2"},
    "ignoreheader": lambda reader: {"ignore_header": reader.number()},
    "maxerror": _max_error,
    "null": _null,
    "acceptinvchars": _accept_invalid,
    "encoding": _encoding,
    "dateformat": lambda reader: {"date_format": reader.text()},
    "timeformat": lambda reader: {"time_format": reader.text()},
    "compupdate": _compupdate,
    "comprows": _ignored_number,
    "statupdate": _statupdate,
    "region": _ignored_text,
}

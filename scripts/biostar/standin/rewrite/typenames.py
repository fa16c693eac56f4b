"""Type names: what Redshift's mean in Postgres, and which it does not have."""

from __future__ import annotations

from biostar.standin.errors import Refused
from biostar.standin.rewrite.tokens import Tokens

MAX_VARCHAR = 65535
MAX_CHAR = 4096

_PLAIN = {
    "smallint": "smallint",
    "int2": "smallint",
    "integer": "integer",
    "int": "integer",
    "int4": "integer",
    "bigint": "bigint",
    "int8": "bigint",
    "real": "real",
    "float4": "real",
    "float8": "double precision",
    "float": "double precision",
    "boolean": "boolean",
    "bool": "boolean",
    "date": "date",
    "datetime": "timestamp",
    "timestamptz": "timestamptz",
    "timetz": "timetz",
    "super": "standin.super",
    "oid": "oid",
    "name": "name",
    "refcursor": "refcursor",
    "void": "void",
    "record": "record",
}
_CHARACTER = {"varchar": 256, "nvarchar": 256, "text": 256, "bpchar": 256, "char": 1, "nchar": 1, "character": 1}
_BINARY = ("varbyte", "varbinary")
_REFUSED = frozenset(
    [
        "json",
        "jsonb",
        "uuid",
        "bytea",
        "money",
        "xml",
        "serial",
        "serial2",
        "serial4",
        "serial8",
        "bigserial",
        "smallserial",
        "bit",
        "tsvector",
        "tsquery",
        "inet",
        "cidr",
        "macaddr",
        "point",
        "line",
        "lseg",
        "box",
        "path",
        "polygon",
        "circle",
        "int4range",
        "int8range",
        "numrange",
        "daterange",
        "tsrange",
        "tstzrange",
        "hstore",
        "citext",
        "array",
    ]
)
_UNKNOWN_HERE = frozenset(("geometry", "geography", "hllsketch", "interval year to month"))
_CATALOG = frozenset(("regclass", "regtype", "regproc", "regnamespace", "xid", "unknown", "aclitem", "int2vector"))


def read_type(tokens: Tokens, at: int, *, catalog: bool = False) -> tuple[str, int]:
    """The type that is written at a token: its text for Postgres, and the place after it.

    Args:
        tokens: the statement.
        at: where the type begins.
        catalog: the query reads the catalog on the leader node, where Postgres's own types live on.

    Raises:
        Refused: a type that Redshift does not have.
    """
    word = tokens.low(at)
    if tokens.items[at].kind == "quoted":
        word = tokens.items[at].text[1:-1].lower()
    after = at + 1
    if word == "pg_catalog" and tokens.low(after) == ".":
        word, after = tokens.low(after + 1), after + 2
    if word == "national":
        word, after = tokens.low(after), after + 1
    if word == "character" and tokens.low(after) == "varying":
        word, after = "varchar", after + 1
    if word == "double" and tokens.low(after) == "precision":
        return "double precision", after + 1
    if word == "binary" and tokens.low(after) == "varying":
        word, after = "varbyte", after + 1
    arguments, after = _arguments(tokens, after)
    if word in ("timestamp", "time"):
        name, after = _time(tokens, word, after)
    elif word in _CHARACTER:
        name = _character(word, arguments, catalog)
    elif word in ("numeric", "decimal", "dec"):
        name = _numeric(arguments)
    elif word in _BINARY:
        name = "bytea"
    elif word == "interval":
        name, after = _interval(tokens, after)
    elif word in _PLAIN:
        name = _PLAIN[word]
    elif word in _REFUSED and not catalog:
        raise Refused(f'type "{word}" does not exist', "42704", hint="see the manual's unsupported data types")
    elif word in _UNKNOWN_HERE:
        raise Refused(f'the stand-in does not know the type "{word}"', "0A000")
    elif catalog or word in _CATALOG:
        name = word + (f"({arguments})" if arguments else "")
    else:
        raise Refused(f'type "{word}" does not exist', "42704")
    if tokens.low(after) == "[":
        if not catalog:
            raise Refused("array types are not supported", "0A000", hint="use SUPER")
        name, after = name + "[]", tokens.match[after] + 1
    return name, after


def _arguments(tokens: Tokens, at: int) -> tuple[str, int]:
    if tokens.low(at) != "(":
        return "", at
    end = tokens.match[at]
    return "".join(token.low for token in tokens.items[at + 1 : end]), end + 1


def _time(tokens: Tokens, word: str, at: int) -> tuple[str, int]:
    if tokens.words(at, "with", "time", "zone"):
        return word + "tz", at + 3
    if tokens.words(at, "without", "time", "zone"):
        return word, at + 3
    return word, at


def _interval(tokens: Tokens, at: int) -> tuple[str, int]:
    words = ("year", "month", "day", "hour", "minute", "second")
    if tokens.low(at) in words:
        at += 1
        if tokens.low(at) == "to" and tokens.low(at + 1) in words:
            at += 2
        _, at = _arguments(tokens, at)
    return "interval", at


def _character(word: str, arguments: str, catalog: bool) -> str:
    fixed = word in ("char", "nchar", "character")
    if catalog and not arguments:
        return "text" if word != "bpchar" else "bpchar"
    limit = MAX_CHAR if fixed else MAX_VARCHAR
    if word in ("text", "bpchar"):
        arguments = ""
    length = _CHARACTER[word] if not arguments else limit if arguments == "max" else _whole(arguments)
    if length > limit:
        raise Refused(f"length for type {'character' if fixed else 'character varying'} cannot exceed {limit}", "22023")
    return f"{'character' if fixed or word == 'bpchar' else 'varchar'}({length})"


def _numeric(arguments: str) -> str:
    precision, _, scale = (arguments or "18,0").partition(",")
    if _whole(precision) > 38:
        raise Refused(f"DECIMAL precision {precision} must be between 1 and 38", "22023")
    if _whole(scale or "0") > min(37, _whole(precision)):
        raise Refused(f"DECIMAL scale {scale} must be between 0 and precision {precision}", "22023")
    return f"numeric({_whole(precision)}, {_whole(scale or '0')})"


def _whole(digits: str) -> int:
    if not digits.isdigit():
        raise Refused(f'syntax error at or near "{digits}"', "42601")
    return int(digits)

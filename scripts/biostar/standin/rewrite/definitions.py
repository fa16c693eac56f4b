"""CREATE TABLE and ALTER TABLE: what Postgres can't hold is taken out of the text and recorded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from biostar.standin.errors import Refused
from biostar.standin.rewrite.expressions import Emitter
from biostar.standin.rewrite.plan import Plan, perform
from biostar.standin.rewrite.tokens import Tokens, name_value, string_value
from biostar.standin.rewrite.typenames import read_type
from biostar.standin.wire import identifier, literal

ENCODINGS = frozenset(
    [
        "auto",
        "az64",
        "bytedict",
        "delta",
        "delta32k",
        "lzo",
        "mostly8",
        "mostly16",
        "mostly32",
        "none",
        "raw",
        "runlength",
        "text255",
        "text32k",
        "zstd",
    ]
)
MAX_COLUMNS = 1600
MAX_SORT_COLUMNS = 400


@dataclass
class Design:
    """The physical design and the keys that a statement declares."""

    diststyle: str = ""
    distkey: str = ""
    sort_style: str = ""
    sort_columns: list[str] = field(default_factory=list)
    encode_auto: bool = False
    backup: bool = True
    encodings: dict[str, str] = field(default_factory=dict)
    keys: list[tuple[str, list[str], str, list[str]]] = field(default_factory=list)

    def record(self, relation: str) -> list[str]:
        """The statements that record it for a relation."""
        columns = "array[" + ", ".join(literal(c) for c in self.sort_columns) + "]::text[]"
        sql = [
            f"select standin.record_design({literal(relation)}, {_or_null(self.diststyle)}, {_or_null(self.distkey)}, "
            f"{_or_null(self.sort_style)}, {columns}, {str(self.backup).lower()}, {str(self.encode_auto).lower()})"
        ]
        sql += [
            f"select standin.record_encoding({literal(relation)}, {literal(column)}, {literal(encoding)})"
            for column, encoding in self.encodings.items()
        ]
        sql += [self._record_key(relation, *key) for key in self.keys]
        return sql

    def _record_key(self, relation: str, kind: str, columns: list[str], other: str, others: list[str]) -> str:
        mine, theirs = ("array[" + ", ".join(literal(c) for c in names) + "]::text[]" for names in (columns, others))
        return f"select standin.record_key({literal(relation)}, {literal(kind)}, {mine}, {_or_null(other)}, {theirs})"

    def check(self) -> None:
        """Refuse contradictions that Redshift refuses."""
        if self.distkey and self.diststyle and self.diststyle != "key":
            raise Refused("DISTKEY column cannot be specified for DISTSTYLE " + self.diststyle.upper(), "42P16")
        if self.diststyle == "key" and not self.distkey:
            raise Refused("No DISTKEY column specified for DISTSTYLE KEY", "42P16")
        if len(self.sort_columns) > (8 if self.sort_style == "interleaved" else MAX_SORT_COLUMNS):
            raise Refused("too many columns in the sort key", "54011")
        if self.distkey and not self.diststyle:
            self.diststyle = "key"


def _or_null(value: str) -> str:
    return literal(value) if value else "null"


def read_name(tokens: Tokens, at: int) -> tuple[list[str], int]:
    """A possibly qualified name and the place after it."""
    parts = [name_value(tokens.items[at])]
    at += 1
    while tokens.low(at) == ".":
        parts.append(name_value(tokens.items[at + 1]))
        at += 2
    return parts, at


def sql_name(parts: list[str]) -> str:
    """A name as Postgres reads it; the database's name in front is left out."""
    return ".".join(identifier(part) for part in parts[-2:])


def read_columns(tokens: Tokens, at: int) -> tuple[list[str], int]:
    """The names in the bracket at `at`, and the place after it."""
    if tokens.low(at) != "(":
        raise Refused(f'syntax error at or near "{tokens.low(at)}"', "42601")
    close = tokens.match[at]
    names = [name_value(token) for token in tokens.items[at + 1 : close] if token.text != ","]
    return names, close + 1


def read_attributes(tokens: Tokens, at: int, design: Design) -> int:
    """Table attributes from `at` on: recorded in `design`; returns the place after the last one."""
    while True:
        word = tokens.low(at)
        if word == "backup" and tokens.low(at + 1) in ("yes", "no"):
            design.backup = tokens.low(at + 1) == "yes"
            at += 2
        elif word == "diststyle":
            design.diststyle = tokens.low(at + 1)
            if design.diststyle not in ("all", "even", "key", "auto"):
                raise Refused(f'Invalid DISTSTYLE "{design.diststyle}"', "42601")
            at += 2
        elif word == "distkey":
            names, at = read_columns(tokens, at + 1)
            if len(names) != 1:
                raise Refused("DISTKEY takes one column", "42601")
            design.distkey = names[0]
        elif word in ("compound", "interleaved") and tokens.low(at + 1) == "sortkey":
            design.sort_style = word
            design.sort_columns, at = read_columns(tokens, at + 2)
        elif word == "sortkey" and tokens.low(at + 1) in ("auto", "none"):
            design.sort_style = tokens.low(at + 1)
            at += 2
        elif word == "sortkey":
            design.sort_style = "compound"
            design.sort_columns, at = read_columns(tokens, at + 1)
        elif word == "encode" and tokens.low(at + 1) == "auto":
            design.encode_auto = True
            at += 2
        else:
            return at


def create_table(tokens: Tokens) -> Plan:
    """CREATE [TEMPORARY] TABLE, with columns or AS a query."""
    at = next(place for place, token in enumerate(tokens.items) if token.low == "table") + 1
    temporary = "temporary " if tokens.low(1) in ("temporary", "temp", "local") else ""
    missing = ""
    if tokens.words(at, "if", "not", "exists"):
        missing, at = "if not exists ", at + 3
    parts, at = read_name(tokens, at)
    if parts[0].startswith("#"):
        parts, temporary = [parts[0][1:]], "temporary "
    name = sql_name(parts)
    design = Design()
    body = ""
    if tokens.low(at) == "(" and not _is_query(tokens, at):
        body, at = _column_list(tokens, at, design)
    at = read_attributes(tokens, at, design)
    design.check()
    record = tuple(design.record(name))
    if at == len(tokens.items) and body:
        return Plan("create table", f"create {temporary}table {missing}{name} {body}", after=record)
    if tokens.low(at) != "as":
        found = tokens.items[at].text if at < len(tokens.items) else "end of input"
        raise Refused(f'syntax error at or near "{found}"', "42601")
    query = Emitter(tokens).emit(at + 1, len(tokens.items))
    head = f"create {temporary}table {missing}{name} {body} as "
    settle = f"select standin.settle_types({literal(name)})"
    return Plan("create table as", head + query, after=(settle, *record), query=query, head=head)


def _is_query(tokens: Tokens, at: int) -> bool:
    while tokens.low(at) == "(":
        at += 1
    return tokens.low(at) in ("select", "with")


def _column_list(tokens: Tokens, at: int, design: Design) -> tuple[str, int]:
    emitter = Emitter(tokens)
    close = tokens.match[at]
    pieces = []
    ranges = emitter.split(at + 1, close)
    if len(ranges) > MAX_COLUMNS:
        raise Refused(f"tables can have at most {MAX_COLUMNS} columns", "54011")
    for start, end in ranges:
        first = tokens.low(start)
        if first in ("primary", "foreign", "unique", "constraint", "check"):
            _table_constraint(tokens, start, end, design)
        elif first == "like":
            parts, _ = read_name(tokens, start + 1)
            including = tokens.low(end - 2) == "including"
            pieces.append(f"like {sql_name(parts)}" + (" including defaults" if including else ""))
        elif end - start == 1:
            pieces.append(identifier(name_value(tokens.items[start])))
        else:
            pieces.append(column_definition(emitter, start, end, design))
    return "(" + ", ".join(pieces) + ")", close + 1


def _table_constraint(tokens: Tokens, at: int, end: int, design: Design) -> None:
    if tokens.low(at) == "constraint":
        at += 2
    word = tokens.low(at)
    if word == "check":
        raise Refused("CHECK constraints are not supported", "0A000")
    if word == "unique":
        columns, _ = read_columns(tokens, at + 1)
        design.keys.append(("unique", columns, "", []))
        return
    columns, after = read_columns(tokens, at + 2)
    if word == "primary":
        design.keys.append(("primary key", columns, "", []))
        return
    other, others, _ = _references(tokens, after)
    design.keys.append(("foreign key", columns, other, others))


def _references(tokens: Tokens, at: int) -> tuple[str, list[str], int]:
    parts, after = read_name(tokens, at + 1)
    columns: list[str] = []
    if tokens.low(after) == "(":
        columns, after = read_columns(tokens, after)
    return sql_name(parts), columns, after


def column_definition(emitter: Emitter, start: int, end: int, design: Design) -> str:
    """One column with its attributes; the ones that Postgres lacks, and the keys, go into `design`."""
    tokens = emitter.tokens
    column = name_value(tokens.items[start])
    kind, at = read_type(tokens, start + 1)
    pieces = [identifier(column), kind]
    while at < end:
        word = tokens.low(at)
        if word == "encode":
            encoding = tokens.low(at + 1)
            if encoding not in ENCODINGS:
                raise Refused(f'invalid encoding type specified for column "{column}"', "42601")
            design.encodings[column] = encoding
            at += 2
        elif word == "distkey":
            design.distkey, at = column, at + 1
        elif word == "sortkey":
            design.sort_style, at = "compound", at + 1
            design.sort_columns.append(column)
        elif word == "not" and tokens.low(at + 1) == "null":
            pieces.append("not null")
            at += 2
        elif word == "null":
            at += 1
        elif word == "unique":
            design.keys.append(("unique", [column], "", []))
            at += 1
        elif word == "primary" and tokens.low(at + 1) == "key":
            design.keys.append(("primary key", [column], "", []))
            pieces.append("not null")
            at += 2
        elif word == "references":
            other, others, at = _references(tokens, at)
            design.keys.append(("foreign key", [column], other, others))
        elif word == "collate" or word == "constraint":
            at += 2
        elif word == "default":
            stop = _end_of_default(tokens, at + 1, end)
            pieces.append("default " + emitter.emit(at + 1, stop))
            at = stop
        elif word in ("identity", "generated"):
            text, at = _identity(tokens, at)
            pieces.append(text)
        else:
            raise Refused(f'syntax error at or near "{tokens.items[at].text}"', "42601")
    return " ".join(pieces)


def _end_of_default(tokens: Tokens, at: int, end: int) -> int:
    stops = ("encode", "distkey", "sortkey", "not", "null", "unique", "primary", "references", "collate", "identity")
    start = at
    while at < end:
        if at > start and tokens.low(at) in stops:
            return at
        at = tokens.match[at] + 1 if tokens.low(at) == "(" else at + 1
    return end


def _identity(tokens: Tokens, at: int) -> tuple[str, int]:
    always = "always"
    if tokens.low(at) == "generated":
        always, at = "by default", at + 4
        if tokens.low(at) != "identity":
            raise Refused('syntax error at or near "generated"', "42601")
    seed, step = "1", "1"
    after = at + 1
    if tokens.low(after) == "(":
        close = tokens.match[after]
        seed, _, step = tokens.text(after + 1, close).partition(",")
        after = close + 1
    return f"generated {always} as identity (start with {seed.strip()} increment by {step.strip()})", after


def alter_table(tokens: Tokens) -> Plan:
    """ALTER TABLE: recorded where Postgres has no such thing, passed on otherwise."""
    at = 2
    if tokens.words(at, "if", "exists"):
        at += 2
    parts, at = read_name(tokens, at)
    name = sql_name(parts)
    head = f"alter table {name} "
    emitter, end = Emitter(tokens), len(tokens.items)
    word, second = tokens.low(at), tokens.low(at + 1)
    nothing = Plan("alter table", perform("standin.nothing()"), tag="ALTER TABLE")
    if word == "append":
        return _append(tokens, name, at)
    if word == "alter" and second in ("diststyle", "distkey", "sortkey", "compound", "interleaved", "encode"):
        design = Design()
        _altered_design(tokens, at + 1, design)
        return replace(nothing, after=tuple(design.record(name)))
    if word == "alter":
        at = at + 2 if second == "column" else at + 1
        column = name_value(tokens.items[at])
        if tokens.low(at + 1) == "encode":
            design = Design(encodings={column: tokens.low(at + 2)})
            return replace(nothing, after=tuple(design.record(name)[1:]))
        if tokens.low(at + 1) == "type":
            return _widen(tokens, name, column, at + 2)
        raise Refused(f'syntax error at or near "{tokens.low(at + 1)}"', "42601")
    if word == "add" and second in ("primary", "foreign", "unique", "constraint"):
        design = Design()
        _table_constraint(tokens, at + 1, end, design)
        return replace(nothing, after=tuple(design.record(name)[1:]))
    if word == "add":
        at = at + 2 if second == "column" else at + 1
        design = Design()
        column = column_definition(emitter, at, end, design)
        return Plan("alter table", f"{head}add column {column}", after=tuple(design.record(name)[1:]))
    if word == "drop" and second == "constraint":
        return replace(nothing, after=(f"select standin.forget_keys({literal(name)})",))
    if word == "rename" and second == "to":
        parts, after = read_name(tokens, at + 2)
        if after != end:
            raise Refused(f'syntax error at or near "{tokens.items[after].text}"', "42601")
        return Plan("alter table", f"{head}rename to {identifier(parts[-1])}")
    if word in ("rename", "drop", "owner", "set"):
        return Plan("alter table", head + emitter.emit(at, end))
    raise Refused(f'syntax error at or near "{tokens.items[at].text}"', "42601")


def _altered_design(tokens: Tokens, at: int, design: Design) -> None:
    if tokens.low(at) == "distkey":
        design.diststyle, design.distkey = "key", name_value(tokens.items[at + 1])
        return
    if tokens.low(at) == "diststyle" and tokens.low(at + 1) == "key":
        design.diststyle, design.distkey = "key", name_value(tokens.items[at + 3])
        return
    at = read_attributes(tokens, at, design)
    if at != len(tokens.items):
        raise Refused(f'syntax error at or near "{tokens.items[at].text}"', "42601")


def _widen(tokens: Tokens, name: str, column: str, at: int) -> Plan:
    """Redshift changes the length of a VARCHAR only, outside of a transaction block."""
    kind, _ = read_type(tokens, at)
    if not kind.startswith("varchar("):
        raise Refused("ALTER COLUMN TYPE is only supported for VARCHAR columns", "0A000")
    length = kind.removeprefix("varchar(").removesuffix(")")
    check = f"select standin.check_widening({literal(name)}, {literal(column)}, {length})"
    sql = f"alter table {name} alter column {identifier(column)} type {kind}"
    return Plan("alter table", sql, before=(check,), outside_transaction="ALTER TABLE ALTER COLUMN")


def _append(tokens: Tokens, name: str, at: int) -> Plan:
    if tokens.low(at + 1) != "from":
        raise Refused('syntax error at or near "append"', "42601")
    parts, after = read_name(tokens, at + 2)
    extra = tokens.low(after)
    if extra not in ("", "ignoreextra", "fillextra"):
        raise Refused(f'syntax error at or near "{extra}"', "42601")
    source = sql_name(parts)
    sql = perform(f"standin.append_rows({literal(name)}, {literal(source)}, {literal(extra)})")
    return Plan("alter table append", sql, outside_transaction="ALTER TABLE APPEND", tag="ALTER TABLE APPEND")


def literal_value(tokens: Tokens, at: int) -> str:
    """The value of the literal at a token."""
    token = tokens.items[at]
    if token.kind not in ("string", "dollar"):
        raise Refused(f'syntax error at or near "{token.text}"', "42601")
    return string_value(token)

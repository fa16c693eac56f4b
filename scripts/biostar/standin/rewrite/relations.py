"""Views of the three kinds, comments and functions."""

from __future__ import annotations

from biostar.standin.errors import Refused
from biostar.standin.rewrite.definitions import Design, read_attributes, read_columns, read_name, sql_name
from biostar.standin.rewrite.expressions import Emitter
from biostar.standin.rewrite.plan import Plan, perform
from biostar.standin.rewrite.tokens import Tokens, string_value, tokenize
from biostar.standin.rewrite.typenames import read_type
from biostar.standin.wire import identifier, literal

_REPLACED = {
    "pg_attribute": "standin.pg_attribute",
    "pg_class": "standin.pg_class",
}
_EXTRA_COLUMNS = ("attisdistkey", "attsortkeyord", "attencodingtype", "reldiststyle", "releffectivediststyle")
_SCHEMA_VIEWS = ("columns", "tables", "views")


def catalog_substitutions(tokens: Tokens, catalog: bool) -> dict[int, tuple[str, int]]:
    """Names in a catalog query that must read the stand-in's views: by place, the text and the place after it.

    Redshift's pg_class and pg_attribute have columns that Postgres's have not, and none of a late-binding view; its
    information_schema shows materialized views as views, and no type `text`.
    """
    found: dict[int, tuple[str, int]] = {}
    if not catalog:
        return found
    extra = any(token.low.strip('"') in _EXTRA_COLUMNS for token in tokens.items)
    for at, token in enumerate(tokens.items):
        name = token.low.strip('"').lower()
        before = tokens.low(at - 1)
        if name == "information_schema" and tokens.low(at + 1) == ".":
            view = tokens.low(at + 2).strip('"').lower()
            if view in _SCHEMA_VIEWS:
                found[at] = (f"standin.{view}", at + 3)
        elif (extra or name == "pg_attribute") and name in _REPLACED and before in ("from", "join", ",", "."):
            if before == ".":
                found[at - 2] = (_REPLACED[name], at + 1)
            else:
                found[at] = (_REPLACED[name] + ("" if _has_alias(tokens, at + 1) else f" {name}"), at + 1)
    return found


def _has_alias(tokens: Tokens, at: int) -> bool:
    keywords = ("on", "where", "join", "left", "inner", "cross", "right", "full", "group", "order", "using", "limit")
    return at < len(tokens.items) and tokens.items[at].kind in ("word", "quoted") and tokens.low(at) not in keywords


def create_or_replace(tokens: Tokens) -> Plan:
    """CREATE OR REPLACE, of a view or a function."""
    if tokens.low(3) == "view":
        return create_view(tokens)
    if tokens.low(3) in ("function", "procedure"):
        return create_function(tokens)
    raise Refused(f'syntax error at or near "{tokens.low(3)}"', "42601")


def create_view(tokens: Tokens) -> Plan:
    """CREATE VIEW, bound or late-binding."""
    at = next(place for place, token in enumerate(tokens.items) if token.low == "view") + 1
    replace = tokens.words(1, "or", "replace")
    parts, at = read_name(tokens, at)
    name, columns = sql_name(parts), ""
    if tokens.low(at) == "(":
        names, at = read_columns(tokens, at)
        columns = "(" + ", ".join(identifier(column) for column in names) + ")"
    if tokens.low(at) != "as":
        raise Refused(f'syntax error at or near "{tokens.low(at)}"', "42601")
    end = len(tokens.items)
    late = tokens.words(end - 4, "with", "no", "schema", "binding")
    query = Emitter(tokens).emit(at + 1, end - 4 if late else end)
    if late:
        call = (
            f"standin.create_late_view({literal(name)}, {literal(columns)}, {literal(query)}, {str(replace).lower()})"
        )
        return Plan("create view", perform(call), tag="CREATE VIEW")
    head = "create or replace view" if replace else "create view"
    head = f"{head} {name} {columns} as "
    return Plan("create view", head + query, query=query, head=head)


def drop_view(tokens: Tokens) -> Plan:
    """DROP VIEW; a materialized view is refused."""
    at = 4 if tokens.words(2, "if", "exists") else 2
    parts, _ = read_name(tokens, at)
    check = f"select standin.check_plain_view({literal(sql_name(parts))})"
    return Plan("drop view", Emitter(tokens, catalog=True).all(), before=(check,))


def create_materialized_view(tokens: Tokens) -> Plan:
    """CREATE MATERIALIZED VIEW: a table of its rows and a view of that table, as on Redshift."""
    parts, at = read_name(tokens, 3)
    name, design, auto = sql_name(parts), Design(), False
    while True:
        at = read_attributes(tokens, at, design)
        if not tokens.words(at, "auto", "refresh"):
            break
        auto, at = tokens.low(at + 2) == "yes", at + 3
    design.check()
    if tokens.low(at) != "as":
        raise Refused(f'syntax error at or near "{tokens.low(at)}"', "42601")
    query = Emitter(tokens).emit(at + 1, len(tokens.items))
    call = (
        f"standin.create_materialized({literal(name)}, {literal(query)}, {literal(tokens.source.strip())}, "
        f"{str(auto).lower()})"
    )
    storage = f"standin.storage_of({literal(name)})"
    record = tuple(sql.replace(literal(name), storage) for sql in design.record(name))
    return Plan("create materialized view", perform(call), after=record, tag="CREATE MATERIALIZED VIEW")


def refresh_materialized_view(tokens: Tokens) -> Plan:
    """REFRESH MATERIALIZED VIEW: always recomputed as a whole."""
    parts, _ = read_name(tokens, 3)
    call = f"standin.refresh_materialized({literal(sql_name(parts))})"
    return Plan("refresh materialized view", perform(call), tag="REFRESH")


def drop_materialized_view(tokens: Tokens) -> Plan:
    """DROP MATERIALIZED VIEW."""
    exists = tokens.words(3, "if", "exists")
    parts, at = read_name(tokens, 5 if exists else 3)
    cascade = tokens.low(at) == "cascade"
    flags = f"{str(exists).lower()}, {str(cascade).lower()}"
    call = f"standin.drop_materialized({literal(sql_name(parts))}, {flags})"
    return Plan("drop materialized view", perform(call), tag="DROP MATERIALIZED VIEW")


def alter_materialized_view(tokens: Tokens) -> Plan:
    """ALTER MATERIALIZED VIEW … AUTO REFRESH: recorded."""
    parts, at = read_name(tokens, 3)
    if not tokens.words(at, "auto", "refresh") or tokens.low(at + 2) not in ("yes", "no"):
        raise Refused(f'syntax error at or near "{tokens.low(at)}"', "42601")
    yes = str(tokens.low(at + 2) == "yes").lower()
    call = f"standin.set_auto_refresh({literal(sql_name(parts))}, {yes})"
    return Plan("alter materialized view", perform(call), tag="ALTER MATERIALIZED VIEW")


def comment(tokens: Tokens) -> Plan:
    """COMMENT ON: as it is."""
    return Plan("comment", Emitter(tokens, catalog=True).all())


def create_function(tokens: Tokens) -> Plan:
    """CREATE FUNCTION in SQL and CREATE PROCEDURE in PL/pgSQL; Python is not known to the stand-in."""
    items = tokens.items
    kind = next(at for at, token in enumerate(items) if token.low in ("function", "procedure"))
    parts, at = read_name(tokens, kind + 1)
    close = tokens.match[at]
    emitter = Emitter(tokens)
    arguments = [_argument(tokens, *piece) for piece in emitter.split(at + 1, close)]
    pieces = [tokens.text(0, kind + 1), sql_name(parts) + "(" + ", ".join(arguments) + ")"]
    language = next((tokens.low(at + 1) for at, token in enumerate(items) if token.low == "language"), "")
    if language not in ("sql", "plpgsql"):
        raise Refused(f'the stand-in does not know functions in "{language}"', "0A000", hint="write it in SQL")
    at = close + 1
    while at < len(items):
        if tokens.low(at) == "returns":
            name, at = read_type(tokens, at + 1)
            pieces.append("returns " + name)
        elif items[at].kind in ("dollar", "string") and language == "sql":
            pieces.append(literal(Emitter(tokenize(string_value(items[at]))).all()))
            at += 1
        elif tokens.low(at) == "nonatomic":
            at += 1
        else:
            pieces.append(items[at].text)
            at += 1
    return Plan(f"create {tokens.low(kind)}", " ".join(pieces))


def _argument(tokens: Tokens, at: int, end: int) -> str:
    pieces = []
    while tokens.low(at) in ("in", "out", "inout"):
        pieces.append(tokens.low(at))
        at += 1
    if tokens.items[at + 1 : end] and tokens.low(at + 1) not in ("(", "varying", "precision", "with", "without"):
        pieces.append(tokens.items[at].text)
        at += 1
    name, after = read_type(tokens, at)
    if after != end:
        raise Refused(f'syntax error at or near "{tokens.items[after].text}"', "42601")
    return " ".join([*pieces, name])


def drop_function(tokens: Tokens) -> Plan:
    """DROP FUNCTION, whose arguments are types."""
    kind = tokens.low(1)
    exists = tokens.words(2, "if", "exists")
    parts, at = read_name(tokens, 4 if exists else 2)
    arguments, rest = "", at
    if tokens.low(at) == "(":
        close = tokens.match[at]
        pieces = [_argument(tokens, *piece) for piece in Emitter(tokens).split(at + 1, close)]
        arguments, rest = "(" + ", ".join(pieces) + ")", close + 1
    tail = tokens.text(rest, len(tokens.items))
    head = f"drop {kind} {'if exists ' if exists else ''}{sql_name(parts)}"
    return Plan(f"drop {kind}", f"{head}{arguments} {tail}")

"""What each kind of statement becomes. A kind without a rule is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from biostar.standin.errors import Refused, SqlError
from biostar.standin.rewrite import administration, definitions, relations
from biostar.standin.rewrite.definitions import read_name, sql_name
from biostar.standin.rewrite.expressions import Emitter
from biostar.standin.rewrite.plan import Plan
from biostar.standin.rewrite.tokens import Tokens, tokenize
from biostar.standin.wire import identifier, literal

MAX_STATEMENT = 16 * 1024 * 1024
"""Bytes of a statement, as the manual's limits say."""

_CATALOG_PREFIXES = ("pg_", "svv_", "stv_", "stl_", "svl_", "svcs_", "sys_")

Planner = Callable[[Tokens], Plan]


@lru_cache(maxsize=2048)
def plan_statement(sql: str) -> Plan:
    """Plan one statement.

    Raises:
        Refused: Redshift refuses it, or the stand-in has no rule for it.
    """
    if len(sql.encode()) > MAX_STATEMENT:
        raise Refused("Statement is too large. Statement Size: more than 16 MB", "54000")
    tokens = tokenize(sql.replace("\0", " "))
    if tokens.items and tokens.items[-1].text == ";":
        tokens = tokenize(tokens.text(0, len(tokens.items) - 1))
    if any(token.text == ";" for token in tokens.items if token.kind == "op"):
        raise SqlError("cannot insert multiple commands into a prepared statement", "42601")
    if not tokens.items:
        return Plan("", "")
    for length in (3, 2, 1):
        words = " ".join(tokens.low(at) for at in range(length))
        planner = _KINDS.get(words)
        if planner is not None:
            return planner(tokens)
    raise Refused(f'syntax error at or near "{tokens.items[0].text[:40]}"', "42601", detail="no such statement")


def is_catalog_query(tokens: Tokens) -> bool:
    """Whether a query reads system tables or views: Redshift answers it on the leader node."""
    for at, token in enumerate(tokens.items):
        if token.low in ("from", "join", ","):
            name = tokens.low(at + 1).strip('"')
            if name == "information_schema" or name.startswith(_CATALOG_PREFIXES):
                return True
    return False


def _query(tokens: Tokens) -> Plan:
    catalog = is_catalog_query(tokens)
    emitter = Emitter(tokens, catalog=catalog, substitutions=relations.catalog_substitutions(tokens, catalog))
    into = emitter.top_level(0, len(tokens.items), "into")
    sql = emitter.all()
    locking = tokens.words(len(tokens.items) - 2, "for", "update")
    typed = "" if catalog or into or locking else sql
    after = (f"select standin.settle_types({literal(_into_name(tokens, into))})",) if into else ()
    return Plan("select into" if into else "select", sql, query=typed, after=after, catalog_only=catalog)


def _into_name(tokens: Tokens, at: int) -> str:
    at += 1
    while tokens.low(at) in ("temporary", "temp", "local", "table"):
        at += 1
    return sql_name(read_name(tokens, at)[0])


def _change(tokens: Tokens) -> Plan:
    return Plan(tokens.low(0), Emitter(tokens).all())


def _merge(tokens: Tokens) -> Plan:
    end = len(tokens.items) - 2
    if not tokens.words(end, "remove", "duplicates"):
        return Plan("merge", Emitter(tokens).all())
    # https://docs.aws.amazon.com/redshift/latest/dg/r_MERGE.html, simplified mode: rows of the target that match a row
    # of the source give way to it, and rows of the source that match none are added
    emitter = Emitter(tokens)
    parts, at = read_name(tokens, 2)
    target = sql_name(parts)
    on = emitter.top_level(at, end, "on")
    if tokens.low(at) != "using" or on is None:
        raise Refused(f'syntax error at or near "{tokens.low(at)}"', "42601")
    source, condition = emitter.emit(at + 1, on).strip(), emitter.emit(on + 1, end).strip()
    alias = f" as {identifier(parts[-1])}" if len(parts) > 1 else ""
    check = (
        f"select standin.check_one_match(count(*)) from {target}{alias} join {source} on {condition} "
        f"group by {identifier(parts[-1])}.ctid having count(*) > 1 limit 1"
    )
    sql = (
        f"with standin_gone as (delete from {target}{alias} using {source} where {condition}) "
        f"insert into {target} select * from {source}"
    )
    return Plan("merge", sql, before=(check,), tag="MERGE")


def _explain(tokens: Tokens) -> Plan:
    """EXPLAIN: what the embedded server would do, under a first line that says so; a plan of Redshift nobody knows."""
    at = 2 if tokens.low(1) == "verbose" else 1
    inner = plan_statement(tokens.text(at, len(tokens.items)))
    if inner.kind not in ("select", "insert", "update", "delete", "create table as"):
        raise Refused(f'syntax error at or near "{tokens.low(at)}"', "42601")
    return Plan(
        "explain",
        f'select line as "QUERY PLAN" from standin.explain({literal(inner.sql)}) as line',
        tag="EXPLAIN",
        catalog_only=inner.catalog_only,
    )


def _truncate(tokens: Tokens) -> Plan:
    sql = Emitter(tokens).all()
    return Plan("truncate", sql, commits=True)


def _as_it_is(kind: str, outside: str = "") -> Planner:
    def planner(tokens: Tokens) -> Plan:
        return Plan(kind, Emitter(tokens, catalog=True).all(), outside_transaction=outside)

    return planner


def _refused(message: str, hint: str = "", sqlstate: str = "0A000") -> Planner:
    def planner(tokens: Tokens) -> Plan:
        raise Refused(message, sqlstate, hint=hint)

    return planner


def _begin(tokens: Tokens) -> Plan:
    return Plan("begin", Emitter(tokens, catalog=True).all())


def _copy(tokens: Tokens) -> Plan:
    from biostar.standin.loading.command import parse_copy

    return Plan("copy", action=parse_copy(tokens))


def _unload(tokens: Tokens) -> Plan:
    from biostar.standin.unloading import parse_unload

    return Plan("unload", action=parse_unload(tokens))


_KINDS: dict[str, Planner] = {
    "select": _query,
    "with": _query,
    "(": _query,
    "insert": _change,
    "update": _change,
    "delete": _change,
    "merge": _merge,
    "truncate": _truncate,
    "begin": _begin,
    "start transaction": _begin,
    "commit": _as_it_is("commit"),
    "end": _as_it_is("commit"),
    "rollback": _as_it_is("rollback"),
    "rollback to": _refused('SQL command "ROLLBACK TO SAVEPOINT" not supported.'),
    "savepoint": _refused('SQL command "SAVEPOINT" not supported.'),
    "abort": _as_it_is("rollback"),
    "lock": _as_it_is("lock"),
    "declare": _change,
    "fetch": _as_it_is("fetch"),
    "close": _as_it_is("close"),
    "prepare": _change,
    "execute": _change,
    "deallocate": _as_it_is("deallocate"),
    "call": _change,
    "comment": relations.comment,
    "create table": definitions.create_table,
    "create temporary table": definitions.create_table,
    "create temp table": definitions.create_table,
    "create local temporary": definitions.create_table,
    "create local temp": definitions.create_table,
    "create view": relations.create_view,
    "create or replace": relations.create_or_replace,
    "create materialized view": relations.create_materialized_view,
    "create schema": administration.create_schema,
    "create external": _refused("external schemas and tables are not known to the stand-in"),
    "create function": relations.create_function,
    "create procedure": relations.create_function,
    "create database": administration.create_database,
    "create user": administration.create_user,
    "create group": administration.create_identity,
    "create role": administration.create_identity,
    "create index": _refused('SQL command "create index" not supported on Redshift tables.'),
    "create unique index": _refused('SQL command "create index" not supported on Redshift tables.'),
    "create sequence": _refused('SQL command "create sequence" not supported.', "use an IDENTITY column"),
    "create trigger": _refused('SQL command "create trigger" not supported.'),
    "create type": _refused('SQL command "create type" not supported.'),
    "create domain": _refused('SQL command "create domain" not supported.'),
    "create rule": _refused('SQL command "create rule" not supported.'),
    "create extension": _refused('SQL command "create extension" not supported.'),
    "drop materialized view": relations.drop_materialized_view,
    "drop table": _as_it_is("drop table"),
    "drop view": relations.drop_view,
    "drop schema": _as_it_is("drop schema"),
    "drop function": relations.drop_function,
    "drop procedure": relations.drop_function,
    "drop database": _as_it_is("drop database", "DROP DATABASE"),
    "drop user": _as_it_is("drop user"),
    "drop group": _as_it_is("drop group"),
    "drop role": administration.drop_role,
    "alter table": definitions.alter_table,
    "alter view": definitions.alter_table,
    "alter materialized view": relations.alter_materialized_view,
    "alter schema": administration.alter_schema,
    "alter user": administration.create_user,
    "alter group": administration.alter_group,
    "alter database": _as_it_is("alter database", "ALTER DATABASE"),
    "refresh materialized view": relations.refresh_materialized_view,
    "grant": administration.grant,
    "revoke": administration.grant,
    "set": administration.set_parameter,
    "reset": administration.reset_parameter,
    "show": administration.show,
    "use": administration.use,
    "analyze": administration.analyze,
    "analyze compression": _refused("ANALYZE COMPRESSION needs a cluster; the stand-in stores no blocks"),
    "vacuum": administration.vacuum,
    "cancel": administration.cancel_query,
    "explain": _explain,
    "copy": _copy,
    "unload": _unload,
    "values": _refused('syntax error at or near "values"', "write select … union all select …", "42601"),
}

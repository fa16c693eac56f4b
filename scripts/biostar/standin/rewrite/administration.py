"""Users, grants, schemas, parameters, SHOW and maintenance."""

from __future__ import annotations

import re

from biostar.standin.errors import Refused
from biostar.standin.rewrite.definitions import literal_value, read_name, sql_name
from biostar.standin.rewrite.expressions import Emitter
from biostar.standin.rewrite.parameters import POSTGRES_PARAMETERS, REDSHIFT_PARAMETERS
from biostar.standin.rewrite.plan import Plan, perform
from biostar.standin.rewrite.tokens import Tokens, name_value, string_value
from biostar.standin.wire import identifier, literal


def create_schema(tokens: Tokens) -> Plan:
    """CREATE SCHEMA; a quota is left out. One at a time: two sessions may ask for the same schema at once."""
    items = list(tokens.items)
    end = next((at for at, token in enumerate(items) if token.low == "quota"), len(items))
    at = 2
    missing = ""
    if tokens.words(at, "if", "not", "exists"):
        missing, at = "if not exists ", at + 3
    if tokens.low(at) == "authorization":
        return Plan("create schema", Emitter(tokens, catalog=True).emit(0, end))
    parts, at = read_name(tokens, at)
    owner = ""
    if tokens.low(at) == "authorization":
        owner, at = " authorization " + identifier(name_value(items[at + 1])), at + 2
    if at != end:
        raise Refused(f'syntax error at or near "{items[at].text}"', "42601")
    sql = f"create schema {missing}{identifier(parts[-1])}{owner}"
    return Plan("create schema", sql, before=("select pg_advisory_xact_lock(7301)",))


def alter_schema(tokens: Tokens) -> Plan:
    """ALTER SCHEMA; a quota is left out."""
    if any(token.low == "quota" for token in tokens.items):
        return Plan("alter schema", perform("standin.nothing()"), tag="ALTER SCHEMA")
    return Plan("alter schema", Emitter(tokens, catalog=True).all())


def create_database(tokens: Tokens) -> Plan:
    """CREATE DATABASE: its options are left out."""
    parts, _ = read_name(tokens, 2)
    sql = f"create database {identifier(parts[-1])} template template1"
    return Plan("create database", sql, outside_transaction="CREATE DATABASE")


def create_user(tokens: Tokens) -> Plan:
    """CREATE USER and ALTER USER with Redshift's options."""
    verb, parts = tokens.low(0), read_name(tokens, 2)
    name, at = parts[0][-1], parts[1]
    words = {"createuser": "superuser", "nocreateuser": "nosuperuser", "createdb": "createdb"}
    words["nocreatedb"] = "nocreatedb"
    options: list[str] = []
    while at < len(tokens.items):
        word = tokens.low(at)
        if word in words:
            options.append(words[word])
            at += 1
        elif word == "password" and tokens.low(at + 1) == "disable":
            options.append("password null")
            at += 2
        elif word == "password":
            options.append("password " + literal(literal_value(tokens, at + 1)))
            at += 2
        elif word == "valid":
            options.append("valid until " + literal(literal_value(tokens, at + 2)))
            at += 3
        elif word == "in" and tokens.low(at + 1) == "group":
            options.append("in role " + identifier(name_value(tokens.items[at + 2])))
            at += 3
        elif word == "syslog" or word in ("connection", "session"):
            at += 3
        elif word in ("set", "reset", "rename"):
            return Plan("alter user", Emitter(tokens, catalog=True).all())
        elif word == "with":
            at += 1
        else:
            raise Refused(f'syntax error at or near "{tokens.items[at].text}"', "42601")
    sql = f"{verb} role {identifier(name)} {'login ' if verb == 'create' else ''}" + " ".join(options)
    tag = f"{verb.upper()} USER"
    if verb == "alter" and not options:
        return Plan("alter user", perform("standin.nothing()"), tag=tag)
    return Plan(f"{verb} user", sql, tag=tag)


def create_identity(tokens: Tokens) -> Plan:
    """CREATE GROUP and CREATE ROLE: both are roles that can't log in; which of them is recorded."""
    kind = tokens.low(1)
    name = name_value(tokens.items[2])
    sql = f"create role {identifier(name)} nologin"
    record = f"select standin.record_identity({literal(name)}, {literal(kind)})"
    members: tuple[str, ...] = ()
    if tokens.words(3, "with", "user") or tokens.low(3) == "user":
        first = 5 if tokens.low(3) == "with" else 4
        names = [name_value(token) for token in tokens.items[first:] if token.text != ","]
        members = tuple(f"grant {identifier(name)} to {identifier(member)}" for member in names)
    return Plan(f"create {kind}", sql, after=(record, *members), tag=f"CREATE {kind.upper()}")


def drop_role(tokens: Tokens) -> Plan:
    """DROP ROLE; FORCE is left out."""
    name = name_value(tokens.items[2])
    return Plan("drop role", f"drop role {identifier(name)}")


def alter_group(tokens: Tokens) -> Plan:
    """ALTER GROUP … ADD USER, DROP USER, RENAME TO."""
    group = name_value(tokens.items[2])
    word = tokens.low(3)
    if word == "rename":
        return Plan("alter group", Emitter(tokens, catalog=True).all())
    if word not in ("add", "drop") or tokens.low(4) != "user":
        raise Refused(f'syntax error at or near "{word}"', "42601")
    users = ", ".join(identifier(name_value(token)) for token in tokens.items[5:] if token.text != ",")
    verb = "grant {0} to {1}" if word == "add" else "revoke {0} from {1}"
    return Plan("alter group", verb.format(identifier(group), users), tag="ALTER GROUP")


def grant(tokens: Tokens) -> Plan:
    """GRANT and REVOKE: `role x` and `group x` are roles to Postgres, roles are granted by name."""
    verb = tokens.low(0)
    direction = "to" if verb == "grant" else "from"
    if tokens.low(1) == "role":
        return _grant_role(tokens, direction)
    privileges = {token.low for token in tokens.items[1:3]}
    if privileges & {"assumerole", "explain", "ignore", "masking", "model", "copy"}:
        raise Refused(f"{verb.upper()} of this privilege is not known to the stand-in", "0A000")
    pieces: list[str] = []
    at, end, after_direction = 0, len(tokens.items), False
    emitter = Emitter(tokens, catalog=True)
    while at < end:
        word = tokens.low(at)
        if word == direction:
            after_direction = True
            pieces.append(word)
        elif after_direction and word in ("role", "group"):
            pass
        elif word in ("alter", "drop") and not after_direction:
            # ALTER and DROP on a relation have no counterpart in Postgres
            if tokens.low(at + 1) == ",":
                at += 1
        else:
            text, at = emitter._one(at, end)
            pieces.append(text)
            continue
        at += 1
    return Plan(verb, re.sub(r"\s*\.\s*", ".", " ".join(pieces)))


def _grant_role(tokens: Tokens, direction: str) -> Plan:
    middle = next((at for at, token in enumerate(tokens.items) if token.low == direction), 0)
    if not middle:
        raise Refused('syntax error at or near "role"', "42601")
    left = [name_value(t) for t in tokens.items[1:middle] if t.text != "," and t.low != "role"]
    right = [name_value(t) for t in tokens.items[middle + 1 :] if t.text != "," and t.low != "role"]
    names = (", ".join(identifier(name) for name in side) for side in (left, right))
    return Plan(tokens.low(0), f"{tokens.low(0)} {next(names)} {direction} {next(names)}")


def set_parameter(tokens: Tokens) -> Plan:
    """SET: Postgres's own parameters are passed on; Redshift's are kept for SHOW."""
    at = 1
    scope = ""
    if tokens.low(at) in ("session", "local") and tokens.low(at + 1) not in ("to", "=", "authorization"):
        scope, at = tokens.low(at) + " ", at + 1
    name = name_value(tokens.items[at])
    passed = ("transaction", "session", "time", "role", "names")
    if name in passed or name in POSTGRES_PARAMETERS:
        return Plan("set", Emitter(tokens, catalog=True).all())
    if name in REDSHIFT_PARAMETERS:
        value = " ".join(
            string_value(token) if token.kind == "string" else token.low for token in tokens.items[at + 2 :]
        )
        return Plan("set", f"set {scope}standin.{name} to {literal(value)}")
    raise Refused(f'unrecognized configuration parameter "{name}"', "42704")


def reset_parameter(tokens: Tokens) -> Plan:
    """RESET."""
    name = name_value(tokens.items[1])
    if name in REDSHIFT_PARAMETERS:
        return Plan("reset", f"set standin.{name} to ''", tag="RESET")
    if name == "use":
        return Plan("reset", perform("standin.nothing()"), tag="RESET")
    return Plan("reset", Emitter(tokens, catalog=True).all())


def use(tokens: Tokens) -> Plan:
    """USE: only the database of the session."""
    name = name_value(tokens.items[1])
    return Plan("use", perform(f"standin.check_database({literal(name)})"), tag="USE")


def show(tokens: Tokens) -> Plan:
    """SHOW of parameters and of objects."""
    second, third = tokens.low(1), tokens.low(2)
    pattern = "null"
    end = len(tokens.items)
    if tokens.low(end - 2) == "like":
        pattern, end = literal(literal_value(tokens, end - 1)), end - 2
    if second == "tables" and third == "from":
        parts, _ = read_name(tokens, 4 if tokens.low(3) == "schema" else 3)
        return _shown(f"select * from standin.show_tables({literal(parts[-1])}, {pattern})")
    if second == "columns" and third == "from":
        parts, _ = read_name(tokens, 4 if tokens.low(3) == "table" else 3)
        schema = literal(parts[-2]) if len(parts) > 1 else "current_schema()"
        return _shown(f"select * from standin.show_columns({schema}, {literal(parts[-1])}, {pattern})")
    if second == "schemas":
        return _shown(f"select * from standin.show_schemas({pattern})")
    if second == "databases":
        return _shown(f"select * from standin.show_databases({pattern})")
    if second == "grants" and third == "on":
        at = 4 if tokens.low(3) in ("table", "view") else 3
        parts, _ = read_name(tokens, at)
        return _shown(f"select * from standin.show_grants({literal(sql_name(parts))})")
    if second in ("table", "view") and third:
        parts, _ = read_name(tokens, 2)
        return _shown(f'select standin.show_{second}({literal(sql_name(parts))}) as "show {second} ddl statement"')
    if second in REDSHIFT_PARAMETERS:
        return _shown(f"select coalesce(current_setting('standin.{second}', true), '') as {second}")
    if second in POSTGRES_PARAMETERS or second in ("all", "server_version", "server_encoding"):
        return Plan("show", Emitter(tokens, catalog=True).all(), catalog_only=True)
    if tokens.words(1, "transaction", "isolation", "level"):
        # In no page of the manual, but what SQLAlchemy's dialects ask on their first connection.
        return Plan("show", Emitter(tokens, catalog=True).all(), catalog_only=True)
    raise Refused(f'unrecognized configuration parameter "{second}"', "42704")


def _shown(sql: str) -> Plan:
    return Plan("show", sql, tag="SHOW", catalog_only=True)


def analyze(tokens: Tokens) -> Plan:
    """ANALYZE: of the table or of all; Redshift's column choices are left out."""
    at = 2 if tokens.low(1) == "verbose" else 1
    if at >= len(tokens.items) or tokens.low(at) in ("predicate", "all"):
        return Plan("analyze", "analyze")
    parts, _ = read_name(tokens, at)
    return Plan("analyze", f"analyze {sql_name(parts)}")


def vacuum(tokens: Tokens) -> Plan:
    """VACUUM: outside of transactions only; there are no blocks to sort, so nothing happens."""
    return Plan("vacuum", perform("standin.nothing()"), outside_transaction="VACUUM", tag="VACUUM")


def cancel_query(tokens: Tokens) -> Plan:
    """CANCEL of another session's statement."""
    pid = tokens.items[1].text
    if not pid.isdigit():
        raise Refused(f'syntax error at or near "{pid}"', "42601")
    return Plan("cancel", perform(f"pg_cancel_backend({pid})"), tag="CANCEL")

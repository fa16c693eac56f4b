"""Redshift's words for what the embedded server says in its own."""

from __future__ import annotations

import re

SERVER_VERSION = "8.0.2"
"""What Redshift reports, and what drivers choose their behaviour by."""

ABORTED = "current transaction is aborted, commands ignored until end of transaction block"

_HIDDEN = frozenset("WqpPnstcdFLRV")
"""Fields about the rewritten statement and the insides of the server: they would mislead."""

_WORDS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"^value too long for type character(?: varying)?\((\d+)\)"),
        "Value too long for character type",
        "22001",
    ),
    (
        re.compile(r"^could not open relation with OID (\d+)"),
        "relation with OID {1}, which a late-binding view names, does not exist",
        "42P01",
    ),
    (re.compile(r"^numeric field overflow"), "Numeric data overflow (result precision)", "22003"),
    (re.compile(r"^(?:smallint|integer|bigint) out of range"), "Value out of range for {0}", "22003"),
    (
        re.compile(r"^MERGE command cannot affect row a second time"),
        "Found multiple matches to update the same tuple.",
        "21000",
    ),
    (re.compile(r"^division by zero"), "Divide by zero error", "22012"),
    (re.compile(r'^null value in column "([^"]+)"'), "Cannot insert a NULL value into column {1}", "23502"),
    (
        re.compile(r'^invalid input syntax for type (?:integer|bigint|smallint|numeric): "(.)'),
        "Invalid digit, Value '{1}', Pos 0, Type: {type}",
        "22P02",
    ),
)


def translate(fields: dict[str, str]) -> dict[str, str]:
    """The fields of an error as Redshift words them, where its words are known; other errors keep their text."""
    kept = {key: value for key, value in fields.items() if key not in _HIDDEN}
    message = fields.get("M", "")
    for pattern, words, sqlstate in _WORDS:
        found = pattern.match(message)
        if found:
            kept["M"] = _word(words, message, found)
            kept["C"] = sqlstate
            kept.pop("D", None)
            break
    return kept


def _word(words: str, message: str, found: re.Match[str]) -> str:
    kinds = {"smallint": "Short", "integer": "Integer", "bigint": "Long", "numeric": "Decimal"}
    kind = next((redshift for postgres, redshift in kinds.items() if postgres in message), "")
    first = message.split()[0]
    return words.replace("{0}", first).replace("{1}", found[1] if found.groups() else "").replace("{type}", kind)

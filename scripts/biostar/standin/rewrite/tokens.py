"""The lexical rules of Redshift's SQL, which are those of Postgres 8.0: backslashes in literals are escapes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from biostar.standin.errors import SqlError

_LEXER = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--[^\n]*|/\*)
  | (?P<string>[eE]?'(?:[^'\\]|\\.|'')*')
  | (?P<hex>[xXbB]'[^']*')
  | (?P<dollar>\$(?P<tag>(?:[A-Za-z_\x80-\uffff][\w]*)?)\$.*?\$(?P=tag)\$)
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<word>[^\W\d][\w$]*|\#[\w$]+)
  | (?P<param>\$\d+)
  | (?P<op>::|<=|>=|<>|!=|\|\||!~\*|!~|~\*|~~|[^\s\w])
    """,
    re.VERBOSE | re.DOTALL,
)

POSTGRES_NAME = 63
REDSHIFT_NAME = 127
OPENING = "(["
CLOSING = {")": "(", "]": "["}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text. `low` is the text in lower case for words, and the text as it is otherwise."""

    kind: str
    text: str
    low: str
    at: int


@dataclass(frozen=True)
class Tokens:
    """The tokens of a statement without blanks and comments, and the matching bracket of each bracket."""

    source: str
    items: tuple[Token, ...]
    match: dict[int, int]

    def low(self, at: int) -> str:
        """The text of a token in lower case; empty beyond either end."""
        return self.items[at].low if 0 <= at < len(self.items) else ""

    def words(self, at: int, *expected: str) -> bool:
        """Whether the tokens from `at` on are these words."""
        return all(self.low(at + step) == word for step, word in enumerate(expected))

    def text(self, start: int, end: int) -> str:
        """The source between two tokens, `end` excluded."""
        if start >= end:
            return ""
        last = self.items[end - 1]
        return self.source[self.items[start].at : last.at + len(last.text)]


def tokenize(sql: str) -> Tokens:
    """Cut a statement into tokens.

    Raises:
        SqlError: a literal, comment or bracket is not closed.
    """
    items: list[Token] = []
    at = 0
    while at < len(sql):
        found = _LEXER.match(sql, at)
        if found is None or (found.lastgroup == "op" and found[0] in "'\"") or found[0] == "\0":
            raise SqlError(f'unterminated quoted string at or near "{sql[at : at + 20]}"', "42601")
        kind = found.lastgroup or ""
        if kind == "tag":
            kind = "dollar"
        end = found.end()
        if kind == "comment" and found[0] == "/*":
            end = _comment_end(sql, at)
        elif kind not in ("space", "comment"):
            piece = found[0]
            items.append(Token(kind, piece, piece.lower() if kind == "word" else piece, at))
        at = end
    return Tokens(sql, tuple(items), _match(items))


def _comment_end(sql: str, at: int) -> int:
    depth, here = 0, at
    for found in re.compile(r"/\*|\*/").finditer(sql, at):
        depth += 1 if found[0] == "/*" else -1
        here = found.end()
        if depth == 0:
            return here
    raise SqlError('unterminated /* comment at or near "/*"', "42601")


def _match(items: list[Token]) -> dict[int, int]:
    match: dict[int, int] = {}
    open_at: list[int] = []
    for at, token in enumerate(items):
        if token.kind != "op":
            continue
        if token.text in OPENING:
            open_at.append(at)
        elif token.text in CLOSING:
            if not open_at or items[open_at[-1]].text != CLOSING[token.text]:
                raise SqlError(f'syntax error at or near "{token.text}"', "42601")
            start = open_at.pop()
            match[start], match[at] = at, start
    if open_at:
        raise SqlError("syntax error at end of input", "42601")
    return match


def without_parameters(sql: str) -> str:
    """The statement with `null` in place of each bind parameter: what a checker of SQL text can read."""
    if "$" not in sql:
        return sql
    written, pieces = 0, []
    for token in tokenize(sql).items:
        if token.kind == "param":
            pieces += [sql[written : token.at], "null"]
            written = token.at + len(token.text)
    return "".join(pieces) + sql[written:]


def string_value(token: Token) -> str:
    """The value of a string literal."""
    if token.kind == "dollar":
        fence = token.text.index("$", 1) + 1
        return token.text[fence:-fence]
    body = token.text[token.text.index("'") + 1 : -1]
    return re.sub(r"''|\\(.)", lambda found: found[1] if found[1] else "'", body, flags=re.DOTALL)


def name_value(token: Token) -> str:
    """The name that an identifier stands for, as the embedded server can hold it.

    Redshift folds quoted names to lower case too.
    """
    if token.kind == "quoted":
        return shorten(token.text[1:-1].replace('""', '"').lower())
    return shorten(token.low)


LONG_NAMES: dict[str, str] = {}
"""Names that were shortened, by the short one. A short name is made from the long one alone, so that all sessions and
all runs agree."""


def shorten(name: str) -> str:
    """A name of at most 63 bytes for one of up to 127, which Redshift allows and Postgres would cut."""
    raw = name.encode()
    if len(raw) <= POSTGRES_NAME:
        return name
    if len(raw) > REDSHIFT_NAME:
        raise SqlError(f'identifier "{name}" is longer than {REDSHIFT_NAME} bytes', "42622")
    short = raw[:50].decode(errors="ignore") + "_" + hashlib.sha256(raw).hexdigest()[:12]
    LONG_NAMES[short] = name
    return short

"""Text into statements: sqlglot's tokens for Redshift, cut at semicolons, each with its place.

The tokenizer is told not to swallow what follows SHOW, FETCH or EXECUTE: the gate reads those statements itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from sqlglot.dialects.redshift import Redshift
from sqlglot.tokenizer_core import Token, TokenType

_WORD = re.compile(r"^[A-Za-z_\x80-\uffff#][\w$\x80-\uffff#]*$")
_STRINGS = {
    TokenType.STRING,
    TokenType.HEREDOC_STRING,
    TokenType.NATIONAL_STRING,
    TokenType.BYTE_STRING,
    TokenType.UNICODE_STRING,
    TokenType.RAW_STRING,
}


class _Tokenizer(Redshift.Tokenizer):
    COMMANDS: ClassVar[set[TokenType]] = set()


DIALECT = Redshift()


@dataclass(frozen=True)
class Lexeme:
    """One word or sign of a statement as the forms see it: `GROUP BY`, one token of sqlglot's, is two of these."""

    word: str
    """Upper case; empty for what isn't a bare word."""
    sign: str
    token: int
    kind: TokenType


@dataclass(frozen=True)
class Statement:
    """The tokens of one statement, without its semicolon, and the text they were cut from."""

    tokens: list[Token]
    sql: str

    @property
    def line(self) -> int:
        """The line of its first word, counted from 1."""
        return self.tokens[0].line


def tokenize(sql: str) -> list[Token]:
    """The tokens of a text. Raises sqlglot's TokenError, for instance over a quote that isn't closed."""
    return _Tokenizer(dialect=DIALECT).tokenize(sql)


def statements(tokens: list[Token], sql: str) -> list[Statement]:
    """The tokens cut at each semicolon that stands outside parentheses."""
    found: list[Statement] = []
    current: list[Token] = []
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            if current:
                found.append(Statement(current, sql))
            current = []
        else:
            current.append(token)
    if current:
        found.append(Statement(current, sql))
    return found


def column_of(token: Token) -> int:
    """The column where a token begins, counted from 1; sqlglot gives the one where it ends."""
    return max(token.col - (token.end - token.start), 1)


def is_string(token: Token) -> bool:
    """True for a text literal of any kind."""
    return token.token_type in _STRINGS


def is_word(token: Token) -> bool:
    """True for a bare word: a keyword or a name without quotes."""
    return not is_string(token) and token.token_type != TokenType.IDENTIFIER and bool(_WORD.match(token.text))


def word_of(token: Token) -> str:
    """The bare word in upper case, or nothing."""
    return token.text.upper() if is_word(token) else ""


def lexemes(tokens: list[Token]) -> list[Lexeme]:
    """The words and signs of a statement, tokens of several words split up."""
    found: list[Lexeme] = []
    for index, token in enumerate(tokens):
        kind = token.token_type
        if is_string(token) or kind in {TokenType.IDENTIFIER, TokenType.NUMBER}:
            found.append(Lexeme("", "", index, kind))
        elif is_word(token):
            found.append(Lexeme(token.text.upper(), "", index, kind))
        elif " " in token.text:
            found += [Lexeme(word.upper(), "", index, TokenType.VAR) for word in token.text.split()]
        else:
            found.append(Lexeme("", token.text, index, kind))
    return found


def jinja(sql: str, tokens: list[Token]) -> Token | None:
    """The first token of a Jinja expression, if the text has any outside its literals."""
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.token_type == TokenType.BLOCK_START or token.text in {"{%", "{%-", "{{-"}:
            return token
        if token.token_type == TokenType.L_BRACE and (
            (following is not None and following.token_type == TokenType.L_BRACE and following.start == token.end + 1)
            or sql[token.end + 1 : token.end + 2] == "#"
        ):
            return token
    return None

"""What a statement becomes: text for the embedded server, or an action of the stand-in's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from biostar.standin.rewrite.tokens import tokenize

if TYPE_CHECKING:
    from biostar.standin.session import Session


class Action(Protocol):
    """A statement that the stand-in carries out itself, such as COPY."""

    def run(self, session: Session) -> str:
        """Do it within the session's transaction; returns the command tag."""


@dataclass(frozen=True)
class Plan:
    """How a statement is carried out.

    Args:
        kind: the statement's first words, lower case.
        sql: text for the embedded server.
        action: instead of `sql`.
        before: statements run in the same transaction before it.
        after: the same, after it.
        commits: whether it commits the open transaction, as TRUNCATE does on Redshift.
        outside_transaction: name of the statement, where Redshift refuses it inside a transaction block.
        tag: the command tag to report, where Postgres's differs.
        query: the query within, where its computed numbers must get Redshift's types.
        head: what stands before `query` in `sql`.
        catalog_only: it reads the catalog and system views only; no gate looks at it.
    """

    kind: str
    sql: str = ""
    action: Action | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    commits: bool = False
    outside_transaction: str = ""
    tag: str = ""
    query: str = ""
    head: str = ""
    catalog_only: bool = False


def perform(call: str) -> str:
    """A statement that calls a function of the stand-in's and returns no rows."""
    fence = "$standin$"
    while fence in call:
        fence = fence[:-1] + "_$"
    return f"do {fence}begin perform {call}; end{fence}"


def split_statements(sql: str) -> list[str]:
    """The statements of a text, split at semicolons outside of literals, comments and brackets."""
    tokens = tokenize(sql)
    pieces: list[str] = []
    start, depth = 0, 0
    for at, token in enumerate(tokens.items):
        if token.kind == "op" and token.text in "()":
            depth += 1 if token.text == "(" else -1
        elif token.text == ";" and depth == 0:
            if at > start:
                pieces.append(tokens.text(start, at))
            start = at + 1
    if start < len(tokens.items):
        pieces.append(tokens.text(start, len(tokens.items)))
    return pieces

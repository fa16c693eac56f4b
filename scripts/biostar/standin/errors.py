"""What can go wrong before a client is served, and what a client is told with its SQLSTATE."""

from __future__ import annotations


class StandInError(Exception):
    """The stand-in can't do what was asked; the message names the object, `next_step` says what to do.

    Args:
        message: what is wrong, lower case, naming the object.
        next_step: the command or the change that goes on from here.
        retryable: whether the same command may pass later (a busy port, a full disk).
    """

    def __init__(self, message: str, *, next_step: str = "", retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.retryable = retryable


class SqlError(Exception):
    """An error that the client gets as an ErrorResponse.

    Args:
        message: the text, in Redshift's words where they are known.
        sqlstate: five characters.
        detail: what a person needs beyond the message.
        hint: what to write instead.
    """

    def __init__(self, message: str, sqlstate: str = "42601", *, detail: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint


class Refused(SqlError):
    """A statement that Amazon Redshift refuses, or that the stand-in does not know and therefore refuses."""

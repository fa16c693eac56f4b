"""Errors sorted by who must act, one exit code for each, so that a scheduler can decide from the code alone.

A message names the object and the value that are wrong, says what was left undone and which command to run next.
Values of patients never stand in a message.
"""

from __future__ import annotations


class BiostarError(Exception):
    """An error that the person at the terminal can act on.

    Args:
        message: what is wrong, lower case, naming the object.
        undone: what was left undone because of it.
        next_step: the command or the change that goes on from here.
    """

    exit_code = 70
    kind = "bug"

    def __init__(self, message: str, *, undone: str = "", next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.undone = undone
        self.next_step = next_step

    def as_dict(self) -> dict[str, object]:
        """The error as a JSON document carries it."""
        return {
            "error": self.kind,
            "exit_code": self.exit_code,
            "message": self.message,
            "undone": self.undone,
            "next": self.next_step,
        }


class UsageError(BiostarError):
    """The command line is wrong: whoever typed it acts."""

    exit_code = 2
    kind = "usage"


class ConfigurationError(BiostarError):
    """The environment, a profile or a declaration is wrong: whoever runs the project acts."""

    exit_code = 3
    kind = "configuration"


class DataError(BiostarError):
    """What was delivered is wrong: whoever delivers the data acts."""

    exit_code = 4
    kind = "data"


class ObjectError(DataError):
    """One object of the landing is at fault; what is delivered with it is not.

    Args:
        key: the object, relative to the landing.
    """

    def __init__(self, message: str, key: str, *, undone: str = "", next_step: str = "") -> None:
        super().__init__(message, undone=undone, next_step=next_step)
        self.key = key


class WarehouseError(BiostarError):
    """The warehouse, the object store or the disk failed: a later try may pass."""

    exit_code = 5
    kind = "warehouse"


class TransientError(WarehouseError):
    """A failure that passes by itself, as a dropped connection or a store that is too busy: worth a try at once."""


INTERNAL_ERROR = 70
INTERRUPTED = 130

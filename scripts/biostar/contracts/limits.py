"""How many bad records a load may have, as a person writes it: `100` records, or `2.5%` of those read."""

from __future__ import annotations

import re
from dataclasses import dataclass

JUDGED_FROM = 100
"""Records from which on the default share is judged: of three records, two may be bad without a word of the format."""

_LIMIT = re.compile(r"(\d{1,12})|(\d{1,3}(?:\.\d{1,6})?)\s*%")


@dataclass(frozen=True)
class ErrorLimit:
    """A count or a share; exactly one of the two is set.

    Attributes:
        count: records.
        percent: share of the records read.
        judged_from: records that a load must have for the limit to apply.
    """

    count: int | None = None
    percent: float | None = None
    judged_from: int = 0

    @classmethod
    def parse(cls, text: str) -> ErrorLimit | None:
        """The limit that a text means, None where it means none."""
        found = _LIMIT.fullmatch(text.strip())
        if found is None:
            return None
        if found[1] is not None:
            return cls(count=int(found[1]))
        percent = float(found[2])
        return cls(percent=percent) if percent <= 100 else None

    def is_over(self, read: int, rejected: int) -> bool:
        """Whether a load with so many records has more bad ones than it may."""
        if read < self.judged_from:
            return False
        if self.count is not None:
            return rejected > self.count
        assert self.percent is not None
        return rejected * 100 > self.percent * read

    def __str__(self) -> str:
        return f"{self.count:,}" if self.count is not None else f"{self.percent:g} %"


DEFAULT_LIMIT = ErrorLimit(percent=50.0, judged_from=JUDGED_FROM)
"""What holds where neither the command line nor the table says otherwise."""

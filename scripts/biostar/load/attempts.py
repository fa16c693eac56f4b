"""Trying again what fails by chance: a dropped connection, a store that is busy, a transaction that lost a race.

Nothing else is tried again: a full disk or a wrong password does not pass by itself, and a retry would hide it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from biostar.errors import TransientError

ATTEMPTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How often, and with which pauses; a test passes its own `sleep`.

    The time that an attempt takes does not count: a COPY that loses its connection after an hour is worth another.
    """

    attempts: int = ATTEMPTS
    sleep: Callable[[float], None] = time.sleep

    def over(
        self,
        work: Callable[[], T],
        *,
        between: Callable[[TransientError, int, float], None] = lambda fault, attempt, pause: None,
    ) -> T:
        """Do `work` until it passes; `between` hears of each fault, its attempt and the pause before the next.

        The pauses grow twofold, each with a random part, so that loaders which failed together do not meet again.

        Raises:
            TransientError: of the last attempt.
        """

        def tell(state: tenacity.RetryCallState) -> None:
            fault = state.outcome.exception() if state.outcome else None
            pause = state.next_action.sleep if state.next_action else 0.0
            if isinstance(fault, TransientError):
                between(fault, state.attempt_number, pause)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            wait=tenacity.wait_exponential_jitter(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE),
            stop=tenacity.stop_after_attempt(self.attempts),
            before_sleep=tell,
            sleep=self.sleep,
            reraise=True,
        )
        return retrying(work)

"""Settings that are told by variables of the environment."""

from __future__ import annotations

from collections.abc import Mapping

from biostar.errors import ConfigurationError


def whole_number(environment: Mapping[str, str], name: str, default: int, *, unit: str = "") -> int:
    """A number from 1 that the variable `name` tells; unset or empty it is the default.

    Raises:
        ConfigurationError: it is no such number.
    """
    told = environment.get(name) or str(default)
    if not (told.isascii() and told.isdigit() and int(told) >= 1):
        of = f" of {unit}" if unit else ""
        raise ConfigurationError(
            f"{name} is '{told}'", next_step=f"give it as a whole number{of} from 1, such as {default}"
        )
    return int(told)

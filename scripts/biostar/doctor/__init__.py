"""What is set up, what is missing, and the command that mends it. Reads only, and never the value of a secret."""

from biostar.doctor.checks import Finding, examine

__all__ = ["Finding", "examine"]

"""The folder for copies of objects that have to be rewritten, and the removal of those that a killed run left."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "biostar-load-"
KEPT = 24 * 60 * 60
"""Seconds after which a folder is nobody's any more: a run that lasts a day rewrites nothing for all of it."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that is gone when the block ends, also by an error or a signal that Python hears of."""
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def remove_left_behind(now: float | None = None) -> list[Path]:
    """Remove the folders of runs that were killed more than a day ago; they may hold rows of patients.

    Folders of other users, and what is no folder, are left alone.
    """
    oldest = (time.time() if now is None else now) - KEPT
    removed = []
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            if path.is_symlink() or not path.is_dir() or path.stat().st_mtime >= oldest:
                continue
            shutil.rmtree(path)
        except OSError:
            continue
        removed.append(path)
    return removed

"""A folder as landing."""

from __future__ import annotations

import datetime
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from biostar.errors import ConfigurationError, DataError, WarehouseError
from biostar.landing.listing import Found, LandedObject


class LocalLanding:
    """Files below a folder. A changed file is told by size and time and, where only the time differs, by its content.

    Reading gigabytes only to learn that nothing changed would make every idle run slow; trusting the time alone would
    make `touch`, a copy or a restored backup an error.
    """

    def __init__(self, folder: str) -> None:
        self.uri = folder
        self._root = Path(folder)

    def find(self, folder: str) -> Iterator[Found]:
        """Every file below `folder`, in order of key."""
        if not self._root.is_dir():
            what = "is not a folder" if self._root.exists() else "does not exist"
            raise ConfigurationError(
                f"the landing '{self.uri}' {what}",
                undone="nothing was loaded",
                next_step="lay data out with biostar sample, or name the landing with --landing or BIOSTAR_LANDING",
            )
        found: list[Found] = []

        def unlistable(fault: OSError) -> None:
            key = Path(fault.filename).relative_to(self._root).as_posix()
            if key != folder or self._root.joinpath(folder).exists():
                found.append(Found(f"{key}/unknown.csv", 0, "", f"the folder cannot be listed: {_words(fault)}"))

        root = self._root.resolve()
        for here, folders, names in os.walk(self._root / folder, onerror=unlistable, followlinks=True):
            place = Path(here).resolve()
            out = set(names) if not place.is_relative_to(root) else set()
            for name in (*folders, *names):
                if Path(here, name).is_symlink() and not Path(here, name).resolve().is_relative_to(root):
                    out.add(name)
            found += [self._look_at(Path(here, name)) for name in names if name not in out]
            # Whoever may deliver could else have any file of this machine loaded.
            found += [
                Found(Path(here, name).relative_to(self._root).as_posix(), 0, "", "is a link out of the landing")
                for name in sorted(out)
            ]
            # A link back to a folder above would be followed for ever.
            folders[:] = [
                name
                for name in folders
                if name not in out
                and not (Path(here, name).is_symlink() and place.is_relative_to(Path(here, name).resolve()))
            ]
        yield from sorted(found, key=lambda one: one.key)

    def _look_at(self, path: Path) -> Found:
        key = path.relative_to(self._root).as_posix()
        try:
            key.encode()
        except UnicodeEncodeError:
            return Found(os.fsencode(key).decode(errors="replace"), 0, "", "its name is not UTF-8")
        try:
            status = path.stat()
        except OSError as fault:
            return Found(key, 0, "", f"cannot be read: {_words(fault)}")
        if not stat.S_ISREG(status.st_mode):
            return Found(key, 0, "", "is not a regular file")
        modified = datetime.datetime.fromtimestamp(status.st_mtime, datetime.timezone.utc)
        return Found(key, status.st_size, str(status.st_mtime_ns), modified=modified)

    def open(self, key: str) -> BinaryIO:
        """The bytes of a file."""
        try:
            return (self._root / key).open("rb", buffering=0)
        except OSError as fault:
            raise _unreadable(key, fault) from fault

    def address(self, key: str) -> str:
        """The path of a file."""
        return str((self._root / key).absolute())

    def etag(self, found: LandedObject, content_hash: str) -> str:
        """Content and time, `sha256:…;mtime_ns:…`."""
        return f"sha256:{content_hash};mtime_ns:{found.stamp}"

    def is_same(self, found: LandedObject, ledger_size: int, ledger_etag: str) -> bool:
        """Same size and time, or same size and content."""
        content, _, stamp = ledger_etag.partition(";")
        if found.size != ledger_size:
            return False
        if stamp == f"mtime_ns:{found.stamp}":
            return True
        sha = hashlib.sha256()
        with self.open(found.key) as stream:
            while chunk := stream.read(1 << 20):
                sha.update(chunk)
        return content == f"sha256:{sha.hexdigest()}"

    def warehouse_settings(self) -> dict[str, str]:
        """Nothing: a path is enough."""
        return {}

    def is_settled(self, found: LandedObject) -> bool:
        """Whether size and time are as listed."""
        try:
            status = (self._root / found.key).stat()
        except OSError:
            return False
        return (status.st_size, str(status.st_mtime_ns)) == (found.size, found.stamp)


def _unreadable(key: str, fault: OSError) -> DataError | WarehouseError:
    if isinstance(fault, (PermissionError, FileNotFoundError, IsADirectoryError, NotADirectoryError)):
        return DataError(
            f"'{key}' cannot be read: {_words(fault)}",
            undone="nothing of its batch is loaded",
            next_step="give the loader the right to read it, or remove it, then run the load again",
        )
    return WarehouseError(f"'{key}' cannot be read: {_words(fault)}", next_step="run the load again")


def _words(fault: OSError) -> str:
    return (fault.strerror or type(fault).__name__).lower()

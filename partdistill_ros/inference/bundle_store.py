# SPDX-License-Identifier: Apache-2.0
"""Bundles under names and versions: `STORE/NAME/v0003/`, and `STORE/NAME/current`, a link to the active one."""

from __future__ import annotations

import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import MANIFEST, Bundle
from partdistill_ros.io.atomic import flush

CURRENT = "current"
NEXT = "next"  # where the coming version is made: `NEXT` the bundle, `NEXT.work` what it goes on from
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_VERSION = re.compile(r"v(\d{4,})")


@dataclass(frozen=True)
class Version:
    """One version of a bundle.  current: the active one.  problem: why it cannot be loaded, None where it can."""

    name: str
    number: int
    path: Path
    current: bool
    training: dict[str, object]
    problem: str | None = None

    @property
    def label(self) -> str:
        """`v0003`."""
        return self.path.name


@dataclass(frozen=True)
class BundleStore:
    """A folder of named bundles. Versions are never written again; `current` changes by one rename."""

    root: Path

    def folder(self, name: str) -> Path:
        """Where the versions of `name` lie. Raises PartDistillError for a name that is no plain word."""
        if not _NAME.fullmatch(name):
            raise PartDistillError(f"'{name}' cannot name a bundle: use letters and digits, and '-', '_' or '.' within")
        return self.root / name

    def names(self) -> list[str]:
        """Every name with at least one version, sorted."""
        if not self.root.is_dir():
            return []
        found = [path.name for path in self.root.iterdir() if path.is_dir() and _NAME.fullmatch(path.name)]
        return sorted(name for name in found if _numbers(self.root / name))

    def versions(self, name: str) -> list[Version]:
        """All versions, oldest first; damaged ones come with their problem."""
        folder = self.folder(name)
        current = self.current(name)
        return [_version(name, number, path, path == current) for number, path in _numbers(folder).items()]

    def current(self, name: str) -> Path | None:
        """The active version, None before there is any."""
        link = self.folder(name) / CURRENT
        try:
            target = os.readlink(link)
        except OSError:
            return None
        if not _VERSION.fullmatch(target) or not link.with_name(target).is_dir():
            return None
        return link.with_name(target)

    def adopt(self, name: str, bundle: Path) -> Path:
        """Move a finished bundle directory, on the same disk, into the store as the next version; returns its path.

        `current` stays where it is. Raises PartDistillError for a bundle that cannot
        be loaded, or a store that cannot be written.
        """
        folder = self.folder(name)
        Bundle.load(bundle)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            while True:
                path = folder / f"v{max(_places(folder), default=0) + 1:04d}"
                try:
                    path.mkdir()  # ours, even where another process adopts at the same time
                except FileExistsError:
                    continue
                os.rename(bundle, path)  # takes the place of the empty directory, in one step
                flush(folder)
                return path
        except OSError as error:
            raise PartDistillError(
                f"{folder}: cannot store {bundle} ({error.strerror}): check rights and room"
            ) from None

    def set_current(self, name: str, label: str) -> Path:
        """Make version `label` (`v0002`) the active one; returns its path.

        Raises PartDistillError where there is no such version or it cannot be loaded.
        """
        folder = self.folder(name)
        known = _numbers(folder)
        path = folder / label
        if path not in known.values():
            have = ", ".join(one.name for one in known.values()) or "none"
            raise PartDistillError(f"{folder} has no version '{label}': there are {have}")
        Bundle.load(path)
        link = folder / f".{CURRENT}.{secrets.token_hex(4)}.tmp"
        try:
            os.symlink(label, link)
            os.replace(link, folder / CURRENT)
            flush(folder)
        except OSError as error:
            with suppress(OSError):
                link.unlink()
            raise PartDistillError(f"{folder}: cannot change '{CURRENT}' ({error.strerror}): check rights") from None
        return path

    def roll_back(self, name: str) -> Path:
        """Make the newest valid version older than the current one active; returns its path.

        Raises PartDistillError where there is none.
        """
        older = []
        for version in self.versions(name):
            if version.current:
                break
            older.append(version)
        else:
            raise PartDistillError(f"{self.folder(name)} has no active version to roll back from: name one")
        valid = [version for version in older if version.problem is None]
        if not valid:
            raise PartDistillError(f"{self.folder(name)} has no valid version older than the current one")
        return self.set_current(name, valid[-1].label)


def _places(folder: Path) -> dict[int, Path]:
    """Version folders by number."""
    if not folder.is_dir():
        return {}
    found = [(int(match[1]), path) for path in folder.iterdir() if (match := _VERSION.fullmatch(path.name))]
    return dict(sorted((number, path) for number, path in found if path.is_dir()))


def _numbers(folder: Path) -> dict[int, Path]:
    """Versions by number, without empty folders: a process that was killed had taken the place."""
    return {number: path for number, path in _places(folder).items() if any(path.iterdir())}


def _version(name: str, number: int, path: Path, current: bool) -> Version:
    try:
        training = dict(Bundle.load(path).training)
    except PartDistillError as error:
        return Version(name, number, path, current, _training(path), str(error))
    return Version(name, number, path, current, training)


def _training(path: Path) -> dict[str, object]:
    """As far as it can be read."""
    try:
        return dict(json.loads((path / MANIFEST).read_bytes())["training"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}

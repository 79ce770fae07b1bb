# SPDX-License-Identifier: Apache-2.0
"""Files and folders that are either there in full or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from partdistill_ros.errors import PartDistillError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name to write a file under; it takes the place of `path` when the block ends well.

    The temporary file lies in the folder of `path` (made where missing) and keeps its suffix, which
    writers such as `numpy.savez` look at. When the block raises, `path` keeps what it held.
    Raises PartDistillError, naming `path`, where the folder or the file cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.stem[:100]}.{secrets.token_hex(4)}.tmp{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        yield temporary
        flush(temporary)
        os.replace(temporary, target)
    except OSError as error:
        raise PartDistillError(
            f"cannot write {target}: {error.strerror or error}; choose a place with room and write permission"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new hidden folder beside `path` to fill; it is renamed to `path` when the block ends well.

    When the block raises, it is removed and `path` is as before. Raises FileExistsError where `path` is taken by
    then, and PartDistillError, naming `path`, where it cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                flush(file)
        if os.path.lexists(target):
            raise FileExistsError(17, "it exists already", str(target))
        os.rename(temporary, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            raise FileExistsError(17, "it exists already", str(target)) from error
        raise PartDistillError(
            f"cannot write {target}: {error.strerror or error}; choose a place with room and write permission"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def flush(path: Path) -> None:
    """Wait until the bytes of a file, or the names in a folder, are on the disk: a rename may otherwise survive a power
    cut that they do not."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

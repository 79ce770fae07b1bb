# SPDX-License-Identifier: Apache-2.0
"""One place that turns whatever a parser raises into the file's name, what is wrong with it and the remedy."""

from __future__ import annotations

import json
import logging
import math
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError

log = logging.getLogger(__name__)
REMEDY = "check the file or export it again"
MAX_JSON_BYTES = 1 << 25
"""Parsed, JSON takes up to twenty times its size in memory."""


def malformed(path: str | os.PathLike[str], problem: str, remedy: str = REMEDY) -> PartDistillError:
    """The error for a file that breaks its format."""
    return PartDistillError(f"{path} cannot be read: {problem:.400}; {remedy}")


def truncated(path: str | os.PathLike[str], detail: str) -> PartDistillError:
    """The error for a file that ends before its header says."""
    return PartDistillError(f"{path} ends too early ({detail}); copy or record it again")


@contextmanager
def parsing(path: str | os.PathLike[str], kind: str = "file", remedy: str = "") -> Iterator[None]:
    """Whatever is raised inside becomes a PartDistillError that names the file; those that do already pass through.

    kind: what the file should be, as in `it is not a whole .npz file`.
    """
    try:
        yield
    except PartDistillError:
        raise
    except OSError as error:
        if error.errno is None:  # h5py, numpy and Pillow raise it for content too
            raise malformed(path, f"it is not a whole {kind} ({reason(error)})", remedy or REMEDY) from error
        raise PartDistillError(
            f"cannot open {path}: {error.strerror or error}; {remedy or 'check the path and its rights'}"
        ) from error
    except MemoryError as error:
        raise PartDistillError(f"{path} does not fit into memory; split it or downsample it") from error
    except RecursionError as error:
        raise malformed(path, "it is nested too deeply", remedy or REMEDY) from error
    except Exception as error:
        raise malformed(path, f"it is not a whole {kind} ({reason(error)})", remedy or REMEDY) from error


def reason(error: Exception) -> str:
    """What a parser says, on one line that is not too long for a sentence."""
    text = " ".join(str(error).split())
    return text[:200] if text else type(error).__name__


def warn_left_out(path: object, error: Exception) -> None:
    """What readers do with what they leave out, where nobody wants to hear of it otherwise."""
    log.warning("left out: %s", error)


def check_regular(path: str | os.PathLike[str]) -> None:
    """Refuses what may block or never end when it is opened: pipes, devices, sockets.

    Raises OSError where there is nothing, PartDistillError for what is neither a file nor a folder.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise PartDistillError(f"{path} is a pipe or a device, not a file; save its content in a file first")


def read_arrays(path: Path, max_bytes: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    """The arrays of a `.npz` file under the names of `max_bytes`, as far as it has them; none is unpacked that claims
    more bytes than its name may take. Raises PartDistillError."""
    with parsing(path, ".npz file"):
        check_regular(path)
        with zipfile.ZipFile(path) as archive:
            entries = [(entry.filename.removesuffix(".npy"), entry.file_size) for entry in archive.infolist()]
        sizes = dict(entries)
        if len(sizes) < len(entries):
            raise malformed(path, "it holds an array twice")
        for name in max_bytes.keys() & sizes.keys():
            if sizes[name] > max_bytes[name]:
                raise malformed(path, f"'{name}' takes {sizes[name]:,} bytes, {max_bytes[name]:,} at most can be read")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name]) for name in max_bytes if name in arrays.files}


def read_json(path: Path, remedy: str = "", max_bytes: int = MAX_JSON_BYTES) -> Any:
    """The content of a JSON file. Raises PartDistillError as `parse_json` does, and for one that is larger."""
    return parse_json(path, read_text_bytes(path, remedy, max_bytes), remedy)


def read_text_bytes(path: Path, remedy: str = "", max_bytes: int = MAX_JSON_BYTES) -> bytes:
    """The bytes of a regular file. Raises PartDistillError where it cannot be opened, and for one that is larger."""
    with parsing(path, remedy=remedy):
        check_regular(path)
        if path.stat().st_size > max_bytes:
            raise malformed(path, f"it has more than {max_bytes:,} bytes", remedy or REMEDY)
        return path.read_bytes()


def parse_json(path: str | os.PathLike[str], content: bytes | str, remedy: str = "", *, allow_nan: bool = False) -> Any:
    """The value of a JSON text in UTF-8.

    Raises PartDistillError, naming `path`, for what is no JSON, and for what Python's parser would take but nobody can
    mean: NaN and numbers beyond every float (unless `allow_nan`), numbers of hundreds of digits, a name that an object
    has twice.
    """
    number = float if allow_nan else _finite
    with parsing(path, "JSON text", remedy):
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        return json.loads(
            text, parse_constant=number, parse_float=number, parse_int=_integer, object_pairs_hook=_object
        )


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is no number that can be used")
    return value


def _integer(text: str) -> int:
    if len(text) > 20:
        raise ValueError(f"{text[:20]}... has {len(text)} digits")
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"'{next(name for name in names if names.count(name) > 1)[:40]}' is there twice")
    return found

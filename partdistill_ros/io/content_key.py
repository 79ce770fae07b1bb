# SPDX-License-Identifier: Apache-2.0
"""One key for all that a result depends on: whole dataclasses and arrays go in, so that no field is forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np


def content_key(*values: Any) -> str:
    """16 hexadecimal digits that change with any of `values`: numbers, text, paths (by name), arrays, dataclasses (all
    fields), and sequences and mappings of them. Raises TypeError for anything else."""
    digest = hashlib.sha256()
    _feed(digest, values)
    return digest.hexdigest()[:16]


def files_key(path: Path) -> str:
    """A key of the content of a file, or of all files of a folder; of the name alone where there is nothing."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return content_key(*(hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else file for file in files))


def listing_key(path: Path) -> str:
    """A key of name, size and time of a file, or of all files of a folder, none of which is read."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    found = [(file, file.stat()) for file in files if file.is_file()]
    return content_key([(file, about.st_size, about.st_mtime_ns) for file, about in found])


def _feed(digest: Any, value: Any) -> None:
    if is_dataclass(value) and not isinstance(value, type):
        digest.update(f"{type(value).__name__}(".encode())
        for field in fields(value):
            digest.update(f"{field.name}=".encode())
            _feed(digest, getattr(value, field.name))
    elif isinstance(value, np.ndarray):
        digest.update(f"array {value.dtype.str} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Mapping):
        _feed(digest, list(value.items()))
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        digest.update(f"sequence {len(value)}".encode())
        for one in value:
            _feed(digest, one)
    elif isinstance(value, Set):
        _feed(digest, sorted(value))
    elif value is None or isinstance(value, (bool, int, float, str, bytes, Path, np.generic)):
        text = repr(str(value) if isinstance(value, Path) else value).encode()
        digest.update(f"{len(text)}:".encode() + text)
    else:
        raise TypeError(f"a key cannot hold a {type(value).__name__}")

# SPDX-License-Identifier: Apache-2.0
"""Files of weights: written whole or not at all, and read, from anywhere, without running what they hold."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.io.parsing import check_regular, malformed, parsing


def load_weights(path: Path, remedy: str, device: str = "cpu") -> Any:
    """The tensors and plain values of a torch file. Raises PartDistillError, with the remedy, for any other."""
    with parsing(path, "file of weights", remedy), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_regular(path)
        try:
            return torch.load(path, map_location=device, weights_only=True)
        except pickle.UnpicklingError as error:  # torch's own words tell how to run it all the same
            problem = "it is damaged, or holds more than weights, which could be a program and is not loaded"
            raise malformed(path, problem, remedy) from error


def save_weights(content: Any, path: Path) -> None:
    """Writes tensors and plain values to `path`, whole or not at all. Raises PartDistillError where it cannot.

    By way of memory: on a full disk torch's own writer raises a RuntimeError that names neither file nor cause.
    """
    written = io.BytesIO()
    torch.save(content, written)
    with atomic_path(path) as temporary:
        temporary.write_bytes(written.getbuffer())

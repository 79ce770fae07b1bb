# SPDX-License-Identifier: Apache-2.0
"""Files of weights, from anywhere: read without running what they hold."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

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

# SPDX-License-Identifier: Apache-2.0
"""Small networks of a few layers, with numpy alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError


def load_perceptron(path: Path, name: str, remedy: str) -> dict[str, NDArray[Any]]:
    """The weights of a `perceptron`, in single precision, and what else the `.npz` file holds.

    Raises PartDistillError, which tells the network's `name` and the `remedy`, for a file that cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except Exception as error:  # zip, zlib and numpy each raise their own
        raise PartDistillError(f"cannot read {name} {path}: {error}; {remedy}") from error
    return {key: array.astype(np.float32) if array.dtype.kind == "f" else array for key, array in arrays.items()}


def perceptron(weights: Mapping[str, NDArray[np.float32]], inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """One number `[C]` for each row of `inputs [C, F]`.

    weights: mean, scale `[F]` of the inputs; w0, b0, w1, ...: the layers, ReLU between, as
        `synthetic.training.perceptron` makes them.
    """
    hidden = (inputs - weights["mean"]) * weights["scale"]
    for layer in range(sum(name.startswith("w") for name in weights)):
        hidden = (np.maximum(hidden, 0) if layer else hidden) @ weights[f"w{layer}"] + weights[f"b{layer}"]
    return hidden[:, 0]

# SPDX-License-Identifier: Apache-2.0
"""Small networks of a few layers, with numpy alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def perceptron(weights: Mapping[str, NDArray[np.float32]], inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """One number `[C]` for each row of `inputs [C, F]`.

    weights: mean, scale `[F]` of the inputs; w0, b0, w1, ...: the layers, ReLU between, as
        `synthetic.training.perceptron` makes them.
    """
    hidden = (inputs - weights["mean"]) * weights["scale"]
    for layer in range(sum(name.startswith("w") for name in weights)):
        hidden = (np.maximum(hidden, 0) if layer else hidden) @ weights[f"w{layer}"] + weights[f"b{layer}"]
    return hidden[:, 0]

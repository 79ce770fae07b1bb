# SPDX-License-Identifier: Apache-2.0
"""A network worked by hand."""

import numpy as np

from partdistill_ros.pointcloud.perceptron import perceptron


def test_inputs_are_scaled_and_only_what_lies_between_layers_is_cut_at_zero() -> None:
    eye = np.eye(2, dtype=np.float32)
    weights = {"mean": np.array([1.0, 0]), "scale": np.array([2.0, 1]), "w0": eye, "b0": np.array([0, -1.0])}
    weights |= {"w1": np.array([[1.0], [-3]]), "b1": np.array([0.5])}
    weights = {name: value.astype(np.float32) for name, value in weights.items()}
    inputs = np.array([[2, 0], [0, 0], [1, 3]], np.float32)
    np.testing.assert_allclose(perceptron(weights, inputs), [2.5, 0.5, -5.5])

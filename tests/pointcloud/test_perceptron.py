# SPDX-License-Identifier: Apache-2.0
"""A network worked by hand."""

from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.perceptron import load_perceptron, perceptron


def test_inputs_are_scaled_and_only_what_lies_between_layers_is_cut_at_zero() -> None:
    eye = np.eye(2, dtype=np.float32)
    weights = {"mean": np.array([1.0, 0]), "scale": np.array([2.0, 1]), "w0": eye, "b0": np.array([0, -1.0])}
    weights |= {"w1": np.array([[1.0], [-3]]), "b1": np.array([0.5])}
    weights = {name: value.astype(np.float32) for name, value in weights.items()}
    inputs = np.array([[2, 0], [0, 0], [1, 3]], np.float32)
    np.testing.assert_allclose(perceptron(weights, inputs), [2.5, 0.5, -5.5])


def test_weights_are_read_in_single_precision_beside_whatever_else_the_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "network.npz"
    np.savez(path, w0=np.ones((2, 1), np.float16), features=["width", "height"])
    read = load_perceptron(path, "the network", "train it again")
    assert read["w0"].dtype == np.float32 and read["features"].tolist() == ["width", "height"]


@pytest.mark.parametrize("size", [0, 40, 150])
def test_a_damaged_file_is_told_with_the_remedy(tmp_path: Path, size: int) -> None:
    path = tmp_path / "network.npz"
    np.savez(path, w0=np.ones((2, 1), np.float32))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(PartDistillError, match=r"cannot read the network .*network.npz: .*; train it again"):
        load_perceptron(path, "the network", "train it again")

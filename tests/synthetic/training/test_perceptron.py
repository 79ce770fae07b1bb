# SPDX-License-Identifier: Apache-2.0
"""What is learned with torch is what numpy reads from the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.pointcloud.perceptron import perceptron  # noqa: E402
from partdistill_ros.synthetic.training.object_affinity import AffinityConfig  # noqa: E402
from partdistill_ros.synthetic.training.perceptron import fit, linear_layers, weights_of, write_weights  # noqa: E402


def test_a_sum_is_learned_and_read_again(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = linear_layers((3, 16, 1))
    network = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])

    def loss_of_batch() -> torch.Tensor:
        some = torch.randn(64, 3)
        return (network(some)[:, 0] - some.sum(1)).square().mean()

    fit(network, loss_of_batch, AffinityConfig(steps=300, learning_rate=1e-2))
    write_weights(tmp_path / "new" / "sum.npz", weights_of(layers, np.zeros(3, np.float32), np.ones(3, np.float32)))
    with np.load(tmp_path / "new" / "sum.npz") as file:
        weights = dict(file)
    inputs = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    found = perceptron(weights, inputs)
    np.testing.assert_allclose(found, network(torch.from_numpy(inputs)).detach().numpy()[:, 0], atol=1e-5)
    assert np.abs(found - inputs.sum(1)).mean() < 0.2

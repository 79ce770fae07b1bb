# SPDX-License-Identifier: Apache-2.0
"""The small teacher's network and what it is fed."""

from __future__ import annotations

import torch

from partdistill_ros.teachers.mini_net import MiniConfig, MiniNet, network_input

SMALL = MiniConfig(widths=(8, 16, 16, 24), dim=12, size=32)


def test_pixels_get_unit_embeddings_at_half_size() -> None:
    embeddings = MiniNet(SMALL)(torch.rand(2, 3, 32, 32))
    assert embeddings.shape == (2, 12, 16, 16)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2, 16, 16))


def test_logits_are_scaled_cosines() -> None:
    net = MiniNet(SMALL)
    embeddings = net(torch.rand(1, 3, 32, 32))
    logits = net.logits(embeddings, embeddings[0, :, 3, 4][None])
    assert abs((logits[0, 0, 3, 4] - net.log_scale.exp()).item()) < 1e-4
    assert logits.max().item() <= net.log_scale.exp().item() + 1e-4


def test_input_depth_does_not_depend_on_distance_or_unit() -> None:
    depth = torch.full((1, 4, 4), float("inf"))
    depth[0, 1:3, 1:3] = torch.tensor([[1.0, 1.5], [2.0, 1.2]])
    picture = torch.full((1, 4, 4, 3), 128, dtype=torch.uint8)
    near, far = network_input(picture, depth), network_input(picture, depth * 10 + 7)
    torch.testing.assert_close(near, far)
    assert near[0, 1, 1, 1] == 1 and near[0, 1, 2, 1] == 0, "nearest is one, farthest zero"
    assert (near[0, :, 0, 0] == 0).all(), "the background is empty in every plane"


def test_an_empty_view_is_all_zeros() -> None:
    planes = network_input(torch.full((1, 4, 4, 3), 255, dtype=torch.uint8), torch.full((1, 4, 4), float("inf")))
    assert (planes == 0).all()

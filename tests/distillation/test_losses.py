# SPDX-License-Identifier: Apache-2.0
"""The losses against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import torch

from partdistill_ros.distillation.losses import distinct_names, pad_parts, part_loss, soft_cross_entropy


def test_soft_cross_entropy_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0]])
    soft = torch.tensor([[0.5, 0.25], [0.0, 2.0]])
    expected = (0.75 * math.log(2) + 2.0 * math.log(4)) / 2
    assert abs(float(soft_cross_entropy(logits, soft)) - expected) < 1e-6


def test_points_without_units_add_nothing() -> None:
    logits = torch.randn(4, 3, requires_grad=True)
    soft = torch.zeros(4, 3)
    soft[0, 1] = 1.0
    soft_cross_entropy(logits, soft).backward()
    assert logits.grad is not None
    assert (logits.grad[1:] == 0).all() and (logits.grad[0] != 0).all()


def test_padding_marks_missing_parts() -> None:
    rows = pad_parts([np.ones((2, 4), np.float32), np.ones((3, 4), np.float32)], "cpu")
    assert rows.shape == (2, 3, 4)
    assert rows[0, 2].isnan().all() and not rows[1].isnan().any()


def test_a_category_with_fewer_parts_has_no_loss_for_the_missing_ones() -> None:
    torch.manual_seed(0)
    embeddings = torch.nn.functional.normalize(torch.randn(2, 5, 4), dim=-1)
    text = [np.eye(4, dtype=np.float32)[:2], np.eye(4, dtype=np.float32)[:3]]
    weights = [np.full((2, 5), 0.5, np.float32), np.full((3, 5), 0.3, np.float32)]
    scale = torch.tensor(2.0)
    padded = pad_parts(text, "cpu")
    both = part_loss(embeddings, scale, pad_parts(weights, "cpu"), padded, padded, torch.zeros(0, 4), 0.3)
    alone = [
        soft_cross_entropy(2.0 * embeddings[i] @ torch.from_numpy(text[i]).T, torch.from_numpy(weights[i].T))
        for i in range(2)
    ]
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2)


def test_a_name_of_several_categories_counts_once() -> None:
    handle, cup, lid, grip = np.eye(4, dtype=np.float32)
    names = {"mug": [np.stack([handle, grip]), cup[None]], "jug": [handle[None], lid[None]], "pan": [handle[None]]}
    np.testing.assert_array_equal(distinct_names(names), [handle, cup, lid])


def test_negatives_push_away_from_names_of_other_categories() -> None:
    text = pad_parts([np.eye(4, dtype=np.float32)[:2]], "cpu")
    every = torch.eye(4)
    weights = pad_parts([np.array([[1.0], [0.0]], np.float32)], "cpu")
    own = torch.nn.functional.normalize(torch.tensor([[[1.0, 0, 0, 0]]]), dim=-1)
    mixed = torch.nn.functional.normalize(torch.tensor([[[1.0, 0, 0, 1.0]]]), dim=-1)
    scale = torch.tensor(5.0)
    assert part_loss(own, scale, weights, text, text, every, 0.3) < part_loss(
        mixed, scale, weights, text, text, every, 0.3
    )

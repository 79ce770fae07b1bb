# SPDX-License-Identifier: Apache-2.0
"""The losses of distillation: the teacher's soft labels, and telling its parts from all other names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


def pad_parts(rows: Sequence[NDArray[np.float32]], device: str) -> Tensor:
    """Arrays `[Pi, D]` stacked to `[B, max P, D]`; rows of NaN mark the parts a category lacks."""
    most = max(len(row) for row in rows)
    stacked = np.full((len(rows), most, rows[0].shape[1]), np.nan, np.float32)
    for i, row in enumerate(rows):
        stacked[i, : len(row)] = row
    return torch.from_numpy(stacked).to(device)


def distinct_names(names: Mapping[str, Sequence[NDArray[np.float32]]]) -> NDArray[np.float32]:
    """The canonical name of every part of every category, `[M, D]`, each once: six kinds of things have a `handle`, and
    six equal rows would count it six times among all names.

    names: category -> its parts' text embeddings `[S, D]`, canonical name first.
    """
    rows = np.stack([part[0] for parts in names.values() for part in parts])
    _, first = np.unique(rows, axis=0, return_index=True)
    distinct: NDArray[np.float32] = rows[np.sort(first)]
    return distinct


def soft_cross_entropy(logits: Tensor, soft_labels: Tensor) -> Tensor:
    """Forward distillation (PartDistill, CVPR 2024): `logits [..., N, P]` against `soft_labels [..., N, P]`.

    soft_labels: `sum over the units k that hold the point of w(c_k) s_k [c_k = c] / max(1, units)`;
    a point in no unit has a row of zeros and adds nothing. Mean over all points.
    """
    log_probability = F.log_softmax(logits, dim=-1)
    return -(soft_labels * log_probability.masked_fill(soft_labels == 0, 0)).sum(-1).mean()


def part_loss(
    embeddings: Tensor,
    scale: Tensor,
    soft_labels: Tensor,
    text: Tensor,
    canonical: Tensor,
    all_names: Tensor,
    negative_weight: float,
) -> Tensor:
    """Forward distillation among the parts of each cloud's category, plus `negative_weight` times the same
    against all names of the data set, so that a query tells a mug from a bottle.

    embeddings `[B, N, D]`; soft_labels `[B, P, N]`, text and canonical `[B, P, D]` as `pad_parts` gives them;
    all_names `[M, D]`.
    """
    absent = text[:, None, :, 0].isnan()
    soft = soft_labels.nan_to_num(0).transpose(1, 2)
    own = scale * embeddings @ text.nan_to_num(0).transpose(1, 2)
    loss = soft_cross_entropy(own.masked_fill(absent, float("-inf")), soft)
    if negative_weight <= 0 or len(all_names) <= text.shape[1]:
        return loss
    named = scale * embeddings @ canonical.nan_to_num(0).transpose(1, 2)
    among_all = torch.logsumexp(scale * embeddings @ all_names.T, dim=-1, keepdim=True)
    return loss - negative_weight * (soft * (named - among_all)).sum(-1).mean()

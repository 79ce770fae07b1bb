# SPDX-License-Identifier: Apache-2.0
"""The losses of distillation: the teacher's soft labels, and telling its parts from all other names."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def soft_cross_entropy(logits: Tensor, soft_labels: Tensor) -> Tensor:
    """Forward distillation (PartDistill, CVPR 2024): `logits [N, P]` against `soft_labels [N, P]`.

    soft_labels: `sum over the units k that hold the point of w(c_k) s_k [c_k = c] / max(1, units)`;
    a point in no unit has a row of zeros and adds nothing. Mean over all N points.
    """
    return -(soft_labels * F.log_softmax(logits, dim=-1)).sum(-1).mean()

# SPDX-License-Identifier: Apache-2.0
"""Muon whose products run in the precision that the machine is fast in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from partdistill_ros.distillation.precision import has_bfloat16


class Muon(torch.optim.Muon):
    """`torch.optim.Muon` (Jordan et al. 2024) with the step size of AdamW, and two changes that leave its rule as it
    is. PyTorch always multiplies in bfloat16, which takes a processor without such products ten times as long as
    float32 does; and it takes matrices one by one, where those of one shape can share a product.
    """

    def __init__(self, matrices: list[torch.nn.Parameter], rate: float, decay: float) -> None:
        super().__init__(matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step down the gradients that lie on the matrices."""
        if closure is not None:
            raise ValueError("a closure is not supported: call backward before step")
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = {}
            for value in group["params"]:
                if value.grad is not None:
                    alike.setdefault(value.shape, []).append(value)
            for shape, values in alike.items():
                updates = torch.stack([self._momentum(value, group["momentum"]) for value in values])
                rate = 0.2 * max(shape) ** 0.5 * group["lr"]  # as large as a step of AdamW
                for value, update in zip(values, orthogonal(updates, group), strict=True):
                    value.mul_(1 - group["lr"] * group["weight_decay"])
                    value.add_(update, alpha=-rate)

    def _momentum(self, value: Tensor, momentum: float) -> Tensor:
        """The gradient with Nesterov's momentum."""
        gradient, state = value.grad, self.state[value]
        assert gradient is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["momentum_buffer"], momentum)


def orthogonal(matrices: Tensor, group: dict[str, Any]) -> Tensor:
    """`matrices [K, A, B]` made nearly orthogonal by Newton and Schulz's iteration, coefficients and number of
    steps as in `group`."""
    a, b, c = group["ns_coefficients"]
    found = matrices.bfloat16() if has_bfloat16(matrices.device.type) else matrices.float()
    tall = matrices.shape[1] > matrices.shape[2]
    if tall:
        found = found.mT
    found = found / found.norm(dim=(1, 2), keepdim=True).clamp(min=group["eps"])
    for _ in range(group["ns_steps"]):
        gram = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return (found.mT if tall else found).to(matrices.dtype)

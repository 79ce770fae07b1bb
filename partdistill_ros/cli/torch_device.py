# SPDX-License-Identifier: Apache-2.0
"""Where torch runs for the commands that need it."""

from __future__ import annotations

from partdistill_ros.errors import MissingDependencyError, PartDistillError

DEVICES = ("auto", "cpu", "cuda")


def choose_device(device: str, purpose: str) -> str:
    """`cpu` or `cuda`; `auto` takes CUDA where it works.

    Raises MissingDependencyError without torch, PartDistillError where CUDA was asked for in vain.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError("torch", "train", purpose) from error
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise PartDistillError(
            "--device cuda: torch finds no CUDA device; check the driver and that a CUDA build of torch is "
            "installed, or use --device cpu"
        )
    if device == "auto":
        return "cuda" if available else "cpu"
    return device

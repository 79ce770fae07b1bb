# SPDX-License-Identifier: Apache-2.0
"""The encoder out of a public Point-M2AE checkpoint (`.pth`), by name and shape.

It was pre-trained on ShapeNet-55, whose shapes are those of ShapeNetCore with +y up: its runner only scales and
translates them (ZrrSkywalker/Point-M2AE, tools/runner_pretrain.py), and the loader that it shares with Point-BERT only
centers and scales (Julie-tang00/Point-BERT, datasets/ShapeNet55Dataset.py and issue 32).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from partdistill_ros.errors import PartDistillError
from partdistill_ros.students.point_m2ae import HierarchicalEncoder
from partdistill_ros.students.weights import load_weights

STATES = ("base_model", "model_state_dict", "model", "state_dict")  # where trainers keep the network's state
UP = "y"  # of the shapes that the encoder was pre-trained on
PREFIXES = ("module.", "base_model.", "MAE_encoder.", "h_encoder.")  # what they put before its names
SHOWN = 6  # names that an error lists


def load_public_encoder(path: Path, encoder: HierarchicalEncoder) -> None:
    """Give `encoder` the weights of the public checkpoint `path`; its decoder and heads are ignored.

    Raises PartDistillError where the file cannot be read, or does not hold this encoder: names that are
    missing, unexpected or of another shape are listed.
    """
    found = encoder_entries(read_state(path))
    wanted = encoder.state_dict()
    problems = [
        ("missing", sorted(wanted.keys() - found.keys())),
        ("unexpected", sorted(found.keys() - wanted.keys())),
        (
            "of another shape",
            [name for name in sorted(wanted.keys() & found.keys()) if wanted[name].shape != found[name].shape],
        ),
    ]
    if any(names for _, names in problems):
        details = "; ".join(f"{what}: {_listed(names)}" for what, names in problems if names)
        raise PartDistillError(f"{path} holds no encoder of Point-M2AE ({details}): name its pre-training file")
    encoder.load_state_dict(
        {name: value.float() if value.is_floating_point() else value for name, value in found.items()}
    )


def read_state(path: Path) -> Mapping[str, Tensor]:
    """Names and tensors of the network in a checkpoint; nothing in the file is executed."""
    with _numpy_numbers():
        content = load_weights(path, "download it again")
    if isinstance(content, dict):
        content = next((content[name] for name in STATES if isinstance(content.get(name), dict)), content)
    if not isinstance(content, dict) or not any(isinstance(value, Tensor) for value in content.values()):
        raise PartDistillError(f"{path} holds no network under {', '.join(STATES)}: name the public checkpoint")
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def encoder_entries(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's entries under the names that it has itself."""
    roots = ("token_embed.", "encoder_pos_embeds.", "encoder_blocks.", "encoder_norms.")
    named = {_own_name(name): value for name, value in state.items()}
    return {name: value for name, value in named.items() if name.startswith(roots)}


def _own_name(name: str) -> str:
    for _ in PREFIXES:
        for prefix in PREFIXES:
            name = name.removeprefix(prefix)
    return name


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _numpy_numbers() -> AbstractContextManager[Any]:
    """Checkpoints keep their accuracy as a NumPy number, which torch reads only where that is allowed."""
    scalar: Any = np.float64(0).__reduce__()[0]
    # the module of `scalar` was renamed with NumPy 2
    known: list[Any] = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    known += [np.dtype, *(type(np.dtype(kind)) for kind in ("f4", "f8", "i8"))]
    return torch.serialization.safe_globals(known)

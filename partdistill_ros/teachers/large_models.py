# SPDX-License-Identifier: Apache-2.0
"""What the large teachers share: weights from a local path, an environment variable or the hub; half precision; and
errors of other libraries as one sentence."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.teachers.spec import weights_variable

if TYPE_CHECKING:
    import torch
    from torch import nn


def local_weights(kind: str, option: str) -> Path | None:
    """The path that the option `weights`, else the environment variable of this kind of teacher, names.

    Raises PartDistillError where it does not exist.
    """
    variable = weights_variable(kind)
    given = option or os.environ.get(variable, "")
    if not given:
        return None
    path = Path(given).expanduser()
    if not path.exists():
        source = "the teacher's option weights" if option else f"the environment variable {variable}"
        raise PartDistillError(f"{path}, which {source} names, does not exist: check the path")
    return path


def fetch_repository(kind: str, repository: str, wanted: Sequence[Sequence[str]]) -> Path:
    """The folder of a repository of the hub, fetched where it is not in the cache (with progress bars;
    an interrupted download goes on where it was).

    wanted: file patterns, alternatives in order: of those after the first group only the first that
    brings a file is fetched. Raises PartDistillError which tells what to fetch and where to put it.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingDependencyError("huggingface_hub", kind, f"Fetching weights of the teacher '{kind}'") from error
    always, *alternatives = wanted
    remedy = (
        f"; without a network, run `hf download {repository} --local-dir FOLDER` where there is one, copy the folder "
        f"here, and name the teacher {kind},weights=FOLDER or set {weights_variable(kind)}=FOLDER"
    )
    with one_sentence(f"cannot fetch {repository} from the hub", remedy):
        folder = Path(snapshot_download(repository, allow_patterns=list(always)))
        for patterns in alternatives:
            folder = Path(snapshot_download(repository, allow_patterns=list(patterns)))
            if any(next(folder.glob(pattern), None) for pattern in patterns):
                break
    return folder


@contextmanager
def one_sentence(problem: str, remedy: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes a PartDistillError: the problem, the first line of the reason, the remedy.

    The hub's client, torch, safetensors, open_clip and transformers raise many kinds of errors.
    """
    try:
        yield
    except PartDistillError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise PartDistillError(f"{problem} ({reason}){remedy}") from error


def precision_dtype(precision: str, device: str) -> torch.dtype:
    """The type of `fp32`, `fp16` or `bf16`; `auto` is fp16 on CUDA and fp32 elsewhere."""
    import torch

    if precision == "auto":
        precision = "fp16" if device == "cuda" else "fp32"
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]


def autocast(device: str, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Computation in `dtype`; nothing changes for float32."""
    import torch

    return nullcontext() if dtype == torch.float32 else torch.autocast(device.partition(":")[0], dtype)


def weights_hash(*networks: nn.Module) -> str:
    """Twelve hex digits that change with any weight: of names and bytes of all parameters and buffers."""
    import torch

    digest = hashlib.sha256()
    for network in networks:
        for name, value in sorted(network.state_dict().items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]

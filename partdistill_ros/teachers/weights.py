# SPDX-License-Identifier: Apache-2.0
"""Where the weights of a large model come from: a local path, an environment variable, or the hub."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.teachers.spec import weights_variable

if TYPE_CHECKING:
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
        source = "--weights" if option else f"the environment variable {variable}"
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
    with hub_errors(kind, repository):
        folder = Path(snapshot_download(repository, allow_patterns=list(always)))
        for patterns in alternatives:
            folder = Path(snapshot_download(repository, allow_patterns=list(patterns)))
            if any(next(folder.glob(pattern), None) for pattern in patterns):
                break
    return folder


@contextmanager
def hub_errors(kind: str, repository: str) -> Iterator[None]:
    """Whatever goes wrong while fetching becomes one sentence with the remedy."""
    try:
        yield
    except PartDistillError:
        raise
    except Exception as error:  # the hub's client, its transport and the system raise many kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise PartDistillError(
            f"cannot fetch {repository} from the hub ({reason}); without a network, run `hf download {repository} "
            f"--local-dir FOLDER` where there is one, copy the folder here, and name it with --weights FOLDER or "
            f"{weights_variable(kind)}=FOLDER"
        ) from error


def weights_hash(*networks: nn.Module) -> str:
    """Twelve hex digits that change with any weight: of names and bytes of all parameters and buffers."""
    import torch

    digest = hashlib.sha256()
    for network in networks:
        for name, value in sorted(network.state_dict().items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]

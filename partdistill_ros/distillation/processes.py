# SPDX-License-Identifier: Apache-2.0
"""One training by several processes, as `torchrun` starts them: each computes its share of every batch's gradient.

All of them draw the same random numbers and take the same step, so that what they hold is the same at each moment;
only the first one writes and prints. The gradients are summed here and not by `DistributedDataParallel`: that wraps
`forward`, which training does not call, and waits for parameters that a step leaves out.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from partdistill_ros.distillation.disk_list import DiskList
from partdistill_ros.errors import CommandFailed, PartDistillError

PATIENCE = timedelta(days=7)  # with the first process, which queries the teacher while the others wait

T = TypeVar("T")


@dataclass
class _Joined:
    """rank: number of this process of `count`.  talk: the group that carries numbers and objects, on the CPU."""

    rank: int = 0
    count: int = 1
    talk: Any = None


_JOINED = _Joined()


def is_first() -> bool:
    """Whether this process writes and prints; so it is where there is no other."""
    return _JOINED.rank == 0


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Join the processes that `torchrun` started, for as long as the block takes; alone nothing happens.

    device: `cuda` is then the GPU of this process's number on its machine.
    """
    global _JOINED
    rank = int(os.environ.get("RANK", 0))
    count = int(os.environ.get("WORLD_SIZE", 1)) if "MASTER_ADDR" in os.environ else 1
    if count == 1:
        yield
        return
    import torch
    from torch import distributed

    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
    try:
        _JOINED = _Joined(rank, count, distributed.new_group(backend="gloo", timeout=PATIENCE))
        if not is_first():
            logging.getLogger().setLevel(logging.ERROR)  # what goes wrong in all of them is told by the first
        yield
    except RuntimeError as error:
        if "gloo" not in str(error).lower() and not isinstance(error, distributed.DistError):
            raise
        raise CommandFailed(
            f"process {rank} of {count} lost another one, whose error tells why: start all of them again, the training "
            "goes on where it was"
        ) from error
    finally:
        _JOINED = _Joined()
        distributed.destroy_process_group()


def check_student(student: Any) -> None:
    """Refuse one that normalizes over a batch, of which each process sees its share only. Raises PartDistillError."""
    from torch import nn

    if _JOINED.count > 1 and any(isinstance(one, nn.modules.batchnorm._BatchNorm) for one in student.modules()):
        raise PartDistillError(f"{student.name} normalizes over a batch, which processes do not share: train it in one")


def own_rows(batch: int) -> range:
    """Which clouds of a batch are this process's. Raises PartDistillError where there are fewer than processes."""
    rank, count = _JOINED.rank, _JOINED.count
    if batch < count:
        raise PartDistillError(f"{count} processes cannot share batches of {batch} clouds: start {batch} at most")
    return range(batch * rank // count, batch * (rank + 1) // count)


def share(batch: int) -> float:
    """The weight of this process's mean over its clouds in the mean over the batch."""
    return len(own_rows(batch)) / batch


def summed(value: float) -> float:
    """The sum of the processes' values."""
    if _JOINED.count == 1:
        return value
    import torch
    from torch import distributed

    found = torch.tensor([value], dtype=torch.float64)
    distributed.all_reduce(found, group=_JOINED.talk)
    return float(found)


def sum_gradients(parameters: Iterable[Any]) -> None:
    """Put the sum of the processes' gradients in the place of each one's; a parameter without one adds nothing."""
    if _JOINED.count == 1:
        return
    import torch
    from torch import distributed

    learned = list(parameters)
    for one in learned:
        if one.grad is None:
            one.grad = torch.zeros_like(one)
    flat = torch.cat([one.grad.flatten() for one in learned])
    distributed.all_reduce(flat)
    for one, summed in zip(learned, flat.split([one.numel() for one in learned]), strict=True):
        one.grad.copy_(summed.view_as(one))


def check_alike(state: object) -> None:
    """Wait until every process is here. Raises PartDistillError, in all of them, where they hold unlike states."""
    states = _exchanged(state)
    if any(one != states[0] for one in states):
        raise PartDistillError(
            "the processes do not go on from the same checkpoint: let the bundle's .work folder lie on a disk that all "
            "of them see, or delete its .pt files to begin anew"
        )


def from_first(make: Callable[[], Sequence[T]]) -> Sequence[T]:
    """What `make` returns in the first process, sent to the others one by one."""
    if _JOINED.count == 1:
        return make()
    made = make() if is_first() else ()
    return DiskList(_sent(made[i] if is_first() else None) for i in range(_sent(len(made))))


def shared_out(make: Callable[[int], T], count: int) -> Iterator[T]:
    """`make(0)`, `make(1)` ... of which each process makes its turn; all of them get everything."""
    for start in range(0, count, _JOINED.count):
        own = start + _JOINED.rank
        made = make(own) if own < count else None
        yield from _exchanged(made)[: count - start]


def end_others() -> None:
    """Here ends each process but the first: the student is trained, and the rest is to be done once."""
    if not is_first():
        sys.exit(0)


def _sent(thing: Any) -> Any:
    from torch import distributed

    held = [thing]
    distributed.broadcast_object_list(held, 0, group=_JOINED.talk)
    return held[0]


def _exchanged(thing: Any) -> list[Any]:
    if _JOINED.count == 1:
        return [thing]
    from torch import distributed

    held = [None] * _JOINED.count
    distributed.all_gather_object(held, thing, group=_JOINED.talk)
    return held

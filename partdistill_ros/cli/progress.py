# SPDX-License-Identifier: Apache-2.0
"""Progress on standard error: bars for people, or a JSON object a line for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from math import isnan
from typing import TYPE_CHECKING, Any, TypeVar

from partdistill_ros.errors import printable

if TYPE_CHECKING:
    from partdistill_ros.distillation.progress import Progress

Item = TypeVar("Item")

PROGRESS = ("bar", "json")


def choose_progress(kind: str) -> None:
    """Before anything imports tqdm, which reads this once: bars within an epoch would share the lines of JSON, and
    those of processes that `torchrun` starts each other's."""
    if kind == "json" or os.environ.get("RANK", "0") != "0":
        os.environ["TQDM_DISABLE"] = "1"


def progress(items: Iterable[Item], label: str, total: int | None = None) -> Iterable[Item]:
    """A progress bar on standard error; none where tqdm is not installed or nobody watches."""
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    bar: Iterable[Item] = tqdm(items, desc=printable(label), total=total, file=sys.stderr, disable=None, leave=False)
    return bar


class EpochBar:
    """A progress bar over the epochs of a training, with its stage and loss."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: Any = None

    def __enter__(self) -> EpochBar:
        return self

    def __call__(self, state: Any) -> None:
        from tqdm import tqdm

        if isnan(state.loss):  # no epoch, another stage
            return
        if self._bar is None:
            self._bar = tqdm(total=state.epochs, desc=self._label, unit="epoch", disable=None)
        self._bar.set_postfix_str(f"{state.stage}, loss {state.loss:.3f}", refresh=False)
        self._bar.update(state.epoch - self._bar.n)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


@contextmanager
def run_progress(kind: str) -> Iterator[Callable[[Progress], None]]:
    """What a trainer calls as it goes on; kind: one of `PROGRESS`.

    json: an object a line, `{"stage", "step", "steps", "loss", "share", "remaining"}`; see
    `distillation.progress.ProgressUpdate`.
    """
    yield from _lines() if kind == "json" else _bar()


def _lines() -> Iterator[Callable[[Progress], None]]:
    from partdistill_ros.distillation.progress import ProgressEstimator

    outlook = ProgressEstimator()

    def report(progress: Progress) -> None:
        print(json.dumps(asdict(outlook(progress)), allow_nan=False), file=sys.stderr, flush=True)

    yield report


def _bar() -> Iterator[Callable[[Progress], None]]:
    from tqdm import tqdm

    from partdistill_ros.distillation.progress import ProgressEstimator

    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
    bar, outlook = tqdm(desc="distill", bar_format=layout, total=1.0, disable=None), ProgressEstimator()

    def report(progress: Progress) -> None:
        update = outlook(progress)
        loss = "" if update.loss is None else f", loss {update.loss:.3f}"
        left = "" if update.remaining is None else f", {update.remaining:.0f} s to go"
        bar.set_postfix_str(f"{update.stage} {update.step}/{update.steps or '?'}{loss}{left}", refresh=False)
        bar.update(update.share - bar.n)

    try:
        yield report
    finally:
        bar.close()

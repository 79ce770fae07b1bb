# SPDX-License-Identifier: Apache-2.0
"""The progress of a distillation on standard error: a bar for people, or a JSON object a line for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partdistill_ros.distillation.trainer import Progress

PROGRESS = ("bar", "json")


def choose_progress(kind: str) -> None:
    """Before anything imports tqdm, which reads this once: bars within an epoch would share the lines of JSON."""
    if kind == "json":
        os.environ["TQDM_DISABLE"] = "1"


@contextmanager
def epoch_progress(kind: str) -> Iterator[Callable[[Progress], None]]:
    """What a trainer calls as it goes on; kind: one of `PROGRESS`.

    json: an object a line, `{"stage", "step", "steps", "loss", "share", "remaining"}`; see `distillation.outlook.Told`.
    """
    yield from _lines() if kind == "json" else _bar()


def _lines() -> Iterator[Callable[[Progress], None]]:
    from partdistill_ros.distillation.progress import ProgressEstimator

    outlook = ProgressEstimator()

    def tell(progress: Progress) -> None:
        print(json.dumps(asdict(outlook(progress)), allow_nan=False), file=sys.stderr, flush=True)

    yield tell


def _bar() -> Iterator[Callable[[Progress], None]]:
    from tqdm import tqdm

    from partdistill_ros.distillation.progress import ProgressEstimator

    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
    bar, outlook = tqdm(desc="distill", bar_format=layout, total=1.0, disable=None), ProgressEstimator()

    def tell(progress: Progress) -> None:
        told = outlook(progress)
        loss = "" if told.loss is None else f", loss {told.loss:.3f}"
        left = "" if told.remaining is None else f", {told.remaining:.0f} s to go"
        bar.set_postfix_str(f"{told.stage} {told.step}/{told.steps or '?'}{loss}{left}", refresh=False)
        bar.update(told.share - bar.n)

    try:
        yield tell
    finally:
        bar.close()

# SPDX-License-Identifier: Apache-2.0
"""How far a run is as a whole and how long it will take, from the progress of its stages."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

# Shares of a usual run on a CPU, 25 scans and 30 epochs: looking 15 %, training 78 %, the rest 7 %.
SPANS = {
    "extract": (0.0, 0.15),
    "render": (0.0, 0.15),
    "teach": (0.0, 0.15),
    "forward": (0.15, 0.93),
    "backward": (0.15, 0.93),
    "export": (0.93, 0.95),
    "evaluate": (0.95, 1.0),
}
PARTIAL = {"extract": 0.0, "render": 0.2, "teach": 0.4}
"""How much of a scan's work is done when its stage begins."""


@dataclass(frozen=True)
class Progress:
    """stage: of `SPANS`, or pretrain.  epoch of epochs, or scan of scans.  loss: of the epoch, NaN outside training."""

    stage: str
    epoch: int
    epochs: int
    loss: float


@dataclass(frozen=True)
class ProgressUpdate:
    """What is told of a run: `share` of the whole that is done, 0 to 1, and seconds that remain (None: too early to
    tell). step of steps: scan or epoch of the stage (steps 0: nobody knows).  loss: None outside training."""

    stage: str
    step: int
    steps: int
    loss: float | None
    share: float
    remaining: float | None


class ProgressEstimator:
    """Turns the progress of stages into that of the run. Extrapolates the pace of the stage in hand: that of later
    ones is not known."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._span: tuple[float, float] | None = None
        self._begun = (0.0, 0.0)
        self._share = 0.0
        self._pace: float | None = None

    def __call__(self, progress: Progress) -> ProgressUpdate:
        now, span = self._clock(), SPANS[progress.stage]
        done = progress.epoch - 1 + PARTIAL[progress.stage] if progress.stage in PARTIAL else progress.epoch
        within = min(max(done / progress.epochs, 0.0), 1.0) if progress.epochs else 0.0
        share = max(self._share, span[0] + (span[1] - span[0]) * within)
        if span != self._span:
            self._span, self._begun = span, (now, share)
        elapsed, gained = now - self._begun[0], share - self._begun[1]
        if gained > 0:
            self._pace = elapsed / gained
        remaining = None if self._pace is None else self._pace * (1 - share)
        self._share = share
        loss = None if math.isnan(progress.loss) else progress.loss
        return ProgressUpdate(progress.stage, progress.epoch, progress.epochs, loss, share, remaining)

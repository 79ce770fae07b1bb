# SPDX-License-Identifier: Apache-2.0
"""The loss of a training as SVG that stands inside a page and takes its colors, light or dark."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 360, 200  # user units; the page scales the drawing
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 14, 34


@dataclass(frozen=True)
class LossCurve:
    """A training's loss per epoch.  name: of the run or category.  backward_from: epochs done when
    backward distillation began, None where it did not."""

    name: str
    losses: tuple[float, ...]
    backward_from: int | None = None


def loss_chart(curve: LossCurve) -> str:
    """Training loss over epochs, with a dashed line where backward distillation began.

    Losses that are not finite are left out of the line; a curve without any says so.
    """
    known = [(epoch, loss) for epoch, loss in enumerate(curve.losses, 1) if np.isfinite(loss)]
    label = escape(f"training loss of {curve.name}, {len(curve.losses)} epochs", quote=True)
    frame = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" class="chart">'
    if not known:
        return f'{frame}<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">no losses</text></svg>'
    low, high = min(loss for _, loss in known), max(loss for _, loss in known)
    ticks = nice_ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])
    last = max(len(curve.losses), 2)

    def x(epoch: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / (last - 1), 1)

    def y(loss: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (loss - low) / (high - low), 1)

    marks = [_level(y(tick), f"{tick:g}") for tick in ticks]
    marks += [_epoch(x(epoch), epoch) for epoch in sorted({1, (1 + last) // 2, last})]
    if curve.backward_from is not None:
        marks.append(_began(x(max(curve.backward_from + 0.5, 1))))
    line = " ".join(f"{x(epoch)},{y(loss)}" for epoch, loss in known)
    epoch, loss = known[-1]
    marks.append(f'<polyline class="line" points="{line}"/><circle class="dot" cx="{x(epoch)}" cy="{y(loss)}" r="3"/>')
    return f"{frame}{''.join(marks)}</svg>"


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers that enclose `low`..`high`, at least two."""
    span = high - low if high > low else max(abs(high), 1.0)
    rough = span / count
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999))
    first, last = int(np.floor(low / step + 1e-9)), int(np.ceil(high / step - 1e-9))
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]


def _level(y: float, text: str) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{text}</text>'
    )


def _epoch(x: float, epoch: int) -> str:
    word = "epoch 1" if epoch == 1 else str(epoch)
    anchor = "start" if epoch == 1 else "middle"
    return f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="{anchor}">{word}</text>'


def _began(x: float) -> str:
    anchor, offset = ("start", 5) if x < WIDTH * 0.7 else ("end", -5)
    return (
        f'<line class="began" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text x="{x + offset}" y="{TOP + 8}" text-anchor="{anchor}">backward begins</text>'
    )

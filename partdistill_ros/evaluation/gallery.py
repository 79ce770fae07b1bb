# SPDX-License-Identifier: Apache-2.0
"""Shapes to look at: what the teacher saw in each view, and every method's answer beside the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.evaluate import Evaluation
from partdistill_ros.evaluation.methods.constant import Constant
from partdistill_ros.evaluation.shapes import Question, Shape
from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.html_pages import Panel
from partdistill_ros.visualization.pictures import camera_for, draw_cloud, label_colors

if TYPE_CHECKING:
    from partdistill_ros.rendering.rasterize import Rendering
    from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer, Teacher

PANEL = (300, 260)  # pixels of a point picture
VIEW = (224, 400)  # smallest and largest side of a teacher's view
BOXES = 10  # drawn per view, the surest: more hide the object

Choice = tuple[int, str]
"""Number of a shape and its rank in words."""


@dataclass(frozen=True)
class Exhibit:
    """One shape of the gallery.  rank: in words, by the last method.  views: the teacher's.
    refusal: why there are none, where a teacher was asked in vain.  answers: methods, then truth."""

    name: str
    category: str
    parts: tuple[str, ...]
    rank: str
    views: tuple[Panel, ...]
    refusal: str
    answers: tuple[Panel, ...]


def choose(evaluation: Evaluation, per_category: int) -> list[Choice]:
    """Per category `per_category` shapes from the worst to the best mIoU, evenly apart in rank."""
    chosen: list[Choice] = []
    if per_category < 1:
        return chosen
    for category in evaluation.sampled.categories:
        rows = [row for row, score in enumerate(evaluation.scores) if score.category == category]
        rows.sort(key=lambda row: evaluation.scores[row].miou)
        last = len(rows) - 1
        places = np.linspace(0, last, per_category) if per_category > 1 else np.array([last / 2])
        chosen += [(rows[place], _rank(place, last)) for place in np.unique(places.round().astype(int))]
    return chosen


def _rank(place: int, last: int) -> str:
    if last == 0:
        return "the only one"
    words = {0: "worst", last: "best"}
    if last > 1:
        words.setdefault(round(last / 2), "median")
    return words.get(int(place), f"rank {last - place + 1} of {last + 1}")


def exhibits(
    shapes: Sequence[Shape],
    evaluations: Sequence[Evaluation],
    teacher: Teacher | None,
    per_category: int,
    progress: Callable[[Iterable[Choice]], Iterable[Choice]] = iter,
) -> list[Exhibit]:
    """Draw the shapes that `choose` takes by the last evaluation. A teacher that refuses a shape leaves
    a sentence in place of its views."""
    drawn = []
    for row, rank in progress(choose(evaluations[-1], per_category)):
        question = shapes[row].question
        views, refusal = _asked(question, teacher)
        answers = _answers(shapes[row], row, evaluations)
        drawn.append(Exhibit(question.name, question.category, question.parts, rank, views, refusal, answers))
    return drawn


def _answers(shape: Shape, row: int, evaluations: Sequence[Evaluation]) -> tuple[Panel, ...]:
    question = shape.question
    drawing = draw_cloud(question.cloud.points, camera_for(question.cloud), PANEL)
    bare = question.cloud.with_(colors=None)

    def panel(caption: str, labels: NDArray[np.int16]) -> Panel:
        return Panel(caption, drawing.paint(label_colors(bare, labels, question.parts)))

    answered = [one for one in evaluations if one.answers]
    # One color all over tells nothing: the constant answer is drawn only where nothing else is.
    answered = [one for one in answered if one.method != Constant.name] or answered
    panels = [panel(f"{one.method}, mIoU {100 * one.scores[row].miou:.1f}", one.answers[row]) for one in answered]
    return (*panels, panel("truth", shape.truth))


def _asked(question: Question, teacher: Teacher | None) -> tuple[tuple[Panel, ...], str]:
    if teacher is None:
        return (), ""
    from partdistill_ros.evaluation.methods.vote import query_views  # needs torch

    try:
        found = query_views(teacher, question)
    except PartDistillError as error:
        return (), str(error)
    names = found.views.names or tuple(f"view {number}" for number in range(len(found.views)))
    panels = (view_panel(found.rendering, found.answer, v, question.parts, name) for v, name in enumerate(names))
    return tuple(panels), ""


def view_panel(
    rendering: Rendering, answer: PixelAnswer | BoxAnswer, view: int, parts: Sequence[str], name: str
) -> Panel:
    """One view with the teacher's answer: pixels in the part's color, stronger where it is surer, or
    the surest boxes with name and confidence."""
    from partdistill_ros.teachers.protocol import PixelAnswer

    picture = rendering.picture[view]
    side = int(np.clip(max(picture.shape[:2]), *VIEW))
    if isinstance(answer, PixelAnswer):
        painted = paint_pixels(picture, answer.scores[view], part_colors(parts))
        return Panel(name, Image.fromarray(painted).resize((side, side), Image.Resampling.BICUBIC))
    rows = np.flatnonzero(answer.view == view)
    rows = rows[np.argsort(-answer.confidence[rows], kind="stable")]
    shown = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
    for row in rows[:BOXES][::-1]:  # the surest last, on top
        part = int(answer.part[row])
        _draw_box(
            shown,
            answer.boxes[row] * (side / picture.shape[1]),
            f"{parts[part]} {answer.confidence[row]:.2f}",
            part_colors(parts)[part],
        )
    weaker = len(rows) - BOXES
    return Panel(f"{name}, {weaker} weaker boxes not drawn" if weaker > 0 else name, shown)


def paint_pixels(
    picture: NDArray[np.uint8], scores: NDArray[np.float32], colors: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """`picture [H, W, 3]` under the most probable part of `scores [P, h, w]`, in `colors [P, 3]`."""
    height, width = picture.shape[:2]
    rows, columns = np.arange(height) * scores.shape[1] // height, np.arange(width) * scores.shape[2] // width
    near = scores[:, rows[:, None], columns[None]]
    sure, best = near.max(0)[..., None], near.argmax(0)
    blend = np.where(sure > 0, 0.2 + 0.65 * sure, 0)
    # The shading of the picture stays, in the color of the part.
    light = picture.mean(-1, keepdims=True) / 255
    tinted = colors[best] * (0.45 + 0.55 * light)
    return ((1 - blend) * picture + blend * tinted).clip(0, 255).astype(np.uint8)


def _draw_box(picture: Image.Image, box: NDArray[np.float32], text: str, color: NDArray[np.uint8]) -> None:
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    left, top, right, bottom = (float(value) for value in box)
    fill = (int(color[0]), int(color[1]), int(color[2]))
    pen.rectangle((min(left, right), min(top, bottom), max(left, right), max(top, bottom)), outline=fill, width=2)
    width = font.getlength(text) + 6
    x = max(0.0, min(left, picture.width - width))
    y = top - 16 if top >= 16 else top + 2
    pen.rectangle((x, y, x + width, y + 16), fill=fill)
    dark = fill[0] * 0.299 + fill[1] * 0.587 + fill[2] * 0.114 > 150
    pen.text((x + 3, y + 1), text, fill=(20, 20, 20) if dark else (255, 255, 255), font=font)

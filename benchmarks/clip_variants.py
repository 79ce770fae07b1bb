# SPDX-License-Identifier: Apache-2.0
"""The ways in which CLIP's patches are read without training, compared: mIoU of their votes, and seconds a scan.

    python benchmarks/clip_variants.py [SHAPE or folder ...] [--teacher clip:ViT-L-14] [--weights PATH] [--json]
    python benchmarks/clip_variants.py --random --each-of 1

Each cell is the mIoU of ShapeNetPart's protocol and, in brackets, the mean over the parts that the truth holds; a
scan is what CLIP takes for its views, rendering not counted. All other options of the teacher are the same for every
variant. `--random` needs no weights: a small CLIP that has learned nothing shows that the comparison runs, and
nothing about the variants. A ResNet has one way only, whatever it is called.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from distillation import first_of_each
from evaluation_data import shapes_folder

from partdistill_ros.cli.progress import progress
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.evaluate import Evaluation, evaluate
from partdistill_ros.evaluation.methods.constant import Constant
from partdistill_ros.evaluation.methods.vote import VoteMethod
from partdistill_ros.evaluation.score_tables import comparison_table, record
from partdistill_ros.evaluation.shapes import Shape, load_shapes
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.clip import ClipTeacher
from partdistill_ros.teachers.clip_model import ClipModel, as_clip_model, import_open_clip, load_clip
from partdistill_ros.teachers.protocol import PixelAnswer
from partdistill_ros.teachers.registry import parse_spec, with_weights
from partdistill_ros.teachers.spec import CLIP_METHODS, ClipOptions

RANDOM = "ViT-S-32-alt"  # the smallest that open_clip lists


@dataclass(frozen=True)
class Variant:
    """A way of reading patches: what its vote scores, and seconds for the views of a scan."""

    method: str
    evaluation: Evaluation
    seconds: float


class TimedTeacher(ClipTeacher):
    """Counts its answers and their seconds."""

    seconds, scans = 0.0, 0

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> PixelAnswer:
        start = time.perf_counter()
        answer = super().answer(rendering, parts, category)
        self.seconds += time.perf_counter() - start
        self.scans += 1
        return answer


def random_clip() -> ClipModel:
    """A small CLIP that has learned nothing."""
    open_clip = import_open_clip()
    torch.manual_seed(0)
    network = open_clip.create_model(RANDOM)
    return as_clip_model(open_clip, f"{RANDOM}, random", network, open_clip.get_tokenizer(RANDOM), "cpu")


def measure(shapes: Sequence[Shape], model: ClipModel, options: ClipOptions) -> list[Variant]:
    """Every variant's vote on the shapes; answers are never taken from the cache."""
    found = []
    for method in CLIP_METHODS:
        teacher = TimedTeacher(model, replace(options, method=method, cache="off"))
        voted = VoteMethod(teacher)
        voted.name = method
        scored = evaluate(shapes, voted, lambda items, name=method: progress(items, name, len(shapes)))  # type: ignore[misc]
        found.append(Variant(method, scored, teacher.seconds / teacher.scans))
    return found


def table(shapes: Sequence[Shape], variants: Sequence[Variant]) -> str:
    """The constant answer and every variant, a column each, then the seconds."""
    constant = evaluate(shapes, Constant.of(shapes))
    lines = [comparison_table([constant, *(one.evaluation for one in variants)]), ""]
    return "\n".join([*lines, *(f"{one.method}: {one.seconds:.3g} s a scan" for one in variants)])


def main(arguments: list[str] | None = None) -> int:
    """Print the table (or JSON); exit code 2 for bad input or missing weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("shapes", type=Path, nargs="*", help="labeled shapes or folders (else the evaluation data)")
    parser.add_argument("--teacher", default="clip", help="clip[:MODEL][,option=value...], as in distill")
    parser.add_argument("--weights", type=Path, help="local weights instead of the hub's")
    parser.add_argument(
        "--random", action="store_true", help="a small CLIP of random weights: a test of the comparison"
    )
    parser.add_argument("--each-of", type=int, metavar="N", help="only the first N shapes of a category")
    parser.add_argument("--device", default="cpu", help="where CLIP runs: cpu, cuda")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    try:
        line = options.teacher if options.weights is None else with_weights(options.teacher, options.weights)
        spec = parse_spec(line)
        if spec.kind != "clip":
            raise PartDistillError(f"--teacher {line}: the variants are those of the teacher 'clip'")
        asked = spec.options
        shapes = first_of_each(load_shapes(options.shapes or [shapes_folder()]), options.each_of)
        model = random_clip() if options.random else load_clip(spec.argument, asked.weights, options.device)
        variants = measure(shapes, model, asked)
    except PartDistillError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        rows = [{**record(one.evaluation), "seconds": round(one.seconds, 4)} for one in variants]
        print(json.dumps({"model": model.name, "variants": rows}))
    else:
        print(f"{model.name}, mIoU in per cent (in brackets: over parts present in the truth)\n")
        print(table(shapes, variants))
    return 0


if __name__ == "__main__":
    sys.exit(main())

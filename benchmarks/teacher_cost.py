# SPDX-License-Identifier: Apache-2.0
"""What a teacher costs for a scan: seconds for the ten views of a mug, without rendering.

    python benchmarks/teacher_cost.py [mini clip detector] [--threads 1] [--json]

`clip` and `detector` have the sizes of the default models and random weights: nothing is fetched. Their scan is the
time of one forward pass times the number of windows or views. A real one: `partdistill teachers clip`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import torch

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.rendering.cameras import ten_views
from partdistill_ros.rendering.rasterize import render_scan
from partdistill_ros.synthetic.families import generate
from partdistill_ros.teachers.registry import load_teacher
from partdistill_ros.teachers.spec import ClipOptions, DetectorOptions
from partdistill_ros.text.torchvision_import import prepare_torchvision

VIEWS = 10
TOKENS = 12  # of a caption such as `mug handle. mug cup.`


def timed(run: Callable[[], object], repeats: int = 3) -> float:
    """Seconds, the fastest of some runs after one that does not count."""
    took = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return min(took[1:])


def mini() -> tuple[int, float]:
    """Passes a scan and seconds of one."""
    teacher = load_teacher("mini")
    views = render_scan(sample_surface(generate("mug", 900_000), 8192), ten_views(), teacher.size)
    return VIEWS, timed(lambda: teacher.answer(views, ("handle", "cup"), "mug")) / VIEWS


def clip() -> tuple[int, float]:
    """Windows a scan and seconds of one, ViT-B-16."""
    from partdistill_ros.teachers.clip import sliding_windows
    from partdistill_ros.teachers.clip_dense import dense_features, patch_size, picture_size
    from partdistill_ros.teachers.clip_model import import_open_clip

    visual = import_open_clip().create_model("ViT-B-16").eval().visual
    size, patch, options = picture_size(visual), patch_size(visual), ClipOptions()
    windows = sum(len(sliding_windows(scale, size, patch, options.overlap).corners) for scale in options.scale_factors)
    pictures = torch.rand(4, 3, size, size)
    return VIEWS * windows, timed(lambda: dense_features(visual, pictures, options.method)) / len(pictures)


def detector() -> tuple[int, float]:
    """Views a scan and seconds of one, GroundingDINO tiny."""
    prepare_torchvision()
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

    network = GroundingDinoForObjectDetection(GroundingDinoConfig()).eval()
    side = DetectorOptions().size
    asked = {"input_ids": torch.full((1, TOKENS), 2000), "attention_mask": torch.ones(1, TOKENS, dtype=torch.long)}
    return VIEWS, timed(lambda: network(pixel_values=torch.rand(1, 3, side, side), **asked), repeats=1)


TEACHERS = {"mini": mini, "clip": clip, "detector": detector}


def main(arguments: list[str] | None = None) -> int:
    """Print the table (or JSON); exit code 2 where a package is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("teachers", nargs="*", metavar="T", help="mini, clip, detector (else all)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    if unknown := set(options.teachers) - set(TEACHERS):
        parser.error(f"no cost is measured of {', '.join(sorted(unknown))}")
    torch.set_num_threads(options.threads)
    found = {}
    for name in options.teachers or TEACHERS:
        try:
            with torch.no_grad():
                passes, seconds = TEACHERS[name]()
        except (ImportError, PartDistillError) as error:
            print(error, file=sys.stderr)
            return 2
        found[name] = {"passes": passes, "seconds_each": seconds, "seconds": passes * seconds}
    if options.json:
        print(json.dumps({"threads": options.threads, "teachers": found}))
    else:
        for name, one in found.items():
            print(f"{name}: {one['passes']} passes of {one['seconds_each']:.3g} s, {one['seconds']:.3g} s a scan")
    return 0


if __name__ == "__main__":
    sys.exit(main())

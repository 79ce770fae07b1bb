# SPDX-License-Identifier: Apache-2.0
"""Does a confidence of 0.6 mean that 60 % of the points are right?

    python benchmarks/calibration.py [--bundle default] [--shapes 4]

Expected calibration error (ten bins) of the student's own confidence and of that at the bundle's temperature, and how
many points with a confidence of 0.55 to 0.65 are right: on drawn shapes of categories that neither a training nor the
fit of the temperature saw, upright and turned anyhow without a known up, on drawn ones of categories that were trained
on, and on `open/` and `shapes/` of the data.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import numpy as np
from evaluation_data import data_folder
from everyday import of_files, turned

from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.training.calibration import CHECKED, answers, calibration_error, held_out_clouds
from partdistill_ros.synthetic.training.everyday_shapes import FREE, trained_categories


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", default="default")
    parser.add_argument("--shapes", type=int, default=4, help="drawn ones of each category")
    options = parser.parse_args()
    segmenter = Segmenter(options.bundle, "cpu", 2)
    temperature = segmenter.bundle.temperature
    trained = [name for name in trained_categories() if name not in FREE][::4]
    rng = np.random.default_rng(0)
    rows: dict[str, Iterable[Scan]] = {
        "held out, not fitted on": held_out_clouds(CHECKED, options.shapes),
        "the same, any rotation": (turned(cloud, rng) for cloud in held_out_clouds(CHECKED, options.shapes)),
        "trained on": held_out_clouds(trained, options.shapes),
        **{name: (case.cloud for case in of_files([data_folder() / name])) for name in ("open", "shapes")},
    }
    print(f"temperature {temperature}{'right':>24}  error before  after  right at 0.6 before  after")
    for name, clouds in rows.items():
        some = answers(segmenter, clouds)
        right = np.concatenate([one.right for one in some])
        error = [calibration_error(some, one) for one in (1.0, temperature)]
        at = []
        for one in (1.0, temperature):
            near = np.abs(np.concatenate([answer.confidence(one) for answer in some]) - 0.6) < 0.05
            at.append(100 * right[near].mean() if near.any() else float("nan"))
        share = 100 * np.mean([one.right.mean() for one in some])
        print(f"{name:32}{share:8.1f}  {error[0]:12.1f}  {error[1]:5.1f}  {at[0]:19.0f}  {at[1]:5.0f}", flush=True)


if __name__ == "__main__":
    main()

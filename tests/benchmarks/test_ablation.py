# SPDX-License-Identifier: Apache-2.0
"""Each step can be switched off, and the trainer that is made has it off and shares no checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ablation
import numpy as np
import pytest
from distillation import options_parser

from partdistill_ros.distillation.config import BackwardConfig, Schedule
from partdistill_ros.evaluation.methods.distilled_student import WHOLE, MethodConfig
from partdistill_ros.evaluation.miou import score_shape, summarize
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.evaluation.training_samples import true_samples
from partdistill_ros.students.build import make_student
from partdistill_ros.synthetic.families import generate

SIZES = {"points": 256, "centers": 64, "patches": 16, "neighbors": 8, "width": 40, "layers": 1, "heads": 2, "dim": 8}


@pytest.mark.parametrize("step", [*ablation.STEPS, ablation.ALL], ids=lambda step: step.name)
def test_the_trainer_lacks_the_step(step: ablation.Step) -> None:
    shapes = prepare([generate("mug", 0)])
    bench = ablation.Ablation.__new__(ablation.Ablation)
    bench.step, bench.options = step, options_parser("").parse_args([])
    method = bench.make("backward", shapes, MethodConfig("mini"))
    names = {"mug": [np.eye(8, dtype=np.float32)[None, part] for part in range(2)]}
    settings = {"backward": "posterior", "checkpoint": Path("fit.pt"), "forward": Path("forward.pt")}
    trainer = method.trainer_type(
        make_student("patch_transformer", SIZES), true_samples(shapes), names, Schedule(), WHOLE, **settings
    )
    assert trainer.backward_config == replace(BackwardConfig(), **step.config)
    assert trainer.schedule == replace(Schedule(), **step.schedule)
    assert trainer.checkpoint is None and trainer.forward == Path("forward.pt")
    if step is not ablation.ALL:
        assert (trainer.backward_config, trainer.schedule) != (BackwardConfig(), Schedule())


def test_the_table_tells_what_each_row_loses() -> None:
    truth = np.array([0, 1, 1, 1])
    answers = {"forward": np.zeros(4, int), "all steps": truth}
    rows = []
    for name, answer in answers.items():
        score = score_shape("a", "mug", ("handle", "cup"), answer, truth)
        rows.append(ablation.Row(name, "pre", (summarize([score]),), shapes=(("mug", 100 * score.miou),)))
    forward, every = ablation.table(rows).splitlines()[-2:]
    assert "12.5" in forward and "+87.5 (+87.5 to +87.5)" in forward and every.rstrip().endswith("100.0")

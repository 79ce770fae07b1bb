# SPDX-License-Identifier: Apache-2.0
"""`partdistill pretrain`: unlabeled scans in, an encoder to start students from out."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from dataclasses import replace

from partdistill_ros.cli.common import Answer, add_device, check_inputs, check_output, choose_device
from partdistill_ros.cli.progress import EpochBar, choose_progress
from partdistill_ros.distillation.pretrain_config import PretrainConfig
from partdistill_ros.options import add_arguments, from_namespace
from partdistill_ros.students.names import PRETRAINED

SUMMARY = "learn an encoder from clouds alone, without a teacher"
DESCRIPTION = """\
Self-supervised training: most of each cloud is hidden, and the encoder learns to draw it from what is left
(masked autoencoding). `distill --start FILE.pt` then begins with this encoder. No labels, names or teacher
are needed. A run that was stopped goes on where it was, from FILE.pt.work. With several processes by `torchrun`:
docs/scale.md."""
EXAMPLES = """\
  partdistill pretrain scans/ --out encoder.pt
  partdistill pretrain scans/ --generated 50 --student point_m2ae --device cuda --out m2ae.pt
  partdistill distill scans/ --parts "handle, cup" --start encoder.pt --out my_mugs"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of the command: those of `PretrainConfig`."""
    add_arguments(parser, PretrainConfig)
    add_device(parser, "where to train")


def run(arguments: Namespace) -> Answer:
    """Check everything, then train."""
    choose_progress("bar")
    check_inputs(arguments.scans)
    check_output(arguments.out, (PRETRAINED,), arguments.scans)
    config = from_namespace(PretrainConfig, arguments)
    config = replace(config, device=choose_device(arguments.device, "pre-training"))
    from partdistill_ros.distillation import pretrain
    from partdistill_ros.distillation.processes import joined

    start = time.monotonic()
    with joined(config.device), EpochBar("pretrain") as bar:
        training = pretrain.run(config, bar)
    seconds = round(time.monotonic() - start, 1)
    record = {"encoder": str(config.out), "student": config.student, "training": training, "seconds": seconds}
    summary = ", ".join(f"{key} {value}" for key, value in training.items())
    return Answer(
        record,
        f"wrote {config.out} in {seconds:.0f} s ({summary})\n"
        f"start from it: partdistill distill ... --student {config.student} --start {config.out}",
    )

# SPDX-License-Identifier: Apache-2.0
"""`partdistill pretrain`: unlabeled scans in, an encoder to start students from out."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from partdistill_ros.cli.common import DEVICES, Answer, check_inputs, check_output, choose_device, positive
from partdistill_ros.cli.progress import EpochBar
from partdistill_ros.errors import PartDistillError
from partdistill_ros.students.names import PRETRAINED, STUDENTS

SUMMARY = "learn an encoder from clouds alone, without a teacher"
DESCRIPTION = """\
Self-supervised training: most of each cloud is hidden, and the encoder learns to draw it from what is left
(masked autoencoding). `distill --start FILE.pt` then begins with this encoder. No labels, names or teacher
are needed. A run that was stopped goes on where it was, from FILE.pt.work."""
EXAMPLES = """\
  partdistill pretrain scans/ --out encoder.pt
  partdistill pretrain scans/ --generated 50 --student point_m2ae --device cuda --out m2ae.pt
  partdistill distill scans/ --parts "handle, cup" --start encoder.pt --out my_mugs"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("scans", nargs="*", type=Path, metavar="SCAN", help="scan, mesh, bag, or folder of them")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=f"encoder to write, {PRETRAINED}")
    parser.add_argument("--student", choices=STUDENTS, default="patch_transformer", help="whose encoder")
    parser.add_argument(
        "--generated", type=positive, default=0, metavar="N", help="add N procedural shapes of every family"
    )
    parser.add_argument("--epochs", type=positive, metavar="N", help="passes over the clouds (60)")
    parser.add_argument("--batch", type=positive, metavar="N", help="clouds of a step (16)")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to train")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of everything random")


def run(arguments: Namespace) -> Answer:
    """Check everything, then train."""
    if not arguments.scans and not arguments.generated:
        raise PartDistillError("nothing to learn from: name scans, or ask for --generated shapes")
    check_inputs(arguments.scans)
    check_output(arguments.out, (PRETRAINED,), arguments.scans)
    if arguments.seed < 0:
        raise PartDistillError(f"--seed is {arguments.seed}: choose a whole number from 0")
    device = choose_device(arguments.device, "pre-training")
    from partdistill_ros.distillation import pretrain

    numbers = {name: getattr(arguments, name) for name in ("epochs", "batch") if getattr(arguments, name)}
    config = pretrain.PretrainConfig(
        arguments.out,
        tuple(arguments.scans),
        arguments.generated,
        student=arguments.student,
        device=device,
        seed=arguments.seed,
        **numbers,
    )
    start = time.monotonic()
    with EpochBar("pretrain") as bar:
        training = pretrain.run(config, bar)
    seconds = round(time.monotonic() - start, 1)
    record = {"encoder": str(arguments.out), "student": arguments.student, "training": training, "seconds": seconds}
    summary = ", ".join(f"{key} {value}" for key, value in training.items())
    return Answer(
        record,
        f"wrote {arguments.out} in {seconds:.0f} s ({summary})\n"
        f"start from it: partdistill distill ... --student {arguments.student} --start {arguments.out}",
    )

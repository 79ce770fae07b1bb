# SPDX-License-Identifier: Apache-2.0
"""Makes the student that the shipped one started from:
`python -m partdistill_ros.synthetic.training.default_bundle` (see --help).

The teacher `mini` looks at ten views of unlabeled procedural shapes of every family; one student is
distilled from what it says of all of them together. The shapes' true parts are never read.
"""

from __future__ import annotations

import argparse
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from partdistill_ros.distillation.config import BACKWARD, Augmentation, Schedule
from partdistill_ros.distillation.progress import Progress
from partdistill_ros.distillation.samples import Sample, make_sample, upright_cloud
from partdistill_ros.distillation.trainer import Trainer
from partdistill_ros.distillation.unit_store import KnowledgeStore
from partdistill_ros.inference.vocabulary import Vocabulary
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.students.build import new_student, save_student
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.synthetic.procedural import procedural_clouds
from partdistill_ros.teachers.protocol import Teacher
from partdistill_ros.teachers.registry import load_teacher
from partdistill_ros.text.space import TextSpace

VARIED = ("airplane", "chair", "lamp", "mug", "table")  # families of many styles get twice the shapes


@cache
def _teacher() -> Teacher:
    """One for each process: its weights are read once, not once for every shape."""
    return load_teacher("mini")


def sample(family: str, seed: int, points: int, work: Path) -> Sample:
    """One shape and what the teacher sees of it, from the store where an earlier run has asked already."""
    torch.set_num_threads(1)
    kind = FAMILIES[family]
    cloud = upright_cloud(next(procedural_clouds([family], 1, seed, points)), points)
    store = KnowledgeStore(work / "knowledge")
    return make_sample(cloud, kind.parts, family, _teacher(), store=store, seed=seed, up_unknown=kind.up_unknown)


def samples(per_family: int, first_seed: int, points: int, work: Path, workers: int) -> list[Sample]:
    """All shapes, made by `workers` processes and kept for a run that is started again."""
    kept = work / f"samples-{per_family}-{first_seed}-{points}.pickle"
    if kept.exists():
        return pickle.loads(kept.read_bytes())
    counts = {name: per_family * (2 if name in VARIED else 1) for name in sorted(FAMILIES)}
    wanted = [(name, first_seed + number) for name, count in counts.items() for number in range(count)]
    work.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        families, seeds = zip(*wanted, strict=True)
        made = pool.map(sample, families, seeds, repeat(points), repeat(work), chunksize=8)
        found = list(tqdm(made, total=len(wanted), desc="teacher", unit="shape"))
    with atomic_path(kept) as temporary:
        temporary.write_bytes(pickle.dumps(found))
    return found


def main() -> None:
    """Query the teacher, distill, export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/default"))
    parser.add_argument("--work", type=Path, default=Path("out/default.work"), help="knowledge and checkpoints")
    parser.add_argument("--per-family", type=int, default=90)
    parser.add_argument("--first-seed", type=int, default=0, help="of the shapes; the teacher learned on 100000 and up")
    parser.add_argument("--points", type=int, default=6144, help="a shape keeps")
    parser.add_argument("--workers", type=int, default=2, help="processes that render and ask the teacher")
    parser.add_argument("--rate", type=float, default=Schedule().learning_rate, help="peak learning rate")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument(
        "--start", type=Path, help="a bundle, or an encoder of `partdistill pretrain` (else from scratch)"
    )
    parser.add_argument("--backward", default="posterior", choices=BACKWARD)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    space = TextSpace.load()
    dataset = samples(options.per_family, options.first_seed, options.points, options.work, options.workers)
    names = {name: [space.encode(family.names_of(part)) for part in family.parts] for name, family in FAMILIES.items()}
    schedule = replace(Schedule(), epochs=options.epochs, learning_rate=options.rate)
    scratch = options.start is None
    trainer = Trainer(
        new_student("patch_transformer", space.dim, "scratch" if scratch else str(options.start)),
        dataset,
        names,
        schedule,
        Augmentation(),
        backward=options.backward,
        device=options.device,
        seed=options.seed,
        checkpoint=options.work / "fit.pt",
    )
    student = trainer.run(_report)
    categories = {name: family.parts for name, family in sorted(FAMILIES.items())}
    training = {
        "command": "python -m partdistill_ros.synthetic.training.default_bundle",
        "data": f"{len(dataset)} unlabeled procedural shapes of {len(FAMILIES)} families",
        "mode": "pre",
        "start": "scratch" if scratch else "an earlier run of the same command",
        "teacher": "mini",
        "backward": options.backward,
        "backward_from": trainer.state.backward_from,
        "epochs": options.epochs,
        "seed": options.seed,
        "loss": round(float(np.mean(trainer.state.losses[-3:])), 4),
    }
    vocabulary = Vocabulary(space.names, space.embeddings, categories)
    print(save_student(student, options.out, "default", vocabulary, space, training))


def _report(progress: Progress) -> None:
    tqdm.write(f"{progress.stage} {progress.epoch}/{progress.epochs} loss {progress.loss:.4f}")


if __name__ == "__main__":
    main()

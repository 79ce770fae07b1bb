# SPDX-License-Identifier: Apache-2.0
"""Makes the student of everyday things: `python -m partdistill_ros.synthetic.training.everyday_bundle` (see --help).

It learns from the true labels of shapes that this package draws itself (`everyday_shapes` draws them first). Names
compete as they do in use, a softmax over the object's parts, and stand alone too, a sigmoid per name, so that a name
that fits nothing scores low everywhere.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from partdistill_ros.distillation.losses import pad_parts
from partdistill_ros.distillation.optimizer import Optimizer, half_precision, step_seed, update_average
from partdistill_ros.inference.token_table import shipped_table
from partdistill_ros.inference.vocabulary import Vocabulary
from partdistill_ros.students.build import new_student, save_student
from partdistill_ros.students.student import Student
from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.synthetic.training.divisions import Whole, all_names_of, draw_division, wholes_of
from partdistill_ros.synthetic.training.everyday_shapes import (
    EVERYTHING,
    FREE,
    HELD_OUT,
    Shapes,
    load_categories,
)
from partdistill_ros.synthetic.training.more_names import more_names
from partdistill_ros.synthetic.training.sensors import Sensing, sensed
from partdistill_ros.synthetic.training.steps import StepTrainer, Training
from partdistill_ros.text.space import TextSpace

OFTEN = {"assembly": 4.0, "mug": 3.0, "chair": 2.0, "table": 2.0, "airplane": 2.0}  # how often a category is drawn
ALIKE = 0.45  # cosine from which another name may mean the same, and is no counterexample
MORE = 0.6  # of the clouds, and of their parts, have further words for names: a query may hold nothing else
DIVIDED = 0.25  # of the clouds, where some parts may count to others
PHRASES = 3  # that `options_of` makes of a part's name and its object's
MISSING = 0.1  # how often a part is not there, broken off or never made: things of a kind differ in their parts
LEAST_POINTS = 1000  # of a shape without it
TEXT_NOISE = 0.7  # length of the error that a name's embedding may have: of phrases the space knows less


@dataclass(frozen=True)
class Names:
    """The embeddings of a category's parts: a list of `[S, D]`, canonical name first; which of all names `[M] bool` are
    certain not to mean any of them; which of all names each is `[P]`, none where its labels are forms.
    more: a list of `[W, D]` of further words, or nothing.  wholes: what parts may be called together; the names of
    wholes stand behind those of parts."""

    parts: tuple[NDArray[np.float32], ...]
    others: NDArray[np.bool_]
    rows: NDArray[np.int64]
    more: tuple[NDArray[np.float32], ...] = ()
    wholes: tuple[Whole, ...] = ()

    def drawn(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """One name of each part and whole `[P, D]`, as a user may call it."""
        words = self.more if self.more and rng.random() < MORE else [part[:0] for part in self.parts]
        drawn = [
            more[rng.integers(len(more))] if len(more) and rng.random() < MORE else part[_pick(rng, len(part))]
            for part, more in zip(self.parts, words, strict=True)
        ]
        return np.stack([_noisy(rng, one) for one in drawn])


class Standing(nn.Module):
    """The threshold of the sigmoids: what logit a name has where it is as likely as not."""

    def __init__(self) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(6.0))


def chances(categories: Sequence[str], often: Mapping[str, float] = OFTEN) -> NDArray[np.float64]:
    """How likely a cloud is of each of the categories; those that `often` does not name count 1."""
    weight = np.array([often.get(name, 1.0) for name in categories])
    return weight / weight.sum()


def options_of(family: Family, part: str) -> tuple[str, ...]:
    """What a user may call a part: its name, synonyms, and phrases with the object's name."""
    phrases = (f"{family.name} {part}", f"{part} of a {family.name}", f"the {part}")
    return (*family.names_of(part), *phrases)


def embed_names(space: TextSpace, categories: Sequence[str]) -> tuple[dict[str, Names], NDArray[np.float32]]:
    """The names of every category, and all canonical ones `[M, D]`, each once, but those of forms."""
    called = {one: all_names_of(EVERYTHING[one]) for one in categories}
    wanted = sorted({name for one in categories for part in called[one] for name in options_of(EVERYTHING[one], part)})
    table = dict(zip(wanted, space.encode(wanted), strict=True))
    canonical = sorted({part for one in categories if one not in FREE for part in EVERYTHING[one].parts})
    every = np.stack([table[name] for name in canonical])
    names = {}
    for one in categories:
        family = EVERYTHING[one]
        parts = tuple(np.stack([table[name] for name in options_of(family, part)]) for part in called[one])
        words = more_names(family)
        more = tuple(shipped_table().encode(words.get(part, ())).reshape(-1, space.dim) for part in called[one])
        own = np.concatenate(
            [part[: len(family.names_of(name))] for name, part in zip(called[one], parts, strict=True)]
        )
        if one in FREE:
            names[one] = Names(parts, np.zeros(len(every), bool), np.zeros(0, np.int64))
        else:
            rows = np.array([canonical.index(part) for part in family.parts])
            names[one] = Names(parts, (every @ own.T).max(1) < ALIKE, rows, more, wholes_of(family))
    return names, every


@dataclass(frozen=True)
class Batch:
    """points `[B, N, 3]`, centers `[B, G]`, labels `[B, L]` (-1: nothing that has a name), weights `[B, L]`,
    text `[B, P, D]` (rows of NaN: no part), rivals `[B, M]`: which of all names compete with a cloud's own,
    alone `[B, A, D]`: names that fit nothing in the cloud, NaN where there is none, named `[B, L]`: which of all names
    is each point's, -1 for none."""

    points: Tensor
    centers: Tensor
    labels: Tensor
    weights: Tensor
    text: Tensor
    rivals: Tensor
    alone: Tensor
    named: Tensor


class EverydayTrainer(StepTrainer[Student]):
    """The training of a student."""

    told = ("among the object's names", "among all", "alone")

    def __init__(
        self,
        student: Student,
        shapes: Mapping[str, Shapes],
        names: Mapping[str, Names],
        all_names: NDArray[np.float32],
        training: Training,
        *,
        seed: int = 0,
        device: str = "cpu",
        checkpoint: Path | None = None,
    ) -> None:
        self.student, self.standing = student.to(device).train(), Standing().to(device)
        super().__init__(self.student, training, seed, checkpoint, device)
        self.shapes, self.names, self.all_names = dict(shapes), dict(names), all_names
        self.categories = sorted(self.shapes)
        self.chances = chances(self.categories)
        both = nn.ModuleDict({"student": self.student, "standing": self.standing})
        self.optimizer = Optimizer(both, training.rate, training.weight_decay)
        self.sensing = Sensing()

    def train_step(self) -> tuple[float, float, float]:
        """One step; the losses among an object's parts, among all names and of names alone."""
        batch = self.draw_batch(np.random.default_rng([self.seed, self.step]))
        torch.manual_seed(step_seed(self.seed, self.step))
        with half_precision(self.device):
            embeddings = self.student.embed(batch.points, batch.centers, self.training.loss_points).float()
        own, among_all, alone = self.losses_of(embeddings, batch)
        loss = own + self.training.among_all * among_all + self.training.alone * alone
        self.optimizer.step(loss, self.training.rate_at(self.step))
        update_average(self.average, self.student, self.training.ema_decay, self.step + 1)
        return float(own.detach()), float(among_all.detach()), float(alone.detach())

    def losses_of(self, embeddings: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """The three losses of `embeddings [B, L, D]`."""
        scale = self.student.log_scale.exp()
        absent = batch.text[:, None, :, 0].isnan()
        own = scale * embeddings @ batch.text.nan_to_num(0).transpose(1, 2)
        named, label = batch.labels >= 0, batch.labels.clamp(min=0)[..., None]
        weights = batch.weights * named
        total = weights.sum().clamp(min=1)
        competing = own.masked_fill(absent, float("-inf"))
        right = competing.gather(2, label)[..., 0].masked_fill(~named, 0)  # of what has no name it may be -inf
        among_own = (weights * (competing.logsumexp(-1) - right)).sum() / total
        every = scale * embeddings @ torch.from_numpy(self.all_names).to(self.device).T
        rivals = every.masked_fill(~batch.rivals[:, None], float("-inf"))
        among_all = (weights * (torch.cat([competing, rivals], -1).logsumexp(-1) - right)).sum() / total
        # as categories compete where an object may be none of what was asked for: a mug's `cup` is no bottle's `body`
        known = weights * (batch.named >= 0)
        exactly = every.gather(2, batch.named.clamp(min=0)[..., None])[..., 0]
        among_all = (among_all + (known * (every.logsumexp(-1) - exactly)).sum() / known.sum().clamp(min=1)) / 2
        none = batch.alone[:, None, :, 0].isnan()
        strange = scale * embeddings @ batch.alone.nan_to_num(0).transpose(1, 2) - self.standing.threshold
        stands = F.softplus(-(right - self.standing.threshold)) * weights
        fits_not = (F.softplus(strange).masked_fill(none, 0)).sum(-1) / (~none).sum(-1).clamp(min=1)
        # points of nothing fit none of the object's own names either
        nothing = F.softplus(own - self.standing.threshold).masked_fill(absent, 0).amax(-1) * ~named
        alone = stands.sum() / total + fits_not.mean() + nothing.sum() / (~named).sum().clamp(min=1)
        return among_own, among_all, alone

    def draw_batch(self, rng: np.random.Generator) -> Batch:
        """Clouds of random categories with a name for each part."""
        config, training = self.student.config, self.training
        rows: list[list[NDArray[np.generic]]] = []
        for name in rng.choice(self.categories, training.batch, p=self.chances):
            shapes, names, family = self.shapes[name], self.names[name], EVERYTHING[name]
            at = rng.integers(len(shapes.points))
            kept = _without_a_part(rng, shapes.labels[at])
            beside = self.shapes[str(rng.choice(self.categories))]
            other = beside.points[rng.integers(len(beside.points))]
            cloud = sensed(
                rng, shapes.points[at][kept].astype(np.float32), shapes.seen[at][:, kept], other.astype(np.float32),
                family.up_unknown, self.sensing, config.points, config.centers,
            )  # fmt: skip
            source = cloud.source[: training.loss_points]
            fine = np.where(source >= 0, shapes.labels[at][kept][np.maximum(source, 0)], -1).astype(np.int64)
            text, division = names.drawn(rng), np.arange(len(family.parts))
            if names.wholes and rng.random() < DIVIDED:
                division = draw_division(rng, names.wholes, len(family.parts))
            text[np.setdiff1d(np.arange(len(text)), division)] = np.nan
            labels = np.append(division, -1)[fine]
            if rng.random() < 0.3:  # nobody asks for what is not there
                present = np.unique(labels[labels >= 0])
                if len(present) > 1:
                    text[np.setdiff1d(np.arange(len(text)), present)] = np.nan
            possible = np.flatnonzero(names.others)
            alone = np.full((training.alone_names, config.dim), np.nan, np.float32)
            if len(possible):
                chosen = rng.choice(possible, min(training.alone_names, len(possible)), replace=False)
                alone[: len(chosen)] = self.all_names[chosen]
            named = np.append(names.rows, -1)[fine] if len(names.rows) else np.full_like(labels, -1)
            rows.append(
                [cloud.points, cloud.centers, labels, _weights(labels, len(text)), text, names.others, alone, named]
            )
        columns = list(zip(*rows, strict=True))
        text = columns.pop(4)
        made = [torch.from_numpy(np.stack(column)).to(self.device) for column in columns]
        return Batch(made[0], made[1], made[2], made[3], pad_parts(text, self.device), made[4], made[5], made[6])

    def _parts(self) -> dict[str, nn.Module | Optimizer]:
        return {
            "student": self.student, "standing": self.standing, "average": self.average, "optimizer": self.optimizer
        }  # fmt: skip


def _pick(rng: np.random.Generator, options: int) -> int:
    """A part's own name more than half of the time, a synonym one time in three, else a phrase (the last of them)."""
    if rng.random() < 0.45:
        return 0
    return int(rng.integers(options if rng.random() < 0.4 else max(options - PHRASES, 1)))


def _noisy(rng: np.random.Generator, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    if rng.random() < 0.6:
        return embedding
    error = rng.normal(size=len(embedding))
    moved = embedding + rng.uniform(0, TEXT_NOISE) * error / np.linalg.norm(error)
    return (moved / np.linalg.norm(moved)).astype(np.float32)


def _without_a_part(rng: np.random.Generator, labels: NDArray[np.int8]) -> NDArray[np.intp]:
    """Which points are there: nearly always all of them."""
    if rng.random() < MISSING and len(parts := np.unique(labels)) > 2:
        kept = np.flatnonzero(labels != rng.choice(parts))
        if len(kept) >= LEAST_POINTS:
            return kept
    return np.arange(len(labels))


def _weights(labels: NDArray[np.int64], parts: int) -> NDArray[np.float32]:
    """Of each point: small parts count more than their points, by the root of how few these are; mean 1."""
    counts = np.bincount(labels[labels >= 0], minlength=parts)
    weight = np.where(labels >= 0, 1 / np.sqrt(np.maximum(counts, 4)[np.maximum(labels, 0)]), 0)
    return (weight * (labels >= 0).sum() / max(weight.sum(), 1e-9)).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    usual = Training()
    parser.add_argument(
        "--shapes", type=Path, nargs="+", default=[Path("out/everyday")], help="folders of `everyday_shapes`"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle to write")
    parser.add_argument("--checkpoint", type=Path, help="goes on from there (default: fit.pt in OUT.work)")
    parser.add_argument("--start", default="default", help="first weights: default, scratch or a bundle")
    parser.add_argument("--steps", type=int, default=usual.steps)
    parser.add_argument("--batch", type=int, default=usual.batch)
    parser.add_argument("--rate", type=float, default=usual.rate)
    parser.add_argument(
        "--cool-down", type=float, default=usual.cool_down, help="over which fraction of all steps the rate ends at 0"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--export-only", action="store_true", help="write the bundle of the checkpoint as it is")
    options = parser.parse_args()
    checkpoint = options.checkpoint or options.out.with_name(f"{options.out.name}.work") / "fit.pt"
    if options.export_only and not checkpoint.exists():
        parser.error(f"{checkpoint} is not there: train first, or name another --checkpoint")
    torch.manual_seed(options.seed)
    space = TextSpace.load()
    shapes = load_categories(options.shapes)
    categories = list(shapes)
    if not categories:
        folders = ", ".join(map(str, options.shapes))
        parser.error(f"{folders} holds no shapes: draw them with synthetic.training.everyday_shapes first")
    names, all_names = embed_names(space, categories)
    steps = 0 if options.export_only else options.steps
    training = Training(steps=steps, batch=options.batch, rate=options.rate, cool_down=options.cool_down)
    student = new_student("patch_transformer", space.dim, options.start)
    trainer = EverydayTrainer(
        student, shapes, names, all_names, training,
        seed=options.seed, device=options.device, checkpoint=checkpoint,
    )  # fmt: skip
    trained = trainer.run()
    record = {
        "command": "python -m partdistill_ros.synthetic.training.everyday_bundle",
        "data": f"true labels of {sum(len(one.points) for one in shapes.values())} procedural shapes of "
        f"{len(shapes)} categories, random assemblies among them; never seen: {', '.join(HELD_OUT)}",
        "mode": "supervised",
        "start": "the default student before it" if options.start == "default" else options.start,
        "steps": trainer.step,
        "batch": options.batch,
        "seed": options.seed,
        "threshold": round(float(trainer.standing.threshold), 3),
        "loss": round(trainer.losses[0], 4),
    }
    print(save_student(trained, options.out, "default", vocabulary(space, categories), space, record))


def vocabulary(space: TextSpace, categories: Sequence[str]) -> Vocabulary:
    """All names of the text space, those of `categories`, of their parts and of what these make together.

    Categories that an object may be instead of what was asked for are those of the families alone: of a hundred, some
    are so much alike (clamp and pliers) that they would turn each other down.
    """
    everyday = {name for one in categories if one not in FREE for name in (one, *all_names_of(EVERYTHING[one]))}
    more = sorted(everyday - set(space.names))
    rivals = {name: family.parts for name, family in sorted(FAMILIES.items())}
    embeddings = np.concatenate([space.embeddings, space.encode(more)]) if more else space.embeddings
    return Vocabulary((*space.names, *more), embeddings, rivals)


if __name__ == "__main__":
    main()

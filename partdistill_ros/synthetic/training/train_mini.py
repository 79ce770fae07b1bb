# SPDX-License-Identifier: Apache-2.0
"""Makes the small teacher: `python -m partdistill_ros.synthetic.training.train_mini` (see --help).

Pictures of procedural shapes are rendered on the fly: random views, lights, point densities and
noise, whole objects and one-sided scans; the names of the parts vary with their synonyms.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.rendering.cameras import look_at
from partdistill_ros.rendering.zbuffer import GRAY, paint, project, shade, zbuffer_points
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.synthetic.procedural import procedural_clouds
from partdistill_ros.teachers.mini import DEFAULT_PATH, MiniConfig, MiniNet, network_input
from partdistill_ros.text.space import TextSpace, pick_synonym

FOCAL = 2.4  # a unit sphere at distance 2.6 just fills the picture


@dataclass(frozen=True)
class TrainConfig:
    """What makes the shipped teacher; first_seed keeps its shapes apart from those students see."""

    per_family: int = 100
    first_seed: int = 100_000
    points: int = 8192
    steps: int = 2200
    batch: int = 16
    rate: float = 2e-3
    seed: int = 0


class Shapes:
    """All training clouds as tensors: points and normals `[S, N, 3]`, family `[S]`, labels `[S, N]`."""

    def __init__(self, config: TrainConfig) -> None:
        self.families = sorted(FAMILIES)
        clouds = list(
            tqdm(
                procedural_clouds(self.families, config.per_family, config.first_seed, config.points),
                total=len(self.families) * config.per_family,
                desc="shapes",
            )
        )
        self.points = torch.from_numpy(np.stack([c.points for c in clouds]))
        self.normals = torch.from_numpy(np.stack([c.normals for c in clouds if c.normals is not None]))
        self.labels = torch.from_numpy(np.stack([c.point_labels for c in clouds if c.point_labels is not None])).long()
        self.family = torch.tensor([self.families.index(c.category or "") for c in clouds])
        self.up_unknown = torch.tensor([FAMILIES[name].up_unknown for name in self.families])


class Names:
    """Text of every part of every family, canonical or a random synonym."""

    def __init__(self, families: Sequence[str], space: TextSpace) -> None:
        self.choices: list[list[Tensor]] = []
        names = sorted({part for family in families for part in FAMILIES[family].parts})
        self.column = torch.full((len(families), 8), -1)
        for i, family in enumerate(families):
            row = []
            for j, part in enumerate(FAMILIES[family].parts):
                row.append(torch.from_numpy(space.encode(FAMILIES[family].names_of(part))))
                self.column[i, j] = names.index(part)
            self.choices.append(row)
        self.all = torch.from_numpy(space.encode(names))

    def sample(self, family: int, rng: np.random.Generator) -> Tensor:
        """One text per part of the family, `[P, D]`: the canonical name two times in three."""
        rows = []
        for options in self.choices[family]:
            rows.append(options[pick_synonym(rng, len(options))])
        return torch.stack(rows)


def random_cameras(up_unknown: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """World-to-camera rotations `[B, 3, 3]` and positions `[B, 3]` around unit spheres. Elevations lie
    around those of the ten views, at times anywhere; tools are seen from any side."""
    count = len(up_unknown)
    usual = rng.choice([10.0, 40.0, -20.0], count) + rng.normal(0, 10, count)
    anywhere = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    free = rng.random(count) < np.where(up_unknown.numpy(), 0.7, 0.25)
    elevation = np.radians(np.clip(np.where(free, anywhere, usual), -88, 88))
    azimuth = rng.uniform(0, 2 * np.pi, count)
    distance = rng.uniform(2.1, 3.2, count)[:, None]
    direction = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], -1
    )
    target = rng.normal(0, 0.05, (count, 3))
    position = target + distance * direction
    tilt = np.where(rng.random(count) < np.where(up_unknown.numpy(), 0.5, 0.08), 2.0, 0.12)[:, None]
    up = np.array([0, 0, 1.0]) + tilt * rng.normal(size=(count, 3))
    rotation = np.concatenate([look_at(p[None], t, u) for p, t, u in zip(position, target, up, strict=True)])
    return torch.from_numpy(rotation), torch.from_numpy(position.astype(np.float32))


def one_sided(points: Tensor, rotation: Tensor, position: Tensor) -> list[Tensor]:
    """For each cloud the indices of the points that a camera sees."""
    index, _ = zbuffer_points(*project(points, rotation, position, FOCAL, 128), 128, 1.5)
    return [torch.unique(row[row >= 0]) for row in index.reshape(len(index), -1)]


SIZE = MiniConfig().size


def sample_batch(shapes: Shapes, config: TrainConfig, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Network input `[B, 3, S, S]`, part labels `[B, S/2, S/2]` (-1 background), family `[B]`."""
    chosen = torch.from_numpy(rng.integers(0, len(shapes.points), config.batch))
    count = int(rng.integers(min(2500, config.points // 2), config.points + 1))
    subset = torch.from_numpy(rng.permutation(config.points)[:count])
    points, normals = shapes.points[chosen][:, subset], shapes.normals[chosen][:, subset]
    labels = shapes.labels[chosen][:, subset]
    stretch = torch.from_numpy(rng.uniform(0.85, 1.15, (config.batch, 1, 3)).astype(np.float32))
    points = points * stretch
    points = points / points.norm(dim=-1).amax(1)[:, None, None]
    rotation, position = random_cameras(shapes.up_unknown[shapes.family[chosen]], rng)
    sigma = torch.from_numpy((rng.random((config.batch, 1, 1)) < 0.5) * rng.uniform(0, 0.012, (config.batch, 1, 1)))
    noisy = points + sigma.float() * torch.from_numpy(rng.normal(size=points.shape).astype(np.float32))
    blur = torch.from_numpy(rng.uniform(0, 0.35, (config.batch, 1, 1)).astype(np.float32))
    normals = F.normalize(normals + blur * torch.from_numpy(rng.normal(size=points.shape).astype(np.float32)), dim=-1)
    if rng.random() < 0.35:
        near = position + torch.from_numpy(rng.normal(0, 0.35, (config.batch, 3)).astype(np.float32))
        first = torch.from_numpy(np.concatenate([look_at(p[None], [0, 0, 0], [0.01, 0, 1]) for p in near.numpy()]))
        for row, seen in enumerate(one_sided(points, first, near)):
            hidden = torch.ones(count, dtype=torch.bool)
            hidden[seen] = False
            noisy[row, hidden] = torch.nan
    spacing = SIZE / 2 * 2.6 / np.sqrt(count)  # in pixels, of a surface of about 7 square radii
    light = F.normalize(
        torch.from_numpy(rng.normal(0, 0.7, (config.batch, 3)).astype(np.float32)) - torch.tensor([0, 0, 1.0]), dim=-1
    )
    uv, depth = project(noisy, rotation, position, FOCAL, SIZE)
    index, front = zbuffer_points(uv, depth, SIZE, float(spacing * rng.uniform(0.8, 1.5)))
    ambient = torch.from_numpy(rng.uniform(0.15, 0.5, config.batch).astype(np.float32))
    tint = (GRAY * shade(noisy, normals, rotation, position, ambient, light)[..., None]).expand(-1, -1, 3)
    brightness = torch.from_numpy(rng.uniform(0.6, 1.2, (config.batch, 1, 1, 1)).astype(np.float32))
    picture = (paint(tint, index).float() * brightness).clamp(0, 255)
    index = index[:, ::2, ::2]
    truth = labels.gather(1, index.clamp(min=0).flatten(1)).reshape(index.shape).masked_fill(index < 0, -1)
    return network_input(picture, front), truth, shapes.family[chosen]


def batch_loss(
    net: MiniNet, batch: tuple[Tensor, Tensor, Tensor], names: Names, rng: np.random.Generator
) -> tuple[Tensor, float]:
    """Cross-entropy among the family's parts, plus a third of that among all known names; small parts
    of a picture count more (weight 1 / sqrt(pixels)). Second: the pixel accuracy."""
    pictures, truth, family = batch
    embeddings = net(pictures.contiguous(memory_format=torch.channels_last))
    every = net.logits(embeddings, names.all).flatten(2)
    losses, right, total = [], 0, 0
    for row, kind in enumerate(family.tolist()):
        target = truth[row].flatten()
        keep = target >= 0
        if not keep.any():
            continue
        target = target[keep]
        own = net.logits(embeddings[row : row + 1], names.sample(kind, rng))[0].flatten(1)[:, keep].T
        pixels = torch.bincount(target, minlength=own.shape[1]).float()
        weight = (1 / pixels.clamp(min=1).sqrt())[target]
        weight = weight / weight.sum()
        loss = (F.cross_entropy(own, target, reduction="none") * weight).sum()
        everywhere = F.cross_entropy(every[row][:, keep].T, names.column[kind][target], reduction="none")
        losses.append(loss + 0.33 * (everywhere * weight).sum())
        right += int((own.argmax(1) == target).sum())
        total += len(target)
    return torch.stack(losses).mean(), right / max(total, 1)


def train(config: TrainConfig, out: Path) -> None:
    """Train, then write `out/mini.pt` (half precision) and `out/mini.json`."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    shapes, space = Shapes(config), TextSpace.load()
    names = Names(shapes.families, space)
    net = MiniNet(MiniConfig(dim=space.dim))
    optimizer = torch.optim.AdamW(net.parameters(), lr=config.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.rate, config.steps, pct_start=0.08)
    started, smooth_loss, smooth_right = time.time(), 3.0, 0.3
    bar = tqdm(range(config.steps), desc="mini", mininterval=10)
    for step in bar:
        loss, right = batch_loss(net, sample_batch(shapes, config, rng), names, rng)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        smooth_loss += 0.02 * (float(loss.detach()) - smooth_loss)
        smooth_right += 0.02 * (right - smooth_right)
        bar.set_postfix(loss=f"{smooth_loss:.3f}", right=f"{smooth_right:.3f}", refresh=False)
        if step % 500 == 499:
            save(net, out, config, space, smooth_right, time.time() - started, step + 1)
    save(net, out, config, space, smooth_right, time.time() - started, config.steps)


def save(
    net: MiniNet, out: Path, config: TrainConfig, space: TextSpace, right: float, seconds: float, steps: int
) -> None:
    """Weights in half precision and what made them."""
    state = {key: value.half() for key, value in net.state_dict().items()}
    out.mkdir(parents=True, exist_ok=True)
    with atomic_path(out / "mini.pt") as temporary:
        torch.save({"config": asdict(net.config), "state": state}, temporary)
    summary = {
        "text": space.identity,
        "families": sorted(FAMILIES),
        "training": asdict(config),
        "steps_done": steps,
        "pixel_accuracy": round(right, 4),
        "minutes": round(seconds / 60, 1),
    }
    with atomic_path(out / "mini.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH.parent)
    for name, value in asdict(TrainConfig()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(parser.parse_args())
    out = options.pop("out")
    train(TrainConfig(**options), out)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Makes the small teacher: `python -m partdistill_ros.synthetic.training.train_mini` (see --help).

Pictures of the shapes that `everyday_shapes` has drawn are rendered on the fly: random views, lights, point densities
and noise, whole objects and one-sided scans; names vary with synonyms and phrases. `distill --teacher mini:FILE` asks
the weights that it writes, `benchmarks/mini_vote.py FILE` measures them beside the shipped ones.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from partdistill_ros.distillation.losses import pad_parts
from partdistill_ros.distillation.optimizer import Optimizer, half_precision, update_average
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.pointcloud.normals import estimate_normals
from partdistill_ros.rendering.cameras import look_at
from partdistill_ros.rendering.zbuffer import GRAY, paint, project, shade, zbuffer_points
from partdistill_ros.students.weights import load_weights, save_weights
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.synthetic.training.everyday_bundle import Names, chances, embed_names
from partdistill_ros.synthetic.training.everyday_shapes import EVERYTHING, HELD_OUT, Shapes, load_categories
from partdistill_ros.synthetic.training.steps import StepTrainer, Training
from partdistill_ros.teachers.mini import MiniConfig, MiniNet, network_input
from partdistill_ros.text.space import TextSpace

FOCAL = 2.4  # a unit sphere at distance 2.6 just fills the picture
FEWEST = 1500  # points of a cloud
OFTEN = {**dict.fromkeys(FAMILIES, 5.0), "assembly": 4.0}  # else what `distill` meets first is a tenth of all pictures
USUAL = Training(steps=6000, batch=16, rate=1.5e-3, cool_down=0.4, loss_points=640, among_all=0.33)


@dataclass(frozen=True)
class Batch:
    """pictures `[B, 3, S, S]`, the network's input.  pixel `[B, L]`: those of the embeddings that count, labels
    `[B, L]` their parts (-1: none), weights `[B, L]`: small parts count more, 1 in sum.  text `[B, P, D]` (rows of NaN:
    no part), rivals `[B, M]`: which of all names compete with a picture's own."""

    pictures: Tensor
    pixel: Tensor
    labels: Tensor
    weights: Tensor
    text: Tensor
    rivals: Tensor


def random_cameras(up_unknown: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """World-to-camera rotations `[B, 3, 3]` and positions `[B, 3]` around unit spheres. Elevations lie
    around those of the ten views, at times anywhere; tools are seen from any side."""
    count = len(up_unknown)
    usual = rng.choice([10.0, 40.0, -20.0], count) + rng.normal(0, 10, count)
    anywhere = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    free = rng.random(count) < np.where(up_unknown.numpy(), 0.7, 0.3)
    elevation = np.radians(np.clip(np.where(free, anywhere, usual), -88, 88))
    azimuth = rng.uniform(0, 2 * np.pi, count)
    distance = rng.uniform(2.1, 3.2, count)[:, None]
    direction = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], -1
    )
    target = rng.normal(0, 0.05, (count, 3))
    position = target + distance * direction
    tilt = np.where(rng.random(count) < np.where(up_unknown.numpy(), 0.5, 0.15), 2.0, 0.12)[:, None]
    up = np.array([0, 0, 1.0]) + tilt * rng.normal(size=(count, 3))
    rotation = np.concatenate([look_at(p[None], t, u) for p, t, u in zip(position, target, up, strict=True)])
    return torch.from_numpy(rotation), torch.from_numpy(position.astype(np.float32))


def one_sided(points: Tensor, rotation: Tensor, position: Tensor) -> list[Tensor]:
    """For each cloud the indices of the points that a camera sees."""
    index, _ = zbuffer_points(*project(points, rotation, position, FOCAL, 128), 128, 1.5)
    return [torch.unique(row[row >= 0]) for row in index.reshape(len(index), -1)]


class MiniTrainer(StepTrainer[MiniNet]):
    """The training of the small teacher."""

    told = ("loss", "pixels right")

    def __init__(
        self,
        net: MiniNet,
        shapes: Mapping[str, Shapes],
        names: Mapping[str, Names],
        all_names: NDArray[np.float32],
        training: Training = USUAL,
        *,
        seed: int = 0,
        checkpoint: Path | None = None,
    ) -> None:
        super().__init__(net, training, seed, checkpoint, "cpu")
        self.net = net
        self.shapes, self.names, self.all_names = dict(shapes), dict(names), torch.from_numpy(all_names)
        self.categories = sorted(self.shapes)
        self.chances = chances(self.categories, OFTEN)
        self.optimizer = Optimizer(net, training.rate, training.weight_decay)
        self._normals = cache(self._estimate)

    def train_step(self) -> tuple[float, float]:
        """One step; its loss, and the share of the pixels that are right."""
        rng = np.random.default_rng([self.seed, self.step])
        batch = self.draw_batch(rng)
        with half_precision("cpu"):
            embeddings = self.net(batch.pictures.contiguous(memory_format=torch.channels_last)).float()
        loss, right = self.loss_of(embeddings, batch)
        self.optimizer.step(loss, self.training.rate_at(self.step))
        update_average(self.average, self.net, self.training.ema_decay, self.step + 1)
        return float(loss.detach()), right

    def loss_of(self, embeddings: Tensor, batch: Batch) -> tuple[Tensor, float]:
        """Cross-entropy among the object's own parts, and with less weight among the names of everything, of
        `embeddings [B, D, H, W]`. Second: the share of the pixels that are right."""
        flat = embeddings.flatten(2)
        pixels = flat.gather(2, batch.pixel[:, None].expand(-1, flat.shape[1], -1)).transpose(1, 2)
        scale = self.net.log_scale.exp()
        absent = batch.text[:, None, :, 0].isnan()
        own = (scale * pixels @ batch.text.nan_to_num(0).transpose(1, 2)).masked_fill(absent, float("-inf"))
        named = batch.labels >= 0
        said = own.gather(2, batch.labels.clamp(min=0)[..., None])[..., 0]
        every = (scale * pixels @ self.all_names.T).masked_fill(~batch.rivals[:, None], float("-inf"))
        among_own, among_all = own.logsumexp(-1), torch.cat([own, every], -1).logsumexp(-1)
        loss = among_own - said + self.training.among_all * (among_all - said)
        right = ((own.argmax(-1) == batch.labels) & named).sum() / named.sum().clamp(min=1)
        return (batch.weights * loss).sum() / len(flat), float(right)

    def draw_batch(self, rng: np.random.Generator) -> Batch:
        """Pictures of random shapes of random categories, a name for each part."""
        training, size = self.training, self.net.config.size
        chosen = [str(name) for name in rng.choice(self.categories, training.batch, p=self.chances)]
        which = [int(rng.integers(len(self.shapes[name].points))) for name in chosen]
        most = self.shapes[chosen[0]].points.shape[1]
        subset = rng.permutation(most)[: int(rng.integers(min(FEWEST, most // 2), most + 1))]
        pairs = list(zip(chosen, which, strict=True))
        points = _stacked([self.shapes[name].points[at][subset] for name, at in pairs])
        normals = _stacked([self._normals(name, at)[subset] for name, at in pairs])
        labels = torch.from_numpy(np.stack([self.shapes[name].labels[at][subset] for name, at in pairs])).long()
        up_unknown = torch.tensor([EVERYTHING[name].up_unknown for name in chosen])
        pictures, index = _seen(points, normals, up_unknown, size, rng)
        index = index[:, ::2, ::2].flatten(1)
        truth = labels.gather(1, index.clamp(min=0)).masked_fill(index < 0, -1)
        order = torch.from_numpy(rng.random(truth.shape)).masked_fill(truth < 0, -1)
        pixel = order.topk(min(training.loss_points, truth.shape[1]), 1).indices
        kept = truth.gather(1, pixel)
        text = pad_parts([self.names[name].drawn(rng) for name in chosen], "cpu")
        rivals = torch.from_numpy(np.stack([self.names[name].others for name in chosen]))
        return Batch(pictures, pixel, kept, _weights(kept, text.shape[1]), text, rivals)

    def _estimate(self, name: str, at: int) -> NDArray[np.float16]:
        """Normals of a shape, kept as long as the training lasts; their sign is of no account."""
        return estimate_normals(self.shapes[name].points[at].astype(np.float32), viewpoint=(0, 0, 0)).astype(np.float16)

    def _parts(self) -> dict[str, MiniNet | Optimizer]:
        return {"net": self.net, "average": self.average, "optimizer": self.optimizer}


def _stacked(rows: list[NDArray[np.float16]]) -> Tensor:
    return torch.from_numpy(np.stack(rows).astype(np.float32))


def _seen(
    points: Tensor, normals: Tensor, up_unknown: Tensor, size: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Network input `[B, 3, S, S]` of clouds `[B, N, 3]`, and which point each pixel shows `[B, S, S]`, -1 none."""
    batch, count = points.shape[:2]

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (batch, *shape)).astype(np.float32))

    def normal(like: Tensor) -> Tensor:
        return torch.from_numpy(rng.standard_normal(like.shape, np.float32))

    points = points * draw(0.85, 1.15, 1, 3)
    points = points / points.norm(dim=-1).amax(1)[:, None, None]
    rotation, position = random_cameras(up_unknown, rng)
    sigma = draw(0, 0.012, 1, 1) * (draw(0, 1, 1, 1) < 0.5)
    noisy = points + sigma * normal(points)
    normals = F.normalize(normals + draw(0, 0.35, 1, 1) * normal(normals), dim=-1)
    if rng.random() < 0.35:
        near = position + 0.35 * normal(position)
        first = torch.from_numpy(np.concatenate([look_at(p[None], [0, 0, 0], [0.01, 0, 1]) for p in near.numpy()]))
        for row, seen in enumerate(one_sided(points, first, near)):
            hidden = torch.ones(count, dtype=torch.bool)
            hidden[seen] = False
            noisy[row, hidden] = torch.nan
    spacing = size / 2 * 2.6 / np.sqrt(count)  # in pixels, of a surface of about 7 square radii
    light = F.normalize(0.7 * normal(position) - torch.tensor([0, 0, 1.0]), dim=-1)
    uv, depth = project(noisy, rotation, position, FOCAL, size)
    index, front = zbuffer_points(uv, depth, size, float(spacing * rng.uniform(0.8, 1.5)))
    tint = GRAY * shade(noisy, normals, rotation, position, draw(0.15, 0.5), light)[..., None]
    picture = (paint(tint.expand(-1, -1, 3), index).float() * draw(0.6, 1.2, 1, 1, 1)).clamp(0, 255)
    return network_input(picture, front), index


def _weights(labels: Tensor, parts: int) -> Tensor:
    """Of each pixel `[B, L]`: small parts count more, by the root of how few these are; 1 in sum."""
    named = labels >= 0
    counts = F.one_hot(labels.clamp(min=0), parts).mul(named[..., None]).sum(1)
    weight = named / counts.gather(1, labels.clamp(min=0)).clamp(min=1).sqrt()
    return weight / weight.sum(1, keepdim=True).clamp(min=1e-9)


def new_net(config: MiniConfig, start: Path | None) -> MiniNet:
    """A network with the weights of `start` as far as that has them, else random ones."""
    net = MiniNet(config)
    if start is not None:
        state = load_weights(start, "name another --start, or none")["state"]
        net.load_state_dict({key: value.float() for key, value in state.items()}, strict=False)
    return net


def write(net: MiniNet, out: Path, record: Mapping[str, object]) -> None:
    """`out/mini.pt`, weights in half precision, and `out/mini.json`, what made them."""
    state = {key: value.half() for key, value in net.state_dict().items()}
    out.mkdir(parents=True, exist_ok=True)
    save_weights({"config": asdict(net.config), "state": state}, out / "mini.pt")
    with atomic_path(out / "mini.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Makes the small teacher. Draw its shapes first, with `python -m "
        "partdistill_ros.synthetic.training.everyday_shapes`. It may be stopped, and goes on when it is called again."
    )
    parser.add_argument(
        "--shapes", type=Path, nargs="+", default=[Path("out/everyday")],
        help="folders of `everyday_shapes` (default: out/everyday)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("out/mini"), help="folder for mini.pt and mini.json (default: %(default)s)"
    )
    parser.add_argument("--checkpoint", type=Path, help="goes on from there (default: fit.pt in OUT.work)")
    parser.add_argument("--start", type=Path, help="first weights: a mini.pt (default: random ones)")
    parser.add_argument(
        "--steps", type=int, default=USUAL.steps, help="those of a checkpoint among them (default: %(default)s)"
    )
    parser.add_argument("--batch", type=int, default=USUAL.batch, help="pictures of a step (default: %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=USUAL.rate, help="of learning, before it goes down (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn by chance (default: %(default)s)")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    space = TextSpace.load()
    shapes = load_categories(options.shapes)
    if not shapes:
        folders = ", ".join(map(str, options.shapes))
        parser.error(f"{folders} holds no shapes: draw them with synthetic.training.everyday_shapes first")
    names, all_names = embed_names(space, list(shapes))
    training = replace(USUAL, steps=options.steps, batch=options.batch, rate=options.rate)
    net = new_net(MiniConfig(dim=space.dim), options.start)
    checkpoint = options.checkpoint or options.out.with_name(f"{options.out.name}.work") / "fit.pt"
    trainer = MiniTrainer(net, shapes, names, all_names, training, seed=options.seed, checkpoint=checkpoint)
    trained = trainer.run()
    record = {
        "text": space.identity,
        "data": f"{sum(len(one.points) for one in shapes.values())} procedural shapes of {len(shapes)} categories; "
        f"never seen: {', '.join(HELD_OUT)}",
        "start": "random" if options.start is None else "the mini before it",
        "steps": trainer.step,
        "batch": options.batch,
        "seed": options.seed,
        "pixel_accuracy": round(trainer.losses[1], 4),
        "minutes": round(trainer.minutes, 1),
    }
    write(trained, options.out, record)


if __name__ == "__main__":
    main()

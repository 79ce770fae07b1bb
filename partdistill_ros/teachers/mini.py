# SPDX-License-Identifier: Apache-2.0
"""`mini`: the small pixel-wise vision-language model that the package ships, a stand-in for CLIP; a U-Net whose pixels
live in the text space."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from partdistill_ros.io.parsing import parsing
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.students.weights import load_weights
from partdistill_ros.teachers.protocol import PixelAnswer
from partdistill_ros.teachers.spec import TeacherSpec
from partdistill_ros.text.space import TextSpace

DEFAULT_PATH = Path(__file__).parent.parent / "models" / "mini" / "mini.pt"


@dataclass(frozen=True)
class MiniConfig:
    """channels: input planes (gray, depth, foreground). widths: features at strides 2, 4, 8, 16.
    layers: of self-attention at the coarsest stride. dim: size of the text space. size: side of the square picture in
    pixels."""

    channels: int = 3
    widths: tuple[int, int, int, int] = (16, 32, 72, 128)
    layers: int = 3
    dim: int = 64
    size: int = 128


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around a skip (He et al. 2016), group-normalized."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(8, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        inner = self.conv1(F.relu(self.norm1(features)))
        return features + self.conv2(F.relu(self.norm2(inner)))


class GlobalContext(nn.Module):
    """Adds what the whole picture shows (mean over its pixels) to every pixel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.mlp(features.mean((2, 3)))[:, :, None, None]


class Attention(nn.Module):
    """A transformer layer over all places of a small map (Vaswani et al. 2017, pre-norm). It begins as the identity."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        narrow = nn.Linear(2 * width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), narrow)
        for last in (self.out, narrow):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, features: Tensor) -> Tensor:
        rows = features.flatten(2).transpose(1, 2)
        split = self.qkv(self.norm1(rows)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(split[0], split[1], split[2])
        rows = rows + self.out(seen.transpose(1, 2).flatten(2))
        rows = rows + self.mlp(self.norm2(rows))
        return rows.transpose(1, 2).reshape(features.shape)


class MiniNet(nn.Module):
    """Pictures `[B, 3, S, S]` to unit pixel embeddings `[B, D, S/2, S/2]`."""

    def __init__(self, config: MiniConfig) -> None:
        super().__init__()
        self.config = config
        w1, w2, w3, w4 = config.widths
        self.stem = nn.Sequential(nn.Conv2d(config.channels, w1, 5, 2, 2), ResidualBlock(w1), ResidualBlock(w1))
        self.down2 = self._down(w1, w2)
        self.down3 = self._down(w2, w3)
        self.down4 = nn.Sequential(self._down(w3, w4), GlobalContext(w4), ResidualBlock(w4))
        self.whole = nn.Sequential(*(Attention(w4) for _ in range(config.layers)))
        self.up3 = nn.Conv2d(w4, w3, 1)
        self.up2 = nn.Conv2d(w3, w2, 1)
        self.up1 = nn.Conv2d(w2, w1, 1)
        self.fuse3 = nn.Sequential(ResidualBlock(w3), GlobalContext(w3))
        self.fuse2 = ResidualBlock(w2)
        self.fuse1 = ResidualBlock(w1)
        self.head = nn.Sequential(nn.Conv2d(w1 + w3, 96, 1), nn.ReLU(), nn.Conv2d(96, config.dim, 1))
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    @staticmethod
    def _down(narrow: int, wide: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(narrow, wide, 3, 2, 1), ResidualBlock(wide), ResidualBlock(wide))

    def forward(self, pictures: Tensor) -> Tensor:
        f1 = self.stem(pictures)
        f2 = self.down2(f1)
        f3 = self.down3(f2)
        f4 = self.whole(self.down4(f3))
        f3 = self.fuse3(f3 + self._grow(self.up3(f4), 2))
        f2 = self.fuse2(f2 + self._grow(self.up2(f3), 2))
        f1 = self.fuse1(f1 + self._grow(self.up1(f2), 2))
        return F.normalize(self.head(torch.cat([f1, self._grow(f3, 4)], 1)), dim=1)

    @staticmethod
    def _grow(features: Tensor, factor: int) -> Tensor:
        return F.interpolate(features, scale_factor=factor, mode="bilinear", align_corners=False)

    def logits(self, embeddings: Tensor, text: Tensor) -> Tensor:
        """Scaled cosines `[B, P, S/2, S/2]` of pixel embeddings with `text [P, D]`."""
        return self.log_scale.exp() * torch.einsum("bdhw,pd->bphw", embeddings, text)


def network_input(picture: Tensor, depth: Tensor) -> Tensor:
    """Planes `[B, 3, S, S]` from a picture `[B, S, S, 3] u1` and its depth `[B, S, S]` (inf = empty).

    Depth is relative to the nearest visible point and in object sizes, so distance does not matter.
    """
    seen = torch.isfinite(depth)
    near = depth.masked_fill(~seen, float("inf")).amin((1, 2), keepdim=True)
    far = depth.masked_fill(~seen, float("-inf")).amax((1, 2), keepdim=True)
    relative = (depth - near) / (far - near).clamp(min=1e-6)
    relative = torch.where(seen, 1.0 - relative, torch.zeros_like(depth))
    gray = picture.float().mean(-1) / 255.0
    gray = torch.where(seen, gray, torch.zeros_like(gray))
    return torch.stack([gray, relative, seen.float()], 1)


class MiniTeacher:
    """A pixel teacher: per view and part the probability that a pixel shows that part.

    path: weights as `train_mini` writes them.  device: where the network runs.  batch: views at once.
    Raises PartDistillError where the weights are missing or damaged.
    """

    name = "mini"
    kind: Literal["pixel"] = "pixel"

    def __init__(self, path: Path = DEFAULT_PATH, device: str = "cpu", batch: int = 16) -> None:
        remedy = "install the package again" if path == DEFAULT_PATH else "name a mini.pt that train_mini has written"
        with parsing(path, "teacher 'mini'", remedy):
            content = load_weights(path, remedy)
            self._net = MiniNet(MiniConfig(**{"layers": 0, **content["config"]}))  # files of before have none
            self._net.load_state_dict({key: value.float() for key, value in content["state"].items()})
        self._net.to(device).eval()
        self._space, self._device, self._batch = TextSpace.load(), device, batch
        self.size = self._net.config.size
        self.key = f"mini-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}-{self._space.identity}"

    @classmethod
    def from_spec(cls, spec: TeacherSpec, device: str = "cpu") -> MiniTeacher:
        """The weights of the file that the spec names, else the shipped ones."""
        return cls(Path(spec.argument) if spec.argument else DEFAULT_PATH, device)

    @torch.no_grad()
    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> PixelAnswer:
        """Scores `[V, P, H, W]` that sum to 1 over the parts on the object and are 0 beside it."""
        text = torch.from_numpy(self._space.encode(parts)).to(self._device)
        height, width = rendering.size
        scores, done = np.empty((len(rendering), len(parts), height, width), np.float32), 0
        for embeddings, shown in self._embeddings(rendering):
            logits = self._net.logits(embeddings, text)
            logits = F.interpolate(logits, (height, width), mode="bilinear", align_corners=False)
            scores[done : done + len(logits)] = (logits.softmax(1) * shown).cpu().numpy()
            done += len(logits)
        return PixelAnswer(scores)

    def text(self, parts: Sequence[str], category: str | None) -> NDArray[np.float32]:
        """Unit embeddings `[P, D]` of the parts in the space of `features`."""
        return self._space.encode(parts)

    @torch.no_grad()
    def features(self, rendering: Rendering) -> NDArray[np.float32]:
        """Unit features `[V, D, H/2, W/2]` in the text space."""
        return np.concatenate([embeddings.cpu().numpy() for embeddings, _ in self._embeddings(rendering)])

    def _embeddings(self, rendering: Rendering) -> Iterator[tuple[Tensor, Tensor]]:
        """Per batch of views the pixel embeddings, and what is not background `[V, 1, H, W]`."""
        for at in range(0, len(rendering.picture), self._batch):
            picture = torch.from_numpy(rendering.picture[at : at + self._batch]).to(self._device)
            depth = torch.from_numpy(rendering.depth[at : at + self._batch]).to(self._device)
            planes = network_input(picture, depth)
            if planes.shape[2:] != (self.size, self.size):
                planes = F.interpolate(planes, (self.size, self.size), mode="area")
            yield self._net(planes.contiguous(memory_format=torch.channels_last)), torch.isfinite(depth)[:, None]

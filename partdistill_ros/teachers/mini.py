# SPDX-License-Identifier: Apache-2.0
"""`mini`: the small pixel-wise vision-language model that the package ships, a stand-in for CLIP."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from partdistill_ros.errors import PartDistillError
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.mini_net import MiniConfig, MiniNet, network_input
from partdistill_ros.teachers.protocol import PixelAnswer
from partdistill_ros.text.space import TextSpace

DEFAULT_PATH = Path(__file__).parent.parent / "models" / "mini" / "mini.pt"


class MiniTeacher:
    """A pixel teacher: per view and part the probability that a pixel shows that part.

    path: weights as `train_mini` writes them.  device: where the network runs.  batch: views at once.
    Raises PartDistillError where the weights are missing or damaged.
    """

    name = "mini"
    kind: Literal["pixel"] = "pixel"

    def __init__(self, path: Path = DEFAULT_PATH, device: str = "cpu", batch: int = 16) -> None:
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            self._net = MiniNet(MiniConfig(**content["config"]))
            self._net.load_state_dict({key: value.float() for key, value in content["state"].items()})
        except Exception as error:  # torch.load raises many kinds of error on a damaged file
            raise PartDistillError(f"cannot read the weights of the teacher 'mini' at {path}: {error}") from error
        self._net.to(device).eval()
        self._space, self._device, self._batch = TextSpace.load(), device, batch
        self.size = self._net.config.size
        self.key = f"mini-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}-{self._space.identity}"

    @classmethod
    def load(cls, device: str = "cpu") -> MiniTeacher:
        """The shipped weights."""
        return cls(device=device)

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
            yield self._net(planes), torch.isfinite(depth)[:, None]

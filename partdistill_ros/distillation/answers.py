# SPDX-License-Identifier: Apache-2.0
"""What a student in training answers: the probabilities of every point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from partdistill_ros.distillation.disk_list import DiskList
from partdistill_ros.distillation.processes import shared_out
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.pointcloud.frames import center_max_radius, turn_about_z
from partdistill_ros.pointcloud.sampling import farthest_points
from partdistill_ros.students.student import Student

TextEmbeddings = Mapping[str, Sequence[NDArray[np.float32]]]
"""Category -> its parts' embeddings, a list of `[S, D]` per part, canonical name first and synonyms after it."""


@torch.no_grad()
def predict(
    student: Student,
    samples: Sequence[Sample],
    text_embeddings: TextEmbeddings,
    device: str,
    seed: int,
    draws: int = 4,
    turned: bool = True,
) -> Sequence[NDArray[np.float32]]:
    """Probabilities `[N, P]` of every point of every sample, in eval mode, unaugmented but for the turn about the
    vertical (none unless `turned`), mean over `draws` clouds drawn from its points."""

    def answer(number: int) -> NDArray[np.float32]:
        sample = samples[number]
        text = text_embeddings[sample.category]
        return predict_points(student, sample.points, text, device, [seed, number], draws, sample.up_unknown, turned)

    return DiskList(shared_out(answer, len(samples)))


@torch.no_grad()
def predict_points(
    student: Student,
    points: NDArray[np.float32],
    text_embeddings: Sequence[NDArray[np.float32]],
    device: str = "cpu",
    seed: Sequence[int] = (0,),
    draws: int = 2,
    up_unknown: bool = False,
    turned: bool = True,
) -> NDArray[np.float32]:
    """Probabilities `[N, P]` of upright `points [N, 3]` for parts with embeddings `[S, D]` each, canonical name first.

    Each of `draws` clouds is drawn from the points, normalized as the live node does, and `turned` about the vertical;
    where nobody knows which way is up, every other one lies on its other side.
    """
    student.eval()
    config, rng = student.config, np.random.default_rng(list(seed))
    text = torch.from_numpy(np.stack([options[0] for options in text_embeddings])).to(device)
    rows = [rng.choice(len(points), config.points, replace=len(points) < config.points) for _ in range(draws)]
    turns = [turn_about_z(2 * np.pi * number / draws * turned) for number in range(draws)]
    if up_unknown:
        turns[1::2] = [turn @ np.diag([1.0, -1.0, -1.0]) for turn in turns[1::2]]
    clouds = [center_max_radius(points[row] @ turn.T) for row, turn in zip(rows, turns, strict=True)]
    centers = np.stack([farthest_points(cloud, config.centers) for cloud in clouds])
    logits = student(torch.from_numpy(np.stack(clouds)).to(device), torch.from_numpy(centers).to(device), text)
    probabilities = logits.softmax(-1).cpu().numpy()
    nearest = [cKDTree(points[row]).query(points)[1] for row in rows]
    mean: NDArray[np.float32] = np.mean([one[near] for one, near in zip(probabilities, nearest, strict=True)], axis=0)
    return mean

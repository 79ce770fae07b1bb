# SPDX-License-Identifier: Apache-2.0
"""Two processes on this machine train as one does, and go on where one was."""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from partdistill_ros.distillation import optimizer
from partdistill_ros.distillation.augmentation import augment
from partdistill_ros.distillation.config import Augmentation
from partdistill_ros.distillation.pretrain import Cloud, Pretraining
from partdistill_ros.distillation.processes import (
    end_others,
    from_first,
    is_first,
    own_rows,
    share,
    shared_out,
)
from partdistill_ros.distillation.progress import Progress
from partdistill_ros.distillation.samples import Sample
from tests.distillation import test_pretrain
from tests.distillation.test_trainer import REGRADED, Killed, killed_after, make

PRETRAINING = test_pretrain.config(Path("e.pt"), batch=3, min_steps=2)
SCHEDULE = replace(REGRADED, epochs=4, batch=3, min_steps=2)
ONE_OF_TWO = """
import json, pickle, sys
from pathlib import Path
import numpy as np, torch
from partdistill_ros.distillation import optimizer, processes
from tests.distillation import test_processes as here

optimizer.has_bfloat16 = lambda kind: False
folder = Path(sys.argv[1])
samples = pickle.loads((folder / "samples").read_bytes())
with processes.joined("cpu"):
    rank = 1 - processes.is_first()
    first = here.make(samples, schedule=here.SCHEDULE)
    first.train_step(np.arange(3), 0)
    gradients = [one.grad for one in first.student.parameters()]
    sent = list(processes.from_first(lambda: ["of the first", np.arange(3)] if not rank else 1 / 0))
    made = list(processes.shared_out(lambda number: (number, rank), 5))
    try:
        processes.own_rows(1)
    except Exception as error:
        refused = str(error)
    processes.check_alike(7)
    try:
        processes.check_alike(rank)
    except Exception as error:
        refused += str(error)
    resumed = here.make(samples, folder / str(rank) / "fit.pt", schedule=here.SCHEDULE)
    told = []
    student = resumed.run(told.append)
    print(json.dumps([[*map(str, sent)], made, refused, told[0].epoch, resumed.state.losses]))
    encoder, losses = here.pretrained(samples, folder / str(rank) / "e.pt")
    torch.save([gradients, list(student.parameters()), encoder], folder / f"weights{rank}.pt")
    processes.end_others()
    print("the first goes on")
"""


def pretrained(
    samples: list[Sample], out: Path, report: Callable[[Progress], None] | None = None
) -> tuple[list[torch.Tensor], list[float]]:
    """Weights and losses of a pre-training on the samples' points."""
    clouds = [Cloud(one.points, one.partial_views, one.up_unknown) for one in samples]
    run = Pretraining(test_pretrain.make("patch_transformer"), clouds, replace(PRETRAINING, out=out))
    losses = run.run(report)
    return list(run.model.parameters()), losses


def test_two_processes_train_as_one(samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizer, "has_bfloat16", lambda kind: False)  # whose rounding would hide an error
    (tmp_path / "samples").write_bytes(pickle.dumps(samples))
    with pytest.raises(Killed):
        make(samples, tmp_path / "0" / "fit.pt", schedule=SCHEDULE).run(killed_after(2))
    before = (tmp_path / "0" / "fit.pt").read_bytes()
    with pytest.raises(Killed):
        pretrained(samples, tmp_path / "0" / "e.pt", killed_after(3))
    shutil.copytree(tmp_path / "0", tmp_path / "1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    both = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_OF_TWO, str(tmp_path)], stdout=subprocess.PIPE, text=True,
            env=os.environ | {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port},
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        said = [one.communicate(timeout=300)[0].splitlines() for one in both]
    finally:
        for one in both:
            one.kill()
    assert [one.returncode for one in both] == [0, 0]
    assert said[0][0] == said[1][0] and said[0][1:] == ["the first goes on"] and said[1][1:] == []
    assert '["of the first", "[0 1 2]"], [[0, 0], [1, 1], [2, 0], [3, 1], [4, 0]]' in said[0][0]
    assert "2 processes cannot share batches of 1 clouds" in said[0][0]
    assert "the processes do not go on from the same checkpoint" in said[0][0]
    assert (tmp_path / "0" / "fit.pt").read_bytes() != before == (tmp_path / "1" / "fit.pt").read_bytes()

    alone = make(samples, schedule=SCHEDULE)
    alone.train_step(np.arange(3), 0)
    expected = [[one.grad for one in alone.student.parameters()]]
    expected.append(list(make(samples, schedule=SCHEDULE).run().parameters()))
    expected.append(pretrained(samples, tmp_path / "alone.pt")[0])
    found = [torch.load(tmp_path / f"weights{rank}.pt") for rank in range(2)]
    for kind, tolerance in enumerate((1e-4, 1e-2, 1e-2)):  # of the largest; a training makes rounding larger
        for one, other, wanted in zip(found[0][kind], found[1][kind], expected[kind], strict=True):
            assert torch.equal(one, other), "all hold the same"
            torch.testing.assert_close(one, wanted, rtol=0, atol=tolerance * float(wanted.detach().abs().max()))


def test_alone_everything_is_ones_own() -> None:
    assert is_first() and own_rows(7) == range(7) and share(7) == 1.0
    assert list(from_first(lambda: [1, 2])) == [1, 2] and list(shared_out(str, 3)) == ["0", "1", "2"]
    end_others()


def test_a_cloud_of_another_process_costs_no_centers_and_the_same_random_numbers(samples: list[Sample]) -> None:
    one, other = np.random.default_rng(0), np.random.default_rng(0)
    drawn = augment(one, samples[0].points, None, False, Augmentation(), 256, 64)
    skipped = augment(other, samples[0].points, None, False, Augmentation(), 256, 0)
    assert len(drawn.centers) == 64 and len(skipped.centers) == 0
    np.testing.assert_array_equal(drawn.points, skipped.points)
    assert one.random() == other.random()

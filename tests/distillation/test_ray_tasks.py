# SPDX-License-Identifier: Apache-2.0
"""Work on other processes gives what it gives here, in order, whoever dies meanwhile."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.distillation.ray_tasks import RETRIES, in_order
from partdistill_ros.distillation.sources import collect_samples
from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.io.content_key import content_key


class Crashed(Exception):
    """Ray's error of a worker that died."""


class Raised(Exception):
    """Ray's error of a task that raised."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Ray's functions that are used, which work here and at once; `calls` notes how."""
    calls: list[tuple[str, object]] = []

    def get(made: object) -> object:
        if isinstance(made, Exception):
            raise made
        return made

    def attempt(make, task):
        try:
            return make(task)
        except Crashed as error:
            return error
        except Exception as error:
            return Raised(error)

    fake = SimpleNamespace(
        calls=calls,
        init=lambda **how: calls.append(("init", how)),
        shutdown=lambda: calls.append(("shutdown", None)),
        cluster_resources=lambda: {"CPU": 2.0},
        nodes=lambda: [{"Alive": True, "Resources": have} for have in ({"CPU": 2.0}, {"CPU": 2.0, "GPU": 1.0})],
        remote=lambda **needs: (
            lambda make: calls.append(("needs", needs)) or SimpleNamespace(remote=lambda task: attempt(make, task))
        ),
        get=get,
        exceptions=SimpleNamespace(RayTaskError=Raised, RayError=(Raised, Crashed)),
    )
    monkeypatch.setitem(sys.modules, "ray", fake)
    return fake


def test_results_come_in_the_order_of_the_tasks(ray: SimpleNamespace) -> None:
    read: list[int] = []
    found = in_order(lambda task: task**2, (read.append(i) or i for i in range(30)), "local:2")
    assert next(found) == (0, 0)
    assert len(read) == 8, "few are read before the first is made"
    assert list(found) == [(i, i**2) for i in range(1, 30)]
    assert [name for name, _ in ray.calls] == ["init", "needs", "shutdown"]
    assert ray.calls[0][1]["num_cpus"] == 2 and ray.calls[1][1]["max_retries"] == RETRIES


def test_a_task_that_kills_its_workers_is_told_and_the_others_go_on(ray: SimpleNamespace) -> None:
    def make(task: int) -> int:
        if task == 1:
            raise Crashed("The worker died\nof a long story")
        return task

    found = list(in_order(make, range(3), "10.0.0.1:6379", "cuda"))
    assert [one for _, one in found if not isinstance(one, PartDistillError)] == [0, 2]
    assert "died 4 times (The worker died): give" in str(found[1][1])
    assert ray.calls[0][1]["address"] == "10.0.0.1:6379" and ray.calls[1][1]["num_gpus"] == 1


def test_what_a_task_raises_is_raised_here_and_the_connection_ends(ray: SimpleNamespace) -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda task: 1 // task, range(3), "local"))
    assert ray.calls[-1][0] == "shutdown"


def test_where_no_cluster_answers_a_sentence_says_so(ray: SimpleNamespace) -> None:
    def refuse(**_: object) -> None:
        raise ConnectionError("nobody there\nat all")

    ray.init = refuse
    with pytest.raises(PartDistillError, match=r"--ray 10.0.0.1:1: no cluster answers \(nobody there\): start one"):
        list(in_order(str, range(3), "10.0.0.1:1"))


@pytest.mark.parametrize(("device", "resources", "words"), [
    ("cuda", {"CPU": 8.0}, "has a GPU and a core for workers: use --device cpu, or start Ray with --num-gpus on one"),
    ("cpu", {"GPU": 1.0}, "has a core for workers: start Ray with --num-cpus"),
])  # fmt: skip
def test_a_cluster_without_what_a_task_needs_is_refused(
    ray: SimpleNamespace, device: str, resources: dict[str, float], words: str
) -> None:
    gone = {"Alive": False, "Resources": {"CPU": 8.0, "GPU": 1.0}}
    ray.nodes = lambda: [{"Alive": True, "Resources": resources}, gone]
    with pytest.raises(PartDistillError, match=f"--ray 10.0.0.1:6379: no machine of the cluster {words}"):
        list(in_order(str, range(3), "10.0.0.1:6379", device))
    assert [name for name, _ in ray.calls] == ["init", "shutdown"], "nothing waits on the cluster"


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"partdistill_ros\[ray\]"):
        list(in_order(str, range(3), "local"))


@pytest.mark.parametrize("address", ["local:0", "local:many"])
def test_a_number_of_workers_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(PartDistillError, match=f"--ray {address}: write local"):
        DistillConfig((Path("x.npz"),), ("a", "b"), Path("out"), ray=address)


def how(folder: Path, ray: str | None) -> DistillConfig:
    return DistillConfig(
        (), ("handle", "cup"), folder / "mugs", category="mug", generated=("procedural:3",), cloud_points=600, ray=ray
    )


def test_samples_of_workers_are_those_of_one_process(ray: SimpleNamespace, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    samples = [
        collect_samples(how(tmp_path, address), ("handle", "cup"), tmp_path / str(address), lambda one: told.append(
            (one.stage, one.epoch, one.epochs)), [])
        for address in (None, "local")
    ]  # fmt: skip
    assert content_key(samples[0]) == content_key(samples[1])
    assert told[-3:] == [("extract", 1, 3), ("extract", 2, 3), ("extract", 3, 3)]
    entries = [sorted(path.name for path in (tmp_path / name / "knowledge").iterdir()) for name in ("None", "local")]
    assert entries[0] == entries[1] and len(entries[0]) == 3


def test_a_worker_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray: the extra 'ray'")
    first = tmp_path / "first"

    def make(task: int) -> int | PartDistillError:
        if task == 2 and not first.exists():
            first.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return PartDistillError("a broken scan") if task == 3 else task

    before = signal.getsignal(signal.SIGTERM)
    found = [str(one) for _, one in in_order(make, range(5), "local:2")]
    assert first.exists() and found == ["0", "1", "2", "a broken scan", "4"]
    assert signal.getsignal(signal.SIGTERM) is before

# SPDX-License-Identifier: Apache-2.0
"""The provider is chosen, reported and never falls back in silence or with noise."""

import numpy as np
import onnxruntime
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference import session as session_module
from partdistill_ros.inference.session import CPU, CUDA, StudentSession


def inputs(batch=1, names=2):
    points = np.random.default_rng(0).random((batch, 2048, 3), np.float32)
    text = np.zeros((names, 4), np.float32)
    text[0, 2] = 1
    return points, np.tile(np.arange(128), (batch, 1)), text


class FakeSession:
    """What onnxruntime gives where CUDA works, with `on_cpu` of four nodes left on the CPU."""

    def __init__(self, on_cpu):
        self.on_cpu = on_cpu

    def get_providers(self):
        return [CUDA, CPU]

    def get_provider_graph_assignment_info(self):
        class Part:
            def __init__(self, name, count):
                self.ep_name, self.count = name, count

            def get_nodes(self):
                return [None] * self.count

        return [Part(CUDA, 4 - self.on_cpu), Part(CPU, self.on_cpu)]


@pytest.mark.parametrize("threads", [1, 3])
def test_clouds_of_a_batch_come_back_in_their_order(toy_model, threads):
    points, centers, text = inputs(batch=7)
    session = StudentSession(toy_model, "cpu", threads)
    alone = [session.run(points[at : at + 1], centers[at : at + 1], text)[0] for at in range(7)]
    np.testing.assert_array_equal(session.run(points, centers, text), alone)


@pytest.mark.parametrize("threads", [1, 2])
def test_clouds_are_answered_as_they_are_made(toy_model, threads):
    """Nothing is lost where clouds are still being made while others are answered, nor where there is none or one."""
    points, centers, text = inputs(batch=5)
    session = StudentSession(toy_model, "cpu", threads)
    for count in (0, 1, 5):
        made = ((points[at], centers[at]) for at in range(count))
        answers = list(session.run_each(made, text))
        assert len(answers) == count
        for answer, alone in zip(answers, session.run(points, centers, text), strict=False):
            np.testing.assert_array_equal(answer, alone)


@pytest.mark.parametrize("threads", [1, 3])
def test_each_keeps_the_order(toy_model, threads):
    assert StudentSession(toy_model, "cpu", threads).each(abs, range(-9, 0)) == list(range(9, 0, -1))


def test_a_cloud_that_fails_fails_the_batch_with_a_sentence(toy_model):
    points, centers, text = inputs(batch=3)
    centers[1] = 5_000  # beyond the points
    with pytest.raises(PartDistillError, match="the student failed on cpu"):
        StudentSession(toy_model, "cpu", 2).run(points, centers, text)


@pytest.mark.parametrize(("batch", "names"), [(1, 1), (3, 2), (5, 64)])
def test_free_batch_and_free_number_of_names(toy_model, batch, names):
    points, centers, text = inputs(batch, names)
    logits = StudentSession(toy_model, "cpu", threads=1).run(points, centers, text)
    assert logits.shape == (batch, 2048, names) and logits.dtype == np.float32
    assert np.allclose(logits[..., 0], 8 * points[..., 2], atol=1e-5)


def test_cpu_has_nothing_to_explain(toy_model):
    session = StudentSession(toy_model, "cpu", threads=3)
    assert (session.provider, session.note, session.threads) == ("cpu", "", 3)


def test_threads_default_to_the_cores_of_the_process(toy_model, monkeypatch):
    monkeypatch.setattr(session_module.os, "sched_getaffinity", lambda _: set(range(5)))
    assert StudentSession(toy_model, "cpu").threads == 5
    monkeypatch.setattr(session_module.os, "sched_getaffinity", lambda _: set(range(64)))
    assert StudentSession(toy_model, "cpu").threads == 8


def test_wrong_arguments(toy_model):
    with pytest.raises(PartDistillError, match="device 'gpu' is unknown: choose auto, cpu, cpu_int8, cuda"):
        StudentSession(toy_model, "gpu")
    with pytest.raises(PartDistillError, match="threads must be at least 1"):
        StudentSession(toy_model, "cpu", threads=0)


def test_without_driver_auto_falls_back_and_says_why(toy_model, monkeypatch):
    monkeypatch.setattr(session_module, "_gpu_missing", lambda wanted: "no NVIDIA driver (libcuda.so.1 not found)")
    session = StudentSession(toy_model, "auto")
    assert session.provider == "cpu" and "no NVIDIA driver" in session.note
    with pytest.raises(PartDistillError, match="device 'cuda' does not work here: no NVIDIA driver"):
        StudentSession(toy_model, "cuda")


@pytest.mark.parametrize(("device", "driver", "fell_back"), [
    ("auto", True, True), ("auto", False, False), ("cpu", True, False),
])  # fmt: skip
def test_a_gpu_left_idle_is_told_from_no_gpu(toy_model, monkeypatch, device, driver, fell_back):
    monkeypatch.setattr(session_module, "_has_driver", lambda: driver)
    monkeypatch.setattr(session_module.onnxruntime, "get_available_providers", lambda: [CPU])
    assert StudentSession(toy_model, device, threads=1).fell_back == fell_back


def test_a_runtime_without_cuda_is_named(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    assert "install onnxruntime-gpu" in session_module._gpu_missing(CUDA)


def test_whatever_happens_with_cuda_is_quiet_and_reported(toy_model, monkeypatch, capfd):
    """With the driver check out of the way the runtime really tries to load its CUDA library."""
    if CUDA not in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has no CUDA provider to try")
    monkeypatch.setattr(session_module, "_gpu_missing", lambda wanted: "")
    session = StudentSession(toy_model, "auto")
    assert capfd.readouterr() == ("", "")
    assert session.provider == "cuda" or "CUDA" in session.note
    assert session.run(*inputs()).shape == (1, 2048, 2)


def test_cuda_that_works_is_used_with_its_options(toy_model, monkeypatch):
    asked = []

    def fake(model, providers, threads):
        asked.append(providers)
        return FakeSession(on_cpu=1)

    monkeypatch.setattr(session_module, "_gpu_missing", lambda wanted: "")
    monkeypatch.setattr(session_module, "open_session", fake)
    session = StudentSession(toy_model, "auto")
    assert session.provider == "cuda" and session.note == "1 of 4 nodes run on the CPU"
    name, options = asked[0][0]
    assert name == CUDA and options["cudnn_conv_algo_search"] == "HEURISTIC" and options["use_tf32"] == "0"


def test_a_network_that_silently_stayed_on_the_cpu_is_noticed(monkeypatch):
    monkeypatch.setattr(session_module, "_gpu_missing", lambda wanted: "")
    monkeypatch.setattr(session_module, "open_session", lambda *_: FakeSession(on_cpu=4))
    with pytest.raises(PartDistillError, match="placed no node on CUDA"):
        StudentSession(b"", "cuda")


def test_node_assignment_is_read_from_the_runtime(toy_model):
    session = session_module.open_session(toy_model, [CPU], 1)
    if not hasattr(session, "get_provider_graph_assignment_info"):
        pytest.skip("this onnxruntime does not tell, as those for CPython 3.10")
    on_cpu, total = session_module._nodes_elsewhere(session, CUDA)
    assert on_cpu == total > 0


def test_a_model_the_runtime_cannot_load():
    with pytest.raises(PartDistillError, match="onnxruntime cannot load the network"):
        StudentSession(b"not a model", "cpu")


def test_a_model_whose_names_are_no_text_is_refused_without_a_word_on_the_terminal(toy_model, capfd):
    output = toy_model.rindex(b"logits")
    damaged = toy_model[:output] + b"\xe5\xe5" + toy_model[output + 2 :]
    with pytest.raises(PartDistillError, match="onnxruntime cannot load the network: .*utf-8"):
        StudentSession(damaged, "cpu", 1)
    assert capfd.readouterr() == ("", "")


def test_a_failing_run_names_the_provider(toy_model):
    points, centers, text = inputs()
    with pytest.raises(PartDistillError, match="the student failed on cpu"):
        StudentSession(toy_model, "cpu").run(points, centers + 5_000, text)


def test_warm_up_runs_the_network(toy_model, monkeypatch):
    session = StudentSession(toy_model, "cpu", threads=1)
    shapes = []
    run = session.run
    monkeypatch.setattr(session, "run", lambda *arrays: shapes.append([a.shape for a in arrays]) or run(*arrays))
    session.warm_up(2048, 128, 4, batch=2)
    assert shapes == [[(2, 2048, 3), (2, 128), (2, 4)]]

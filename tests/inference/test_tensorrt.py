# SPDX-License-Identifier: Apache-2.0
"""TensorRT as far as it goes without a GPU: what the provider is asked for, what is believed of it, what is refused."""

from __future__ import annotations

import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference import segmenter as segmenter_module
from partdistill_ros.inference import session as session_module
from partdistill_ros.inference import tensorrt
from partdistill_ros.inference.bundle import Bundle
from partdistill_ros.inference.segmenter import Segmenter, build_engine
from partdistill_ros.inference.session import CPU, CUDA, Bound, StudentSession, open_session
from partdistill_ros.inference.tensorrt import CHECK, TENSORRT, agreement


@pytest.fixture
def on_a_gpu(monkeypatch):
    """A machine that has a GPU, as far as anybody asks."""
    monkeypatch.setattr(tensorrt, "gpu", lambda: "NVIDIA RTX 4000_sm89")
    monkeypatch.setattr(tensorrt, "tensorrt_version", lambda: "10.13.0")
    monkeypatch.setattr(session_module, "_gpu_missing", lambda wanted: "")


class FakeSession:
    """Runs on the CPU and says that it runs on TensorRT, `elsewhere` of four nodes apart; `wrong`: share of points that
    it labels otherwise."""

    def __init__(self, model, elsewhere=0, wrong=0.0):
        self.inner, self.elsewhere, self.wrong = open_session(model, [CPU], 1), elsewhere, wrong

    def get_providers(self):
        return [TENSORRT, CUDA, CPU]

    def get_provider_graph_assignment_info(self):
        counts = ((TENSORRT, 4 - self.elsewhere), (CUDA, self.elsewhere))
        return [SimpleNamespace(ep_name=name, get_nodes=lambda count=count: [None] * count) for name, count in counts]

    def io_binding(self):
        return self.inner.io_binding()

    def run_with_iobinding(self, binding):
        self.inner.run_with_iobinding(binding)


@pytest.fixture
def providers(monkeypatch):
    """`providers(**of_the_fake)`: the providers that each session on a GPU was asked for."""

    def use(**fake):
        asked, real = [], session_module.open_session

        def opened(model, wanted, threads, axes=None):
            if wanted == [CPU]:
                return real(model, wanted, threads, axes)
            asked.append(wanted)
            folder = wanted[0][1].get("trt_engine_cache_path")
            if folder:
                open(f"{folder}/student.engine", "w").close()
            return FakeSession(model, **fake)

        def bound(session, device):
            made = Bound(session, "cpu")
            run = made.run

            def flipped(points, centers, text):
                logits = run(points, centers, text)
                logits[:, : int(session.wrong * logits.shape[1])] *= -1
                return logits

            made.run = flipped
            return made

        monkeypatch.setattr(session_module, "open_session", opened)
        monkeypatch.setattr(session_module, "Bound", bound)
        return asked

    return use


def clouds(bundle, count=2):
    return list(np.random.default_rng(0).random((count, bundle.points, 3), np.float32))


@pytest.fixture
def bundle(toy_path, tmp_path):
    return Bundle.load(shutil.copytree(toy_path, tmp_path / "copy" / "toy"))


@pytest.mark.parametrize(("device", "half"), [("tensorrt", "0"), ("tensorrt_fp16", "1")])
def test_an_engine_is_built_checked_and_then_used(bundle, on_a_gpu, providers, device, half):
    asked = providers(elsewhere=1)
    with pytest.raises(PartDistillError, match="no engine for this GPU.*partdistill info BUNDLE --build-engine"):
        Segmenter(bundle, device)
    engine, alike = build_engine(bundle, device, clouds(bundle))
    assert alike == 1.0 and json.loads((engine.folder / CHECK).read_text()) == {"passed": True, "agreement": 1.0}
    assert engine.folder.parent.name == "toy.engines" and "NVIDIA-RTX-4000_sm89_ort" in engine.folder.name
    assert engine.folder.name.split("_")[3] == "trt10.13.0"
    name, options = asked[0][0]
    assert name == TENSORRT and asked[0][1][0] == CUDA and asked[0][2] == CPU
    assert options["trt_fp16_enable"] == half and options["trt_engine_cache_path"] == str(engine.folder)
    sizes = [options[f"trt_profile_{which}_shapes"] for which in ("min", "opt", "max")]
    assert sizes[0] == f"points:1x{bundle.points}x3,centers:1x{bundle.centers},text:1x{bundle.text_dim}"
    assert sizes[2] == f"points:16x{bundle.points}x3,centers:16x{bundle.centers},text:1024x{bundle.text_dim}"
    segmenter = Segmenter(bundle, device)
    assert (segmenter.provider, segmenter.provider_note) == ("tensorrt", "1 of 4 nodes run on CUDA or the CPU")
    query, cloud = segmenter.query("top, bottom"), clouds(bundle, 1)
    np.testing.assert_array_equal(
        segmenter.segment(cloud, query, [(0, 0, 1)])[0].labels,
        Segmenter(bundle, "cpu", threads=1).segment(cloud, query, [(0, 0, 1)])[0].labels,
    )


def test_an_engine_that_labels_otherwise_is_not_used(bundle, on_a_gpu, providers):
    providers(wrong=0.01)
    with pytest.raises(PartDistillError, match=r"labels 0.98% of the points otherwise than the CPU, 0.1% are allowed"):
        build_engine(bundle, "tensorrt_fp16", clouds(bundle))
    with pytest.raises(PartDistillError, match="--build-engine --half"):
        Segmenter(bundle, "tensorrt_fp16")


def test_another_gpu_version_or_model_wants_an_engine_of_its_own(bundle, on_a_gpu, monkeypatch):
    def folder(model=b"one", half=False):
        sizes = {"points": 2048, "centers": 128, "text_dim": 4}
        return tensorrt.engine_of(bundle.path, model, half=half, **sizes).folder

    folders = {folder(), folder(b"two"), folder(half=True)}
    monkeypatch.setattr(tensorrt, "gpu", lambda: "Orin_sm87")
    folders.add(folder())
    monkeypatch.setattr(tensorrt, "tensorrt_version", lambda: "10.14.0")
    assert len(folders | {folder()}) == 5


def test_a_network_that_stayed_elsewhere_is_noticed(bundle, on_a_gpu, providers, tmp_path):
    providers(elsewhere=4)
    engine = tensorrt.Engine(tmp_path, False, bundle.points, bundle.centers, bundle.text_dim)
    with pytest.raises(PartDistillError, match="'tensorrt' does not work here: onnxruntime placed no node on TensorRT"):
        StudentSession(bundle.model, "tensorrt", engine=engine)


def test_without_gpu_or_tensorrt_one_sentence_says_so(bundle, monkeypatch):
    monkeypatch.setattr(tensorrt.ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError(name)))
    with pytest.raises(PartDistillError, match="TensorRT needs an NVIDIA GPU: no driver"):
        Segmenter(bundle, "tensorrt")
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(PartDistillError, match="TensorRT is not installed"):
        tensorrt.tensorrt_version()
    monkeypatch.setattr(session_module.onnxruntime, "get_available_providers", lambda: [CPU])
    assert "has no TensorRT, install onnxruntime-gpu" in session_module._gpu_missing(TENSORRT)


def test_agreement():
    logits = np.random.default_rng(0).standard_normal((2, 50, 3)).astype(np.float32)
    changed = logits.copy()
    changed[0, 0] = -changed[0, 0]
    assert agreement(logits, logits) == 1.0 and agreement(changed, logits) == 0.99
    assert agreement(np.where(changed > 9, changed, np.nan), logits) == 0.0


def test_buffers_that_stay_give_what_the_session_gives(bundle):
    session = open_session(bundle.model, [CPU], 1)
    bound, rng = Bound(session, "cpu"), np.random.default_rng(0)
    answers = []
    for batch, names in ((1, 2), (3, 4), (3, 4), (1, 2)):
        points = rng.random((batch, bundle.points, 3), np.float32)
        centers = np.tile(np.arange(bundle.centers), (batch, 1))
        text = rng.standard_normal((names, bundle.text_dim)).astype(np.float32)
        expected = session.run(["logits"], {"points": points, "centers": centers, "text": text})[0]
        answers.append((bound.run(points, centers, text), expected))
    for answer, expected in answers:  # at the end: a later run must not change an earlier answer
        np.testing.assert_array_equal(answer, expected)


def test_buffers_are_made_anew_after_there_was_no_room(bundle, monkeypatch):
    session = open_session(bundle.model, [CPU], 1)
    bound = Bound(session, "cpu")

    def run(batch):
        points = np.ones((batch, bundle.points, 3), np.float32)
        centers = np.tile(np.arange(bundle.centers), (batch, 1))
        return bound.run(points, centers, np.ones((2, bundle.text_dim), np.float32))

    before = run(1)
    with monkeypatch.context() as no_room:
        no_room.setattr(session_module.onnxruntime.OrtValue, "ortvalue_from_shape_and_type", None)
        with pytest.raises(TypeError):
            run(2)
    np.testing.assert_array_equal(run(1), before)


def test_the_command_builds_and_says_where(monkeypatch, bundle, tmp_path, capsys):
    from partdistill_ros.cli import main as cli

    engine = tensorrt.Engine(tmp_path / "toy.engines" / "x", True, 1, 1, 1)
    asked = []
    monkeypatch.setattr(
        segmenter_module, "build_engine", lambda bundle, device, shapes: asked.append(device) or (engine, 0.9995)
    )
    assert cli.main(["info", str(bundle.path), "--build-engine", "--half"]) == 0
    assert asked == ["tensorrt_fp16"] and "labels 99.95% of the points as the CPU does" in capsys.readouterr().out
    assert cli.main(["info", str(bundle.path), "--half"]) == 2

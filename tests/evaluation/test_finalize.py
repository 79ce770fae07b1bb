# SPDX-License-Identifier: Apache-2.0
"""A student that passes is made active; a worse one is stored and told; the same one is not stored twice."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")

from partdistill_ros.distillation.config import DistillConfig  # noqa: E402
from partdistill_ros.distillation.pipeline import Run  # noqa: E402
from partdistill_ros.evaluation import finalize as room  # noqa: E402
from partdistill_ros.evaluation.bundle_check import Answers, BundleCheck  # noqa: E402
from partdistill_ros.evaluation.finalize import REPORT, finalize, reported_options  # noqa: E402
from partdistill_ros.inference.bundle import Bundle  # noqa: E402
from partdistill_ros.inference.bundle_store import BundleStore  # noqa: E402

GOOD = BundleCheck(1e-5, Answers("next", (), (), 0.8), Answers("default", (), (), 0.6), "", None)
BAD = replace(GOOD, problem="it agrees with 40.0 % of what the teacher saw")


@pytest.fixture
def made(tmp_path: Path, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch):
    """`made(check, change)`: a run that has just written `next`, closed with that verdict of the check."""

    def run(check: BundleCheck, store: Path | None, change: int = 0):
        out = tmp_path / "store" / "mugs" / "next"
        shutil.copytree(toy_bundle, out)
        if change:
            retouched(out, change)
        asked = []
        monkeypatch.setattr(room, "check_bundle", lambda *arguments: asked.append(arguments) or check)

        def report(path: Path, *_: object) -> Path:
            path.parent.mkdir(exist_ok=True)
            path.write_text("the page")
            return path

        monkeypatch.setattr(room, "write_run_page", report)
        config = DistillConfig((Path("x"),), ("top", "bottom"), out, "post")
        result = finalize(Run(out, out.with_name("next.work"), (), (), None, ()), config, store, lambda _: None)
        return result, asked[0]

    return run


def retouched(bundle: Path, seed: int) -> None:
    """Another vocabulary, with its checksum: another student."""
    import hashlib
    import json

    path = bundle / "vocabulary.npz"
    with np.load(path) as arrays:
        names, embeddings = list(arrays["names"]), arrays["embeddings"]
    np.savez(path, names=np.array([*names, f"name {seed}"]), embeddings=np.vstack([embeddings, embeddings[:1]]))
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["files"]["vocabulary.npz"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (bundle / "bundle.json").write_text(json.dumps(manifest))


def test_versions_follow_each_other_and_are_compared_with_the_one_before(made, tmp_path: Path) -> None:
    store = BundleStore(tmp_path / "store")
    first, asked = made(GOOD, store.root)
    assert asked[1] == "default" and first.active and store.current("mugs") == first.bundle.path
    assert first.page == first.bundle.path / REPORT and first.page.read_text() == "the page"
    assert "agrees with 80.0 %" in first.verdict and "'default' before it with 60.0 %" in first.verdict
    second, asked = made(GOOD, store.root, change=1)
    assert asked[1] == first.bundle.path and store.current("mugs").name == "v0002"
    assert not (tmp_path / "store" / "mugs" / "next").exists()


def test_a_worse_student_is_kept_and_not_put_active(made, tmp_path: Path) -> None:
    store = BundleStore(tmp_path / "store")
    made(GOOD, store.root)
    worse, _ = made(BAD, store.root, change=1)
    assert worse.active is False and store.current("mugs").name == "v0001"
    assert "--to v0002" in worse.verdict and "40.0 %" in worse.verdict
    assert Bundle.load(store.root / "mugs" / "v0002")


def test_the_same_student_again_makes_no_version(made, tmp_path: Path) -> None:
    store = BundleStore(tmp_path / "store")
    first, _ = made(GOOD, store.root)
    again, _ = made(GOOD, store.root)
    assert again.bundle.path == first.bundle.path and again.active and "no new version" in again.verdict
    assert len(store.versions("mugs")) == 1 and not (store.root / "mugs" / "next").exists()


def test_a_damaged_active_version_does_not_lose_the_new_student(made, tmp_path: Path) -> None:
    store = BundleStore(tmp_path / "store")
    first, _ = made(GOOD, store.root)
    (first.bundle.path / "bundle.json").write_text("{")
    second, _ = made(GOOD, store.root)
    assert second.active and second.bundle.path.name == "v0002" and store.current("mugs") == second.bundle.path


def test_without_a_store_the_bundle_stays_where_it_is(made, tmp_path: Path) -> None:
    done, _ = made(BAD, None)
    assert done.active is None and done.bundle.path == tmp_path / "store" / "mugs" / "next"
    assert "look closely" in done.verdict and done.page.parent.name == "next.work"


def test_the_page_shows_every_option_but_the_files() -> None:
    config = DistillConfig((Path("x"),), ("top", "bottom"), Path("b"), "post", epochs=3)
    shown = reported_options(config)
    assert (shown["parts"], shown["category"], shown["epochs"]) == (("top", "bottom"), "post", 3)
    assert {"teacher", "mode", "start", "backward", "generated_share"} < set(shown)
    assert not {"scans", "out"} & set(shown)

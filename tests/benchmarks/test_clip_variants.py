# SPDX-License-Identifier: Apache-2.0
"""The comparison of CLIP's variants asks each of them, and says what is wrong with its input."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.text.torchvision_import import prepare_torchvision  # noqa: E402

prepare_torchvision()
pytest.importorskip("open_clip", reason="open_clip: the extra 'clip'")
import clip_variants  # noqa: E402

from partdistill_ros.io.save import save_scan  # noqa: E402
from partdistill_ros.pointcloud.scan import sample_surface  # noqa: E402
from partdistill_ros.synthetic.families import generate  # noqa: E402
from partdistill_ros.teachers.spec import CLIP_METHODS  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("shapes")
    for seed in range(2):
        save_scan(path / f"mug{seed}.npz", sample_surface(generate("mug", seed), 1500, seed))
    return path


def test_every_variant_is_asked_and_timed(folder, capsys, monkeypatch):
    read = []
    original = clip_variants.ClipTeacher._cosines

    def noted(self, pictures, text):
        read.append(self.options.method)
        return original(self, pictures, text)

    monkeypatch.setattr(clip_variants.ClipTeacher, "_cosines", noted)
    asked = [str(folder), "--random", "--teacher", "clip,scales=1", "--each-of", "1", "--json"]
    assert clip_variants.main(asked) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == "ViT-S-32-alt, random"
    assert [one["method"] for one in found["variants"]] == list(CLIP_METHODS) == list(dict.fromkeys(read))
    assert all(one["shapes"] == 1 and one["seconds"] > 0 and 0 <= one["overall"] <= 100 for one in found["variants"])


def test_the_table_has_a_column_and_a_time_for_each(folder, capsys):
    assert clip_variants.main([str(folder), "--random", "--teacher", "clip,scales=1", "--each-of", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [f"{name}, " in lines[2] for name in ("constant", *CLIP_METHODS)] == [True] * 5
    assert [line.split(":")[0] for line in lines[-4:]] == list(CLIP_METHODS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--teacher", "mini"], "those of the teacher 'clip'"),
        (["--weights", "gone"], "gone does not exist"),
        (["--teacher", "clip:ViT-B-61"], "no model 'ViT-B-61'"),
        (["--teacher", "clip,metod=x"], "no option 'metod'"),
    ],
)
def test_mistakes_are_told(folder, capsys, arguments, words):
    assert clip_variants.main([str(folder), *arguments]) == 2 and words in capsys.readouterr().err
    assert clip_variants.main([str(folder / "gone.npz"), "--random"]) == 2

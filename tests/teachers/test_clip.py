# SPDX-License-Identifier: Apache-2.0
"""The teacher `clip` with random weights: prompts, windows, scores, batches, cache and key."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
import torch.nn.functional as F  # noqa: E402

from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.pointcloud.scan import sample_surface  # noqa: E402
from partdistill_ros.rendering.cameras import ten_views  # noqa: E402
from partdistill_ros.rendering.rasterize import render_scan  # noqa: E402
from partdistill_ros.synthetic.families import generate  # noqa: E402
from partdistill_ros.teachers.cache import AnswerCache  # noqa: E402
from partdistill_ros.teachers.clip import PROMPTS, ClipTeacher, fill, sliding_windows, templates  # noqa: E402
from partdistill_ros.teachers.clip_dense import dense_features  # noqa: E402
from partdistill_ros.teachers.clip_model import load_clip  # noqa: E402
from partdistill_ros.teachers.registry import load_teacher  # noqa: E402
from partdistill_ros.teachers.spec import ClipOptions  # noqa: E402

PARTS = ("handle", "cup")


@pytest.fixture
def model(clip_folder):
    return load_clip("", str(clip_folder("vit")))


def scores(model, rendering, **options):
    return ClipTeacher(model, ClipOptions(**{"cache": "off", **options})).answer(rendering, PARTS, "mug").scores


@pytest.mark.parametrize("kind", ["vit", "resnet", "siglip"])
def test_scores_are_probabilities_on_the_object_alone(clip_folder, mug_views, kind):
    model = load_clip("", str(clip_folder(kind)))
    found = scores(model, mug_views)
    assert found.shape == (10, 2, 96, 96) and found.dtype == np.float32
    inside = mug_views.index >= 0
    np.testing.assert_allclose(found.sum(1)[inside], 1, atol=1e-5)
    assert (found.sum(1)[~inside] == 0).all()


def test_scores_are_cosines_with_the_mean_sentence(model, mug_views):
    """One scale, plain picture of the model's own size: everything written out."""
    from partdistill_ros.rendering.rasterize import Rendering

    small = render_scan(sample_surface(generate("mug", 900_001), 2000), ten_views(), 64)
    assert isinstance(small, Rendering)
    found = scores(model, small, scales="1", picture="color", prompts="photo", temperature=0.05)
    planes = torch.from_numpy(small.picture).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        patches = dense_features(model.network.visual, (planes - model.mean) / model.std, "sclip").patches
        patches = patches / patches.norm(dim=1, keepdim=True)
        sentences = [["a photo of a {}.", "a close-up photo of a {}.", "a rendering of a {}."][i] for i in range(3)]
        text = []
        for part in PARTS:
            one = model.network.encode_text(model.tokenize([s.format(part) for s in sentences]), normalize=True).mean(0)
            text.append(one / one.norm())
        cosines = torch.einsum("bdhw,pd->bphw", patches, torch.stack(text))
        large = torch.nn.functional.interpolate(cosines, (64, 64), mode="bilinear")
        wanted = (large / 0.05).softmax(1).numpy() * (small.index >= 0)[:, None]
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_batches_do_not_change_the_answer(model, mug_views):
    one, many = (scores(model, mug_views, batch=size) for size in (1, 16))
    np.testing.assert_allclose(one, many, atol=1e-4)


@pytest.mark.parametrize(("picture", "windows"), [("color", 1 + 9), ("shaded", 1), ("auto", 1)])  # auto: depth
def test_sixty_views_take_the_memory_of_a_batch(
    model, mug_views, sixty_views, memory_of, monkeypatch, picture, windows
):
    scales = "1" if windows == 1 else "1+2"
    teacher, seen = ClipTeacher(model, ClipOptions(batch=8, picture=picture, scales=scales, cache="off")), []

    def counted(visual, pictures, method):
        seen.append(len(pictures))
        return dense_features(visual, pictures, method)

    monkeypatch.setattr("partdistill_ros.teachers.clip.dense_features", counted)
    teacher.answer(mug_views, PARTS, "mug")  # what is made once
    few, many = (
        memory_of(lambda views: teacher.answer(views, PARTS, "mug").scores, views) for views in (mug_views, sixty_views)
    )
    assert sum(seen) == (10 + 10 + 60) * windows and max(seen) == 8
    assert many[1] == few[1], "torch saw no more at once"
    assert many[2] - many[0].nbytes < few[2] - few[0].nbytes + 500_000, "beside the answer"
    np.testing.assert_allclose(many[0][50:], few[0], atol=1e-4)


def test_one_covering_tile_is_the_picture(model, mug_views):
    np.testing.assert_allclose(
        scores(model, mug_views, scales="1"), scores(model, mug_views, scales="1+1", overlap=0.8), atol=1e-5
    )
    assert np.abs(scores(model, mug_views, scales="1") - scores(model, mug_views, scales="2")).max() > 1e-3


def test_half_precision_is_close(model, mug_views):
    full, half = (scores(model, mug_views, precision=precision) for precision in ("fp32", "bf16"))
    assert 0 < np.abs(full - half).max() < 0.2 and np.abs(full - half).mean() < 0.02


def test_a_view_is_asked_once(model, mug_views, tmp_path, monkeypatch):
    teacher = ClipTeacher(model, ClipOptions(cache=str(tmp_path)))
    first = teacher.answer(mug_views, PARTS, "mug").scores
    monkeypatch.setattr("partdistill_ros.teachers.clip.dense_features", None)
    np.testing.assert_allclose(teacher.answer(mug_views, PARTS, "mug").scores, first, atol=1e-6)
    warmer = ClipTeacher(model, ClipOptions(cache=str(tmp_path), temperature=1.0))
    assert np.abs(warmer.answer(mug_views, PARTS, "mug").scores - first).max() > 1e-3
    with pytest.raises(TypeError):
        teacher.answer(mug_views, ("handle", "lid"), "mug")


def test_the_key_follows_all_that_changes_the_answer(model, clip_folder, tmp_path):
    changes = [
        {},
        {"method": "maskclip"},
        {"picture": "depth"},
        {"prompts": "plain"},
        {"scales": "1"},
        {"overlap": 0.0},
        {"temperature": 0.5},
        {"precision": "bf16"},
    ]
    keys = [ClipTeacher(model, ClipOptions(**change)).key for change in changes]
    other = load_clip("", str(clip_folder("quickgelu")))
    assert len({*keys, ClipTeacher(other).key}) == len(changes) + 1
    assert ClipTeacher(model, ClipOptions(batch=3, cache="off")).key == keys[0]


def asked_with(model, rendering, monkeypatch, **options) -> list[str]:
    """The sentences that CLIP's text half gets for the handle."""
    sentences, encode = [], type(model).encode_text

    def listening(self, texts):
        sentences.extend(texts)
        return encode(self, texts)

    monkeypatch.setattr(type(model), "encode_text", listening)
    ClipTeacher(model, ClipOptions(cache="off", scales="1", **options)).answer(rendering, ("handle",), "mug")
    return sentences


def test_prompts_go_with_the_picture(model, mug_views, monkeypatch):
    """The rendering is of an uncolored cloud, so that `auto` shows its depth."""
    depth = asked_with(model, mug_views, monkeypatch)
    assert "a depth map of the handle of a mug." in depth and len(depth) == len(PROMPTS["depth"])
    shaded = asked_with(model, mug_views, monkeypatch, picture="shaded")
    assert "the handle of a mug" in shaded and not any("depth" in sentence for sentence in shaded)
    assert asked_with(model, mug_views, monkeypatch, prompts="plain") == ["handle"]


def test_it_is_a_teacher_by_name(clip_folder, mug_views):
    teacher = load_teacher(f"clip,weights={clip_folder('vit')},scales=1,cache=off")
    assert (teacher.name, teacher.kind, teacher.size) == ("clip", "pixel", 64)
    assert isinstance(teacher.model.name, str) and isinstance(AnswerCache.at("off"), AnswerCache)
    with pytest.raises(PartDistillError, match="prompts 'poetry'"):
        load_teacher(f"clip,weights={clip_folder('vit')},prompts=poetry")


@pytest.mark.parametrize("scale", [1, 1.3, 2, 3.5])
@pytest.mark.parametrize("overlap", [0, 0.5, 0.8])
def test_tiles_that_cover_the_picture_change_nothing(scale, overlap):
    windows = sliding_windows(scale, 64, 16, overlap)
    pictures = torch.rand(2, 3, windows.side, windows.side)

    def local(seen):  # each patch by itself
        return F.avg_pool2d(seen, 16) * 2 + F.max_pool2d(seen, 16)

    torch.testing.assert_close(windows.blend(local(windows.cut(pictures))), local(pictures))


def test_one_window_is_the_picture():
    windows = sliding_windows(1, 64, 16)
    assert windows.side == 64 and windows.corners == ((0, 0),)


def test_neighbors_overlap_as_asked_and_lie_on_patches():
    windows = sliding_windows(2, 64, 16, 0.5)
    assert windows.side == 128 and len(windows.corners) == 9
    assert {row for row, _ in windows.corners} == {0, 32, 64}
    assert len(sliding_windows(2, 64, 16, 0).corners) == 4


def test_where_windows_overlap_their_mean_counts():
    windows = sliding_windows(1.5, 32, 16, 0.5)
    assert windows.corners == ((0, 0), (0, 16), (16, 0), (16, 16))
    maps = torch.arange(4.0).view(4, 1, 1, 1).expand(-1, -1, 2, 2)
    assert windows.blend(maps)[0, 0].tolist() == [[0, 0.5, 1], [1, 1.5, 2], [2, 2.5, 3]]


def test_sentences():
    assert fill("a {part} of a {category}", "arm", "airplane") == "an arm of an airplane"
    assert fill("the {part} of a {category}", "handle", None) == "the handle of an object"
    assert fill("{part}", "seat back", "chair") == "seat back"


def test_every_set_names_the_part():
    for name, known in PROMPTS.items():
        assert templates(name) == known and all("{part}" in template for template in known)


def test_a_file_of_templates(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("# mine\n\na {part}, please\nthe {category}'s {part}\n")
    assert templates(str(path)) == ("a {part}, please", "the {category}'s {part}")


@pytest.mark.parametrize(
    ("content", "reason"), [("", "holds no template"), ("ok {part}\nbad\n", "line 2: .*'bad' has none")]
)
def test_wrong_files_are_told(tmp_path, content, reason):
    path = tmp_path / "mine.txt"
    path.write_text(content)
    with pytest.raises(PartDistillError, match=reason):
        templates(str(path))


def test_unknown_sets_are_told():
    with pytest.raises(PartDistillError, match="choose auto, one of parts, depth"):
        templates("poetry")

# SPDX-License-Identifier: Apache-2.0
"""Held-out words are words that no training has read, and a student is asked in every way that the table names."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.synthetic.training.divisions import all_names_of  # noqa: E402
from partdistill_ros.synthetic.training.everyday_bundle import options_of  # noqa: E402
from partdistill_ros.synthetic.training.everyday_shapes import EVERYTHING, HELD_OUT, trained_categories  # noqa: E402
from partdistill_ros.synthetic.training.more_names import more_names  # noqa: E402


@pytest.mark.parametrize("file", ["held_out_words.json", "choice_words.json"])
def test_no_held_out_word_is_trained(repository, file):
    words = json.loads((repository / "benchmarks" / file).read_text(encoding="utf-8"))
    categories = trained_categories()
    trained = {
        name
        for one in categories
        for part in all_names_of(EVERYTHING[one])
        for name in options_of(EVERYTHING[one], part)
    } | {name for one in categories for names in more_names(EVERYTHING[one]).values() for name in names}
    assert len(words) >= 40 and set(words) <= set(categories)
    for category, chosen in words.items():
        assert set(chosen) <= set(EVERYTHING[category].parts)
        assert not trained & set(chosen.values()), category


def test_words_to_choose_by_measure_nothing_else(repository):
    measured, chosen = (
        json.loads((repository / "benchmarks" / file).read_text(encoding="utf-8"))
        for file in ("held_out_words.json", "choice_words.json")
    )
    words = {word for parts in measured.values() for word in parts.values()}
    assert not set(measured) & set(chosen)
    assert not words & {word for parts in chosen.values() for word in parts.values()}


def test_files_are_asked_as_they_are_and_turned(load_benchmark, monkeypatch, tmp_path):
    everyday = load_benchmark("everyday")
    monkeypatch.setattr(
        everyday, "load_scans", lambda paths: [everyday.draw(EVERYTHING["bucket"], 0).with_(up=(0, 0, 1))]
    )
    cases = list(everyday.of_files([tmp_path], 2))
    rows = ["files, as they are", "files, meshes from one side", "files, any rotation"]
    assert [case.row for case in cases[1:]] == rows * 2
    upright, turned = cases[1].cloud, cases[3].cloud
    assert upright.up is not None and turned.up is None
    assert not np.allclose(upright.points, turned.points, atol=0.01)
    np.testing.assert_allclose(np.linalg.norm(upright.points, axis=1), np.linalg.norm(turned.points, axis=1), atol=1e-5)


def test_a_shape_is_asked_for_by_three_sets_of_names(load_benchmark):
    everyday = load_benchmark("everyday")
    cases = [next(cases) for cases in [everyday.of_words(1)] for _ in range(3)]
    assert [case.row for case in cases] == ["words, own names", "words, a trained synonym", "words, held-out words"]
    assert len({case.cloud.parts for case in cases}) == 3


def test_other_divisions_merge_parts_of_held_out_categories(load_benchmark):
    cases = list(load_benchmark("everyday").of_divisions(1))
    assert {case.cloud.category for case in cases} <= set(HELD_OUT)
    for case in cases:
        parts = EVERYTHING[case.cloud.category].parts
        assert len(set(case.cloud.parts)) == len(case.cloud.parts) < len(parts)
        assert case.cloud.point_labels.max() < len(case.cloud.parts)
    stand = next(case.cloud for case in cases if "stand" in case.cloud.parts)
    assert stand.parts == ("stand", "head") and set(np.unique(stand.point_labels)) == {0, 1}

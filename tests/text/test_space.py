# SPDX-License-Identifier: Apache-2.0
"""The text space: known names without a model, unknown ones through the sentence encoder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.text.space import DEFAULT_PATH, TextSpace, clean_category, clean_name, split_names
from partdistill_ros.text.torchvision_import import prepare_torchvision


@pytest.fixture(scope="module")
def space() -> TextSpace:
    return TextSpace.load()


def test_every_family_name_part_and_synonym_is_known(space: TextSpace) -> None:
    for family in FAMILIES.values():
        words = {family.name, *family.parts, *family.synonyms, *(s for many in family.synonyms.values() for s in many)}
        assert {clean_name(word) for word in words} <= set(space.names)


def test_embeddings_are_unit_vectors(space: TextSpace) -> None:
    np.testing.assert_allclose(np.linalg.norm(space.embeddings, axis=1), 1, atol=1e-5)


def test_spelling_variants_are_one_name(space: TextSpace) -> None:
    np.testing.assert_array_equal(space.encode(["Handle"]), space.encode([" handle "]))
    assert clean_name("lamp_shade\t Big") == "lamp shade big"


def test_synonyms_are_nearer_than_other_parts(space: TextSpace) -> None:
    handle, grip, wing = space.encode(["handle", "grip", "wing"])
    assert handle @ grip > handle @ wing + 0.1


def test_known_names_need_no_model() -> None:
    code = (
        "import sys; from partdistill_ros.text.space import TextSpace\n"
        "TextSpace.load().encode(['handle', 'cup'])\n"
        "assert not {'torch', 'sentence_transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_unknown_names_go_through_the_encoder(space: TextSpace) -> None:
    prepare_torchvision()
    pytest.importorskip("sentence_transformers")
    first, second = space.encode(["the thing you hold it by", "handle"])
    assert abs(np.linalg.norm(first) - 1) < 1e-5
    assert first @ second > 0.1
    np.testing.assert_allclose(space.project(["handle"])[0], second, atol=1e-4)


def test_an_empty_name_is_refused(space: TextSpace) -> None:
    with pytest.raises(PartDistillError, match="empty"):
        space.encode(["handle", "  "])


@pytest.mark.parametrize("content", [b"", b"not a zip", DEFAULT_PATH.read_bytes()[:2000]])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "space.npz"
    path.write_bytes(content)
    with pytest.raises(PartDistillError, match=r"space\.npz"):
        TextSpace.load(path)


def test_a_space_of_another_encoder() -> None:
    class Letters:
        name = "letters"

        def encode(self, texts: list[str]) -> np.ndarray:
            counts = np.array([[text.count(letter) for letter in "abcd"] for text in texts], np.float32) + 0.1
            return counts / np.linalg.norm(counts, axis=1, keepdims=True)

    words = ["a", "b", "cab", "dad", "bead", "acid"]
    made = TextSpace.fit(words, ["A", "B"], dim=64, encoder=Letters())
    assert (made.identity, made.dim, made.names) == ("letters4", 4, ("a", "b")), "no more dimensions than there are"
    np.testing.assert_allclose(made.encode(["a", "b"]), made.embeddings, atol=1e-6)
    a, anagram, other = made.encode(["bead", "dabe", "cc"])
    assert a @ anagram == pytest.approx(1, abs=1e-5) and a @ other < 0.5


def test_save_and_load_keep_everything(space: TextSpace, tmp_path: Path) -> None:
    space.save(tmp_path / "copy.npz")
    copy = TextSpace.load(tmp_path / "copy.npz")
    assert copy.names == space.names and copy.identity == space.identity
    np.testing.assert_array_equal(copy.projection, space.projection)


def test_what_rounding_leaves_is_no_dimension():
    class Flat:
        """Three directions and nothing else but rounding errors."""

        name = "flat"

        def encode(self, names):
            rng = np.random.default_rng(0)
            return (rng.normal(size=(len(names), 3)) @ rng.normal(size=(3, 20))).astype(np.float32)

    assert TextSpace.fit([f"name {number}" for number in range(12)], ["a"], encoder=Flat()).dim == 3


def test_names_are_split_cleaned_and_unique():
    assert split_names(" Handle,cup ,, water  spout ") == ("handle", "cup", "water spout")
    with pytest.raises(PartDistillError, match="no part names"):
        split_names(" , ")
    with pytest.raises(PartDistillError, match="'cup' is given twice"):
        split_names("cup, handle, CUP")


def test_a_category_is_a_word():
    assert clean_category(" Coffee  mug") == "coffee mug"
    with pytest.raises(PartDistillError, match="--category is empty"):
        clean_category("  ")

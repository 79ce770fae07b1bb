# SPDX-License-Identifier: Apache-2.0
"""Part names in words."""

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.teachers.prompts import PROMPTS, fill, templates


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
    with pytest.raises(PartDistillError, match="choose one of parts, depth"):
        templates("poetry")

# SPDX-License-Identifier: Apache-2.0
"""What docs/troubleshooting.md quotes is what the programs say, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

OF_OTHERS = {"Fixed Frame: unknown frame camera", "use_sim_time", "ros2 topic hz"}
"""What RViz and ROS say and are called."""


@pytest.fixture(scope="module")
def sources(repository: Path) -> str:
    text = "".join(path.read_text() for path in (repository / "partdistill_ros").rglob("*.py"))
    # Sentences go over several string literals.
    return re.sub(r'"\s*\n\s*f?"', "", text)


def test_every_message_is_one_of_ours(repository, sources):
    rows = re.findall(r"^\| (.+?) \|", (repository / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    quotes = {quote for row in rows for quote in re.findall(r"`([^`]+)`", row)} - OF_OTHERS
    assert len(quotes) > 10
    missing = [
        (quote, piece)
        for quote in quotes
        for piece in (words.strip() for words in quote.split("..."))
        if piece and piece not in sources
    ]
    assert not missing


@pytest.mark.parametrize(
    "page", ["ros.md", "recipes.md", "troubleshooting.md", "looking.md", "depth.md", "consumers.md", "scale.md"]
)
def test_links_lead_to_a_file_and_a_heading(repository, page):
    text = (repository / "docs" / page).read_text()
    for target in re.findall(r"\]\(([^)]+)\)", text):
        name, _, anchor = target.partition("#")
        file = (repository / "docs" / name).resolve() if name else repository / "docs" / page
        assert file.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings], target


def test_commands_of_the_recipes_are_accepted(repository):
    import shlex

    from partdistill_ros.cli import main as cli

    parser, count = cli.build_parser(), 0
    for page in ("ros.md", "recipes.md", "troubleshooting.md", "looking.md"):
        text = (repository / "docs" / page).read_text().replace("\\\n", " ")
        for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if words and words[0] == "partdistill":
                    parser.parse_args(words[1:])
                    count += 1
    assert count >= 8

# SPDX-License-Identifier: Apache-2.0
"""How a part name is put into words for CLIP: sets of templates whose embeddings are averaged."""

from __future__ import annotations

import re
from pathlib import Path

from partdistill_ros.errors import PartDistillError

# parts: parts of things, in the views that a rendering gives; depth: after PointCLIP V2 (Zhu et al. 2023);
# photo: three of the templates of CLIP (Radford et al. 2021) for whole things.
PROMPTS: dict[str, tuple[str, ...]] = {
    "parts": (
        "a {part} of a {category}",
        "the {part} of a {category}",
        "a photo of the {part} of a {category}.",
        "a close-up photo of the {part} of a {category}.",
        "a rendering of the {part} of a {category}.",
        "the {category}'s {part}",
        "a {category} {part}",
    ),
    "depth": (
        "a depth map of the {part} of a {category}.",
        "a grayscale depth image of the {part} of a {category}.",
        "a silhouette of the {part} of a {category}.",
        "a {part} of a {category}",
    ),
    "photo": ("a photo of a {part}.", "a close-up photo of a {part}.", "a rendering of a {part}."),
    "plain": ("{part}",),
}
NO_CATEGORY = "object"


def templates(name: str) -> tuple[str, ...]:
    """A set by its name, or the lines of a text file (empty ones and those with # are left out).

    Raises PartDistillError for neither, or for a line without `{part}`.
    """
    if name in PROMPTS:
        return PROMPTS[name]
    path = Path(name)
    if not path.is_file():
        raise PartDistillError(f"prompts '{name}': choose one of {', '.join(PROMPTS)}, or a text file of templates")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found:
        raise PartDistillError(f"{path} holds no template: write one a line, such as 'a {{part}} of a {{category}}'")
    for number, line in enumerate(lines, 1):
        if line in found and "{part}" not in line:
            raise PartDistillError(f"{path}, line {number}: a template needs {{part}}, '{line}' has none")
    return found


def fill(template: str, part: str, category: str | None) -> str:
    """One sentence; `a` becomes `an` before a vowel, and an unknown category is an object."""
    sentence = template.replace("{part}", part).replace("{category}", category or NO_CATEGORY)
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", " ".join(sentence.split()))

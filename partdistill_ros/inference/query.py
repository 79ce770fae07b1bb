# SPDX-License-Identifier: Apache-2.0
"""A question in words: `handle, cup`, `mug: handle, cup` or `mug: handle, cup; bottle: cap, body`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.vocabulary import Vocabulary

MAX_LENGTH = 2_000  # characters of a query
MAX_NAMES = 64  # different names in a query
EXAMPLE = "for example 'handle, cup' or 'mug: handle, cup; bottle: cap, body'"


@dataclass(frozen=True)
class PartGroup:
    """Names that compete for the points of one object.

    category: what stood before the colon, None without one.
    distractors: names that compete as well but are never reported: a name asked for alone competes with
        the other parts of its category, or it would get every point with certainty.
    evidence: further parts of the category: they tell that an object is of it, and take no points.
    """

    category: str | None
    names: tuple[str, ...]
    distractors: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class PartQuery:
    """A parsed query; labels index into `names`.

    names: `P` part names asked for, without repetition, in the order of the text.
    distractors: `R` further names of the groups' distractors, of their evidence and of `others`.
    embeddings: `[P + R, D] f4` of `names` then `distractors`.
    others: categories that were not asked for; an object that fits one of them better is "none of these".
    remarks: what the user should know about the names, a sentence each.
    """

    text: str
    groups: tuple[PartGroup, ...]
    names: tuple[str, ...]
    distractors: tuple[str, ...]
    embeddings: NDArray[np.float32] = field(repr=False)
    others: tuple[PartGroup, ...] = ()
    remarks: tuple[str, ...] = ()

    def columns(self, group: PartGroup) -> NDArray[np.intp]:
        """Rows of `embeddings` (= columns of the logits) that compete in `group`."""
        return self._rows(group.names + group.distractors)

    def evidence(self, group: PartGroup) -> NDArray[np.intp]:
        """Rows of `embeddings` that tell whether an object is of the group's category."""
        return self._rows(group.names + group.distractors + group.evidence)

    def _rows(self, names: tuple[str, ...]) -> NDArray[np.intp]:
        every = self.names + self.distractors
        return np.array([every.index(name) for name in names])


def parse_query(text: str, vocabulary: Vocabulary, *, reject_unknown: bool = False) -> PartQuery:
    """Parse `text`; names are compared in lower case with single spaces.

    Groups are separated by `;`, names by `,`, and `:` follows a group's category, which may be any
    word. A group with one name gets distractors (see `PartGroup`); without a category it stands for each
    category that has this part. With `reject_unknown`, and where every group has a category, the
    vocabulary's other categories compete for each object (see `_others_than`).
    Raises PartDistillError for a query that is empty, longer than 2,000 characters, of more than 64
    names, malformed, with characters that are no text, or with a name that cannot be embedded.
    """
    if len(text) > MAX_LENGTH:
        raise PartDistillError(
            f"the query has {len(text):,} characters, at most {MAX_LENGTH:,} are allowed: shorten it"
        )
    if not _clean(text).isprintable():  # a student that knows every word would take them for one
        raise PartDistillError(f"the query has control characters ('{_clean(text)[:80]}'): write words, {EXAMPLE}")
    asked = [_parse_group(part) for part in text.split(";") if part.strip()]
    if not asked:
        raise PartDistillError(f"the query is empty: name the parts to look for, {EXAMPLE}")
    names = _unique(name for group in asked for name in group.names)
    if len(names) > MAX_NAMES:
        raise PartDistillError(f"the query has {len(names)} names, at most {MAX_NAMES} are allowed: split it")
    meant = _embed(asked, names, vocabulary)  # an unknown name is reported before distractors are looked for
    groups = tuple(competing for group in asked for competing in _with_distractors(group, vocabulary, meant))
    others: tuple[PartGroup, ...] = ()
    if reject_unknown and all(group.category for group in asked):
        groups = tuple(_with_evidence(group, vocabulary) for group in groups)
        others = _others_than(groups, vocabulary)
    further = _unique(name for group in groups + others for name in (*group.names, *group.distractors, *group.evidence))
    distractors = tuple(name for name in further if name not in names)
    asked_for = np.stack([meant[name] for name in names])
    embeddings = np.concatenate([asked_for, vocabulary.embed(distractors)]) if distractors else asked_for
    remarks = vocabulary.remarks(names, asked_for) + _without_rivals(groups)
    return PartQuery(_clean(text), groups, names, distractors, embeddings, others, remarks)


def _embed(
    asked: Iterable[PartGroup], names: tuple[str, ...], vocabulary: Vocabulary
) -> dict[str, NDArray[np.float32]]:
    """What each name means, in the first group that has it."""
    alone = dict(zip(names, vocabulary.embed(names), strict=True))
    found: dict[str, NDArray[np.float32]] = {}
    for group in asked:
        embeddings = np.stack([alone[name] for name in group.names])
        meant = vocabulary.in_context(group.names, embeddings, group.category)
        found = {**dict(zip(group.names, meant, strict=True)), **found}
    return found


def _without_rivals(groups: tuple[PartGroup, ...]) -> tuple[str, ...]:
    """A sentence where a name competes with nothing: its answer looks sure and tells nothing."""
    alone = [group.names[0] for group in groups if len(group.names + group.distractors) == 1]
    if not alone:
        return ()
    return (f"nothing competes with '{alone[0][:40]}', every point gets it: name the object's other parts too",)


def _with_evidence(group: PartGroup, vocabulary: Vocabulary) -> PartGroup:
    parts = vocabulary.categories.get(group.category or "", ())
    return replace(group, evidence=tuple(part for part in parts if part not in group.names + group.distractors))


def _others_than(groups: tuple[PartGroup, ...], vocabulary: Vocabulary) -> tuple[PartGroup, ...]:
    """The vocabulary's categories that are not asked for.

    One that shares a name with a group whose category the vocabulary does not know is left out: it
    may be what the user calls by another word, as 'kettle' in 'teapot: handle, spout'.
    """
    asked = {group.category for group in groups}
    renamed = {name for group in groups if group.category not in vocabulary.categories for name in group.names}
    return tuple(
        PartGroup(category, parts)
        for category, parts in vocabulary.categories.items()
        if category not in asked and not renamed & set(parts)
    )


def _parse_group(text: str) -> PartGroup:
    head, colon, tail = text.partition(":")
    if ":" in tail:
        raise PartDistillError(f"'{_clean(text)[:80]}' has two colons: separate groups by ';', {EXAMPLE}")
    names = _unique(_clean(name) for name in (tail if colon else head).split(",") if name.strip())
    if not names:
        raise PartDistillError(f"'{_clean(text)[:80]}' names no parts: write them after the colon, {EXAMPLE}")
    category = _clean(head) if colon else None
    if category is not None and (not category or "," in category):
        raise PartDistillError(f"'{_clean(text)[:80]}' needs one category before the colon, {EXAMPLE}")
    return PartGroup(category, names)


def _with_distractors(
    group: PartGroup, vocabulary: Vocabulary, meant: Mapping[str, NDArray[np.float32]]
) -> list[PartGroup]:
    if len(group.names) > 1:
        return [group]
    name = group.names[0]
    if group.category is not None:
        parts = vocabulary.categories.get(group.category, ())
        return [PartGroup(group.category, group.names, _others(name, parts, vocabulary, meant[name]))]
    found = [
        PartGroup(category, group.names, _others(name, parts, vocabulary, meant[name]))
        for category, parts in vocabulary.categories.items()
        if name in parts
    ]
    return found or [group]


def _others(
    name: str, parts: tuple[str, ...], vocabulary: Vocabulary, embedding: NDArray[np.float32]
) -> tuple[str, ...]:
    """The category's parts without the one that `name` means: itself, or for a synonym the nearest."""
    if not parts:
        return ()
    if name not in parts:
        similarity = vocabulary.embed(parts) @ embedding
        name = parts[int(similarity.argmax())]
    return tuple(part for part in parts if part != name)


def _clean(text: str) -> str:
    return " ".join(text.lower().split())


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))

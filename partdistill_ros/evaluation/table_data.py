# SPDX-License-Identifier: Apache-2.0
"""The shapes of a table, a category at a time: a data set as it is downloaded, or any labeled shapes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets import DATA_SETS, categories_of, data_set, read_dataset
from partdistill_ros.evaluation.datasets.shapenet_meshes import on_mesh
from partdistill_ros.evaluation.methods.registry import collect
from partdistill_ros.evaluation.shapes import Selection, Shape, load_shapes, prepare
from partdistill_ros.evaluation.tables import Table
from partdistill_ros.io.content_key import content_key, listing_key

DOCS = "docs/reproduce.md tells what to download"


class TableData:
    """folder: of a data set, or of labeled shapes.  train: files, folders or `procedural:N` to learn from instead of
    the data set's own split.  generated: folders of generated shapes, one each category, or `procedural:N`.
    meshes: ShapeNetCore, on whose meshes the labels of ShapeNetPart are laid.
    categories: some of the table's.  most: shapes taken of each category and split.  up: see `Selection`.

    Raises PartDistillError for a folder that does not hold what the table is about, and for an unknown category.
    """

    def __init__(
        self,
        table: Table,
        folder: Path,
        *,
        train: Sequence[str] = (),
        generated: str | None = None,
        categories: Sequence[str] = (),
        most: int | None = None,
        up: str | None = None,
        meshes: Path | None = None,
    ) -> None:
        found = data_set(folder)
        self.name, self.folder = found.name if found else "labeled shapes", folder
        if found and table.data and found.name not in table.data:
            raise PartDistillError(f"{folder} holds {found.name}, the table is about {' or '.join(table.data)}")
        if found and found.name == "ShapeNetPart" and table.on_meshes and meshes is None:
            raise PartDistillError("ShapeNetPart has points only: name the folder of ShapeNetCore too, --meshes DIR")
        self._train, self._generated, self._most, self._up, self._meshes = train, generated, most, up, meshes
        self._loose = () if found else self._load_loose(table)
        own = categories_of(folder) if found else dict.fromkeys(s.question.category for s in self._loose)
        known = [name for name in own if not table.categories or name in table.categories]
        unknown = [name for name in categories if name not in known]
        if unknown or not known:
            name = unknown[0] if unknown else ", ".join(table.categories)
            raise PartDistillError(f"{folder} has no '{name}' for this table: it has {', '.join(known or own)}")
        self.categories = tuple(categories or known)
        content = listing_key(folder) if found else content_key(self._loose)
        options = (str(most), str(up), str(meshes), listing_key(meshes) if meshes else "")
        self.identity = (str(folder.resolve()), content, *options)  # for the keys of cells
        sources = (*train, str(generated))
        self.sources = tuple((one, listing_key(Path(one))) for one in sources)  # for the keys of cells that learn
        self.test = lru_cache(maxsize=2)(self._test)
        self.train = lru_cache(maxsize=2)(self._learn_from)
        self.generated = lru_cache(maxsize=2)(self._made)

    def _load_loose(self, table: Table) -> Sequence[Shape]:
        try:
            return load_shapes([self.folder], lambda path, error: None, Selection(self._up))
        except PartDistillError as error:
            names = " or ".join(table.data or (one.name for one in DATA_SETS))
            raise PartDistillError(
                f"{self.folder} holds neither {names} as it is downloaded nor labeled shapes ({error}): {DOCS}"
            ) from error

    def _test(self, category: str) -> list[Shape]:
        """The shapes that are scored."""
        if self._loose:
            return [shape for shape in self._loose if shape.question.category == category][: self._most]
        if self._meshes is not None:
            return self._on_meshes(category, "test")
        return load_shapes([self.folder], selection=Selection(self._up, "test", (category,)))[: self._most]

    def _on_meshes(self, category: str, split: str) -> list[Shape]:
        clouds = sorted(read_dataset(self.folder, split, (category,)), key=lambda scan: scan.name)[: self._most]
        return prepare([on_mesh(scan, Path(str(self._meshes))) for scan in clouds])

    def _learn_from(self, category: str) -> list[Shape]:
        """The training shapes. Raises PartDistillError where there are none."""
        if self._loose and not self._train:
            raise PartDistillError("labeled shapes without splits: name others to learn from, --train PATH")
        if self._meshes is not None and not self._train:
            return self._on_meshes(category, "train")
        found = collect(self._train or [str(self.folder)], self.test(category), up=self._up)
        return [shape for shape in found if shape.question.category == category][: self._most]

    def _made(self, category: str) -> list[Shape]:
        """The generated shapes. Raises PartDistillError where there are none."""
        if self._generated is None:
            raise PartDistillError("no generated shapes: name their folder, one folder each category, --generated DIR")
        folder = Path(self._generated) / category
        source = str(folder) if Path(self._generated).is_dir() else self._generated
        return collect([source], self.test(category), up=self._up)[: self._most]

# SPDX-License-Identifier: Apache-2.0
"""A student bundle on disk: a directory with `student.onnx`, `bundle.json` and `vocabulary.npz`, the same network with
weights of 8 bits (`student_int8.onnx`) where that labels alike, and, where it was asked for, a text encoder
(`text_encoder.onnx`, `tokenizer.json`) for all other names.

Everything is checked (schema, checksums, vocabulary, the network's inputs and outputs) before a
runtime sees the model.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.onnx_header import FLOAT, INT64, TensorSpec, read_header
from partdistill_ros.inference.text_encoder import GRAPH, TOKENIZER, OnnxTextEncoder
from partdistill_ros.inference.token_table import SPACE, ShippedWords
from partdistill_ros.inference.vocabulary import TextEncoder, Vocabulary
from partdistill_ros.io.atomic import atomic_path, flush
from partdistill_ros.io.parsing import parse_json, parsing, reason

SCHEMA = 1
MODEL, VOCABULARY, MANIFEST = "student.onnx", "vocabulary.npz", "bundle.json"
MODEL_INT8 = "student_int8.onnx"
DEFAULT_PATH = Path(__file__).resolve().parents[1] / "models" / "default"


Positive = Annotated[int, msgspec.Meta(ge=1)]


class _File(msgspec.Struct):
    sha256: str


class _Text(msgspec.Struct):
    space: str
    dim: Positive


class _Manifest(msgspec.Struct):
    """The fields of `bundle.json`; those that it may leave out have a default."""

    name: str
    points: Positive
    patches: Positive
    normalisation: Literal["center_max_radius"]
    up: Literal["z"]
    opset: Positive
    text: _Text
    files: dict[str, _File]
    centers: Positive | None = None
    patch_size: Positive = 32
    sampling: Literal["random", "farthest"] = "random"
    categories: dict[str, Annotated[list[str], msgspec.Meta(min_length=1)]] = {}
    temperature: Annotated[float, msgspec.Meta(ge=0.01, le=100)] = 1.0
    margins: dict[str, Annotated[float, msgspec.Meta(ge=0, le=1)]] = {}
    training: dict[str, Any] = {}


@dataclass(frozen=True)
class Bundle:
    """One loaded student.

    model: the bytes of `student.onnx`, those whose checksum was verified; model_int8: of `student_int8.onnx`, None
        where the bundle has none.
    points: of a cloud as the network takes it.  patches: of the network.
    centers: farthest-point samples that the network takes, in sampling order (`patches`, if not stated).
    patch_size: points in a patch; clouds with fewer are not labeled (`patch_size`, 32 if not stated).
    sampling: how a larger cloud is cut down to `points` (`random` as `sample_surface` draws, the
        default, or `farthest`); it should be what the student was trained on.
    temperature: what logits are divided by to tell a confidence; above 1, the student alone is too sure (1, if not
        stated; found by `synthetic/training/calibration.py`).
    margins: by how much another category must fit an object better before one that was asked for is turned down; 0 for
        those not stated; found there too.
    Normalization is always `center_max_radius` (see `pointcloud/frames.py`), up always `z`.
    text_space, text_dim: identity and size of the text space.
    """

    path: Path
    name: str
    model: bytes = field(repr=False)
    points: int
    patches: int
    centers: int
    patch_size: int
    sampling: str
    text_space: str
    text_dim: int
    opset: int
    temperature: float
    margins: Mapping[str, float]
    vocabulary: Vocabulary = field(repr=False)
    training: Mapping[str, Any] = field(repr=False)
    checksums: Mapping[str, str] = field(repr=False)
    model_int8: bytes | None = field(default=None, repr=False)

    @property
    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """Object name -> its part names."""
        return self.vocabulary.categories

    @staticmethod
    def load(path: str | os.PathLike[str] = "default", *, encoder: TextEncoder | None = None) -> Bundle:
        """Read and check the bundle directory `path`; `default` is the shipped one.

        encoder: embeds the names that the vocabulary lacks, instead of the bundle's own.
        Raises PartDistillError naming the file and field at fault.
        """
        directory = DEFAULT_PATH if str(path) == "default" else Path(path)
        if not (directory / MANIFEST).is_file():
            raise PartDistillError(
                f"{directory}: no {MANIFEST} there; give a bundle directory as `partdistill distill --out` writes, "
                "or `default` for the shipped one"
            )
        manifest = _read_manifest(directory / MANIFEST)
        names = (MODEL, VOCABULARY, *({MODEL_INT8} & set(manifest.files)))
        content = {name: _read_checked(directory, name, manifest) for name in names}
        bundle = _from_manifest(directory, manifest, content)
        _check_network(bundle)
        own = encoder or _read_encoder(directory, manifest)
        return replace(bundle, vocabulary=replace(bundle.vocabulary, encoder=own))


def check_place(directory: str | os.PathLike[str]) -> Path:
    """Where a bundle is to be written. Raises PartDistillError where something else lies, and for the shipped one."""
    target = Path(directory)
    if str(target) == "default":
        raise PartDistillError(
            "a bundle cannot be written to 'default', which means the shipped one: choose another name"
        )
    if target.exists() and not (target.is_dir() and ((target / MANIFEST).is_file() or not any(target.iterdir()))):
        raise PartDistillError(f"{target} exists and is not a bundle: choose another place to write to")
    return target


def write_bundle(
    directory: str | os.PathLike[str],
    onnx_bytes: bytes,
    spec: Mapping[str, Any],
    vocabulary: Vocabulary,
    extras: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a bundle so that `directory` holds the old one or the new one, never a mixture.

    spec: the content of bundle.json; `schema` and `files` are filled in here, `categories` defaults to
    the vocabulary's. extras: further files by name, such as the weights to train on from. The new
    bundle is written beside the target, loaded once as a check, and moved in by rename (readers that
    come between the two renames of a replacement find no bundle).
    Raises PartDistillError where the content is not a valid bundle or the target is something else.
    """
    target = check_place(directory)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.new-", dir=target.parent))
        try:
            fresh.chmod(0o755)
            _write_files(fresh, onnx_bytes, spec, vocabulary, extras or {})
            Bundle.load(fresh)
            _swap(fresh, target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise PartDistillError(f"{target}: cannot write the bundle ({error.strerror}): choose another place") from None
    return target


def set_calibration(directory: str | os.PathLike[str], temperature: float, margins: Mapping[str, float]) -> None:
    """State the temperature and the margins of a bundle; nothing else of it changes.

    Raises PartDistillError for values that no bundle may hold, before anything is written.
    """
    path = Path(directory) / MANIFEST
    content = json.loads(path.read_bytes())
    last = {name: content.pop(name) for name in ("schema", "files") if name in content}
    found = {"temperature": temperature, "margins": dict(margins)}
    written = (json.dumps({**content, **found, **last}, indent=1, ensure_ascii=False) + "\n").encode()
    _parse_manifest(path, written)
    with atomic_path(path) as temporary:
        temporary.write_bytes(written)


def _write_files(
    directory: Path,
    onnx_bytes: bytes,
    spec: Mapping[str, Any],
    vocabulary: Vocabulary,
    extras: Mapping[str, bytes],
) -> None:
    arrays = io.BytesIO()
    np.savez_compressed(
        arrays, names=np.array(vocabulary.names, dtype=str), embeddings=vocabulary.embeddings.astype(np.float32)
    )
    content = {**extras, MODEL: onnx_bytes, VOCABULARY: arrays.getvalue()}
    manifest = {
        "categories": {name: list(parts) for name, parts in vocabulary.categories.items()},
        "training": {},
        **spec,
        "schema": SCHEMA,
        "files": {name: {"sha256": hashlib.sha256(value).hexdigest()} for name, value in content.items()},
    }
    content[MANIFEST] = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
    for name, value in content.items():
        (directory / name).write_bytes(value)
        flush(directory / name)


def _swap(fresh: Path, target: Path) -> None:
    if not target.exists():
        os.rename(fresh, target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent))
    os.rename(target, old)  # replaces the empty directory just made
    try:
        os.rename(fresh, target)
    except OSError:
        os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _read_manifest(path: Path) -> _Manifest:
    try:
        return _parse_manifest(path, path.read_bytes())
    except OSError as error:
        raise PartDistillError(f"{path} cannot be read ({error}): the bundle is damaged, fetch it again") from None


def _parse_manifest(path: Path, text: bytes) -> _Manifest:
    content = parse_json(path, text, "the bundle is damaged, fetch it again", allow_nan=True)
    if not isinstance(content, dict):
        raise PartDistillError(f"{path} holds no JSON object: the bundle is damaged, fetch it again")
    if content.get("schema") != SCHEMA:
        raise PartDistillError(
            f"{path}: schema is {content.get('schema')!r:.40}, this version reads {SCHEMA}: "
            "distill the bundle again, or install the partdistill_ros that wrote it"
        )
    try:
        return msgspec.convert(content, _Manifest)
    except msgspec.ValidationError as error:
        raise PartDistillError(f"{path}: {reason(error)}: export the bundle again") from None


def _read_checked(directory: Path, name: str, manifest: _Manifest) -> bytes:
    if name not in manifest.files:
        raise PartDistillError(f"{directory / MANIFEST}: no sha256 for {name}: the bundle is damaged, fetch it again")
    try:
        content = _read_regular(directory / name)
    except OSError as error:
        raise PartDistillError(
            f"{directory / name} cannot be read ({error.strerror}): fetch the bundle again"
        ) from None
    if hashlib.sha256(content).hexdigest() != manifest.files[name].sha256.lower():
        raise PartDistillError(
            f"{directory / name} does not have the sha256 that {MANIFEST} states: "
            "it is damaged or was changed, fetch the bundle again"
        )
    return content


def _read_regular(path: Path) -> bytes:
    """The content of a file. Raises OSError for what is none: reading a named pipe would wait for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read()


def _read_encoder(directory: Path, manifest: _Manifest) -> TextEncoder | None:
    """The bundle's own text encoder, else the package's table of words where the bundle has its text space."""
    if GRAPH not in manifest.files:
        return ShippedWords() if manifest.text.space == SPACE else None
    graph, tokenizer = (_read_checked(directory, name, manifest) for name in (GRAPH, TOKENIZER))
    return OnnxTextEncoder(graph, tokenizer, manifest.text.dim, f"{directory}{os.sep}")


def _from_manifest(directory: Path, manifest: _Manifest, content: Mapping[str, bytes]) -> Bundle:
    points, patches, centers = manifest.points, manifest.patches, manifest.centers or manifest.patches
    if not patches <= centers <= points:
        raise PartDistillError(
            f"{directory / MANIFEST}: patches ({patches}) <= centers ({centers}) <= points ({points}) does not hold: "
            "export the bundle again"
        )
    return Bundle(
        path=directory,
        name=manifest.name,
        model=content[MODEL],
        model_int8=content.get(MODEL_INT8),
        points=points,
        patches=patches,
        centers=centers,
        patch_size=manifest.patch_size,
        sampling=manifest.sampling,
        text_space=manifest.text.space,
        text_dim=manifest.text.dim,
        opset=manifest.opset,
        temperature=manifest.temperature,
        margins=manifest.margins,
        vocabulary=_read_vocabulary(directory, content[VOCABULARY], manifest),
        training=manifest.training,
        checksums={name: hashlib.sha256(value).hexdigest() for name, value in content.items()},
    )


def _read_vocabulary(directory: Path, content: bytes, manifest: _Manifest) -> Vocabulary:
    path, dim = directory / VOCABULARY, manifest.text.dim
    with parsing(path, ".npz file", "fetch the bundle again"):
        arrays = np.load(io.BytesIO(content), allow_pickle=False)
        names = tuple(str(name) for name in arrays["names"])
        embeddings = np.asarray(arrays["embeddings"], np.float32)
    if embeddings.shape != (len(names), dim) or not names:
        raise PartDistillError(
            f"{path}: {len(names)} names with embeddings {embeddings.shape}, but {MANIFEST} states text.dim {dim}"
        )
    if len(set(names)) != len(names) or any(name != name.strip().lower() or not name for name in names):
        raise PartDistillError(f"{path}: names must be unique, lower-case and not empty: export the bundle again")
    if not np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-3):
        raise PartDistillError(f"{path}: embeddings must have unit length: export the bundle again")
    for category, parts in manifest.categories.items():
        missing = sorted(set(parts) - set(names))
        if missing:
            problem = f"{missing[0]!r:.60} of categories.{category:.60} has no embedding"
            raise PartDistillError(f"{directory / MANIFEST}: {problem}")
    categories = {category: tuple(parts) for category, parts in manifest.categories.items()}
    return Vocabulary(names, embeddings, categories)


def _check_network(bundle: Bundle) -> None:
    for name, model in ((MODEL, bundle.model), (MODEL_INT8, bundle.model_int8)):
        if model is not None:
            _check_header(bundle, bundle.path / name, model)


def _check_header(bundle: Bundle, path: Path, model: bytes) -> None:
    header = read_header(model, str(path))
    points, dim = bundle.points, bundle.text_dim
    wanted = {
        "points": (header.inputs, TensorSpec(FLOAT, (None, points, 3))),
        "centers": (header.inputs, TensorSpec(INT64, (None, bundle.centers))),
        "text": (header.inputs, TensorSpec(FLOAT, (None, dim))),
        "logits": (header.outputs, TensorSpec(FLOAT, (None, points, None))),
    }
    extra = set(header.inputs) - set(wanted)
    if extra:
        raise PartDistillError(f"{path}: unexpected input '{sorted(extra)[0]}': export it again")
    for name, (found, spec) in wanted.items():
        if name not in found or not _fits(found[name], spec):
            raise PartDistillError(
                f"{path}: '{name}' must be {spec}, it is {found.get(name, 'missing')}; "
                f"{MANIFEST} and the network do not belong together: export the bundle again"
            )


def _fits(found: TensorSpec, wanted: TensorSpec) -> bool:
    """A free axis must be free; a fixed one may be free in the file."""
    if found.dtype != wanted.dtype:
        return False
    if found.dims is None or wanted.dims is None:
        return True
    return len(found.dims) == len(wanted.dims) and all(
        have is None or have == want for have, want in zip(found.dims, wanted.dims, strict=True)
    )

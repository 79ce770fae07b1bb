# SPDX-License-Identifier: Apache-2.0
"""The one place where students are made, loaded and saved."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import DEFAULT_PATH, MANIFEST, MODEL, MODEL_INT8, VOCABULARY, Bundle, write_bundle
from partdistill_ros.inference.vocabulary import Vocabulary
from partdistill_ros.io.content_key import files_key
from partdistill_ros.io.parsing import malformed, parsing, reason
from partdistill_ros.students.eight_bits import AGREEMENT, agreement, eight_bit_graph
from partdistill_ros.students.names import LEAST_POINTS, PUBLIC, STUDENTS, check_start, start_folder
from partdistill_ros.students.patch_transformer import PatchTransformer, PatchTransformerConfig
from partdistill_ros.students.point_m2ae import PointM2AE, PointM2AEConfig
from partdistill_ros.students.public_m2ae import UP as PUBLIC_UP
from partdistill_ros.students.public_m2ae import load_public_encoder
from partdistill_ros.students.student import OPSET, Student, parity
from partdistill_ros.students.weights import load_weights, save_weights
from partdistill_ros.text.space import TextSpace

WEIGHTS = "student.pt"
PARITY = 1e-3  # largest difference of a logit (they span about +-12) between torch and ONNX
ENCODER = "partdistill encoder"  # says what an encoder's file is
_RENAMED = {"neighbours": "neighbors"}  # sizes in files of 0.1

_KINDS: dict[str, tuple[Callable[..., Student], Callable[..., Any]]] = {
    PatchTransformer.name: (PatchTransformer, PatchTransformerConfig),
    PointM2AE.name: (PointM2AE, PointM2AEConfig),
}


@dataclass(frozen=True)
class Encoder:
    """What self-supervised training leaves: the student's name, its sizes, the encoder's weights (floats in
    half precision) under the student's own names, and how it was trained."""

    student: str
    config: Mapping[str, Any]
    state: Mapping[str, Tensor]
    training: Mapping[str, Any]


def new_student(name: str, dim: int, start: str = "scratch", freeze_encoder: bool = False) -> Student:
    """A student for text embeddings `[P, dim]`.

    start: `scratch`, random weights (of torch's global generator); `default`, the shipped student; or a path:
    a bundle, whose student goes on with its head, or an encoder of `partdistill pretrain` (`.pt`) or the
    public Point-M2AE (`.pth`), which gets a new head.
    freeze_encoder: only the head learns, and it is the paper's, of four layers.
    Raises PartDistillError where name and start do not go together or a file does not fit.
    """
    check_start(name, start, freeze_encoder)
    bundle = DEFAULT_PATH if start == "default" else start_folder(start)
    if bundle is not None:
        return _continued(name, dim, bundle, freeze_encoder)
    options = {"head": "mlp4", "freeze_encoder": True} if freeze_encoder else {}
    if start == "scratch":
        return make_student(name, {"dim": dim, **options})
    path = Path(start)
    if path.suffix.lower() == PUBLIC:
        student = make_student(name, {"dim": dim, "up": PUBLIC_UP, **options})
        assert isinstance(student, PointM2AE)
        load_public_encoder(path, student.h_encoder)
        return student
    encoder = load_encoder(path)
    if encoder.student != name:
        raise PartDistillError(f"{path} holds an encoder of {encoder.student}, not of {name}: ask for that student")
    try:
        student = make_student(name, {**encoder.config, "dim": dim, **options})
        wanted = {name for name in student.state_dict() if _of_encoder(student, name)}
        if wanted != encoder.state.keys():
            raise ValueError(f"other names, such as {min(wanted ^ encoder.state.keys())}")
        student.load_state_dict(dict(encoder.state), strict=False)
    except (TypeError, ValueError, RuntimeError) as error:
        raise malformed(path, f"its encoder does not fit ({reason(error)})", "pre-train again") from error
    return student


def load_student(bundle: Path) -> Student:
    """The torch weights that lie in a bundle; those that do not say whose they are, are a patch_transformer's.

    Raises PartDistillError where there are none.
    """
    path = bundle / WEIGHTS
    remedy = "start from scratch, or fetch the bundle again"
    with parsing(path, "student", remedy):
        content = load_weights(path, remedy)
        student = make_student(content.get("student", "patch_transformer"), content["config"])
        student.load_state_dict(content["state"])
        return student


def check_start_space(start: str, space: TextSpace) -> None:
    """Raises PartDistillError for first weights of a bundle whose head has learned another text space."""
    bundle = start_folder(start)
    if bundle is None:
        return
    learned = Bundle.load(bundle).text_space
    if learned != space.identity:
        raise PartDistillError(
            f"{start} has learned the text space '{learned}', this run has '{space.identity}': start from scratch, or "
            "choose the same teacher and --text-space"
        )


def start_key(start: str) -> str:
    """A key of the content of the first weights; the same for all that are random."""
    return start if start == "scratch" else files_key(DEFAULT_PATH if start == "default" else Path(start))


def save_student(
    student: Student,
    out: Path,
    name: str,
    vocabulary: Vocabulary,
    space: TextSpace,
    training: Mapping[str, object],
) -> Path:
    """Export, compare with torch on random clouds, write the bundle with the weights beside the graph.

    The weights are rounded to half precision before the export, so both files hold the same student.
    Raises PartDistillError where the exported graph does not answer as torch does.
    """
    student = student.cpu().eval()
    state = _rounded(student)
    student.load_state_dict(state)
    networks = _networks(student, vocabulary)
    spec = {
        "name": name,
        "student": student.name,
        "points": student.config.points,
        "patches": student.config.patches,
        "centers": student.config.centers,
        "patch_size": LEAST_POINTS,
        "normalisation": "center_max_radius",
        "up": "z",
        "opset": OPSET,
        "text": {"space": space.identity, "dim": space.dim},
        "training": dict(training),
    }
    weights = io.BytesIO()
    torch.save({"student": student.name, "config": _sizes(student), "state": state}, weights)
    return write_bundle(out, networks.pop(MODEL), spec, vocabulary, {**networks, WEIGHTS: weights.getvalue()})


def export_again(bundle: Path) -> None:
    """Write the networks of a bundle anew from its torch weights, as today's export makes them; all else stays.

    Raises PartDistillError where it has no such weights, or the graph does not answer as torch does.
    """
    vocabulary, student = Bundle.load(bundle).vocabulary, load_student(bundle)
    spec = json.loads((bundle / MANIFEST).read_bytes())
    made = (MODEL, MODEL_INT8, VOCABULARY)
    kept = {name: (bundle / name).read_bytes() for name in spec.pop("files") if name not in made}
    networks = _networks(student, vocabulary)
    write_bundle(bundle, networks.pop(MODEL), spec, vocabulary, {**networks, **kept})


def save_encoder(student: Student, path: Path, training: Mapping[str, object]) -> None:
    """Write the encoder of `student` as `new_student` starts from it, in full or not at all."""
    state = {name: value for name, value in _rounded(student.cpu()).items() if _of_encoder(student, name)}
    content = {
        "kind": ENCODER,
        "student": student.name,
        "config": _sizes(student),
        "encoder": state,
        "training": dict(training),
    }
    save_weights(content, path)


def load_encoder(path: Path) -> Encoder:
    """Read what `save_encoder` wrote. Raises PartDistillError for anything else."""
    content = load_weights(path, "pre-train again with `partdistill pretrain`")
    if not isinstance(content, dict) or content.get("kind") != ENCODER:
        raise PartDistillError(f"{path} is no encoder of `partdistill pretrain`: name one, or the folder of a bundle")
    if content.get("student") not in STUDENTS or not all(
        isinstance(content.get(part), dict) for part in ("config", "encoder", "training")
    ):
        raise PartDistillError(f"{path}: its student, config, encoder or training is missing: pre-train again")
    return Encoder(content["student"], content["config"], content["encoder"], content["training"])


def make_student(name: str, sizes: Mapping[str, Any]) -> Student:
    """A student of random weights; sizes: fields of its config."""
    kind, config = _KINDS[name]
    return kind(config(**{_RENAMED.get(key, key): size for key, size in sizes.items()}))


def _continued(name: str, dim: int, bundle: Path, freeze_encoder: bool) -> Student:
    student = load_student(bundle)
    if student.name != name:
        raise PartDistillError(f"{bundle} holds a {student.name}, not a {name}: ask for that student")
    if student.config.dim != dim:
        raise PartDistillError(
            f"{bundle}: its text space has {student.config.dim} dimensions, this one {dim}: start from scratch"
        )
    if isinstance(student, PointM2AE):
        student.set_frozen(freeze_encoder)
    return student


def _networks(student: Student, vocabulary: Vocabulary) -> dict[str, bytes]:
    """The graph and, where it labels as that does, the one with weights of 8 bits, by their names in a bundle."""
    graph = student.to_onnx()
    difference = parity(student, graph)
    if not difference < PARITY:
        raise PartDistillError(f"the exported student differs from torch by {difference:.2g} in a logit: not written")
    bytewise = eight_bit_graph(graph)
    alike = agreement(graph, bytewise, student.config, vocabulary)
    return {MODEL: graph} | ({MODEL_INT8: bytewise} if alike >= AGREEMENT else {})


def _of_encoder(student: Student, name: str) -> bool:
    return name.split(".")[0] in student.encoder_parts


def _rounded(student: Student) -> dict[str, Tensor]:
    """The state with parameters in half precision. Batch statistics stay as they are: the variance of a
    coordinate within a group is near the least number that half precision holds."""
    learned = {name for name, _ in student.named_parameters()}
    return {name: value.half() if name in learned else value for name, value in student.state_dict().items()}


def _sizes(student: Student) -> dict[str, Any]:
    return asdict(student.config)  # type: ignore[call-overload]

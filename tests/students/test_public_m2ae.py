# SPDX-License-Identifier: Apache-2.0
"""Checkpoints laid out as the public trainer and its users write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from partdistill_ros.errors import PartDistillError
from partdistill_ros.students.point_m2ae import HierarchicalEncoder
from partdistill_ros.students.public_m2ae import load_public_encoder
from tests.students.conftest import M2AE


def encoder(seed: int) -> HierarchicalEncoder:
    torch.manual_seed(seed)
    return HierarchicalEncoder(M2AE)


def written(path: Path, prefix: str = "h_encoder.", under: str | None = "base_model", **changes: object) -> Path:
    """A checkpoint with the weights of seed 1, a decoder, an optimizer's state and an accuracy beside them."""
    state: dict[str, object] = {prefix + name: value for name, value in encoder(1).state_dict().items()}
    state |= {"mask_token": torch.zeros(1, 96), "h_decoder.0.blocks.0.norm1.weight": torch.ones(96)}
    state |= {"decoder_norm.weight": torch.ones(48), "rec_head.bias": torch.zeros(48)}
    for name, value in changes.items():
        key = prefix + name.replace("__", ".")
        if value is None:
            del state[key]
        else:
            state[key] = value
    beside = {"epoch": 299, "optimizer": {"state": {}}, "metrics": {"acc": np.float64(0.92)}}
    torch.save(state if under is None else {under: state, **beside}, path)
    return path


@pytest.mark.parametrize("prefix", ["h_encoder.", "module.h_encoder.", "MAE_encoder.h_encoder.", "module.MAE_encoder."])
@pytest.mark.parametrize("under", ["base_model", "model_state_dict", None])
def test_the_encoder_is_found_under_every_name(tmp_path: Path, prefix: str, under: str | None) -> None:
    into = encoder(2)
    load_public_encoder(written(tmp_path / "ckpt.pth", prefix, under), into)
    for name, value in encoder(1).state_dict().items():
        assert torch.equal(into.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoder_norms__2__weight": None}, "missing: encoder_norms.2.weight"),
        ({"encoder_norms__3__weight": torch.ones(4)}, "unexpected: encoder_norms.3.weight"),
        ({"encoder_norms__0__bias": torch.ones(7)}, "another shape: encoder_norms.0.bias"),
    ],
)
def test_what_does_not_fit_is_listed(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    into = encoder(2)
    with pytest.raises(PartDistillError, match=words):
        load_public_encoder(written(tmp_path / "ckpt.pth", **changes), into)
    assert torch.equal(into.state_dict()["encoder_norms.0.bias"], encoder(2).state_dict()["encoder_norms.0.bias"])


def test_another_network_is_refused_in_one_sentence(tmp_path: Path) -> None:
    torch.save({"base_model": {"cls_head.weight": torch.ones(3)}}, tmp_path / "other.pth")
    with pytest.raises(PartDistillError, match=r"missing: .* and \d+ more"):
        load_public_encoder(tmp_path / "other.pth", encoder(2))
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(PartDistillError, match="holds no network"):
        load_public_encoder(tmp_path / "empty.pth", encoder(2))
    (tmp_path / "junk.pth").write_bytes(b"junk")
    with pytest.raises(PartDistillError, match="cannot be read"):
        load_public_encoder(tmp_path / "junk.pth", encoder(2))


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return open, (str(tmp_path / "sprung"), "w")

    torch.save({"base_model": encoder(1).state_dict(), "metrics": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(PartDistillError, match="cannot be read"):
        load_public_encoder(tmp_path / "trap.pth", encoder(2))
    assert not (tmp_path / "sprung").exists()

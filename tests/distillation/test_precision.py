# SPDX-License-Identifier: Apache-2.0
"""Half precision only where the machine has it, and never for the geometry."""

from __future__ import annotations

import pytest
import torch

from partdistill_ros.distillation.optimizer import half_precision
from partdistill_ros.students.patch_transformer import principal_variances, squared_distances

PROBES = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


def pretend(monkeypatch: pytest.MonkeyPatch, *able: bool) -> None:
    for probe, answer in zip(PROBES, able, strict=True):
        monkeypatch.setattr(torch.cpu, probe, lambda answer=answer: answer, raising=False)


@pytest.mark.parametrize("able", [(True, False), (False, True), (True, True)])
def test_products_are_in_half_precision_where_the_cpu_has_it(
    monkeypatch: pytest.MonkeyPatch, able: tuple[bool, bool]
) -> None:
    pretend(monkeypatch, *able)
    with half_precision("cpu"):
        assert (torch.ones(4, 4) @ torch.ones(4, 4)).dtype == torch.bfloat16
    assert (torch.ones(4, 4) @ torch.ones(4, 4)).dtype == torch.float32


def test_elsewhere_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, False, False)
    with half_precision("cpu"):
        assert (torch.ones(4, 4) @ torch.ones(4, 4)).dtype == torch.float32


def test_a_torch_that_cannot_tell_means_no(monkeypatch: pytest.MonkeyPatch) -> None:
    for probe in PROBES:
        monkeypatch.delattr(torch.cpu, probe, raising=False)
    with half_precision("cpu"):
        assert (torch.ones(4, 4) @ torch.ones(4, 4)).dtype == torch.float32


def test_geometry_stays_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, True, True)
    cloud = torch.rand(1, 64, 3, generator=torch.Generator().manual_seed(0))
    offset = cloud.reshape(1, 8, 8, 3) - cloud.reshape(1, 8, 8, 3)[:, :, :1]
    with half_precision("cpu"):
        distances, spread = squared_distances(cloud, cloud), principal_variances(offset)
    assert torch.equal(distances, squared_distances(cloud, cloud))
    assert torch.equal(spread, principal_variances(offset))


@pytest.mark.requires_cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_products_are_in_half_precision_on_a_gpu_that_has_it() -> None:
    expected = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    with half_precision("cuda"):
        assert (torch.ones(4, 4, device="cuda") @ torch.ones(4, 4, device="cuda")).dtype == expected

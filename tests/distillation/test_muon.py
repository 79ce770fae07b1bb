# SPDX-License-Identifier: Apache-2.0
"""The step of Muon against PyTorch's own."""

import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.distillation import optimizer  # noqa: E402
from partdistill_ros.distillation.optimizer import Muon, orthogonal  # noqa: E402

SHAPES = [(48, 16), (16, 48), (48, 16), (24, 24)]


def matrices() -> list[torch.nn.Parameter]:
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape)) for shape in SHAPES]


@pytest.mark.parametrize(("half", "tolerance"), [(True, 0.02), (False, 0.1)])
def test_moves_as_pytorch_does(monkeypatch, half, tolerance):
    """PyTorch's own products are in bfloat16 of three digits, which five iterations spread."""
    monkeypatch.setattr(optimizer, "has_bfloat16", lambda kind: half)
    own, reference = matrices(), matrices()
    ours = Muon(own, 0.02, 0.02)
    theirs = torch.optim.Muon(reference, lr=0.02, weight_decay=0.02, adjust_lr_fn="match_rms_adamw")
    for step in range(3):
        generator = torch.Generator().manual_seed(step)
        for a, b in zip(own, reference, strict=True):
            a.grad = torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
        ours.step()
        theirs.step()
    for a, b, start in zip(own, reference, matrices(), strict=True):
        assert (a - b).norm() < tolerance * (b - start).norm()


def test_state_is_that_of_pytorch():
    own = matrices()
    ours = Muon(own, 0.02, 0.02)
    for value in own:
        value.grad = torch.ones_like(value)
    ours.step()
    theirs = torch.optim.Muon(matrices(), lr=0.02, weight_decay=0.02, adjust_lr_fn="match_rms_adamw")
    theirs.load_state_dict(ours.state_dict())
    assert len(theirs.state_dict()["state"]) == len(SHAPES)


def test_a_matrix_without_gradient_rests():
    own = matrices()
    own[0].grad = torch.ones_like(own[0])
    before = own[1].detach().clone()
    Muon(own, 0.02, 0.02).step()
    assert torch.equal(own[1], before) and not torch.equal(own[0], matrices()[0])


def test_orthogonal():
    group = torch.optim.Muon(matrices()).param_groups[0]
    found = orthogonal(torch.randn(3, 40, 20, generator=torch.Generator().manual_seed(0)), group)
    values = torch.linalg.svdvals(found.float())
    assert found.shape == (3, 40, 20) and values.min() > 0.5 and values.max() < 1.5

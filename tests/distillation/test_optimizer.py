# SPDX-License-Identifier: Apache-2.0
"""Which weights go to which optimizer, and that a checkpoint goes on as if nothing had happened."""

from __future__ import annotations

import copy

import torch
from torch import nn

from partdistill_ros.distillation.optimizer import Muon, Optimizer
from partdistill_ros.students.patch_transformer import PatchTransformer
from tests.distillation.conftest import SMALL


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Linear(12, 3))


def loss(net: nn.Module, seed: int) -> torch.Tensor:
    values = torch.randn(32, 6, generator=torch.Generator().manual_seed(seed))
    return (net(values)[:, :3] - values[:, 1:4]).square().mean()


def owners(student: nn.Module) -> dict[str, type]:
    """The kind of optimizer that moves each weight."""
    parts = Optimizer(student, 1e-3)._parts
    kinds = {id(value): type(part) for part in parts for group in part.param_groups for value in group["params"]}
    return {name: kinds[id(value)] for name, value in student.named_parameters() if id(value) in kinds}


def test_matrices_go_to_muon_all_else_to_adamw() -> None:
    student = PatchTransformer(SMALL)
    kinds = owners(student)
    for name, value in student.named_parameters():
        inner = value.ndim == 2 and not name.startswith("head")
        assert kinds[name] is (Muon if inner else torch.optim.AdamW), name
    assert kinds["blocks.0.qkv.weight"] is Muon and kinds["log_scale"] is torch.optim.AdamW
    heads = [name for name in kinds if name.startswith("head") and name.endswith("weight")]
    assert heads and all(kinds[name] is torch.optim.AdamW for name in heads)


def test_frozen_weights_are_left_out_and_do_not_decay() -> None:
    net = network()
    net[0].requires_grad_(False)
    frozen, free = net[0].weight.clone(), net[2].weight.clone()
    assert set(owners(net)) == {"2.weight", "2.bias"}
    optimizer = Optimizer(net, 1e-2)
    for seed in range(3):
        optimizer.step(loss(net, seed), 1e-2)
    assert torch.equal(net[0].weight, frozen) and not torch.equal(net[2].weight, free)


def test_a_network_without_matrices_needs_no_muon() -> None:
    norm = nn.LayerNorm(6)
    assert set(owners(norm).values()) == {torch.optim.AdamW}
    optimizer = Optimizer(norm, 1e-2)
    optimizer.step(loss(norm, 0), 1e-2)
    assert len(optimizer.state_dict()) == 1


def test_it_goes_down() -> None:
    net = network()
    optimizer, first = Optimizer(net, 1e-2), loss(net, 99).item()
    for seed in range(150):
        optimizer.step(loss(net, seed), 1e-2)
    assert loss(net, 99).item() < 0.2 * first


def test_the_rate_of_the_step_counts() -> None:
    still, moved = network(), network()
    for net, rate in ((still, 0.0), (moved, 1e-2)):
        Optimizer(net, 1e-2).step(loss(net, 0), rate)
    for name, value in network().state_dict().items():
        assert torch.equal(still.state_dict()[name], value), name
        assert not torch.equal(moved.state_dict()[name], value), name


def test_a_checkpoint_goes_on_identically() -> None:
    net = network()
    optimizer = Optimizer(net, 1e-2)
    for seed in range(3):
        optimizer.step(loss(net, seed), 1e-2)
    again, state = copy.deepcopy(net), copy.deepcopy(optimizer.state_dict())
    resumed, fresh = Optimizer(again, 1e-2), Optimizer(other := copy.deepcopy(net), 1e-2)
    resumed.load_state_dict(state)
    for seed in range(3, 6):
        for one, own in ((optimizer, net), (resumed, again), (fresh, other)):
            one.step(loss(own, seed), 1e-2)
    for name, value in net.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
        assert not torch.equal(value, other.state_dict()[name]), f"{name}: momentum must matter"

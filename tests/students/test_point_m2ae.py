# SPDX-License-Identifier: Apache-2.0
"""Point-M2AE: the published architecture, name by name, and what its export must keep.

The table of names and shapes was written down from the public definition (ZrrSkywalker/Point-M2AE at 1bdbe05,
models/Point_M2AE.py, models/modules.py and their twins under segmentation/). Beyond what runs here, this
encoder was compared once with that definition, instantiated on the CPU with exact neighbors and
farthest-point samples in place of its CUDA operators, random weights and random batch statistics in all 237
entries of its state: with their state here, the features of the three levels and the 681 upsampled ones
differed by 3e-6 at most (they have unit variance) on two clouds of 2,048 points.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.sampling import farthest_points
from partdistill_ros.students.patch_transformer import gather
from partdistill_ros.students.point_m2ae import (
    Level,
    PointM2AE,
    PointM2AEConfig,
    TokenEmbed,
    attention_bias,
    interpolate,
    levels_of,
)
from partdistill_ros.students.student import parity
from tests.students.conftest import M2AE, clouds


def published_shapes() -> dict[str, tuple[int, ...]]:
    """Name -> shape of the encoder's state in the public checkpoint, under `h_encoder.`."""
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *weight: int, bias: bool = True) -> None:
        shapes[f"{name}.weight"] = weight
        if bias:
            shapes[f"{name}.bias"] = weight[:1]

    def batch_norm(name: str, width: int) -> None:
        layer(name, width)
        shapes.update({f"{name}.running_mean": (width,), f"{name}.running_var": (width,)})
        shapes[f"{name}.num_batches_tracked"] = ()

    convolutions = [  # in, out of the four convolutions of size 1 of each level's token embedding
        [(3, 128), (128, 256), (512, 512), (512, 96)],
        [(96, 96), (96, 96), (192, 192), (192, 192)],
        [(192, 192), (192, 192), (384, 384), (384, 384)],
    ]
    for level, width in enumerate((96, 192, 384)):
        for (inner, outer), name in zip(
            convolutions[level], ("first_conv.0", "first_conv.3", "second_conv.0", "second_conv.3"), strict=True
        ):
            layer(f"token_embed.{level}.{name}", outer, inner, 1)
            if name.endswith("0"):
                batch_norm(f"token_embed.{level}.{name[:-1]}1", outer)
        layer(f"encoder_pos_embeds.{level}.0", width, 3)
        layer(f"encoder_pos_embeds.{level}.2", width, width)
        for block in range(5):
            name = f"encoder_blocks.{level}.blocks.{block}"
            layer(f"{name}.norm1", width)
            layer(f"{name}.norm2", width)
            layer(f"{name}.attn.qkv", 3 * width, width, bias=False)
            layer(f"{name}.attn.proj", width, width)
            layer(f"{name}.mlp.fc1", 4 * width, width)
            layer(f"{name}.mlp.fc2", width, 4 * width)
        layer(f"encoder_norms.{level}", width)
    return shapes


def test_names_and_shapes_are_those_of_the_public_checkpoint() -> None:
    encoder = PointM2AE(PointM2AEConfig()).h_encoder
    assert {name: tuple(value.shape) for name, value in encoder.state_dict().items()} == published_shapes()
    assert len(published_shapes()) == 237


def test_a_prefix_of_farthest_point_samples_is_what_sampling_them_again_gives() -> None:
    points = clouds(1, 1000)[0][0].numpy()
    first = points[farthest_points(points, 256)].astype(np.float64)
    again, distance = [0], np.full(256, np.inf)
    for _ in range(63):
        distance = np.minimum(distance, np.square(first - first[again[-1]]).sum(1))
        again.append(int(distance.argmax()))
    assert again == list(range(64))


def test_levels_hold_the_nearest() -> None:
    points, centers = clouds(2)
    levels = levels_of(M2AE, points, centers)
    assert [one.centers.shape for one in levels] == [(2, 64, 3), (2, 32, 3), (2, 16, 3)]
    assert [one.index.shape[2] for one in levels] == [8, 4, 4]
    assert torch.equal(levels[2].centers, gather(points, centers[:, :16]))
    for level, below in zip(levels, (points, levels[0].centers, levels[1].centers), strict=True):
        nearest = torch.cdist(level.centers.double(), below.double()).topk(level.index.shape[2], largest=False).indices
        assert torch.equal(level.index.sort(-1).values, nearest.sort(-1).values)


def test_the_token_embedding_is_its_definition() -> None:
    """Two layers over each member; their maximum put before each member; two more; the maximum."""
    torch.manual_seed(0)
    embed, groups = TokenEmbed(3, 20).eval(), torch.randn(7, 5, 3)
    for norm in (embed.first_conv[1], embed.second_conv[1]):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    for layer in (embed.first_conv[0], embed.first_conv[3], embed.second_conv[0], embed.second_conv[3]):
        torch.nn.init.normal_(layer.weight, std=0.3)

    def conv(layer: torch.nn.Module, values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv1d(values, layer.weight, layer.bias)

    one, two = embed.first_conv, embed.second_conv
    member = conv(one[3], one[1](conv(one[0], groups.transpose(1, 2))).relu())
    both = torch.cat([member.amax(2, keepdim=True).expand_as(member), member], 1)
    expected = conv(two[3], two[1](conv(two[0], both)).relu()).amax(2)
    torch.testing.assert_close(embed(groups), expected, atol=1e-4, rtol=1e-4)


def test_tokens_attend_within_the_radius() -> None:
    centers = torch.tensor([[[0.0, 0, 0], [0.3, 0, 0], [0, 0.33, 0]]])
    level = Level(centers, torch.zeros(1, 3, 1, dtype=torch.long))
    bias = attention_bias(level, 0.32)
    assert bias.shape == (1, 1, 3, 3)
    assert torch.equal(bias[0, 0] == 0, torch.tensor([[True, True, False], [True, True, False], [False, False, True]]))


def test_far_tokens_of_the_first_level_do_not_meet_there(m2ae: PointM2AE) -> None:
    points, centers = clouds(1)
    levels = levels_of(m2ae.config, points, centers)
    far = (levels[0].centers[0] - levels[0].centers[0, 0]).norm(dim=-1).argmax()
    moved = points.clone()
    moved[0, levels[0].index[0, far]] += torch.tensor([0.0, 0.0, 1e-2])
    before, after = m2ae.h_encoder(points, levels), m2ae.h_encoder(moved, levels)
    assert torch.equal(before[0][0, 0], after[0][0, 0])
    assert not torch.equal(before[0][0, far], after[0][0, far])


def test_interpolation_keeps_centers_and_averages_between() -> None:
    centers, features = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [9, 0, 0]]]), torch.tensor([[[1.0], [3.0], [100.0]]])
    at = torch.tensor([[[0.0, 0, 0], [0.5, 0, 0]]])
    values = interpolate(at, centers, features)[0, :, 0]
    assert values[0] == pytest.approx(1.0, abs=1e-5)
    far = 1 / 8.5**2
    assert values[1] == pytest.approx((4 * 1 + 4 * 3 + far * 100) / (8 + far), abs=1e-3)


def test_features_are_the_point_and_three_levels(m2ae: PointM2AE) -> None:
    assert PointM2AEConfig().features == 681
    points, centers = clouds(2)
    features = m2ae.features(points, centers)
    assert features.shape == (2, 256, 24 + 48 + 96 + 9)
    for start in (0, 27, 27 + 51):
        assert torch.equal(features[..., start : start + 3], points)


def test_embeddings_have_unit_length_and_do_not_mix_clouds(m2ae: PointM2AE) -> None:
    points, centers = clouds(3)
    both = m2ae.embed(points, centers)
    torch.testing.assert_close(both.norm(dim=-1), torch.ones(3, 256))
    torch.testing.assert_close(both[1:2], m2ae.embed(points[1:2], centers[1:2]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(m2ae.embed(points, centers, 50), both[:, :50], atol=1e-5, rtol=1e-4)


def test_the_paper_head_has_four_layers() -> None:
    head = PointM2AE(PointM2AEConfig(head="mlp4")).head
    shapes = [tuple(layer.weight.shape) for layer in head if isinstance(layer, torch.nn.Linear)]
    assert shapes == [(681, 681)] * 3 + [(64, 681)]
    with pytest.raises(PartDistillError, match="text, mlp4"):
        PointM2AEConfig(head="mlp5")


def test_a_frozen_encoder_stays_as_it_is() -> None:
    torch.manual_seed(0)
    student = PointM2AE(replace(M2AE, freeze_encoder=True)).train()
    before = {name: value.clone() for name, value in student.state_dict().items()}
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-2)
    student.embed(*clouds(2)).square().mul(torch.arange(16)).sum().backward()
    optimizer.step()
    changed = {name for name, value in student.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.0.weight", "head.0.bias", "head.2.weight", "head.2.bias"}


def test_blocks_are_left_out_in_training_only() -> None:
    torch.manual_seed(0)
    student, (points, centers) = PointM2AE(replace(M2AE, drop_path=0.9)), clouds(4)
    # frozen statistics: what differs between two passes is what was left out
    student.eval()
    assert torch.equal(student.embed(points, centers), student.embed(points, centers))
    for level in student.h_encoder.encoder_blocks:
        level.train()
    assert not torch.equal(student.embed(points, centers), student.embed(points, centers))


@pytest.fixture(scope="module")
def published() -> tuple[PointM2AE, bytes]:
    """The published sizes, every weight and statistic away from its first value."""
    torch.manual_seed(1)
    student = PointM2AE(PointM2AEConfig()).eval()
    with torch.no_grad():
        for name, value in student.named_buffers():
            if name.endswith("running_var"):
                value.uniform_(0.2, 1)
        for value in student.h_encoder.parameters():
            value.add_(torch.randn_like(value) * 0.03)
    return student, student.to_onnx()


@pytest.mark.parametrize("shape", ["surface", "blob", "plane"])
def test_the_graph_answers_as_torch_does(published: tuple[PointM2AE, bytes], shape: str) -> None:
    student, graph = published
    points, centers = clouds(3, 2048, 512, seed=5)
    if shape == "blob":
        points = torch.randn(3, 2048, 3, generator=torch.Generator().manual_seed(2)) * 0.4
    if shape == "plane":
        points = points * torch.tensor([1, 1, 0]) + 0.1
    text = torch.nn.functional.normalize(torch.randn(7, 64), dim=-1)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    feed = {"points": points.numpy(), "centers": centers.numpy(), "text": text.numpy()}
    answer = session.run(None, feed)[0]
    with torch.no_grad():
        expected = student(points, centers, text).numpy()
    assert answer.shape == (3, 2048, 7) and expected.std() > 0.1
    assert np.abs(answer - expected).max() < 1e-3


def test_parity_of_the_export(published: tuple[PointM2AE, bytes]) -> None:
    assert parity(*published) < 1e-3
    onnx = pytest.importorskip("onnx")
    domains = {node.domain for node in onnx.load_from_string(published[1]).graph.node}
    assert domains <= {"", "ai.onnx"}, "no custom operators"


def test_it_learns_top_from_bottom() -> None:
    torch.manual_seed(0)
    student, text = PointM2AE(M2AE), torch.nn.functional.normalize(torch.randn(2, 16), dim=-1)
    optimizer = torch.optim.AdamW(student.parameters(), lr=2e-3)
    for step in range(60):
        points, centers = clouds(2, seed=step)
        logits = student(points, centers, text).flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(logits, (points[..., 2] > 0).long().flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    points, centers = clouds(4, seed=1000)
    right = (student.eval()(points, centers, text).argmax(-1) == (points[..., 2] > 0)).float().mean()
    assert right > 0.85


def test_clouds_are_turned_to_the_up_of_the_weights(m2ae: PointM2AE) -> None:
    """A student with +y up sees a cloud with +z up as one with +z up sees that cloud lying on its back."""
    y_up = PointM2AE(replace(m2ae.config, up="y")).eval()
    y_up.load_state_dict(m2ae.state_dict())
    points, centers = clouds(2)
    to_y_up = torch.tensor([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    assert torch.equal(torch.tensor([0.0, 0, 1.0]) @ to_y_up, torch.tensor([0.0, 1.0, 0])) and to_y_up.det() == 1
    expected = m2ae.embed(points @ to_y_up, centers)
    torch.testing.assert_close(y_up.embed(points, centers), expected, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(m2ae.embed(points, centers), expected, atol=1e-2), "the test sees the difference"
    assert parity(y_up, y_up.to_onnx()) < 1e-3


def test_other_axes_are_refused() -> None:
    with pytest.raises(PartDistillError, match="up 'x' is not one of z, y"):
        replace(M2AE, up="x")

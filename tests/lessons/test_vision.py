"One head for every body, freezing, layer groups, picture batches, weights and the file of a net."

import json
import math
import os
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

import helpers.data.weights
from helpers.data.weights import WeightsUnavailable, pretrained_file, small_body
from helpers.rates import one_cycle
from helpers.train import History, fit
from helpers.vision import (
    Head,
    Net,
    PictureBatches,
    Pool,
    augmented,
    fine_tune,
    freeze,
    group_rates,
    layer_groups,
    layout_of,
    load_net,
    param_groups,
    save_net,
    unfreeze,
)

BODIES = {  # cut down to a few layers, random weights
    "convnext_atto": dict(depths=(1, 1, 1, 1), dims=(8, 16, 16, 24)),
    "test_resnet": dict(),
    "swin_tiny_patch4_window7_224": dict(
        embed_dim=12, depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4), window_size=2
    ),
    "swinv2_tiny_window8_256": dict(
        embed_dim=12, depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4), window_size=2
    ),
    "vit_tiny_patch16_224": dict(embed_dim=24, depth=2, num_heads=2),
    "mobilenetv2_050": dict(),
    "test_efficientnet": dict(),
    "deit_tiny_distilled_patch16_224": dict(
        embed_dim=24, depth=2, num_heads=2
    ),  # two prefix tokens
    "test_vit_relpos": dict(),  # tokens without a prefix
    "sequencer2d_s": dict(
        layers=(1, 1, 1, 1), embed_dims=(12, 24, 24, 24), hidden_sizes=(4, 8, 8, 8)
    ),  # channels last, by recurrence
}


@pytest.fixture(scope="module")
def rice():
    "A few rice photographs where they are at hand, else noise with a bright spot for one class."
    if folder := os.environ.get("COURSE_REAL_DATA"):
        from pathlib import Path

        from PIL import Image

        found = [
            (path, n)
            for n, name in enumerate(("brown_spot", "normal", "tungro"))
            for path in sorted(Path(folder).glob(f"paddy-small/train_images/{name}/*.jpg"))[:8]
        ]
        if found:
            return torch.stack(
                [
                    torch.from_numpy(
                        np.asarray(Image.open(path).convert("RGB").resize((80, 80))).copy()
                    ).permute(2, 0, 1)
                    for path, _ in found
                ]
            ), torch.tensor([n for _, n in found])
    generator = torch.Generator().manual_seed(0)
    pictures, y = (
        torch.randint(0, 128, (24, 3, 80, 80), generator=generator, dtype=torch.uint8),
        torch.arange(24) % 3,
    )
    pictures[y == 1, :, 20:50, 20:50] += 100
    return pictures, y


@pytest.fixture
def painted(monkeypatch):
    "Textures that are made at once, in place of the rendered ones."

    def textures(n, size, seed):
        n = min(n, 320)
        y = torch.arange(n) % 4
        stripes = (torch.arange(size) // (2 + 2 * y[:, None]) % 2 * 200).byte()
        return stripes[:, None, None, :].expand(n, 3, size, size).contiguous(), y

    monkeypatch.setitem(
        sys.modules, "helpers.data.leaves", types.SimpleNamespace(textures=textures)
    )
    helpers.data.weights._stand_in.cache_clear()
    monkeypatch.setattr(helpers.data.weights, "_silent_until", 0.0)
    yield
    helpers.data.weights._stand_in.cache_clear()


def net_of(arch, classes=3, size=None):
    if not timm.is_model(arch):
        pytest.skip(f"timm {timm.__version__} has no {arch}")
    return Net(arch, classes, size or 64, pretrained=False, **BODIES[arch])


# --- the head


@pytest.mark.parametrize("arch", BODIES)
def test_any_body_learns(arch, rice):
    torch.manual_seed(0)
    net = net_of(arch)
    batches = PictureBatches(*rice, 8, net.size, shuffle=True, seed=0, mean=net.mean, std=net.std)
    before = {name: p.clone() for name, p in net.named_parameters()}
    history = fit(net, batches, torch.optim.AdamW(net.parameters(), 1e-3), 2, valid=batches)
    assert all(map(math.isfinite, history.losses))
    assert len(history.valid) == 2
    moved = [name for name, p in net.named_parameters() if not torch.equal(p, before[name])]
    assert {name for name in before if name.startswith("head.")} <= set(moved)
    assert sum(name.startswith("body.") for name in moved) > 0.8 * sum(
        name.startswith("body.") for name in before
    )  # a few belong to timm's own pooling
    assert net.eval()(next(iter(batches))[0]).shape == (8, 3)


@pytest.mark.parametrize(
    "arch",
    [
        "convnext_atto",
        "test_resnet",
        "swin_tiny_patch4_window7_224",
        "swinv2_tiny_window8_256",
        "vit_tiny_patch16_224",
        "mobilenetv2_050",
        "test_vit_relpos",
    ],
)
def test_pictures_need_not_be_square(arch):
    net = net_of(arch, size=(96, 64)).eval()
    assert net.size == (96, 64)
    assert net(torch.randn(2, 3, 96, 64)).shape == (2, 3)


def test_layouts():
    assert layout_of([2, 8, 3, 4], 8) == "NCHW"
    assert layout_of([2, 3, 4, 8], 8) == "NHWC"
    assert layout_of([2, 5, 8], 8) == "NLC"
    assert layout_of([2, 8], 8) == "NC"
    assert layout_of([2, 8, 8, 8], 8, "NHWC") == "NHWC"
    assert layout_of([2, 8, 8, 8], 8, "NCHW") == "NCHW"
    assert layout_of([2, 8, 8], 8) == "NLC"
    with pytest.raises(ValueError, match="both NCHW and NHWC"):
        layout_of([2, 8, 8, 8], 8)
    for shape in ([2, 7, 3, 4], [2, 3, 8, 4], [2, 8, 3], [8], [2, 8, 3, 4, 5]):
        with pytest.raises(ValueError, match="no dimension"):
            layout_of(shape, 8)


def test_height_equal_to_features_is_decided_by_timm():
    "A body of 16 features on 16 x 16 places: the shape says nothing, `output_fmt` does."
    net = Net(
        "swin_tiny_patch4_window7_224",
        3,
        512,
        pretrained=False,
        embed_dim=2,
        depths=(1, 1, 1, 1),
        num_heads=(1, 1, 1, 1),
        window_size=4,
    )
    assert net.body.num_features == 16
    assert net.head[0].layout == "NHWC"
    assert tuple(net.body.forward_features(torch.zeros(1, 3, 512, 512)).shape) == (1, 16, 16, 16)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "NLC"])
def test_pooling_of_any_layout(layout):
    torch.manual_seed(0)
    places = torch.randn(2, 12, 5, dtype=torch.float64)  # 3 x 4 places, 5 features
    x = {
        "NLC": places,
        "NHWC": places.view(2, 3, 4, 5),
        "NCHW": places.view(2, 3, 4, 5).permute(0, 3, 1, 2),
    }[layout]
    assert torch.equal(Pool(layout)(x), torch.cat([places.max(1).values, places.mean(1)], 1))


def test_class_tokens_are_no_places():
    x = torch.randn(2, 7, 5)
    x[:, :2] += 100
    got = Pool("NLC", 2, True)(x)
    torch.testing.assert_close(
        got, torch.cat([x[:, 2:].max(1).values, x[:, 2:].mean(1), x[:, 0]], 1)
    )
    assert Pool("NLC", 2)(x).shape == (2, 10)
    net = net_of("deit_tiny_distilled_patch16_224")
    assert net.head[0].prefix == 2
    assert net.head[0].summary
    assert net.head[3].in_features == 3 * 24


def test_tokens_without_a_prefix():
    pool = net_of("test_vit_relpos").head[0]
    assert pool.prefix == 0
    assert not pool.summary


def test_head_is_fastais():
    from fastai.vision.learner import create_head

    torch.manual_seed(0)
    ours, theirs = Head(16, 3).double().eval(), create_head(16, 3).double().eval()
    assert [type(part).__name__ for part in ours][1:] == [type(part).__name__ for part in theirs][
        2:
    ]
    assert [getattr(part, "p", None) for part in ours][1:] == [
        getattr(part, "p", None) for part in theirs
    ][2:]
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    x = torch.randn(4, 16, 3, 5, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-12)
    ours.train(), theirs.train()
    for part in [*ours, *theirs.modules()]:
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-12)


def test_gradient_of_the_head():
    torch.manual_seed(0)
    head = Head(3, 2, hidden=4, drop=0.0).double()
    assert torch.autograd.gradcheck(
        head, (torch.randn(3, 3, 2, 2, dtype=torch.float64, requires_grad=True),)
    )


def test_what_a_head_refuses():
    with pytest.raises(ValueError, match="at least one output"):
        Head(8, 0)
    with pytest.raises(ValueError, match="several feature maps"):
        Net("crossvit_tiny_240", 3, 240, pretrained=False)
    with pytest.raises(ValueError, match="Did you mean"):
        Net("resnet_18", 3)


# --- freezing and rates


def test_frozen_means_frozen(rice):
    torch.manual_seed(0)
    net = freeze(net_of("test_resnet").train())
    assert net.head.training
    assert not any(part.training for part in net.body.modules())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    batches = PictureBatches(*rice, 8, net.size)
    fit(net, batches, torch.optim.AdamW(param_groups(net, 1e-2)), 1, valid=batches)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("body."), name
    unfreeze(net)
    assert net.training
    assert all(part.training for part in net.body.modules())
    assert all(p.requires_grad for p in net.parameters())
    net.eval()
    assert not net.body.training
    fit(net, batches, torch.optim.AdamW(param_groups(net, 1e-2)), 1)
    assert not any(torch.equal(p, before[name]) for name, p in net.named_parameters())


def test_freezing_keeps_evaluation_mode():
    net = net_of("test_resnet").eval()
    assert not freeze(net).training
    assert not unfreeze(net).training


@pytest.mark.parametrize("arch", BODIES)
def test_layer_groups_hold_each_parameter_once(arch):
    net = net_of(arch)
    groups = layer_groups(net)
    ids = [id(p) for group in groups for p in group]
    assert len(groups) == 3
    assert all(groups)
    assert len(ids) == len(set(ids))
    assert set(ids) == {id(p) for p in net.parameters()}
    assert [id(p) for p in groups[2]] == [id(p) for p in net.head.parameters()]
    assert id(next(net.body.parameters())) in {id(p) for p in groups[0]}


def test_early_layers_are_in_the_first_group():
    net = Net("vit_tiny_patch16_224", 3, 32, pretrained=False, embed_dim=8, depth=4, num_heads=2)
    names = {id(p): name for name, p in net.body.named_parameters()}
    early, late = [[names[id(p)] for p in group] for group in layer_groups(net)[:2]]
    assert {"pos_embed", "cls_token", "patch_embed.proj.weight", "blocks.0.norm1.weight"} <= set(
        early
    )
    assert {"blocks.3.norm1.weight", "norm.weight"} <= set(late)


def test_group_rates_are_fastais():
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import Optimizer, set_item_pg  # noqa: F401

    layers = [nn.Linear(1, 1) for _ in range(3)]
    learner = Learner(
        DataLoaders([], []),
        nn.Sequential(*layers),
        loss_func=F.mse_loss,
        splitter=lambda model: [list(layer.parameters()) for layer in model],
    )
    learner.create_opt()
    for lr in (1e-3, slice(1e-3), slice(1e-5, 1e-3), slice(1e-6, 2e-2)):
        learner.opt.set_hyper("lr", learner.lr if lr is None else lr)
        assert [hyper["lr"] for hyper in learner.opt.hypers] == pytest.approx(
            group_rates(lr, 3), rel=1e-12
        )
    assert group_rates(slice(1e-4), 1) == [1e-4]
    assert group_rates(slice(1e-5, 1e-3), 1) == [1e-5]
    for bad in (slice(None), slice(1, None), slice(1, 2, 3)):
        with pytest.raises(ValueError, match="no rate for the head"):
            group_rates(bad, 3)


def test_schedules_keep_the_ratio():
    net = net_of("test_resnet")
    optimizer = torch.optim.AdamW(param_groups(net, slice(1e-5, 1e-3)))
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-5, 1e-4, 1e-3])
    from helpers.train import set_hyper

    set_hyper(optimizer, **one_cycle(1e-2)(0.25))
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-4, 1e-3, 1e-2])


# --- batches


def test_pictures_as_they_are(rice):
    pictures, y = rice
    batches = PictureBatches(pictures, y, 10, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    got = list(batches)
    assert [len(xb) for xb, _ in got] == [10, 10, 4]
    assert len(batches) == 3
    wanted = (pictures / 255.0 - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / torch.tensor(
        [0.2, 0.3, 0.4]
    ).view(3, 1, 1)
    torch.testing.assert_close(torch.cat([xb for xb, _ in got]).cpu(), wanted, rtol=0, atol=1e-5)
    assert torch.equal(torch.cat([yb for _, yb in got]).cpu(), y)
    assert got[0][0].is_contiguous(memory_format=torch.channels_last)
    assert batches.x.dtype == torch.uint8


def test_smaller_pictures_are_smoothed(rice):
    xb, _ = next(iter(PictureBatches(*rice, 4, (40, 20), mean=(0,) * 3, std=(1,) * 3)))
    assert xb.shape == (4, 3, 40, 20)
    torch.testing.assert_close(
        xb.mean((2, 3)).cpu(), (rice[0][:4] / 255.0).mean((2, 3)), rtol=0, atol=0.02
    )
    fence = (
        (torch.arange(80) % 2 * 255).byte().expand(2, 3, 80, 80)
    )  # black and white by turns: grey from afar
    for augment, size, least in ((False, 20, 0.35), (False, 42, 0.2), (True, 20, 0.3)):
        xb, _ = next(
            iter(
                PictureBatches(
                    fence, torch.zeros(2), 2, size, augment, seed=0, mean=(0,) * 3, std=(1,) * 3
                )
            )
        )
        assert least < xb.min()
        assert xb.max() < 1 - least


def test_order_and_views_follow_the_seed(rice):
    def epoch(batches):
        return torch.cat([xb for xb, _ in batches])

    one, two = [PictureBatches(*rice, 8, 64, augment=True, shuffle=True, seed=3) for _ in "ab"]
    first = epoch(one)
    assert torch.equal(first, epoch(two))
    assert not torch.equal(first, epoch(one))
    assert not torch.equal(
        first, epoch(PictureBatches(*rice, 8, 64, augment=True, shuffle=True, seed=4))
    )
    plain = PictureBatches(*rice, 8, 64)
    assert torch.equal(epoch(plain), epoch(plain))


def test_pictures_from_a_file(rice, tmp_path):
    np.save(tmp_path / "pictures.npy", rice[0].permute(0, 2, 3, 1).numpy())
    kept = torch.from_numpy(np.load(tmp_path / "pictures.npy", mmap_mode="c")).permute(0, 3, 1, 2)
    for (xb, _), (wanted, _) in zip(
        PictureBatches(kept, rice[1], 8, shuffle=True, seed=1),
        PictureBatches(*rice, 8, shuffle=True, seed=1),
        strict=True,
    ):
        assert torch.equal(xb, wanted)


def test_what_batches_refuse(rice):
    pictures, y = rice
    for wrong in (pictures / 255.0, pictures[0], pictures.permute(0, 2, 3, 1), pictures[:, :1]):
        with pytest.raises(ValueError, match="uint8"):
            PictureBatches(wrong, y)
    with pytest.raises(ValueError, match="each row needs both"):
        PictureBatches(pictures, y[:-1])


def cross(height=60, width=60):
    picture = torch.zeros(1, 3, height, width)
    picture[..., height // 2 - 2 : height // 2 + 2, :] = 1
    return picture


def test_no_change_is_no_change():
    x = torch.rand(3, 3, 24, 36)
    torch.manual_seed(1)
    got = augmented(x, (24, 36), turn=0.0, min_scale=1.0, light=0.0)
    for one, other in zip(got, x):
        assert torch.allclose(one, other, atol=1e-5) or torch.allclose(
            one, other.flip(-1), atol=1e-5
        )
    many = augmented(x[:1].expand(64, -1, -1, -1), (24, 36), turn=0.0, min_scale=1.0, light=0.0)
    kept = sum(torch.allclose(one, x[0], atol=1e-5) for one in many)
    assert 16 < kept < 48


@pytest.mark.parametrize("height, width", [(60, 60), (60, 120)])
def test_a_turn_is_a_turn(height, width):
    "The tilt of a horizontal bar after a rotation by at most 10 degrees; pictures of any shape."
    generator = torch.Generator().manual_seed(0)
    turned = augmented(
        cross(height, width).expand(200, -1, -1, -1),
        (height, width),
        generator,
        turn=10.0,
        min_scale=1.0,
        light=0.0,
    )[:, 0]
    middle = (turned * torch.arange(height).view(-1, 1)).sum(1) / turned.sum(1)
    tilt = (
        torch.atan2(middle[:, width // 2 + 20] - middle[:, width // 2 - 20], torch.tensor(40.0))
        .rad2deg()
        .abs()
    )
    assert 8 < tilt.max() < 10.5
    assert 3.5 < tilt.mean() < 6.5
    turned = augmented(
        cross(width, height).mT.expand(200, -1, -1, -1),
        (height, width),
        generator,
        turn=10.0,
        min_scale=1.0,
        light=0.0,
    )[:, 0]
    middle = (turned * torch.arange(width)).sum(2) / turned.sum(2)
    tilt = (
        torch.atan2(middle[:, height // 2 + 15] - middle[:, height // 2 - 15], torch.tensor(30.0))
        .rad2deg()
        .abs()
    )
    assert 8 < tilt.max() < 10.5
    assert 3.5 < tilt.mean() < 6.5


def test_zoom_shift_and_light():
    generator = torch.Generator().manual_seed(0)
    x = torch.linspace(0, 1, 100).expand(1, 3, 100, 100)  # brightness is the place
    views = augmented(
        x.expand(300, -1, -1, -1), (100, 100), generator, turn=0.0, min_scale=0.25, light=0.0
    )[:, 0, 50]
    share = (views[:, -6] - views[:, 5]).abs() / (x[0, 0, 0, -6] - x[0, 0, 0, 5])
    assert (
        0.49 < share.min() < 0.53
        and 0.97 < share.max() <= 1.01
        and abs(float((share**2).mean()) - 0.625) < 0.04
    )  # the area is uniform from .25 to 1
    assert views.min() < 0.02
    assert views.max() > 0.98
    bright = (
        augmented(torch.full((300, 3, 8, 8), 0.5), (8, 8), generator, light=0.2).mean((1, 2, 3))
        / 0.5
    )
    assert 0.8 <= bright.min() < 0.82
    assert 1.18 < bright.max() <= 1.2


# --- fine-tuning


def test_fine_tune_first_the_head_then_all(rice):
    calls = []

    def spy(net, batches, optimizer, epochs, **options):
        scales = [group["lr_scale"] for group in optimizer.param_groups]
        calls.append((net.frozen, epochs, scales))
        return fit(net, batches, optimizer, epochs, **options)

    torch.manual_seed(0)
    net = net_of("test_resnet")
    batches = PictureBatches(*rice, 8, net.size, shuffle=True, seed=0)
    history = fine_tune(net, batches, 2, slice(1e-5, 1e-3), valid=batches, fit=spy)
    assert [(frozen, epochs) for frozen, epochs, _ in calls] == [(True, 1), (False, 2)]
    for _, _, scales in calls:
        assert scales == pytest.approx([0.01, 0.1, 1])
    assert len(history.losses) == len(history.rates) == 9
    assert len(history.valid) == 3
    assert not net.frozen
    # the first group's
    assert max(history.rates[:3]) == pytest.approx(1e-5, rel=0.3)
    assert max(history.rates[3:]) == pytest.approx(0.5e-5, rel=0.3)


def test_fine_tune_stopped_in_the_frozen_epoch(rice):
    "The body would stay frozen, and the next `fit` would train the head alone."
    net = net_of("test_resnet")

    class Stopped(PictureBatches):
        def __iter__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fine_tune(net, Stopped(*rice, 8, net.size), 1)
    assert not net.frozen
    assert all(p.requires_grad for p in net.body.parameters())


def test_frozen_epoch_leaves_the_body_alone_whatever_gradients_it_holds(rice):
    torch.manual_seed(0)
    net = net_of("test_resnet")
    batches = PictureBatches(*rice, 8, net.size)
    before = [p.detach().clone() for p in net.body.parameters()]
    for p in net.body.parameters():
        p.grad = torch.ones_like(p)
    fine_tune(net, batches, 0, 1e-2)
    assert all(torch.equal(old, p) for old, p in zip(before, net.body.parameters()))


def test_fine_tune_ends_with_the_stop_button(rice):
    "The second part is not begun, and the body can learn again."
    net = net_of("test_resnet")
    calls = []

    def stopped(*args, **options):
        history = History(1)
        history.stopped = True
        calls.append(args)
        return history

    history = fine_tune(net, [None], 1, fit=stopped)
    assert history.stopped and len(calls) == 1
    assert all(p.requires_grad for p in net.parameters())


def test_fine_tune_learns(rice):
    torch.manual_seed(0)
    net = net_of("test_resnet")
    batches = PictureBatches(*rice, 8, net.size, shuffle=True, seed=0)
    history = fine_tune(net, batches, 8, 3e-3)
    assert sum(history.losses[-6:]) < 0.7 * sum(history.losses[:6])


# --- the file of a net


def test_saved_and_loaded(tmp_path, rice):
    torch.manual_seed(0)
    net = net_of("vit_tiny_patch16_224", size=(96, 64)).eval()
    path = tmp_path / "net.safetensors"
    save_net(net, path, ["spot", "none", "tungro"])
    again = load_net(path)
    x = torch.randn(2, 3, 96, 64)
    assert torch.equal(net(x), again(x))
    assert not again.training
    assert again.labels == ["spot", "none", "tungro"]
    assert again.size == (96, 64)
    assert again.mean == tuple(net.mean)
    assert again.std == tuple(net.std)
    assert again.arch == net.arch
    with pytest.raises(ValueError, match="2 labels for 3 outputs"):
        save_net(net, path, ["a", "b"])


def test_what_loading_refuses(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("no net")
    for name in ("other", "text"):
        with pytest.raises(ValueError, match="is no net of"):
            load_net(tmp_path / f"{name}.safetensors")
    with pytest.raises(FileNotFoundError):
        load_net(tmp_path / "nowhere.safetensors")


def evil(path, state=None, **changes):
    "A file of `save_net`, with a header that somebody has changed."
    torch.manual_seed(0)
    net = Net("test_resnet", 3, 64, pretrained=False)
    about = dict(
        arch=net.arch,
        classes=3,
        size=net.size,
        mean=net.mean,
        std=net.std,
        labels=["a", "b", "c"],
        options=net.options,
    )
    state = {name: value.contiguous() for name, value in (state or net.state_dict()).items()}
    save_file(state, path, {"net": json.dumps(about | changes)})
    return path


def never(*args, **kwargs):
    pytest.fail("something was built")


OPTIONS = [
    dict(checkpoint_path="/x/evil.pth"),
    dict(pretrained=True),
    dict(pretrained_cfg="x"),
    dict(pretrained_cfg_overlay={"url": "http://127.0.0.1/x.pth"}),
    dict(cache_dir="//share/x"),
    dict(features_only=True),
    dict(drop="/x/evil.pth"),
    dict(drop_rate={"a": 1}),
    dict(img_size=10**6),
    dict(depths=[2, [2, "x"]]),
    dict(drop_rate=float("nan")),
    dict(drop=-1.0),
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: str(options)[1:40])
def test_options_of_a_file_are_known_numbers(tmp_path, monkeypatch, options):
    "timm would read other files, ask the network or fill the memory; nothing is built."
    path = evil(tmp_path / "net.safetensors", options=options)
    monkeypatch.setattr("timm.create_model", never)
    with pytest.raises(ValueError, match=f"net.safetensors: .* may not hold {list(options)[0]} "):
        load_net(path)


def test_a_pickle_named_by_a_file_is_not_run(tmp_path):
    "The whole way that an attack would go."

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "it ran"), "w"))

    torch.save(Evil(), tmp_path / "evil.pth")
    path = evil(
        tmp_path / "net.safetensors",
        options=dict(drop=0.5, checkpoint_path=str(tmp_path / "evil.pth")),
    )
    with pytest.raises(ValueError, match="checkpoint_path"):
        load_net(path)
    assert not (tmp_path / "it ran").exists()


HEADERS = [
    dict(arch="hf-hub:x/y"),
    dict(arch="local-dir:/x"),
    dict(arch="x/test_resnet"),
    dict(arch=5),
    dict(classes=10**7),
    dict(classes="3"),
    dict(classes=0),
    dict(labels=["a", "b"]),
    dict(labels="abc"),
    dict(labels=None),
    dict(size=[10**6, 10**6]),
    dict(size=[64]),
    dict(size=64),
    dict(size=["64", "64"]),
    dict(size=[0, 64]),
    dict(mean=None),
    dict(mean=[0.5, 0.5]),
    dict(std=["a", "b", "c"]),
    dict(options=None),
    dict(options=[]),
]


@pytest.mark.parametrize("changes", HEADERS, ids=lambda changes: str(changes)[1:40])
def test_the_header_is_looked_at_before_anything_is_built(tmp_path, monkeypatch, changes):
    path = evil(tmp_path / "net.safetensors", **changes)
    monkeypatch.setattr("timm.create_model", never)
    with pytest.raises(ValueError, match="net.safetensors is no net of"):
        load_net(path)


def test_a_header_that_lacks_something(tmp_path, monkeypatch):
    state = load_file(evil(tmp_path / "net.safetensors"))
    monkeypatch.setattr("timm.create_model", never)
    for text in ("{}", "[]", "no JSON", "[" * 100_000, '{"arch": "test_resnet"}'):
        save_file(state, tmp_path / "net.safetensors", {"net": text})
        with pytest.raises(ValueError, match="net.safetensors is no net of"):
            load_net(tmp_path / "net.safetensors")


@pytest.mark.parametrize(
    "changes",
    [
        dict(arch="test_vit"),
        dict(arch="mobilenetv2_050"),
        dict(options=dict(depth=2)),
        dict(options=dict(layers=[1, 1, 1, 0])),
    ],
)
def test_weights_that_do_not_fit_their_header(tmp_path, changes):
    with pytest.raises(ValueError, match=r"net.safetensors does not fit the net that it names"):
        load_net(evil(tmp_path / "net.safetensors", **changes))


def test_half_a_net(tmp_path):
    path = evil(tmp_path / "net.safetensors")
    state = load_file(path)
    state.pop("body.conv1.0.weight")
    with pytest.raises(ValueError, match=r"net.safetensors does not fit .*body.conv1.0.weight"):
        load_net(evil(path, state))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"net.safetensors is no net of"):
        load_net(path)


def test_a_net_is_not_saved_that_could_not_be_loaded(tmp_path):
    net = Net("test_resnet", 2, 64, pretrained=False, act_layer="gelu")
    with pytest.raises(ValueError, match="net.safetensors: .* may not hold act_layer "):
        save_net(net, tmp_path / "net.safetensors", ["a", "b"])
    assert not (tmp_path / "net.safetensors").exists()
    net = Net("test_resnet", 2, 64, pretrained=False, drop=0.2, drop_path_rate=0.1)
    save_net(net, tmp_path / "net.safetensors", ["a", "b"])
    assert load_net(tmp_path / "net.safetensors").options == dict(drop=0.2, drop_path_rate=0.1)


# --- weights


@pytest.fixture
def file(learner, monkeypatch):
    "Where the learner puts weights for test_resnet."
    (learner / "data folder" / "weights").mkdir(parents=True)
    monkeypatch.setenv("HELPERS_DATA", str(learner / "data folder"))
    return learner / "data folder" / "weights" / "test_resnet.mine.safetensors"


def resnet():
    import timm

    torch.manual_seed(5)
    return timm.create_model("test_resnet").state_dict()


def another_body():
    import timm

    return timm.create_model("test_efficientnet").state_dict()


OTHERS = {
    "ten tensors": lambda: dict(list(resnet().items())[:10]),
    "one is missing": lambda: {
        name: value for name, value in resnet().items() if name != "layer4.0.bn2.running_mean"
    },
    "backbone.": lambda: {f"backbone.{name}": value for name, value in resnet().items()},
    "model.": lambda: {f"model.{name}": value for name, value in resnet().items()},
    "another body": another_body,
    "a net of save_net": lambda: Net("test_resnet", 3, 64, pretrained=False).state_dict(),
    "nothing": dict,
    "another shape": lambda: resnet() | {"layer4.0.bn2.weight": torch.zeros(1)},
}


@pytest.mark.parametrize("kind", OTHERS)
def test_another_nets_weights_are_refused(file, kind):
    "Never a body that is random, or random in part."
    save_file({name: value.contiguous() for name, value in OTHERS[kind]().items()}, file)
    with pytest.raises(
        ValueError, match="test_resnet.mine.safetensors (lacks|does not fit)"
    ) as caught:
        Net("test_resnet", 3, 64)
    assert "remove the file" in str(caught.value)
    assert "\n" not in str(caught.value)


NO_WEIGHTS = {
    "a pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "a page": b"<!DOCTYPE html><html><body>404</body></html>",
    "nothing": b"",
    "zeros": bytes(100),
}


@pytest.mark.parametrize("kind", [*NO_WEIGHTS, "half of it"])
def test_what_is_no_file_of_weights_is_named(file, kind):
    save_file(resnet(), file)
    file.write_bytes(NO_WEIGHTS.get(kind, file.read_bytes()[: file.stat().st_size // 2]))
    with pytest.raises(ValueError, match="test_resnet.mine.safetensors is no safetensors file"):
        Net("test_resnet", 3, 64)


def test_wrong_options_are_not_the_files_fault(file):
    save_file(resnet(), file)
    with pytest.raises(TypeError, match="no_such_option"):
        Net("test_resnet", 3, 64, no_such_option=1)


def test_weights_of_another_size_still_fit(learner, monkeypatch):
    "timm resizes the table of positions before it loads it."
    import timm

    (learner / "weights").mkdir()
    monkeypatch.setenv("HELPERS_DATA", str(learner))
    source = timm.create_model("test_vit", num_classes=7).state_dict()
    save_file(source, learner / "weights" / "test_vit.safetensors")
    body = Net("test_vit", 3, 96).body.state_dict()
    assert body["pos_embed"].shape != source["pos_embed"].shape
    assert all(
        torch.equal(value.cpu(), source[name])
        for name, value in body.items()
        if name != "pos_embed"
    )


def test_weights_in_the_data_folder(learner, monkeypatch):
    folder = learner / "data folder"
    (folder / "weights").mkdir(parents=True)
    torch.manual_seed(5)
    source = timm.create_model("test_resnet")
    save_file(source.state_dict(), folder / "weights" / "test_resnet.mine.safetensors")
    monkeypatch.setenv("HELPERS_DATA", str(folder))
    net = Net("test_resnet", 3, 64)
    state = net.body.state_dict()
    assert len(state) > 20
    assert all(torch.equal(value.cpu(), source.state_dict()[name]) for name, value in state.items())
    assert pretrained_file("test_resnet").name == "test_resnet.mine.safetensors"


def test_weights_attached_to_a_kaggle_notebook(learner, monkeypatch):
    monkeypatch.setenv("HELPERS_KAGGLE_INPUT", str(learner / "input"))
    file = (
        learner
        / "input"
        / "datasets"
        / "somebody"
        / "weights"
        / "vit_tiny_patch16_224.augreg.safetensors"
    )
    file.parent.mkdir(parents=True)
    file.touch()
    assert pretrained_file("vit_tiny_patch16_224") == file
    assert small_body() == "vit_tiny_patch16_224"


def test_offline_is_said_at_once(learner):
    start = time.monotonic()
    with pytest.raises(WeightsUnavailable, match="pretrained=False") as error:
        Net("resnet18", 3)
    assert "weights" in str(error.value)
    assert "resnet18.<anything>.safetensors" in str(error.value)
    assert small_body() == "test_resnet"
    assert time.monotonic() - start < 5


def test_a_network_that_does_not_answer_is_given_up(learner, monkeypatch):
    """A server that accepts the connection and says nothing.

    One wait of three seconds (here a tenth), then none for a minute.
    """
    import socket

    import requests
    from huggingface_hub import constants

    monkeypatch.setattr(helpers.data.weights, "_silent_until", 0.0)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        waits, head = [], requests.head

        def impatient(address, timeout):
            waits.append(timeout)
            return head(address, timeout=timeout / 10)

        monkeypatch.setattr(requests, "head", impatient)
        for _ in range(3):
            with pytest.raises(WeightsUnavailable, match="no connection"):
                pretrained_file("resnet18")
        assert waits == [3]
    monkeypatch.setattr(helpers.data.weights, "_silent_until", 0.0)


def test_whatever_the_hubs_client_raises_is_a_reason(learner, monkeypatch):
    "As where the hub closes the connection in the middle."
    import huggingface_hub

    class RemoteProtocolError(Exception):
        "Of a library for HTTP: no `OSError`."

    asked = []

    def download(name, file, local_files_only=False):
        if local_files_only:
            raise FileNotFoundError
        asked.append(name)
        raise RemoteProtocolError("Server disconnected without sending a response.")

    monkeypatch.setattr(helpers.data.weights, "_reachable", lambda address: True)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(WeightsUnavailable, match="RemoteProtocolError: Server disconnected"):
        pretrained_file("resnet18")
    assert len(asked) == 1
    assert small_body() == "test_resnet"


def test_stand_in_is_trained_once_and_says_so(learner, painted, capsys):
    "And it tells textures apart that it has not seen."
    net = Net("test_resnet", 3, 64)
    said = capsys.readouterr().out
    assert "stand-in weights" in said
    assert said.count("\n") == 1
    path = pretrained_file("test_resnet")
    assert path.is_relative_to(learner / "data" / "cache")
    assert capsys.readouterr().out == ""
    stored = load_file(path)
    assert all(
        torch.equal(value.cpu(), stored[name]) for name, value in net.body.state_dict().items()
    )
    assert stored["fc.weight"].shape[0] == 4
    written = path.stat().st_mtime_ns
    helpers.data.weights._stand_in.cache_clear()  # as in the next session
    assert pretrained_file("test_resnet") == path
    assert path.stat().st_mtime_ns == written
    assert "kept in the cache" in capsys.readouterr().out
    from helpers.data.leaves import textures

    body = timm.create_model("test_resnet", num_classes=4).eval()
    body.load_state_dict(stored)
    pictures, y = textures(40, 64, 1)
    assert (body((pictures / 255.0 - 0.5) / 0.5).argmax(1) == y).float().mean() > 0.9


def test_no_stand_in_where_real_data_are_required(learner, painted):
    (learner / "settings.ini").write_text("[learner]\noffline = require-real\n")
    with pytest.raises(WeightsUnavailable):
        Net("test_resnet", 3, 64)


@pytest.mark.real
@pytest.mark.parametrize("arch, size", [("mobilenetv2_100", 96), ("vit_tiny_patch16_224", 64)])
def test_real_weights(arch, size, real_data):
    net = Net(arch, 3, size)
    stored = load_file(pretrained_file(arch))
    first = next(iter(net.body.state_dict()))
    if arch.startswith("mobilenet"):
        assert torch.equal(net.body.state_dict()[first].cpu(), stored[first])
    assert net(torch.zeros(2, 3, size, size)).shape == (2, 3)
    assert tuple(net.mean) == ((0.5,) * 3 if arch.startswith("vit") else (0.485, 0.456, 0.406))
    assert small_body() == "vit_tiny_patch16_224"


def test_a_full_disk_leaves_the_old_net(tmp_path, monkeypatch):
    import safetensors.torch

    net, path = net_of("test_resnet"), tmp_path / "net.safetensors"
    save_net(net, path, list("abc"))
    before = path.read_bytes()

    def full(state, place, metadata=None):
        Path(place).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_net(net, path, list("abc"))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]

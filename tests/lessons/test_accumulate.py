"Accumulation: an update is the mean over its own rows, in half precision and on devices too."

import copy
import sys
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import optim
from helpers.accumulate import Accumulator
from helpers.gpu.devices import DistributedAccumulator, Shard, fit_on
from helpers.rates import one_cycle
from helpers.train import Batches, evaluate, fit

OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, 0.1, momentum=0.9),
    "Adam": lambda p: optim.Adam(p, 1e-2),
    "torch SGD": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
    "torch AdamW": lambda p: torch.optim.AdamW(p, 1e-2),
}


def rows(n=100, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 12, dtype=torch.float64, generator=generator)
    return x, torch.randint(5, (n,), generator=generator)


def batches_of(bs, n=100, **kwargs):
    return Batches(*rows(n), bs, device="cpu", **kwargs)


def net(norm=nn.LayerNorm, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(12, 16), norm(16), nn.GELU(), nn.Linear(16, 5)).double()


def far(a, b):
    pairs = zip(a.parameters(), b.parameters())
    return max((p - q).abs().max().item() for p, q in pairs)


def trained(bs, group=None, norm=nn.LayerNorm, make=OPTIMIZERS["SGD"], epochs=3, **kwargs):
    "A net after some epochs in batches of `bs` rows, an update after `group` rows."
    model = net(norm)
    batches = batches_of(bs)
    optimizer = make(list(model.parameters()))
    step = Accumulator(len(batches), group)
    return model, fit(model, batches, optimizer, epochs, step=step, **kwargs)


def by_groups(groups, make, epochs=3, n=100):
    "The plain loop over groups of rows of these sizes."
    model, (x, y) = net(), rows(n)
    optimizer = make(list(model.parameters()))
    for _ in range(epochs):
        for xb, yb in zip(x.split(groups), y.split(groups)):
            F.cross_entropy(model(xb), yb).backward()
            optimizer.step()
            optimizer.zero_grad()
    return model


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize(
    ("bs", "group", "groups"),
    [
        (16, 64, [64, 36]),
        (24, 64, [72, 28]),
        (32, 64, [64, 36]),
        (7, 10, [14] * 7 + [2]),
        (64, 64, [64, 36]),
        (64, 10, [64, 36]),
        (100, 1000, [100]),
        (9, 1000, [100]),
    ],
)
def test_equal_to_the_big_batch(make, bs, group, groups):
    assert far(trained(bs, group, make=make)[0], by_groups(groups, make)) < 1e-10


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_without_rows_nothing_changes(make):
    plain = by_groups([24, 24, 24, 24, 4], make)
    assert far(trained(24, make=make)[0], plain) < 1e-12
    assert far(trained(24, 1, make=make)[0], plain) < 1e-12


def test_nothing_is_carried_over_an_epoch_or_a_fit():
    model, history = trained(24, 64, epochs=2)
    assert all(p.grad is None for p in model.parameters())
    assert len(history.losses) == len(history.rates) == 10

    once, _ = trained(24, 64, epochs=1)
    step = Accumulator(5, 64)
    fit(once, batches_of(24), optim.SGD(once.parameters(), 0.1), step=step)
    twice = by_groups([72, 28], OPTIMIZERS["SGD"], epochs=1)
    optimizer = optim.SGD(twice.parameters(), 0.1)
    x, y = rows()
    for xb, yb in zip(x.split([72, 28]), y.split([72, 28])):
        F.cross_entropy(twice(xb), yb).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert far(once, twice) < 1e-10


def test_the_history_shows_each_batch_and_its_own_loss():
    schedule = one_cycle(0.1, momenta=(0.9, 0.9, 0.9))
    model, history = trained(24, 64, epochs=1, schedule=schedule)
    x, y = rows()
    first = F.cross_entropy(net()(x[:24]), y[:24]).item()
    assert history.losses[0] == pytest.approx(first, abs=1e-12)
    assert history.steps_per_epoch == 5
    assert history.rates == pytest.approx([schedule(n / 5)["lr"] for n in range(5)])


def test_batch_norm_sees_the_small_batches():
    small, _ = trained(16, 64, nn.BatchNorm1d)
    large, _ = trained(64, None, nn.BatchNorm1d)
    assert far(small, large) > 1e-3
    assert far(trained(16, 64)[0], trained(64)[0]) < 1e-10


def test_frozen_parameters_stay():
    model = net()
    model[0].requires_grad_(False)
    before = copy.deepcopy(model)
    optimizer = optim.SGD(model.parameters(), 0.1)
    fit(model, batches_of(24), optimizer, step=Accumulator(5, 64))
    assert torch.equal(model[0].weight, before[0].weight)
    assert not torch.equal(model[3].weight, before[3].weight)


@pytest.mark.parametrize("group", [0, -64, float("nan")])
def test_bad_rows(group):
    with pytest.raises(ValueError, match="counts the rows"):
        Accumulator(4, group)
    with pytest.raises(ValueError, match="counts the rows"):
        fit_on(None, net(), batches_of(24), None, rows=group)


# --- half precision


def test_without_accelerate(monkeypatch, capsys):
    "A GPU is used all the same, in single precision, and that is said."
    from helpers.gpu import devices

    monkeypatch.setattr(devices, "best_device", lambda: torch.device("cuda"))
    monkeypatch.setitem(sys.modules, "accelerate", None)
    assert devices.find_accelerator() is None
    printed = capsys.readouterr().out
    assert "single precision, on one device: accelerate is not installed" in printed


def test_bf16_by_accelerate():
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True, mixed_precision="bf16")
    try:
        model = net().float()
        dtypes = set()
        model[3].register_forward_hook(lambda module, inputs, output: dtypes.add(output.dtype))
        x, y = rows()
        batches = Batches(x.float(), y, 24, device="cpu")
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        history = fit_on(accelerator, model, batches, optimizer, 2, valid=batches, rows=64)
        assert dtypes == {torch.bfloat16}
        assert all(p.dtype == torch.float32 for p in model.parameters())
        assert len(history.losses) == 10
        loss = evaluate(model, batches)["loss"]
        assert history.valid[-1]["loss"] == pytest.approx(loss, abs=0.02)
    finally:
        accelerator.free_memory()
        type(accelerator.state)._reset_state(reset_partial_state=True)


class WithScaler:
    "An accelerator as it is on CUDA, where half precision is float16: gradients are scaled."

    num_processes, process_index, is_main_process, device = 1, 0, True, torch.device("cpu")

    def __init__(self):
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)

    def autocast(self):
        return nullcontext()

    def backward(self, loss):
        self.scaler.scale(loss).backward()

    def reduce(self, value, how="sum"):
        return value


def on(accelerator, group=64, bs=24, epochs=3, make=OPTIMIZERS["torch SGD"], **kwargs):
    model = net()
    optimizer = make(list(model.parameters()))
    history = fit_on(accelerator, model, batches_of(bs), optimizer, epochs, rows=group, **kwargs)
    return model, history


@pytest.mark.parametrize("accelerator", [None, WithScaler()], ids=["none", "scaler"])
def test_fit_on_one_device_is_accumulation(accelerator):
    model, history = on(accelerator, valid=batches_of(16))
    assert far(model, by_groups([72, 28], OPTIMIZERS["torch SGD"])) < 1e-10
    _, plain = trained(24, 64, make=OPTIMIZERS["torch SGD"], valid=batches_of(16))
    assert history.losses == pytest.approx(plain.losses, abs=1e-10)
    assert history.valid == [pytest.approx(scores, abs=1e-10) for scores in plain.valid]


def test_an_overflow_leaves_an_update_out_and_halves_the_scale():
    accelerator = WithScaler()
    model = net()
    with torch.no_grad():
        model[3].weight[0, 0] = float("inf")
    before = copy.deepcopy(model)
    optimizer = OPTIMIZERS["torch SGD"](model.parameters())
    fit_on(accelerator, model, batches_of(5, n=10), optimizer, rows=10)
    assert torch.equal(model[0].weight, before[0].weight)
    assert accelerator.scaler.get_scale() == 2.0**9


def test_only_the_first_device_prints(capsys):
    "A loss that is no number is said once, however many devices there are."
    accelerator = WithScaler()
    accelerator.scaler = None
    accelerator.backward = torch.Tensor.backward

    def no_number(outputs, y):
        return F.cross_entropy(outputs, y) * float("nan")

    on(accelerator, loss=no_number)
    assert "no longer a number" in capsys.readouterr().out
    accelerator.is_main_process = False
    on(accelerator, loss=no_number)
    assert capsys.readouterr().out == ""


# --- several devices


@pytest.mark.parametrize(
    ("n", "world", "even"),
    [(100, 2, True), (101, 2, True), (101, 2, False), (7, 3, True), (2, 3, True), (2, 3, False)],
)
def test_shares_are_the_sampler_of_torch(n, world, even):
    from torch.utils.data import DistributedSampler

    batches = Batches(torch.arange(n)[:, None], torch.arange(n), 8, device="cpu")
    shards = [Shard(batches, rank, world, even) for rank in range(world)]
    none = torch.empty(0, dtype=torch.int64)
    shares = [torch.cat([none, *(yb for _, yb in shard)]).tolist() for shard in shards]
    for shard, share in zip(shards, shares):
        assert len(shard) == -(-len(share) // 8)
    if even:
        for rank, share in enumerate(shares):
            assert share == list(DistributedSampler(range(n), world, rank, shuffle=False))
    else:
        assert sorted(sum(shares, [])) == list(range(n))


def test_shares_of_a_shuffled_order_are_apart():
    x, y = torch.arange(40)[:, None], torch.arange(40)
    shards = []
    for rank in range(2):
        batches = Batches(x, y, 8, shuffle=True, seed=3, device="cpu")
        shards.append(Shard(batches, rank, 2))
    epochs = []
    for _ in range(2):
        epochs.append([torch.cat([yb for _, yb in shard]).tolist() for shard in shards])
    for first, second in epochs:
        assert sorted(first + second) == list(range(40))
    assert epochs[0] != epochs[1]


def test_a_loader_that_cannot_be_shared():
    accelerator = WithScaler()
    accelerator.num_processes = 2
    with pytest.raises(ValueError, match="DataLoader cannot be shared"):
        DistributedAccumulator(accelerator, torch.utils.data.DataLoader(range(3)))


@pytest.mark.parametrize("how", ["weighted", "ignored"])
def test_weighted_losses_are_the_big_batch_if_told_what_counts(how):
    x = torch.randn(32, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    y = torch.arange(32) % 7 % 3
    weight = torch.tensor([0.2, 1.0, 5.0], dtype=torch.float64)
    if how == "weighted":

        def loss(outputs, targets):
            return F.cross_entropy(outputs, targets, weight)

        def count(targets):
            return weight[targets].sum()
    else:
        y[::3] = -100
        loss = F.cross_entropy

        def count(targets):
            return (targets != -100).sum()

    def after(bs, **options):
        torch.manual_seed(0)
        model = nn.Linear(4, 3).double()
        batches = Batches(x, y, bs=bs, device="cpu")
        step = Accumulator(len(batches), 32, **options)
        fit(model, batches, optim.SGD(model.parameters(), 1.0), loss=loss, step=step)
        return model

    assert far(after(8, count=count), after(32)) < 1e-12
    assert far(after(8), after(32)) > 1e-3  # by rows alone it is another update

"Accumulation: an update is the mean over its own rows, in `fit`, in half precision, and on two devices."

import copy
import sys
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import optim
from helpers.accumulate import Accumulator
from helpers.gpu.devices import DistributedAccumulator, Shard
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
    return torch.randn(n, 12, dtype=torch.float64, generator=generator), torch.randint(
        5, (n,), generator=generator
    )


def net(norm=nn.LayerNorm, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(12, 16), norm(16), nn.GELU(), nn.Linear(16, 5)).double()


def far(a, b):
    return max((p - q).abs().max().item() for p, q in zip(a.parameters(), b.parameters()))


def trained(bs, accum=None, norm=nn.LayerNorm, make=OPTIMIZERS["SGD"], n=100, epochs=3, **kwargs):
    model = net(norm)
    history = fit(
        model,
        Batches(*rows(n), bs, device="cpu"),
        make(list(model.parameters())),
        epochs,
        accum=accum,
        **kwargs,
    )
    return model, history


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
    ("bs", "accum", "groups"),
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
def test_equal_to_the_big_batch(make, bs, accum, groups):
    assert far(trained(bs, accum, make=make)[0], by_groups(groups, make)) < 1e-10


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_without_accum_nothing_changes(make):
    assert far(trained(24, make=make)[0], by_groups([24, 24, 24, 24, 4], make)) < 1e-12
    assert far(trained(24, 1, make=make)[0], by_groups([24, 24, 24, 24, 4], make)) < 1e-12


def test_nothing_is_carried_over_an_epoch_or_a_fit():
    model, history = trained(24, 64, epochs=2)
    assert (
        all(p.grad is None for p in model.parameters())
        and len(history.losses) == len(history.rates) == 10
    )
    once = trained(24, 64, epochs=1)[0]
    fit(once, Batches(*rows(), 24, device="cpu"), optim.SGD(once.parameters(), 0.1), accum=64)
    twice = by_groups([72, 28], OPTIMIZERS["SGD"], epochs=1)
    optimizer = optim.SGD(twice.parameters(), 0.1)
    for part in ([0, 72], [72, 100]):
        F.cross_entropy(twice(rows()[0][slice(*part)]), rows()[1][slice(*part)]).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert far(once, twice) < 1e-10


def test_the_history_shows_each_batch_and_its_own_loss():
    model, history = trained(24, 64, epochs=1, schedule=one_cycle(0.1, momenta=(0.9, 0.9, 0.9)))
    first = F.cross_entropy(net()(rows()[0][:24]), rows()[1][:24]).item()
    assert history.losses[0] == pytest.approx(first, abs=1e-12) and history.steps_per_epoch == 5
    assert history.rates == pytest.approx([one_cycle(0.1)(n / 5)["lr"] for n in range(5)])


def test_batch_norm_sees_the_small_batches():
    assert far(trained(16, 64, nn.BatchNorm1d)[0], trained(64, None, nn.BatchNorm1d)[0]) > 1e-3
    assert far(trained(16, 64)[0], trained(64)[0]) < 1e-10


def test_frozen_parameters_stay():
    model = net()
    model[0].requires_grad_(False)
    before = copy.deepcopy(model)
    fit(model, Batches(*rows(), 24, device="cpu"), optim.SGD(model.parameters(), 0.1), accum=64)
    assert torch.equal(model[0].weight, before[0].weight) and not torch.equal(
        model[3].weight, before[3].weight
    )


@pytest.mark.parametrize("accum", [0, -64, float("nan")])
def test_bad_accum(accum):
    with pytest.raises(ValueError, match="counts the rows"):
        Accumulator(4, accum)
    with pytest.raises(ValueError, match="counts the rows"):
        trained(24, accum)


# --- half precision


def test_without_accelerate(monkeypatch, capsys):
    "A GPU is used all the same, in single precision, and that is said."
    from helpers.gpu import devices

    monkeypatch.setattr(devices, "best_device", lambda: torch.device("cuda"))
    monkeypatch.setitem(sys.modules, "accelerate", None)
    assert (
        devices.accelerator_here() is None
        and "single precision, on one device: accelerate is not installed"
        in capsys.readouterr().out
    )


def test_bf16_by_accelerate():
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True, mixed_precision="bf16")
    try:
        model = net().float()
        kinds = set()
        model[3].register_forward_hook(lambda module, inputs, output: kinds.add(output.dtype))
        x, y = rows()
        batches = Batches(x.float(), y, 24, device="cpu")
        history = fit(
            model,
            batches,
            torch.optim.SGD(model.parameters(), 0.1),
            2,
            valid=batches,
            accum=64,
            accelerator=accelerator,
        )
        assert kinds == {torch.bfloat16} and all(
            p.dtype == torch.float32 for p in model.parameters()
        )
        assert len(history.losses) == 10 and history.valid[-1]["loss"] == pytest.approx(
            evaluate(model, batches)["loss"], abs=0.02
        )
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


def test_scaled_gradients_give_the_same_weights():
    make = OPTIMIZERS["torch SGD"]
    accelerator = WithScaler()
    model = trained(24, 64, make=make, accelerator=accelerator)[0]
    assert far(model, by_groups([72, 28], make)) < 1e-10
    model = net()
    with torch.no_grad():
        model[3].weight[0, 0] = float("inf")
    before = copy.deepcopy(model)
    fit(
        model,
        Batches(*rows(10), 5, device="cpu"),
        make(model.parameters()),
        accum=10,
        accelerator=accelerator,
    )
    assert (
        torch.equal(model[0].weight, before[0].weight) and accelerator.scaler.get_scale() == 2.0**9
    ), "an overflow leaves an update out and halves the scale"


# --- several devices


@pytest.mark.parametrize(
    ("n", "world", "even"),
    [(100, 2, True), (101, 2, True), (101, 2, False), (7, 3, True), (2, 3, True), (2, 3, False)],
)
def test_shares_are_the_sampler_of_torch(n, world, even):
    from torch.utils.data import DistributedSampler

    batches = Batches(torch.arange(n)[:, None], torch.arange(n), 8, device="cpu")
    shares = [Shard(batches, rank, world, even) for rank in range(world)]
    found = [
        torch.cat([yb for _, yb in share] or [torch.empty(0, dtype=torch.int64)]).tolist()
        for share in shares
    ]
    assert [len(share) for share in shares] == [-(-len(part) // 8) for part in found]
    if even:
        assert found == [
            list(DistributedSampler(range(n), world, rank, shuffle=False)) for rank in range(world)
        ]
    else:
        assert sorted(sum(found, [])) == list(range(n))


def test_shares_of_a_shuffled_order_are_apart():
    def part(rank):
        return Shard(
            Batches(
                torch.arange(40)[:, None], torch.arange(40), 8, shuffle=True, seed=3, device="cpu"
            ),
            rank,
            2,
        )

    first, second = part(0), part(1)
    epochs = [
        [torch.cat([yb for _, yb in share]).tolist() for share in (first, second)] for _ in range(2)
    ]
    assert all(sorted(a + b) == list(range(40)) for a, b in epochs) and epochs[0] != epochs[1]


def test_a_loader_that_cannot_be_shared():
    accelerator = WithScaler()
    accelerator.num_processes = 2
    with pytest.raises(ValueError, match="DataLoader cannot be shared"):
        DistributedAccumulator(accelerator, torch.utils.data.DataLoader(range(3)))

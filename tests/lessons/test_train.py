"Mini-batches, the training loop, evaluation, schedules, the finder and the smoothed curve."

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.data.digits import stand_in_digits
from helpers.optim import SGD, Adam
from helpers.rates import RateFinder, find_rate, linear, one_cycle, smooth
from helpers.train import Batches, accuracy, evaluate, fit, set_hyper


@pytest.fixture(scope="module")
def digits():
    return stand_in_digits()


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(784, 20), nn.ReLU(), nn.Linear(20, 10))


def test_batches_show_every_row_once():
    x, y = torch.arange(103.0)[:, None], torch.arange(103)
    batches = Batches(x, y, bs=10, shuffle=True, device="cpu")
    first, second = [torch.cat([yb for _, yb in batches]) for _ in range(2)]
    assert len(batches) == 11 == len(list(batches))
    assert (
        not torch.equal(first, second)
        and torch.equal(first.sort().values, y)
        and torch.equal(second.sort().values, y)
    )
    for xb, yb in batches:
        assert torch.equal(xb[:, 0].long(), yb)
    assert torch.equal(torch.cat([yb for _, yb in Batches(x, y, 10, device="cpu")]), y)


def test_batches_with_a_seed_repeat():
    x, y = torch.arange(50.0)[:, None], torch.arange(50)

    def epochs(seed):
        batches = Batches(x, y, 8, shuffle=True, seed=seed, device="cpu")
        return [torch.cat([yb for _, yb in batches]) for _ in range(2)]

    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert all(torch.equal(a, b) for a, b in zip(epochs(3), epochs(3)))
    assert not torch.equal(epochs(3)[0], epochs(4)[0])
    assert torch.equal(torch.get_rng_state(), state), (
        "a seed of its own leaves the global one alone"
    )


@pytest.mark.parametrize(
    ("x", "y", "bs"),
    [
        (torch.ones(3, 2), torch.ones(4), 2),
        (torch.ones(0, 2), torch.ones(0), 2),
        (torch.ones(3, 2), torch.ones(3), 0),
    ],
)
def test_bad_batches(x, y, bs):
    with pytest.raises(ValueError):
        Batches(x, y, bs)


def test_fit_is_the_plain_loop(digits):
    x, y = digits.train[0][:500].double(), digits.train[1][:500]
    ours, theirs = net().double(), net().double()
    history = fit(ours, Batches(x, y, 64, device="cpu"), SGD(ours.parameters(), 0.1), epochs=2)
    losses, optimizer = [], torch.optim.SGD(theirs.parameters(), 0.1)
    for _ in range(2):
        for xb, yb in zip(x.split(64), y.split(64)):
            loss = F.cross_entropy(theirs(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert history.losses == pytest.approx(losses, abs=1e-12) and len(history.rates) == 16
    assert (
        max((a - b).abs().max().item() for a, b in zip(ours.parameters(), theirs.parameters()))
        < 1e-12
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda p: SGD(p, 0.1),
        lambda p: Adam(p, 3e-3),
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
        lambda p: torch.optim.AdamW(p, 3e-3),
    ],
)
def test_fit_learns_with_any_optimizer(digits, make):
    model = net()
    valid = Batches(*digits.valid, bs=500)
    history = fit(
        model,
        Batches(*digits.train, shuffle=True, seed=0),
        make(model.parameters()),
        epochs=2,
        valid=valid,
    )
    assert len(history.valid) == 2 and history.valid[-1]["accuracy"] > 0.8
    assert model.training and history.plot() is not None


def test_fit_uses_the_schedule_for_both_kinds(digits):
    x, y = digits.train[0][:640], digits.train[1][:640]
    for make in (lambda p: Adam(p, 1.0), lambda p: torch.optim.Adam(p, 1.0)):
        model = net()
        optimizer = make(list(model.parameters()))
        history = fit(model, Batches(x, y), optimizer, epochs=2, schedule=one_cycle(0.01))
        assert history.rates == pytest.approx([one_cycle(0.01)(n / 20)["lr"] for n in range(20)])
        betas = (
            optimizer.betas if hasattr(optimizer, "betas") else optimizer.param_groups[0]["betas"]
        )
        assert betas[0] == pytest.approx(one_cycle(0.01)(19 / 20)["momentum"])


def test_fit_stops_when_the_loss_is_no_number(digits, capsys):
    model = net()
    history = fit(
        model,
        Batches(digits.train[0][:640], digits.train[1][:640]),
        SGD(model.parameters(), 1e30),
        epochs=5,
    )
    assert len(history.losses) == 10 and "Begin again" in capsys.readouterr().out


def test_fit_is_quiet_without_a_terminal(digits, capfd):
    model = net()
    fit(model, Batches(digits.train[0][:640], digits.train[1][:640]), SGD(model.parameters(), 0.1))
    assert capfd.readouterr() == ("", "")


def test_evaluate_weighs_rows_not_batches(digits):
    model = net()
    x, y = digits.valid[0][:130], digits.valid[1][:130]
    found = evaluate(model, Batches(x, y, 64))
    with torch.no_grad():
        outputs = model(x)
    assert found["loss"] == pytest.approx(F.cross_entropy(outputs, y).item(), abs=1e-6) and found[
        "accuracy"
    ] == pytest.approx(accuracy(outputs, y).item(), abs=1e-6)


def test_evaluate_puts_the_mode_back(digits):
    model = nn.Sequential(nn.Dropout(0.5), net())
    batches = Batches(digits.valid[0][:100], digits.valid[1][:100])
    for mode in (True, False):
        model.train(mode)
        assert evaluate(model, batches) == evaluate(model, batches), "dropout should be off"
        assert model.training == mode


def test_set_hyper_names_what_is_missing():
    optimizer = torch.optim.SGD(net().parameters(), 0.1)
    set_hyper(optimizer, lr=0.2, momentum=0.5, wd=0.01)
    assert (
        optimizer.param_groups[0]["lr"],
        optimizer.param_groups[0]["momentum"],
        optimizer.param_groups[0]["weight_decay"],
    ) == (0.2, 0.5, 0.01)
    with pytest.raises(ValueError, match="no .*rate"):
        set_hyper(optimizer, rate=1.0)
    with pytest.raises(ValueError, match="no .*wd"):
        set_hyper(Adam(net().parameters()), wd=1.0)


def test_smooth():
    assert smooth([3.0]) == pytest.approx([3.0]) and smooth([2.0] * 50) == pytest.approx([2.0] * 50)
    average, values = 0.0, [1.0, 5.0, 2.0]
    for n, (value, found) in enumerate(zip(values, smooth(values, 0.7)), start=1):
        average = 0.7 * average + 0.3 * value
        assert found == pytest.approx(average / (1 - 0.7**n))


def test_schedules():
    cycle = one_cycle(0.1, div=10.0, final=1e3, warm=0.2, momenta=(0.9, 0.8, 0.95))
    assert (
        cycle(0)["lr"] == pytest.approx(0.01)
        and cycle(0.2)["lr"] == pytest.approx(0.1)
        and cycle(1)["lr"] == pytest.approx(1e-4)
    )
    assert [cycle(done)["momentum"] for done in (0, 0.2, 1)] == pytest.approx([0.9, 0.8, 0.95])
    assert cycle(0.1)["lr"] == pytest.approx(0.055) and cycle(0.6)["lr"] == pytest.approx(
        (0.1 + 1e-4) / 2
    )
    line = linear(0.1, warm=0.1, momentum=0.7)
    assert (
        max(line(n / 1000)["lr"] for n in range(1000)) == pytest.approx(0.1, rel=0.02)
        and line(0.55)["lr"] == pytest.approx(0.05)
        and line(1)["lr"] == 0
        and line(0)["lr"] > 0
        and line(0.5)["momentum"] == 0.7
    )


def test_finder_leaves_the_model_alone(digits):
    model = net()
    before = copy.deepcopy(model.state_dict())
    finding = find_rate(
        model, Batches(digits.train[0][:640], digits.train[1][:640]), lambda p, lr: SGD(p, lr)
    )
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert finding.rates[0] == pytest.approx(1e-6) and all(
        a < b for a, b in zip(finding.rates, finding.rates[1:])
    )
    assert 20 < len(finding.losses) <= 100, "ten batches are begun again until there are enough"
    assert set(finding.readings()) == {"tenth of the minimum", "steepest", "valley"} and all(
        1e-7 <= rate <= 10 for rate in finding.readings().values()
    )


def test_readings_on_a_made_curve():
    rates = [10 ** (n / 10 - 6) for n in range(60)]

    def loss(rate):
        return (
            2
            - 1.5 / (1 + math.exp(-6 * (math.log10(rate) + 3)))
            + (max(0.0, math.log10(rate) + 1.5)) ** 2 * 3
        )

    finding = RateFinder(rates, [loss(rate) for rate in rates])
    finding.smoothed = finding.losses
    assert finding.tenth_of_minimum() == pytest.approx(
        rates[finding.losses.index(min(finding.losses))] / 10
    )
    assert finding.steepest() == pytest.approx(1e-3, rel=0.3)
    assert rates[0] < finding.valley() < rates[finding.losses.index(min(finding.losses))]


def test_set_hyper_gives_each_group_its_share():
    weights = [torch.zeros(2, requires_grad=True) for _ in range(3)]
    optimizer = torch.optim.AdamW(
        [
            dict(params=weights[:1], lr_scale=0.1),
            dict(params=weights[1:2], lr_scale=0.5),
            dict(params=weights[2:]),
        ],
        lr=1.0,
    )
    for _ in range(2):
        set_hyper(
            optimizer, lr=0.2, momentum=0.8, wd=0.3
        )  # the share is taken of the rate given, not of the last one
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.02, 0.1, 0.2])
    assert all(
        group["betas"][0] == 0.8 and group["weight_decay"] == 0.3
        for group in optimizer.param_groups
    )


def step_by_step(model, batches, make):
    "A loop of PyTorch's own, in which each step has its own gradients."
    optimizer = make(list(model.parameters()))
    for xb, yb in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(xb), yb).backward()
        optimizer.step()


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.1), lambda p: torch.optim.SGD(p, 0.1)])
@pytest.mark.parametrize("accum", [None, 64])
def test_fit_begins_without_the_gradients_of_before(digits, make, accum):
    x, y = digits.train[0][:128], digits.train[1][:128]
    batches = Batches(x, y, 64, device="cpu")
    model, expected = net(), net()
    (50 * F.cross_entropy(model(x), y)).backward()
    fit(model, batches, make(list(model.parameters())), accum=accum)
    step_by_step(expected, batches, lambda p: torch.optim.SGD(p, 0.1))
    for ours, right in zip(model.parameters(), expected.parameters()):
        torch.testing.assert_close(ours, right)


def test_fit_after_an_interruption(digits):
    "Stopped between backward and update, as the stop button does; then run again."
    batches = Batches(digits.train[0][:128], digits.train[1][:128], 32, device="cpu")

    def stopped():
        for n, batch in enumerate(batches):
            if n == 1:
                raise KeyboardInterrupt
            yield batch

    class Stopped:
        def __len__(self):
            return 4

        def __iter__(self):
            return stopped()

    model, expected = net(), net()
    optimizer = SGD(model.parameters(), 0.1)
    with pytest.raises(KeyboardInterrupt):
        fit(model, Stopped(), optimizer, accum=64)
    fit(model, batches, optimizer, accum=64)
    step_by_step(
        expected, Batches(batches.x, batches.y, 64, device="cpu"), lambda p: torch.optim.SGD(p, 0.1)
    )
    for ours, right in zip(model.parameters(), expected.parameters()):
        torch.testing.assert_close(ours, right)


def test_finder_begins_without_the_gradients_of_before(digits):
    "A copy of a parameter has no gradient, but a copy of a plain tensor has."

    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.zeros(784, 10, requires_grad=True)

        def parameters(self):
            return [self.weight]

        def forward(self, x):
            return x @ self.weight

    batches = Batches(digits.train[0][:128], digits.train[1][:128], 64, device="cpu")
    model, fresh = Line(), Line()
    (50 * F.cross_entropy(model(batches.x), batches.y)).backward()
    losses = [find_rate(each, batches, SGD, start=0.1, steps=4).losses for each in (model, fresh)]
    assert losses[0] == losses[1]

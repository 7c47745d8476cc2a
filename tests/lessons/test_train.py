"Mini-batches, evaluation, hyper-parameters and the training loop."

import pytest
import torch
import torch.nn.functional as F
from samples import digits_net
from torch import nn

from helpers.accumulate import Accumulator
from helpers.optim import SGD, Adam
from helpers.rates import one_cycle
from helpers.train import (
    Batches,
    accuracy,
    evaluate,
    fit,
    get_rate,
    one_step,
    set_hyper,
)


def assert_same_weights(ours, theirs):
    for a, b in zip(ours.parameters(), theirs.parameters()):
        torch.testing.assert_close(a, b)


def order_of(batches):
    "The targets of an epoch, one after another."
    return torch.cat([yb for _, yb in batches])


# Mini-batches


def test_batches_show_every_row_once():
    x, y = torch.arange(103.0)[:, None], torch.arange(103)
    batches = Batches(x, y, bs=10, shuffle=True, device="cpu")
    assert len(batches) == 11 == len(list(batches))
    first, second = order_of(batches), order_of(batches)
    assert not torch.equal(first, second)
    assert torch.equal(first.sort().values, y)
    assert torch.equal(second.sort().values, y)
    for xb, yb in batches:
        assert torch.equal(xb[:, 0].long(), yb)


def test_batches_without_shuffling_come_in_order():
    x, y = torch.arange(103.0)[:, None], torch.arange(103)
    assert torch.equal(order_of(Batches(x, y, 10, device="cpu")), y)


def test_batches_with_a_seed_repeat():
    x, y = torch.arange(50.0)[:, None], torch.arange(50)

    def two_epochs(seed):
        batches = Batches(x, y, 8, shuffle=True, seed=seed, device="cpu")
        return [order_of(batches), order_of(batches)]

    torch.manual_seed(1)
    state = torch.get_rng_state()
    for first, second in zip(two_epochs(3), two_epochs(3)):
        assert torch.equal(first, second)
    assert not torch.equal(two_epochs(3)[0], two_epochs(4)[0])
    unchanged = torch.equal(torch.get_rng_state(), state)
    assert unchanged, "a seed of its own leaves the global one alone"


def test_batches_without_a_seed_follow_the_global_one():
    x, y = torch.arange(50.0)[:, None], torch.arange(50)
    torch.manual_seed(5)
    expected = y[torch.randperm(50)]
    torch.manual_seed(5)
    assert torch.equal(order_of(Batches(x, y, 8, shuffle=True, device="cpu")), expected)


@pytest.mark.parametrize(
    ("inputs", "targets", "bs"),
    [(3, 4, 2), (0, 0, 2), (3, 3, 0)],
    ids=["unequally many", "no rows", "empty batches"],
)
def test_bad_batches(inputs, targets, bs):
    with pytest.raises(ValueError):
        Batches(torch.ones(inputs, 2), torch.ones(targets), bs)


# Evaluation


def test_evaluate_weighs_rows_not_batches(digits):
    model = digits_net()
    x, y = digits.valid[0][:130], digits.valid[1][:130]
    scores = evaluate(model, Batches(x, y, 64))
    with torch.no_grad():
        outputs = model(x)
    assert scores["loss"] == pytest.approx(F.cross_entropy(outputs, y).item(), abs=1e-6)
    assert scores["accuracy"] == pytest.approx(accuracy(outputs, y).item(), abs=1e-6)


def test_evaluate_puts_the_mode_back(digits):
    model = nn.Sequential(nn.Dropout(0.5), digits_net())
    batches = Batches(digits.valid[0][:100], digits.valid[1][:100])
    for mode in (True, False):
        model.train(mode)
        first, second = evaluate(model, batches), evaluate(model, batches)
        assert first == second, "dropout should be off"
        assert model.training == mode


# Hyper-parameters


def test_set_hyper_knows_pytorchs_names():
    optimizer = torch.optim.SGD(digits_net().parameters(), 0.1)
    set_hyper(optimizer, lr=0.2, momentum=0.5, wd=0.01)
    [group] = optimizer.param_groups
    assert group["lr"] == get_rate(optimizer) == 0.2
    assert group["momentum"] == 0.5
    assert group["weight_decay"] == 0.01


def test_set_hyper_knows_ours():
    optimizer = SGD(digits_net().parameters(), 0.1)
    set_hyper(optimizer, lr=0.2, momentum=0.5, wd=0.01)
    assert optimizer.lr == get_rate(optimizer) == 0.2
    assert optimizer.momentum == 0.5
    assert optimizer.wd == 0.01


def test_momentum_of_adam_is_its_first_beta():
    ours = Adam(digits_net().parameters())
    theirs = torch.optim.Adam(digits_net().parameters())
    for optimizer in (ours, theirs):
        set_hyper(optimizer, momentum=0.5)
    assert ours.betas == theirs.param_groups[0]["betas"] == (0.5, 0.999)


def test_set_hyper_names_what_is_missing():
    with pytest.raises(ValueError, match="no .*rate"):
        set_hyper(torch.optim.SGD(digits_net().parameters(), 0.1), rate=1.0)
    with pytest.raises(ValueError, match="no .*wd"):
        set_hyper(Adam(digits_net().parameters()), wd=1.0)


def test_set_hyper_gives_each_group_its_fraction_of_the_rate():
    a, b, c = [torch.zeros(2, requires_grad=True) for _ in range(3)]
    groups = [
        dict(params=[a], lr_scale=0.1),
        dict(params=[b], lr_scale=0.5),
        dict(params=[c]),
    ]
    optimizer = torch.optim.AdamW(groups, lr=1.0)
    for _ in range(2):  # a fraction of the rate given, not of the last one
        set_hyper(optimizer, lr=0.2, momentum=0.8, wd=0.3)
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates == pytest.approx([0.02, 0.1, 0.2])
    for group in optimizer.param_groups:
        assert group["betas"][0] == 0.8
        assert group["weight_decay"] == 0.3


# The loop


def plain_loop(model, batches, rate=0.1, epochs=1):
    "PyTorch's own, in which each step has its own gradients; the losses."
    optimizer = torch.optim.SGD(model.parameters(), rate)
    losses = []
    for _ in range(epochs):
        for xb, yb in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def test_fit_is_the_plain_loop(digits):
    x, y = digits.train[0][:500].double(), digits.train[1][:500]
    batches = Batches(x, y, 64, device="cpu")
    ours, theirs = digits_net().double(), digits_net().double()
    history = fit(ours, batches, SGD(ours.parameters(), 0.1), epochs=2)
    losses = plain_loop(theirs, batches, epochs=2)
    assert history.losses == pytest.approx(losses, abs=1e-12)
    assert history.rates == [0.1] * 16
    for a, b in zip(ours.parameters(), theirs.parameters()):
        assert (a - b).abs().max() < 1e-12


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
    model = digits_net()
    history = fit(
        model,
        Batches(*digits.train, shuffle=True, seed=0),
        make(model.parameters()),
        epochs=2,
        valid=Batches(*digits.valid, bs=500),
    )
    assert len(history.valid) == 2
    assert history.valid[-1]["accuracy"] > 0.8
    assert model.training
    assert history.plot() is not None


def test_fit_uses_the_schedule_for_our_optimizers(digits):
    model = digits_net()
    optimizer = Adam(model.parameters(), 1.0)
    cycle = one_cycle(0.01)
    batches = Batches(digits.train[0][:640], digits.train[1][:640])
    history = fit(model, batches, optimizer, epochs=2, schedule=cycle)
    assert history.rates == pytest.approx([cycle(n / 20)["lr"] for n in range(20)])
    assert optimizer.betas[0] == pytest.approx(cycle(19 / 20)["momentum"])


def test_fit_uses_the_schedule_for_pytorchs(digits):
    model = digits_net()
    optimizer = torch.optim.Adam(model.parameters(), 1.0)
    cycle = one_cycle(0.01)
    batches = Batches(digits.train[0][:640], digits.train[1][:640])
    history = fit(model, batches, optimizer, epochs=2, schedule=cycle)
    assert history.rates == pytest.approx([cycle(n / 20)["lr"] for n in range(20)])
    beta = optimizer.param_groups[0]["betas"][0]
    assert beta == pytest.approx(cycle(19 / 20)["momentum"])


def test_fit_does_what_it_is_handed(digits):
    "Another step and another score take the place of `one_step` and `evaluate`."
    batches = Batches(digits.train[0][:128], digits.train[1][:128], 64, device="cpu")
    model = digits_net()
    optimizer = SGD(model.parameters(), 0.1)
    calls = []

    def step(*arguments):
        calls.append(arguments)
        return one_step(*arguments)

    def score(*arguments):
        calls.append(arguments)
        return {"loss": 1.5}

    metrics = {"accuracy": accuracy}
    options = dict(valid="the validation set", metrics=metrics, step=step, score=score)
    history = fit(model, batches, optimizer, **options)
    first, second, third = calls
    assert first[0] is second[0] is model
    assert first[3:] == second[3:] == (F.cross_entropy, optimizer)
    assert third == (model, "the validation set", F.cross_entropy, metrics)
    assert len(history.losses) == 2
    assert history.valid == [{"loss": 1.5}]


def test_fit_stops_when_the_loss_is_no_number(digits, capsys):
    model = digits_net()
    ten_batches = Batches(digits.train[0][:640], digits.train[1][:640])
    history = fit(model, ten_batches, SGD(model.parameters(), 1e30), epochs=5)
    assert len(history.losses) == 10
    assert "Begin again" in capsys.readouterr().out


def test_fit_is_quiet_without_a_terminal(digits, capfd):
    model = digits_net()
    ten_batches = Batches(digits.train[0][:640], digits.train[1][:640])
    fit(model, ten_batches, SGD(model.parameters(), 0.1))
    assert capfd.readouterr() == ("", "")


steps = pytest.mark.parametrize(
    "make_step",
    [lambda batches: one_step, lambda batches: Accumulator(len(batches), 64)],
    ids=["one_step", "Accumulator"],
)


@steps
@pytest.mark.parametrize("make", [SGD, torch.optim.SGD])
def test_fit_begins_without_the_gradients_of_before(digits, make, make_step):
    x, y = digits.train[0][:128], digits.train[1][:128]
    batches = Batches(x, y, 64, device="cpu")
    model, expected = digits_net(), digits_net()
    (50 * F.cross_entropy(model(x), y)).backward()
    fit(model, batches, make(model.parameters(), 0.1), step=make_step(batches))
    plain_loop(expected, batches)
    assert_same_weights(model, expected)


class Stopped(SGD):
    "The stop button is pressed between backward and update."

    def step(self):
        raise KeyboardInterrupt


@steps
def test_fit_after_an_interruption(digits, make_step):
    batches = Batches(digits.train[0][:128], digits.train[1][:128], 64, device="cpu")
    model, expected = digits_net(), digits_net()
    with pytest.raises(KeyboardInterrupt):
        fit(model, batches, Stopped(model.parameters(), 0.1), step=make_step(batches))
    assert any(p.grad is not None for p in model.parameters())
    fit(model, batches, SGD(model.parameters(), 0.1), step=make_step(batches))
    plain_loop(expected, batches)
    assert_same_weights(model, expected)


def test_fit_after_an_interruption_within_a_group(digits):
    "Two of the four batches of 32 belong to an update; it is stopped after the first."
    batches = Batches(digits.train[0][:128], digits.train[1][:128], 32, device="cpu")

    class StoppedBatches:
        def __len__(self):
            return len(batches)

        def __iter__(self):
            yield next(iter(batches))
            raise KeyboardInterrupt

    model, expected = digits_net(), digits_net()
    optimizer = SGD(model.parameters(), 0.1)
    with pytest.raises(KeyboardInterrupt):
        fit(model, StoppedBatches(), optimizer, step=Accumulator(4, 64))
    fit(model, batches, optimizer, step=Accumulator(4, 64))
    plain_loop(expected, Batches(batches.x, batches.y, 64, device="cpu"))
    assert_same_weights(model, expected)

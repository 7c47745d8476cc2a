"Mini-batches, evaluation, hyper-parameters and the training loop."

import copy

import pytest
import torch
import torch.nn.functional as F
from samples import digits_net
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import helpers.train
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


def pressed(after):
    "A step of `fit` in which somebody presses the stop button after so many batches."
    made = []

    def step(*arguments):
        if len(made) == after:
            raise KeyboardInterrupt
        made.append(arguments)
        return one_step(*arguments)

    return step


def test_the_stop_button_of_a_notebook_keeps_what_happened(digits, monkeypatch, capsys):
    monkeypatch.setattr(helpers.train, "in_notebook", lambda: True)
    batches = Batches(digits.train[0][:640], digits.train[1][:640], device="cpu")
    model, expected = digits_net(), digits_net()
    options = dict(epochs=3, valid=batches, step=pressed(14))
    history = fit(model, batches, SGD(model.parameters(), 0.1), **options)
    assert history.stopped
    assert len(history.losses) == len(history.rates) == 14
    assert len(history.valid) == 1
    assert "14 of 30 steps" in capsys.readouterr().out
    first_epoch = plain_loop(expected, batches)
    assert history.losses[:10] == pytest.approx(first_epoch, abs=1e-5)
    assert not fit(model, batches, SGD(model.parameters(), 0.1)).stopped


def test_the_stop_button_before_the_first_step(digits, monkeypatch):
    monkeypatch.setattr(helpers.train, "in_notebook", lambda: True)
    model = digits_net()
    batches = Batches(digits.train[0][:64], digits.train[1][:64], device="cpu")
    history = fit(model, batches, SGD(model.parameters(), 0.1), step=pressed(0))
    assert history.stopped and history.losses == history.rates == []


def test_an_interrupted_evaluation_leaves_training_mode(digits):
    def press(outputs, targets):
        raise KeyboardInterrupt

    model = digits_net()
    with pytest.raises(KeyboardInterrupt):
        evaluate(model, Batches(*digits.valid, 500), metrics={"press": press})
    assert model.training


# What cannot be trained


def test_old_gradients_that_the_optimizer_does_not_know(digits):
    "They are cleared too: a step that clips, for instance, looks at all of them."
    x, y = digits.train[0][:64], digits.train[1][:64]
    model = digits_net()
    (50 * F.cross_entropy(model(x), y)).backward()
    seen = []

    def step(model, xb, yb, loss, optimizer):
        seen.append([p.grad for p in model.parameters()])
        return one_step(model, xb, yb, loss, optimizer)

    last = list(model.parameters())[-1:]
    fit(model, Batches(x, y, 64, device="cpu"), SGD(last, 0.1), step=step)
    assert all(grad is None or not grad.any() for grad in seen[0])


@pytest.mark.parametrize("make", [SGD, torch.optim.SGD])
def test_an_optimizer_of_another_model(digits, make):
    model, other = digits_net(), digits_net()
    batches = Batches(digits.train[0][:64], digits.train[1][:64])
    with pytest.raises(ValueError, match="none of the parameters .*this very model"):
        fit(model, batches, make(other.parameters(), 0.1))


def test_a_frozen_model(digits):
    model = digits_net().requires_grad_(False)
    weight = nn.Parameter(torch.zeros(2))
    batches = Batches(digits.train[0][:64], digits.train[1][:64])
    with pytest.raises(ValueError, match="frozen"):
        fit(model, batches, SGD([weight], 0.1))


@pytest.mark.parametrize("make", [SGD, torch.optim.SGD])
@pytest.mark.parametrize("rate", [-0.1, float("nan")])
def test_a_schedule_that_ends_below_zero(digits, make, rate):
    model = digits_net()
    batches = Batches(digits.train[0][:640], digits.train[1][:640])
    with pytest.raises(ValueError, match="the loss rises.*end at 0"):
        fit(
            model,
            batches,
            make(model.parameters(), 0.1),
            schedule=lambda done: {"lr": 0.1 if done < 0.5 else rate},
        )


def test_a_learning_rate_of_zero_is_allowed():
    optimizer = SGD(digits_net().parameters(), 0.1)
    set_hyper(optimizer, lr=0.0)
    assert get_rate(optimizer) == 0


@pytest.mark.parametrize("part", ["xb", "yb"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_data_with_holes_are_not_blamed_on_the_rate(capsys, part, value):
    x, y = torch.randn(20, 3), torch.randn(20, 1)
    dict(xb=x, yb=y)[part][13] = value
    model = nn.Linear(3, 1)
    options = dict(loss=F.mse_loss, epochs=2)
    batches = Batches(x, y, 5, device="cpu")
    history = fit(model, batches, SGD(model.parameters(), 1e-6), **options)
    said = capsys.readouterr().out
    if not history.losses[-1] < float("inf"):
        assert f"`{part}` of batch 3" in said and "rate is too high" not in said
    assert len(history.losses) == 4


class UsedUp:
    "Batches that can be gone through only once."

    def __init__(self, batches):
        self.batches = batches
        self.iterator = iter(batches)

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return self.iterator


def test_batches_that_are_used_up(digits):
    batches = UsedUp(Batches(digits.train[0][:128], digits.train[1][:128], device="cpu"))
    model = digits_net()
    optimizer = SGD(model.parameters(), 0.1)
    with pytest.raises(ValueError, match="epoch 2.*used only once"):
        fit(model, batches, optimizer, epochs=2)
    with pytest.raises(ValueError, match="used only once"):
        evaluate(model, batches)


def test_a_generator_has_no_length(digits):
    model = digits_net()
    batches = ((xb, yb) for xb, yb in [digits.train])
    with pytest.raises(TypeError, match="begin anew in each epoch"):
        fit(model, batches, SGD(model.parameters(), 0.1))


def test_a_loader_that_drops_its_only_batch(digits):
    x, y = digits.train
    loader = DataLoader(TensorDataset(x[:10], y[:10]), 64, drop_last=True)
    model = digits_net()
    with pytest.raises(ValueError, match="drop_last"):
        fit(model, loader, SGD(model.parameters(), 0.1))


def normalized():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.Linear(8, 2))


@pytest.mark.parametrize(("rows", "bs", "better"), [(65, 64, 65), (3, 2, 3), (7, 3, 4)])
def test_batch_norm_and_a_last_batch_of_one_row(rows, bs, better):
    "The sentence comes before training begins, and with a batch size that works."
    x, y = torch.randn(rows, 4), torch.arange(rows) % 2
    model = normalized()
    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match=f"one row .*bs = {better},"):
        fit(model, Batches(x, y, bs, device="cpu"), SGD(model.parameters(), 0.1))
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    fit(model, Batches(x, y, better, device="cpu"), SGD(model.parameters(), 0.1))


def test_batch_norm_over_pictures_takes_a_single_one():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    x, y = torch.randn(5, 1, 6, 6), torch.tensor([0, 1, 0, 1, 0])
    history = fit(model, Batches(x, y, 4, device="cpu"), SGD(model.parameters(), 0.1))
    assert len(history.losses) == 2


def test_batch_norm_and_a_loader_that_ends_with_one_row():
    "What the loader will give is not known before; so the sentence comes when it happens."
    x, y = torch.randn(65, 4), torch.arange(65) % 2
    model = normalized()
    loader = DataLoader(TensorDataset(x, y), 64)
    with pytest.raises(ValueError, match="batch size, or .*drop_last=True"):
        fit(model, loader, SGD(model.parameters(), 0.1))


def test_other_errors_stay_as_they_are(digits):
    def loss(outputs, targets):
        raise ValueError("mine")

    model = digits_net()
    with pytest.raises(ValueError, match="^mine$"):
        fit(model, Batches(*digits.valid), SGD(model.parameters(), 0.1), loss=loss)


def test_evaluate_makes_no_double_numbers(digits):
    "Apple's GPU has none."
    types = set()

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, kinds, arguments=(), options=None):
            result = function(*arguments, **(options or {}))
            if torch.is_tensor(result):
                types.add(result.dtype)
            return result

    model = digits_net()
    batches = Batches(*digits.valid, device="cpu")
    with Watch():
        evaluate(model, batches)
    assert types and torch.float64 not in types


def denormals_are_zero():
    return (torch.tensor([1.2e-38]) / 2).item() == 0


@pytest.mark.parametrize("before", [False, True])
def test_fit_counts_denormals_as_zero_and_leaves_the_setting_as_it_was(digits, before):
    seen = []

    def step(model, xb, yb, loss, optimizer):
        seen.append(denormals_are_zero())
        return helpers.train.one_step(model, xb, yb, loss, optimizer)

    model = digits_net()
    batches = Batches(*(part[:128] for part in digits.train), bs=64)
    torch.set_flush_denormal(before)
    try:
        fit(model, batches, SGD(model.parameters(), 0.1), step=step)
        assert seen == [True, True]
        assert denormals_are_zero() == before
    finally:
        torch.set_flush_denormal(False)

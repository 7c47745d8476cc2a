"Every optimizer against PyTorch's, over 100 steps in double precision, for several sets of hyper-parameters."

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.optim import SGD, Adagrad, Adam, AdamW, RMSProp

STEPS, TOLERANCE = 100, 1e-10
ours_and_theirs = {
    "sgd": (lambda p: SGD(p, 0.1), lambda p: torch.optim.SGD(p, 0.1)),
    "sgd wd": (
        lambda p: SGD(p, 0.1, wd=0.03),
        lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.03),
    ),
    "momentum": (lambda p: SGD(p, 0.05, 0.9), lambda p: torch.optim.SGD(p, 0.05, 0.9)),
    "momentum .5 wd": (
        lambda p: SGD(p, 0.1, 0.5, wd=0.01),
        lambda p: torch.optim.SGD(p, 0.1, 0.5, weight_decay=0.01),
    ),
    "averaged": (lambda p: SGD(p, 1.0, 0.9, averaged=True), lambda p: torch.optim.SGD(p, 0.1, 0.9)),
    "averaged .99 wd": (
        lambda p: SGD(p, 1.0, 0.99, averaged=True, wd=0.02),
        lambda p: torch.optim.SGD(p, 0.01, 0.99, weight_decay=0.02),
    ),
    "adagrad": (lambda p: Adagrad(p, 0.1), lambda p: torch.optim.Adagrad(p, 0.1)),
    "adagrad eps": (
        lambda p: Adagrad(p, 0.01, eps=1e-3),
        lambda p: torch.optim.Adagrad(p, 0.01, eps=1e-3),
    ),
    "rmsprop": (lambda p: RMSProp(p, 0.01), lambda p: torch.optim.RMSprop(p, 0.01)),
    "rmsprop .9 eps": (
        lambda p: RMSProp(p, 0.002, beta=0.9, eps=1e-3),
        lambda p: torch.optim.RMSprop(p, 0.002, alpha=0.9, eps=1e-3),
    ),
    "adam": (lambda p: Adam(p, 0.01), lambda p: torch.optim.Adam(p, 0.01)),
    "adam betas": (
        lambda p: Adam(p, 0.003, (0.7, 0.9)),
        lambda p: torch.optim.Adam(p, 0.003, (0.7, 0.9)),
    ),
    "adam beta 0": (
        lambda p: Adam(p, 0.003, (0.0, 0.99)),
        lambda p: torch.optim.Adam(p, 0.003, (0.0, 0.99)),
    ),
    "adam eps": (lambda p: Adam(p, 0.1, eps=0.1), lambda p: torch.optim.Adam(p, 0.1, eps=0.1)),
    "adam defaults": (lambda p: Adam(p), lambda p: torch.optim.Adam(p)),
    "adamw": (lambda p: AdamW(p, 0.01), lambda p: torch.optim.AdamW(p, 0.01)),
    "adamw wd": (
        lambda p: AdamW(p, 0.01, (0.8, 0.99), 1e-5, wd=0.3),
        lambda p: torch.optim.AdamW(p, 0.01, (0.8, 0.99), 1e-5, weight_decay=0.3),
    ),
}


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 4)).double()


def train(model, optimizer, steps=STEPS, change=None, skip=()):
    random = torch.Generator().manual_seed(1)
    for step in range(steps):
        xb, yb = (
            torch.randn(8, 5, dtype=torch.float64, generator=random),
            torch.randint(4, (8,), generator=random),
        )
        if change:
            change(optimizer, step)
        F.cross_entropy(model(xb), yb).backward()
        if step in skip:
            model[0].weight.grad = None
        optimizer.step()
        optimizer.zero_grad()
    return [p.detach().clone() for p in model.parameters()]


def difference(a, b):
    return max((x - y).abs().max().item() for x, y in zip(a, b))


def moved(weights):
    return difference(weights, list(net().parameters()))


@pytest.mark.parametrize("name", ours_and_theirs)
def test_equals_pytorch(name):
    make, make_theirs = ours_and_theirs[name]
    ours, theirs = net(), net()
    found = train(ours, make(ours.parameters()))
    assert difference(found, train(theirs, make_theirs(theirs.parameters()))) <= TOLERANCE
    assert moved(found) > 1e-3


@pytest.mark.parametrize("name", ours_and_theirs)
def test_parameters_without_gradient_wait(name):
    "A parameter that has no gradient in some steps is left alone there, and its own steps are counted."
    make, make_theirs = ours_and_theirs[name]
    ours, theirs = net(), net()
    assert (
        difference(
            train(ours, make(ours.parameters()), 30, skip=(0, 5, 6, 20)),
            train(theirs, make_theirs(theirs.parameters()), 30, skip=(0, 5, 6, 20)),
        )
        <= TOLERANCE
    )


def test_schedule_changes_plain_attributes():
    def ours_change(optimizer, step):
        optimizer.lr, optimizer.betas = 0.02 * (1 + math.cos(step / 10)), (0.8 + step / 1000, 0.99)

    def their_change(optimizer, step):
        optimizer.param_groups[0].update(
            lr=0.02 * (1 + math.cos(step / 10)), betas=(0.8 + step / 1000, 0.99)
        )

    ours, theirs = net(), net()
    assert (
        difference(
            train(ours, Adam(ours.parameters()), change=ours_change),
            train(theirs, torch.optim.Adam(theirs.parameters()), change=their_change),
        )
        <= TOLERANCE
    )


def test_without_bias_correction():
    p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = Adam([p], lr=0.1, betas=(0.9, 0.999), bias_correction=False)
    p.grad = torch.ones(1, dtype=torch.float64)
    optimizer.step()
    assert p.item() == pytest.approx(-0.1 * 0.1 / 0.001**0.5, rel=1e-6)


def test_averaged_momentum_by_hand():
    p = torch.zeros(1, requires_grad=True)
    optimizer = SGD([p], lr=1.0, momentum=0.9, averaged=True)
    for gradient, wanted in ((1.0, -0.1), (1.0, -0.29), (0.0, -0.461)):
        p.grad = torch.tensor([gradient])
        optimizer.step()
        assert p.item() == pytest.approx(wanted, abs=1e-6)


def test_memory_belongs_to_the_optimizer():
    model = net()
    train(model, Adam(model.parameters(), 0.01), 10)
    fresh = copy.deepcopy(model)
    assert (
        difference(
            train(model, Adam(model.parameters(), 0.01), 5),
            train(fresh, Adam(fresh.parameters(), 0.01), 5),
        )
        == 0
    )
    assert all(set(vars(p)) == set() for p in model.parameters())


def test_plain_sgd_remembers_nothing():
    model = net()
    optimizer = SGD(model.parameters(), 0.1)
    train(model, optimizer, 3)
    assert optimizer.memory == {}


def test_zero_grad_forgets():
    model = net()
    optimizer = SGD(model.parameters(), 0.1)
    model(torch.ones(2, 5, dtype=torch.float64)).sum().backward()
    optimizer.zero_grad()
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


def test_step_leaves_no_graph_and_no_second_gradient():
    model = net()
    optimizer = Adam(model.parameters(), 0.01)
    train(model, optimizer, 2)
    assert all(p.requires_grad and p.is_leaf for p in model.parameters())
    assert not any(tensor.requires_grad for kept in optimizer.memory.values() for tensor in kept)


@pytest.mark.parametrize("make", [SGD, Adagrad, RMSProp, Adam, AdamW])
@pytest.mark.parametrize("rate", [-1e-3, float("nan")])
def test_bad_rate(make, rate):
    with pytest.raises(ValueError, match="lr"):
        make(net().parameters(), rate)


@pytest.mark.parametrize("make", [SGD, Adagrad, RMSProp, Adam, AdamW])
def test_no_parameters(make):
    with pytest.raises(ValueError, match="no parameters"):
        make([], 0.1)
    used_up = net().parameters()
    list(used_up)
    with pytest.raises(ValueError, match="no parameters"):
        make(used_up, 0.1)


@pytest.mark.parametrize("make", [Adam, AdamW])
@pytest.mark.parametrize(
    "betas", [(1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9, -0.1), (float("nan"), 0.9)]
)
def test_bad_betas(make, betas):
    with pytest.raises(ValueError, match="betas"):
        make(net().parameters(), 0.1, betas=betas)


def test_bad_others():
    for make in (
        lambda p: SGD(p, 0.1, momentum=1.0),
        lambda p: SGD(p, 0.1, momentum=-0.1),
        lambda p: RMSProp(p, 0.1, beta=1.0),
        lambda p: Adam(p, 0.1, eps=-1.0),
        lambda p: SGD(p, 0.1, wd=-1.0),
        lambda p: AdamW(p, 0.1, wd=-0.1),
    ):
        with pytest.raises(ValueError):
            make(net().parameters())


def test_one_tensor_is_one_parameter():
    p = torch.ones(3, requires_grad=True)
    optimizer = SGD(p, 0.1)
    p.sum().backward()
    optimizer.step()
    assert torch.allclose(p, torch.full((3,), 0.9))

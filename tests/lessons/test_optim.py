"Every optimizer against PyTorch's, over 100 steps in double precision, for several settings."

import copy
import math
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn, optim

from helpers.optim import SGD, Adagrad, Adam, AdamW, RMSProp

STEPS = 100
TOLERANCE = 1e-10
ALL = [SGD, Adagrad, RMSProp, Adam, AdamW]
# Ours with its settings, PyTorch's with its own.
PAIRS = {
    "sgd": (SGD, dict(lr=0.1), optim.SGD, dict(lr=0.1)),
    "sgd wd": (SGD, dict(lr=0.1, wd=0.03), optim.SGD, dict(lr=0.1, weight_decay=0.03)),
    "momentum": (SGD, dict(lr=0.05, momentum=0.9), optim.SGD, dict(lr=0.05, momentum=0.9)),
    "momentum .5 wd": (
        SGD,
        dict(lr=0.1, momentum=0.5, wd=0.01),
        optim.SGD,
        dict(lr=0.1, momentum=0.5, weight_decay=0.01),
    ),
    "averaged": (
        SGD,
        dict(lr=1.0, momentum=0.9, averaged=True),
        optim.SGD,
        dict(lr=0.1, momentum=0.9),
    ),
    "averaged .99 wd": (
        SGD,
        dict(lr=1.0, momentum=0.99, averaged=True, wd=0.02),
        optim.SGD,
        dict(lr=0.01, momentum=0.99, weight_decay=0.02),
    ),
    "adagrad": (Adagrad, dict(lr=0.1), optim.Adagrad, dict(lr=0.1)),
    "adagrad eps": (Adagrad, dict(lr=0.01, eps=1e-3), optim.Adagrad, dict(lr=0.01, eps=1e-3)),
    "rmsprop": (RMSProp, dict(lr=0.01), optim.RMSprop, dict(lr=0.01)),
    "rmsprop .9 eps": (
        RMSProp,
        dict(lr=0.002, beta=0.9, eps=1e-3),
        optim.RMSprop,
        dict(lr=0.002, alpha=0.9, eps=1e-3),
    ),
    "adam": (Adam, dict(lr=0.01), optim.Adam, dict(lr=0.01)),
    "adam betas": (
        Adam,
        dict(lr=0.003, betas=(0.7, 0.9)),
        optim.Adam,
        dict(lr=0.003, betas=(0.7, 0.9)),
    ),
    "adam beta 0": (
        Adam,
        dict(lr=0.003, betas=(0.0, 0.99)),
        optim.Adam,
        dict(lr=0.003, betas=(0.0, 0.99)),
    ),
    "adam eps": (Adam, dict(lr=0.1, eps=0.1), optim.Adam, dict(lr=0.1, eps=0.1)),
    "adam defaults": (Adam, {}, optim.Adam, {}),
    "adamw": (AdamW, dict(lr=0.01), optim.AdamW, dict(lr=0.01)),
    "adamw wd": (
        AdamW,
        dict(lr=0.01, betas=(0.8, 0.99), eps=1e-5, wd=0.3),
        optim.AdamW,
        dict(lr=0.01, betas=(0.8, 0.99), eps=1e-5, weight_decay=0.3),
    ),
}


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 4)).double()


def train(
    model,
    optimizer,
    steps=STEPS,
    change=None,  # function of optimizer and step, called before each step
    skip=(),  # steps in which the first weight has no gradient
):
    "The parameters after training on random rows."
    random = torch.Generator().manual_seed(1)
    for step in range(steps):
        xb = torch.randn(8, 5, dtype=torch.float64, generator=random)
        yb = torch.randint(4, (8,), generator=random)
        if change:
            change(optimizer, step)
        F.cross_entropy(model(xb), yb).backward()
        if step in skip:
            model[0].weight.grad = None
        optimizer.step()
        optimizer.zero_grad()
    return [p.detach().clone() for p in model.parameters()]


def train_both(name, **options):
    "The parameters after training with our optimizer and with PyTorch's."
    make, settings, make_theirs, their_settings = PAIRS[name]
    ours, theirs = net(), net()
    return (
        train(ours, make(ours.parameters(), **settings), **options),
        train(theirs, make_theirs(theirs.parameters(), **their_settings), **options),
    )


def difference(a, b):
    return max((x - y).abs().max().item() for x, y in zip(a, b))


@pytest.mark.parametrize("name", PAIRS)
def test_equals_pytorch(name):
    ours, theirs = train_both(name)
    assert difference(ours, theirs) <= TOLERANCE
    assert difference(ours, list(net().parameters())) > 1e-3, "nothing has moved"


@pytest.mark.parametrize("name", PAIRS)
def test_parameters_without_gradient_wait(name):
    "Where there is no gradient a parameter is left alone, and its own steps are counted."
    ours, theirs = train_both(name, steps=30, skip=(0, 5, 6, 20))
    assert difference(ours, theirs) <= TOLERANCE


def test_a_step_without_any_gradient_does_nothing():
    model = net()
    optimizer = Adam(model.parameters())
    optimizer.step()
    assert difference(list(model.parameters()), list(net().parameters())) == 0
    assert optimizer.steps == [0] * 4
    assert optimizer.memory == {}


def test_schedule_changes_plain_attributes():
    def settings(step):
        return dict(lr=0.02 * (1 + math.cos(step / 10)), betas=(0.8 + step / 1000, 0.99))

    def our_change(optimizer, step):
        vars(optimizer).update(settings(step))

    def their_change(optimizer, step):
        optimizer.param_groups[0].update(settings(step))

    ours, theirs = net(), net()
    our_weights = train(ours, Adam(ours.parameters()), change=our_change)
    their_weights = train(theirs, optim.Adam(theirs.parameters()), change=their_change)
    assert difference(our_weights, their_weights) <= TOLERANCE


def test_arguments_have_their_order():
    p = [torch.zeros(1, requires_grad=True)]
    for optimizer, expected in [
        (SGD(p, 0.1, 0.9, True, 0.01), dict(lr=0.1, momentum=0.9, averaged=True, wd=0.01)),
        (RMSProp(p, 0.1, 0.8, 1e-3), dict(lr=0.1, beta=0.8, eps=1e-3)),
        (Adagrad(p, 0.1, 1e-3), dict(lr=0.1, eps=1e-3)),
        (
            Adam(p, 0.1, (0.7, 0.8), 1e-3, False),
            dict(lr=0.1, betas=(0.7, 0.8), eps=1e-3, bias_correction=False),
        ),
        (
            AdamW(p, 0.1, (0.7, 0.8), 1e-3, False, 0.3),
            dict(lr=0.1, betas=(0.7, 0.8), eps=1e-3, bias_correction=False, wd=0.3),
        ),
    ]:
        assert vars(optimizer).items() >= expected.items()


def test_without_bias_correction():
    p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = Adam([p], lr=0.1, betas=(0.9, 0.999), bias_correction=False)
    p.grad = torch.ones(1, dtype=torch.float64)
    optimizer.step()
    average, squares = 0.1, 0.001
    assert p.item() == pytest.approx(-0.1 * average / squares**0.5, rel=1e-6)


def test_averaged_momentum_by_hand():
    p = torch.zeros(1, requires_grad=True)
    optimizer = SGD([p], lr=1.0, momentum=0.9, averaged=True)
    for gradient, expected in [(1.0, -0.1), (1.0, -0.29), (0.0, -0.461)]:
        p.grad = torch.tensor([gradient])
        optimizer.step()
        assert p.item() == pytest.approx(expected, abs=1e-6)


def test_memory_belongs_to_the_optimizer():
    model = net()
    train(model, Adam(model.parameters(), 0.01), 10)
    twin = copy.deepcopy(model)
    after = train(model, Adam(model.parameters(), 0.01), 5)
    twin_after = train(twin, Adam(twin.parameters(), 0.01), 5)
    assert difference(after, twin_after) == 0
    for p in model.parameters():
        assert vars(p) == {}


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
    for p in model.parameters():
        assert p.grad is None or not p.grad.any()


def test_step_leaves_no_graph_and_no_second_gradient():
    model = net()
    optimizer = Adam(model.parameters(), 0.01)
    train(model, optimizer, 2)
    for p in model.parameters():
        assert p.requires_grad and p.is_leaf
    for tensors in optimizer.memory.values():
        assert not any(tensor.requires_grad for tensor in tensors)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("rate", [-1e-3, float("nan")])
def test_bad_rate(make, rate):
    with pytest.raises(ValueError, match="lr"):
        make(net().parameters(), rate)


@pytest.mark.parametrize("make", ALL)
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


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (SGD, dict(momentum=1.0)),
        (SGD, dict(momentum=-0.1)),
        (SGD, dict(wd=-1.0)),
        (RMSProp, dict(beta=1.0)),
        (Adam, dict(eps=-1.0)),
        (AdamW, dict(wd=-0.1)),
    ],
)
def test_bad_others(make, settings):
    [name] = settings
    with pytest.raises(ValueError, match=name):
        make(net().parameters(), 0.1, **settings)


@pytest.mark.parametrize("make", ALL)
def test_one_tensor_is_one_parameter(make):
    p = torch.ones(3, requires_grad=True)
    optimizer = make(p, 0.1)
    p.sum().backward()
    optimizer.step()
    assert p.shape == (3,)
    assert (p < 1).all()


def test_import_needs_neither_pandas_nor_matplotlib():
    code = "import sys, helpers.optim; print(*{'pandas', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_what_cannot_move_is_refused():
    "PyTorch refuses it, too; nothing would happen, without a word."
    net = torch.nn.Sequential(torch.nn.Linear(2, 1))
    for model in (net, net[0]):
        with pytest.raises(TypeError, match=r"model\.parameters\(\)"):
            SGD(model, lr=0.1)
    with pytest.raises(TypeError, match="Linear is none"):
        SGD(list(net), lr=0.1)
    computed = torch.randn(3, requires_grad=True) * 0.1
    with pytest.raises(ValueError, match="computed from others"):
        Adam([computed], lr=0.1)
    with pytest.raises(ValueError, match="Complex"):
        Adam([torch.nn.Parameter(torch.tensor([1 + 2j]))], lr=0.1)


@pytest.mark.parametrize("make", [SGD, Adam])
def test_a_rate_may_come_as_a_tensor(make):
    ours = torch.tensor([1.0, 2.0], requires_grad=True)
    plain = ours.detach().clone().requires_grad_()
    for p, lr in ((ours, torch.tensor(0.1)), (plain, 0.1)):
        optimizer = make([p], lr=lr)
        p.square().sum().backward()
        optimizer.step()
    torch.testing.assert_close(ours, plain)


SPARSE = {
    "Adam": lambda p: Adam(p),
    "AdamW": lambda p: AdamW(p),
    "RMSProp": lambda p: RMSProp(p, 0.1),
    "Adagrad": lambda p: Adagrad(p, 0.1),
    "SGD with wd": lambda p: SGD(p, 0.1, wd=0.1),
    "SGD with momentum": lambda p: SGD(p, 0.1, momentum=0.9),
}


def sparse_table():
    "An embedding whose gradient is a list of two rows."
    table = torch.nn.Embedding(5, 2, sparse=True)
    table(torch.tensor([1, 3])).sum().backward()
    return table


@pytest.mark.parametrize("make", SPARSE.values(), ids=SPARSE)
def test_sparse_gradients_are_refused_in_a_sentence(make):
    table = sparse_table()
    before = table.weight.detach().clone()
    with pytest.raises(TypeError, match="needs dense gradients.*sparse=False"):
        make(table.parameters()).step()
    assert torch.equal(table.weight, before)


def test_plain_sgd_takes_sparse_gradients():
    ours = sparse_table()
    theirs = copy.deepcopy(ours)
    theirs.weight.grad = ours.weight.grad.clone()
    SGD(ours.parameters(), 0.1).step()
    torch.optim.SGD(theirs.parameters(), 0.1).step()
    assert torch.equal(ours.weight, theirs.weight)

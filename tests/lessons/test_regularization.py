"Dropout and batch norm of lesson 08 against PyTorch's, harder than the lesson itself does; weight decay of the optimizers; the lesson's stored findings."

import re

import nbformat
import pytest
import torch
import torch.nn.functional as F
from shared import ROOT
from torch import nn

from helpers.course.checks.lesson08 import suspect_curves
from helpers.course.exercises import judge
from helpers.course.figures import largest_difference
from helpers.optim import SGD, Adam, AdamW
from helpers.train import Batches

LESSON = nbformat.read(ROOT / "nbs" / "08_weight_decay.ipynb", as_version=4)


def defined(*starts):
    "What the lesson's cells define that contain these lines."
    space = {"torch": torch, "nn": nn, "F": F, "Batches": Batches}
    for start in starts:
        (cell,) = [
            cell
            for cell in LESSON.cells
            if cell.cell_type == "code" and re.search(rf"^{re.escape(start)}", cell.source, re.M)
        ]
        exec(cell.source, space)
    return space


Dropout, BatchNorm = defined("class Dropout")["Dropout"], defined("class BatchNorm")["BatchNorm"]


def run(layer, shape, batches=8, scale=3.0, dtype=torch.float64, evaluate=True):
    "Outputs and input gradients of several batches in training, buffers after each, then the same in evaluation; gradients of the parameters."
    torch.manual_seed(7)
    layer, results = layer.to(dtype), []
    with torch.no_grad():
        for p in layer.parameters():
            p.uniform_(-2, 2)
    for n in range(batches + evaluate):
        layer.train(n < batches)
        x = (scale * torch.randn(shape, dtype=dtype) + 5).requires_grad_()
        out = layer(x)
        (out.sin() * torch.linspace(-1, 1, out.numel(), dtype=dtype).view_as(out)).sum().backward()
        results += [out.detach(), x.grad, *[b.to(dtype).clone() for b in layer.buffers()]]
    return results + [p.grad for p in layer.parameters()]


@pytest.mark.parametrize("shape", [(2, 3), (17, 1), (64, 40), (5, 7)])
@pytest.mark.parametrize(
    ("eps", "momentum"), [(1e-5, 0.1), (1e-3, 0.01), (0.5, 0.9), (1e-5, 1.0), (1e-5, 0.0)]
)
def test_batch_norm_equals_torch(shape, eps, momentum):
    ours, theirs = (
        BatchNorm(shape[1], eps=eps, momentum=momentum),
        nn.BatchNorm1d(shape[1], eps=eps, momentum=momentum),
    )
    assert largest_difference(run(ours, shape), run(theirs, shape)) < 1e-9


def test_batch_norm_of_a_constant_column():
    def push(layer):
        x = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        x[:, 1] = 4.0
        x.requires_grad_()
        layer.double()(x).pow(2).sum().backward()
        return [x.grad, layer.running_mean, layer.running_var]

    assert largest_difference(push(BatchNorm(3)), push(nn.BatchNorm1d(3))) < 1e-10


def test_batch_norm_in_single_precision():
    assert (
        largest_difference(
            run(BatchNorm(9), (32, 9), dtype=torch.float32),
            run(nn.BatchNorm1d(9), (32, 9), dtype=torch.float32),
        )
        < 5e-4
    )


def test_running_statistics_are_the_small_print():
    layer, x = (
        BatchNorm(2).double(),
        torch.tensor([[1.0, 10.0], [3.0, 30.0], [8.0, 20.0]], dtype=torch.float64),
    )
    out = layer(x)
    assert torch.allclose(out.mean(0), torch.zeros(2, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(
        out.var(0, unbiased=False), torch.ones(2, dtype=torch.float64), atol=1e-4
    ), "the batch is divided by its plain variance"
    assert torch.allclose(layer.running_mean, 0.1 * x.mean(0)) and torch.allclose(
        layer.running_var, 0.9 + 0.1 * x.var(0)
    ), "the average gets the unbiased one"
    assert layer.num_batches_tracked == 1
    kept = [b.clone() for b in layer.buffers()]
    layer.eval()(x + 100)
    assert all(map(torch.equal, kept, layer.buffers())), "evaluation leaves them alone"


def test_one_row_depends_on_no_other_in_evaluation():
    layer, x = BatchNorm(4), torch.randn(10, 4)
    layer(x)
    assert torch.equal(layer.eval()(x)[:1], layer(x[:1]))


def test_batch_norm_needs_two_rows():
    with pytest.raises(ValueError, match="model.eval"):
        BatchNorm(3)(torch.randn(1, 3))
    with pytest.raises(ValueError):
        nn.BatchNorm1d(3)(torch.randn(1, 3))


def test_state_passes_to_torch_and_back():
    ours, theirs = BatchNorm(5), nn.BatchNorm1d(5)
    run(ours, (16, 5), dtype=torch.float32)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 5)
    assert torch.allclose(ours.eval()(x), theirs.eval()(x), atol=1e-6)
    BatchNorm(5).load_state_dict(theirs.state_dict())


@pytest.mark.parametrize("p", [0.0, 0.05, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("shape", [(4,), (30, 20), (3, 4, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dropout_equals_torch(p, shape, dtype):
    assert (
        largest_difference(
            run(Dropout(p), shape, dtype=dtype), run(nn.Dropout(p), shape, dtype=dtype)
        )
        == 0
    )


def test_dropout_keeps_the_expected_value():
    torch.manual_seed(0)
    out = Dropout(0.3)(torch.ones(100_000))
    assert (
        set(out.unique().tolist()) == {0.0, torch.tensor(1 / 0.7).item()}
        and abs(out.mean() - 1) < 0.01
        and abs((out == 0).float().mean() - 0.3) < 0.01
    )


def test_dropout_does_nothing_in_evaluation():
    x = torch.randn(50)
    assert Dropout(0.9).eval()(x) is x and Dropout(0.0)(x) is x


@pytest.mark.parametrize("p", [1.0, 1.5, -0.1, float("nan")])
def test_dropout_refuses(p):
    with pytest.raises(ValueError, match="share to drop"):
        Dropout(p)


def descend(rule, penalty=0.0, shrink=0.0, lr=0.05, steps=60, **hyper):
    "A small net after some steps, with wd in the loss or in the weights."
    torch.manual_seed(1)
    model, x, y = (
        nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double(),
        torch.randn(40, 6, dtype=torch.float64),
        torch.randint(3, (40,)),
    )
    optimizer = rule(model.parameters(), lr=lr, **hyper)
    for n in range(steps):
        rows = slice(10 * (n % 4), 10 * (n % 4) + 10)
        (
            F.cross_entropy(model(x[rows]), y[rows])
            + penalty / 2 * sum((p**2).sum() for p in model.parameters())
        ).backward()
        with torch.no_grad():
            for p in model.parameters():
                p *= 1 - lr * shrink
        optimizer.step()
        optimizer.zero_grad()
    return [p.detach() for p in model.parameters()]


@pytest.mark.parametrize("wd", [1e-4, 0.01, 0.3, 1.0])
def test_penalty_and_decay_are_one_in_plain_descent(wd):
    penalty = descend(SGD, penalty=wd)
    assert (
        largest_difference(penalty, descend(SGD, shrink=wd)) < 1e-14
        and largest_difference(penalty, descend(SGD, wd=wd)) < 1e-14
    )
    assert largest_difference(penalty, descend(SGD)) > 1e-5


def test_they_differ_with_memory():
    assert (
        largest_difference(
            descend(SGD, penalty=0.1, momentum=0.9), descend(SGD, shrink=0.1, momentum=0.9)
        )
        > 1e-2
    )
    assert (
        largest_difference(descend(Adam, penalty=0.1, lr=0.01), descend(Adam, shrink=0.1, lr=0.01))
        > 1e-2
    )
    assert (
        largest_difference(
            descend(SGD, penalty=0.1, momentum=0.9),
            descend(torch.optim.SGD, momentum=0.9, weight_decay=0.1),
        )
        < 1e-12
    ), "the SGD of PyTorch couples"
    assert (
        largest_difference(descend(Adam, shrink=0.1, lr=0.01), descend(AdamW, wd=0.1, lr=0.01))
        < 1e-12
    )
    assert (
        largest_difference(
            descend(Adam, penalty=0.1, lr=0.01),
            descend(torch.optim.Adam, weight_decay=0.1, lr=0.01),
        )
        < 1e-8
    )


def test_the_lectures_update_is_decay_by_twice_wd():
    update = defined("def update")["update"]
    torch.manual_seed(0)
    model, x, y, lr, wd = (
        nn.Linear(4, 3).double(),
        torch.randn(12, 4, dtype=torch.float64),
        torch.randint(3, (12,)),
        0.1,
        0.05,
    )
    before = [p.detach().clone() for p in model.parameters()]
    gradients = torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))
    loss = update(model, x, y, lr, wd)
    assert (
        isinstance(loss, float)
        and abs(
            loss
            - (
                F.cross_entropy(x @ before[0].T + before[1], y)
                + wd * sum((p**2).sum() for p in before)
            ).item()
        )
        < 1e-12
    )
    assert (
        largest_difference(
            [p.detach() for p in model.parameters()],
            [p - lr * (g + 2 * wd * p) for p, g in zip(before, gradients)],
        )
        < 1e-14
    )


def test_polynomials_minimise_what_the_lesson_says():
    space = defined("def measure", "def fit_polynomial")
    fit_polynomial, powers, measure = space["fit_polynomial"], space["powers"], space["measure"]
    x, y = measure(12)
    for degree, wd in ((2, 0.0), (5, 0.01), (11, 1e-3), (30, 0.1)):
        w = fit_polynomial(x, y, degree, wd).requires_grad_()
        (((powers(x, degree) @ w - y) ** 2).mean() + wd * (w**2).sum()).backward()
        assert w.grad.abs().max() < 1e-8, (degree, wd)
    assert ((powers(x, 11) @ fit_polynomial(x, y, 11) - y) ** 2).mean() < 1e-12, (
        "twelve weights meet twelve points"
    )


def test_shifts_move_pictures_and_nothing_else():
    shifted = defined("def shifted")["shifted"]
    picture = torch.zeros(1, 28, 28)
    picture[0, 10, 15] = 1.0
    torch.manual_seed(0)
    moved = shifted(picture.reshape(1, 784).repeat(500, 1)).reshape(500, 28, 28)
    assert (moved.sum((1, 2)) == 1).all()
    places = moved.nonzero()[:, 1:] - torch.tensor([10, 15])
    assert len(places.unique(dim=0)) == 25 and places.abs().max() == 2
    still = torch.rand(3, 784)
    assert torch.equal(shifted(still, far=0), still)


def test_curves_are_what_the_solution_says():
    curves = {letter: torch.tensor(pair) for letter, pair in suspect_curves().items()}
    assert curves["D"][1, -1] > curves["D"][1].min() + 0.2 and curves["D"][0, -1] < 0.1, (
        "D overfits"
    )
    assert all(
        curves[letter][1, -5:].mean() < curves[letter][1, 10:15].mean() + 0.02 for letter in "ABC"
    ), "no other turns upward"
    assert (curves["C"][1] < curves["C"][0]).all() and all(
        (curves[letter][1, 2:] > curves[letter][0, 2:] - 0.05).all() for letter in "ABD"
    )
    assert curves["A"][0, -1] > 0.9 and curves["B"][1, -1] < curves["B"][1, -6] - 0.05
    assert suspect_curves() == suspect_curves()


def test_decay_by_autograd_is_accepted():
    def by_autograd(weight, gradient, lr, wd):
        weight.requires_grad_()
        (wd * (weight**2).sum()).backward()
        return weight - lr * (gradient + weight.grad)

    assert judge("08-decay", by_autograd).status == "solved"


def test_a_mask_of_ones_own_never_passes():
    def own(x, keep, p, training):
        return F.dropout(x, p, training)

    for seed in range(50):
        torch.manual_seed(seed)
        assert judge("08-dropout", own).status == "not right"

"Dropout, batch norm and weight decay of lesson 08 against PyTorch's, harder than the lesson does."

import re

import nbformat
import pytest
import torch
import torch.nn.functional as F
from shared import ROOT
from torch import nn

from helpers.course.checks.lesson08 import loss_tables, suspect_curves
from helpers.course.exercises import judge
from helpers.course.figures import largest_difference
from helpers.optim import SGD, Adam, AdamW
from helpers.train import Batches

LESSON = nbformat.read(ROOT / "nbs" / "08_weight_decay.ipynb", as_version=4)


def defined(*starts):
    "What the lesson's cells define that contain these lines."
    space = {"torch": torch, "nn": nn, "F": F, "Batches": Batches}
    for start in starts:
        line = re.compile(rf"^{re.escape(start)}", re.M)
        code = [cell.source for cell in LESSON.cells if cell.cell_type == "code"]
        [source] = [source for source in code if line.search(source)]
        exec(source, space)
    return space


SPACE = defined("class SimpleDropout", "class SimpleBatchNorm", "class Dropout")
Dropout = SPACE["Dropout"]
BatchNorm = SPACE["BatchNorm"]


def run(layer, shape, batches=8, scale=3.0, dtype=torch.float64, evaluate=True):
    "All that a layer shows in training and then in evaluation: outputs, gradients, buffers."
    torch.manual_seed(7)
    layer = layer.to(dtype)
    results = []
    with torch.no_grad():
        for p in layer.parameters():
            p.uniform_(-2, 2)
    for n in range(batches + evaluate):
        layer.train(n < batches)
        x = (scale * torch.randn(shape, dtype=dtype) + 5).requires_grad_()
        out = layer(x)
        unequal = torch.linspace(-1, 1, out.numel(), dtype=dtype).view_as(out)
        (out.sin() * unequal).sum().backward()
        buffers = [buffer.to(dtype).clone() for buffer in layer.buffers()]
        results += [out.detach(), x.grad, *buffers]
    return results + [p.grad for p in layer.parameters()]


@pytest.mark.parametrize("shape", [(2, 3), (17, 1), (64, 40), (5, 7)])
@pytest.mark.parametrize(
    ("eps", "momentum"), [(1e-5, 0.1), (1e-3, 0.01), (0.5, 0.9), (1e-5, 1.0), (1e-5, 0.0)]
)
def test_batch_norm_equals_torch(shape, eps, momentum):
    ours = BatchNorm(shape[1], eps=eps, momentum=momentum)
    theirs = nn.BatchNorm1d(shape[1], eps=eps, momentum=momentum)
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
    ours = run(BatchNorm(9), (32, 9), dtype=torch.float32)
    theirs = run(nn.BatchNorm1d(9), (32, 9), dtype=torch.float32)
    assert largest_difference(ours, theirs) < 5e-4


def test_running_statistics_are_the_small_print():
    layer = BatchNorm(2).double()
    x = torch.tensor([[1.0, 10.0], [3.0, 30.0], [8.0, 20.0]], dtype=torch.float64)
    out = layer(x)
    zeros = torch.zeros(2, dtype=torch.float64)
    assert torch.allclose(out.mean(0), zeros, atol=1e-12)
    # the batch is divided by its plain variance, the average gets the unbiased one
    assert torch.allclose(out.var(0, unbiased=False), zeros + 1, atol=1e-4)
    assert torch.allclose(layer.running_mean, 0.1 * x.mean(0))
    assert torch.allclose(layer.running_var, 0.9 + 0.1 * x.var(0))
    assert layer.num_batches_tracked == 1
    before = [buffer.clone() for buffer in layer.buffers()]
    layer.eval()(x + 100)
    assert all(map(torch.equal, before, layer.buffers())), "evaluation leaves them alone"


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
    ours = run(Dropout(p), shape, dtype=dtype)
    theirs = run(nn.Dropout(p), shape, dtype=dtype)
    assert largest_difference(ours, theirs) == 0


def test_dropout_keeps_the_expected_value():
    torch.manual_seed(0)
    out = Dropout(0.3)(torch.ones(100_000))
    assert set(out.unique().tolist()) == {0.0, torch.tensor(1 / 0.7).item()}
    assert abs(out.mean() - 1) < 0.01
    assert abs((out == 0).float().mean() - 0.3) < 0.01


def test_dropout_does_nothing_in_evaluation():
    x = torch.randn(50)
    assert Dropout(0.9).eval()(x) is x
    assert Dropout(0.0)(x) is x


@pytest.mark.parametrize("p", [1.0, 1.5, -0.1, float("nan")])
def test_dropout_refuses(p):
    with pytest.raises(ValueError, match="share to drop"):
        Dropout(p)


def descend(rule, penalty=0.0, shrink=0.0, lr=0.05, steps=60, **hyper):
    "A small net after some steps, with wd in the loss or in the weights."
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    x = torch.randn(40, 6, dtype=torch.float64)
    y = torch.randint(3, (40,))
    optimizer = rule(model.parameters(), lr=lr, **hyper)
    for n in range(steps):
        rows = slice(10 * (n % 4), 10 * (n % 4) + 10)
        squares = sum((p**2).sum() for p in model.parameters())
        (F.cross_entropy(model(x[rows]), y[rows]) + penalty / 2 * squares).backward()
        with torch.no_grad():
            for p in model.parameters():
                p *= 1 - lr * shrink
        optimizer.step()
        optimizer.zero_grad()
    return [p.detach() for p in model.parameters()]


@pytest.mark.parametrize("wd", [1e-4, 0.01, 0.3, 1.0])
def test_penalty_and_decay_are_one_in_plain_descent(wd):
    penalty = descend(SGD, penalty=wd)
    assert largest_difference(penalty, descend(SGD, shrink=wd)) < 1e-14
    assert largest_difference(penalty, descend(SGD, wd=wd)) < 1e-14
    assert largest_difference(penalty, descend(SGD)) > 1e-5


def test_they_differ_with_momentum():
    penalty = descend(SGD, penalty=0.1, momentum=0.9)
    shrinking = descend(SGD, shrink=0.1, momentum=0.9)
    assert largest_difference(penalty, shrinking) > 1e-2
    theirs = descend(torch.optim.SGD, momentum=0.9, weight_decay=0.1)
    assert largest_difference(penalty, theirs) < 1e-12, "PyTorch's SGD has the penalty"


def test_they_differ_under_adam():
    penalty = descend(Adam, penalty=0.1, lr=0.01)
    shrinking = descend(Adam, shrink=0.1, lr=0.01)
    assert largest_difference(penalty, shrinking) > 1e-2
    assert largest_difference(shrinking, descend(AdamW, wd=0.1, lr=0.01)) < 1e-12
    theirs = descend(torch.optim.Adam, weight_decay=0.1, lr=0.01)
    assert largest_difference(penalty, theirs) < 1e-8


def test_the_lectures_update_is_decay_by_twice_wd():
    update = defined("def update")["update"]
    torch.manual_seed(0)
    model = nn.Linear(4, 3).double()
    x = torch.randn(12, 4, dtype=torch.float64)
    y = torch.randint(3, (12,))
    lr, wd = 0.1, 0.05
    before = [p.detach().clone() for p in model.parameters()]
    error = F.cross_entropy(model(x), y)
    gradients = torch.autograd.grad(error, list(model.parameters()))

    loss = update(model, x, y, lr, wd)
    assert isinstance(loss, float)
    squares = sum((p**2).sum() for p in before)
    assert abs(loss - (error + wd * squares).item()) < 1e-12
    right = [p - lr * (g + 2 * wd * p) for p, g in zip(before, gradients)]
    assert largest_difference([p.detach() for p in model.parameters()], right) < 1e-14


def test_polynomials_minimise_what_the_lesson_says():
    space = defined("def measure", "def fit_polynomial")
    fit_polynomial, powers, measure = space["fit_polynomial"], space["powers"], space["measure"]
    x, y = measure(12)
    for degree, wd in ((2, 0.0), (5, 0.01), (11, 1e-3), (30, 0.1)):
        w = fit_polynomial(x, y, degree, wd).requires_grad_()
        error = ((powers(x, degree) @ w - y) ** 2).mean()
        (error + wd * (w**2).sum()).backward()
        assert w.grad.abs().max() < 1e-8, (degree, wd)
    twelve = fit_polynomial(x, y, 11)
    assert ((powers(x, 11) @ twelve - y) ** 2).mean() < 1e-12, "12 weights meet 12 points"


def test_shifts_move_pictures_and_nothing_else():
    shifted = defined("def shifted")["shifted"]
    picture = torch.zeros(1, 28, 28)
    picture[0, 10, 15] = 1.0
    torch.manual_seed(0)
    moved = shifted(picture.reshape(1, 784).repeat(500, 1)).reshape(500, 28, 28)
    assert (moved.sum((1, 2)) == 1).all()
    moves = moved.nonzero()[:, 1:] - torch.tensor([10, 15])
    assert len(moves.unique(dim=0)) == 25
    assert moves.abs().max() == 2
    picture = torch.rand(3, 784)
    assert torch.equal(shifted(picture, far=0), picture)


def test_curves_are_what_the_solution_says():
    curves = {}
    for letter, pair in suspect_curves().items():
        training, validation = torch.tensor(pair)
        curves[letter] = training, validation
    training, validation = curves["D"]
    assert validation[-1] > validation.min() + 0.2, "D overfits"
    assert training[-1] < 0.1
    for letter in "ABC":
        _, validation = curves[letter]
        assert validation[-5:].mean() < validation[10:15].mean() + 0.02, "no other turns upward"
    training, validation = curves["C"]
    assert (validation < training).all()
    for letter in "ABD":
        training, validation = curves[letter]
        assert (validation[2:] > training[2:] - 0.05).all()
    assert curves["A"][0][-1] > 0.9
    validation = curves["B"][1]
    assert validation[-1] < validation[-6] - 0.05
    assert suspect_curves() == suspect_curves()


def test_decay_by_autograd_is_accepted():
    def by_autograd(weight, gradient, lr, wd):
        weight.requires_grad_()
        (wd * (weight**2).sum()).backward()
        return weight - lr * (gradient + weight.grad)

    assert judge("08-decay", by_autograd).status == "solved"


def test_simple_layers_are_the_complete_ones():
    shape = (16, 7)
    simple, complete = SPACE["SimpleBatchNorm"](7), BatchNorm(7)
    for _ in range(5):
        x = torch.randn(shape, dtype=torch.float64)
        for training in (True, False):
            simple.double().train(training)
            complete.double().train(training)
            assert largest_difference(simple(x), complete(x)) < 1e-12
    simple, complete = SPACE["SimpleDropout"](0.4), Dropout(0.4)
    assert largest_difference(run(simple, shape), run(complete, shape)) == 0


def test_momentum_leaves_the_balance_of_a_penalty():
    "With momentum a penalty keeps its wd, and shrinking needs ten times as much."

    def squares(params):
        return sum((p**2).sum().item() for p in params)

    plain = squares(descend(SGD, penalty=0.1, lr=0.05, steps=4000))
    penalty = squares(descend(SGD, penalty=0.1, lr=0.005, steps=4000, momentum=0.9))
    shrinking = squares(descend(SGD, shrink=1.0, lr=0.005, steps=4000, momentum=0.9))
    weak = squares(descend(SGD, shrink=0.1, lr=0.005, steps=4000, momentum=0.9))
    assert abs(penalty / plain - 1) < 0.05
    assert abs(shrinking / plain - 1) < 0.05
    assert weak > 1.5 * plain


def test_loss_tables_are_what_the_solution_says():
    tables = loss_tables()
    best = {}
    for letter, table in tables.items():
        assert table["training"] == sorted(table["training"]), "more decay fits worse"
        best[letter] = table["validation"].index(min(table["validation"]))
    assert best == {"A": 2, "B": 0, "C": 1}
    validation = tables["C"]["validation"]
    assert validation[2] < validation[0], "0.3 is the better bet"

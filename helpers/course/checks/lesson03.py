"What the exercises on MNIST and plain SGD accept, and what they say to each mistake."

import copy
from itertools import islice

import torch
import torch.nn.functional as F
from torch import nn

from helpers.course.exercises import Hint, exercise, near


@exercise("03-data-loader", "mini-batches in a given order")
def check_data_loader(batches_of):
    x, y = torch.arange(10.0)[:, None] * 10, torch.arange(10)
    order = torch.tensor([7, 3, 9, 0, 1, 8, 2, 5, 4, 6])
    try:
        got = list(islice(batches_of(x, y, 4, order), 20))
    except TypeError as error:
        if "iterable" in str(error):
            raise Hint(
                "The result cannot be looped over. Use `yield` for each batch, or return a list of pairs."
            ) from None
        raise
    if any(
        torch.is_tensor(yb) and yb.ndim == 0
        for pair in got
        if isinstance(pair, (tuple, list))
        for yb in pair[1:]
    ):
        raise Hint(
            "Each item should be a batch of rows; yours is a single row. Take `bs` rows at once."
        )
    if len(got) == 20:
        raise Hint("The batches never end. One epoch shows each row once.")
    if not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in got):
        raise Hint("Each batch should be a pair: its rows of x and its rows of y.")
    sizes = [len(yb) for _, yb in got]
    if sizes == [4, 4]:
        raise Hint("The last two rows are never shown: 10 rows make batches of 4, 4 and 2.")
    if sizes != [4, 4, 2]:
        raise Hint(f"10 rows in batches of 4 should give sizes 4, 4, 2; yours are {sizes}.")
    xs, ys = torch.cat([xb for xb, _ in got]).flatten(), torch.cat([yb for _, yb in got])
    if not near(xs, ys * 10.0):
        raise Hint(
            "Pictures and labels no longer belong together: take the same rows of x and of y."
        )
    if near(ys, y):
        raise Hint("You walk through the rows as they lie. Take them in the order given.")
    if not near(ys, order):
        raise Hint(f"The rows should come as {order.tolist()}; yours come as {ys.tolist()}.")


@exercise("03-my-linear", "an affine layer as a module")
def check_my_linear(MyLinear):
    torch.manual_seed(0)
    try:
        layer = MyLinear(784, 10)
    except AttributeError as error:
        if "Module.__init__" in str(error):
            raise Hint(
                "The first line of `__init__` should be `super().__init__()`: it makes the place where parameters are registered."
            ) from None
        raise
    shapes = sorted(list(p.shape) for p in layer.parameters())
    if not shapes:
        raise Hint(
            "`parameters()` is empty, so nothing would be learned. Wrap weight and bias in `nn.Parameter`."
        )
    if len(shapes) > 1 and [10] not in shapes:
        raise Hint(
            f"The bias needs one number for each output, shape [10]; your parameters have shapes {shapes}."
        )
    if [10] not in shapes:
        raise Hint("There is no bias among the parameters: one number for each output.")
    if [784, 10] in shapes:
        raise Hint(
            "PyTorch keeps the weight as [outputs, inputs], here [10, 784]; yours is turned round."
        )
    if shapes != [[10], [10, 784]]:
        raise Hint(f"The parameters should have shapes [10, 784] and [10]; yours have {shapes}.")
    weight, bias = [next(p for p in layer.parameters() if p.ndim == n) for n in (2, 1)]
    if float(weight.detach().std()) == 0:
        raise Hint(
            "All weights start equal. Two hidden units that start equal stay equal for ever; start from random numbers."
        )
    if float(weight.detach().std()) > 0.3:
        raise Hint(
            "The weights start too large: with 784 inputs the outputs come out near 28. Divide by the root of the number of inputs."
        )
    with torch.no_grad():
        bias.copy_(torch.arange(10.0))
    xb = torch.rand(5, 784)
    got = layer(xb)
    if got is None:
        raise Hint("`forward` returned None; it should return the outputs.")
    if near(got, xb @ weight.T):
        raise Hint("The bias is there but is not added.")
    if not near(got, F.linear(xb, weight, bias)):
        raise Hint(
            f"The outputs differ from `F.linear(xb, weight, bias)`; yours have shape {list(got.shape)}, wanted is [5, 10] with xb @ weight.T + bias."
        )


@exercise("03-training-step", "forward, loss, backward, update, zero")
def check_training_step(train_step):
    torch.manual_seed(0)
    model, lr = nn.Linear(6, 3), 0.5
    reference = copy.deepcopy(model)
    data = [(torch.randn(8, 6), torch.randint(3, (8,))) for _ in range(3)]
    optimizer = torch.optim.SGD(reference.parameters(), lr=lr)
    losses, first, states = [], None, []
    for xb, yb in data:
        loss = F.cross_entropy(reference(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        states.append(copy.deepcopy(list(reference.parameters())))
    start = copy.deepcopy(list(model.parameters()))
    for n, (xb, yb) in enumerate(data):
        try:
            got = train_step(model, xb, yb, lr)
        except TypeError as error:
            if "NoneType" in str(error):
                raise Hint(
                    "`.grad` is still None: did you call `backward` before you used it?"
                ) from None
            raise
        except RuntimeError as error:
            if (
                isinstance(error, NotImplementedError)
                or "argument" in str(error)
                or "expected" in str(error).lower()
            ):
                raise Hint(
                    f"PyTorch cannot use these arguments ({str(error)[:70]} …). In `F.cross_entropy` the outputs come first, then the targets."
                ) from None
            if "leaf" in str(error):
                raise Hint(
                    "PyTorch refuses: it would have to differentiate through the update. Put the update under `with torch.no_grad():`."
                ) from None
            raise
        now = list(model.parameters())
        if n == 0:
            if near(now, start):
                raise Hint(
                    "The parameters did not move. `p = p - …` makes a new tensor; change the old one in place, with `p -= …` or `p.sub_(…)`. (Or was the gradient zeroed before it was used?)"
                )
            if near(now, [2 * a - b for a, b in zip(start, states[0])]):
                raise Hint("You walk uphill: subtract the gradient.")
            if torch.is_tensor(got):
                raise Hint(
                    "A plain number is asked for, and a tensor drags along the record of how it was computed. Return `loss.item()`."
                )
            if not near(now, states[0]):
                raise Hint(
                    "After one step the parameters are not where plain SGD puts them: p - lr · gradient."
                )
            if not near(got, losses[0]):
                raise Hint(
                    f"The step is right; the number returned should be the loss before it, {losses[0]:.4f}, and is {got:.4f}."
                )
    if not near(list(model.parameters()), states[-1]):
        raise Hint(
            "The first step is right, the next are not: the gradients of the step before are still there, and `backward` adds to them. Zero them."
        )

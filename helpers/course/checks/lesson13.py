"What the exercises on fine-tuning accept, and what they say to each mistake."

import math

import torch

from helpers.course.exercises import Hint, exercise, near


@exercise("13-frozen", "what is left to learn")
def check_frozen(learning_parameters):
    shapes = {
        "filters": (16, 3, 5, 5),
        "scale": (16,),
        "temperature": (),
        "head": (7, 16),
        "bias": (7,),
    }
    frozen = {"filters", "scale"}
    kept = dict(shapes), set(frozen)
    got = learning_parameters(shapes, frozen)
    if (shapes, frozen) != kept:
        raise Hint("You changed the dictionary or the set of the caller. Only read them.")
    if torch.is_tensor(got):
        got = got.item()
    if isinstance(got, (list, tuple, dict, set)):
        raise Hint("One number is asked for, the sum over all parameters that learn.")
    if isinstance(got, str):
        raise Hint("That is text. Return the number itself.")
    size = {name: math.prod(shape) for name, shape in shapes.items()}
    right = sum(size[name] for name in shapes if name not in frozen)
    if got == right:
        if learning_parameters({"a": (2, 3), "b": (4,)}, set()) != 10:
            raise Hint("With nothing frozen all numbers learn. Does your code use `frozen`?")
        return
    if got == sum(size[name] for name in frozen):
        raise Hint("You count what is frozen. Count the others.")
    if got == sum(size.values()):
        raise Hint("That is all of them. Leave out the names in `frozen`.")
    if got == len(shapes) - len(frozen):
        raise Hint("You count tensors. Count the numbers in them: the product of the shape.")
    if got == len(frozen):
        raise Hint(
            "You count the frozen names. Count the numbers in the other tensors: the product of each shape."
        )
    if got == right - 1:
        raise Hint("A tensor with the shape () holds one number, not none: `math.prod(())` is 1.")
    if got == sum(sum(shapes[name]) for name in shapes if name not in frozen):
        raise Hint("You add the sides of a shape. A matrix of 7 by 16 holds 7 times 16 numbers.")
    if got == sum((shapes[name] or (1,))[0] for name in shapes if name not in frozen) or got == sum(
        (shapes[name] or (0,))[0] for name in shapes if name not in frozen
    ):
        raise Hint("You count the rows. Multiply all sides of the shape.")
    raise Hint(
        f"For the shapes {shapes} with {sorted(frozen)} frozen it should be {right}; yours is {got}."
    )


@exercise("13-rates", "the rates of a slice")
def check_rates(slice_rates):
    first, last, n = 2e-5, 6e-3, 4
    try:
        got = [float(rate) for rate in slice_rates(first, last, n)]
    except TypeError:
        raise Hint("A list of rates is asked for, one for each group.") from None
    except ZeroDivisionError:
        raise Hint("A division by zero: how many gaps are there between n groups?") from None
    right = [first * (last / first) ** (k / (n - 1)) for k in range(n)]
    if len(got) != n:
        raise Hint(f"{n} groups, {len(got)} rates: one for each group, first and last among them.")

    def same(wanted):
        return all(abs(a - b) <= 1e-6 * abs(b) + 1e-15 for a, b in zip(got, wanted))

    if same(right):
        other = [float(rate) for rate in slice_rates(2e-4, 5e-3, 3)]
        if not all(abs(a - b) < 1e-9 for a, b in zip(other, [2e-4, 1e-3, 5e-3])):
            raise Hint(
                "Right for one slice, wrong for another. Is the factor computed from `first` and `last`?"
            )
        return
    if same(right[::-1]):
        raise Hint(
            "The other way round: the first group, the earliest layers, gets the smallest rate."
        )
    if same([first + (last - first) * k / (n - 1) for k in range(n)]):
        raise Hint(
            "Equal steps. Equal factors are asked for: each rate is the one before times the same number."
        )
    if same([first * (last / first) ** (k / n) for k in range(n)]):
        raise Hint(
            "The last group should get `last`. Between n groups there are n - 1 gaps, not n."
        )
    if same([first * (last / first) ** ((k + 1) / n) for k in range(n)]):
        raise Hint(
            "The first group should get `first`. Between n groups there are n - 1 gaps, not n."
        )
    if same([last / 10] * (n - 1) + [last]):
        raise Hint(
            "That is slice(last), with one number. Here the rates go from `first` to `last`."
        )
    if same([math.log10(rate) for rate in right]):
        raise Hint("Those are the powers of ten. Raise 10 to them.")
    slips = (
        [first * ((last / first) / (n - 1)) ** k for k in range(n)],
        [first * (last / first) ** k / (n - 1) for k in range(n)],
    )
    if any(map(same, slips)):
        raise Hint(
            "Brackets: Python reads a**1/b as (a**1)/b. Write the exponent in brackets, a**(1/b)."
        )
    if same([first * 10**k for k in range(n)]):
        raise Hint("A factor of ten each time. The factor depends on `first`, `last` and `n`.")
    raise Hint(
        f"For slice({first:g}, {last:g}) and {n} groups it should be {', '.join(f'{rate:.1e}' for rate in right)}; yours is {', '.join(f'{rate:.1e}' for rate in got)}."
    )


@exercise("13-pool", "pooling for any layout")
def check_pool(pool):
    generator = torch.Generator().manual_seed(4)
    places = torch.randn(2, 12, 5, generator=generator, dtype=torch.float64)
    shaped = {
        "NLC": places,
        "NHWC": places.view(2, 3, 4, 5),
        "NCHW": places.view(2, 3, 4, 5).permute(0, 3, 1, 2),
    }

    def both(p):
        return torch.cat([p.amax(1), p.mean(1)], 1)

    def run(*given):
        try:
            got = pool(*given)
        except TypeError as error:
            if "return_types" in str(error) or "tuple" in str(error):
                raise Hint(pair) from None
            raise
        if isinstance(got, tuple):
            raise Hint(pair)
        return torch.as_tensor(got)

    pair = "`max` over a dimension gives two things, the largest values and where they stand. `amax` gives the values alone."
    for layout, x in shaped.items():
        kept = x.clone()
        got = run(x.clone() if layout != "NCHW" else x, layout)
        if not torch.equal(x, kept):
            raise Hint("You changed the features of the caller. Make new ones.")
        if got.shape == (2, 5):
            if near(got, places.amax(1)) or near(got, places.mean(1)):
                raise Hint("Half of it: maximum and mean are asked for, side by side.")
            raise Hint(
                "Both, side by side: [n, 2·features]. `torch.cat(..., 1)` puts them there; adding them mixes two different things."
            )
        if got.shape == (4, 5):
            raise Hint(
                "You put maximum and mean under each other. Side by side is dimension 1 of `torch.cat`."
            )
        if got.shape == (2, 2, 5):
            raise Hint("`stack` makes a new dimension. `cat` puts them side by side.")
        if got.shape != (2, 10):
            raise Hint(
                f"Layout {layout}, shape {list(x.shape)}: [2, 10] is asked for, you return {list(got.shape)}. Which dimensions are places, and which is the features?"
            )
        if near(got, torch.cat([places.mean(1), places.amax(1)], 1)):
            raise Hint("The other way round: the maximum first, as in fastai.")
        if near(got, torch.cat([places.amin(1), places.mean(1)], 1)):
            raise Hint("You take the minimum. The maximum asks whether a feature is anywhere.")
        if near(got, torch.cat([places.abs().amax(1), places.mean(1)], 1)):
            raise Hint("No absolute values: a feature that is strongly negative is not there.")
        if near(got, torch.cat([places.amax(1), places.sum(1)], 1)):
            raise Hint("You sum. The mean does not depend on the size of the picture.")
        if not near(got, both(places)):
            raise Hint(
                f"Layout {layout}: maximum or mean is taken over the wrong dimension, or over some places only."
            )
    x = places.clone()
    x[:, :2] += 50
    got = run(x, "NLC", 2)
    if near(got, both(x)):
        raise Hint("With prefix=2 the first two tokens are no places. Leave them out.")
    if got.shape == (2, 10) and near(got, both(x[:, 1:])):
        raise Hint("You leave out one token whatever `prefix` says.")
    if got.shape != (2, 10) or not near(got, both(x[:, 2:])):
        raise Hint("Right without a prefix. With prefix=2, pool over the tokens from the third on.")


@exercise("13-step", "one step of a frozen fit")
def check_step(head_step):
    generator = torch.Generator().manual_seed(6)
    weight, features = [
        torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((3, 4), (5, 4))
    ]
    y, lr, kept = torch.tensor([0, 2, 1, 2, 2]), 0.3, weight.clone()
    got = torch.as_tensor(head_step(weight, features, y, lr))
    if not torch.equal(weight, kept):
        raise Hint("You changed the old weight in place. Return a new one.")
    if got.shape == (4, 3):
        raise Hint("Your result is transposed: the weight has a row for each class.")
    if got.shape != weight.shape:
        raise Hint(
            f"The new weight has the shape of the old one, {list(weight.shape)}; yours has {list(got.shape)}."
        )
    chances, targets = (features @ weight.T).softmax(1), torch.nn.functional.one_hot(y, 3)
    gradient = (chances - targets).T @ features
    if near(got, weight - lr * gradient / 5):
        few = torch.tensor([0, 2])  # of the classes 0 and 1: the last one does not occur
        try:
            other = head_step(weight, features[few], y[few], 1.0)
        except (RuntimeError, IndexError):
            raise Hint(
                "Right for one batch, an error for a smaller one. A batch need not hold every class, and `one_hot(y)` makes columns only up to the largest class in it: give it the number of classes, `len(weight)`. And n is the number of rows of `features`."
            ) from None
        if not near(other, weight - (chances[few] - targets[few]).T @ features[few] / 2):
            raise Hint(
                "Right for one batch, wrong for another. Is n the number of rows of `features`?"
            )
        return
    if near(got, weight + lr * gradient / 5):
        raise Hint(
            "Uphill. Descent subtracts the gradient; softmax minus target, not target minus softmax."
        )
    if near(got, weight - lr * gradient):
        raise Hint("You sum over the pictures. The loss is a mean: divide by n.")
    if near(got, weight - lr * gradient / 15) or near(got, weight - lr * gradient / 3):
        raise Hint("The mean goes over the pictures, not over the classes: divide by n.")
    if near(got, -lr * gradient / 5) or near(got, lr * gradient / 5):
        raise Hint("That is the step alone. Add it to the old weight.")
    if near(got, gradient / 5):
        raise Hint("That is the gradient. The new weight is the old one minus lr times it.")
    if near(got, weight - gradient / 5):
        raise Hint("The rate is missing: multiply the gradient by lr.")
    if near(got, weight - lr * chances.T @ features / 5):
        raise Hint("The targets are missing: softmax *minus the one-hot target*.")
    if near(got, weight - lr * ((features @ weight.T) - targets).T @ features / 5):
        raise Hint(
            "You subtract the target from the logits. That is the gradient of a squared error; for cross-entropy, softmax first."
        )
    if near(got, weight - lr * ((features @ weight.T).softmax(0) - targets).T @ features / 5):
        raise Hint(
            "Softmax over the wrong dimension: each picture's chances sum to 1, which is dimension 1."
        )
    raise Hint(
        "Three steps: errors = softmax of `features @ weight.T` minus one-hot targets, divided by n; gradient = errors.T @ features; weight - lr times it."
    )

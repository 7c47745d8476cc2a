"What the exercises on collaborative filtering accept, and what they say to each mistake."

import torch

from helpers.course.exercises import Hint, exercise, near


@exercise("10-range", "a sigmoid range")
def check_range(to_range):
    z, low, high = torch.tensor([-2.0, 0.0, 1.0, 30.0], dtype=torch.float64), 0.5, 5.5
    right = low + (high - low) * torch.sigmoid(z)
    kept = z.clone()
    got = to_range(z, low, high)
    if not torch.equal(z, kept):
        raise Hint("You changed z itself; work on a new tensor.")
    if near(got, right - low):
        raise Hint("Everything is too small by the same amount: where does the range begin?")
    if near(got, high * torch.sigmoid(z)):
        raise Hint(
            f"That range begins at 0. With low = {low} and high = {high} the middle, at z = 0, should be 3."
        )
    if near(got, low + high * torch.sigmoid(z)):
        raise Hint(
            "That range is too long: it ends at low + high. How long is the way from low to high?"
        )
    if near(got, z.clamp(low, high)):
        raise Hint(
            "That is cut off at the ends. Outside them the gradient is zero, and nothing can learn its way back: use a sigmoid."
        )
    if near(got, high - (high - low) * torch.sigmoid(z)):
        raise Hint("That falls where z rises: low and high are exchanged.")
    if near(got, torch.sigmoid(z)):
        raise Hint(
            "That lies between 0 and 1. Stretch it to the way from low to high, and begin at low."
        )
    if near(got, low + (high - low) * torch.tanh(z)):
        raise Hint("tanh runs from -1 to 1. The sigmoid runs from 0 to 1.")
    if near(got, 5.5 * torch.sigmoid(z)) or near(to_range(z, 1.0, 2.0), right):
        raise Hint("Your range does not depend on low and high.")
    if not near(got, right):
        raise Hint(
            f"For z = -2, 0, 1 and the range {low} to {high} it should be {', '.join(f'{r:.3f}' for r in right[:3])}; yours is {', '.join(f'{float(g):.3f}' for g in torch.as_tensor(got).reshape(-1)[:3])}."
        )
    if not near(to_range(z, 1.0, 2.0), 1 + torch.sigmoid(z)):
        raise Hint("Right for one range. Does your code use both `low` and `high`?")


@exercise("10-biases", "the dot product with biases")
def check_biases(predict_pairs):
    torch.manual_seed(0)
    p, q, b, c = (
        torch.randn(*shape, dtype=torch.float64) for shape in ((6, 3), (5, 3), (6, 1), (5, 1))
    )
    pairs = torch.tensor([[5, 0], [2, 4], [2, 1], [0, 3]])
    users, items = pairs.unbind(1)
    product = (p[users] * q[items]).sum(1)
    right = product + b[users, 0] + c[items, 0]
    try:
        got = torch.as_tensor(predict_pairs(p, q, b, c, pairs))
    except (IndexError, ValueError, RuntimeError) as error:
        if "index 5" in str(error) or "out of" in str(error):
            raise Hint(
                "A row number is too large for its table. The first *column* of `pairs` holds users, the second items: pairs[:, 0] and pairs[:, 1]."
            ) from None
        if "unpack" in str(error):
            raise Hint(
                "`pairs` has a row for each pair and two columns: take pairs[:, 0] and pairs[:, 1], or pairs.unbind(1)."
            ) from None
        raise
    if got.ndim == 0:
        raise Hint("That is one number for all pairs: sum over the factors only, dim=1.")
    if got.shape == (4, 4):
        raise Hint(
            "You return 4 times 4 numbers for 4 pairs: each with each. A bias of shape [4, 1] and products of shape [4] are broadcast, and `@` multiplies all rows with all. Look at the shapes before you add."
        )
    if got.shape == (2,):
        raise Hint(
            "pairs[0] is the first pair, a row. The first *column*, pairs[:, 0], holds the users."
        )
    if got.shape == (3,):
        raise Hint("You sum over the pairs. Sum over the factors: dim=1.")
    if got.shape == (4, 1):
        raise Hint(
            "One number for each pair is asked for, shape [4]; yours has shape [4, 1], and a loss against targets [4] would compare each with each."
        )
    if got.shape != (4,):
        raise Hint(
            f"One number for each pair is asked for, shape [4]; yours has shape {list(got.shape)}."
        )
    if near(got, right.sigmoid()):
        raise Hint("No sigmoid here: the sum itself is asked for.")
    if near(got, product):
        raise Hint("The products are right. The two biases are not added.")
    if near(got, product + b[users, 0]):
        raise Hint("The items' bias is missing.")
    if near(got, product + c[items, 0]):
        raise Hint("The users' bias is missing.")
    if near(got, (p[users] * q[items]).mean(1) + b[users, 0] + c[items, 0]):
        raise Hint("You take the mean over the factors. A dot product is a sum.")
    if near(got, product * (b[users, 0] + c[items, 0])) or near(
        got, product * b[users, 0] * c[items, 0]
    ):
        raise Hint("Biases are added, not multiplied.")
    if not near(got, right):
        raise Hint(
            f"For the first pair it should be {right[0]:.4f}; yours is {float(got[0]):.4f}. The first column of `pairs` holds users, the second items."
        )

"What the exercises on one-hot products and embeddings accept, and what they say to each mistake."

import re

import torch
import torch.nn.functional as F
from torch import nn

from helpers.course.exercises import Hint, NotYet, exercise, near


def _shape_hint(shape):
    "What is wrong with a one-hot matrix of this shape, for 3 indices up to 3 and a table [6, 5]."
    return Hint(
        {
            (
                6,
                3,
            ): "Your matrix stands on its side: it should have a row for each index and a column for each row of the table.",
            (
                3,
                4,
            ): "Your matrix has 4 columns, one more than the largest index. In the next batch it may be another number; take one for each row of the table, 6.",
            (
                3,
                5,
            ): "Your matrix has 5 columns, as the table has. It needs one for each *row* of the table, 6: use len(table).",
            (
                3,
                3,
            ): "Your matrix has 3 columns, one for each index. It needs one for each row of the table, 6, so that 1s can stand anywhere.",
            (
                6,
                5,
            ): "The table stands first in your product. The one-hot matrix picks rows from the left: matrix@table.",
        }.get(
            tuple(shape),
            f"For 3 indices and a table of 6 rows the matrix has shape [3, 6]; yours has {list(shape)}.",
        )
    )


@exercise("09-one-hot", "a one-hot matrix and its product")
def check_one_hot(rows_by_product):
    torch.manual_seed(0)
    indices, table = torch.tensor([3, 0, 3]), torch.randn(6, 5)
    kept, right = table.clone(), F.one_hot(indices, 6).float()
    try:
        answer = rows_by_product(indices, table)
    except (RuntimeError, IndexError) as error:
        if shapes := re.search(r"shapes cannot be multiplied \((\d+)x(\d+) and", str(error)):
            raise _shape_hint(map(int, shapes.groups())) from None
        if size := re.search(r"out of bounds for dimension 1 with size (\d+)", str(error)):
            raise _shape_hint((3, int(size[1]))) from None
        if size := re.search(r"out of bounds for dimension 0 with size (3|6)\b", str(error)):
            raise Hint(
                "The indices count columns of your matrix, and are used for its rows. Name row and column of each 1 together: matrix[range(n), indices] = 1."
            ) from None
        if "dtype" in str(error):
            raise Hint(
                "The one-hot matrix should hold floating numbers of the dtype of the table; whole numbers cannot be multiplied by it."
            ) from None
        raise
    if not torch.equal(table, kept):
        raise Hint("You changed the table itself; work on a new tensor.")
    if torch.is_tensor(answer) or not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise Hint("Return two things: the one-hot matrix and its product with the table.")
    matrix, product = answer
    if not torch.is_tensor(matrix) or not matrix.is_floating_point():
        raise Hint(
            "The one-hot matrix should hold floating numbers of the dtype of the table; whole numbers cannot be multiplied by it."
        )
    if matrix.shape != right.shape:
        raise _shape_hint(matrix.shape)
    if near(matrix, right.roll(-1, 1)):
        raise Hint("Each 1 stands one column too far left. Rows are counted from 0.")
    if (matrix == 1).all(1).any() or (matrix.sum(1) > 1).any():
        raise Hint(
            "A row has more than one 1. Name row and column of each 1 together: matrix[range(n), indices] = 1."
        )
    if not near(matrix, right):
        raise Hint(
            f"For the indices 3, 0, 3 the 1s should stand in columns 3, 0 and 3; yours is {matrix.tolist()}."
        )
    if not torch.is_tensor(product) or not near(product, table[indices]):
        raise Hint(
            "The matrix is right; the second thing returned should be matrix@table, the rows 3, 0 and 3 of the table."
        )
    indices, table = torch.tensor([1, 2, 2, 0]), torch.randn(7, 2)
    try:
        fine = near(
            list(rows_by_product(indices, table)), [F.one_hot(indices, 7).float(), table[indices]]
        )
    except (RuntimeError, IndexError):
        fine = False
    if not fine:
        raise Hint(
            "Right for the first example; for the indices 1, 2, 2, 0 and a table of 7 rows and 2 columns it is not. Are indices or sizes written into your code?"
        )


@exercise("09-gradient", "the gradient of a table of which rows were looked up")
def check_gradient(table_gradient):
    torch.manual_seed(0)
    indices, output, rows = torch.tensor([4, 1, 4, 0]), torch.randn(4, 3), 6
    kept, one_hot = output.clone(), F.one_hot(indices, rows).float()
    right, last, first = one_hot.T @ output, torch.zeros(rows, 3), torch.zeros(rows, 3)
    last[indices] = output
    first[indices] = output
    first[4] = output[0]
    whole = lambda *given: (
        gradient.to_dense()
        if torch.is_tensor(gradient := table_gradient(*given)) and gradient.is_sparse
        else gradient
    )
    got = whole(indices, output, rows)
    if not torch.equal(output, kept):
        raise Hint("You changed the gradient that was handed in; work on a new tensor.")
    if not torch.is_tensor(got):
        raise Hint(
            f"The gradient is a tensor of the shape of the table, [6, 3]; you returned a {type(got).__name__}."
        )
    if near(got, last) or near(got, first):
        raise Hint(
            "Row 4 was looked up twice, and only one of its two gradients is there. They must be added up, and `gradient[indices] += …` does not do it: it writes twice. Look for index_add, or use the one-hot matrix."
        )
    if near(got, right.T):
        raise Hint("It is transposed. The gradient has the shape of the table: [rows, width].")
    if near(got, output):
        raise Hint(
            "These are the gradients of the rows looked up. Send each to the row of the table it came from."
        )
    if near(got, -right):
        raise Hint("The sign is turned. The gradient is asked for, not the step against it.")
    if near(got, right / one_hot.sum(0).clamp(min=1)[:, None]):
        raise Hint(
            "Row 4 holds the mean of its two gradients. Each use adds its full gradient: the sum."
        )
    if near(got, right / len(indices)):
        raise Hint(
            "You divide by the number of indices. If the loss is a mean, that is in the gradient already."
        )
    if near(got, one_hot.T):
        raise Hint(
            "Those are counts, the one-hot matrix itself. Multiply by the gradient of the output."
        )
    if got.shape == (5, 3):
        raise Hint("The table has 6 rows though the largest index is 4: use `rows`.")
    if got.shape != (6, 3):
        raise Hint(
            f"The gradient has the shape of the table, here [6, 3] (rows that were not looked up have zeros); yours has {list(got.shape)}."
        )
    if not got.any():
        raise Hint(
            "All zeros. index_add returns a new tensor; index_add_ changes the old one. Return what holds the sums."
        )
    if not near(got, right):
        raise Hint(
            f"For the indices 4, 1, 4, 0 row 4 should hold the sum of the first and the third gradient, and rows 2, 3 and 5 zeros; yours is {got.tolist()}."
        )
    try:
        fine = near(
            whole(torch.tensor([0]), torch.ones(1, 4), 2),
            torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]),
        )
    except (RuntimeError, IndexError):
        fine = False
    if not fine:
        raise Hint(
            "Right for the first example; for index 0, a table of 2 rows and width 4 it is not. Are sizes written into your code?"
        )


@exercise("09-dot-product", "the dot product model with biases")
def check_dot_product(DotProduct):
    torch.manual_seed(0)
    users, films, factors = 7, 5, 4
    if not (isinstance(DotProduct, type) and issubclass(DotProduct, nn.Module)):
        raise Hint("Hand over the class itself: check(..., DotProduct), derived from nn.Module.")
    try:
        model = DotProduct(users, films, factors)
    except AttributeError as error:
        if "__init__" in str(error):
            raise Hint(
                "Call super().__init__() first: nn.Module must be ready before it can take parameters."
            ) from None
        raise
    user, film = torch.tensor([0, 4, 3]), torch.tensor([4, 0, 1])
    tables = sorted(model.parameters(), key=lambda p: p.numel())
    if not tables:
        if any(model(user, film) is nothing for nothing in (..., None)):
            raise NotYet("Your module has no tables, and its forward returns nothing yet.")
        raise Hint(
            "The module has no parameters so far. Tables belong into nn.Embedding or nn.Parameter; a plain tensor is not found by model.parameters()."
        )
    shapes, expected = (
        [list(p.shape) for p in tables],
        [films, users, films * factors, users * factors],
    )
    if [p.numel() for p in tables] == expected[2:]:
        raise Hint(
            "There are factors and no biases. Each user and each film needs one more number, a table of width 1."
        )
    if [p.numel() for p in tables] != expected:
        raise Hint(
            f"For 7 users, 5 films and 4 factors the parameters should be tables [7, 4] and [5, 4] for the factors, [7, 1] and [5, 1] for the biases; yours are {shapes}."
        )
    film_bias, user_bias, film_table, user_table = tables
    if user_table.shape != (users, factors) or film_table.shape != (films, factors):
        raise Hint(
            f"A table has a row for each name and a column for each factor: [7, 4] and [5, 4]; yours are {shapes[3]} and {shapes[2]}."
        )
    if not user_table.any() and not film_table.any():
        raise Hint(
            "Both tables of factors start at zero. The gradient of each is made of the other, so neither would ever move. Start with random numbers."
        )
    if torch.equal(user_table, user_table[:, :1].expand_as(user_table)) and torch.equal(
        film_table, film_table[:, :1].expand_as(film_table)
    ):
        raise Hint(
            "All factors start equal, so they get equal gradients and stay equal: four factors do the work of one. Start with random numbers."
        )
    with torch.no_grad():
        for p in tables:
            p.normal_()
    products, bias = (
        user_table[user] * film_table[film],
        user_bias.view(-1)[user] + film_bias.view(-1)[film],
    )
    right = products.sum(1) + bias
    over_batch, unsummed = (
        "You sum over the batch, dim 0. Each pair has a dot product of its own: sum over the factors, dim 1.",
        "The products of the factors have not been summed: a rating for each pair is asked for, not one for each factor.",
    )
    try:
        got = model(user, film)
    except RuntimeError as error:
        if clash := re.search(
            r"tensor . \(([34])\) must match .* \(([34])\) at non-singleton dimension (\d)",
            str(error),
        ):
            raise Hint(unsummed if clash[3] == "1" else over_batch) from None
        raise
    if got is ... or got is None:
        raise NotYet("The tables are there; forward returns nothing yet.")
    if not torch.is_tensor(got):
        raise Hint(
            f"forward should return a tensor with a rating for each pair; it returned a {type(got).__name__}."
        )
    if got.shape == (3, 1):
        raise Hint(
            "The predictions have shape [3, 1], the ratings will have [3]; their difference would be [3, 3]. Sum without keepdim=True, and take column 0 of the biases."
        )
    if got.shape == (3, 4):
        raise Hint(over_batch if near(got, products.sum(0)[None] + bias[:, None]) else unsummed)
    if got.shape == (3, 3):
        if near(got, products.sum(1)[:, None] + bias[None]):
            raise Hint(
                "The dot products have shape [3, 1] and the biases [3]: added, they broadcast to [3, 3]. Sum without keepdim=True."
            )
        if near(got, products.sum(1)[None] + bias[:, None]):
            raise Hint(
                "The biases have shape [3, 1] and the dot products [3]: added, they broadcast to [3, 3]. Take column 0 of the biases."
            )
        raise Hint(
            "Shape [3, 3]: a matrix product of the two batches gives every user with every film. Asked for are the pairs: multiply number by number, and sum over the factors."
        )
    if got.shape == ():
        raise Hint(
            "One number for the whole batch. A rating for each pair is asked for: sum over the factors only, dim 1."
        )
    if got.shape != (3,):
        raise Hint(
            f"For 3 pairs there should be 3 predictions, shape [3]; yours has {list(got.shape)}."
        )
    if near(got, products.sum() + bias):
        raise Hint(
            "Every pair has the same dot product, summed over the whole batch. Sum over the factors only, dim 1."
        )
    if near(got, products.mean(1) + bias):
        raise Hint("You take the mean of the products. A dot product is their sum.")
    if near(got, products.sum(1)):
        raise Hint("The biases are there, and are not added.")
    if near(got, products.sum(1) + user_bias.view(-1)[user]):
        raise Hint("The film's bias is not added.")
    if near(got, products.sum(1) + film_bias.view(-1)[film]):
        raise Hint("The user's bias is not added.")
    if near(got, right.sigmoid()):
        raise Hint(
            "The sigmoid comes in lesson 10, with a range. Here the sum itself is asked for."
        )
    if near(got, (user_table[user] + film_table[film]).sum(1) + bias):
        raise Hint("The factors are added. A dot product multiplies them pair by pair, then sums.")
    if not near(got, right):
        raise Hint(
            f"The first prediction should be {right[0]:.4f} (dot product {products[0].sum():.4f} and biases {bias[0]:.4f}); yours is {got[0]:.4f}."
        )
    if (one := model(user[:1], film[:1])).shape != (1,):
        raise Hint(
            f"Right for three pairs; for a single pair the prediction has shape {list(one.shape)} and should have [1]. squeeze() drops every axis of length 1; take column 0, or squeeze(1)."
        )
    if got.requires_grad:
        got.sum().backward()
    if any(p.grad is None for p in tables):
        raise Hint(
            "Right numbers, but no gradient arrives at the tables: something in forward is detached or runs under no_grad."
        )

"What the exercises on one-hot products and embeddings accept, and what they say to each mistake."

import re

import torch
import torch.nn.functional as F
from torch import nn

from helpers.course.exercises import Hint, NotYet, compare, exercise, near


def _one_hot(indices, columns, dtype):
    matrix = torch.zeros(len(indices), columns, dtype=dtype)
    matrix[range(len(indices)), indices] = 1
    return matrix


def _rows_by_product(indices, table):
    matrix = _one_hot(indices, len(table), table.dtype)
    return matrix, matrix @ table


def _with_columns(columns):
    "A matrix of another width, multiplied with the table; and one beside the right product."

    def multiplied(indices, table):
        matrix = _one_hot(indices, columns(indices, table), table.dtype)
        return matrix, matrix @ table

    def beside(indices, table):
        return _one_hot(indices, columns(indices, table), table.dtype), table[indices]

    return multiplied, beside


def _identity(indices, table):
    return torch.eye(len(indices), dtype=table.dtype), table[indices]


def _on_its_side(indices, table):
    matrix = _one_hot(indices, len(table), table.dtype).T
    return matrix, matrix @ table


def _matrix_of_one_index(indices, table):
    "The indices are used for rows: an error where one is larger than the number of rows."
    matrix = torch.zeros(len(indices), len(table), dtype=table.dtype)
    matrix[indices] = 1
    return matrix, matrix @ table


def _whole_rows(indices, table):
    matrix = torch.zeros(len(indices), len(table), dtype=table.dtype)
    matrix[indices.clamp(max=len(indices) - 1)] = 1
    return matrix, table[indices]


def _of_whole_numbers(indices, table):
    matrix = _one_hot(indices, len(table), torch.int64)
    return matrix, matrix @ table


def _shifted(indices, table):
    matrix = _rows_by_product((indices - 1) % len(table), table)[0]
    return matrix, matrix @ table


_WHOLE = (
    "The one-hot matrix should hold floating numbers of the dtype of the table; "
    "whole numbers cannot be multiplied by it."
)


@exercise("09-one-hot", "a one-hot matrix and its product")
def check_one_hot(rows_by_product):
    generator = torch.Generator().manual_seed(0)
    examples = [
        (torch.tensor([3, 0, 3]), torch.randn(6, 5, generator=generator)),
        (torch.tensor([1, 2, 2, 0]), torch.randn(7, 2, generator=generator)),
    ]
    compare(
        rows_by_product,
        examples=examples,
        right=_rows_by_product,
        wrong={
            "Your matrix stands on its side: it should have a row for each index "
            "and a column for each row of the table.": (
                _on_its_side,
                lambda i, t: (_one_hot(i, len(t), t.dtype).T, t[i]),
            ),
            "Your matrix has one column more than the largest index. In the next batch that may "
            "be another number; take one for each row of the table: len(table).": (
                *_with_columns(lambda i, t: int(i.max()) + 1),
                lambda i, t: (F.one_hot(i) @ t, t[i]),
            ),
            "Your matrix has as many columns as the table. "
            "It needs one for each *row* of the table: use len(table).": (
                _with_columns(lambda i, t: t.shape[1])
            ),
            "Your matrix has a column for each index. It needs one for each row of the table, "
            "so that 1s can stand anywhere.": (
                *_with_columns(lambda i, t: len(i)),
                _identity,
            ),
            "The table stands first in your product. "
            "The one-hot matrix picks rows from the left: matrix@table.": (
                lambda i, t: (_one_hot(i, len(t), t.dtype), t @ _one_hot(i, len(t), t.dtype)),
                lambda i, t: (_one_hot(i, len(t), t.dtype), t[i].T),
            ),
            "The indices count columns of your matrix, and are used for its rows. "
            "Name row and column of each 1 together: matrix[range(n), indices] = 1.": (
                _matrix_of_one_index
            ),
            "A row has more than one 1. "
            "Name row and column of each 1 together: matrix[range(n), indices] = 1.": _whole_rows,
            _WHOLE: _of_whole_numbers,
            "Each 1 stands one column too far left. Rows are counted from 0.": (
                _shifted,
                lambda i, t: (_shifted(i, t)[0], t[i]),
            ),
            "Return two things: the one-hot matrix and its product with the table.": (
                lambda i, t: t[i],
                lambda i, t: _one_hot(i, len(t), t.dtype),
            ),
        },
        returns="two things: the one-hot matrix and its product with the table",
    )
    matrix, _ = rows_by_product(*examples[0])
    if not torch.is_tensor(matrix) or not matrix.is_floating_point():
        raise Hint(_WHOLE)


def _table_gradient(indices, output_gradient, rows):
    gradient = torch.zeros(rows, output_gradient.shape[1], dtype=output_gradient.dtype)
    return gradient.index_add(0, indices, output_gradient)


def _counts(indices, output_gradient, rows):
    return F.one_hot(indices, rows).to(output_gradient.dtype).T


def _last_use(indices, output_gradient, rows):
    gradient = torch.zeros(rows, output_gradient.shape[1], dtype=output_gradient.dtype)
    gradient[indices] = output_gradient
    return gradient


def _first_use(indices, output_gradient, rows):
    return _last_use(indices.flip(0), output_gradient.flip(0), rows)


def _mean_of_uses(indices, output_gradient, rows):
    uses = _counts(indices, output_gradient, rows).sum(1, keepdim=True)
    return _table_gradient(indices, output_gradient, rows) / uses.clamp(min=1)


@exercise("09-gradient", "the gradient of a table of which rows were looked up")
def check_gradient(table_gradient):
    generator = torch.Generator().manual_seed(0)
    compare(
        table_gradient,
        examples=[
            (torch.tensor([4, 1, 4, 0]), torch.randn(4, 3, generator=generator), 6),
            (torch.tensor([0]), torch.ones(1, 4), 2),
        ],
        right=_table_gradient,
        wrong={
            "A row was looked up twice, and only one of its two gradients is there. They must be "
            "added up, and `gradient[indices] += …` does not do it: it writes twice. "
            "Look for index_add, or use the one-hot matrix.": (_last_use, _first_use),
            "It is transposed. The gradient has the shape of the table: [rows, width].": (
                lambda i, g, rows: _table_gradient(i, g, rows).T
            ),
            "These are the gradients of the rows looked up. "
            "Send each to the row of the table it came from.": lambda i, g, rows: g,
            "The sign is turned. The gradient is asked for, not the step against it.": (
                lambda i, g, rows: -_table_gradient(i, g, rows)
            ),
            "A row that was used twice holds the mean of its two gradients. "
            "Each use adds its full gradient: the sum.": _mean_of_uses,
            "You divide by the number of indices. "
            "If the loss is a mean, that is in the gradient already.": (
                lambda i, g, rows: _table_gradient(i, g, rows) / len(i)
            ),
            "Those are counts, the one-hot matrix itself. "
            "Multiply by the gradient of the output.": _counts,
            "The table has 6 rows though the largest index is 4: use `rows`.": (
                lambda i, g, rows: _table_gradient(i, g, int(i.max()) + 1)
            ),
            "The gradient has the shape of the table, with zeros in the rows "
            "that were not looked up.": (
                lambda i, g, rows: _table_gradient(i, g, rows)[i.unique()]
            ),
            "All zeros. index_add returns a new tensor; index_add_ changes the old one. "
            "Return what holds the sums.": lambda i, g, rows: 0 * _table_gradient(i, g, rows),
            "Right for the first example; for index 0, a table of 2 rows and width 4 it is not. "
            "Are sizes written into your code?": (
                lambda i, g, rows: _table_gradient(i, g[:, :3], 6),
                lambda i, g, rows: _table_gradient(i, g, 6),
            ),
        },
        returns="a tensor of the shape of the table, [rows, width]",
    )


# A model of ratings, built by the learner


def _new_model(DotProduct, users, films, factors):
    "An instance of the learner's class; a `Hint` if it is no module."
    if not (isinstance(DotProduct, type) and issubclass(DotProduct, nn.Module)):
        raise Hint("Hand over the class itself: check(..., DotProduct), derived from nn.Module.")
    try:
        return DotProduct(users, films, factors)
    except AttributeError as error:
        if "__init__" not in str(error):
            raise
        raise Hint(
            "Call super().__init__() first: nn.Module must be ready before it can take parameters."
        ) from None


def _check_tables(tables):
    "A `Hint` unless these are tables of 7 users and 5 films with 4 factors, and start well."
    shapes = [list(p.shape) for p in tables]
    sizes = [p.numel() for p in tables]
    if sizes == [20, 28]:
        raise Hint(
            "There are factors and no biases. "
            "Each user and each film needs one more number, a table of width 1."
        )
    if sizes != [5, 7, 20, 28]:
        raise Hint(
            "For 7 users, 5 films and 4 factors the parameters should be tables [7, 4] and [5, 4] "
            f"for the factors, [7, 1] and [5, 1] for the biases; yours are {shapes}."
        )
    film_table, user_table = tables[2:]
    if user_table.shape != (7, 4) or film_table.shape != (5, 4):
        raise Hint(
            "A table has a row for each name and a column for each factor: [7, 4] and [5, 4]; "
            f"yours are {shapes[3]} and {shapes[2]}."
        )
    if not user_table.any() and not film_table.any():
        raise Hint(
            "Both tables of factors start at zero. The gradient of each is made of the other, "
            "so neither would ever move. Start with random numbers."
        )
    if all(torch.equal(table, table[:, :1].expand_as(table)) for table in tables[2:]):
        raise Hint(
            "All factors start equal, so they get equal gradients and stay equal: "
            "four factors do the work of one. Start with random numbers."
        )


_OVER_BATCH = (
    "You sum over the batch, dim 0. "
    "Each pair has a dot product of its own: sum over the factors, dim 1."
)
_UNSUMMED = (
    "The products of the factors have not been summed: "
    "a rating for each pair is asked for, not one for each factor."
)


def _predictions(model, user, film):
    "What the model gives for three pairs, as a tensor."
    try:
        result = model(user, film)
    except RuntimeError as error:
        clash = re.search(
            r"tensor . \(([34])\) must match .* \(([34])\) at non-singleton dimension (\d)",
            str(error),
        )
        if not clash:
            raise
        raise Hint(_UNSUMMED if clash[3] == "1" else _OVER_BATCH) from None
    if result is ... or result is None:
        raise NotYet("The tables are there. `forward` returns nothing yet.")
    if not torch.is_tensor(result):
        raise Hint(
            "forward should return a tensor with a rating for each pair; "
            f"it returned a {type(result).__name__}."
        )
    return result


def _check_shape(result, products, bias):
    "A `Hint` unless there is one prediction for each of three pairs."
    if result.shape == (3, 1):
        raise Hint(
            "The predictions have shape [3, 1], the ratings will have [3]; their difference would "
            "be [3, 3]. Sum without keepdim=True, and take column 0 of the biases."
        )
    if result.shape == (3, 4):
        over_batch = near(result, products.sum(0)[None] + bias[:, None])
        raise Hint(_OVER_BATCH if over_batch else _UNSUMMED)
    if near(result, products.sum(1)[:, None] + bias[None]):
        raise Hint(
            "The dot products have shape [3, 1] and the biases [3]: added, they broadcast "
            "to [3, 3]. Sum without keepdim=True."
        )
    if near(result, products.sum(1)[None] + bias[:, None]):
        raise Hint(
            "The biases have shape [3, 1] and the dot products [3]: added, they broadcast "
            "to [3, 3]. Take column 0 of the biases."
        )
    if result.shape == (3, 3):
        raise Hint(
            "Shape [3, 3]: a matrix product of the two batches gives every user with every film. "
            "Asked for are the pairs: multiply number by number, and sum over the factors."
        )
    if result.shape == ():
        raise Hint(
            "One number for the whole batch. "
            "A rating for each pair is asked for: sum over the factors only, dim 1."
        )
    if result.shape != (3,):
        raise Hint(
            f"For 3 pairs there should be 3 predictions, shape [3]; yours has {list(result.shape)}."
        )


@exercise(
    "09-dot-product",
    "the dot product model with biases",
    "users, films, factors",
    forward="user, film",
)
def check_dot_product(DotProduct):
    torch.manual_seed(0)
    model = _new_model(DotProduct, users=7, films=5, factors=4)
    user = torch.tensor([0, 4, 3])
    film = torch.tensor([4, 0, 1])
    tables = sorted(model.parameters(), key=lambda p: p.numel())
    if not tables:
        if any(model(user, film) is nothing for nothing in (..., None)):
            raise NotYet(
                "Write your answer in the cell above: tables in `__init__`, predictions in "
                "`forward`. Then run the cell again."
            )
        raise Hint(
            "The module has no parameters so far. Tables belong into nn.Embedding or nn.Parameter; "
            "a plain tensor is not found by model.parameters()."
        )
    _check_tables(tables)
    with torch.no_grad():
        for p in tables:
            p.normal_()
    film_bias, user_bias, film_table, user_table = tables
    factors_of_user = user_table[user]
    factors_of_film = film_table[film]
    of_user = user_bias.view(-1)[user]
    of_film = film_bias.view(-1)[film]
    products = factors_of_user * factors_of_film
    dot = products.sum(1)
    right = dot + of_user + of_film
    result = _predictions(model, user, film)
    _check_shape(result, products, of_user + of_film)
    mistakes = {
        "Every pair has the same dot product, summed over the whole batch. "
        "Sum over the factors only, dim 1.": products.sum() + of_user + of_film,
        "You take the mean of the products. A dot product is their sum.": (
            products.mean(1) + of_user + of_film
        ),
        "The biases are there, and are not added.": dot,
        "The film's bias is not added.": dot + of_user,
        "The user's bias is not added.": dot + of_film,
        "The sigmoid comes in lesson 10, with a range. Here the sum itself is asked for.": (
            right.sigmoid()
        ),
        "The factors are added. A dot product multiplies them pair by pair, then sums.": (
            (factors_of_user + factors_of_film).sum(1) + of_user + of_film
        ),
    }
    for hint, mistake in mistakes.items():
        if near(result, mistake):
            raise Hint(hint)
    if not near(result, right):
        raise Hint(
            f"The first prediction should be {right[0]:.4f} (dot product {dot[0]:.4f} and biases "
            f"{of_user[0] + of_film[0]:.4f}); yours is {result[0]:.4f}."
        )
    single = model(user[:1], film[:1])
    if single.shape != (1,):
        raise Hint(
            "Right for three pairs; for a single pair the prediction has shape "
            f"{list(single.shape)} and should have [1]. squeeze() drops every axis of length 1; "
            "take column 0, or squeeze(1)."
        )
    if result.requires_grad:
        result.sum().backward()
    if any(p.grad is None for p in tables):
        raise Hint(
            "Right numbers, but no gradient arrives at the tables: "
            "something in forward is detached or runs under no_grad."
        )

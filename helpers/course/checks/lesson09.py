"What the exercises on embeddings accept, and what they say to each mistake."

import re

import torch
import torch.nn.functional as F
from torch import nn

from helpers.course.exercises import Hint, NotYet, compare, exercise, near, read_entry


def _rows_moved(batches, rows, memory, decay):
    if decay:
        return list(range(rows))
    asked = set(batches[-1])
    if memory:
        for batch in batches:
            asked.update(batch)
    return sorted(asked)


def _only_last(batches, rows, memory, decay):
    return sorted(set(batches[-1]))


def _no_decay(batches, rows, memory, decay):
    return _rows_moved(batches, rows, memory, False)


def _no_memory(batches, rows, memory, decay):
    return _rows_moved(batches, rows, False, decay)


def _decay_of_earlier(batches, rows, memory, decay):
    return _rows_moved(batches, rows, memory or decay, False)


def _always_memory(batches, rows, memory, decay):
    return _rows_moved(batches, rows, True, decay)


def _two_batches(batches, rows, memory, decay):
    return _rows_moved(batches[-2:], rows, memory, decay)


def _without_last(batches, rows, memory, decay):
    if memory and not decay:
        return sorted({row for batch in batches[:-1] for row in batch})
    return _rows_moved(batches, rows, memory, decay)


def _up_to_largest(batches, rows, memory, decay):
    if decay:
        return list(range(max(row for batch in batches for row in batch) + 1))
    return _rows_moved(batches, rows, memory, decay)


def _from_one(batches, rows, memory, decay):
    return list(range(1, rows + 1)) if decay else _rows_moved(batches, rows, memory, decay)


def _repeated(batches, rows, memory, decay):
    if decay:
        return list(range(rows))
    return sorted(row for batch in (batches if memory else batches[-1:]) for row in batch)


def _in_order_of_batches(batches, rows, memory, decay):
    if decay:
        return list(range(rows))
    asked = [row for batch in (batches if memory else batches[-1:]) for row in batch]
    return list(dict.fromkeys(asked))


def _marks(batches, rows, memory, decay):
    moved = _rows_moved(batches, rows, memory, decay)
    return [row in moved for row in range(rows)]


def _how_many(batches, rows, memory, decay):
    return len(_rows_moved(batches, rows, memory, decay))


@exercise("09-moved", "which rows an optimizer moves")
def check_moved(rows_moved):
    batches = [[4, 1], [2], [5, 1, 5]]
    compare(
        rows_moved,
        examples=[
            (batches, 7, False, False),
            (batches, 7, True, False),
            (batches, 7, False, True),
            (batches, 7, True, True),
            ([[3], [0], [0]], 4, True, False),
            ([[3], [0], [0]], 4, False, False),
        ],
        right=_rows_moved,
        wrong={
            "That is plain SGD, always. With a memory, rows of earlier batches move, too. "
            "With decay all rows do.": _only_last,
            "Decay shrinks every row in each step, also one that was never looked up.": (
                _no_decay,
                _decay_of_earlier,
            ),
            "With a memory (momentum, Adam) the rows of earlier batches move on.": _no_memory,
            "Without memory and decay, only the rows of the *last* batch move: "
            "the others have the gradient zero.": _always_memory,
            "A memory reaches back further than one step: take all batches.": _two_batches,
            "The rows of the last batch move, too.": _without_last,
            "With decay all rows move, also those after the largest number in the batches: "
            "use `rows`.": _up_to_largest,
            "Rows are counted from 0: the last one is rows - 1.": _from_one,
            "A row that is looked up twice is still one row. A set holds each number once.": (
                _repeated
            ),
            "The right rows, in another order. Smallest first: sorted(...).": _in_order_of_batches,
            "That says True or False of each row. Their numbers are asked for, in a list.": _marks,
            "That is how many rows move. The list of these rows is asked for.": _how_many,
        },
        returns="a list of row numbers",
    )


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


_ONE_USE = (
    "A row was looked up twice, and only one of its two gradients is there. They must be added up. "
    "How often does `gradient[indices] += ...` write that row, and what did it read before? "
    "Change the function in the cell above: index_add may help, or the one-hot matrix."
)


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
            _ONE_USE: (_last_use, _first_use),
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
        as_found=_ONE_USE,
    )


def table_facts() -> list:  # of dictionaries, one for each table
    "Four tables, each trained with a dense and with a sparse gradient, and what is wanted."
    columns = ["table", "rows", "optimizer", "dense, ms", "sparse, ms", "loss, sparse - dense"]
    lines = [
        ("A", 40, "SGD", 0.05, 0.14, "0 (same steps)"),
        ("B", 3_000_000, "SGD", 95.0, 0.19, "0 (same steps)"),
        ("C", 3_000_000, "Adam / SparseAdam", 210.0, 0.31, "+0.021 (se 0.004)"),
        ("D", 3_000_000, "Adam / SparseAdam", 210.0, 0.31, "-0.001 (se 0.004)"),
    ]
    wishes = {
        "A": "the shortest time, with the same result",
        "B": "the shortest time, with the same result",
        "C": "the lowest validation loss, whatever it takes",
        "D": "the shortest time, if no loss of accuracy can be shown",
    }
    return [dict(zip(columns, line)) | {"what counts": wishes[line[0]]} for line in lines]


@exercise("09-sparse", "dense or sparse gradients, from measurements")
def check_sparse(gradients):
    if not isinstance(gradients, dict) or set(gradients) != set("ABCD"):
        raise Hint('Give "dense" or "sparse" for each of A, B, C and D.')
    said = {letter: str(answer).strip().lower() for letter, answer in gradients.items()}
    for letter, answer in said.items():
        if answer not in ("dense", "sparse"):
            raise Hint(f'{letter}: write "dense" or "sparse", not {gradients[letter]!r}.')
    if said["A"] == "sparse":
        raise Hint(
            "A: compare the two times. On a table with 40 rows a list of rows is more work than "
            "the few zeros."
        )
    if said["B"] == "dense":
        raise Hint(
            "B: plain SGD moves the rows of the batch, and no others. So is the result another one "
            "with a sparse gradient? And what does a step cost?"
        )
    if said["C"] == "sparse":
        raise Hint(
            "C: how many standard errors is the difference in loss? And does she ask for a short "
            "time, or for a low loss?"
        )
    if said["D"] == "dense":
        raise Hint(
            "D: how many standard errors is the difference in loss? Is it enough to say that "
            "SparseAdam does worse?"
        )


def _wider_tables(users, films, user_bias, film_bias):
    wide_users = torch.cat([users, user_bias, torch.ones_like(user_bias)], 1)
    wide_films = torch.cat([films, torch.ones_like(film_bias), film_bias], 1)
    return wide_users, wide_films


@exercise("09-ones", "biases as columns of the tables", "users, films, user_bias, film_bias")
def check_ones(wider_tables):
    generator = torch.Generator().manual_seed(0)
    shapes = [(4, 5), (3, 5), (4, 1), (3, 1)]
    tables = [torch.randn(*shape, generator=generator) for shape in shapes]
    copies = [table.clone() for table in tables]
    result = wider_tables(*copies)
    for name, copy, table in zip(("users", "films", "user_bias", "film_bias"), copies, tables):
        if not torch.equal(copy, table):
            raise Hint(f"You changed `{name}` in place. Leave it as it is: work on a copy.")
    if result is None or (isinstance(result, tuple) and any(part is ... for part in result)):
        raise NotYet("Write your answer in the cell above, in place of `...`.")
    if torch.is_tensor(result) or not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Hint("Return two things: the wider table of users and the wider table of films.")
    wide_users, wide_films = result
    for what, part, rows in (("users", wide_users, 4), ("films", wide_films, 3)):
        if not torch.is_tensor(part) or part.ndim != 2:
            raise Hint(f"The wider table of {what} should be a tensor with two dimensions.")
        if part.shape[0] != rows and part.shape[1] == rows:
            raise Hint(
                f"The wider table of {what} stands on its side. It has a row for each of the {what}"
                "; the product is wide_users @ wide_films.T."
            )
        if part.shape[0] != rows:
            raise Hint(
                f"For {rows} {what} the wider table has {part.shape[0]} rows. New *columns* are "
                "asked for: torch.cat([...], 1)."
            )
    if wide_users.shape[1] != wide_films.shape[1]:
        raise Hint(
            f"One table has {wide_users.shape[1]} columns and the other {wide_films.shape[1]}. "
            "Each number of a user needs a partner in the row of the film."
        )
    users, films, user_bias, film_bias = tables
    product = wide_users @ wide_films.T
    dot = users @ films.T
    ones = torch.ones_like(dot)
    mistakes = {
        "The biases are not in your tables, or they meet zeros. Each of them needs a partner that "
        "is 1.": dot,
        "The film's bias is missing.": dot + user_bias * ones,
        "The user's bias is missing.": dot + film_bias.T * ones,
        "The two biases are multiplied with each other. Each of them needs a partner that is 1.": (
            dot + user_bias @ film_bias.T
        ),
        "Both biases are in, and 1 · 1 as well: a column of ones has met a column of ones.": (
            dot + user_bias + film_bias.T + 1
        ),
        "The biases are counted twice.": dot + 2 * (user_bias + film_bias.T),
    }
    for hint, mistake in mistakes.items():
        if near(product, mistake):
            raise Hint(hint)
    if not near(product, dot + user_bias + film_bias.T):
        if wide_users.shape[1] == users.shape[1] + 1:
            raise Hint("One more column is too few: there are two biases, and each needs a 1.")
        raise Hint(
            f"The first prediction should be {(dot + user_bias + film_bias.T)[0, 0]:.4f}; "
            f"yours is {product[0, 0]:.4f}."
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


# The open challenge

SIZE = 100  # users and films of the challenge's corner
BETTER = 0.98  # of the RMSE of the biases alone


def _corner(films):
    "The busiest users and the films they rated most: stars, and True where there is a rating."
    ratings = films.ratings
    users = ratings.user.value_counts().index[:SIZE]
    theirs = ratings[ratings.user.isin(users)]
    items = theirs.item.value_counts().index[:SIZE]
    table = theirs.pivot(index="user", columns="item", values="rating").loc[users, items]
    stars = torch.tensor(table.to_numpy(), dtype=torch.float64)
    return stars.nan_to_num(), ~stars.isnan()


def _biases_alone(stars, known):
    "Mean and biases with a penalty of 4, by averages of what the other bias leaves."
    mean = stars[known].mean()
    film_bias = torch.zeros(1, stars.shape[1], dtype=stars.dtype)
    for _ in range(20):
        left = (stars - mean - film_bias) * known
        user_bias = left.sum(1, keepdim=True) / (known.sum(1, keepdim=True) + 4)
        left = (stars - mean - user_bias) * known
        film_bias = left.sum(0, keepdim=True) / (known.sum(0, keepdim=True) + 4)
    return mean + user_bias + film_bias


def _rmse(predicted, stars, cells):
    return (predicted - stars)[cells].square().mean().sqrt().item()


def _prediction(my_predictions, stars, known):
    "What the learner's function returns, as a tensor of doubles; a `Hint` if it cannot be used."
    try:
        result = my_predictions(stars * known, known.clone())
    except NotImplementedError:
        raise NotYet("Write the function in the cell above, and run the cell again.") from None
    if result is None or result is ...:
        raise NotYet("The function returns nothing yet.")
    if not torch.is_tensor(result) or result.shape != stars.shape:
        form = f"a tensor {list(result.shape)}" if torch.is_tensor(result) else type(result)
        raise Hint(
            f"Return a tensor {list(stars.shape)}, a prediction for each cell; it returned {form}."
        )
    result = result.detach().cpu().double()
    if not result.isfinite().all():
        raise Hint("Some predictions are not finite numbers. Did descent run away?")
    return result


@exercise("09-own", "hidden ratings, better than the biases alone")
def check_own(entry):
    movielens, my_predictions = read_entry(entry, "my_predictions", data="movielens")
    films = movielens("latest-small") if callable(movielens) else movielens
    torch.set_num_threads(1)  # tables this small gain nothing from a second core
    stars, rated = _corner(films)
    own, biases, mean = [], [], []
    for seed in (1001, 1002):
        generator = torch.Generator().manual_seed(seed)
        chance = torch.rand(stars.shape, generator=generator, dtype=torch.float64)
        hidden = (chance < 0.2) & rated
        known = rated & ~hidden
        torch.manual_seed(seed)
        predicted = _prediction(my_predictions, stars, known)
        own.append(_rmse(predicted, stars, hidden))
        biases.append(_rmse(_biases_alone(stars, known), stars, hidden))
        mean.append(_rmse(stars[known].mean().expand_as(stars), stars, hidden))
    own, biases, mean = (sum(scores) / 2 for scores in (own, biases, mean))
    score = (
        f"Hidden RMSE {own:.4f}; the biases alone have {biases:.4f}, so yours is "
        f"{abs(1 - own / biases):.1%} {'lower' if own <= biases else 'higher'} (two splits)."
    )
    if own <= BETTER * biases:
        return f"{score} Can you get lower?"
    if own > mean:
        raise Hint(
            f"{score} Even the mean rating has only {mean:.4f}. Are hidden cells left out of the "
            "loss, and is there a penalty?"
        )
    if own > 1.005 * biases:
        raise Hint(f"{score} Are there biases in it, and is the penalty strong enough?")
    if own > 0.995 * biases:
        raise Hint(
            f"{score} About what the biases do alone. Is the penalty so strong that it presses all "
            "factors to zero? Choose it on cells that you hide yourself."
        )
    raise Hint(
        f"{score} On the way. Try other penalties, one for the factors and another for the biases, "
        "and more factors."
    )

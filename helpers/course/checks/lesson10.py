"What the exercises on collaborative filtering accept, and what they say to each mistake."

import pandas as pd
import torch
import torch.nn.functional as F

from helpers.course.exercises import Hint, NotYet, compare, exercise, read_entry


def _film_bias(stars, user_biases, mean, lam):
    total = sum(given - mean - generous for given, generous in zip(stars, user_biases))
    return total / (len(stars) + lam)


def _from_residuals(combine, residual=lambda given, generous, mean: given - mean - generous):
    "A bias made of the list of residuals and lam."

    def film_bias(stars, user_biases, mean, lam):
        pairs = zip(stars, user_biases)
        return combine([residual(given, generous, mean) for given, generous in pairs], lam)

    return film_bias


def _shrunk(residuals, lam):
    return sum(residuals) / (len(residuals) + lam)


@exercise("10-shrunk", "the bias of a film with few ratings")
def check_shrunk(film_bias):
    compare(
        film_bias,
        examples=[
            ([5.0, 4.0], [1.0, -0.5], 3.5, 4.0),
            ([1.0, 2.0, 5.0], [0.0, 0.5, 0.2], 3.0, 2.0),
            ([], [], 3.5, 5.0),
        ],
        right=_film_bias,
        wrong={
            "The members' biases are not subtracted. 5 stars from somebody who gives 5 to every "
            "film say little.": (
                _from_residuals(_shrunk, lambda given, generous, mean: given - mean)
            ),
            "The mean is not subtracted: a residual is what remains of the stars after the mean "
            "and the member's bias.": (
                _from_residuals(_shrunk, lambda given, generous, mean: given - generous)
            ),
            "You add the members' biases. A generous member makes a film look better than it is: "
            "subtract.": (
                _from_residuals(_shrunk, lambda given, generous, mean: given - mean + generous)
            ),
            "The sign is turned: a film above the mean should have a bias above 0.": (
                _from_residuals(_shrunk, lambda given, generous, mean: mean + generous - given)
            ),
            "That is the mean of the residuals. It is not shrunk: where does `lam` go?": (
                _from_residuals(lambda r, lam: sum(r) / max(len(r), 1))
            ),
            "You divide by lam alone. The number of ratings counts as well.": (
                _from_residuals(lambda r, lam: sum(r) / lam)
            ),
            "That is the sum of the residuals. Divide by their number plus lam.": (
                _from_residuals(lambda r, lam: sum(r))
            ),
            "You divide twice: the *sum* over n + λ is the mean times n / (n + λ).": (
                _from_residuals(lambda r, lam: sum(r) / max(len(r), 1) / (len(r) + lam))
            ),
            "The share is λ / (n + λ) the wrong way round: more ratings should shrink it less.": (
                _from_residuals(lambda r, lam: sum(r) / max(len(r), 1) * lam / (len(r) + lam))
            ),
            "A film without ratings should get 0. If you take a mean first, there is nothing to "
            "divide by. Divide the sum by n + λ.": (
                _from_residuals(lambda r, lam: sum(r) / len(r) * len(r) / (len(r) + lam))
            ),
        },
        returns="a number",
    )


def _to_range(z, low, high):
    return low + (high - low) * z.sigmoid()


@exercise("10-range", "a sigmoid range")
def check_range(to_range):
    z = torch.tensor([-2.0, 0.0, 1.0, 30.0])
    compare(
        to_range,
        examples=[(z, 0.5, 5.5), (z, 1.0, 2.0)],
        right=_to_range,
        wrong={
            "Everything is too small by the same amount: where does the range begin?": (
                lambda z, low, high: (high - low) * z.sigmoid()
            ),
            "That range begins at 0. With low = 0.5 and high = 5.5 the middle, at z = 0, "
            "should be 3.": lambda z, low, high: high * z.sigmoid(),
            "That range is too long: it ends at low + high. "
            "How long is the way from low to high?": (
                lambda z, low, high: low + high * z.sigmoid()
            ),
            "That is cut off at the ends. Outside them the gradient is zero, "
            "and nothing can learn its way back: use a sigmoid.": (
                lambda z, low, high: z.clamp(low, high)
            ),
            "That falls where z rises: low and high are exchanged.": (
                lambda z, low, high: high + (low - high) * z.sigmoid()
            ),
            "That lies between 0 and 1. Stretch it to the way from low to high, "
            "and begin at low.": lambda z, low, high: z.sigmoid(),
            "tanh runs from -1 to 1. The sigmoid runs from 0 to 1.": (
                lambda z, low, high: low + (high - low) * z.tanh()
            ),
            "Your range does not depend on low and high.": (
                lambda z, low, high: _to_range(z, 0.5, 5.5),
                lambda z, low, high: 5.5 * z.sigmoid(),
            ),
        },
        returns="a tensor like `z`",
    )


def _numbered(train_ids, valid_ids):
    known = list(dict.fromkeys(train_ids))
    rows = {name: row for row, name in enumerate(known)}
    return [rows[name] for name in train_ids], [rows.get(name, -1) for name in valid_ids]


def _each_alone(train_ids, valid_ids):
    return _numbered(train_ids, train_ids)[0], _numbered(valid_ids, valid_ids)[0]


def _all_at_once(train_ids, valid_ids):
    both = _numbered([*train_ids, *valid_ids], [])[0]
    return both[: len(train_ids)], both[len(train_ids) :]


def _by_alphabet(train_ids, valid_ids):
    return _numbered(sorted(train_ids), train_ids)[1], _numbered(sorted(train_ids), valid_ids)[1]


def _from_one(train_ids, valid_ids):
    first, second = _numbered(train_ids, valid_ids)
    return [row + 1 for row in first], [row + 1 for row in second]


def _without_unknown(train_ids, valid_ids):
    return _numbered(train_ids, [name for name in valid_ids if name in train_ids])


def _unknown_as_first(train_ids, valid_ids):
    first, second = _numbered(train_ids, valid_ids)
    return first, [max(row, 0) for row in second]


def _by_validation(train_ids, valid_ids):
    second, first = _numbered(valid_ids, train_ids)
    return first, second


_NOT_THE_SAME = (
    "The films of the validation part still get the stars of other films. Compare the two lists "
    "of row numbers: which number has *Alien* in each? Then change the function in the cell above."
)


@exercise("10-bug", "films that change their numbers")
def check_bug(numbered):
    compare(
        numbered,
        examples=[
            (["Heat", "Alien", "Heat", "Antz"], ["Antz", "Big", "Alien", "Heat"]),
            (["c", "a", "b", "a"], ["b", "b", "z", "a", "c"]),
        ],
        right=_numbered,
        wrong={
            _NOT_THE_SAME: _each_alone,
            "A film that training does not know has got a number of its own. No row was trained "
            "for it: it should be -1.": _all_at_once,
            "The numbers follow the alphabet. They should follow the order of appearance in "
            "training.": _by_alphabet,
            "Rows are counted from 0.": _from_one,
            "Films that training does not know are left out, so the validation part has lost "
            "ratings. They should be -1.": _without_unknown,
            "A film that training does not know has got row 0, the number of another film. It "
            "should be -1.": _unknown_as_first,
            "The ids of the validation part number both. It should be those of training.": (
                _by_validation
            ),
        },
        returns="two lists of row numbers",
        as_found=_NOT_THE_SAME,
    )


def _member_row(own, clues, rated):
    if len(rated) == 0:
        return own
    return own + clues[rated].sum(0) / len(rated) ** 0.5


def _with(combine):
    "A member's row made of the own row, the rows of the films rated, and their number."
    return lambda own, clues, rated: combine(own, clues[list(rated)], max(len(rated), 1))


@exercise("10-clues", "a member's row in SVD++")
def check_clues(member_row):
    generator = torch.Generator().manual_seed(0)
    clues = torch.randn(6, 3, generator=generator)
    own = torch.randn(3, generator=generator)
    compare(
        member_row,
        examples=[(own, clues, [0, 2, 3, 5]), (own, clues, [4, 1, 0]), (own, clues, [])],
        right=_member_row,
        wrong={
            "You divide by the number of films. SVD++ divides by its root.": (
                _with(lambda own, rows, n: own + rows.sum(0) / n)
            ),
            "The sum of the clues is not divided. Somebody who rated 400 films would get a huge "
            "row.": _with(lambda own, rows, n: own + rows.sum(0)),
            "The member's own row is missing.": _with(lambda own, rows, n: rows.sum(0) / n**0.5),
            "The own row is divided as well. Only the sum of the clues is.": (
                _with(lambda own, rows, n: (own + rows.sum(0)) / n**0.5)
            ),
            "You multiply by the root. Divide by it.": (
                _with(lambda own, rows, n: own + rows.sum(0) * n**0.5)
            ),
            "You take the clues of all films. Only those that the member rated count: "
            "clues[rated].": (
                lambda own, clues, rated: own + clues.sum(0) / max(len(rated), 1) ** 0.5,
                lambda own, clues, rated: own + clues.sum(0) / len(clues) ** 0.5,
            ),
            "You divide by the root of the number of *all* films. Count the ones that were "
            "rated.": lambda own, clues, rated: own + clues[rated].sum(0) / len(clues) ** 0.5,
            "Somebody who has rated nothing gets 0 / 0. They should keep their own row.": (
                lambda own, clues, rated: (
                    own + clues[rated].sum(0) / torch.tensor(float(len(rated))).sqrt()
                ),
                lambda own, clues, rated: own + clues[rated].sum(0) / len(rated) ** 0.5,
            ),
        },
        returns="a tensor of the shape of `own`",
    )


def three_models() -> dict:  # way of holding out to errors of A, B, C and a standard error
    "Mean squared errors of three models on one club, made up for the exercise."
    return {
        "a random fifth": [0.861, 0.853, 0.827, 0.004],
        "each member's last fifth": [0.918, 0.899, 0.903, 0.003],
        "whole members": [0.941, 0.972, 1.034, 0.003],
    }


_CHOICE = {"lost": "C", "next month": "OPEN", "newcomer": "A"}


@exercise("10-decide", "which model for which club")
def check_decide(choice):
    if not isinstance(choice, dict) or set(choice) != set(_CHOICE):
        raise Hint(f"Give an answer for each of: {', '.join(_CHOICE)}.")
    given = {name: str(letter).strip().upper() for name, letter in choice.items()}
    if any(letter not in ("A", "B", "C", "OPEN") for letter in given.values()):
        raise Hint('Each answer is "A", "B", "C" or "open".')
    if given["lost"] == "OPEN":
        raise Hint(
            "lost: the difference is more than six standard errors. "
            "Which row holds back ratings at random?"
        )
    if given["lost"] != "C":
        raise Hint(
            "lost: these ratings were lost at random. "
            "Which row of the table holds back such ratings, and who has the lowest error there?"
        )
    if given["newcomer"] == "C":
        raise Hint(
            "newcomer: C is best on a random fifth, and there every member has other ratings in "
            "training. Look at the row in which the members are new."
        )
    if given["newcomer"] == "OPEN":
        raise Hint("newcomer: one row holds back whole members. Its gap is ten standard errors.")
    if given["newcomer"] != "A":
        raise Hint("newcomer: take the lowest error in the row that holds back whole members.")
    if given["next month"] == "B":
        raise Hint(
            "next month: B is ahead by 0.004, and the standard error is 0.003. With five pairs "
            "one wants about three of them."
        )
    if given["next month"] == "C":
        raise Hint(
            "next month: the random fifth answers another question. Look at the row that holds "
            "back what the members rated last."
        )
    if given["next month"] != "OPEN":
        raise Hint("next month: A has the highest error of the row that answers this.")


def _challenge(films, ratings=60_000):
    "Pairs and stars for training, for testing, and the numbers of users and of films."
    table = films.ratings.sample(min(ratings, len(films.ratings)), random_state=7)
    codes = [pd.factorize(table[side])[0] for side in ("user", "item")]
    sizes = tuple(int(rows.max()) + 1 for rows in codes)
    x = torch.stack([torch.from_numpy(rows).long() for rows in codes], 1)
    y = torch.tensor(table.rating.to_numpy(), dtype=torch.float32)
    cut = int(0.8 * len(y))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:]), sizes


def _stars(tables, x):
    "The range 0 to 5.5 over the dot product and both biases."
    user, film = (F.embedding(rows, table) for rows, table in zip(x.T, tables))
    z = (user[:, :-1] * film[:, :-1]).sum(1) + user[:, -1] + film[:, -1]
    return 5.5 * z.sigmoid()


def _lecture_recipe(x, y, new_x, sizes, epochs=5, bs=256):
    "The lecture's recipe, in batches of 256. The last column of each table is the bias."
    generator = torch.Generator().manual_seed(0)
    tables = [0.01 * torch.randn(rows, 41, generator=generator) for rows in sizes]
    for table in tables:
        table[:, -1] = 0
        table.requires_grad_()
    steps = epochs * -(-len(x) // bs)
    optimizer = torch.optim.AdamW(tables, 5e-3, (0.9, 0.99), 1e-5, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 5e-3, total_steps=steps, pct_start=0.25, cycle_momentum=False
    )
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(bs):
            optimizer.zero_grad()
            F.mse_loss(_stars(tables, x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        return _stars(tables, new_x)


def _predictions(recipe, train, new_x, sizes):
    "What the recipe predicts; a `Hint` where that is no list of stars."
    predictions = recipe(*[part.clone() for part in train], new_x.clone(), sizes)
    if not torch.is_tensor(predictions):
        kind = type(predictions).__name__
        raise Hint(f"Your function returned {kind}. It should return a tensor of predictions.")
    predictions = predictions.detach().cpu().float()
    if predictions.shape != (len(new_x),):
        raise Hint(
            f"Your predictions have shape {list(predictions.shape)}. One number for each new pair "
            f"is asked for, [{len(new_x)}]: a column would meet every target."
        )
    if not predictions.isfinite().all():
        raise Hint("Some of your predictions are NaN or infinite. Has the training diverged?")
    return predictions


@exercise("10-own", "better than the dot product")
def check_own(entry):
    films, recipe = read_entry(entry, "my_recipe", data="movielens")
    if callable(films):
        films = films()
    torch.set_num_threads(1)  # tables this small gain nothing from a second core
    train, (new_x, stars), sizes = _challenge(films)
    try:
        predictions = _predictions(recipe, train, new_x, sizes)
    except NotImplementedError:
        raise NotYet("Write the function in the cell above, and run the cell again.") from None
    own = F.mse_loss(predictions, stars).item()
    plain = F.mse_loss(_lecture_recipe(*train, new_x, sizes), stars).item()
    mean = (stars - train[1].mean()).square().mean().item()
    score = (
        f"Your mean squared error is {own:.3f}, {own / plain:.1%} of the {plain:.3f} of the "
        "lecture's recipe."
    )
    if own <= 0.97 * plain:
        return f"{score} Can you get lower?"
    if own > 0.99 * mean:
        raise Hint(f"{score} That is no better than the mean of all ratings, {mean:.3f}.")
    if own > plain:
        raise Hint(f"{score} Start from what the lesson found better than the lecture's recipe.")
    raise Hint(
        f"{score} Nearly. *That* somebody rated a film is a clue, too; and the mean of several "
        "models is better than one."
    )

"Plausible wrong answers to the exercises of lesson 09 that are no pure functions."

import torch

from helpers.data.films import stand_in_ratings


def decisions(a, b, c, d):
    return {"A": a, "B": b, "C": c, "D": d}


def wide(of_user, of_film):
    "A function that puts these columns beside the tables; u, f: biases, 1 and 0: constants."

    def columns(table, letters, bias, other):
        parts = [table]
        for letter in letters:
            part = {"1": torch.ones_like(bias), "0": torch.zeros_like(bias)}.get(letter)
            parts.append(bias if part is None else part)
        return torch.cat(parts, 1)

    def wider_tables(users, films, user_bias, film_bias):
        return (
            columns(users, of_user, user_bias, "u"),
            columns(films, of_film, film_bias, "f"),
        )

    return wider_tables


def turned(users, films, user_bias, film_bias):
    wide_users, wide_films = wide("u1", "1f")(users, films, user_bias, film_bias)
    return wide_users, wide_films.T


def beneath(users, films, user_bias, film_bias):
    return torch.cat([users, users[:1]]), films


def changed(users, films, user_bias, film_bias):
    users += 1
    return users, films


def unwritten(stars, known):
    raise NotImplementedError


FILMS = stand_in_ratings("latest-small")  # enough for the challenge, and quickly made


def biases(stars, known, penalty=4.0):
    mean = stars[known].mean()
    film_bias = torch.zeros(1, stars.shape[1], dtype=stars.dtype)
    for _ in range(20):
        left = (stars - mean - film_bias) * known
        user_bias = left.sum(1, keepdim=True) / (known.sum(1, keepdim=True) + penalty)
        left = (stars - mean - user_bias) * known
        film_bias = left.sum(0, keepdim=True) / (known.sum(0, keepdim=True) + penalty)
    return mean + user_bias + film_bias


def partly(stars, known):
    "Mean and half of what the biases say."
    mean = stars[known].mean()
    return mean + 0.5 * (biases(stars, known) - mean)


def slightly_better(stars, known):
    "The biases, and one factor that is taken at a small part of its size."
    base = biases(stars, known)
    left = (stars - base) * known
    u, s, v = torch.linalg.svd(left)
    return base + 0.12 * s[0] * u[:, :1] @ v[:1]


def own(function):
    return FILMS, function


WRONG = {
    "09-moved": [
        (lambda batches, rows, memory, decay: None, "None"),
        (lambda batches, rows, memory, decay: {1, 5}, "Return a list"),
    ],
    "09-sparse": [
        (decisions("sparse", "sparse", "dense", "sparse"), "more work"),
        (decisions("dense", "dense", "dense", "sparse"), "plain SGD"),
        (decisions("dense", "sparse", "sparse", "sparse"), "low loss"),
        (decisions("dense", "sparse", "dense", "dense"), "does worse"),
        (decisions("dense", "sparse", "dense", "both"), "not 'both'"),
        (decisions("dense", "sparse", ..., "sparse"), "1 of 4 is still to be answered"),
        ("dense", "for each of A, B, C and D"),
    ],
    "09-ones": [
        (wide("", ""), "not in your tables"),
        (wide("u0", "0f"), "meet zeros"),
        (wide("u", "1"), "film's bias is missing"),
        (wide("1", "f"), "user's bias is missing"),
        (wide("u", "f"), "multiplied with each other"),
        (wide("u11", "1f1"), "1 · 1"),
        (wide("u1u1", "1f1f"), "counted twice"),
        (wide("u1", "1"), "needs a partner"),
        (wide("uu", "1f"), "first prediction should be"),
        (wide("1", "1"), "One more column is too few"),
        (turned, "stands on its side"),
        (beneath, "New *columns*"),
        (changed, "in place"),
        (lambda *tables: tables[0], "two things"),
        (lambda *tables: (tables[0], 3), "two dimensions"),
        (lambda *tables: (..., ...), "in place of `...`"),
    ],
    "09-own": [
        (own(unwritten), "Write the function"),
        (own(3), "without brackets"),
        (unwritten, "is a pair"),
        (own(lambda stars, known: None), "returns nothing"),
        (own(lambda stars, known: stars.mean()), "a prediction for each cell"),
        (own(lambda stars, known: stars / 0), "not finite"),
        (own(lambda stars, known: stars), "Even the mean rating"),
        (own(partly), "Are there biases in it"),
        (own(biases), "what the biases do alone"),
        (own(slightly_better), "On the way"),
    ],
}

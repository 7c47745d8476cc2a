"Plausible wrong answers to the exercises of lesson 10 that are no pure functions."

import torch

from helpers.course.exercises import exercises
from helpers.data.films import stand_in_ratings


def right(name):
    "The right solution of an exercise, to be spoilt."
    return exercises(name[:2])[name].solutions()[0][0]


def choice(lost, next_month, newcomer):
    return {"lost": lost, "next month": next_month, "newcomer": newcomer}


def unwritten(x, y, new_x, sizes):
    raise NotImplementedError


def the_mean(x, y, new_x, sizes):
    return y.mean().expand(len(new_x))


def as_column(x, y, new_x, sizes):
    return torch.full((len(new_x), 1), 3.5)


def diverged(x, y, new_x, sizes):
    return torch.full((len(new_x),), torch.nan)


def biases(x, y, new_x, sizes):
    from helpers.collab import biases_only

    return biases_only(x, y, *sizes)(new_x)


def nearly(x, y, new_x, sizes):
    "The lecture's recipe, a little farther from the mean."
    from helpers.course.checks.lesson10 import _lecture_recipe

    return y.mean() + 1.03 * (_lecture_recipe(x, y, new_x, sizes) - y.mean())


WRONG = {
    "10-shrunk": [(lambda stars, user_biases, mean, lam: "0.5", "a number")],
    "10-bug": [
        (lambda train_ids, valid_ids: None, "None"),
        (lambda train_ids, valid_ids: right("10-bug")(train_ids, valid_ids)[1], "two lists"),
    ],
    "10-clues": [(lambda own, clues, rated: 3.0, "shape of `own`")],
    "10-decide": [
        ("C", "an answer for each"),
        (choice("C", "open", "D"), '"A", "B", "C" or "open"'),
        (choice("open", "open", "A"), "six standard errors"),
        (choice("A", "open", "A"), "lost at random"),
        (choice("B", "open", "A"), "lost at random"),
        (choice("C", "open", "C"), "the members are new"),
        (choice("C", "open", "B"), "whole members"),
        (choice("C", "open", "open"), "ten standard errors"),
        (choice("C", "B", "A"), "0.003"),
        (choice("C", "C", "A"), "another question"),
        (choice("C", "A", "A"), "highest error"),
    ],
    "10-own": [
        (unwritten, "is a pair"),
        ((stand_in_ratings, 3), "without brackets"),
        ((stand_in_ratings, unwritten), "Write the function"),
        ((stand_in_ratings, lambda *parts: 3.5), "returned float"),
        ((stand_in_ratings, as_column), "meet every target"),
        ((stand_in_ratings, diverged), "NaN"),
        ((stand_in_ratings, the_mean), "no better than the mean"),
        ((stand_in_ratings, biases), "Start from"),
        ((stand_in_ratings, nearly), "Nearly"),
    ],
}

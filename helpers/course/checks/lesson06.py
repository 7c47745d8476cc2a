"What the exercises on learning rates accept, and what they say to each mistake."

import math

import torch

from helpers.course.exercises import Hint, exercise, near


@exercise("06-one-cycle", "one cycle from a description")
def check_one_cycle(one_cycle_rate):
    peak = 0.01

    def cosine(start, end, part):
        return start + (end - start) * (1 - math.cos(math.pi * part)) / 2

    def right(done):
        return (
            cosine(peak / 25, peak, done / 0.25)
            if done < 0.25
            else cosine(peak, peak / 1e5, (done - 0.25) / 0.75)
        )

    if isinstance(one_cycle_rate(0.5, peak), dict):
        raise Hint("Return the rate alone, a number, not a dictionary.")
    got = [float(one_cycle_rate(done, peak)) for done in (0.0, 0.125, 0.25, 0.625, 1.0)]
    wanted = [right(done) for done in (0.0, 0.125, 0.25, 0.625, 1.0)]

    def is_(values):
        return near(torch.tensor(got) / peak, torch.tensor(values) / peak, 1e-6)

    if near(got[0], 0.0, 1e-9):
        raise Hint("The rate starts at peak / 25, not at zero.")
    if near(got[2] / peak, 0.5, 0.02) or near(one_cycle_rate(0.5, peak) / peak, 1.0, 1e-6):
        raise Hint("The peak should come after a quarter of the run, not in the middle.")
    if near(got[4] / peak, 1 / 25, 1e-6):
        raise Hint(
            "At the end the rate is a hundred-thousandth of the peak; you let it return to where it started."
        )
    if (
        near(got[1] / peak, (1 + 1 / 25) / 2, 1e-6)
        and near(got[3] / peak, 0.5, 1e-3)
        and not near(one_cycle_rate(0.0625, peak), right(0.0625), 1e-6 * peak)
    ):
        raise Hint(
            "Middle and ends are right, the shape is not: you go in straight lines. Use half a cosine wave."
        )
    if not near(got[0] / peak, 1 / 25, 1e-6):
        raise Hint(
            f"At the beginning the rate should be peak / 25 = {peak / 25:g}; yours is {got[0]:g}."
        )
    if not is_(wanted):
        raise Hint(
            "For the peak 0.01 the rates at 0, 1/8, 1/4, 5/8 and 1 of the run should be "
            + ", ".join(f"{w:.3g}" for w in wanted)
            + "; yours are "
            + ", ".join(f"{g:.3g}" for g in got)
            + "."
        )
    if not all(
        near(one_cycle_rate(done, 0.3) / 0.3, right(done) / peak, 1e-5)
        for done in (0.05, 0.1, 0.4, 0.9)
    ):
        raise Hint(
            "Right for the peak 0.01 at five moments, and off for another peak or between them. Does your code use `peak` and `done` throughout?"
        )


@exercise("06-smooth", "smoothing with bias correction")
def check_smooth(smoothed):
    values = [4.0, 2.0, 6.0, 1.0, 1.0]
    average, raw, right = 0.0, [], []
    for n, value in enumerate(values, start=1):
        average = 0.9 * average + 0.1 * value
        raw.append(average)
        right.append(average / (1 - 0.9**n))
    try:
        got = smoothed(values, 0.9)
    except ZeroDivisionError:
        raise Hint(
            "A division by zero: 1 - beta**n is zero for n = 0. Count the values from 1."
        ) from None
    if torch.is_tensor(got):
        got = got.tolist()
    got = list(got)
    if len(got) != 5:
        raise Hint(f"Five values should give five averages; yours gives {len(got)}.")
    if near(got, raw):
        raise Hint(
            "The curve begins far too low: the average starts from zero. Divide by 1 - beta**n."
        )
    first, average = [], values[0]
    for value in values:
        average = 0.9 * average + 0.1 * value
        first.append(average)
    if near(got, first):
        raise Hint(
            "You start the average at the first value. That gives the first value the weight of the whole past; correct a start at zero instead."
        )
    twice, average = [], 0.0
    for n, value in enumerate(values, start=1):
        average = (0.9 * average + 0.1 * value) / (1 - 0.9**n)
        twice.append(average)
    if near(got, twice):
        raise Hint(
            "You put the corrected average back into the running one, and it is corrected again in the next step. Keep both apart."
        )
    if near(got, [sum(values[:n]) / n for n in range(1, 6)]):
        raise Hint("That is the mean of everything so far; older values should fade.")
    if not near(got, right):
        raise Hint(
            f"For 4, 2, 6, 1, 1 and beta 0.9 the result should be {', '.join(f'{r:.3f}' for r in right)}; yours is {', '.join(f'{float(g):.3f}' for g in got)}."
        )


def finder_curve() -> tuple:  # rates and smoothed losses, lists of 100
    "The curve of the exercise `06-read-finder`."
    rates = [10 ** (-6 + 6.5 * n / 99) for n in range(100)]

    def loss(rate):
        position = math.log10(rate)
        return (
            2.3
            - 1.9 / (1 + math.exp(-4 * (position + 2.6)))
            + 0.02 * math.exp(3.2 * (position + 1))
            + (0 if position < -1 else 1.5 * (position + 1) ** 2)
        )

    return rates, [loss(rate) for rate in rates]


@exercise("06-read-finder", "read a finder plot")
def check_read_finder(rate):
    try:
        rate = float(rate)
    except (TypeError, ValueError):
        raise Hint("One number is asked for, for instance 1e-4.") from None
    rates, losses = finder_curve()
    lowest = rates[losses.index(min(losses))]
    if rate <= 0:
        raise Hint("A rate is larger than zero.")
    if rate > 3 * lowest:
        raise Hint(
            "There the loss is on its way up again: too high, and further to the right training diverges."
        )
    if rate > 0.25 * lowest:
        raise Hint(
            "That is near the minimum, where the loss has already stopped falling: too high. Go back by a factor of about ten."
        )
    if rate < 4e-4:
        raise Hint("There the loss hardly falls. It works, and wastes your time.")

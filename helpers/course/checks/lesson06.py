"What the exercises on learning rates accept, and what they say to each mistake."

import math

from helpers.course.exercises import Hint, compare, exercise


def _cycle(start=25.0, end=1e5, top=0.25, wave=True):
    "One cycle from peak / start over the peak, at `top` of the run, down to peak / end."

    def between(low, high, part):
        if wave:
            part = (1 - math.cos(math.pi * part)) / 2
        return low + (high - low) * part

    def one_cycle_rate(done, peak):
        if done < top:
            return between(peak / start, peak, done / top)
        return between(peak, peak / end, (done - top) / (1 - top))

    return one_cycle_rate


@exercise("06-one-cycle", "one cycle from a description")
def check_one_cycle(one_cycle_rate):
    moments = [0.0, 0.125, 0.25, 0.4, 0.625, 0.9, 1.0, 0.0625]
    compare(
        one_cycle_rate,
        examples=[(done, 0.01) for done in moments] + [(0.1, 0.3), (0.4, 0.3)],
        right=_cycle(),
        wrong={
            "The rate starts at peak / 25, not at zero.": _cycle(start=math.inf),
            "The peak should come after a quarter of the run, not in the middle.": _cycle(top=0.5),
            "At the end the rate is a hundred-thousandth of the peak; "
            "you let it return to where it started.": _cycle(end=25.0),
            "At the end the rate is a hundred-thousandth of the peak, not zero.": (
                _cycle(end=math.inf)
            ),
            "Middle and ends are right, the shape is not: you go in straight lines. "
            "Use half a cosine wave.": _cycle(wave=False),
            "The peak is the argument `peak`, not always 0.01.": (
                lambda done, peak: _cycle()(done, 0.01)
            ),
        },
        tolerance=1e-8,
        returns="the rate alone, a number, not a dictionary",
    )


def _running_averages(values, beta, start=0.0):
    average = start
    averages = []
    for value in values:
        average = beta * average + (1 - beta) * value
        averages.append(average)
    return averages


def _smoothed(values, beta, first=1):
    averages = _running_averages(values, beta)
    return [average / (1 - beta**n) for n, average in enumerate(averages, start=first)]


def _corrected_twice(values, beta):
    average = 0.0
    averages = []
    for n, value in enumerate(values, start=1):
        average = (beta * average + (1 - beta) * value) / (1 - beta**n)
        averages.append(average)
    return averages


@exercise("06-smooth", "smoothing with bias correction", "values, beta")
def check_smooth(smoothed):
    compare(
        smoothed,
        examples=[([4.0, 2.0, 6.0, 1.0, 1.0], 0.9), ([1.0, 3.0, 2.0], 0.5)],
        right=_smoothed,
        wrong={
            "A division by zero: 1 - beta**n is zero for n = 0. Count the values from 1.": (
                lambda values, beta: _smoothed(values, beta, first=0)
            ),
            "The curve begins far too low: the average starts from zero. Divide by 1 - beta**n.": (
                _running_averages
            ),
            "You start the average at the first value. That gives the first value the weight "
            "of the whole past; correct a start at zero instead.": (
                lambda values, beta: _running_averages(values, beta, start=values[0])
            ),
            "You put the corrected average back into the running one, and it is corrected again "
            "in the next step. Keep both apart.": _corrected_twice,
            "That is the mean of everything so far; older values should fade.": (
                lambda values, beta: [sum(values[:n]) / n for n in range(1, len(values) + 1)]
            ),
            "That is the last average alone. Return the list of all of them.": (
                lambda values, beta: _smoothed(values, beta)[-1]
            ),
        },
        returns="a list with an average for each value: five values should give five averages",
    )


def finder_curve() -> tuple:  # rates and smoothed losses, lists of 100
    "The curve of the exercise `06-read-finder`."
    rates = [10 ** (-6 + 6.5 * n / 99) for n in range(100)]

    def loss(rate):
        position = math.log10(rate)
        fall = 1.9 / (1 + math.exp(-4 * (position + 2.6)))
        rise = 0.02 * math.exp(3.2 * (position + 1))
        wall = 1.5 * max(0, position + 1) ** 2
        return 2.3 - fall + rise + wall

    return rates, [loss(rate) for rate in rates]


@exercise("06-read-finder", "read a finder plot")
def check_read_finder(first_try):
    try:
        rate = float(first_try)
    except (TypeError, ValueError):
        raise Hint("One number is asked for, for instance 1e-4.") from None
    rates, losses = finder_curve()
    lowest = rates[losses.index(min(losses))]
    if rate <= 0:
        raise Hint("A rate is larger than zero.")
    if rate > 3 * lowest:
        raise Hint(
            "There the loss is on its way up again: too high, "
            "and further to the right training diverges."
        )
    if rate > 0.25 * lowest:
        raise Hint(
            "That is near the minimum, where the loss has already stopped falling: too high. "
            "Go back by a factor of about ten."
        )
    if rate < 4e-4:
        raise Hint("There the loss hardly falls. It works, and wastes your time.")

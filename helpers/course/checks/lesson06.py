"What the exercises on learning rates accept, and what they say to each mistake."

import math

import torch
import torch.nn.functional as F
from torch import nn

from helpers.course.exercises import Hint, NotYet, compare, exercise, near, read_entry
from helpers.course.settings import best_device


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
        raise Hint("A learning rate is larger than zero.")
    if rate > 3 * lowest:
        raise Hint(
            "There the loss is on its way up again: too high, "
            "and further to the right training diverges."
        )
    if rate > 0.25 * lowest:
        raise Hint(
            "That is near the minimum. It may work, but it is a risk: a smoothed curve is late, so "
            "the loss of the single batches may be rising there already. Go further to the left."
        )
    if rate < 4e-4:
        raise Hint("There the loss hardly falls. It would work, and take longer than it has to.")


def _stable(warm=0.1, hold=0.8, start=0.0, end=0.0, part=0.2, wave=False):
    "Warm-up, stable, decay: right, or with a mistake."

    def between(low, high, done):
        if wave:
            done = (1 - math.cos(math.pi * done)) / 2
        return low + (high - low) * done

    def stable_rate(done, peak):
        if done < warm:
            return between(start * peak, peak, done / warm)
        if done < hold:
            return peak
        return between(peak, end * peak, (done - hold) / part)

    return stable_rate


def _without_division(done, peak):
    if done < 0.1:
        return peak * done
    return peak if done < 0.8 else peak * (1 - done)


@exercise("06-stable", "a schedule from its description")
def check_stable(stable_rate):
    moments = [0.0, 0.05, 0.1, 0.4, 0.75, 0.8, 0.9, 0.95, 1.0]
    compare(
        stable_rate,
        examples=[(done, 0.01) for done in moments] + [(0.02, 0.3), (0.85, 0.3)],
        right=_stable(),
        wrong={
            "Within a tenth of the run the rate has to reach the whole peak: divide `done` by 0.1. "
            "On the way down divide by 0.2.": _without_division,
            "The fall should begin at 0.8. Yours begins right after the warm-up.": _stable(
                hold=0.1, part=0.9
            ),
            "At the end the rate should be 0, not a tenth of the peak.": _stable(end=0.1),
            "The run begins with a rate of 0, not at a part of the peak.": _stable(start=0.04),
            "The corners are right, the shape is not: go in straight lines.": _stable(wave=True),
            "The fall takes two tenths of the run: (done - 0.8) / 0.2. Yours is not finished when "
            "the run ends.": _stable(part=1.0),
            "The way up is missing: below 0.1 the rate rises from 0.": _stable(warm=0.0),
            "The way down is missing: from 0.8 on the rate falls to 0.": _stable(hold=2.0),
            "The peak is the argument `peak`, not always 0.01.": (
                lambda done, peak: _stable()(done, 0.01)
            ),
        },
        tolerance=1e-8,
        returns="the rate alone, a number, not a dictionary",
    )


def _cycle(done):
    "One cycle's rate as a part of its peak."
    if done < 0.25:
        return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * done / 0.25)) / 2
    return 1 + (1e-5 - 1) * (1 - math.cos(math.pi * (done - 0.25) / 0.75)) / 2


@exercise("06-mean-rate", "how much learning rate is in a cycle")
def check_mean_rate(mean_rate):
    try:
        mean = float(mean_rate)
    except (TypeError, ValueError):
        raise Hint("One number is asked for: the mean of 1,000 learning rates.") from None
    rates = [_cycle(n / 1000) for n in range(1000)]
    right = sum(rates) / 1000
    if near(mean, right, 1e-3):
        return
    if abs(mean - sum(rates)) < 1:
        raise Hint("That is the sum of all the learning rates. Divide it by their number.")
    if near(mean, sum(_cycle(n / 100) for n in range(1000)) / 1000, 1e-3) or mean < 0:
        raise Hint("`done` goes from 0 to 1, so it is n / 1000.")
    if near(mean, rates[500], 1e-3):
        raise Hint("That is the learning rate in the middle of the run, not the mean.")
    if near(mean, 0.01 * right, 1e-5):
        raise Hint("Take the peak 1.0: then the mean is a part of the peak.")
    if 0.85 <= mean <= 0.95:
        raise Hint('That is the mean momentum. Take `["lr"]`.')
    raise Hint(
        f"The 1,000 learning rates should be added, and divided by 1,000. Yours: {mean:.4g}."
    )


def _rates_of_run(done_of):
    "The learning rates of a run, for a formula of the part that is done."

    def rates_of_run(peak, epochs, batches):
        rates = []
        for epoch in range(epochs):
            for batch in range(batches):
                rates.append(peak * (1 - done_of(epoch, batch, epochs, batches)))
        return rates

    return rates_of_run


_STAIRCASE = (
    "A staircase: all updates of an epoch have the same rate, and with one epoch it never falls. "
    "What does `done` count? Change the function in the cell above."
)


@exercise("06-bug", "a bug in a schedule, found by its symptom")
def check_bug(rates_of_run):
    compare(
        rates_of_run,
        examples=[(1.0, 2, 4), (1.0, 1, 4), (0.3, 3, 5)],
        right=_rates_of_run(lambda e, b, es, bs: (e * bs + b) / (es * bs)),
        wrong={
            _STAIRCASE: _rates_of_run(lambda e, b, es, bs: e / es),
            "Now the rate starts at the peak again in each epoch. Count the updates of the epochs "
            "before, too.": _rates_of_run(lambda e, b, es, bs: b / bs),
            "The staircase is still there. It only goes down one epoch earlier.": _rates_of_run(
                lambda e, b, es, bs: (e + 1) / es
            ),
            "An epoch has `batches` updates: the updates before this one are epoch * batches + "
            "batch.": _rates_of_run(lambda e, b, es, bs: (e + b) / (es * bs)),
            "Before the first update nothing is done yet, so it should have the whole peak.": (
                _rates_of_run(lambda e, b, es, bs: (e * bs + b + 1) / (es * bs))
            ),
            "Two parts of different size are added: an epoch is 1 / epochs of the run, "
            "and a batch is 1 / (epochs * batches) of it.": _rates_of_run(
                lambda e, b, es, bs: min(1.0, e / es + b / bs)
            ),
        },
        returns="a list with the learning rate of each update",
        as_found=_STAIRCASE,
    )


class _Count:
    "Counts the rows that pass through a net while it is trained."

    def __init__(self):
        self.rows = 0

    def __call__(self, net, inputs):
        if net.training and torch.is_grad_enabled():
            self.rows += len(inputs[0])


def _plain_cycle(net, x, y, bs=64):
    "An epoch of PyTorch's Adam with one cycle, peak 0.01."
    optimizer = torch.optim.Adam(net.parameters())
    batches = torch.randperm(len(x)).to(x.device).split(bs)
    for n, rows in enumerate(batches):
        optimizer.param_groups[0]["lr"] = 0.01 * _cycle(n / len(batches))
        optimizer.zero_grad()
        F.cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()


def _misread(train, valid, epoch, seeds=5):
    "Mean part of the validation pictures that five nets misread after one epoch each."
    x, y = train
    wrong = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(x.shape[1], 50), nn.ReLU(), nn.Linear(50, 10)).to(x.device)
        count = _Count()
        net.register_forward_pre_hook(count)
        epoch(net, x, y)
        if count.rows > len(x):
            raise Hint(
                f"{count.rows:,} pictures passed through the net, and there are {len(x):,}. "
                "One epoch: each picture once."
            )
        with torch.no_grad():
            readings = net.eval()(valid[0]).argmax(1)
        wrong.append((readings != valid[1]).double().mean().item())
    return sum(wrong) / len(wrong)


@exercise("06-own", "the best epoch")
def check_own(entry):
    digits, my_epoch = read_entry(entry, "my_epoch")
    if callable(digits):
        digits = digits()
    device = best_device()
    mean, sd = digits.train[0].mean(0), digits.train[0].std()
    train = ((digits.train[0] - mean) / sd).to(device), digits.train[1].to(device)
    valid = ((digits.valid[0] - mean) / sd).to(device), digits.valid[1].to(device)
    torch.set_num_threads(1)  # nets this small gain nothing from a second core
    try:
        misread = _misread(train, valid, my_epoch)
    except NotImplementedError:
        raise NotYet("Write `my_epoch` in the cell above, and run the cell again.") from None
    theirs = _misread(train, valid, _plain_cycle)
    score = (
        f"It misreads {misread:.2%} of the validation pictures (accuracy {1 - misread:.4f}), and "
        f"one cycle {theirs:.2%} (means of five seeds)."
    )
    if misread <= 0.95 * theirs:
        return f"{score} Can you get lower?"
    if misread > 0.6:
        raise Hint(f"{score} It diverged, or it hardly moved: try another learning rate.")
    if misread <= theirs:
        raise Hint(
            f"{score} On the way. How many updates does your epoch have? More of them need smaller "
            "batches, and a lower peak."
        )
    raise Hint(
        f"{score} Lower the learning rate on the way, and try smaller batches: then an epoch has "
        "more updates."
    )

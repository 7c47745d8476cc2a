"""What gradient accumulation costs: times of an epoch with an `Accumulator` and without.

Prints `ratio accumulation_overhead MEDIAN MIN MAX`: times of an epoch, accumulated divided by
plain, round by round, where an update waits for four batches; and
`ratio accumulation_overhead_same_updates …`, where it waits for one batch, so that both make
as many updates and all that differs is the counting and weighting. There are two nets: lesson 03's
(small steps: the counting shows most) and a small convolutional net. Each has a line of its own,
and the one without a net's name repeats the worse of the two. The data are random.
"""

import statistics
from functools import partial

import common
import torch
from torch import nn

from helpers.accumulate import Accumulator
from helpers.optim import SGD, AdamW
from helpers.train import Batches, fit, one_step

OVERHEADS = ["accumulation_overhead", "accumulation_overhead_same_updates"]


def small():
    "Lesson 03's net, with its number of pixels and its optimizer."
    model = nn.Sequential(nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 10))
    optimizer = SGD(list(model.parameters()), 0.02, momentum=0.9)
    return model, torch.rand(20_000, 784), optimizer


def convolutional():
    "Three convolutions with batch norm, on pictures of 48 x 48 pixels."
    layers = []
    for before, after in [(3, 16), (16, 32), (32, 64)]:
        layers.append(nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False))
        layers.append(nn.BatchNorm2d(after))
        layers.append(nn.ReLU())
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    optimizer = AdamW(list(model.parameters()), 1e-3)
    return model, torch.rand(1500, 3, 48, 48), optimizer


def epoch(net, bs, rows):
    "A function that trains for one epoch, with an update after so many rows; None: plain steps."
    torch.manual_seed(0)
    model, x, optimizer = net()
    y = torch.randint(10, (len(x),))
    batches = Batches(x, y, bs, shuffle=True, seed=0, device="cpu")
    step = Accumulator(len(batches), rows) if rows else one_step
    return partial(fit, model, batches, optimizer, step=step)


def measure(net, bs, rounds):
    "Seconds of an epoch by name, plain and with both overheads."
    runs = {
        "plain": epoch(net, bs, rows=None),
        "accumulation_overhead": epoch(net, bs, rows=4 * bs),
        "accumulation_overhead_same_updates": epoch(net, bs, rows=bs),
    }
    times = common.rounds(runs, rounds)
    common.print_medians(f"{net.__name__}: seconds of an epoch", times, digits=3)
    return times


def main():
    parser = common.parser(__doc__)
    common.add_timing(parser, rounds=5)
    parser.add_argument("--bs", type=int, default=16, help="rows of a batch (default 16)")
    arguments = common.parse(parser, rounds=9)
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {arguments.threads} thread(s), batches of {arguments.bs}")
    nets = {
        net.__name__: measure(net, arguments.bs, arguments.rounds) for net in (small, convolutional)
    }
    for name in OVERHEADS:
        medians = {}
        for net, times in nets.items():
            common.print_ratio(f"{name}_{net}", times[name], times["plain"])
            medians[net] = statistics.median(common.ratios(times[name], times["plain"]))
        worse = nets[max(medians, key=medians.get)]
        common.print_ratio(name, worse[name], worse["plain"])


if __name__ == "__main__":
    main()

"""How far one epoch goes with lesson 06's net: a grid of settings, and the parts of one cycle.

    python benchmarks/one_epoch.py grid          # batch size and peak, with a straight line down
    python benchmarks/one_epoch.py parts --full  # one part of one cycle changed, paired by seed

Accuracies are those of the validation set. The seeds of the grid are not those of the lesson."""

import statistics

import torch
from common import parse, parser
from torch import nn

from helpers.data.digits import mnist
from helpers.optim import Adam
from helpers.rates import linear, one_cycle
from helpers.train import Batches, fit

torch.set_num_threads(1)  # nets this small gain nothing from a second core


def accuracy(seed, train, valid, lr, schedule=None):
    "Validation accuracy after one epoch."
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 10)).to(train.device)
    optimizer = Adam(net.parameters(), lr)
    return fit(net, train, optimizer, valid=valid, schedule=schedule).valid[-1]["accuracy"]


def grid(digits, seeds):
    "Batch size and peak with rescaled inputs; then inputs as they are, and constant rates."
    (x, y), (valid_x, valid_y) = digits.train, digits.valid
    scaled = (x - x.mean(0)) / x.std()
    valid = Batches((valid_x - x.mean(0)) / x.std(), valid_y, bs=1000)
    for bs in (8, 16, 32, 64):
        train = Batches(scaled, y, bs=bs, shuffle=True)
        row(f"batches of {bs}", train, valid, linear, seeds)
    row("inputs as they are", Batches(x, y, 16, True), Batches(valid_x, valid_y), linear, seeds)
    row("constant rate", Batches(scaled, y, 16, True), valid, lambda lr: None, seeds)


def row(name, train, valid, make_schedule, seeds):
    "Mean accuracy at each learning rate, with seeds from 100 on."
    for lr in (0.0005, 0.001, 0.002, 0.003, 0.004, 0.006, 0.008, 0.012, 0.016):
        scores = []
        for seed in range(100, 100 + seeds):
            scores.append(accuracy(seed, train, valid, lr, make_schedule(lr)))
        mean, sd = statistics.mean(scores), statistics.stdev(scores)
        print(f"{name}, {lr}: {mean:.4f} sd {sd:.4f}", flush=True)


def parts(digits, seeds):
    "One part of one cycle changed, in pairs with the complete one."
    (x, y), whole = digits.train, len(digits.train[0]) // 64 * 64
    train = Batches(x[:whole], y[:whole], shuffle=True)
    valid = Batches(*digits.valid, bs=1000)
    for peak in (0.005, 0.01, 0.02):
        schedules = {
            "momentum fixed at 0.9": one_cycle(peak, momenta=(0.9, 0.9, 0.9)),
            "momentum the wrong way": one_cycle(peak, momenta=(0.85, 0.95, 0.85)),
            "no warm-up": one_cycle(peak, warm=0),
            "warm-up half of the run": one_cycle(peak, warm=0.5),
            "straight line, short warm-up": linear(peak),
            "straight line, no warm-up": linear(peak, warm=0),
            "constant": None,
        }
        complete = [accuracy(n, train, valid, peak, one_cycle(peak)) for n in range(seeds)]
        print(f"peak {peak}, complete one cycle: {statistics.mean(complete):.4f}", flush=True)
        for name, schedule in schedules.items():
            changed = [accuracy(seed, train, valid, peak, schedule) for seed in range(seeds)]
            differences = [one - other for one, other in zip(changed, complete)]
            error = statistics.stdev(differences) / seeds**0.5
            mean = statistics.mean(differences)
            print(f"  {name}: {mean:+.4f}, standard error {error:.4f}", flush=True)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("study", choices=["grid", "parts"])
    arguments.add_argument("--seeds", type=int, default=4, help="nets for each setting")
    given = parse(arguments, seeds=8)
    {"grid": grid, "parts": parts}[given.study](mnist(), given.seeds)

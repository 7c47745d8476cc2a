"""What gradient accumulation costs: time for each row with `accum`, beside the same loop and the same batches without it.

Prints `ratio accumulation_overhead MEDIAN MIN MAX`: times of an epoch, accumulated divided by plain, round by round, where an
update waits for four batches; and `ratio accumulation_overhead_same_updates …`, where `accum` is the batch itself, so that both
make as many updates and all that differs is the counting and weighting. Two nets: lesson 02's (small steps: the counting shows
most) and a small convolutional net. The data are random; nothing is read.
"""
import argparse
import statistics
import time

import torch
from torch import nn

from helpers.optim import SGD, AdamW
from helpers.train import Batches, fit


def small():
    "Lesson 02's net, with its rows and batches."
    return nn.Sequential(nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 10)), torch.rand(20_000, 784), lambda p: SGD(p, .02, momentum=.9)


def convolutional():
    "Three convolutions with batch norm on pictures of 48 pixels."
    sides, layers = [3, 16, 32, 64], []
    for a, b in zip(sides, sides[1:]): layers += [nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)), torch.rand(1500, 3, 48, 48), lambda p: AdamW(p, 1e-3)


def seconds(make, bs, accum):
    "Time of one epoch of `fit`."
    torch.manual_seed(0)
    model, x, optimizer = make()
    batches = Batches(x, torch.randint(10, (len(x),)), bs, shuffle=True, seed=0, device='cpu')
    optimizer = optimizer(list(model.parameters()))
    start = time.perf_counter()
    fit(model, batches, optimizer, accum=accum)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=9, help='timed rounds (default 9)')
    parser.add_argument('--bs', type=int, default=16, help='rows of a batch (default 16)')
    parser.add_argument('--threads', type=int, default=1, help='threads of PyTorch (default 1)')
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    bs = arguments.bs
    print(f'torch {torch.__version__}, {arguments.threads} thread(s), {arguments.rounds} rounds, batches of {bs}')
    ratios = {'accumulation_overhead': {}, 'accumulation_overhead_same_updates': {}}
    for make in (small, convolutional):
        ways = {'plain': None, 'accumulation_overhead': 4*bs, 'accumulation_overhead_same_updates': bs}
        for accum in ways.values(): seconds(make, bs, accum)  # warms up
        rounds = []
        for n in range(arguments.rounds):  # each round in another order
            order = list(ways)[n % 3:] + list(ways)[:n % 3]
            rounds.append({name: seconds(make, bs, ways[name]) for name in order})
        print(f'{make.__name__}: seconds of an epoch', ', '.join(f'{name} {statistics.median(times[name] for times in rounds):.3f}' for name in ways))
        for name in ratios: ratios[name][make.__name__] = [times[name]/times['plain'] for times in rounds]
    for name, by_net in ratios.items():
        for net, values in by_net.items(): print(f'  {name}, {net}: {statistics.median(values):.3f} {min(values):.3f} {max(values):.3f}')
        worst = max(by_net.values(), key=statistics.median)  # the bar holds for the worse of the two
        print(f'ratio {name} {statistics.median(worst):.3f} {min(worst):.3f} {max(worst):.3f}', flush=True)


if __name__ == '__main__': main()

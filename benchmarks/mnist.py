"""One epoch of the 784-50-10 net: the course's loop beside PyTorch's and fastai's, in one run.

Prints a line `ratio NAME MEDIAN MIN MAX` for each comparison of times (ours divided by theirs, round by round) and
`value NAME MEAN MIN MAX N` for the accuracy of lesson 04's recipe after one epoch. HELPERS_DATA names the folder with MNIST.
"""
import argparse
import statistics
import time
import warnings

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from helpers.data import mnist
from helpers.optim import Adam
from helpers.train import Batches, evaluate, fit, linear

with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    import fastai.callback.progress  # gives Learner its no_bar and no_logging
    from fastai.callback.core import Callback, CancelValidException
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner


class SkipValidation(Callback):
    "Leaves out fastai's validation, which the other loops do not have either."
    def before_validate(self): raise CancelValidException()


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 10))


def ours(digits):
    "An epoch of `helpers.train.fit` with `helpers.optim.Adam`."
    model = net()
    batches, optimizer = Batches(*digits.train, bs=64, shuffle=True, device='cpu'), Adam(model.parameters())
    return lambda: fit(model, batches, optimizer)


def dataloader(digits):
    "An epoch of the ordinary loop over PyTorch's DataLoader with torch.optim.Adam."
    model = net()
    loader, optimizer = DataLoader(TensorDataset(*digits.train), batch_size=64, shuffle=True), torch.optim.Adam(model.parameters())
    def epoch():
        model.train()
        for xb, yb in loader:
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return epoch


def fastai(digits, **kwargs):
    "An epoch of fastai's Learner over `DataLoaders.from_dsets`, as its documentation has it; without validation, progress bar and log."
    loaders = DataLoaders.from_dsets(TensorDataset(*digits.train), TensorDataset(*digits.valid), bs=64, **kwargs)
    learner = Learner(loaders, net(), loss_func=F.cross_entropy)
    def epoch():
        with learner.no_bar(), learner.no_logging(): learner.fit(1, 1e-3, cbs=[SkipValidation()])
    return epoch


def adam_steps(make, times=300):
    "Many steps of an optimizer on the net with gradients that stay."
    model = net()
    for p in model.parameters(): p.grad = torch.randn_like(p)*.01
    optimizer = make(list(model.parameters()))
    def steps():
        for _ in range(times): optimizer.step()
    return steps


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def rounds(runs, count):
    "Times of every run, taken in turn so that a disturbance meets all of them; the first round warms up."
    for run in runs.values(): run()
    return {name: times for name, times in zip(runs, zip(*[[seconds(run) for run in runs.values()] for _ in range(count)]))}


def print_ratio(name, times, other_times):
    shares = [a/b for a, b in zip(times, other_times)]
    print(f'ratio {name} {statistics.median(shares):.3f} {min(shares):.3f} {max(shares):.3f}', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=7, help='timed rounds (default 7)')
    parser.add_argument('--seeds', type=int, default=5, help='seeds for the accuracy (default 5)')
    parser.add_argument('--threads', type=int, default=1, help='threads of PyTorch, for all alike (default 1: steadier on a busy machine)')
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    digits = mnist()
    print(f'torch {torch.__version__}, {arguments.threads} thread(s), {arguments.rounds} rounds')

    variants = {'ours': Adam, 'torch, loop': lambda p: torch.optim.Adam(p, foreach=False), 'torch, foreach': lambda p: torch.optim.Adam(p, foreach=True), 'torch, fused': lambda p: torch.optim.Adam(p, fused=True)}
    times = rounds({name: adam_steps(make) for name, make in variants.items()}, 3*arguments.rounds)
    fastest = min((name for name in times if name != 'ours'), key=lambda name: statistics.median(times[name]))
    print("microseconds of Adam's step:", ', '.join(f'{name} {statistics.median(values)/300*1e6:.0f}' for name, values in times.items()))
    print_ratio('adam_step_vs_torch', times['ours'], times[fastest])

    times = rounds({'ours': ours(digits), 'DataLoader': dataloader(digits), 'fastai': fastai(digits), 'fastai without workers': fastai(digits, num_workers=0)}, arguments.rounds)
    print('seconds of an epoch:', ', '.join(f'{name} {statistics.median(values):.2f}' for name, values in times.items()))
    print_ratio('mnist_epoch_vs_dataloader', times['ours'], times['DataLoader'])
    print_ratio('mnist_epoch_vs_fastai', times['ours'], times['fastai'])
    print_ratio('mnist_epoch_vs_fastai_without_workers', times['ours'], times['fastai without workers'])

    mean, spread = digits.train[0].mean(), digits.train[0].std()
    train, valid = [Batches((x - mean)/spread, y, bs=bs, shuffle=bs == 32, device='cpu') for (x, y), bs in ((digits.train, 32), (digits.valid, 1000))]
    scores = []
    for seed in range(arguments.seeds):
        model = net(seed)
        fit(model, train, Adam(model.parameters(), 5e-3, betas=(.7, .99)), schedule=linear(5e-3))
        scores.append(evaluate(model, valid)['accuracy'])
    print(f'value mnist_one_epoch_accuracy {statistics.mean(scores):.4f} {min(scores):.4f} {max(scores):.4f} {len(scores)}')


if __name__ == '__main__': main()

"""One epoch of the 784-50-10 net: the course's loop beside PyTorch's, fastai's and the bare sums.

Prints a line `ratio NAME MEDIAN MIN MAX` for each comparison of times (ours divided by theirs,
round by round) and `value NAME MEAN MIN MAX N` for the accuracy of lesson 06's recipe after one
epoch. HELPERS_DATA names the folder with MNIST.
"""

import warnings
from functools import partial

import common
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from helpers.data.digits import mnist
from helpers.optim import SGD, Adam
from helpers.rates import linear
from helpers.train import Batches, evaluate, fit

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import fastai.callback.progress  # noqa: F401, gives Learner its no_bar and no_logging
    from fastai.callback.core import Callback, CancelValidException
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner

STEPS = 300  # of an optimizer, for one timing


class SkipValidation(Callback):
    "Leaves out fastai's validation, which the other loops do not have either."

    def before_validate(self):
        raise CancelValidException()


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 10))


def ours(digits, make=Adam, **options):
    "An epoch of `helpers.train.fit` with an optimizer of `helpers.optim` or of `torch.optim`."
    model = net()
    batches = Batches(*digits.train, bs=64, shuffle=True, device="cpu")
    return partial(fit, model, batches, make(model.parameters(), **options))


def dataloader(digits):
    "An epoch of the ordinary loop over PyTorch's DataLoader with torch.optim.Adam."
    model = net()
    loader = DataLoader(TensorDataset(*digits.train), batch_size=64, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters())

    def epoch():
        model.train()
        for xb, yb in loader:
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return epoch


def fastai(digits, **options):
    "An epoch of fastai's Learner as its documentation has it; no validation, no bar, no log."
    train = TensorDataset(*digits.train)
    valid = TensorDataset(*digits.valid)
    loaders = DataLoaders.from_dsets(train, valid, bs=64, **options)
    learner = Learner(loaders, net(), loss_func=F.cross_entropy)

    def epoch():
        with learner.no_bar(), learner.no_logging():
            learner.fit(1, 1e-3, cbs=[SkipValidation()])

    return epoch


def floor(digits):
    "The arithmetic of an epoch alone: forward and backward by hand, nothing recorded or updated."
    W1, b1, W2, b2 = [p.detach() for p in net().parameters()]
    x, y = digits.train

    @torch.no_grad()
    def epoch():
        for xb, yb in zip(x.split(64), y.split(64)):
            hidden = torch.addmm(b1, xb, W1.T)
            active = hidden.relu()
            outputs = torch.addmm(b2, active, W2.T)
            # of the mean cross-entropy: (softmax - one-hot) / rows
            gradient = outputs.softmax(1)
            gradient[torch.arange(len(yb)), yb] -= 1
            gradient /= len(yb)
            for_W2, for_b2 = gradient.T @ active, gradient.sum(0)
            gradient = (gradient @ W2) * (hidden > 0)
            for_W1, for_b1 = gradient.T @ xb, gradient.sum(0)
        return for_W1, for_b1, for_W2, for_b2  # of the last batch

    return epoch


class SimpleAdam:
    "Adam as lesson 05 writes it first: parameter after parameter."

    def __init__(self, params, lr=1e-3):
        self.params = list(params)
        self.lr = lr
        self.averages = [0.0] * len(self.params)
        self.squares = [0.0] * len(self.params)
        self.n = 0

    @torch.no_grad()
    def step(self):
        self.n += 1
        for i, p in enumerate(self.params):
            self.averages[i] = 0.9 * self.averages[i] + 0.1 * p.grad
            self.squares[i] = 0.999 * self.squares[i] + 0.001 * p.grad**2
            average = self.averages[i] / (1 - 0.9**self.n)
            squares = self.squares[i] / (1 - 0.999**self.n)
            p -= self.lr * average / (squares.sqrt() + 1e-8)


def adam_steps(make, **options):
    "Many steps of an optimizer on the net, with gradients that stay."
    model = net()
    for p in model.parameters():
        p.grad = torch.randn_like(p) * 0.01
    optimizer = make(list(model.parameters()), **options)

    def steps():
        for _ in range(STEPS):
            optimizer.step()

    return steps


def compare_steps(rounds):
    "Adam's step beside the fastest of PyTorch's."
    runs = {
        "ours": adam_steps(Adam),
        "simple": adam_steps(SimpleAdam),
        "torch, loop": adam_steps(torch.optim.Adam, foreach=False),
        "torch, foreach": adam_steps(torch.optim.Adam, foreach=True),
        "torch, fused": adam_steps(torch.optim.Adam, fused=True),
    }
    times = common.rounds(runs, rounds)
    microseconds = 1e6 * pd.DataFrame(times) / STEPS
    common.print_medians("microseconds of Adam's step", microseconds, digits=0)
    fastest = microseconds.drop(columns=["ours", "simple"]).median().idxmin()
    common.print_ratio("adam_step_vs_torch", times["ours"], times[fastest])
    common.print_ratio("simple_adam_step_vs_torch", times["simple"], times[fastest])


def compare_epochs(digits, rounds):
    "An epoch of training beside PyTorch's DataLoader and fastai."
    runs = {
        "ours": ours(digits),
        "ours with plain SGD": ours(digits, SGD, lr=0.02),
        "ours with torch's fused Adam": ours(digits, torch.optim.Adam, fused=True),
        "DataLoader": dataloader(digits),
        "fastai": fastai(digits),
        "fastai without workers": fastai(digits, num_workers=0),
        "floor": floor(digits),
    }
    times = common.rounds(runs, rounds)
    common.print_medians("seconds of an epoch", times)
    common.print_ratio("mnist_epoch_vs_dataloader", times["ours"], times["DataLoader"])
    common.print_ratio("mnist_epoch_vs_fastai", times["ours"], times["fastai"])
    common.print_ratio(
        "mnist_epoch_vs_fastai_without_workers", times["ours"], times["fastai without workers"]
    )
    common.print_ratio("mnist_epoch_vs_floor", times["ours"], times["floor"])
    common.print_ratio("mnist_sgd_epoch_vs_floor", times["ours with plain SGD"], times["floor"])
    common.print_ratio(
        "mnist_fused_epoch_vs_floor", times["ours with torch's fused Adam"], times["floor"]
    )


def one_epoch_accuracies(digits, seeds):
    "Validation accuracies of lesson 06's recipe."
    x, y = digits.train
    x_valid, y_valid = digits.valid
    mean = x.mean()
    std = x.std()
    train = Batches((x - mean) / std, y, bs=32, shuffle=True, device="cpu")
    valid = Batches((x_valid - mean) / std, y_valid, bs=1000, device="cpu")
    scores = []
    for seed in range(seeds):
        model = net(seed)
        optimizer = Adam(model.parameters(), 5e-3, betas=(0.7, 0.99))
        fit(model, train, optimizer, schedule=linear(5e-3))
        scores.append(evaluate(model, valid)["accuracy"])
    return scores


def main():
    parser = common.parser(__doc__)
    common.add_timing(parser, rounds=3)
    parser.add_argument("--seeds", type=int, default=2, help="seeds for the accuracy")
    arguments = common.parse(parser, rounds=7, seeds=5)
    torch.set_num_threads(arguments.threads)
    digits = mnist()
    print(f"torch {torch.__version__}, {arguments.threads} thread(s)")
    compare_steps(3 * arguments.rounds)
    compare_epochs(digits, arguments.rounds)
    scores = one_epoch_accuracies(digits, arguments.seeds)
    common.print_value("mnist_one_epoch_accuracy", scores)


if __name__ == "__main__":
    main()

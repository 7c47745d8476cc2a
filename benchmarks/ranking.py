"""The ten best films for each member: models, metrics, choice of knobs. collab.py prints it.

Full catalogue: every film that a member has not rated in the training part is ranked. Relevant is
what they gave four stars or more in the held-out part. Members without such a film do not count.

Every split chooses the knobs of a model by itself: a fifth of its training part is held back, the
setting with the best NDCG@10 there is trained again on the whole training part, and the held-out
part is looked at once. Popularity, the lecture's recipe and SVD++ have no knob here.
"""

import numpy as np
import torch

from helpers import recommend
from helpers.collab import DotProduct, split
from helpers.losses import binary_cross_entropy
from helpers.optim import AdamW
from helpers.train import fit

BEST = 10  # films in a list


class Task:
    "Ratings, and the rows of them that a model may see."

    def __init__(self, data, rows):
        self.x = data.x[rows]
        self.stars = data.y[rows]
        self.shape = len(data.users), len(data.items)

    def matrix(self, values):
        "Users by items: a value for each rating that may be seen, 0 elsewhere."
        matrix = torch.zeros(self.shape)
        matrix[self.x[:, 0], self.x[:, 1]] = values.float()
        return matrix

    def good(self):
        "Users by items: 1 for four stars and more."
        return self.matrix(self.stars >= 4)


# models: each makes scores, users by items, from what a task lets it see


def popularity(task):
    "How many have rated a film, the same for all members."
    return task.matrix(torch.ones_like(task.stars)).sum(0).expand(task.shape)


def linear_autoencoder(task, penalty, power):
    "Films from films, no film from itself (Steck, 2019); a rating counts (stars / 5) ** power."
    marks = task.matrix((task.stars / 5) ** power)
    return marks @ recommend.linear_autoencoder(marks, penalty)


def als(task, factors, penalty, alpha, rounds=10):
    "Implicit feedback by turns (Hu, Koren and Volinsky, 2008); positive: four stars and more."
    good = task.good()
    generator = torch.Generator().manual_seed(0)
    items = 0.01 * torch.randn(task.shape[1], factors, generator=generator)
    for _ in range(rounds):
        users = recommend.fold_in(items, good, 1 + alpha * good, penalty)
        items = recommend.fold_in(users, good.T, 1 + alpha * good.T, penalty)
    return users @ items.T


def sampled(task, wd, epochs, seed=0):
    "A dot product with binary cross-entropy: the scores after each of these numbers of epochs."
    torch.manual_seed(seed)
    model = DotProduct(*task.shape, 32, bias=False, std=0.1)
    optimizer = AdamW(model.parameters(), 1e-2, wd=wd)
    good = task.good().nonzero()
    batches = recommend.Negatives(good, good, task.shape[1], bs=1024, seed=seed)
    model = model.to(batches.device)
    done = 0
    for epoch in sorted(epochs):
        fit(model, batches, optimizer, epoch - done, binary_cross_entropy)
        done = epoch
        users, items = (tables[0].weight for tables in (model.user_tables, model.item_tables))
        yield epoch, (users @ items.T).detach().cpu()


# knobs

LINEAR = [
    dict(penalty=penalty, power=power) for power in (0, 1, 2) for penalty in (100, 200, 400, 800)
]
ALS = [
    dict(factors=factors, penalty=penalty, alpha=alpha)
    for factors in (32, 64)
    for penalty, alpha in ((30, 4), (60, 10), (100, 20))
]
DECAYS = (0.1, 0.3, 1.0)
EPOCHS = (8, 16, 24, 32, 40, 48, 64)


class Split:
    "A training part and a held-out part."

    def __init__(self, data, train, test):
        self.task = Task(data, train)
        self.known = self.task.matrix(torch.ones(len(train)))
        self.relevant = Task(data, test).good()

    def score(self, scores):
        "NDCG and precision."
        arguments = BEST, scores, self.relevant, self.known
        metrics = recommend.ndcg_at, recommend.precision_at
        return tuple(metric(*arguments).nanmean().item() for metric in metrics)


def best_of(model, grid, inner, outer):
    "Scores on the held-out part with the setting that is best on the inner one."
    results = [inner.score(model(inner.task, **knobs))[0] for knobs in grid]
    chosen = grid[int(np.argmax(results))]
    print(f"  {model.__name__}: {chosen}, {max(results):.4f} on the inner part", flush=True)
    return outer.score(model(outer.task, **chosen))


def best_sampled(inner, outer, seed, decays=DECAYS, epochs=EPOCHS):
    "The same for `sampled`, whose epochs are tried in one run."
    results = {}
    for wd in decays:
        for epoch, scores in sampled(inner.task, wd, epochs, seed):
            results[wd, epoch] = inner.score(scores)[0]
    wd, epoch = max(results, key=results.get)
    print(f"  sampled: wd {wd}, {epoch} epochs, {results[wd, epoch]:.4f}", flush=True)
    [(_, scores)] = sampled(outer.task, wd, (epoch,), seed)
    return outer.score(scores)


def splits(data, seed):
    "The inner split and the outer one of a seed."
    train, test = split(len(data.y), seed=seed)
    fitted, held_back = split(len(train), seed=1000 + seed)
    inner = Split(data, train[fitted], train[held_back])
    return inner, Split(data, train, test), train


def all_scores(model):
    "Scores of a rating model, users by items."
    users = len(model.user_tables[0].weight)
    items = torch.arange(len(model.item_tables[0].weight))
    rows = []
    with torch.no_grad():
        for user in range(users):
            rows.append(model(torch.stack([torch.full_like(items, user), items], 1)))
    return torch.stack(rows)

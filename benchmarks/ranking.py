"""The ten best films for each member: models, metrics, choice of knobs. collab.py prints it.

Full catalogue: every film that a member has not rated in the training part is ranked. Relevant is
what they gave four stars or more in the held-out part. Members without such a film do not count.

Every split chooses the knobs of a model by itself: a fifth of its training part is held back, the
setting with the best NDCG@10 there is trained again on the whole training part, and the held-out
part is looked at once. Popularity, the lecture's recipe and SVD++ have no knob here.
"""

import numpy as np
import torch
import torch.nn.functional as F

from helpers.collab import DotProduct, split
from helpers.optim import AdamW

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


def top(scores, known, count=BEST):
    "Columns of the best scores in each row, without those that are known."
    scores = scores.masked_fill(known > 0, -torch.inf)
    return scores.argsort(dim=1, descending=True, stable=True)[:, :count]


def hits(scores, known, relevant):
    "Which places of the lists are relevant [members, BEST], and how many could be."
    counted = relevant.sum(1) > 0
    best = top(scores[counted], known[counted])
    return relevant[counted].gather(1, best), relevant[counted].sum(1)


def precision_at(scores, known, relevant):
    "Fraction of the ten that is relevant, mean over members."
    found, _ = hits(scores, known, relevant)
    return found.mean().item()


def ndcg_at(scores, known, relevant):
    "DCG of the ten over the best that ten places could have, mean over members."
    found, possible = hits(scores, known, relevant)
    discount = 1 / torch.arange(2, BEST + 2).log2()
    ideal = discount.cumsum(0)[possible.long().clamp(max=BEST) - 1]
    return (found @ discount / ideal).mean().item()


# models: each makes scores, users by items, from what a task lets it see


def popularity(task):
    "How many have rated a film, the same for all members."
    return task.matrix(torch.ones_like(task.stars)).sum(0).expand(task.shape)


def linear_autoencoder(task, penalty, power):
    "Films from films, no film from itself (Steck, 2019); a rating counts (stars / 5) ** power."
    x = task.matrix((task.stars / 5) ** power)
    inverse = torch.linalg.inv(x.T @ x + penalty * torch.eye(x.shape[1]))
    weights = -inverse / inverse.diagonal()
    return x @ weights.fill_diagonal_(0)


def als(task, factors, penalty, alpha, rounds=10):
    "Implicit feedback by turns (Hu, Koren and Volinsky, 2008); positive: four stars and more."
    good = task.good()
    generator = torch.Generator().manual_seed(0)
    items = 0.01 * torch.randn(task.shape[1], factors, generator=generator)
    for _ in range(rounds):
        users = _solved(good, items, penalty, alpha)
        items = _solved(good.T.contiguous(), users, penalty, alpha)
    return users @ items.T


def _solved(good, other, penalty, alpha):
    "Rows that fit best while the other side stays: a ridge regression for each."
    factors = other.shape[1]
    i, j = torch.triu_indices(factors, factors)
    products = other[:, i] * other[:, j]
    upper = products.sum(0) + alpha * (good @ products)
    left = torch.empty(len(good), factors, factors)
    left[:, i, j] = upper
    left[:, j, i] = upper
    left += penalty * torch.eye(factors)
    right = (1 + alpha) * (good @ other)
    return torch.cholesky_solve(right[..., None], torch.linalg.cholesky(left))[..., 0]


class Negatives:
    "Batches of good films, and of others drawn anew in each epoch: pairs, and 1 or 0."

    def __init__(self, task, count=4, bs=4096, seed=0):
        self.good = task.good()
        self.positive = self.good.nonzero()
        self.count = count
        self.bs = bs
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        users = self.positive[:, 0].repeat(self.count)
        items = torch.randint(self.good.shape[1], users.shape, generator=self.generator)
        others = torch.stack([users, items], 1)
        others = others[self.good[users, items] == 0]
        x = torch.cat([self.positive, others])
        y = torch.zeros(len(x))
        y[: len(self.positive)] = 1
        for rows in torch.randperm(len(x), generator=self.generator).split(self.bs):
            yield x[rows], y[rows]


def sampled(task, wd, epochs, seed=0):
    "A dot product with binary cross-entropy: the scores after each of these numbers of epochs."
    torch.manual_seed(seed)
    model = DotProduct(*task.shape, 32, bias=False, std=0.1)
    optimizer = AdamW(model.parameters(), 1e-2, wd=wd)
    batches = Negatives(task, seed=seed)
    users, items = model.user_tables[0].weight, model.item_tables[0].weight
    for epoch in range(1, max(epochs) + 1):
        for x, y in batches:
            F.binary_cross_entropy_with_logits(model(x), y).backward()
            optimizer.step()
            optimizer.zero_grad()
        if epoch in epochs:
            yield epoch, (users @ items.T).detach()


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
EPOCHS = (8, 12, 16, 20, 24, 28, 32)


class Split:
    "A training part and a held-out part."

    def __init__(self, data, train, test):
        self.task = Task(data, train)
        self.known = self.task.matrix(torch.ones(len(train)))
        self.relevant = Task(data, test).good()

    def score(self, scores):
        "NDCG and precision."
        arguments = scores, self.known, self.relevant
        return ndcg_at(*arguments), precision_at(*arguments)


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

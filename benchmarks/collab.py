"""Collaborative filtering on MovieLens 100k: the course beside fastai in time, memory and loss, and on the published folds.

Prints `ratio collab_epoch_vs_fastai MEDIAN MIN MAX` (times of an epoch with validation, ours divided by theirs, round by round),
`value collab_rmse_single MEAN MIN MAX N` and `value collab_rmse_ensemble …` over the test parts of the five folds, and
`value collab_mse_random MEAN MIN MAX N` over random 80/20 splits. HELPERS_DATA names the folder with ml-100k.

On the folds, every fold chooses its prices from CANDIDATES by itself: a tenth of its training part is held back, the best of the
candidates there is trained again on the whole training part, and its test part is looked at once.
"""
import argparse
import gc
import multiprocessing
import statistics
import threading
import time
import warnings

import psutil
import torch
import torch.nn.functional as F

from helpers.collab import DotProduct, SVDpp, pay_per_use
from helpers.data import movielens
from helpers.optim import Adam, AdamW
from helpers.ratings import RatingTable, split
from helpers.train import fit, one_cycle

CANDIDATES = [((.13, .005), 7e-4), ((.15, .005), 5e-4), ((.17, .005), 5e-4)]  # prices of factors and biases, price of clues


def ours(films, seed=0, bs=64):
    "The lecture's recipe in the course's loop; a function that trains for so many epochs and gives the validation losses."
    data = RatingTable(films.ratings, films.low, films.high)
    train, valid = split(len(data.y), seed=seed)
    torch.manual_seed(seed)
    model = DotProduct(len(data.users), len(data.items), 40, y_range=(0, 5.5), mean=2.75)
    batches, held_back = data.batches(train, bs, shuffle=True, seed=seed), data.batches(valid, 10_000)
    def run(epochs):
        optimizer = AdamW(model.to(batches.device).parameters(), 5e-3, betas=(.9, .99), eps=1e-5, wd=.1)
        return [row['loss'] for row in fit(model, batches, optimizer, epochs, F.mse_loss, held_back, one_cycle(5e-3), {}).valid]
    return run


def fastai(films, seed=0, bs=64, without_replacement=False):
    "The same with `collab_learner` and its defaults, or with a loader that draws without replacement."
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        import fastai.callback.progress  # gives Learner its no_bar and no_logging
        from fastai.collab import TabularCollab, collab_learner
        from fastai.data.block import TransformBlock
        from fastai.tabular.core import Categorify, TabDataLoader
        from fastai.torch_core import set_seed
    train, valid = split(len(films.ratings), seed=seed)
    both = films.ratings.iloc[torch.cat([train, valid]).numpy()][['user', 'item', 'rating']].reset_index(drop=True)
    table = TabularCollab(both, [Categorify], ['user', 'item'], y_names=['rating'], y_block=TransformBlock(), splits=(list(range(len(train))), list(range(len(train), len(both)))))
    if without_replacement: table._dl_type = TabDataLoader
    set_seed(seed)
    learner = collab_learner(table.dataloaders(bs=bs, device=torch.device('cpu')), n_factors=40, y_range=(0, 5.5))
    def run(epochs):
        losses = []
        with warnings.catch_warnings(), learner.no_bar():
            warnings.simplefilter('ignore')
            learner.logger = losses.append
            learner.fit_one_cycle(epochs, 5e-3, wd=.1)
        return [float(row[2]) for row in losses]
    return run


def seconds(run):
    start = time.perf_counter()
    run(1)
    return time.perf_counter() - start


def peak(make, films, queue):
    "Megabytes that making and one epoch add to the process, at most; looked at every few milliseconds."
    torch.set_num_threads(1)
    import fastai.collab  # both alike: imports are not counted
    gc.collect()
    used = lambda: psutil.Process().memory_info().rss/1e6
    before, seen, over = used(), [], threading.Event()
    watcher = threading.Thread(target=lambda: [seen.append(used()) for _ in iter(lambda: over.wait(.005), True)])
    watcher.start()
    make(films)(1)
    over.set()
    watcher.join()
    queue.put(max(seen) - before)


def memory(make, films):
    "`peak` in a process of its own."
    context = multiprocessing.get_context('spawn')
    queue = context.Queue()
    process = context.Process(target=peak, args=(make, films, queue))
    process.start()
    answer = queue.get(timeout=300)
    process.join()
    return answer


def svdpp(data, rows, prices, clues, seed=0):
    "An SVD++ model trained on these rows."
    torch.manual_seed(seed)
    model = SVDpp(len(data.users), len(data.items), data.x[rows], 40, mean=data.y[rows].mean().item(), std=.05)
    batches = data.batches(rows, 1024, shuffle=True, seed=seed)
    fit(model.to(batches.device), batches, Adam(model.parameters(), 1e-2, betas=(.9, .99)), 8, pay_per_use(model, prices, clues), schedule=one_cycle(1e-2))
    return model.eval().cpu()


@torch.no_grad()
def stars(model, data, rows): return model(data.x[rows]).clamp(1, 5)


def rmse(predicted, data, rows): return F.mse_loss(predicted, data.y[rows]).sqrt().item()


def on_fold(data, fold, seeds):
    "Choose on a tenth of the training part; the RMSE of each seed on the test part, and that of their mean."
    train, test = map(torch.from_numpy, fold)
    fitted, held_back = [train[rows] for rows in split(len(train), .1, seed=0)]
    scores = [rmse(stars(svdpp(data, fitted, *candidate), data, held_back), data, held_back) for candidate in CANDIDATES]
    chosen = CANDIDATES[scores.index(min(scores))]
    predicted = [stars(svdpp(data, train, *chosen, seed), data, test) for seed in range(seeds)]
    print(f'  chosen {chosen} with {min(scores):.4f} of {", ".join(f"{score:.4f}" for score in scores)} on its own held-back part', flush=True)
    return [rmse(p, data, test) for p in predicted], rmse(sum(predicted)/seeds, data, test)


def value(name, values, digits=4): print(f'value {name} {statistics.mean(values):.{digits}f} {min(values):.{digits}f} {max(values):.{digits}f} {len(values)}', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=5, help='timed rounds (default 5)')
    parser.add_argument('--seeds', type=int, default=5, help='seeds of the random splits (default 5)')
    parser.add_argument('--ensemble', type=int, default=3, help='models whose predictions are averaged (default 3)')
    parser.add_argument('--threads', type=int, default=1, help='threads of PyTorch, for all alike (default 1)')
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    films = movielens('100k')
    data = RatingTable(films.ratings, films.low, films.high)
    print(f'torch {torch.__version__}, {arguments.threads} thread(s), {arguments.rounds} rounds, batches of 64')

    runs = {'ours': ours(films), 'fastai': fastai(films), 'fastai without replacement': fastai(films, without_replacement=True)}
    for run in runs.values(): run(1)  # warms up
    times = dict(zip(runs, zip(*[[seconds(run) for run in runs.values()] for _ in range(arguments.rounds)])))
    print('seconds of an epoch with validation:', ', '.join(f'{name} {statistics.median(values):.2f}' for name, values in times.items()))
    for name, other in (('collab_epoch_vs_fastai', 'fastai'), ('collab_epoch_vs_fastai_without_replacement', 'fastai without replacement')):
        shares = [a/b for a, b in zip(times['ours'], times[other])]
        print(f'ratio {name} {statistics.median(shares):.3f} {min(shares):.3f} {max(shares):.3f}', flush=True)
    print('megabytes that one epoch adds to the process:', ', '.join(f'{make.__name__} {memory(make, films):.0f}' for make in (ours, fastai)), flush=True)

    print("the lecture's recipe, five epochs, validation loss on random 80/20 splits, seeds 0 to", arguments.seeds - 1)
    value('collab_mse_lecture', [ours(films, seed)(5)[-1] for seed in range(arguments.seeds)])
    value('collab_mse_fastai', [fastai(films, seed)(5)[-1] for seed in range(arguments.seeds)])
    value('collab_mse_fastai_without_replacement', [fastai(films, seed, without_replacement=True)(5)[-1] for seed in range(arguments.seeds)])
    splits = [split(len(data.y), seed=seed) for seed in range(arguments.seeds)]
    value('collab_mse_random', [rmse(stars(svdpp(data, train, *CANDIDATES[1], seed), data, valid), data, valid)**2 for seed, (train, valid) in enumerate(splits)])

    print('the five published folds, SVD++')
    single, ensemble = zip(*[on_fold(data, fold, arguments.ensemble) for fold in films.folds])
    print('fold by fold: seed 0', ', '.join(f'{scores[0]:.4f}' for scores in single), f'; mean of {arguments.ensemble}', ', '.join(f'{score:.4f}' for score in ensemble))
    value('collab_rmse_single', [statistics.mean(scores) for scores in zip(*single)])
    value('collab_rmse_single_by_fold', [statistics.mean(scores) for scores in single])
    value('collab_rmse_ensemble', ensemble)


if __name__ == '__main__': main()

"""Collaborative filtering on MovieLens 100k: beside fastai in time, memory and loss; on the folds.

Prints `ratio collab_epoch_vs_fastai MEDIAN MIN MAX` (times of an epoch with validation, ours
divided by theirs, round by round), `value collab_rmse_single MEAN MIN MAX N` and
`value collab_rmse_ensemble …` over the test parts of the published folds, and
`value collab_rmse_ensemble_u1 …` of the first of them, and
`value collab_mse_random MEAN MIN MAX N` over random 80/20 splits. HELPERS_DATA names the folder
with ml-100k. With --full it takes some twenty minutes.

The quick form takes times and losses on a part of the ratings, so that its losses are higher than
those of the full form. The folds are measured on all ratings in both, in the quick form one fold.

On the folds, every fold chooses its prices from CANDIDATES by itself: a tenth of its training part
is held back, the best of the candidates there is trained again on the whole training part, and its
test part is looked at once.

`value rank_ndcg10_NAME MEAN MIN MAX N` is the NDCG@10 of lists over the full catalogue, one value a
random split, and `rank_precision10_NAME` the precision; ranking.py says how, and how knobs are
chosen. NAME is popularity, ratings_recipe, svdpp, sampled, linear (a linear autoencoder), als, or
ours: the linear one.
"""

import gc
import multiprocessing
import statistics
import threading
import warnings
from dataclasses import replace
from functools import partial

import common
import psutil
import ranking
import torch
import torch.nn.functional as F

from helpers.collab import DotProduct, RatingTable, SVDpp, pay_per_use, split
from helpers.data.films import movielens
from helpers.optim import Adam, AdamW
from helpers.rates import one_cycle
from helpers.train import fit

# prices of factors and of biases, price of clues: in lesson 10, and to choose from on the folds
LESSON = ((0.15, 0.005), 5e-4)
CANDIDATES = [
    ((0.24, 0.005), 3e-4),
    ((0.28, 0.005), 2e-4),
    ((0.28, 0.005), 3e-4),
    ((0.28, 0.005), 4e-4),
    ((0.34, 0.005), 3e-4),
    ((0.40, 0.005), 3e-4),
    ((0.48, 0.005), 3e-4),
]


def ours(films, seed=0, bs=64):
    "The lecture's recipe: a function that trains for so many epochs, and gives validation losses."
    data = RatingTable(films.ratings, films.low, films.high)
    train, valid = split(len(data.y), seed=seed)
    return recipe(data, train, valid, seed, bs)[1]


def recipe(data, train, valid, seed=0, bs=64):
    "The lecture's model, and a function that trains it."
    torch.manual_seed(seed)
    model = DotProduct(len(data.users), len(data.items), 40, y_range=(0, 5.5), mean=2.75)
    batches = data.batches(train, bs, shuffle=True, seed=seed)
    held_back = data.batches(valid, 10_000)
    model = model.to(batches.device)

    def run(epochs):
        optimizer = AdamW(model.parameters(), 5e-3, betas=(0.9, 0.99), eps=1e-5, wd=0.1)
        schedule = one_cycle(5e-3)
        history = fit(model, batches, optimizer, epochs, F.mse_loss, held_back, schedule, {})
        return [row["loss"] for row in history.valid]

    return model, run


def fastai(films, seed=0, bs=64, without_replacement=False):
    "The same with `collab_learner` and its defaults, or a loader that draws without replacement."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import fastai.callback.progress  # noqa: F401, gives Learner its no_bar and no_logging
        from fastai.collab import TabularCollab, collab_learner
        from fastai.data.block import TransformBlock
        from fastai.tabular.core import Categorify, TabDataLoader
        from fastai.torch_core import set_seed
    train, valid = split(len(films.ratings), seed=seed)
    order = torch.cat([train, valid]).numpy()
    both = films.ratings.iloc[order][["user", "item", "rating"]].reset_index(drop=True)
    table = TabularCollab(
        both,
        [Categorify],
        ["user", "item"],
        y_names=["rating"],
        y_block=TransformBlock(),
        splits=(list(range(len(train))), list(range(len(train), len(both)))),
    )
    if without_replacement:
        table._dl_type = TabDataLoader
    set_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaders = table.dataloaders(bs=bs, device=torch.device("cpu"))
    learner = collab_learner(loaders, n_factors=40, y_range=(0, 5.5))

    def run(epochs):
        rows = []
        with warnings.catch_warnings(), learner.no_bar():
            warnings.simplefilter("ignore")
            learner.logger = rows.append
            learner.fit_one_cycle(epochs, 5e-3, wd=0.1)
        return [float(row[2]) for row in rows]

    return run


def resident():
    "Megabytes of this process."
    return psutil.Process().memory_info().rss / 1e6


def watch(readings, over):
    "Note the megabytes every few milliseconds until it is over."
    while not over.wait(0.005):
        readings.append(resident())


def peak(make, films, queue):
    "Megabytes that making and one epoch add to the process, at most."
    torch.set_num_threads(1)
    import fastai.collab  # noqa: F401, both alike: imports are not counted

    gc.collect()
    before = resident()
    readings = []
    over = threading.Event()
    watcher = threading.Thread(target=watch, args=(readings, over))
    watcher.start()
    make(films)(1)
    over.set()
    watcher.join()
    queue.put(max(readings) - before)


def memory(make, films):
    "`peak` in a process of its own."
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=peak, args=(make, films, queue))
    process.start()
    answer = queue.get(timeout=300)
    process.join()
    return answer


def svdpp(data, rows, prices, clues, seed=0):
    "An SVD++ model trained on these rows."
    torch.manual_seed(seed)
    mean = data.y[rows].mean().item()
    model = SVDpp(len(data.users), len(data.items), data.x[rows], 40, mean=mean, std=0.05)
    batches = data.batches(rows, 1024, shuffle=True, seed=seed)
    model = model.to(batches.device)
    optimizer = Adam(model.parameters(), 1e-2, betas=(0.9, 0.99))
    loss = pay_per_use(model, prices, clues)
    fit(model, batches, optimizer, 8, loss, schedule=one_cycle(1e-2))
    return model.eval().cpu()


@torch.no_grad()
def stars(model, data, rows):
    return model(data.x[rows]).clamp(1, 5)


def rmse(predicted, data, rows):
    return F.mse_loss(predicted, data.y[rows]).sqrt().item()


def choose(data, train):
    "The candidate with the smallest error on a tenth of the training part."
    fitted, held_back = split(len(train), 0.1, seed=0)
    scores = []
    for prices, clues in CANDIDATES:
        model = svdpp(data, train[fitted], prices, clues)
        scores.append(rmse(stars(model, data, train[held_back]), data, train[held_back]))
    best = CANDIDATES[scores.index(min(scores))]
    errors = ", ".join(f"{score:.4f}" for score in scores)
    print(f"  held-back part: {errors}; chosen {best}", flush=True)
    return best


def on_fold(data, fold, models):
    "RMSE of each model, one a seed, on the test part; and that of their mean."
    train, test = map(torch.from_numpy, fold)
    prices, clues = choose(data, train)
    predictions = []
    for seed in range(models):
        predictions.append(stars(svdpp(data, train, prices, clues, seed), data, test))
    single = [rmse(predicted, data, test) for predicted in predictions]
    return single, rmse(sum(predictions) / models, data, test)


def compare_times(films, rounds):
    "An epoch with validation, ours and fastai's."
    makers = {
        "ours": ours(films),
        "fastai": fastai(films),
        "fastai without replacement": fastai(films, without_replacement=True),
    }
    runs = {name: partial(run, 1) for name, run in makers.items()}
    times = common.rounds(runs, rounds)
    common.print_medians("seconds of an epoch with validation", times)
    common.print_ratio("collab_epoch_vs_fastai", times["ours"], times["fastai"])
    common.print_ratio(
        "collab_epoch_vs_fastai_without_replacement",
        times["ours"],
        times["fastai without replacement"],
    )


def compare_memory(films, rounds):
    "Megabytes that one epoch adds to a new process, ours and fastai's, by turns."
    added = {"ours": [], "fastai": []}
    for _ in range(rounds):
        added["ours"].append(memory(ours, films))
        added["fastai"].append(memory(fastai, films))
    common.print_medians("megabytes that one epoch adds to the process", added)
    common.print_ratio("collab_memory_vs_fastai", added["ours"], added["fastai"])


def compare_losses(films, seeds):
    "Validation losses of the lecture's recipe and of SVD++ on random splits."
    print(f"the lecture's recipe, five epochs, random 80/20 splits, {seeds} seed(s)")
    lecture = [ours(films, seed)(5)[-1] for seed in range(seeds)]
    common.print_value("collab_mse_lecture", lecture)
    theirs = [fastai(films, seed)(5)[-1] for seed in range(seeds)]
    common.print_value("collab_mse_fastai", theirs)
    without = [fastai(films, seed, without_replacement=True)(5)[-1] for seed in range(seeds)]
    common.print_value("collab_mse_fastai_without_replacement", without)
    data = RatingTable(films.ratings, films.low, films.high)
    random = []
    for seed in range(seeds):
        train, valid = split(len(data.y), seed=seed)
        model = svdpp(data, train, *LESSON, seed)
        random.append(rmse(stars(model, data, valid), data, valid) ** 2)
    common.print_value("collab_mse_random", random)


def measure_folds(films, folds, models):
    "SVD++ on the published folds, each model and their mean."
    print(f"SVD++ on {folds} of the {len(films.folds)} published folds, {models} models each")
    data = RatingTable(films.ratings, films.low, films.high)
    by_fold = []
    ensemble = []
    for fold in films.folds[:folds]:
        single, averaged = on_fold(data, fold, models)
        by_fold.append(single)
        ensemble.append(averaged)
    by_seed = [statistics.mean(scores) for scores in zip(*by_fold, strict=True)]
    common.print_value("collab_rmse_single", by_seed)
    common.print_value("collab_rmse_single_by_fold", [statistics.mean(row) for row in by_fold])
    common.print_value("collab_rmse_ensemble", ensemble)
    common.print_value("collab_rmse_ensemble_u1", ensemble[:1])


def rank(data, seed):
    "NDCG and precision at 10 of each model on a random split."
    inner, outer, train = ranking.splits(data, seed)
    print(f"lists of ten, seed {seed}", flush=True)
    scores = {"popularity": outer.score(ranking.popularity(outer.task))}
    lecture, run = recipe(data, train, train[:1], seed)
    run(5)
    scores["ratings_recipe"] = outer.score(ranking.all_scores(lecture.eval().cpu()))
    model = svdpp(data, train, *LESSON, seed)
    scores["svdpp"] = outer.score(ranking.all_scores(model))
    scores["sampled"] = ranking.best_sampled(inner, outer, seed)
    linear = ranking.best_of(ranking.linear_autoencoder, ranking.LINEAR, inner, outer)
    scores["linear"] = linear
    scores["als"] = ranking.best_of(ranking.als, ranking.ALS, inner, outer)
    scores["ours"] = linear
    return scores


def measure_rankings(films, seeds):
    "NDCG and precision at 10 over random splits of all ratings."
    data = RatingTable(films.ratings, films.low, films.high)
    by_seed = [rank(data, seed) for seed in range(seeds)]
    for name in by_seed[0]:
        ndcg, precision = zip(*[scores[name] for scores in by_seed], strict=True)
        common.print_value(f"rank_ndcg10_{name}", ndcg)
        common.print_value(f"rank_precision10_{name}", precision)


def main():
    parser = common.parser(__doc__)
    common.add_timing(parser, rounds=3)
    parser.add_argument("--seeds", type=int, default=1, help="seeds of the random splits")
    parser.add_argument("--ratings", type=int, default=10_000, help="only so many; 0: all")
    parser.add_argument("--folds", type=int, default=1, help="of the five published folds")
    parser.add_argument("--ensemble", type=int, default=2, help="models that are averaged")
    parser.add_argument("--lists", type=int, default=1, help="random splits for lists of ten")
    arguments = common.parse(parser, rounds=5, seeds=5, ratings=0, folds=5, ensemble=3, lists=5)
    torch.set_num_threads(arguments.threads)
    films = movielens("100k")
    print(f"torch {torch.__version__}, {arguments.threads} thread(s), batches of 64")
    part = films
    if 0 < arguments.ratings < len(films.ratings):
        ratings = films.ratings.sample(arguments.ratings, random_state=0, ignore_index=True)
        part = replace(films, ratings=ratings, folds=[])
    print(f"times, memory and random splits: {len(part.ratings):,} ratings")
    compare_times(part, arguments.rounds)
    compare_memory(part, arguments.rounds)
    compare_losses(part, arguments.seeds)
    measure_folds(films, arguments.folds, arguments.ensemble)
    measure_rankings(films, arguments.lists)


if __name__ == "__main__":
    main()

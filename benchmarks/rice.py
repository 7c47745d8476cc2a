"""The rice photographs, measured at length, over three kinds of folds: small nets and baselines.

Two small nets are frozen, fine-tuned, and trained from random weights; with test-time augmentation
(TTA) and as an ensemble. Beside them stand the largest class, variety and age, and logistic
regression on features of the frozen nets. Prints a table, and lines
`value rice_WHAT_NET_SPLIT MEAN MIN MAX N` over the folds. HELPERS_DATA names the folder with
paddy-small and weights.

With --full every row is written to data/rice.csv as soon as it is measured, and a run that was
stopped goes on where it was: most of two hours on two cores. Predictions are kept in the cache
(folder rice-study), for the ensembles and for the rows with fold = all, which pool the five folds.
The quick form has smaller pictures, fine-tunes for fewer epochs and on one fold alone, and writes
no file; its folds of look-alikes, which a net's features decide, are not quite the same.

Columns low and high are a 95 % interval that draws whole groups of look-alikes (whole days for the
day folds).
"""

import tempfile
from datetime import date
from pathlib import Path

import common
import numpy as np
import pandas as pd
import timm
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from helpers.course.settings import best_device, settings
from helpers.data.paddy import look_alikes, paddy, thumbnails
from helpers.ensemble import average_probabilities, bootstrap_interval, folds, merge_groups, tta
from helpers.vision import Net, PictureBatches, fine_tune, predict

STORE = Path(__file__).resolve().parent.parent / "data" / "rice.csv"
KEY = ["net", "split", "fold", "seed", "what"]
COLUMNS = [*KEY, "accuracy", "n", "low", "high", "size", "epochs", "device", "versions", "date"]
SEED = 0
VIT = "vit_tiny_patch16_224"
MOBILE = "mobilenetv2_100"
# Learning rates from a few trials, scored on one random fold.
RATES = {VIT: slice(4e-4, 4e-3), MOBILE: slice(1e-3, 1e-2)}
SPLITS = ["random", "look-alikes", "days"]
ENSEMBLES = {"ensemble": "fine-tuned", "ensemble, TTA": "TTA"}  # of which predictions
NETS = ["fine-tuned", "TTA", "frozen head", "from scratch"]


def tuned(net, split):
    "Rows that come from one training."
    return [(net, split, "fine-tuned"), (net, split, "TTA")]


def both(split):
    "Rows that come from both fine-tuned nets."
    return [("both", split, what) for what in ENSEMBLES]


def baselines(split):
    "Rows that need no training of a net."
    return [
        ("", split, "majority"),
        ("", split, "variety and age"),
        (VIT, split, "logistic regression"),
        (MOBILE, split, "logistic regression"),
    ]


# What is measured together, fold by fold.
BASELINES = [[row] for split in SPLITS for row in baselines(split)]
QUICK = [tuned(VIT, "look-alikes"), tuned(MOBILE, "look-alikes"), both("look-alikes")]
FULL = [
    *QUICK,
    tuned(VIT, "random"),
    tuned(VIT, "days"),
    [(VIT, "look-alikes", "frozen head")],
    [(VIT, "look-alikes", "from scratch")],
    [(MOBILE, "look-alikes", "frozen head")],
    [(MOBILE, "look-alikes", "from scratch")],
    tuned(MOBILE, "random"),
    both("random"),
    tuned(MOBILE, "days"),
    both("days"),
]


def frozen(arch, size):
    "A pretrained net that gives its pooled features."
    net = Net(arch, 3, size)
    net.head = net.head[0]
    return net


def recipe(what, arch, epochs):
    "Arguments of `fine_tune`; all recipes see the pictures equally often."
    if what == "frozen head":
        return dict(lr=RATES[arch], epochs=0, frozen_epochs=epochs + 1)
    if what == "from scratch":
        return dict(lr=2e-3, epochs=epochs + 1, frozen_epochs=0)
    return dict(lr=RATES[arch], epochs=epochs)


class Study:
    "Pictures, labels and folds; predictions, made once and kept; rows, measured once."

    def __init__(
        self,
        path,  # the CSV of the rows
        keep,  # folder of the predictions
        size,  # side of what the nets see, in pixels
        epochs,  # with all layers, after one with the head alone
    ):
        self.rice = paddy(size + 16, least=100)
        if self.rice.name != "Paddy Doctor":
            raise SystemExit(
                "This study is of the real photographs; HELPERS_DATA should name the folder "
                "that holds paddy-small."
            )
        self.rows = common.Rows(path, COLUMNS, KEY)
        self.keep = keep
        self.size = size
        self.epochs = epochs
        self.y = self.rice.y
        table = self.rice.table
        self.days = (table.variety + " " + table.age.astype(str)).to_numpy()
        vectors = self.features(MOBILE)
        self.groups = merge_groups(
            look_alikes(thumbnails(self.rice.pictures)),
            look_alikes(vectors - vectors.mean(0), 0.75),
        )
        self.folds = {
            "random": folds(self.y, seed=SEED),
            "look-alikes": folds(self.y, self.groups, seed=SEED),
            "days": folds(self.y, self.days, seed=SEED),
        }

    def kept(self, name, make, *arguments):
        "A tensor from the folder of predictions; made and put there where it is not yet."
        path = self.keep / f"{name} {SEED}.npy".replace(" ", "_")
        if not path.exists():
            values = make(*arguments).numpy()
            unfinished = path.with_suffix(".part")
            with unfinished.open("wb") as file:
                np.save(file, values)
            unfinished.replace(path)  # whole, or not at all
        return torch.from_numpy(np.load(path))

    def features(self, arch):
        "Pooled features of all pictures, from a frozen net."
        return self.kept(f"features {arch}", self.extract, arch)

    def extract(self, arch):
        net = frozen(arch, self.size)
        return predict(net, self.rice.pictures, activation=torch.nn.Identity())

    def parts(self, split, fold):
        "Rows for training and rows held out."
        held_out = torch.from_numpy(self.folds[split] == fold)
        return (~held_out).nonzero()[:, 0], held_out.nonzero()[:, 0]

    def probabilities(self, net, split, fold, what):
        "Predictions for the rows held out; those of fold 'all' stand fold after fold."
        if fold == "all":
            return torch.cat([self.probabilities(net, split, n, what) for n in range(5)])
        if what in ENSEMBLES:
            parts = [self.probabilities(arch, split, fold, ENSEMBLES[what]) for arch in RATES]
            return average_probabilities(parts)
        if what in NETS:
            training = "fine-tuned" if what == "TTA" else what
            name = f"{training} {net} {split} {fold}"
            plain, augmented = self.kept(name, self.train, training, net, split, fold)
            return augmented if what == "TTA" else plain
        return self.kept(f"{what} {net} {split} {fold}", self.learn, what, net, split, fold)

    def train(self, what, arch, split, fold):
        "A net's probabilities for the fold held out, plain and by TTA: [2, n, classes]."
        train, held_out = self.parts(split, fold)
        torch.manual_seed(SEED)
        net = Net(arch, len(self.rice.labels), self.size, pretrained=what != "from scratch")
        batches = PictureBatches(
            self.rice.pictures[train],
            self.y[train],
            bs=32,
            size=self.size,
            augment=True,
            shuffle=True,
            seed=SEED,
            mean=net.mean,
            std=net.std,
        )
        fine_tune(net, batches, **recipe(what, arch, self.epochs))
        pictures = self.rice.pictures[held_out]
        return torch.stack([predict(net, pictures), tta(net, pictures, seed=SEED)])

    def learn(self, what, arch, split, fold):
        "Probabilities of a baseline for the fold held out: [n, classes]."
        train, held_out = self.parts(split, fold)
        y = self.y.numpy()
        if what == "majority":
            fractions = np.bincount(y[train], minlength=len(self.rice.labels)) / len(train)
            return torch.from_numpy(np.tile(fractions, (len(held_out), 1)))
        if what == "variety and age":
            x = self.rice.table[["variety", "age"]].to_numpy(str)
            encoder = OneHotEncoder(handle_unknown="ignore")
            model = make_pipeline(encoder, DecisionTreeClassifier(random_state=0))
        else:
            x = self.features(arch).numpy()
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
        model.fit(x[train], y[train])
        return torch.from_numpy(model.predict_proba(x[held_out]))

    def measure(self, net, split, fold, what):
        "Score and write a row, unless it is there."
        row = {"net": net, "split": split, "fold": fold, "seed": SEED, "what": what}
        if row in self.rows:
            return
        numbers = range(5) if fold == "all" else [fold]
        rows = torch.cat([self.parts(split, n)[1] for n in numbers])
        predicted = self.probabilities(net, split, fold, what).argmax(1)
        right = (predicted == self.y[rows]).numpy()
        ids = (self.days if split == "days" else self.groups)[rows.numpy()]
        words = "no interval"
        row["low"] = ""
        row["high"] = ""
        if len(set(ids)) > 1:  # a fold may hold a single day
            _, low, high = bootstrap_interval(right, ids)
            row["low"] = f"{low:.4f}"
            row["high"] = f"{high:.4f}"
            words = f"{low:.4f} to {high:.4f}"
        row["accuracy"] = f"{right.mean():.4f}"
        row["n"] = len(rows)
        row["size"] = self.size
        row["epochs"] = self.epochs if what in NETS or what in ENSEMBLES else ""
        row["device"] = device_name()
        row["versions"] = f"torch {torch.__version__.split('+')[0]}, timm {timm.__version__}"
        row["date"] = date.today().isoformat()
        self.rows.add(row)
        print(
            f"{what:20} {net:22} {split:12} fold {fold}: {row['accuracy']}  "
            f"({words}, {row['n']} pictures)",
            flush=True,
        )

    def measure_all(self, groups, numbers):
        "The rows of these groups, fold by fold."
        for group in groups:
            for fold in numbers:
                for net, split, what in group:
                    self.measure(net, split, fold, what)


def device_name():
    if best_device().type == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} threads"


def report(path):
    "The rows that pool the folds, and a line for each with the spread over the folds."
    table = pd.read_csv(path, keep_default_na=False)
    pooled = table[table.fold == "all"]
    print("\nAccuracy pooled over five folds, and 95 % intervals that draw whole groups")
    columns = ["what", "net", "split", "accuracy", "low", "high"]
    print(pooled[columns].to_string(index=False))
    by_fold = table[table.fold != "all"]
    for names, part in by_fold.groupby(["what", "net", "split"], sort=False):
        name = "_".join(["rice", *filter(None, names)])
        name = name.replace(",", "").replace(" ", "_").replace("-", "_")
        common.print_value(name, part.accuracy.tolist())


def main():
    parser = common.parser(__doc__)
    parser.set_defaults(size=64, epochs=1)
    arguments = common.parse(parser, size=128, epochs=5)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / STORE.name
        keep = Path(scratch)
        if arguments.full:
            path = STORE
            keep = settings().cache / "rice-study"
            keep.mkdir(parents=True, exist_ok=True)
        study = Study(path, keep, arguments.size, arguments.epochs)
        print(
            f"{len(study.y)} pictures in {study.groups.max() + 1} groups of look-alikes "
            f"(largest {np.bincount(study.groups).max()}), {len(set(study.days))} days",
            flush=True,
        )
        study.measure_all(BASELINES, [*range(5), "all"])
        if arguments.full:
            study.measure_all(FULL, [*range(5), "all"])
        else:
            study.measure_all(QUICK, [0])
        report(path)


if __name__ == "__main__":
    main()

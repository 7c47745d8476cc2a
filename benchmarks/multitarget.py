"""Does a second target help the first? The whole net, fine-tuned for one, two and three targets.

Prints `value multitarget_disease_VARIANT MEAN MIN MAX N` and
`value multitarget_gain_VARIANT MEAN LOW HIGH N`, the gain over one target with its 95 % interval.
HELPERS_DATA names the folder with the rice photographs (paddy-small, or the whole competition) and
weights.

With --full each net's row is written to data/multitarget.csv as soon as it is measured, and a run
that was stopped goes on where it was: most of an hour on two cores. The quick form trains on
smaller pictures, for fewer epochs and seeds, and writes no file: it shows that all works, and
roughly how far the nets come.

The nets of one seed begin alike, see the same batches in the same order, and differ in the weights
of the losses alone. Seed n holds out part n mod 5 of five parts that keep look-alikes together.
"""

import tempfile
import time
import warnings
from pathlib import Path

import common
import numpy as np
import pandas as pd
import torch
from sklearn.metrics import balanced_accuracy_score

from helpers.data.paddy import look_alikes, paddy, thumbnails
from helpers.ensemble import folds
from helpers.multitarget import ClassTarget, NumberTarget, Targets, corrected_t_interval
from helpers.train import evaluate
from helpers.vision import Net, PictureBatches, fine_tune

STORE = Path(__file__).resolve().parent.parent / "data" / "multitarget.csv"
KEY = ["data", "arch", "size", "epochs", "targets", "seed"]
SCORES = ["disease", "variety", "variety_balanced", "age"]
COLUMNS = [*KEY, *SCORES, "valid", "seconds"]
ARCH = "vit_tiny_patch16_224"
BATCH = 32
# weights of the losses of disease, variety and age
VARIANTS = {
    "disease": (1, 0, 0),
    "disease + variety": (1, 1, 0),
    "disease + variety + age": (1, 1, 1),
}


def parts(rice, seed):
    "Rows for training and rows held out."
    fold = folds(rice.y, look_alikes(thumbnails(rice.pictures)))
    train = np.flatnonzero(fold != seed % 5)
    if len(train) % BATCH == 1:
        train = train[:-1]  # batch norm cannot learn from a batch of one row
    return train, np.flatnonzero(fold == seed % 5)


def run(
    rice,
    weights,  # of the losses of disease, variety and age
    seed,
    size,  # side of the pictures, in pixels
    epochs,  # with all layers, after one with the head alone
):
    "One net: its scores on the part held out."
    train, valid = parts(rice, seed)
    ages = rice.table.age.to_numpy()
    varieties = np.searchsorted(rice.varieties, rice.table.variety.to_numpy(str))
    targets = Targets(
        disease=ClassTarget(len(rice.labels)),
        variety=ClassTarget(len(rice.varieties)),
        age=NumberTarget(ages[train].mean(), ages[train].std()),
    )
    y = targets.pack(disease=rice.y, variety=varieties, age=ages)
    torch.manual_seed(seed)
    net = Net(ARCH, targets.width, size)
    start = time.perf_counter()
    options = dict(bs=BATCH, size=size, mean=net.mean, std=net.std)
    batches = PictureBatches(
        rice.pictures[train], y[train], augment=True, shuffle=True, seed=seed, **options
    )
    held_out = PictureBatches(rice.pictures[valid], y[valid], **options)
    loss = targets.weighted(**dict(zip(targets.targets, weights, strict=True)))
    fine_tune(net, batches, epochs, slice(4e-3), loss=loss, metrics=targets.metrics)
    scores = evaluate(net, held_out, targets, targets.metrics)
    return {
        "disease": round(scores["disease accuracy"], 4),
        "variety": round(scores["variety accuracy"], 4),
        "variety_balanced": round(balanced(net, held_out, targets, varieties[valid]), 4),
        "age": round(scores["age error"], 4),
        "valid": len(valid),
        "seconds": round(time.perf_counter() - start, 1),
    }


@torch.no_grad()
def balanced(net, held_out, targets, varieties):
    "Mean accuracy over the varieties."
    net.eval()
    outputs = torch.cat([net(xb).cpu() for xb, _ in held_out])
    predicted = targets.split(outputs)["variety"].argmax(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variety may be missing on the part held out
        return balanced_accuracy_score(varieties, predicted)


def measure(path, rice, arguments):
    "A row for each seed and variant; those that are there are skipped."
    rows = common.Rows(path, COLUMNS, KEY)
    for seed in range(arguments.seeds):
        for targets, weights in VARIANTS.items():
            row = {
                "data": rice.name,
                "arch": ARCH,
                "size": arguments.size,
                "epochs": arguments.epochs,
                "targets": targets,
                "seed": seed,
            }
            if row in rows:
                continue
            row |= run(rice, weights, seed, arguments.size, arguments.epochs)
            rows.add(row)
            print(", ".join(f"{name} {row[name]}" for name in COLUMNS), flush=True)


def report(path, arguments):
    "The lines with the disease's accuracy, and with the gain of each further target."
    table = pd.read_csv(path)
    table = table[table.seed < arguments.seeds]
    scores = table.pivot(index="seed", columns="targets", values="disease")
    for targets in VARIANTS:
        name = targets.replace(" + ", "_")
        common.print_value(f"multitarget_disease_{name}", scores[targets].tolist())
    for targets in list(VARIANTS)[1:]:
        name = targets.replace(" + ", "_")
        gain, low, high = corrected_t_interval(scores[targets] - scores["disease"])
        print(f"value multitarget_gain_{name} {gain:+.4f} {low:+.4f} {high:+.4f} {len(scores)}")


def main():
    parser = common.parser(__doc__)
    parser.set_defaults(size=32, epochs=1)
    parser.add_argument("--seeds", type=int, default=3, help="seeds, two or more")
    arguments = common.parse(parser, size=64, epochs=3, seeds=10)
    if arguments.seeds < 2:
        parser.error("--seeds starts at 2: an interval needs two differences")
    rice = paddy(arguments.size + 16, least=30)
    if rice.name != "Paddy Doctor":
        raise SystemExit(
            "This study is of the real photographs; HELPERS_DATA should name the folder "
            "that holds paddy-small."
        )
    with tempfile.TemporaryDirectory() as scratch:
        path = STORE if arguments.full else Path(scratch) / STORE.name
        measure(path, rice, arguments)
        report(path, arguments)


if __name__ == "__main__":
    main()

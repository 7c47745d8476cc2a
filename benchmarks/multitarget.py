"""Does a second target help the first? The whole net, fine-tuned for one, two and three targets of the rice photographs.

Writes data/multitarget.csv, a row for each net as it is measured, and goes on where it stopped. Prints
`value multitarget_disease_VARIANT MEAN MIN MAX N` and `value multitarget_gain_VARIANT MEAN LOW HIGH N`, the gain over one target with its
95 % interval. HELPERS_DATA names the folder with paddy-small (or the whole competition) and weights.

The nets of one seed begin alike, see the same batches in the same order, and differ in the weights of the losses alone. Seed n holds out part
n mod 5 of five parts that keep look-alikes together.
"""
import argparse
import csv
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold

from helpers.images import look_alikes, paddy, thumbnails
from helpers.multitarget import Classes, Number, Targets, paired_interval
from helpers.train import evaluate
from helpers.vision import Net, PictureBatches, fine_tune

VARIANTS = {'disease': (1, 0, 0), 'disease + variety': (1, 1, 0), 'disease + variety + age': (1, 1, 1)}
STORE = Path(__file__).resolve().parent.parent/'data'/'multitarget.csv'
FIELDS = ['data', 'arch', 'size', 'epochs', 'targets', 'seed', 'disease', 'variety', 'variety_balanced', 'age', 'valid', 'seconds']


def run(rice, weights, seed, arch, size, epochs, lr=4e-3):
    "One net: its scores on the part held out."
    groups = look_alikes(thumbnails(rice.pictures))
    train, valid = list(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(rice.y, rice.y, groups))[seed % 5]
    train = train[:len(train) - (len(train) % 32 == 1)]  # batch norm cannot learn from a batch of one row
    ages, varieties = rice.table.age.to_numpy(), np.searchsorted(rice.varieties, rice.table.variety.to_numpy(str))
    targets = Targets(disease=Classes(len(rice.labels)), variety=Classes(len(rice.varieties)), age=Number(ages[train].mean(), ages[train].std()))
    y = targets.pack(disease=rice.y, variety=varieties, age=ages)
    torch.manual_seed(seed)
    net, start = Net(arch, targets.width, size), time.perf_counter()
    how = dict(bs=32, size=size, mean=net.mean, std=net.std)
    batches, held_out = PictureBatches(rice.pictures[train], y[train], augment=True, shuffle=True, seed=seed, **how), PictureBatches(rice.pictures[valid], y[valid], **how)
    fine_tune(net, batches, epochs, slice(lr), loss=targets.weighted(**dict(zip(targets.targets, weights))), metrics=targets.metrics)
    found = evaluate(net, held_out, targets, targets.metrics)
    net.eval()
    with torch.no_grad(): said = torch.cat([targets.split(net(xb))['variety'].argmax(1).cpu() for xb, _ in held_out])
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # a variety may be missing on the part held out
        balanced = balanced_accuracy_score(varieties[valid], said)
    return dict(disease=found['disease accuracy'], variety=found['variety accuracy'], variety_balanced=balanced, age=found['age error'], valid=len(valid), seconds=round(time.perf_counter() - start, 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--arch', default='vit_tiny_patch16_224')
    parser.add_argument('--size', type=int, default=64)
    parser.add_argument('--epochs', type=int, default=3)
    parser.add_argument('--seeds', type=int, default=10)
    options = parser.parse_args()
    rice = paddy(options.size + 16, least=30)
    rows = list(csv.DictReader(STORE.open())) if STORE.exists() else []
    def like(row, targets, seed): return (row['data'], row['arch'], row['size'], row['epochs'], row['targets'], row['seed']) == (rice.name, options.arch, str(options.size), str(options.epochs), targets, str(seed))
    for seed in range(options.seeds):
        for name, weights in VARIANTS.items():
            if any(like(row, name, seed) for row in rows): continue
            scores = run(rice, weights, seed, options.arch, options.size, options.epochs)
            rows.append({field: str(value) for field, value in dict(data=rice.name, arch=options.arch, size=options.size, epochs=options.epochs, targets=name, seed=seed, **{k: round(v, 4) for k, v in scores.items()}).items()})
            with STORE.open('w', newline='') as file:
                writer = csv.DictWriter(file, FIELDS, lineterminator='\n')
                writer.writeheader()
                writer.writerows(rows)
            print(rows[-1], flush=True)
    scores = {name: np.array([float(row['disease']) for seed in range(options.seeds) for row in rows if like(row, name, seed)]) for name in VARIANTS}
    for name, values in scores.items(): print('value multitarget_disease_' + name.replace(' + ', '_'), *(f'{value:.4f}' for value in (values.mean(), values.min(), values.max())), len(values))
    for name, values in list(scores.items())[1:]:
        gain, low, high = paired_interval(values - scores['disease'])
        print('value multitarget_gain_' + name.replace(' + ', '_'), f'{gain:+.4f} {low:+.4f} {high:+.4f}', len(values))


if __name__ == '__main__': main()

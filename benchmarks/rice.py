"""The rice photographs, measured at length: two small nets frozen, fine-tuned and from random weights, their TTA and their ensemble, over three kinds of folds.

Every row is appended to data/rice.csv as soon as it is measured; rows that are there are skipped, so a run that was stopped goes on where it was.
Predictions are kept in the cache (folder rice-study), for the ensembles and for the rows with fold = all, which pool the five folds; their columns low and
high are a 95 % interval that draws whole groups of look-alikes (whole days for the day folds). Prints the table, and lines
`value rice_WHAT_NET_SPLIT MEAN MIN MAX N` over the folds. HELPERS_DATA names the folder with paddy-small and weights. Most of two hours on two cores.
"""
import argparse
import csv
import statistics
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from helpers.ensemble import average, folds, interval, predict, together, tta
from helpers.images import look_alikes, paddy, thumbnails
from helpers.settings import best_device, settings
from helpers.vision import Net, PictureBatches, fine_tune

CSV = Path(__file__).resolve().parent.parent/'data'/'rice.csv'
COLUMNS = ['net', 'split', 'fold', 'seed', 'what', 'accuracy', 'n', 'low', 'high', 'size', 'epochs', 'device', 'versions', 'date']
RATES = {'vit_tiny_patch16_224': slice(4e-4, 4e-3), 'mobilenetv2_100': slice(1e-3, 1e-2)}  # from a few trials, scored on one random fold
ITEM, SIZE, EPOCHS = 144, 128, 5  # side of the decoded pictures, of what the net sees; epochs with all layers, after one with the head alone
RECIPES = {'fine-tuned': dict(), 'frozen head': dict(epochs=0, frozen_epochs=EPOCHS + 1), 'from scratch': dict(lr=2e-3, epochs=EPOCHS + 1, frozen_epochs=0)}
VIT, MOBILE = RATES
JOBS = [('fine-tuned', VIT, 'look-alikes'), ('fine-tuned', MOBILE, 'look-alikes'), ('fine-tuned', VIT, 'random'), ('fine-tuned', VIT, 'days'), ('frozen head', VIT, 'look-alikes'),
        ('from scratch', VIT, 'look-alikes'), ('frozen head', MOBILE, 'look-alikes'), ('from scratch', MOBILE, 'look-alikes'), ('fine-tuned', MOBILE, 'random'), ('fine-tuned', MOBILE, 'days')]


class Study:
    "Pictures, labels and folds; what has been measured; predictions that are kept."
    def __init__(self, seed=0):
        self.rice, self.seed = paddy(ITEM, least=100), seed
        if self.rice.name != 'Paddy Doctor': raise SystemExit('This study is of the real photographs; HELPERS_DATA should name the folder that holds paddy-small.')
        table = self.rice.table
        self.y, self.days = self.rice.y, (table.variety + ' ' + table.age.astype(str)).to_numpy()
        self.keep = settings().cache/'rice-study'
        self.keep.mkdir(parents=True, exist_ok=True)
        self.features = {arch: self.kept(f'features {arch}', lambda arch=arch: predict(frozen(arch), self.rice.pictures, activation=torch.nn.Identity())) for arch in RATES}
        vectors = self.features[MOBILE]
        self.groups = together(look_alikes(thumbnails(self.rice.pictures)), look_alikes(vectors - vectors.mean(0), .75))
        self.folds = {'random': folds(self.y, seed=seed), 'look-alikes': folds(self.y, self.groups, seed=seed), 'days': folds(self.y, self.days, seed=seed)}
        self.measured = set()
        if CSV.exists(): self.measured = {(row.net, row.split, str(row.fold), int(row.seed), row.what) for row in pd.read_csv(CSV, dtype=str, keep_default_na=False).itertuples()}

    def kept(self, name, make):
        "A tensor from the cache, or made and kept there."
        path = self.keep/f'{name} {self.seed}.npy'.replace(' ', '_')
        if not path.exists(): np.save(path, make().numpy())
        return torch.from_numpy(np.load(path))

    def parts(self, split, fold):
        held = torch.from_numpy(self.folds[split] == fold)
        return (~held).nonzero()[:, 0], held.nonzero()[:, 0]

    def row(self, net, split, fold, what, predicted, rows, epochs=''):
        "Score and append, unless that row is there."
        if (net, split, str(fold), self.seed, what) in self.measured: return
        right = (predicted.argmax(1) == self.y[rows]).numpy()
        ids = (self.days if split == 'days' else self.groups)[rows.numpy()]
        low, high = [f'{value:.4f}' for value in interval(right, ids)[1:]] if len(set(ids)) > 1 else ('', '')  # a fold may hold a single day
        device = best_device()
        values = [net, split, fold, self.seed, what, f'{right.mean():.4f}', len(rows), low, high, SIZE, epochs,
                  torch.cuda.get_device_name() if device.type == 'cuda' else f'CPU, {torch.get_num_threads()} threads', versions(), date.today().isoformat()]
        fresh = not CSV.exists()
        with CSV.open('a', newline='') as file: csv.writer(file, lineterminator='\n').writerows([COLUMNS]*fresh + [values])
        self.measured.add((net, split, str(fold), self.seed, what))
        print(f'{what:20} {net:22} {split:12} fold {fold}: {right.mean():.4f}  ({low} to {high}, {len(rows)} pictures)', flush=True)

    def pooled(self, net, split, what, parts, epochs=''):
        "The row that pools the folds, from predictions of each."
        rows = torch.cat([self.parts(split, fold)[1] for fold in range(5)])
        self.row(net, split, 'all', what, torch.cat(parts), rows, epochs)


def frozen(arch):
    "A pretrained net that gives its pooled features."
    net = Net(arch, 3, SIZE)
    net.head = net.head[0]
    return net


def versions():
    import timm
    return f'torch {torch.__version__.split("+")[0]}, timm {timm.__version__}'


def quick(study):
    "What needs no training of a net: the largest class, variety and age, logistic regression on frozen features."
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn.tree import DecisionTreeClassifier
    table, y = study.rice.table, study.y.numpy()
    learners = {('', 'majority'): (None, np.zeros((len(y), 1))),
                ('', 'variety and age'): (lambda: make_pipeline(OneHotEncoder(handle_unknown='ignore'), DecisionTreeClassifier(random_state=0)), table[['variety', 'age']].to_numpy(str))}
    learners |= {(arch, 'logistic regression'): (lambda: make_pipeline(StandardScaler(), LogisticRegression(C=.01, max_iter=500)), vectors.numpy()) for arch, vectors in study.features.items()}
    for split in study.folds:
        for (net, what), (make, x) in learners.items():
            found = []
            for fold in range(5):
                train, held = [rows.numpy() for rows in study.parts(split, fold)]
                if make is None: chances = np.tile(np.bincount(y[train], minlength=3)/len(train), (len(held), 1))
                else: chances = make().fit(x[train], y[train]).predict_proba(x[held])
                found.append(torch.from_numpy(chances))
                study.row(net, split, fold, what, found[-1], torch.from_numpy(held))
            study.pooled(net, split, what, found)


def trained(study, what, arch, split, fold):
    "Probabilities of a net for the fold held out, plain and by TTA."
    train, held = study.parts(split, fold)
    torch.manual_seed(study.seed)
    net = Net(arch, len(study.rice.labels), SIZE, pretrained=what != 'from scratch')
    batches = PictureBatches(study.rice.pictures[train], study.y[train], 32, SIZE, augment=True, shuffle=True, seed=study.seed, mean=net.mean, std=net.std)
    fine_tune(net, batches, **dict(lr=RATES[arch], epochs=EPOCHS) | RECIPES[what])
    pictures = study.rice.pictures[held]
    return torch.stack([predict(net, pictures), tta(net, pictures, seed=study.seed)])


def long(study):
    "Nets, job by job; the ensemble of both as soon as both are there."
    for what, arch, split in JOBS:
        found = []
        for fold in range(5):
            start = time.time()
            found.append(study.kept(f'{what} {arch} {split} {fold}', lambda: trained(study, what, arch, split, fold)))
            held = study.parts(split, fold)[1]
            study.row(arch, split, fold, what, found[-1][0], held, EPOCHS)
            if what == 'fine-tuned': study.row(arch, split, fold, 'TTA', found[-1][1], held, EPOCHS)
            if time.time() - start > 1: print(f'  {time.time() - start:.0f} s', flush=True)
        study.pooled(arch, split, what, [part[0] for part in found], EPOCHS)
        if what == 'fine-tuned': study.pooled(arch, split, 'TTA', [part[1] for part in found], EPOCHS)
        ensemble(study, split)


def ensemble(study, split):
    "Mean probabilities of the two fine-tuned nets, plain and by TTA, on the folds that both have done."
    for form, what in enumerate(('ensemble', 'ensemble, TTA')):
        found = []
        for fold in range(5):
            paths = [study.keep/f'fine-tuned {arch} {split} {fold} {study.seed}.npy'.replace(' ', '_') for arch in RATES]
            if not all(path.exists() for path in paths): return
            found.append(average([torch.from_numpy(np.load(path))[form] for path in paths]))
            study.row('both', split, fold, what, found[-1], study.parts(split, fold)[1], EPOCHS)
        study.pooled('both', split, what, found, EPOCHS)


def table():
    "The rows that pool the folds, and a line for each with the spread over the folds."
    rows = pd.read_csv(CSV, keep_default_na=False)
    print('\n95 % intervals by drawing whole groups; accuracy pooled over five folds')
    for (what, net, split), part in rows.groupby(['what', 'net', 'split'], sort=False):
        pooled, by_fold = part[part.fold == 'all'], part[part.fold != 'all'].accuracy
        if len(pooled): print(f'{what:20} {net:22} {split:12} {pooled.accuracy.iloc[0]:.4f}  {pooled.low.iloc[0]} to {pooled.high.iloc[0]}')
        name = '_'.join(filter(None, [what, net, split])).replace(' ', '_').replace(',', '').replace('-', '_')
        print(f'value rice_{name} {statistics.mean(by_fold):.4f} {min(by_fold):.4f} {max(by_fold):.4f} {len(by_fold)}', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='only what needs no training of a net (two minutes)')
    parser.add_argument('--table', action='store_true', help='only print what is there')
    arguments = parser.parse_args()
    if not arguments.table:
        study = Study()
        print(f'{len(study.y)} pictures in {study.groups.max() + 1} groups of look-alikes (largest {np.bincount(study.groups).max()}), {len(set(study.days))} days', flush=True)
        quick(study)
        if not arguments.quick: long(study)
    table()


if __name__ == '__main__': main()

"""An epoch of pictures as normalised float batches: the course beside fastai's ImageDataLoaders and torchvision's ImageFolder.

Prints `ratio NAME MEDIAN MIN MAX` for each comparison of times per picture (ours divided by theirs, round by round), for pictures of
224 x 224 pixels and, with 128 in the name, of 128 x 128: `image_epoch_vs_fastai` and `image_epoch_vs_imagefolder` with our cache of
decoded pictures in place, as it is from the second epoch on; `image_cold_vs_imagefolder` and `image_cold_vs_fastai` with it deleted
first, as it is once. HELPERS_DATA names the folder with the rice photographs; without it the rendered leaves are read.

All start from the same JPEG files, squeeze each to the same square, and give shuffled batches of 64, normalised with ImageNet's means.
All else is left as each has it: fastai loads with as many workers as there are cores, torchvision's DataLoader with none; a line also
shows fastai without, and torchvision with two. Nothing is augmented. The operating system has the files in its memory after the warm-up.
"""
import argparse
import os
import shutil
import statistics
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import torch

from helpers.images import decoded, paddy
from helpers.settings import settings
from helpers.vision import PictureBatches

MEAN, STD = (.485, .456, .406), (.229, .224, .225)


def forget():
    "Delete the decoded pictures of the benchmark's own cache."
    shutil.rmtree(settings().cache/'decoded', ignore_errors=True)


@contextmanager
def own_cache():
    "A cache for the benchmark alone: the learner's is left as it is."
    before = os.environ.get('HELPERS_SETTINGS')
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder)/'settings.ini').write_text('[learner]\n')
        os.environ['HELPERS_SETTINGS'] = f'{folder}/settings.ini'
        try: yield
        finally: os.environ.pop('HELPERS_SETTINGS') if before is None else os.environ.update(HELPERS_SETTINGS=before)


def ours(table, y, size, bs=64):
    "A function that delivers an epoch: finds the decoded pictures, or decodes them, and hands out batches."
    def epoch():
        pictures, _ = decoded(list(table.path), (size, size))
        return PictureBatches(pictures, y, bs, shuffle=True, mean=MEAN, std=STD, device='cpu')
    return epoch


def fastai(table, y, size, bs=64, **loading):
    "The same with `ImageDataLoaders.from_df` and its defaults; the last, incomplete batch is kept, as the others keep it."
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        from fastai.vision.augment import Resize
        from fastai.vision.data import ImageDataLoaders, Normalize
    files = table.assign(path=table.path.map(str), held_back=table.index == 0)[['path', 'label', 'held_back']]
    dls = ImageDataLoaders.from_df(files, '/', valid_col='held_back', item_tfms=Resize(size, method='squish'), batch_tfms=Normalize.from_stats(MEAN, STD), bs=bs, device=torch.device('cpu'), **loading)
    loader = dls.train.new(drop_last=False)
    return lambda: loader


def imagefolder(table, y, size, bs=64, **loading):
    "The same with torchvision's `ImageFolder` and PyTorch's `DataLoader`."
    from torch.utils.data import DataLoader, Subset
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import Compose, Normalize, Resize, ToTensor
    files = ImageFolder(table.path[0].parents[1], Compose([Resize((size, size)), ToTensor(), Normalize(MEAN, STD)]))
    wanted = set(map(str, table.path))
    rows = [row for row, (path, _) in enumerate(files.samples) if path in wanted]
    loader = DataLoader(Subset(files, rows), batch_size=bs, shuffle=True, **loading)
    return lambda: loader


def deliver(epoch):
    "Pictures of an epoch and the seconds it took; the batches are checked for what they are."
    count, start = 0, time.perf_counter()
    for xb, yb in epoch():
        count += len(yb)
    seconds = time.perf_counter() - start
    assert xb.dtype == torch.float32 and xb.shape[1] == 3 and xb.min() < -.5, 'no normalised float pictures'
    return count, seconds


def compare(table, y, size, rounds):
    "Seconds per 1,000 pictures in each round, by the loader's name."
    runs = {'ours': ours(table, y, size), 'fastai': fastai(table, y, size), 'imagefolder': imagefolder(table, y, size),
            'fastai without workers': fastai(table, y, size, num_workers=0), 'imagefolder with 2 workers': imagefolder(table, y, size, num_workers=2)}
    for run in runs.values(): deliver(run)  # warms up
    seconds = {name: [] for name in ('ours, cold', *runs)}
    for _ in range(rounds):
        forget()
        for name, times in seconds.items():
            count, passed = deliver(runs[name.removesuffix(', cold')])
            assert count in (len(table), len(table) - 1), f'{name}: {count} pictures'  # fastai holds one back
            times.append(1_000*passed/count)
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=5, help='timed rounds (default 5)')
    parser.add_argument('--sizes', type=int, nargs='+', default=[224, 128], help='sides of the pictures in pixels (default 224 128)')
    parser.add_argument('--pictures', type=int, help='read only so many (default all)')
    parser.add_argument('--threads', type=int, default=1, help='threads of PyTorch, for all alike (default 1)')
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rice = paddy(size=32)
    table = rice.table[:arguments.pictures].reset_index(drop=True)
    y = rice.y[:len(table)]
    print(f'torch {torch.__version__}, {os.cpu_count()} core(s), {arguments.threads} thread(s), {arguments.rounds} rounds, batches of 64, {len(table):,} pictures: {rice.name}')
    for size in arguments.sizes:
        mark = '' if size == 224 else f'_{size}'
        with own_cache(): seconds = compare(table, y, size, arguments.rounds)
        print(f'pictures per second at {size} x {size}:', ', '.join(f'{name} {1_000/statistics.median(values):,.0f}' for name, values in seconds.items()))
        for name, mine, other in (('image_epoch_vs_fastai', 'ours', 'fastai'), ('image_epoch_vs_imagefolder', 'ours', 'imagefolder'), ('image_cold_vs_imagefolder', 'ours, cold', 'imagefolder'),
                                  ('image_cold_vs_fastai', 'ours, cold', 'fastai'), ('image_epoch_vs_fastai_0_workers', 'ours', 'fastai without workers'), ('image_epoch_vs_imagefolder_2_workers', 'ours', 'imagefolder with 2 workers')):
            shares = [a/b for a, b in zip(seconds[mine], seconds[other])]
            print(f'ratio {name}{mark} {statistics.median(shares):.3f} {min(shares):.3f} {max(shares):.3f}', flush=True)


if __name__ == '__main__': main()

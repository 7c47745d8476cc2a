"""An epoch of pictures as normalised float batches: the course, fastai and torchvision in one run.

Prints `ratio NAME MEDIAN MIN MAX` for each comparison of times (ours divided by theirs, round by
round), for pictures of 224 x 224 pixels and, with 128 in the name, of 128 x 128.
`image_epoch_vs_fastai` and `image_epoch_vs_imagefolder` have our cache of decoded pictures in
place, as it is from the second epoch on. `image_cold_vs_imagefolder` and `image_cold_vs_fastai`
delete it first and decode again, as happens once. HELPERS_DATA names the folder with the rice
photographs; without it the rendered leaves are read.

All start from the same JPEG files, squeeze each to the same square, and give shuffled batches of
64, normalised with ImageNet's means. All else is left as each has it: fastai's
`ImageDataLoaders` loads with as many workers as there are cores, PyTorch's `DataLoader` over
torchvision's `ImageFolder` with none; a line also shows fastai without, and torchvision with two.
Nothing is augmented. The operating system has the files in its memory after the warm-up.
The quick form reads 500 pictures: so few make the start of fastai's workers weigh more.
"""

import os
import shutil
import tempfile
import warnings
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import common
import pandas as pd
import torch

from helpers.course.settings import settings
from helpers.data.paddy import decoded, paddy
from helpers.vision import PictureBatches

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
COMPARISONS = {  # name of the ratio: whose times are divided by whose
    "image_epoch_vs_fastai": ("ours", "fastai"),
    "image_epoch_vs_imagefolder": ("ours", "imagefolder"),
    "image_cold_vs_imagefolder": ("ours, cold", "imagefolder"),
    "image_cold_vs_fastai": ("ours, cold", "fastai"),
    "image_epoch_vs_fastai_0_workers": ("ours", "fastai without workers"),
    "image_epoch_vs_imagefolder_2_workers": ("ours", "imagefolder with 2 workers"),
}


def forget():
    "Delete the decoded pictures of the benchmark's own cache."
    shutil.rmtree(settings().cache / "decoded", ignore_errors=True)


@contextmanager
def own_cache():
    "A cache for the benchmark alone: the learner's is left as it is."
    before = os.environ.get("HELPERS_SETTINGS")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.ini"
        path.write_text("[learner]\n")
        os.environ["HELPERS_SETTINGS"] = str(path)
        try:
            yield
        finally:
            del os.environ["HELPERS_SETTINGS"]
            if before is not None:
                os.environ["HELPERS_SETTINGS"] = before


def ours(table, y, size, bs=64):
    "A function that delivers an epoch: finds the decoded pictures, or decodes them, and batches."

    def epoch():
        pictures, _ = decoded(list(table.path), (size, size))
        return PictureBatches(pictures, y, bs, shuffle=True, mean=MEAN, std=STD, device="cpu")

    return epoch


def fastai(table, y, size, bs=64, **loading):
    "The same with fastai's `ImageDataLoaders.from_df` and its defaults."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastai.vision.augment import Resize
        from fastai.vision.data import ImageDataLoaders, Normalize
    files = table.assign(path=table.path.map(str), held_back=False)
    validation = files.iloc[:1].assign(held_back=True)  # fastai wants one; training has all
    files = pd.concat([files, validation], ignore_index=True)[["path", "label", "held_back"]]
    loaders = ImageDataLoaders.from_df(
        files,
        "/",
        valid_col="held_back",
        item_tfms=Resize(size, method="squish"),
        batch_tfms=Normalize.from_stats(MEAN, STD),
        bs=bs,
        device=torch.device("cpu"),
        **loading,
    )
    loader = loaders.train.new(drop_last=False)  # the others keep the last batch too
    return lambda: loader


def imagefolder(table, y, size, bs=64, **loading):
    "The same with torchvision's `ImageFolder` and PyTorch's `DataLoader`."
    from torch.utils.data import DataLoader, Subset
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import Compose, Normalize, Resize, ToTensor

    prepare = Compose([Resize((size, size)), ToTensor(), Normalize(MEAN, STD)])
    files = ImageFolder(table.path[0].parents[1], prepare)
    paths = set(table.path.map(str))
    rows = [row for row, (path, _) in enumerate(files.samples) if path in paths]
    loader = DataLoader(Subset(files, rows), batch_size=bs, shuffle=True, **loading)
    return lambda: loader


def deliver(epoch, pictures):
    "Go through an epoch; the batches are checked for what they are."
    count = 0
    for batch in epoch():
        xb, yb = batch
        count += len(yb)
    assert count == pictures, f"{count} pictures in place of {pictures}"
    assert xb.dtype == torch.float32, "no float pictures"
    assert xb.shape[1] == 3 and xb.min() < -0.5, "no normalised pictures"


def deliver_cold(epoch, pictures):
    "Delete what is decoded (one or two hundredths of the time), then go through an epoch."
    forget()
    deliver(epoch, pictures)


def compare(table, y, size, rounds):
    "Seconds of an epoch in each round, by the loader's name."
    epochs = {
        "ours": ours(table, y, size),
        "fastai": fastai(table, y, size),
        "imagefolder": imagefolder(table, y, size),
        "fastai without workers": fastai(table, y, size, num_workers=0),
        "imagefolder with 2 workers": imagefolder(table, y, size, num_workers=2),
    }
    runs = {name: partial(deliver, epoch, len(table)) for name, epoch in epochs.items()}
    runs["ours, cold"] = partial(deliver_cold, epochs["ours"], len(table))
    with own_cache():
        return common.rounds(runs, rounds)


def main():
    parser = common.parser(__doc__)
    common.add_timing(parser, rounds=3)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[224, 128], help="sides in pixels (224 128)"
    )
    parser.add_argument("--pictures", type=int, default=500, help="read only so many; 0: all")
    arguments = common.parse(parser, rounds=5, pictures=0)
    torch.set_num_threads(arguments.threads)
    rice = paddy(size=32)
    table = rice.table
    if arguments.pictures:
        table = table[: arguments.pictures].reset_index(drop=True)
    y = rice.y[: len(table)]
    print(
        f"torch {torch.__version__}, {os.cpu_count()} core(s), {arguments.threads} thread(s), "
        f"batches of 64, {len(table):,} pictures: {rice.name}"
    )
    for size in arguments.sizes:
        times = compare(table, y, size, arguments.rounds)
        speeds = len(table) / pd.DataFrame(times)
        common.print_medians(f"pictures per second at {size} x {size}", speeds, digits=0)
        suffix = "" if size == 224 else f"_{size}"
        for name, (numerator, denominator) in COMPARISONS.items():
            common.print_ratio(name + suffix, times[numerator], times[denominator])


if __name__ == "__main__":
    main()

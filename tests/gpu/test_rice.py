"`train` for the rice plants: split, accumulation, files, out of memory, and two processes."

import weakref

import numpy as np
import pandas as pd
import pytest
import torch

import helpers.gpu.rice
from helpers.data.paddy import Paddy, look_alikes, thumbnails
from helpers.gpu.memory import OutOfMemory
from helpers.gpu.rice import train
from helpers.vision import load_net, predict

BODY = dict(arch="test_resnet", size=32, pretrained=False)


def plants(n=90, seed=0):
    "Patterns of blocks with a colour for each disease; every third is a copy of the one before."
    generator = torch.Generator().manual_seed(seed)
    blocks = torch.randint(150, (n, 3, 4, 4), generator=generator)
    pictures = blocks.repeat_interleave(8, 2).repeat_interleave(8, 3)
    names = ("blast", "hispa", "tungro")
    labels = np.array(names)[np.arange(n) // 3 % 3]
    for colour, name in enumerate(names):
        pictures[labels == name, colour] += 100
    pictures[2::3] = pictures[1::3]
    pictures = pictures.to(torch.uint8)
    ids = [f"{k}.jpg" for k in range(n)]
    table = pd.DataFrame(dict(image_id=ids, label=labels, variety="ADT45", age=60, path=""))
    empty = pd.DataFrame(dict(image_id=[], path=[]))
    return Paddy(table, pictures, empty, pictures[:0], empty, "stand-in leaves", "a test")


def held_out(data, seed):
    return train(**BODY, data=data, epochs=0, finetune=False, seed=seed).valid


def test_look_alikes_stay_on_one_side():
    data = plants()
    groups = look_alikes(thumbnails(data.pictures))
    for seed in range(3):
        held = held_out(data, seed)
        rest = np.setdiff1d(np.arange(90), held)
        assert not set(groups[rest]) & set(groups[held])
        assert len(data.y[held].unique()) == 3
        assert 12 <= len(held) <= 24
    assert not torch.equal(held_out(data, 0), held_out(data, 1))


def test_train_learns_and_gives_back(tmp_path, capsys):
    data = plants()
    path = tmp_path / "net.safetensors"
    trained = train(**BODY, data=data, epochs=3, bs=16, accum=2, seed=0, save=path)
    assert trained.labels == data.labels == ["blast", "hispa", "tungro"]
    assert len(trained.history.valid) == 4
    n = len(trained.valid)
    assert trained.probabilities.shape == (n, 3)
    assert torch.allclose(trained.probabilities.sum(1), torch.ones(n))
    assert torch.equal(trained.y, data.y[trained.valid])
    assert trained.accuracy > 0.6
    assert trained.seconds > 0
    assert "held back" in repr(trained)
    assert not trained.net.training
    again = load_net(path)
    probabilities = predict(again, data.pictures[trained.valid])
    assert torch.allclose(probabilities, trained.probabilities, atol=1e-5)
    assert again.labels == data.labels
    assert capsys.readouterr().out == ""


def test_parts_and_update(monkeypatch):
    "64 // accum pictures at a time, an update after 64."
    calls = []

    def fit_on(accelerator, net, batches, *args, rows, **options):
        calls.append((batches.bs, rows, len(batches.y)))

    monkeypatch.setattr(helpers.gpu.rice, "fit_on", fit_on)
    valid = torch.arange(20)
    for accum in (1, 2, 4, 64):
        train(**BODY, data=plants(), accum=accum, finetune=False, valid=valid)
    assert calls == [(64, 64, 70), (32, 64, 70), (16, 64, 70), (1, 64, 70)]


def test_without_fine_tuning_all_layers_learn_from_the_start():
    trained = train(**BODY, data=plants(), epochs=1, bs=16, finetune=False, seed=0, lr=1e-3)
    assert len(trained.history.valid) == 1 and not trained.net.frozen


def test_item_says_how_pictures_are_decoded(monkeypatch):
    calls = []

    def paddy(size, method):
        calls.append((size, method))
        return plants()

    monkeypatch.setattr(helpers.gpu.rice, "paddy", paddy)
    for item in (None, 480, (480, 640), (480, "crop"), ((480, 640), "pad")):
        train(**BODY, item=item, epochs=0, finetune=False)
    assert calls == [
        (32, "squish"),
        (480, "squish"),
        ((480, 640), "squish"),
        (480, "crop"),
        ((480, 640), "pad"),
    ]


@pytest.mark.parametrize("accum", [0, 65])
def test_bad_accum(accum):
    with pytest.raises(ValueError, match="from 1 to 64"):
        train(**BODY, data=plants(), accum=accum)


def test_out_of_memory_says_what_fits(monkeypatch):
    kept = []

    def run_out(net, *args, **kwargs):
        kept.append(weakref.ref(net))
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(helpers.gpu.rice, "fine_tune", run_out)
    with pytest.raises(OutOfMemory, match="memory is free again. By the planner accum=2 fits"):
        train(**BODY, data=plants())
    assert kept[0]() is None, "nothing of the failed run is left"
    monkeypatch.setattr(helpers.gpu.rice, "fewest_parts", lambda *args, **kwargs: None)
    with pytest.raises(
        OutOfMemory, match="not even one picture at a time fits: choose a smaller model or smaller"
    ):
        train(**BODY, data=plants())

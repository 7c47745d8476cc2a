"`train` for the rice plants: split, accumulation, files, out of memory, and two processes."

import numpy as np
import pandas as pd
import pytest
import torch

import helpers.gpu.rice
from helpers.data.paddy import Paddy, look_alikes, thumbnails
from helpers.gpu.memory import OutOfMemory
from helpers.gpu.rice import hold_back, probabilities, train
from helpers.vision import load_net

BODY = dict(arch="test_resnet", size=32, pretrained=False)


def plants(n=90, seed=0):
    "Patterns of blocks with a colour for each disease; every third is a copy of the one before."
    generator = torch.Generator().manual_seed(seed)
    pictures = (
        torch.randint(150, (n, 3, 4, 4), generator=generator)
        .repeat_interleave(8, 2)
        .repeat_interleave(8, 3)
    )
    labels = np.array(["blast", "hispa", "tungro"])[np.arange(n) // 3 % 3]
    for k, name in enumerate(("blast", "hispa", "tungro")):
        pictures[labels == name, k] += 100
    pictures[2::3] = pictures[1::3]
    table = pd.DataFrame(
        dict(
            image_id=[f"{k}.jpg" for k in range(n)], label=labels, variety="ADT45", age=60, path=""
        )
    )
    empty = pd.DataFrame(dict(image_id=[], path=[]))
    return Paddy(
        table,
        pictures.to(torch.uint8),
        empty,
        pictures[:0].to(torch.uint8),
        empty,
        "stand-in leaves",
        "a test",
    )


def test_look_alikes_stay_on_one_side():
    data = plants()
    for seed in range(3):
        rows, held = hold_back(data, seed)
        groups = look_alikes(thumbnails(data.pictures))
        assert not set(groups[rows]) & set(groups[held]) and sorted(
            [*rows.tolist(), *held.tolist()]
        ) == list(range(90))
        assert len(data.y[held].unique()) == 3 and 12 <= len(held) <= 24
    assert not torch.equal(hold_back(data, 0)[1], hold_back(data, 1)[1])


def test_train_learns_and_gives_back(tmp_path, capsys):
    data = plants()
    trained = train(
        **BODY, data=data, epochs=3, bs=16, accum=2, seed=0, save=tmp_path / "net.safetensors"
    )
    assert (
        trained.labels == data.labels == ["blast", "hispa", "tungro"]
        and len(trained.history.valid) == 4
    )
    assert trained.probabilities.shape == (len(trained.valid), 3) and torch.allclose(
        trained.probabilities.sum(1), torch.ones(len(trained.valid))
    )
    assert (
        torch.equal(trained.y, data.y[trained.valid])
        and trained.accuracy > 0.6
        and trained.seconds > 0
        and "held back" in repr(trained)
    )
    again = load_net(tmp_path / "net.safetensors")
    assert (
        torch.allclose(
            probabilities(again, data.pictures[trained.valid]), trained.probabilities, atol=1e-5
        )
        and again.labels == data.labels
    )
    assert capsys.readouterr().out == ""


def test_parts_and_update(monkeypatch):
    "64 // accum pictures at a time, an update after 64."
    seen = []
    monkeypatch.setattr(
        helpers.gpu.rice,
        "fit",
        lambda net, batches, *args, **how: seen.append((batches.bs, how["accum"], len(batches.y))),
    )
    valid = torch.arange(20)
    for accum in (1, 2, 4, 64):
        train(**BODY, data=plants(), accum=accum, finetune=False, valid=valid)
    assert seen == [(64, 64, 70), (32, 64, 70), (16, 64, 70), (1, 64, 70)]


def test_without_fine_tuning_all_layers_learn_from_the_start():
    trained = train(**BODY, data=plants(), epochs=1, bs=16, finetune=False, seed=0, lr=1e-3)
    assert len(trained.history.valid) == 1 and not trained.net.frozen


def test_item_says_how_pictures_are_decoded(monkeypatch):
    asked = []
    monkeypatch.setattr(
        helpers.gpu.rice, "paddy", lambda size, method: asked.append((size, method)) or plants()
    )
    for item in (None, 480, (480, 640), (480, "crop"), ((480, 640), "pad")):
        train(**BODY, item=item, epochs=0, finetune=False)
    assert asked == [
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
    def run_out(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(helpers.gpu.rice, "fine_tune", run_out)
    with pytest.raises(OutOfMemory, match="memory is free again. By the planner accum=2 fits"):
        train(**BODY, data=plants())
    monkeypatch.setattr(helpers.gpu.rice, "smallest_accum", lambda *args, **kwargs: None)
    with pytest.raises(OutOfMemory, match="not even one picture"):
        train(**BODY, data=plants())

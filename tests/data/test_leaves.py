"Rendered leaves in the competition's layout, repeatable, with frames of a plant; textures."

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from helpers.data import leaves
from helpers.data.leaves import render_paddy, textures
from helpers.data.paddy import DISEASES, look_alikes, thumbnails


@pytest.fixture(scope="module")
def paddy(tmp_path_factory):
    "A folder of 240 and 40 pictures, and the truth about them."
    folder = tmp_path_factory.mktemp("leaves") / "there" / "paddy"
    return folder, render_paddy(folder, train=240, test=40)


def pictures(folder, rows):
    "uint8 [n, 3, height, width] of rows of the training part."
    images = []
    for row in rows.itertuples():
        path = folder / "train_images" / row.label / row.image_id
        images.append(torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1))
    return torch.stack(images)


def files(folder):
    "Name to content."
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def names(folder):
    return {path.name for path in folder.iterdir()}


# The layout


def test_layout(paddy):
    folder, truth = paddy
    tables = {"train.csv", "sample_submission.csv", "plants.csv"}
    assert names(folder) == {*tables, "train_images", "test_images"}
    text = (folder / "train.csv").read_text()
    assert text.startswith("image_id,label,variety,age\n1")
    text = (folder / "sample_submission.csv").read_text()
    assert text.startswith("image_id,label\n200001.jpg,\n200002.jpg,\n")
    train = pd.read_csv(folder / "train.csv")
    sample = pd.read_csv(folder / "sample_submission.csv")
    assert train.columns.tolist() == ["image_id", "label", "variety", "age"]
    assert sample.columns.tolist() == ["image_id", "label"]
    assert sample.label.isna().all()
    assert sorted(train.image_id) == [f"{n}.jpg" for n in range(100_001, 100_241)]
    assert sample.image_id.tolist() == [f"{n}.jpg" for n in range(200_001, 200_041)]
    assert names(folder / "train_images") == set(DISEASES)
    for disease, rows in train.groupby("label"):
        assert names(folder / "train_images" / disease) == set(rows.image_id)
    assert names(folder / "test_images") == set(sample.image_id)
    assert set(train.variety) <= set(leaves._VARIETIES)
    assert train.age.between(45, 82).all()
    same = train.merge(truth, on=["image_id", "label", "variety", "age"])
    assert len(same) == 240


def test_every_picture_is_a_portrait_of_96_by_128(paddy):
    for path in paddy[0].rglob("*.jpg"):
        with Image.open(path) as picture:
            assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (96, 128))


def test_counts():
    "As many as asked for, of each disease its share; of all ten varieties at most 40 %."
    rows = leaves._plan(600, np.random.default_rng(0))
    assert len(rows) == 600 and set(rows.label) == set(DISEASES)
    assert rows.label.value_counts().between(36, 84).all()
    shares = rows.variety.value_counts(normalize=True)
    assert len(shares) == 10 and shares.max() < 0.4


def test_shares_and_varieties():
    assert sum(leaves._SHARES.values()) == pytest.approx(1)
    assert list(leaves._SHARES) == sorted(DISEASES)
    assert len(leaves._VARIETIES) == len(leaves._VARIETY_SHARES) == 10


# Repeatable, and whole or not there


def test_a_seed_gives_the_same_files(paddy, tmp_path):
    folder, _ = paddy
    render_paddy(tmp_path / "again", seed=0, train=240, test=40)
    assert files(folder) == files(tmp_path / "again")


def test_another_seed_gives_others(tmp_path):
    one = render_paddy(tmp_path / "one", seed=0, train=40, test=0)
    two = render_paddy(tmp_path / "two", seed=1, train=40, test=0)
    assert not one.equals(two)
    differ = pictures(tmp_path / "one", one[:3]) != pictures(tmp_path / "two", two[:3])
    assert differ.float().mean() > 0.5


def test_the_number_of_threads_is_left_alone(tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        textures(18, 16)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_does_not_touch_the_global_seed(tmp_path):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    render_paddy(tmp_path / "paddy", train=20, test=0)
    textures(18, 16)
    assert torch.equal(before, torch.get_rng_state())


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", stop)
    with pytest.raises(KeyboardInterrupt):
        render_paddy(tmp_path / "paddy", train=20, test=5)
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_folder_that_is_there(tmp_path):
    with pytest.raises(FileExistsError, match="Delete it"):
        render_paddy(tmp_path)
    assert list(tmp_path.iterdir()) == []


# Plants


def test_a_third_of_the_pictures_are_frames_of_a_plant():
    rows = leaves._plan(2_000, np.random.default_rng(0))
    frames = rows.groupby("plant").plant.transform("size")
    assert 0.25 < (frames > 1).mean() < 0.42
    assert frames.max() == 4
    assert (rows.groupby("plant")[["label", "variety", "age"]].nunique() == 1).all(axis=None)


def test_plants_of_training_and_test_are_others(paddy):
    folder, truth = paddy
    assert not set(truth.plant[truth.set == "train"]) & set(truth.plant[truth.set == "test"])
    assert pd.read_csv(folder / "plants.csv").equals(truth[["image_id", "plant"]])


def test_frames_are_alike_and_found(paddy):
    "Frames correlate far more than others do; `look_alikes` finds most of them, and little else."
    folder, truth = paddy
    train = truth[truth.set == "train"].reset_index(drop=True)
    vectors = thumbnails(pictures(folder, train))
    correlation = np.corrcoef(vectors.numpy())
    plant = train.plant.to_numpy()
    pairs = np.triu(np.ones((240, 240), bool), 1)  # each once
    frames = (plant[:, None] == plant) & pairs
    others = (plant[:, None] != plant) & pairs
    assert correlation[frames].mean() > 0.96
    assert correlation[others].mean() < 0.75
    group = look_alikes(vectors)
    grouped = group[:, None] == group
    assert grouped[frames].mean() > 0.7
    assert grouped[others].mean() < 0.005


# What is planted can be seen


def test_diseases_differ_in_colour(paddy):
    "Tungro is the reddest; normal leaves are greener than it."
    folder, truth = paddy
    train = truth[truth.set == "train"]
    redness = {}
    for name in ("tungro", "normal", "hispa"):
        leaf = pictures(folder, train[train.label == name]).float()
        redness[name] = (leaf[:, 0] - leaf[:, 1]).mean().item()
    assert redness["tungro"] > redness["normal"] + 10
    assert redness["tungro"] > redness["hispa"] + 10


def brown_part(reaction, monkeypatch):
    "Part of the pixels that are brown, on eight plants of a variety that reacts so."
    variety = leaves._VARIETIES["ADT45"]._replace(reaction=reaction)
    monkeypatch.setitem(leaves._VARIETIES, "ADT45", variety)
    row = list(leaves._VARIETIES).index("ADT45")
    rng = torch.Generator().manual_seed(0)
    picture = leaves._plants("brown_spot", [row] * 8, [60] * 8, rng)
    return (picture[:, 0] > picture[:, 1] * 1.2).float().mean().item()


def test_a_disease_looks_otherwise_on_another_variety(monkeypatch):
    "Everything else alike, a stronger reaction has larger spots."
    assert brown_part(0.9, monkeypatch) > 1.15 * brown_part(-0.9, monkeypatch)


# Textures


def test_textures():
    pictures, kinds = textures(200, 32)
    assert pictures.shape == (200, 3, 32, 32)
    assert (pictures.dtype, kinds.dtype) == (torch.uint8, torch.int64)
    assert torch.equal(kinds.bincount(), torch.full((20,), 10))
    assert not torch.equal(kinds, kinds.sort().values)
    assert (pictures.float().std((1, 2, 3)) > 8).all()


def test_a_seed_gives_the_same_textures():
    pictures, kinds = textures(50, 32, seed=1)
    same_pictures, same_kinds = textures(50, 32, seed=1)
    other_pictures, _ = textures(50, 32, seed=2)
    assert torch.equal(pictures, same_pictures)
    assert torch.equal(kinds, same_kinds)
    assert not torch.equal(pictures, other_pictures)


def test_warm_and_cold_textures():
    "Where red exceeds blue most, it does so by more in the warm kind of a pattern."
    pictures, kinds = textures(600, 32)
    red = pictures[:, 0].float()
    blue = pictures[:, 2].float()
    smooth = F.avg_pool2d(red - blue, 3).flatten(1)
    warmth = smooth.quantile(0.95, dim=1)
    means = torch.stack([warmth[kinds == kind].mean() for kind in range(20)])
    assert (means[:10] > means[10:] + 15).all(), means


def test_a_few_textures():
    pictures, kinds = textures(5, 16)
    assert pictures.shape == (5, 3, 16, 16) and len(kinds) == 5

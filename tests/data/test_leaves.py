"Rendered leaves: the competition's layout, repeatable, frames of a plant alike; textures of 20 kinds."

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import helpers.data.leaves
from helpers.data.leaves import render_paddy, textures
from helpers.data.paddy import DISEASES, look_alikes, thumbnails


@pytest.fixture(scope="module")
def paddy(tmp_path_factory):
    "A folder of 240 and 40 pictures, and the truth about them."
    folder = tmp_path_factory.mktemp("leaves") / "there" / "paddy"
    return folder, render_paddy(folder, train=240, test=40)


def pictures(folder, rows):
    "uint8 [n, 3, height, width] of rows of the training part."
    return torch.stack(
        [
            torch.from_numpy(
                np.array(Image.open(folder / "train_images" / row.label / row.image_id))
            ).permute(2, 0, 1)
            for row in rows.itertuples()
        ]
    )


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# The layout


def test_layout(paddy):
    folder, truth = paddy
    assert {path.name for path in folder.iterdir()} == {
        "train.csv",
        "sample_submission.csv",
        "plants.csv",
        "train_images",
        "test_images",
    }
    assert {path.name for path in (folder / "train_images").iterdir()} == set(DISEASES)
    train, sample = pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "sample_submission.csv")
    assert (
        train.columns.tolist() == ["image_id", "label", "variety", "age"]
        and sample.columns.tolist() == ["image_id", "label"]
        and sample.label.isna().all()
    )
    assert (folder / "train.csv").read_text().startswith("image_id,label,variety,age\n1") and (
        folder / "sample_submission.csv"
    ).read_text().startswith("image_id,label\n200001.jpg,\n200002.jpg,\n")
    assert sorted(train.image_id) == [
        f"{n}.jpg" for n in range(100_001, 100_241)
    ] and sample.image_id.tolist() == [f"{n}.jpg" for n in range(200_001, 200_041)]
    assert {
        path.relative_to(folder / "train_images").as_posix()
        for path in (folder / "train_images").rglob("*.jpg")
    } == {f"{row.label}/{row.image_id}" for row in train.itertuples()}
    assert (
        sorted(path.name for path in (folder / "test_images").iterdir()) == sample.image_id.tolist()
    )
    assert (
        set(train.variety) <= set(helpers.data.leaves._VARIETIES)
        and train.age.between(45, 82).all()
    )
    merged = train.merge(truth, on="image_id", suffixes=("", "_true"))
    assert (
        len(merged) == 240
        and (merged.label == merged.label_true).all()
        and (merged.variety == merged.variety_true).all()
        and (merged.age == merged.age_true).all()
    )


def test_every_picture_is_a_portrait_of_96_by_128(paddy):
    for path in paddy[0].rglob("*.jpg"):
        with Image.open(path) as picture:
            assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (96, 128))


def test_counts():
    "As many as asked for, of each disease its share; all ten varieties, the commonest at most 40 %."
    rows = helpers.data.leaves._plan(600, np.random.default_rng(0))
    assert len(rows) == 600 and set(rows.label) == set(DISEASES)
    assert rows.label.value_counts().between(36, 84).all()
    shares = rows.variety.value_counts(normalize=True)
    assert len(shares) == 10 and shares.max() < 0.4


def test_shares_and_varieties():
    assert (
        sum(helpers.data.leaves._SHARES.values()) == pytest.approx(1)
        and list(helpers.data.leaves._SHARES) == sorted(DISEASES)
        and len(helpers.data.leaves._VARIETIES) == 10
    )


# Repeatable, and whole or not there


def test_a_seed_gives_the_same_files(paddy, tmp_path):
    assert files(paddy[0]) == files_of(tmp_path / "again", 0)


def files_of(folder, seed):
    render_paddy(folder, seed, train=240, test=40)
    return files(folder)


def test_another_seed_gives_others(tmp_path):
    one, two = (render_paddy(tmp_path / str(seed), seed, train=40, test=0) for seed in (0, 1))
    assert not one.equals(two)
    assert (
        pictures(tmp_path / "0", one[:3]) != pictures(tmp_path / "1", two[:3])
    ).float().mean() > 0.5


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
    rows = helpers.data.leaves._plan(2_000, np.random.default_rng(0))
    frames = rows.groupby("plant").plant.transform("size")
    assert 0.25 < (frames > 1).mean() < 0.42 and frames.max() == 4
    assert (rows.groupby("plant")[["label", "variety", "age"]].nunique() == 1).all(axis=None)


def test_plants_of_training_and_test_are_others(paddy):
    folder, truth = paddy
    assert not set(truth.plant[truth.set == "train"]) & set(truth.plant[truth.set == "test"])
    assert pd.read_csv(folder / "plants.csv").equals(truth[["image_id", "plant"]])


def test_frames_are_alike_and_found(paddy):
    "Frames correlate far more than others do, without being equal; `look_alikes` finds most of them, and hardly any that are none."
    folder, truth = paddy
    train = truth[truth.set == "train"].reset_index(drop=True)
    vectors = thumbnails(pictures(folder, train))
    flat = torch.nn.functional.normalize(vectors - vectors.mean(1, keepdim=True))
    close, plant = (flat @ flat.T).numpy(), train.plant.to_numpy()
    same, upper = plant[:, None] == plant, np.triu(np.ones((240, 240), bool), 1)
    assert close[same & upper].mean() > 0.96 > 0.75 > close[~same & upper].mean()
    group = look_alikes(vectors)
    found = group[:, None] == group
    assert found[same & upper].mean() > 0.7
    assert found[~same & upper].mean() < 0.005


# What is planted can be seen


def test_diseases_differ_in_colour(paddy):
    "Tungro is the reddest; normal leaves are greener than it."
    folder, truth = paddy
    red = {
        name: (lambda p: (p[:, 0] - p[:, 1]).mean().item())(
            pictures(folder, truth[(truth.set == "train") & (truth.label == name)]).float()
        )
        for name in ("tungro", "normal", "hispa")
    }
    assert red["tungro"] > red["normal"] + 10 and red["tungro"] > red["hispa"] + 10


def test_a_disease_looks_otherwise_on_another_variety():
    "Everything else alike, a stronger reaction has larger spots."
    names = list(helpers.data.leaves._VARIETIES)
    look = helpers.data.leaves._VARIETIES["ADT45"]
    brown = {}
    for reaction in (-0.9, 0.9):
        helpers.data.leaves._VARIETIES["ADT45"] = (*look[:-1], reaction)
        try:
            picture = helpers.data.leaves._plants(
                "brown_spot", [names.index("ADT45")] * 8, [60] * 8, torch.Generator().manual_seed(0)
            )
        finally:
            helpers.data.leaves._VARIETIES["ADT45"] = look
        brown[reaction] = (picture[:, 0] > picture[:, 1] * 1.2).float().mean().item()
    assert brown[0.9] > 1.15 * brown[-0.9]


# Textures


def test_textures():
    pictures, kinds = textures(200, 32)
    assert (
        pictures.shape == (200, 3, 32, 32)
        and pictures.dtype == torch.uint8
        and kinds.dtype == torch.int64
    )
    assert torch.equal(kinds.bincount(), torch.full((20,), 10)) and not torch.equal(
        kinds, kinds.sort().values
    )
    assert (pictures.float().std((1, 2, 3)) > 8).all()
    assert all(
        torch.equal(a, b) for a, b in zip(textures(50, 32, 1), textures(50, 32, 1))
    ) and not torch.equal(textures(50, 32, 1)[0], textures(50, 32, 2)[0])


def test_warm_and_cold_textures():
    "Of each pattern there is a warm kind and a cold one: red exceeds blue by more in the warm one, where it does so most."
    pictures, kinds = textures(600, 32)
    warmth = (
        torch.nn.functional.avg_pool2d(pictures[:, 0].float() - pictures[:, 2].float(), 3)
        .flatten(1)
        .quantile(0.95, dim=1)
    )
    means = torch.stack([warmth[kinds == kind].mean() for kind in range(20)])
    assert (means[:10] > means[10:] + 15).all(), means


def test_a_few_textures():
    pictures, kinds = textures(5, 16)
    assert pictures.shape == (5, 3, 16, 16) and len(kinds) == 5

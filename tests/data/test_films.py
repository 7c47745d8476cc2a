"""Ratings: both editions of MovieLens read right, or a stand-in that says so.

The archive is downloaded with every fault.
"""

import hashlib
import io
import itertools
import zipfile

import file_server
import numpy as np
import pandas as pd
import pytest
from file_server import switches

import helpers.data.films
from helpers.data.films import movielens, stand_in_ratings
from helpers.data.find import DataUnavailable

# A small MovieLens 100k: ten ratings, three films, one title twice, a letter that is not ASCII.
PAIRS = itertools.product((7, 3, 5, 1, 2), (1, 3))
TABLE = [(user, item, 1 + (user + item) % 5, 880_000_000 + user) for user, item in PAIRS]
GENRES = ["unknown", "Action", "Children's"]
TITLES = ["Misérables, Les (1995)", "Nobody rated this (1990)", "Misérables, Les (1995)"]
FLAGS = ["1|0|0", "0|1|0", "0|0|1"]


def tabs(rows):
    lines = ["\t".join(map(str, row)) for row in rows]
    return "\n".join(lines) + "\n"


def small_files():
    "Name to content."
    genres = [f"{name}|{n}" for n, name in enumerate(GENRES)]
    films = []
    for n, (title, flags) in enumerate(zip(TITLES, FLAGS), start=1):
        films.append(f"{n}|{title}|01-Jan-1995||http://example.org|{flags}")
    texts = {
        "u.data": tabs(TABLE),
        "u.genre": "\n".join(genres) + "\n\n",
        "u.item": "\n".join(films) + "\n",
    }
    for n in range(5):
        texts[f"u{n + 1}.test"] = tabs(TABLE[2 * n : 2 * n + 2])
    return {name: text.encode("latin-1") for name, text in texts.items()}


FILES = small_files()


def archive(files, folder="ml-100k"):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as out:
        for name, data in files.items():
            out.writestr(f"{folder}/{name}", data)
    return content.getvalue()


@pytest.fixture
def grouplens(server, monkeypatch):
    "The server, offering the small MovieLens as an archive."
    checksums = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    monkeypatch.setattr(helpers.data.films, "_ADDRESS", server.mirror())
    monkeypatch.setitem(helpers.data.films._FILES, "100k", ("ml-100k", checksums))
    monkeypatch.setitem(file_server.FILES, "ml-100k.zip", archive(FILES))
    return server


def check_small(films):
    assert films.name == "MovieLens 100k"
    assert films.truth is None
    assert (films.low, films.high) == (1, 5)
    assert films.ratings.to_numpy().tolist() == [list(row) for row in TABLE]
    assert films.ratings.rating.dtype == float
    assert films.titles.to_dict() == dict(enumerate(TITLES, start=1))
    assert films.genres.columns.tolist() == GENRES
    assert films.genres.to_numpy().tolist() == np.eye(3, dtype=bool).tolist()
    assert len(films.folds) == 5
    for n, (train, test) in enumerate(films.folds):
        assert test.tolist() == [2 * n, 2 * n + 1]
        assert sorted([*train, *test]) == list(range(10))


def test_archive_is_fetched_once_and_unpacked(grouplens, tmp_path, capsys):
    films = movielens()
    check_small(films)
    assert grouplens.asked == ["/first/ml-100k.zip"]
    folder = tmp_path / "data" / "cache" / "ml-100k"
    names = {path.name for path in folder.iterdir()}
    assert names == set(FILES), "the archive and its parts are swept"
    assert films.source.startswith("download from")
    assert films.folder == folder
    again = movielens()
    check_small(again)
    assert again.source == "cache"
    assert len(grouplens.asked) == 1
    last_line = capsys.readouterr().out.splitlines()[-1]
    assert last_line == "MovieLens 100k: 10 ratings of 2 films by 5 users (cache)"


def test_data_folder_comes_first(grouplens, tmp_path, monkeypatch):
    folder = tmp_path / "mine" / "ml-100k"
    folder.mkdir(parents=True)
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    monkeypatch.setenv("HELPERS_DATA", str(tmp_path / "mine"))
    films = movielens()
    check_small(films)
    assert films.source == "data folder"
    assert grouplens.asked == []


def test_what_is_missing_is_fetched(grouplens, tmp_path):
    movielens()
    (tmp_path / "data" / "cache" / "ml-100k" / "u3.test").write_bytes(b"spoilt")
    check_small(movielens())
    assert len(grouplens.asked) == 2


DAMAGED = {
    "no archive": b"no archive at all",
    "other files": archive({"u.data": b"x"}),
    "another content": archive({**FILES, "u.item": b"1|other"}),
    "cut off": archive(FILES)[:400],
    "another folder": archive(FILES, "elsewhere"),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_archive(grouplens, tmp_path, monkeypatch, content):
    switches(tmp_path, monkeypatch, offline="require-real")
    monkeypatch.setitem(file_server.FILES, "ml-100k.zip", content)
    with pytest.raises(DataUnavailable, match="wrong checksum"):
        movielens()
    left = {path.name for path in (tmp_path / "data" / "cache" / "ml-100k").iterdir()}
    assert left <= set(FILES) and "u.item" not in left
    monkeypatch.setitem(file_server.FILES, "ml-100k.zip", archive(FILES))
    check_small(movielens())


@pytest.mark.parametrize("fault", ["404", "cut", "silent", "drip"])
def test_network_fault_gives_the_stand_in_with_a_word(grouplens, tmp_path, capsys, fault):
    grouplens.faults["ml-100k.zip"] = fault
    films = movielens()
    assert films.name == "stand-in ratings"
    assert "ml-100k.zip" in films.note
    assert "Put these files into the folder" in films.note
    assert "MovieLens itself was not to be had" in capsys.readouterr().out
    folder = tmp_path / "data" / "cache" / "ml-100k"
    assert list(folder.iterdir()) == []


def test_unknown_variant():
    with pytest.raises(ValueError, match="100k, latest-small"):
        movielens("25m")


# The stand-in


@pytest.mark.parametrize("variant", ["100k", "latest-small"])
def test_stand_in_has_the_form_of_its_variant(variant):
    films = stand_in_ratings(variant)
    table = films.ratings
    assert not table.duplicated(["user", "item"]).any()
    assert set(table.item) <= set(films.titles.index)
    assert films.titles.index.equals(films.genres.index)
    assert films.titles.nunique() < len(films.titles), "a few titles belong to two ids"
    assert films.genres.to_numpy().dtype == bool
    step = 1 if variant == "100k" else 0.5
    assert sorted(table.rating.unique()) == list(np.arange(films.low, 5.1, step))
    if variant == "100k":
        tests = [test for _, test in films.folds]
        assert sorted(np.concatenate(tests)) == list(range(len(table)))
    else:
        assert films.folds == []
        assert films.titles.index.max() > 2 * len(films.titles), "ids have gaps"


def test_stand_in_is_always_the_same():
    first, second = stand_in_ratings(), stand_in_ratings()
    pd.testing.assert_frame_equal(first.ratings, second.ratings)
    assert not stand_in_ratings(seed=1).ratings.equals(first.ratings)


def test_planted_tastes_explain_the_ratings():
    films = stand_in_ratings()
    truth = films.truth
    user = films.ratings.user.to_numpy() - 1
    item = films.ratings.item.to_numpy() - 1
    fit = (truth["user_factors"][user] * truth["item_factors"][item]).sum(1)
    expected = truth["mean"] + truth["user_bias"][user] + truth["item_bias"][item] + fit
    inside = (expected > 2) & (expected < 4)  # where no rating is cut at an end of the scale
    residual = (films.ratings.rating - expected)[inside]
    rounding = 12**-0.5  # standard deviation of what is lost by rounding to whole stars
    assert abs(residual.std() - np.hypot(truth["noise"], rounding)) < 0.05


# The real ones


def test_real_100k(real_data):
    films = movielens()
    table = films.ratings
    assert (len(table), table.user.nunique(), table.item.nunique()) == (100_000, 943, 1682)
    assert (films.titles.nunique(), len(films.genres.columns)) == (1664, 19)
    assert films.titles[543] == "Misérables, Les (1995)"
    assert abs(table.rating.mean() - 3.52986) < 1e-9
    tests = [test for _, test in films.folds]
    assert [len(test) for test in tests] == [20_000] * 5
    assert len(np.unique(np.concatenate(tests))) == 100_000
    published = pd.read_csv(films.folder / "u1.base", sep="\t", names=table.columns)
    train, _ = films.folds[0]
    columns = ["user", "item", "rating"]
    ours = table.iloc[train][columns].to_numpy().tolist()
    assert sorted(ours) == sorted(published[columns].to_numpy(float).tolist())


def test_real_latest_small(real_data):
    films = movielens("latest-small")
    table = films.ratings
    assert (len(table), table.user.nunique(), table.item.nunique()) == (100_836, 610, 9724)
    assert len(films.titles) == 9742
    assert films.genres.shape == (9742, 19)
    assert films.genres.loc[1].sum() == 5
    assert (films.low, films.high) == (0.5, 5)

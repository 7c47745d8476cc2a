"Ratings: both editions of MovieLens read right, found, downloaded as an archive with every fault, or replaced by a stand-in that says so."

import hashlib
import io
import zipfile

import file_server
import numpy as np
import pandas as pd
import pytest
from file_server import switches

import helpers.data.films
from helpers.data.films import movielens, stand_in_ratings
from helpers.data.find import DataUnavailable

# A small MovieLens 100k: ten ratings, three films, one title twice and with a letter that is not ASCII.
TABLE = [
    (user, item, 1 + (user + item) % 5, 880_000_000 + user)
    for user in (7, 3, 5, 1, 2)
    for item in (1, 3)
]
GENRES = ["unknown", "Action", "Children's"]
TITLES = ["Misérables, Les (1995)", "Nobody rated this (1990)", "Misérables, Les (1995)"]
FILES = {
    "u.data": "\n".join("\t".join(map(str, row)) for row in TABLE) + "\n",
    "u.genre": "\n".join(f"{name}|{n}" for n, name in enumerate(GENRES)) + "\n\n",
    "u.item": "".join(
        f"{n + 1}|{title}|01-Jan-1995||http://example.org|{'|'.join('01'[k == n] for k in range(3))}\n"
        for n, title in enumerate(TITLES)
    ),
    **{
        f"u{n + 1}.test": "\n".join("\t".join(map(str, row)) for row in TABLE[2 * n : 2 * n + 2])
        + "\n"
        for n in range(5)
    },
}
FILES = {name: text.encode("latin-1") for name, text in FILES.items()}


def archive(files, folder="ml-100k"):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as out:
        for name, data in files.items():
            out.writestr(f"{folder}/{name}", data)
    return content.getvalue()


@pytest.fixture
def grouplens(server, monkeypatch):
    "The server, offering the small MovieLens as an archive."
    monkeypatch.setattr(helpers.data.films, "_ADDRESS", server.mirror())
    monkeypatch.setitem(
        helpers.data.films._FILES,
        "100k",
        ("ml-100k", {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}),
    )
    monkeypatch.setitem(file_server.FILES, "ml-100k.zip", archive(FILES))
    return server


def check_small(films):
    assert (
        films.name == "MovieLens 100k" and films.truth is None and (films.low, films.high) == (1, 5)
    )
    assert films.ratings[["user", "item"]].to_numpy().tolist() == [list(row[:2]) for row in TABLE]
    assert (
        films.ratings.rating.tolist() == [row[2] for row in TABLE]
        and films.ratings.rating.dtype == float
    )
    assert films.titles.to_dict() == dict(enumerate(TITLES, start=1))
    assert (
        films.genres.columns.tolist() == GENRES
        and films.genres.to_numpy().tolist() == np.eye(3, dtype=bool).tolist()
    )
    assert [test.tolist() for _, test in films.folds] == [[2 * n, 2 * n + 1] for n in range(5)]
    assert all(sorted([*train, *test]) == list(range(10)) for train, test in films.folds)


def test_archive_is_fetched_once_and_unpacked(grouplens, tmp_path, capsys):
    films = movielens()
    check_small(films)
    assert grouplens.asked == ["/first/ml-100k.zip"]
    folder = tmp_path / "data" / "cache" / "ml-100k"
    assert {path.name for path in folder.iterdir()} == set(FILES), (
        "the archive and its parts are swept"
    )
    assert films.source.startswith("download from") and films.folder == folder
    check_small(again := movielens())
    assert again.source == "cache" and len(grouplens.asked) == 1
    assert (
        capsys.readouterr().out.splitlines()[-1]
        == "MovieLens 100k: 10 ratings of 2 films by 5 users (cache)"
    )


def test_data_folder_comes_first(grouplens, tmp_path, monkeypatch):
    (tmp_path / "mine" / "ml-100k").mkdir(parents=True)
    for name, data in FILES.items():
        (tmp_path / "mine" / "ml-100k" / name).write_bytes(data)
    monkeypatch.setenv("HELPERS_DATA", str(tmp_path / "mine"))
    check_small(films := movielens())
    assert films.source == "data folder" and grouplens.asked == []


def test_what_is_missing_is_fetched(grouplens, tmp_path):
    movielens()
    (tmp_path / "data" / "cache" / "ml-100k" / "u3.test").write_bytes(b"spoilt")
    check_small(movielens())
    assert len(grouplens.asked) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no archive at all", "wrong checksum"),
        (archive({"u.data": b"x"}), "wrong checksum"),
        (archive({**FILES, "u.item": b"1|other"}), "wrong checksum"),
        (archive(FILES)[:400], "wrong checksum"),
        (archive(FILES, "elsewhere"), "wrong checksum"),
    ],
)
def test_damaged_archive(grouplens, tmp_path, monkeypatch, content, words):
    switches(tmp_path, monkeypatch, offline="require-real")
    monkeypatch.setitem(file_server.FILES, "ml-100k.zip", content)
    with pytest.raises(DataUnavailable, match=words):
        movielens()
    left = {path.name for path in (tmp_path / "data" / "cache" / "ml-100k").iterdir()}
    assert left <= set(FILES) and "u.item" not in left
    monkeypatch.setitem(file_server.FILES, "ml-100k.zip", archive(FILES))
    check_small(movielens())


@pytest.mark.parametrize("fault", ["404", "cut", "silent", "drip"])
def test_network_fault_gives_the_stand_in_with_a_word(grouplens, tmp_path, capsys, fault):
    grouplens.faults["ml-100k.zip"] = fault
    films = movielens()
    assert (
        films.name == "stand-in ratings"
        and "ml-100k.zip" in films.note
        and "Put these files into the folder" in films.note
    )
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
    assert (
        not table.duplicated(["user", "item"]).any()
        and set(table.item) <= set(films.titles.index)
        and films.titles.index.equals(films.genres.index)
    )
    assert films.titles.nunique() < len(films.titles), (
        "a few titles belong to two ids, as in MovieLens"
    )
    assert films.genres.to_numpy().dtype == bool
    step = 1 if variant == "100k" else 0.5
    assert sorted(table.rating.unique()) == list(np.arange(films.low, 5.1, step))
    if variant == "100k":
        assert sorted(np.concatenate([test for _, test in films.folds])) == list(range(len(table)))
    else:
        assert films.folds == [] and films.titles.index.max() > 2 * len(films.titles), (
            "ids have gaps"
        )


def test_stand_in_is_always_the_same():
    first, second = stand_in_ratings(), stand_in_ratings()
    pd.testing.assert_frame_equal(first.ratings, second.ratings)
    assert not stand_in_ratings(seed=1).ratings.equals(first.ratings)


def test_planted_tastes_explain_the_ratings():
    films = stand_in_ratings()
    truth, table = films.truth, films.ratings
    user, item = table.user.to_numpy() - 1, table.item.to_numpy() - 1
    expected = (
        truth["mean"]
        + truth["user_bias"][user]
        + truth["item_bias"][item]
        + (truth["user_factors"][user] * truth["item_factors"][item]).sum(1)
    )
    inside = (expected > 2) & (expected < 4)
    assert abs((table.rating - expected)[inside].std() - np.hypot(truth["noise"], 12**-0.5)) < 0.05


# The real ones


def test_real_100k(real_data):
    films = movielens()
    table = films.ratings
    assert (
        len(table),
        table.user.nunique(),
        table.item.nunique(),
        films.titles.nunique(),
        len(films.genres.columns),
    ) == (100_000, 943, 1682, 1664, 19)
    assert (
        films.titles[543] == "Misérables, Les (1995)" and abs(table.rating.mean() - 3.52986) < 1e-9
    )
    assert [len(test) for _, test in films.folds] == [20_000] * 5 and len(
        np.unique(np.concatenate([test for _, test in films.folds]))
    ) == 100_000
    first = pd.read_csv(
        films.folder / "u1.base", sep="\t", names=["user", "item", "rating", "timestamp"]
    )
    ours = table.iloc[films.folds[0][0]]
    assert set(zip(first.user, first.item, first.rating)) == set(
        zip(ours.user, ours.item, ours.rating)
    )


def test_real_latest_small(real_data):
    films = movielens("latest-small")
    table = films.ratings
    assert (len(table), table.user.nunique(), table.item.nunique(), len(films.titles)) == (
        100_836,
        610,
        9724,
        9742,
    )
    assert (
        films.genres.shape == (9742, 19)
        and films.genres.loc[1].sum() == 5
        and (films.low, films.high) == (0.5, 5)
    )

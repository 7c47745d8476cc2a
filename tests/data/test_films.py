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
import torch.nn.functional as F
from file_server import switches

import helpers.data.films
from helpers.collab import DotProduct, RatingTable, load, save
from helpers.data.films import movielens, read_ratings, stand_in_ratings
from helpers.data.find import DataUnavailable
from helpers.optim import Adam
from helpers.recommend import recommend
from helpers.train import fit

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


# A file of one's own

CLUB = "user,item,rating\nann,Heat,4.5\nann,Up,3\nbob,Heat,1\n"
ROWS = [["ann", "Heat", 4.5], ["ann", "Up", 3.0], ["bob", "Heat", 1.0]]


def written(tmp_path, content):
    path = tmp_path / "club.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


LIKE_CLUB = {
    "as it is": CLUB,
    "no names": CLUB.partition("\n")[2],
    "a mark at the beginning, line ends of Windows": "\ufeff" + CLUB.replace("\n", "\r\n"),
    "tabs": CLUB.replace(",", "\t"),
    "semicolons and decimal commas": CLUB.replace(",", ";").replace("4.5", "4,5"),
    "semicolons and decimal commas, no names": "ann;Heat;4,5\nann;Up;3,0\nbob;Heat;1\n",
    "in quotation marks": CLUB.replace("Heat", '"Heat"').replace("4.5", '"4,5"'),
    "blanks, empty rows, no end of line": CLUB.replace(",", " , ").replace("\n", "\n\n").rstrip(),
    "other names, another order, one column more": (
        "Stars|when|Movie_ID|User ID\n4.5|1|Heat|ann\n3|2|Up|ann\n1|3|Heat|bob\n"
    ),
}


@pytest.mark.parametrize("content", LIKE_CLUB.values(), ids=LIKE_CLUB)
def test_forms_of_the_same_file(tmp_path, content):
    table = read_ratings(written(tmp_path, content))
    assert table.columns.tolist() == ["user", "item", "rating"]
    assert table.to_numpy().tolist() == ROWS
    assert table.index.tolist() == [0, 1, 2]


IDS = {
    "numbers": ("1,10,3\n2,10,4\n", [1, 2]),
    "one guest": ("1,10,3\nguest,10,4\n1,11,5\n", ["1", "guest", "1"]),
    "zeros in front": ("007,10,3\n7,10,4\n", ["007", "7"]),
    "a long number": ("12345678901234567890,10,3\n", ["12345678901234567890"]),
    "words that pandas takes for something else": ("NA,10,3\nTrue,10,4\n", ["NA", "True"]),
    "the separator in a name": ('"Doe, Ann",10,3\n', ["Doe, Ann"]),
    "one letter, two codes": ("Zo\u00eb,10,3\nZoe\u0308,11,4\n", ["Zo\u00eb", "Zo\u00eb"]),
}


@pytest.mark.parametrize(("content", "users"), IDS.values(), ids=IDS)
def test_ids_of_a_column_are_of_one_kind(tmp_path, content, users):
    assert read_ratings(written(tmp_path, content)).user.tolist() == users


REFUSED = {
    "empty": ("", "no rating"),
    "nothing but names": ("user,item,rating\n", "no rating"),
    "two columns": ("ann,5\nbob,4\n", "Row 1 has the columns ann, 5. Name three"),
    "unknown names": ("who,what,score\nann,Heat,5\n", "Row 1 has the columns who, what, score"),
    "four columns, no names": ("ann,Heat,4,5\n", "Row 1 has the columns ann, Heat, 4, 5"),
    "a name twice": ("user,item,film,rating\n1,2,3,4\n", "Row 1 names 2 columns for the item"),
    "no stars": (CLUB + "bob,Up,\n", "Row 5, column rating: '' is no number"),
    "a word": (CLUB + "\nbob,Up,good\n", "Row 6, column rating: 'good' is no number"),
    "not a number": (CLUB + "bob,Up,nan\n", "Row 5, column rating: 'nan'"),
    "nobody": (CLUB + ",Up,2\n", "Row 5, column user: there is no id"),
    "no film": (CLUB + "bob, ,2\n", "Row 5, column item: there is no id"),
    "too few columns": (CLUB + "bob,Up\n", "Row 5 has 2 columns instead of 3"),
    "too many columns": (CLUB + "bob,Up, or down,2\n", "Row 5 has 4 columns instead of 3"),
    "twice": (CLUB + "ann,Up,5\n", "Row 5, columns user and item: this pair stood before"),
    "a number with a point": ("1.0,Up,5\n1,Heat,4\n", "Row 1, column user: '1.0' is the number 1"),
    "Latin-1": ("ann,Up,3\nann,Am\xe9lie,3\n".encode("latin-1"), "Row 2 .* not in UTF-8"),
    "an open quotation mark": (CLUB + 'bob,"Up,2\n', "Row 5 .*quotation mark"),
    "a spreadsheet's own format": (b"PK\x03\x04\x14\x00\xff\xfe", "Row 1 .* not in UTF-8"),
}


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED)
def test_a_fault_is_refused_with_row_and_column(tmp_path, content, words):
    with pytest.raises(ValueError, match=words):
        read_ratings(written(tmp_path, content))


WAYS = {
    "text": CLUB,
    "numbers": "1,10,4.5\n1,11,3\n2,10,1\n",
    "mixed": "1,10,4.5\n1,x,3\nguest,10,1\n",
    "one user": "ann,Heat,4\nann,Up,3\n",
    "one rating": "ann,Heat,4\n",
}


@pytest.mark.parametrize("content", WAYS.values(), ids=WAYS)
def test_from_a_file_to_a_saved_model(tmp_path, content):
    table = read_ratings(written(tmp_path, content))
    data = RatingTable(table, low=0.5, high=5)
    model = DotProduct(len(data.users), len(data.items), 2, mean=table.rating.mean())
    batches = data.batches(range(len(table)), shuffle=True, seed=0)
    model = model.to(batches.device)
    fit(model, batches, Adam(model.parameters(), 1e-2), 2, F.mse_loss)
    last = data.users[-1]
    rated = set(table.item[table.user == last])
    assert set(recommend(model, data, last).index) == set(table.item) - rated
    save(tmp_path / "club.pt", model, data)
    again, users, items = load(tmp_path / "club.pt")
    assert users.tolist() == data.users.tolist()
    assert items.tolist() == data.items.tolist()
    expected = model.eval().cpu()(data.x)
    assert again(data.x).tolist() == expected.tolist()

"Adult and the Rossmann sales: read right, found or asked for, or a stand-in that says so."

import hashlib
from dataclasses import replace

import file_server
import numpy as np
import pandas as pd
import pytest
from file_server import switches

from helpers.data import tables
from helpers.data.find import DataUnavailable
from helpers.data.tables import adult, rossmann, stand_in_incomes, stand_in_stores

# A small Adult and a small Rossmann, with the traps of the published files.
TRAIN = (
    "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, "
    "Male, 2174, 0, 40, United-States, <=50K\n"
    "52, ?, 209642, HS-grad, 9, Married-civ-spouse, ?, Husband, White, "
    "Male, 0, 0, 45, ?, >50K\n\n"
)
TEST = (
    "|1x3 Cross validator\n"
    "25, Private, 226802, 11th, 7, Never-married, Machine-op-inspct, Own-child, Black, "
    "Male, 0, 0, 40, United-States, <=50K.\n"
    "38, Private, 89814, HS-grad, 9, Married-civ-spouse, Farming-fishing, Husband, White, "
    "Male, 0, 0, 50, United-States, <=50K.\n"
    "28, Local-gov, 336951, Assoc-acdm, 12, Married-civ-spouse, Protective-serv, Husband, White, "
    "Male, 0, 0, 40, United-States, >50K.\n\n"
)
ADULT = {"adult.data": TRAIN.encode(), "adult.test": TEST.encode()}
CUT = b"""store,dayofweek,date,sales,open,promo,stateholiday,schoolholiday
5,5,2015-07-31,14180,1,1,0,1
3,5,2015-07-31,11272,1,1,0,1
5,4,2013-01-03,0,0,0,a,0
3,4,2013-01-03,0,0,0,0,1
"""
KAGGLE_HEADER = (
    b'"Store","DayOfWeek","Date","Sales","Customers",'
    b'"Open","Promo","StateHoliday","SchoolHoliday"\n'
)
KAGGLE_ROWS = b"""\
3,5,2015-07-31,11272,700,1,1,"0","1"
5,5,2015-07-31,14180,800,1,1,"0","1"
3,4,2013-01-03,0,0,0,0,"0","1"
5,4,2013-01-03,0,0,0,0,"a","0"
"""
KAGGLE = KAGGLE_HEADER + KAGGLE_ROWS
STORE = b""""Store","StoreType","Assortment","CompetitionDistance","PromoInterval"
3,"c","a",1270,""
5,"a","a",,"Jan,Apr,Jul,Oct"
"""
STATES = b"""Store,State
3,HE
5,"HB,NI"
"""
ROSSMANN = {"train_100stores.csv": CUT, "store.csv": STORE, "store_states.csv": STATES}
KAGGLES_OWN = {"train.csv": KAGGLE, "store.csv": STORE, "store_states.csv": STATES}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def small(server, monkeypatch):
    "The checksums of the small sets; the server offers Adult."
    adult_files = {name: sha256(content) for name, content in ADULT.items()}
    rossmann_files = []
    for file in tables._ROSSMANN:
        checksum = f"sha256:{sha256(ROSSMANN[file.name])}"
        rossmann_files.append(replace(file, checksum=checksum))
    monkeypatch.setattr(tables, "_ADDRESS", server.mirror())
    monkeypatch.setattr(tables, "_ADULT", adult_files)
    monkeypatch.setattr(tables, "_ROSSMANN", rossmann_files)
    for name, content in ADULT.items():
        monkeypatch.setitem(file_server.FILES, name, content)
    return server


def put(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def mine(small, tmp_path, monkeypatch):
    "A data folder of the learner's; a stand-in will not do."
    (tmp_path / "mine").mkdir()
    switches(tmp_path, monkeypatch, data_folder="mine", offline="require-real")
    return tmp_path / "mine"


# Adult


def check_adult(people):
    assert (people.name, people.note) == ("Adult", "")
    for part in (people.train, people.test):
        assert part.columns.tolist() == [*tables._COLUMNS, "high"]
        assert part.high.dtype == bool
    assert people.train.high.tolist() == [False, True]
    assert people.test.high.tolist() == [False, False, True]
    first = people.train.iloc[0].tolist()
    assert [str(value) for value in first] == [*TRAIN.split("\n")[0].split(", ")[:-1], "False"]
    missing = people.train.columns[people.train.iloc[1].isna()].tolist()
    assert missing == ["workclass", "occupation", "native-country"]
    assert people.test.notna().all(axis=None)
    numbers = people.test.select_dtypes("number").columns.tolist()
    assert numbers[:3] == ["age", "fnlwgt", "education-num"]
    assert numbers[3:] == ["capital-gain", "capital-loss", "hours-per-week"]
    assert people.test.age.tolist() == [25, 38, 28]


def test_adult_is_fetched_once(small, capsys):
    people = adult()
    check_adult(people)
    assert small.asked == ["/first/adult.data", "/first/adult.test"]
    assert people.source.startswith("download from")
    check_adult(adult())
    assert len(small.asked) == 2
    last_line = capsys.readouterr().out.splitlines()[-1]
    assert last_line == "Adult: 2 people for training, 3 for testing (cache)"


def test_adult_in_the_data_folder(small, mine):
    put(mine / "adult", ADULT)
    people = adult()
    check_adult(people)
    assert people.source == "data folder"
    assert small.asked == []


def test_adult_without_a_network(small, tmp_path, monkeypatch, capsys):
    small.faults["adult.test"] = "404"
    people = adult()
    assert people.name == "stand-in incomes"
    assert "adult.test" in people.note and "404" in people.note
    assert "Adult itself was not to be had" in capsys.readouterr().out
    switches(tmp_path, monkeypatch, offline="require-real")
    with pytest.raises(DataUnavailable, match="Put these files into the folder .*adult "):
        adult()


# Rossmann


def check_stores(shops):
    table = shops.sales
    assert (shops.name, shops.note, shops.truth) == ("Rossmann", "", None)
    assert sorted(table.columns) == sorted(CUT.decode().split("\n")[0].split(","))
    assert table.columns.tolist() == tables._SALES
    assert table.date.astype(str).tolist() == ["2013-01-03"] * 2 + ["2015-07-31"] * 2
    assert table.store.tolist() == [3, 5, 3, 5]
    assert table.sales.dtype == float
    assert table.sales.tolist() == [0, 0, 11272, 14180]
    assert table.stateholiday.tolist() == ["0", "a", "0", "0"]
    assert table.schoolholiday.tolist() == [1, 0, 1, 1]
    assert table.open.tolist() == table.promo.tolist() == [0, 0, 1, 1]
    assert table.dayofweek.tolist() == [4, 4, 5, 5]
    assert shops.states.to_dict() == {3: "HE", 5: "HB,NI"}
    assert shops.store.loc[3, "CompetitionDistance"] == 1270
    assert shops.store.loc[5, "PromoInterval"] == "Jan,Apr,Jul,Oct"
    assert set(shops.states) <= set(shops.map.index)
    assert shops.map.columns.tolist() == ["name", "latitude", "longitude"]


def test_stores_in_the_data_folder(mine, capsys):
    put(mine / "rossmann", ROSSMANN)
    shops = rossmann()
    check_stores(shops)
    assert shops.source == "data folder"
    line = "Rossmann: 4 rows of 2 stores, 2013-01-03 to 2015-07-31 (data folder)\n"
    assert capsys.readouterr().out == line


def test_stores_in_the_cache(small, tmp_path):
    put(tmp_path / "data" / "cache" / "rossmann", ROSSMANN)
    shops = rossmann()
    check_stores(shops)
    assert shops.source == "cache"


def test_kaggles_own_file_will_do(mine):
    put(mine / "rossmann", KAGGLES_OWN)
    shops = rossmann()
    check_stores(shops)
    words = "data folder; the 100 largest stores of train.csv, whose checksum is not known"
    assert shops.source.startswith(words)


@pytest.mark.parametrize(
    "states", ["competitions/rossmann-store-sales", "datasets/somebody/rossmann"]
)
@pytest.mark.parametrize(
    "competition", ["competitions/rossmann-store-sales", "rossmann-store-sales"]
)
def test_the_competition_attached_to_a_kaggle_notebook(
    small, tmp_path, monkeypatch, competition, states
):
    "It lacks the states, which are attached beside it or put into the same folder."
    inputs = tmp_path / "input"
    monkeypatch.setenv("HELPERS_KAGGLE_INPUT", str(inputs))
    put(inputs / competition, {"train.csv": KAGGLE, "store.csv": STORE})
    (inputs / states).mkdir(parents=True, exist_ok=True)
    (inputs / states / "store_states.csv").write_bytes(STATES)
    shops = rossmann()
    check_stores(shops)
    assert shops.source.startswith("Kaggle's input; the 100 largest stores of train.csv")


def test_what_the_attached_competition_lacks_is_named(small, tmp_path, monkeypatch):
    competition = tmp_path / "input" / "competitions" / "rossmann-store-sales"
    monkeypatch.setenv("HELPERS_KAGGLE_INPUT", str(tmp_path / "input"))
    put(competition, {"train.csv": KAGGLE, "store.csv": STORE})
    assert "rossmann-store-sales/store_states.csv: not there" in rossmann().note


def test_of_many_stores_the_largest_are_kept(mine):
    rows = [f'{n},5,2015-07-31,{100 * n},9,1,1,"0","1"' for n in range(1, 151)]
    content = KAGGLE_HEADER + "\n".join(rows).encode()
    put(mine / "rossmann", {**KAGGLES_OWN, "train.csv": content})
    assert rossmann().sales.store.tolist() == list(range(51, 151))


def test_a_file_that_is_no_table_of_sales(mine):
    content = KAGGLE.replace(b"Promo", b"Other")
    put(mine / "rossmann", {**KAGGLES_OWN, "train.csv": content})
    with pytest.raises(ValueError, match="train.csv has no column promo"):
        rossmann()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00\x9c",
        KAGGLE.replace(b"2015-07-31", b"yesterday", 1),
        KAGGLE.replace(b"11272", b"many"),
        KAGGLE + b"3,4,2013-01-02,0,0,0,0,0,1,1,1,1\n",
    ],
    ids=["empty", "no text", "a date that is none", "sales that are none", "too many columns"],
)
def test_sales_that_cannot_be_read_name_the_file(mine, content):
    put(mine / "rossmann", {**KAGGLES_OWN, "train.csv": content})
    with pytest.raises(ValueError, match="train.csv cannot be read as a table of sales"):
        rossmann()


@pytest.mark.parametrize("fault", ["no folder", "missing", "damaged"])
def test_stores_are_asked_for_and_never_fetched(small, mine, fault):
    if fault != "no folder":
        put(mine / "rossmann", ROSSMANN)
    if fault == "missing":
        (mine / "rossmann" / "store_states.csv").unlink()
    if fault == "damaged":
        (mine / "rossmann" / "store.csv").write_bytes(b"spoilt")
    with pytest.raises(DataUnavailable) as caught:
        rossmann()
    for words in (
        "https://www.kaggle.com/c/rossmann-store-sales",
        *ROSSMANN,
        "train.csv",
        f"Put these files into the folder {mine / 'rossmann'} ",
        "must be fetched by hand",
    ):
        assert words in str(caught.value)
    if fault != "no folder":
        assert {"missing": "store_states.csv: not there", "damaged": "store.csv: damaged"}[
            fault
        ] in str(caught.value)
    assert small.asked == []


def test_what_was_put_into_the_cache_by_hand_stays(small, tmp_path, capsys):
    put(tmp_path / "data" / "cache" / "rossmann", {**ROSSMANN, "store.csv": b"spoilt"})
    shops = rossmann()
    assert shops.name == "stand-in stores" and "store.csv: damaged (wrong checksum)" in shops.note
    assert (tmp_path / "data" / "cache" / "rossmann" / "store.csv").read_bytes() == b"spoilt"
    assert "The Rossmann sales were not to be had" in capsys.readouterr().out


# The stand-ins


def test_stand_ins_are_always_the_same():
    for make, part in ((stand_in_incomes, "train"), (stand_in_stores, "sales")):
        first = getattr(make(), part)
        pd.testing.assert_frame_equal(first, getattr(make(), part))
        assert not getattr(make(seed=1), part).equals(first)


def test_stand_in_incomes_follow_the_planted_rule():
    people = stand_in_incomes()
    assert (len(people.train), len(people.test)) == (4_000, 2_000) and people.test.index[0] == 0
    assert (
        people.train.columns.tolist() == [*tables._COLUMNS, "high"]
        and people.train.high.dtype == bool
    )
    assert set(people.train.columns[people.train.isna().any()]) == {
        "workclass",
        "occupation",
        "native-country",
    }
    table = pd.concat([people.train, people.test])

    def high(rows):
        return table.high[rows].mean()

    assert 0.22 < people.train.high.mean() < 0.28
    assert 0.22 < people.test.high.mean() < 0.28
    married = table["marital-status"] == "Married-civ-spouse"
    assert high(married) > 0.4
    assert high(~married) < 0.15
    assert high(table["education-num"] >= 13) > 2 * high(table["education-num"] <= 8)
    assert high(table["hours-per-week"] > 50) > 1.5 * high(table["hours-per-week"] < 30)
    managers = high(table.occupation == "Exec-managerial")
    assert managers > 2 * high(table.occupation == "Other-service")
    assert high(table.age.between(45, 60)) > 2 * high(table.age < 30)
    difference = high(table.sex == "Male") - high(table.sex == "Female")
    assert abs(difference) < 0.05, "no part of the rule"


def test_stand_in_stores_have_the_form():
    shops = stand_in_stores()
    table = shops.sales
    assert len(table) == 36 * 500
    assert table.columns.tolist() == tables._SALES
    assert not table.duplicated(["store", "date"]).any()
    assert str(table.date.max().date()) == "2015-07-31"
    assert (table.dayofweek == table.date.dt.day_of_week + 1).all()
    for name in ("store", "dayofweek", "open", "promo", "schoolholiday"):
        assert table[name].dtype == "int64"
    assert shops.states.value_counts().to_dict() == dict.fromkeys(shops.map.index, 3)
    assert shops.store.index.equals(shops.states.index)
    assert set(table.stateholiday) == {"0", "a", "b", "c"}
    closed = (table.dayofweek == 7) | (table.stateholiday != "0")
    assert (table.open == ~closed).all()
    assert (table.sales[closed] == 0).all()
    assert (table.sales[~closed] > 0).all()


@pytest.mark.filterwarnings("ignore:The .future.infer_string")
@pytest.mark.parametrize(
    "make, parts", [(stand_in_incomes, ["train", "test"]), (stand_in_stores, ["sales", "store"])]
)
def test_what_is_missing_is_nan_in_every_pandas(make, parts):
    "Columns of objects, which pandas 2 makes of texts, keep None, and None does not sort."
    with pd.option_context("future.infer_string", False):
        made = make()
    for part in parts:
        values = getattr(made, part).select_dtypes("object").to_numpy().ravel().tolist()
        assert values and None not in values


def test_planted_factors_are_found():
    shops = stand_in_stores()
    table = shops.sales[shops.sales.open == 1]
    logs = np.log(table.sales / 1.3**table.promo)
    keys = {
        "state": table.store.map(shops.states),
        "weekday": table.dayofweek,
        "month": table.date.dt.month,
    }
    largest_error = {"state": 0.15, "weekday": 0.03, "month": 0.03}
    for name, key in keys.items():
        mean = logs.groupby(key).mean()
        planted = np.log(shops.truth[name])[mean.index]
        error = (mean - mean.mean()) - (planted - planted.mean())
        assert error.abs().max() < largest_error[name], name
        assert np.corrcoef(mean, planted)[0, 1] > 0.95
        assert planted.std() > 0.1
    assert [len(shops.truth[name]) for name in keys] == [12, 7, 12]


def test_the_map_is_germanys():
    latitude = stand_in_stores().map.latitude
    longitude = stand_in_stores().map.longitude
    assert latitude.between(47, 55).all()
    assert longitude.between(6, 15).all()
    assert (latitude.idxmin(), latitude.idxmax()) == ("BW", "SH")
    assert (longitude.idxmin(), longitude.idxmax()) == ("RP", "SN")


# The real ones


def test_real_adult(real_data):
    people = adult()
    assert (len(people.train), len(people.test)) == (32_561, 16_281)
    assert (people.train.high.sum(), people.test.high.sum()) == (7_841, 3_846)
    missing = people.train[["workclass", "occupation", "native-country"]].isna().sum()
    assert missing.tolist() == [1_836, 1_843, 583]
    for name in people.train.select_dtypes(exclude=["number", "bool"]):
        texts = pd.concat([people.train[name], people.test[name]]).dropna()
        assert (texts == texts.str.strip()).all() and "?" not in set(texts)
        assert set(people.test[name].dropna()) <= set(people.train[name].dropna()), name


def test_real_stores(real_data):
    shops = rossmann()
    table = shops.sales
    assert (len(table), table.store.nunique()) == (93_832, 100)
    assert (len(shops.store), len(shops.states)) == (1_115, 1_115)
    closed = table.sales[table.open == 0]
    assert len(closed) == 14_693
    assert (closed == 0).all()
    assert (table.dayofweek == table.date.dt.day_of_week + 1).all()
    assert set(table.stateholiday) == {"0", "a", "b", "c"}
    assert set(shops.states) == set(shops.map.index)

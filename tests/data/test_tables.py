"Tables: Adult and the Rossmann sales read right, found or asked for, or replaced by a stand-in that says so."

import hashlib
from dataclasses import replace

import file_server
import numpy as np
import pandas as pd
import pytest
from file_server import switches

import helpers.data.tables
from helpers.data.find import DataUnavailable
from helpers.data.tables import adult, rossmann, stand_in_incomes, stand_in_stores

# A small Adult and a small Rossmann, with the traps of the published files.
ADULT = {
    "adult.data": "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0, 40, United-States, <=50K\n"
    "52, ?, 209642, HS-grad, 9, Married-civ-spouse, ?, Husband, White, Male, 0, 0, 45, ?, >50K\n\n",
    "adult.test": "|1x3 Cross validator\n25, Private, 226802, 11th, 7, Never-married, Machine-op-inspct, Own-child, Black, Male, 0, 0, 40, United-States, <=50K.\n"
    "38, Private, 89814, HS-grad, 9, Married-civ-spouse, Farming-fishing, Husband, White, Male, 0, 0, 50, United-States, <=50K.\n"
    "28, Local-gov, 336951, Assoc-acdm, 12, Married-civ-spouse, Protective-serv, Husband, White, Male, 0, 0, 40, United-States, >50K.\n\n",
}
ADULT = {name: text.encode() for name, text in ADULT.items()}
SALES = "5,5,2015-07-31,14180,1,1,0,1\n3,5,2015-07-31,11272,1,1,0,1\n5,4,2013-01-03,0,0,0,a,0\n3,4,2013-01-03,0,0,0,0,1\n"
KAGGLE = (
    '"Store","DayOfWeek","Date","Sales","Customers","Open","Promo","StateHoliday","SchoolHoliday"\n'
    '3,5,2015-07-31,11272,700,1,1,"0","1"\n5,5,2015-07-31,14180,800,1,1,"0","1"\n3,4,2013-01-03,0,0,0,0,"0","1"\n5,4,2013-01-03,0,0,0,0,"a","0"\n'
)
ROSSMANN = {
    "train_100stores.csv": "store,dayofweek,date,sales,open,promo,stateholiday,schoolholiday\n"
    + SALES,
    "store.csv": '"Store","StoreType","Assortment","CompetitionDistance","PromoInterval"\n3,"c","a",1270,""\n5,"a","a",,"Jan,Apr,Jul,Oct"\n',
    "store_states.csv": 'Store,State\n3,HE\n5,"HB,NI"\n',
}
ROSSMANN = {name: text.encode() for name, text in ROSSMANN.items()}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def small(server, monkeypatch):
    "The checksums of the small sets; the server offers Adult."
    monkeypatch.setattr(helpers.data.tables, "_ADDRESS", server.mirror())
    monkeypatch.setattr(
        helpers.data.tables, "_ADULT", {name: sha256(content) for name, content in ADULT.items()}
    )
    monkeypatch.setattr(
        helpers.data.tables,
        "_ROSSMANN",
        [
            replace(file, checksum=f"sha256:{sha256(ROSSMANN[file.name])}")
            for file in helpers.data.tables._ROSSMANN
        ],
    )
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
    assert (
        people.train.columns.tolist()
        == people.test.columns.tolist()
        == [*helpers.data.tables._COLUMNS, "high"]
    )
    assert people.train.high.tolist() == [False, True] and people.test.high.tolist() == [
        False,
        False,
        True,
    ]
    assert people.train.high.dtype == people.test.high.dtype == bool
    assert people.train.iloc[0].tolist() == [
        39,
        "State-gov",
        77516,
        "Bachelors",
        13,
        "Never-married",
        "Adm-clerical",
        "Not-in-family",
        "White",
        "Male",
        2174,
        0,
        40,
        "United-States",
        False,
    ]
    assert people.train.columns[people.train.iloc[1].isna()].tolist() == [
        "workclass",
        "occupation",
        "native-country",
    ] and people.test.notna().all(axis=None)
    numbers = people.test.select_dtypes("number").columns.tolist()
    assert numbers == [
        "age",
        "fnlwgt",
        "education-num",
        "capital-gain",
        "capital-loss",
        "hours-per-week",
    ]
    assert people.test.age.tolist() == [25, 38, 28]


def test_adult_is_fetched_once(small, capsys):
    check_adult(people := adult())
    assert small.asked == ["/first/adult.data", "/first/adult.test"] and people.source.startswith(
        "download from"
    )
    check_adult(adult())
    assert len(small.asked) == 2
    assert (
        capsys.readouterr().out.splitlines()[-1]
        == "Adult: 2 people for training, 3 for testing (cache)"
    )


def test_adult_in_the_data_folder(small, mine):
    put(mine / "adult", ADULT)
    check_adult(people := adult())
    assert people.source == "data folder" and small.asked == []


def test_adult_without_a_network(small, tmp_path, monkeypatch, capsys):
    small.faults["adult.test"] = "404"
    people = adult()
    assert (
        people.name == "stand-in incomes" and "adult.test" in people.note and "404" in people.note
    )
    assert "Adult itself was not to be had" in capsys.readouterr().out
    switches(tmp_path, monkeypatch, offline="require-real")
    with pytest.raises(DataUnavailable, match="Put these files into the folder .*adult "):
        adult()


# Rossmann


def check_stores(shops):
    table = shops.sales
    assert (shops.name, shops.note, shops.truth) == ("Rossmann", "", None)
    assert table.columns.tolist() == [
        "store",
        "date",
        "dayofweek",
        "sales",
        "open",
        "promo",
        "stateholiday",
        "schoolholiday",
    ]
    assert table.date.astype(str).tolist() == ["2013-01-03"] * 2 + [
        "2015-07-31"
    ] * 2 and table.store.tolist() == [3, 5, 3, 5]
    assert table.sales.tolist() == [0, 0, 11272, 14180] and table.sales.dtype == float
    assert table.stateholiday.tolist() == ["0", "a", "0", "0"] and table.schoolholiday.tolist() == [
        1,
        0,
        1,
        1,
    ]
    assert table.open.tolist() == table.promo.tolist() == [
        0,
        0,
        1,
        1,
    ] and table.dayofweek.tolist() == [4, 4, 5, 5]
    assert (
        shops.states.to_dict() == {3: "HE", 5: "HB,NI"}
        and shops.store.loc[3, "CompetitionDistance"] == 1270
        and shops.store.loc[5, "PromoInterval"] == "Jan,Apr,Jul,Oct"
    )
    assert set(shops.states) <= set(shops.map.index) and shops.map.columns.tolist() == [
        "name",
        "latitude",
        "longitude",
    ]


def test_stores_in_the_data_folder(mine, capsys):
    put(mine / "rossmann", ROSSMANN)
    check_stores(shops := rossmann())
    assert shops.source == "data folder"
    assert (
        capsys.readouterr().out
        == "Rossmann: 4 rows of 2 stores, 2013-01-03 to 2015-07-31 (data folder)\n"
    )


def test_stores_in_the_cache(small, tmp_path):
    put(tmp_path / "data" / "cache" / "rossmann", ROSSMANN)
    check_stores(shops := rossmann())
    assert shops.source == "cache"


def test_kaggles_own_file_will_do(mine):
    put(mine / "rossmann", {**ROSSMANN, "train.csv": KAGGLE.encode()})
    (mine / "rossmann" / "train_100stores.csv").unlink()
    check_stores(shops := rossmann())
    assert shops.source.startswith(
        "data folder; the 100 largest stores of train.csv, whose checksum is not known"
    )


@pytest.mark.parametrize(
    "states", ["competitions/rossmann-store-sales", "datasets/somebody/rossmann"]
)
@pytest.mark.parametrize(
    "competition", ["competitions/rossmann-store-sales", "rossmann-store-sales"]
)
def test_the_competition_attached_to_a_kaggle_notebook(
    small, tmp_path, monkeypatch, competition, states
):
    "It holds train.csv and store.csv; the states are another's, and attached beside it or put into the same folder."
    monkeypatch.setenv("HELPERS_KAGGLE_INPUT", str(tmp_path / "input"))
    put(
        tmp_path / "input" / competition,
        {"train.csv": KAGGLE.encode(), "store.csv": ROSSMANN["store.csv"]},
    )
    (tmp_path / "input" / states).mkdir(parents=True, exist_ok=True)
    (tmp_path / "input" / states / "store_states.csv").write_bytes(ROSSMANN["store_states.csv"])
    check_stores(shops := rossmann())
    assert shops.source.startswith("Kaggle's input; the 100 largest stores of train.csv")


def test_what_the_attached_competition_lacks_is_named(small, tmp_path, monkeypatch):
    monkeypatch.setenv("HELPERS_KAGGLE_INPUT", str(tmp_path / "input"))
    put(
        tmp_path / "input" / "competitions" / "rossmann-store-sales",
        {"train.csv": KAGGLE.encode(), "store.csv": ROSSMANN["store.csv"]},
    )
    assert "rossmann-store-sales/store_states.csv: not there" in rossmann().note


def test_of_many_stores_the_largest_are_kept(mine):
    rows = "".join(f'{n},5,2015-07-31,{100 * n},9,1,1,"0","1"\n' for n in range(1, 151))
    put(
        mine / "rossmann", {**ROSSMANN, "train.csv": (KAGGLE.split("\n")[0] + "\n" + rows).encode()}
    )
    (mine / "rossmann" / "train_100stores.csv").unlink()
    assert rossmann().sales.store.tolist() == list(range(51, 151))


def test_a_file_that_is_no_table_of_sales(mine):
    put(mine / "rossmann", {**ROSSMANN, "train.csv": KAGGLE.replace("Promo", "Other").encode()})
    (mine / "rossmann" / "train_100stores.csv").unlink()
    with pytest.raises(ValueError, match="train.csv has no column promo"):
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
        people.train.columns.tolist() == [*helpers.data.tables._COLUMNS, "high"]
        and people.train.high.dtype == bool
    )
    assert set(people.train.columns[people.train.isna().any()]) == {
        "workclass",
        "occupation",
        "native-country",
    }
    table = pd.concat([people.train, people.test])
    high = lambda rows: table.high[rows].mean()
    assert 0.22 < people.train.high.mean() < 0.28 and 0.22 < people.test.high.mean() < 0.28
    assert (
        high(table["marital-status"] == "Married-civ-spouse")
        > 0.4
        > 0.15
        > high(table["marital-status"] != "Married-civ-spouse")
    )
    assert high(table["education-num"] >= 13) > 2 * high(table["education-num"] <= 8)
    assert high(table["hours-per-week"] > 50) > 1.5 * high(table["hours-per-week"] < 30)
    assert high(table.occupation == "Exec-managerial") > 2 * high(
        table.occupation == "Other-service"
    )
    assert high(table.age.between(45, 60)) > 2 * high(table.age < 30)
    assert abs(high(table.sex == "Male") - high(table.sex == "Female")) < 0.05, (
        "no part of the rule"
    )


def test_stand_in_stores_have_the_form():
    shops = stand_in_stores()
    table = shops.sales
    assert (
        len(table) == 30_000
        and not table.duplicated(["store", "date"]).any()
        and str(table.date.max().date()) == "2015-07-31"
    )
    assert (
        table.dayofweek == table.date.dt.day_of_week + 1
    ).all() and table.columns.tolist() == helpers.data.tables._SALES
    assert {
        str(kind) for kind in table.dtypes[["store", "dayofweek", "open", "promo", "schoolholiday"]]
    } == {"int64"}
    assert shops.states.value_counts().to_dict() == dict.fromkeys(
        shops.map.index, 5
    ) and shops.store.index.equals(shops.states.index)
    assert set(table.stateholiday) == {"0", "a", "b", "c"}
    closed = (table.dayofweek == 7) | (table.stateholiday != "0")
    assert (
        (table.sales[closed] == 0).all()
        and (table.sales[~closed] > 0).all()
        and (table.open == ~closed).all()
    )


@pytest.mark.filterwarnings("ignore:The .future.infer_string")
@pytest.mark.parametrize(
    "make, parts", [(stand_in_incomes, ["train", "test"]), (stand_in_stores, ["sales", "store"])]
)
def test_what_is_missing_is_nan_in_every_pandas(make, parts):
    "Columns of objects, which pandas 2 makes of texts, keep a None; and None does not sort with texts."
    with pd.option_context("future.infer_string", False):
        made = make()
    for part in parts:
        values = getattr(made, part).select_dtypes("object").to_numpy().ravel().tolist()
        assert values and None not in values


def test_planted_factors_are_found():
    shops = stand_in_stores()
    table = shops.sales[shops.sales.open == 1]
    logs = np.log(table.sales / 1.3**table.promo)
    for name, key, most in (
        ("state", table.store.map(shops.states), 0.15),
        ("weekday", table.dayofweek, 0.03),
        ("month", table.date.dt.month, 0.03),
    ):
        found = logs.groupby(key).mean()
        planted = np.log(shops.truth[name])[found.index]
        assert abs((found - found.mean()) - (planted - planted.mean())).max() < most, name
        assert np.corrcoef(found, planted)[0, 1] > 0.95 and planted.std() > 0.1
    assert [len(shops.truth[name]) for name in ("state", "weekday", "month")] == [12, 7, 12]


def test_the_map_is_germanys():
    place = stand_in_stores().map
    assert place.latitude.between(47, 55).all() and place.longitude.between(6, 15).all()
    assert (
        place.latitude.idxmax() == "SH"
        and place.latitude.idxmin() == "BW"
        and place.longitude.idxmin() == "RP"
        and place.longitude.idxmax() == "SN"
    )


# The real ones


def test_real_adult(real_data):
    people = adult()
    assert (
        len(people.train),
        len(people.test),
        people.train.high.sum(),
        people.test.high.sum(),
    ) == (32_561, 16_281, 7_841, 3_846)
    assert people.train[["workclass", "occupation", "native-country"]].isna().sum().tolist() == [
        1_836,
        1_843,
        583,
    ]
    for name in people.train.select_dtypes(exclude=["number", "bool"]):
        texts = pd.concat([people.train[name], people.test[name]]).dropna()
        assert (texts == texts.str.strip()).all() and "?" not in set(texts)
        assert set(people.test[name].dropna()) <= set(people.train[name].dropna()), name


def test_real_stores(real_data):
    shops = rossmann()
    table = shops.sales
    assert (len(table), table.store.nunique(), len(shops.store), len(shops.states)) == (
        93_832,
        100,
        1_115,
        1_115,
    )
    closed = table.sales[table.open == 0]
    assert (
        len(closed) == 14_693
        and (closed == 0).all()
        and (table.dayofweek == table.date.dt.day_of_week + 1).all()
    )
    assert set(table.stateholiday) == {"0", "a", "b", "c"} and set(shops.states) == set(
        shops.map.index
    )

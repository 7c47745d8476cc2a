"Models of ratings: unfit tables are refused, predictions are right, files hold no code."

import copy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from samples import ratings
from shared import ROOT

from helpers.collab import (
    DotProduct,
    NeuralCollab,
    RatingTable,
    SVDpp,
    UnknownId,
    biases_only,
    load,
    pay_per_use,
    save,
    split,
)
from helpers.data.films import stand_in_ratings
from helpers.optim import Adam
from helpers.rates import find_rate
from helpers.train import fit

# Tables


def changed(**columns):
    table = ratings()
    for name in columns:
        table[name] = table[name].astype(object)
    for name, value in columns.items():
        table.loc[4, name] = value
    return table


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            ratings().rename(columns={"rating": "stars"}),
            r"No column rating here, only user, item, stars.*Rename",
        ),
        (ratings().drop(columns=["user", "item"]), "No column user, item"),
        (ratings(0), "empty"),
        (
            changed(rating=7.0),
            r"1 row with a rating outside the scale, 1 to 5; the first is row 4, column rating",
        ),
        (changed(rating=0.0), "outside the scale"),
        (
            changed(rating=np.nan),
            "1 row with a rating that is no finite number; the first is row 4",
        ),
        (changed(rating=np.inf), "no finite number"),
        (changed(rating="five"), "no finite number"),
        (changed(user=None), "1 row with no user; the first is row 4, column user"),
        (changed(item=np.nan), "1 row with no item; the first is row 4, column item"),
        (changed(user="3"), "1 row with a text among ids that are numbers.*row 4, column user"),
        (changed(item="10"), "1 row with a text among ids that are numbers.*row 4, column item"),
        (
            pd.concat([ratings(), ratings(2)], ignore_index=True),
            "2 rows with a pair of user and item that stood before; the first is row 12, "
            "column user and item",
        ),
    ],
)
def test_unfit_table_is_refused_with_the_row(table, words):
    with pytest.raises(ValueError, match=words):
        RatingTable(table)


def test_ids_may_have_gaps(data):
    assert data.users.tolist() == [7, 3, 5, 9]
    assert data.items.tolist() == [40, 10, 30]
    assert data.x[:5].tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [0, 1]]
    assert data.x.dtype == torch.int64
    assert data.y.dtype == torch.float32
    assert data.y.tolist() == ratings().rating.tolist()
    assert data.encode([9, 3], [30, 40]).tolist() == [[3, 2], [1, 0]]


def test_ids_may_be_text():
    table = ratings()
    table["user"] = table.user.map("member {}".format)
    table["item"] = table.item.map("Misérables {}".format)
    data = RatingTable(table)
    assert torch.equal(data.x, RatingTable(ratings()).x)
    assert data.encode(["member 5"], ["Misérables 30"]).tolist() == [[2, 2]]
    with pytest.raises(UnknownId, match="item 'Miserables 30'"):
        data.encode(["member 5"], ["Miserables 30"])


def test_a_number_among_texts_is_refused():
    table = ratings().astype({"user": str})
    table["user"] = table.user.astype(object)
    table.loc[5, "user"] = 3
    words = "1 row with a number among ids that are text.*the first is row 5, column user"
    with pytest.raises(ValueError, match=words):
        RatingTable(table)
    table["user"] = table.user.astype("category")
    with pytest.raises(ValueError, match=words):
        RatingTable(table)


ID_TYPES = ["object", "category", "Int64", "string", "float64", "int64[pyarrow]"]


@pytest.mark.parametrize("dtype", ID_TYPES)
def test_ids_may_be_of_every_type(tmp_path, dtype):
    "They are numbered alike, found again, and can be saved."
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    table = ratings().astype({"user": dtype, "item": dtype})
    data = RatingTable(table)
    assert torch.equal(data.x, RatingTable(ratings()).x)
    assert torch.equal(data.encode(table.user[:5], table.item[:5]), data.x[:5])
    assert data.encode([table.user.tolist()[3]], [table.item.tolist()[8]]).tolist() == [[3, 2]]
    model = DotProduct(4, 3, 2, mean=3.0)
    save(tmp_path / "model.pt", model, data)
    _, users, items = load(tmp_path / "model.pt")
    assert users.equals(data.users)
    assert items.equals(data.items)


def test_one_rating_or_one_user_goes_through():
    for table in (ratings(1), ratings(12).query("user == 7")):
        data = RatingTable(table)
        sizes = len(data.users), len(data.items)
        assert biases_only(data.x, data.y, *sizes)(data.x).shape == (len(table),)
        model = DotProduct(*sizes, 2, mean=3.0)
        batches = data.batches(slice(None), bs=2)
        fit(model.to(batches.device), batches, Adam(model.parameters(), 0.1), 30, F.mse_loss)
        assert F.mse_loss(model(batches.x), batches.y) < 0.1


def test_stars_may_be_text():
    table = ratings()
    table.loc[0, "rating"] = 4.5
    assert RatingTable(table.astype({"rating": str})).y.tolist() == table.rating.tolist()


@pytest.mark.parametrize(
    "dtype", ["Int64", "Float64", "string", "category", "object", "int64[pyarrow]"]
)
def test_a_missing_rating_is_refused_in_every_type(dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    table = ratings()
    stars = table.rating.astype(dtype)
    assert torch.equal(RatingTable(table.assign(rating=stars)).y, RatingTable(table).y)
    stars[4] = None
    words = "1 row with a rating that is no finite number; the first is row 4"
    with pytest.raises(ValueError, match=words):
        RatingTable(table.assign(rating=stars))


ROWS = np.array([1, 4, 6])
MARKS = np.isin(np.arange(12), ROWS)


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        ROWS.tolist(),
        torch.tensor(ROWS),
        ROWS.astype("uint8"),
        torch.tensor(ROWS.astype("uint8")),
        pd.Series(ROWS, index=[7, 8, 9]),
        pd.Series(ROWS, dtype="Int64"),
        pd.Index(ROWS),
        MARKS,
        torch.tensor(MARKS),
        pd.Series(MARKS, index=range(5, 17)),
        pd.Series(MARKS, dtype="boolean"),
    ],
)
def test_batches_of_rows_of_every_kind(data, rows):
    batches = data.batches(rows)
    assert torch.equal(batches.x.cpu(), data.x[[1, 4, 6]])
    assert torch.equal(batches.y.cpu(), data.y[[1, 4, 6]])


def test_batches_of_no_rows(data):
    with pytest.raises(ValueError, match="at least one row"):
        data.batches([])


def test_ids_may_come_in_tensors(data):
    assert data.encode(torch.tensor([9, 3]), torch.tensor([30, 40])).tolist() == [[3, 2], [1, 0]]


def test_the_table_given_is_left_alone():
    table = ratings()
    RatingTable(table)
    pd.testing.assert_frame_equal(table, ratings())


@pytest.mark.parametrize("user", [4, "7", 7.5])
def test_unknown_user(data, user):
    words = rf"No rating is known of user {user!r} .*mean taste"
    with pytest.raises(UnknownId, match=words) as error:
        data.encode([7, user], [40, 40])
    assert isinstance(error.value, LookupError)


def test_scale_may_be_another():
    assert len(RatingTable(changed(rating=0.0), low=0.0).y) == 12
    with pytest.raises(ValueError, match="0.5 to 4"):
        RatingTable(ratings(), 0.5, 4)


def rows_as_set(x, y):
    "Ratings as a set of user, item, stars."
    return {(user, item, stars) for (user, item), stars in zip(x.tolist(), y.tolist())}


def test_each_rating_once_in_an_epoch():
    "The point of lesson 10: no replacement."
    data = RatingTable(stand_in_ratings().ratings)
    train, valid = split(len(data.y), 0.2, seed=3)
    assert len(valid) == int(0.2 * len(data.y))
    assert sorted(torch.cat([train, valid]).tolist()) == list(range(len(data.y)))
    batches = data.batches(train, 64, shuffle=True, seed=0)
    for _ in range(2):
        x, y = map(torch.cat, zip(*batches))
        drawn = rows_as_set(x, y)
        assert len(drawn) == len(train) == len(y)
        assert drawn == rows_as_set(data.x[train], data.y[train])


def test_split_follows_its_seed():
    assert torch.equal(split(50, seed=1)[0], split(50, seed=1)[0])
    assert not torch.equal(split(50, seed=1)[0], split(50, seed=2)[0])


# Models


def with_clues(users, items, **kwargs):
    known = torch.tensor([[0, 0], [1, 1]])
    return SVDpp(users, items, known, **kwargs)


def test_biases_are_shrunk_means():
    "Two users, two items: the formula by hand, one round."
    x = torch.tensor([[0, 0], [0, 1], [1, 0]])
    y = torch.tensor([5.0, 3.0, 1.0])
    predict = biases_only(x, y, users=2, items=2, lam=1.0, rounds=1)
    items = [(2 - 2) / 3, (3 - 3) / 2]  # residuals of the mean, 3, over count + 1
    users = [(2 - 0) / 3, -2 / 2]
    for user, item in ((0, 0), (0, 1), (1, 0), (1, 1)):
        stars = predict(torch.tensor([[user, item]])).item()
        assert stars == pytest.approx(3 + users[user] + items[item], abs=1e-6)


def test_biases_of_those_without_ratings_are_zero():
    predict = biases_only(torch.tensor([[0, 0]]), torch.tensor([4.0]), users=3, items=3)
    assert predict(torch.tensor([[2, 1]])).item() == 4


def by_hand(model, x):
    "Products of factors, plus biases, pair by pair."
    user_factors, user_bias = [table.weight for table in model.user_tables]
    item_factors, item_bias = [table.weight for table in model.item_tables]
    predicted = []
    for user, item in x.tolist():
        product = (user_factors[user] * item_factors[item]).sum()
        predicted.append(product + user_bias[user, 0] + item_bias[item, 0])
    return torch.stack(predicted)


def test_dot_product(model, data):
    x = data.x.to(next(model.parameters()).device)
    z = by_hand(model, x) + np.log(3 / 2.5)
    torch.testing.assert_close(model(x), 5.5 * torch.sigmoid(z))
    model.y_range, model.start = None, 3.0
    torch.testing.assert_close(model(x), by_hand(model, x) + 3)
    model.y_range, model.start = (0.5, 5.5), 0.0
    torch.testing.assert_close(model(x), 0.5 + 5 * torch.sigmoid(by_hand(model, x)))


def test_dot_product_without_bias():
    torch.manual_seed(0)
    model = DotProduct(4, 3, 2, bias=False, std=1.0).double()
    x = torch.tensor([[0, 2], [3, 1]])
    p, q = model.user_tables[0].weight, model.item_tables[0].weight
    torch.testing.assert_close(model(x), (p[x[:, 0]] * q[x[:, 1]]).sum(1), rtol=0, atol=1e-12)
    assert len(list(model.parameters())) == 2


@pytest.mark.parametrize("make", [DotProduct, NeuralCollab, with_clues])
def test_shapes_range_and_gradients(make):
    torch.manual_seed(0)
    model = make(6, 4, factors=5, y_range=(0, 5.5), mean=3.5)
    out = model(torch.tensor([[0, 0], [5, 3], [2, 1]]))
    assert out.shape == (3,) and 0 < out.min() and out.max() < 5.5
    out.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_an_untrained_model_predicts_the_mean():
    model = DotProduct(6, 4, 5, y_range=(0, 5.5), mean=3.5)
    assert abs(model(torch.tensor([[1, 1]])).item() - 3.5) < 0.01
    with pytest.raises(ValueError, match="inside y_range"):
        DotProduct(6, 4, y_range=(0, 5), mean=5.0)


@pytest.mark.parametrize("make", [DotProduct, with_clues])
def test_one_factor_learns(make):
    "Users and items of two kinds: one factor can tell them apart, biases cannot."
    x = torch.cartesian_prod(torch.arange(20), torch.arange(20))
    same_kind = x[:, 0] % 2 == x[:, 1] % 2
    y = torch.where(same_kind, 4.0, 2.0)
    torch.manual_seed(0)
    model = make(20, 20, factors=1, mean=3.0)
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    assert loss < 0.01
    for tables in (model.user_tables, model.item_tables):
        assert tables[0].weight.std() > 0.5


def test_one_factor_starts_like_several():
    "Factors at random, biases at zero, whatever their width."
    cut_off = 0.0088  # of a standard deviation of .01, when nothing lies beyond two of them
    for make in (DotProduct, NeuralCollab):
        model = make(500, 400, 1)
        for factors, *biases in (model.user_tables, model.item_tables):
            assert factors.weight.std().item() == pytest.approx(cut_off, rel=0.15)
            assert all(not table.weight.any() for table in biases)


@pytest.mark.parametrize("std", [0, 0.0, -0.1, float("nan")])
def test_factors_that_would_stay_at_zero_are_refused(std):
    with pytest.raises(ValueError, match=f"std = {std}.*stays zero"):
        DotProduct(4, 3, 2, std=std)


def test_a_trained_model_can_be_copied(data):
    "The rows of the last batch hold a graph, and a graph cannot be copied."
    for make in (DotProduct, NeuralCollab):
        model = make(4, 3, 2, mean=3.0)
        F.mse_loss(model(data.x), data.y).backward()
        twin = copy.deepcopy(model)
        assert torch.equal(twin(data.x), model(data.x))
        assert len(model.used[0][0]) == len(data.x)
        batches = data.batches(slice(None))
        model.to(batches.device)
        curve = find_rate(model, batches, Adam, steps=5, loss=F.mse_loss)
        assert len(curve.losses) == 5


@pytest.mark.parametrize("kind", [np.float64, np.float32, torch.tensor])
def test_mean_and_range_may_be_numbers_of_numpy_or_torch(data, kind):
    for model in (
        DotProduct(4, 3, mean=kind(3.0)),
        DotProduct(4, 3, mean=kind(3.0), y_range=(kind(0.0), kind(5.5))),
    ):
        assert type(model.start) is float
        assert model(data.x).mean().item() == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("kind", [np.array, torch.tensor])
def test_range_may_be_a_column(kind):
    assert DotProduct(4, 3, mean=3.0, y_range=kind([0, 5.5])).y_range == (0.0, 5.5)


def test_clues_are_n_hot_products():
    "SVD++ by its formula, on both sides; only pairs of the training part count."
    torch.manual_seed(0)
    known = torch.tensor([[0, 0], [0, 2], [0, 3], [1, 2]])
    model = SVDpp(3, 4, known, 2, mean=3.0, std=1.0)
    for table in (*model.clues, model.user_tables[1], model.item_tables[1]):
        torch.nn.init.normal_(table.weight)
    model = model.double()

    def row(tables, clues, n, partners):
        "Own row plus the sum of clues over the root of their number: factors, bias."
        own = torch.cat([table.weight[n] for table in tables])
        if not partners:
            return own
        return own + sum(clues.weight[k] for k in partners) / len(partners) ** 0.5

    for user, item in ((0, 2), (1, 1), (2, 0)):
        items = known[known[:, 0] == user, 1].tolist()
        users = known[known[:, 1] == item, 0].tolist()
        u = row(model.user_tables, model.clues[0], user, items)
        i = row(model.item_tables, model.clues[1], item, users)
        right = (u[:2] * i[:2]).sum() + u[2] + i[2] + 3
        predicted = model(torch.tensor([[user, item]]))[0]
        torch.testing.assert_close(predicted, right, rtol=0, atol=1e-6)


def test_without_clues_it_is_a_dot_product():
    torch.manual_seed(0)
    known = torch.tensor([[0, 0], [0, 2], [1, 2]])
    model = SVDpp(3, 4, known, 2, mean=3.0, std=1.0)
    plain = DotProduct(3, 4, 2, mean=3.0)
    state = model.state_dict()
    plain.load_state_dict({name: state[name] for name in state if "tables" in name})
    x = torch.tensor([[0, 2], [2, 0]])
    torch.testing.assert_close(model(x), plain(x))  # clues start at zero


def test_pay_per_use(model, data):
    device = next(model.parameters()).device
    x = data.x[[0, 1, 5, 5]].to(device)  # the last pair pays twice
    y = torch.tensor([3.0, 4.0, 5.0, 5.0], device=device)
    loss = pay_per_use(model, (0.1, 0.005))
    out = model.train()(x)
    price = 0
    for pair in x.tolist():
        for row, (factors, bias) in zip(pair, (model.user_tables, model.item_tables)):
            price += 0.1 * (factors.weight[row] ** 2).sum()
            price += 0.005 * bias.weight[row, 0] ** 2
    torch.testing.assert_close(loss(out, y), F.mse_loss(out, y) + price / 4)
    out = model.eval()(x)
    assert loss(out, y) == F.mse_loss(out, y), "scores for validation hold no penalty"


def test_a_price_for_the_rows_of_another_model_is_refused(data):
    "The finder trains a copy: the price would be a constant, and nothing would be drawn to zero."
    model = DotProduct(4, 3, 2, mean=3.0)
    batches = data.batches(slice(None))
    model.to(batches.device)
    loss = pay_per_use(model)
    with pytest.raises(ValueError, match="not the one in training"):
        find_rate(model, batches, Adam, steps=5, loss=loss)
    with torch.no_grad():
        model(batches.x)  # leaves rows without a gradient
    with pytest.raises(ValueError, match="not the one in training"):
        find_rate(model, batches, Adam, steps=5, loss=loss)


def test_price_of_clues():
    model = SVDpp(3, 4, torch.tensor([[0, 0]]), 2)
    for table in model.clues:
        torch.nn.init.ones_(table.weight)
    out = model.train()(torch.tensor([[0, 0]]))
    y = torch.tensor([3.0])
    loss = pay_per_use(model, (0.0, 0.0), 0.01)
    clues = 4 * 3 + 3 * 3
    torch.testing.assert_close(loss(out, y), F.mse_loss(out, y) + 0.01 * clues)


# Files


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("y_range", [None, (0, 5.5)])
def test_saved_model_predicts_the_same(tmp_path, bias, y_range):
    table = ratings()
    table["item"] = table.item.map("film {}".format)
    data = RatingTable(table)
    sizes = len(data.users), len(data.items)
    model = DotProduct(*sizes, 3, bias, y_range=y_range, mean=3.2, std=1.0)
    save(tmp_path / "model.pt", model, data)
    loaded, users, items = load(tmp_path / "model.pt")
    assert torch.equal(loaded(data.x), model(data.x))
    assert users.equals(data.users)
    assert items.equals(data.items)


def test_file_that_would_run_code_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    torch.save({"weights": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(ValueError, match="no file that `save` wrote"):
        load(tmp_path / "trap.pt")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_other_files_are_refused(tmp_path, content):
    if content is None:
        torch.save({"something": 1}, tmp_path / "other.pt")
    else:
        (tmp_path / "other.pt").write_bytes(content)
    with pytest.raises(ValueError, match="no file that `save` wrote"):
        load(tmp_path / "other.pt")


def test_numbers_of_numpy_are_saved(tmp_path):
    table = ratings()
    data = RatingTable(table)
    ends = table.rating.min() - 0.5, table.rating.max() + 0.5
    for y_range in (None, ends):
        model = DotProduct(4, 3, 2, y_range=y_range, mean=table.rating.mean())
        save(tmp_path / "model.pt", model, data)
        assert torch.equal(load(tmp_path / "model.pt")[0](data.x), model(data.x))


def test_ids_that_cannot_be_read_back_are_refused(tmp_path, data):
    save(tmp_path / "model.pt", DotProduct(4, 3, 2), data)
    before = (tmp_path / "model.pt").read_bytes()
    table = ratings()
    dated = RatingTable(table.assign(user=pd.to_datetime(table.user, unit="D")))
    with pytest.raises(ValueError, match="numbers or text"):
        save(tmp_path / "model.pt", DotProduct(4, 3, 2), dated)
    assert (tmp_path / "model.pt").read_bytes() == before


def test_a_full_disk_leaves_the_old_file(tmp_path, data, monkeypatch):
    path = tmp_path / "model.pt"
    save(path, DotProduct(4, 3, 2), data)
    before = path.read_bytes()

    def full(contents, unfinished):
        Path(unfinished).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        save(path, DotProduct(4, 3, 2), data)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_a_stopped_save_leaves_the_old_file(tmp_path, data, monkeypatch, end):
    path = tmp_path / "model.pt"
    save(path, DotProduct(4, 3, 2), data)
    before = path.read_bytes()

    def stopped(contents, unfinished):
        Path(unfinished).write_bytes(b"half")
        raise end

    monkeypatch.setattr(torch, "save", stopped)
    with pytest.raises(end):
        save(path, DotProduct(4, 3, 2), data)
    assert path.read_bytes() == before


def test_a_killed_save_leaves_the_old_file(tmp_path, data):
    path = tmp_path / "model.pt"
    save(path, DotProduct(4, 3, 2), data)
    before = path.read_bytes()
    code = f"""
import os, pathlib, torch
import pandas as pd
from helpers.collab import DotProduct, RatingTable, save

def killed(contents, unfinished):
    pathlib.Path(unfinished).write_bytes(b"half")
    os._exit(9)

torch.save = killed
table = pd.DataFrame({{"user": [1], "item": [2], "rating": [3.0]}})
save({str(path)!r}, DotProduct(1, 1, 2), RatingTable(table))
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 9
    assert path.read_bytes() == before


def test_message_of_load_names_the_file_and_gives_no_bad_advice(tmp_path, data):
    save(tmp_path / "model.pt", DotProduct(4, 3, 2), data)
    whole = (tmp_path / "model.pt").read_bytes()
    (tmp_path / "half.pt").write_bytes(whole[: len(whole) // 2])
    torch.save(data, tmp_path / "own.pt")
    contents = torch.load(tmp_path / "model.pt", weights_only=True)
    torch.save(contents | {"factors": 7}, tmp_path / "other_width.pt")
    for name in ("half.pt", "own.pt", "other_width.pt"):
        with pytest.raises(ValueError, match=f"{name} is no file that `save` wrote") as error:
            load(tmp_path / name)
        assert "weights_only" not in str(error.value)
        assert "\n" not in str(error.value)


def test_svdpp_is_not_saved_as_less(tmp_path, data):
    with pytest.raises(ValueError, match="DotProduct"):
        save(tmp_path / "model.pt", SVDpp(4, 3, data.x), data)
    with pytest.raises(ValueError, match="DotProduct"):
        save(tmp_path / "model.pt", NeuralCollab(4, 3), data)

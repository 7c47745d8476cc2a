"Collaborative filtering: tables that are unfit are refused, models compute what they should, components equal the library's, files hold no code."

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA

from helpers.collab import (
    DotProduct,
    NeuralCollab,
    RatingTable,
    SVDpp,
    UnknownId,
    components,
    item_biases,
    load,
    neighbours,
    pay_per_use,
    recommend,
    save,
    split,
    svd,
)
from helpers.data.films import stand_in_ratings
from helpers.optim import Adam
from helpers.rates import find_rate
from helpers.train import fit


def ratings(n=12, users=(7, 3, 5, 9)):
    "A small table: users and items with gaps, stars 1 to 5."
    return pd.DataFrame(
        [(user, item, 1.0 + (user + item // 10) % 5) for item in (40, 10, 30) for user in users][
            :n
        ],
        columns=["user", "item", "rating"],
    )


@pytest.fixture
def data():
    return RatingTable(ratings())


@pytest.fixture
def model(data):
    torch.manual_seed(0)
    model = DotProduct(len(data.users), len(data.items), 3, y_range=(0, 5.5), mean=3.0, std=1.0)
    torch.nn.init.normal_(model.user_tables[1].weight)
    torch.nn.init.normal_(model.item_tables[1].weight)
    return model.to(data.batches(slice(None)).device)


# Tables


def changed(**columns):
    table = ratings()
    for name, value in columns.items():
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
        (changed(rating=7.0), r"1 row with a rating outside the scale, 1 to 5; the first is row 4"),
        (changed(rating=0.0), "outside the scale"),
        (
            changed(rating=np.nan),
            "1 row with a rating that is no finite number; the first is row 4",
        ),
        (changed(rating=np.inf), "no finite number"),
        (changed(rating="five"), "no finite number"),
        (changed(user=None), "no user or no item"),
        (changed(item=np.nan), "no user or no item"),
        (
            pd.concat([ratings(), ratings(2)], ignore_index=True),
            "2 rows with a pair of user and item that stood before; the first is row 12",
        ),
    ],
)
def test_unfit_table_is_refused_with_the_row(table, words):
    with pytest.raises(ValueError, match=words):
        RatingTable(table)


def test_ids_may_have_gaps(data):
    assert data.users.tolist() == [7, 3, 5, 9] and data.items.tolist() == [40, 10, 30]
    assert (
        data.x[:5].tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [0, 1]]
        and data.x.dtype == torch.int64
    )
    assert data.y.dtype == torch.float32 and data.y.tolist() == ratings().rating.tolist()
    assert data.encode([9, 3], [30, 40]).tolist() == [[3, 2], [1, 0]]


def test_ids_may_be_text():
    table = ratings().assign(
        user=lambda t: t.user.map("member {}".format),
        item=lambda t: t.item.map("Misérables {}".format),
    )
    data = RatingTable(table)
    assert torch.equal(data.x, RatingTable(ratings()).x)
    assert data.encode(["member 5"], ["Misérables 30"]).tolist() == [[2, 2]]
    with pytest.raises(UnknownId, match="item 'Miserables 30'"):
        data.encode(["member 5"], ["Miserables 30"])


def test_stars_may_be_text():
    assert torch.equal(RatingTable(ratings().astype({"rating": str})).y, RatingTable(ratings()).y)


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
    with pytest.raises(
        ValueError, match="1 row with a rating that is no finite number; the first is row 4"
    ):
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
    assert torch.equal(batches.x.cpu(), data.x[[1, 4, 6]]) and torch.equal(
        batches.y.cpu(), data.y[[1, 4, 6]]
    )


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
    with pytest.raises(
        UnknownId, match=rf"No rating is known of user {user!r} .*mean taste"
    ) as error:
        data.encode([7, user], [40, 40])
    assert isinstance(error.value, LookupError)


def test_scale_may_be_another():
    assert len(RatingTable(changed(rating=0.0), low=0.0).y) == 12
    with pytest.raises(ValueError, match="0.5 to 4"):
        RatingTable(ratings(), 0.5, 4)


def test_each_rating_once_in_an_epoch():
    "The point of lesson 10: no replacement."
    films = stand_in_ratings()
    data = RatingTable(films.ratings)
    train, valid = split(len(data.y), 0.2, seed=3)
    assert len(valid) == int(0.2 * len(data.y)) and sorted(
        torch.cat([train, valid]).tolist()
    ) == list(range(len(data.y)))
    batches = data.batches(train, 64, shuffle=True, seed=0)
    for _ in range(2):
        x, y = map(torch.cat, zip(*batches))
        drawn = {(*pair, stars) for pair, stars in zip(map(tuple, x.tolist()), y.tolist())}
        assert len(drawn) == len(train) == len(y)
        assert drawn == {
            (*pair, stars)
            for pair, stars in zip(map(tuple, data.x[train].tolist()), data.y[train].tolist())
        }


def test_split_follows_its_seed():
    assert torch.equal(split(50, seed=1)[0], split(50, seed=1)[0]) and not torch.equal(
        split(50, seed=1)[0], split(50, seed=2)[0]
    )


# Models


def by_hand(model, x):
    (p, b), (q, c) = [
        [table.weight for table in tables] for tables in (model.user_tables, model.item_tables)
    ]
    return torch.stack([(p[u] * q[i]).sum() + b[u, 0] + c[i, 0] for u, i in x.tolist()])


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


@pytest.mark.parametrize(
    "make",
    [
        DotProduct,
        NeuralCollab,
        lambda users, items, **kwargs: SVDpp(
            users, items, torch.tensor([[0, 0], [5, 3]]), **kwargs
        ),
    ],
)
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


@pytest.mark.parametrize(
    "make",
    [DotProduct, lambda *sizes, **kwargs: SVDpp(*sizes, torch.tensor([[0, 0], [1, 1]]), **kwargs)],
)
def test_one_factor_learns(make):
    "Users and items of two kinds: one factor can tell them apart, biases cannot."
    x = torch.cartesian_prod(torch.arange(20), torch.arange(20))
    y = torch.where(x[:, 0] % 2 == x[:, 1] % 2, 4.0, 2.0)
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
    for make in (DotProduct, NeuralCollab):
        model = make(500, 400, 1)
        for tables in (model.user_tables, model.item_tables):
            assert tables[0].weight.std().item() == pytest.approx(
                0.0088, rel=0.15
            )  # .01, cut off at two of it
            assert all(not table.weight.any() for table in list(tables)[1:])


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
        assert torch.equal(twin(data.x), model(data.x)) and len(model.used[0][0]) == len(data.x)
        batches = data.batches(slice(None))
        assert (
            len(find_rate(model.to(batches.device), batches, Adam, steps=5, loss=F.mse_loss).losses)
            == 5
        )


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
    "SVD++ by its formula: own row plus the sum of clues over the root of their number, on both sides; only pairs of the training part count."
    torch.manual_seed(0)
    known = torch.tensor([[0, 0], [0, 2], [0, 3], [1, 2]])
    model = SVDpp(3, 4, known, 2, mean=3.0, std=1.0)
    for table in (*model.clues, model.user_tables[1], model.item_tables[1]):
        torch.nn.init.normal_(table.weight)
    model = model.double()

    def row(tables, clue, n, others):
        own = torch.cat([table.weight[n] for table in tables])
        return own + (sum(clue.weight[k] for k in others) / len(others) ** 0.5 if others else 0)

    for user, item in ((0, 2), (1, 1), (2, 0)):
        u = row(model.user_tables, model.clues[0], user, known[known[:, 0] == user, 1].tolist())
        i = row(model.item_tables, model.clues[1], item, known[known[:, 1] == item, 0].tolist())
        torch.testing.assert_close(
            model(torch.tensor([[user, item]]))[0],
            (u[:2] * i[:2]).sum() + u[2] + i[2] + 3,
            rtol=0,
            atol=1e-6,
        )
    plain = DotProduct(3, 4, 2, mean=3.0).double()
    plain.load_state_dict(
        {name: value for name, value in model.state_dict().items() if "tables" in name}
    )
    for table in model.clues:
        torch.nn.init.zeros_(table.weight)
    x = torch.tensor([[0, 2], [2, 0]])
    torch.testing.assert_close(model(x), plain(x))


def test_pay_per_use(model, data):
    x, y = (
        data.x[[0, 1, 5, 5]].to(next(model.parameters()).device),
        torch.tensor([3.0, 4.0, 5.0, 5.0], device=next(model.parameters()).device),
    )
    loss = pay_per_use(model, (0.1, 0.005))
    out = model.train()(x)
    price = (
        sum(
            0.1 * (model.user_tables[0].weight[u] ** 2).sum()
            + 0.005 * model.user_tables[1].weight[u, 0] ** 2
            + 0.1 * (model.item_tables[0].weight[i] ** 2).sum()
            + 0.005 * model.item_tables[1].weight[i, 0] ** 2
            for u, i in x.tolist()
        )
        / 4
    )
    torch.testing.assert_close(loss(out, y), F.mse_loss(out, y) + price)
    out = model.eval()(x)
    assert loss(out, y) == F.mse_loss(out, y), "scores for validation hold no penalty"


def test_a_price_for_the_rows_of_another_model_is_refused(data):
    "The finder trains a copy: the price would be a constant, and nothing would be drawn to zero."
    model = DotProduct(4, 3, 2, mean=3.0)
    batches = data.batches(slice(None))
    model.to(batches.device)
    for used_before in (False, True):
        if used_before:
            recommend(model, data)  # leaves rows without a gradient
        with pytest.raises(ValueError, match="not the one in training"):
            find_rate(model, batches, Adam, steps=5, loss=pay_per_use(model))


def test_price_of_clues():
    model = SVDpp(3, 4, torch.tensor([[0, 0]]), 2)
    for table in model.clues:
        torch.nn.init.ones_(table.weight)
    out, y = model.train()(torch.tensor([[0, 0]])), torch.tensor([3.0])
    torch.testing.assert_close(
        pay_per_use(model, (0.0, 0.0), 0.01)(out, y), F.mse_loss(out, y) + 0.01 * (4 * 3 + 3 * 3)
    )


def test_training_beats_the_biases_and_finds_the_planted_tastes(learner):
    films = stand_in_ratings()
    data = RatingTable(films.ratings)
    train, valid = split(len(data.y))
    torch.manual_seed(0)
    model = DotProduct(
        len(data.users), len(data.items), 8, mean=data.y[train].mean().item(), std=0.1
    )
    batches = data.batches(train, 256, shuffle=True, seed=0)
    fit(
        model.to(batches.device),
        batches,
        Adam(model.parameters(), 5e-3),
        12,
        pay_per_use(model, (0.03, 0.005)),
    )
    x, y = data.x.to(batches.device), data.y.to(batches.device)
    with torch.no_grad():
        error = F.mse_loss(model.eval()(x[valid]), y[valid]).item()
    truth, user, item = (
        films.truth,
        films.ratings.user.to_numpy() - 1,
        films.ratings.item.to_numpy() - 1,
    )
    ideal = np.clip(
        truth["mean"]
        + truth["user_bias"][user]
        + truth["item_bias"][item]
        + (truth["user_factors"][user] * truth["item_factors"][item]).sum(1),
        1,
        5,
    )
    assert (
        error < 0.8 * y.var().item()
        and error < 1.6 * ((ideal - films.ratings.rating) ** 2)[valid.numpy()].mean()
    )
    found, share = components(model.item_tables[0].weight.detach().double().cpu().numpy(), 3)
    design = np.column_stack([np.ones(len(found)), found])
    planted = truth["item_factors"][data.items.to_numpy() - 1]
    rest = planted - design @ np.linalg.lstsq(design, planted, rcond=None)[0]
    assert (1 - rest.var(0) / planted.var(0)).min() > 0.5 and share.sum() > 0.55
    bias = item_biases(model, data)
    assert np.corrcoef(bias, truth["item_bias"][bias.index.to_numpy() - 1])[0, 1] > 0.75


# Looking inside


@pytest.mark.parametrize("shape", [(7, 7), (30, 4), (200, 40), (5, 1)])
def test_svd(shape):
    table = np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[1] + 1)
    u, lengths, v = svd(table)
    np.testing.assert_allclose(lengths, np.linalg.svd(table, compute_uv=False), rtol=0, atol=1e-10)
    np.testing.assert_allclose(u * lengths @ v.T, table, rtol=0, atol=1e-10)
    for turned in (u, v):
        np.testing.assert_allclose(turned.T @ turned, np.eye(shape[1]), rtol=0, atol=1e-10)


def test_svd_of_dependent_columns():
    table = np.random.default_rng(0).normal(size=(20, 3)) @ np.random.default_rng(1).normal(
        size=(3, 6)
    )
    u, lengths, v = svd(table)
    np.testing.assert_allclose(u * lengths @ v.T, table, rtol=0, atol=1e-10)
    np.testing.assert_allclose(lengths[3:], 0, atol=1e-10)
    svd(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="not finite"):
        svd(np.array([[1.0, np.nan]]))


def test_components_equal_scikit_learn():
    table = np.random.default_rng(0).normal(size=(60, 12)) @ np.random.default_rng(1).normal(
        size=(12, 12)
    )
    ours, share = components(table, 4)
    pca = PCA(4, svd_solver="full").fit(table)
    theirs = pca.transform(table)
    np.testing.assert_allclose(ours * np.sign((ours * theirs).sum(0)), theirs, rtol=0, atol=1e-8)
    np.testing.assert_allclose(share, pca.explained_variance_ratio_, rtol=0, atol=1e-8)


def test_components_of_a_tensor():
    table = np.random.default_rng(0).normal(size=(20, 3))
    for ours, right in zip(components(torch.tensor(table), 2), components(table, 2)):
        np.testing.assert_allclose(ours, right, rtol=0, atol=1e-12)


def test_neighbours(model, data):
    q = model.item_tables[0].weight.detach().cpu()
    got = neighbours(model, data, 10)
    wanted = {
        item: F.cosine_similarity(q[1], q[n], dim=0).item()
        for n, item in enumerate(data.items)
        if item != 10
    }
    assert got.to_dict() == pytest.approx(wanted, abs=1e-6) and got.is_monotonic_decreasing
    assert neighbours(model, data, 10, 1).index.tolist() == [max(wanted, key=wanted.get)]
    with pytest.raises(UnknownId):
        neighbours(model, data, 99)


def test_neighbours_with_enough_ratings(model):
    data = RatingTable(ratings(10))  # item 30 has two ratings, the others four
    assert set(neighbours(model, data, 10, least=3).index) == {40}
    assert set(neighbours(model, data, 30, least=3).index) == {40, 10}


def test_recommend_only_what_was_not_rated():
    data = RatingTable(ratings().drop([0, 6]).reset_index(drop=True))
    torch.manual_seed(0)
    model = DotProduct(len(data.users), len(data.items), 3, mean=3.0, std=1.0)
    for user in data.users:
        rated = set(ratings().drop([0, 6]).query("user == @user").item)
        got = recommend(model, data, user)
        assert set(got.index) == set(data.items) - rated
        for item, stars in got.items():
            assert stars == pytest.approx(model(data.encode([user], [item])).item(), abs=1e-6)
    with pytest.raises(UnknownId):
        recommend(model, data, "nobody")


IDS = [
    "object",
    "str",
    "string",
    "category",
    "Int64",
    "Float64",
    "uint8",
    "float64",
    "string[pyarrow]",
    "int64[pyarrow]",
]


@pytest.mark.parametrize("dtype", IDS)
def test_recommend_for_ids_of_every_kind(dtype):
    "One user has rated two items, another only one; a third item is left for each."
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    pairs = [(1, 7), (1, 8), (2, 9)]
    table = pd.DataFrame(pairs, columns=["user", "item"]).astype(dtype).assign(rating=[5, 4, 3])
    data, model = RatingTable(table), DotProduct(2, 3, 3, mean=3.0)
    first, second, third = data.items
    assert recommend(model, data, data.users[0]).index.tolist() == [third]
    assert set(recommend(model, data, data.users[1]).index) == {first, second}
    assert set(recommend(model, data).index) == {first, second, third}
    assert set(neighbours(model, data, first).index) == {second, third}


@pytest.mark.parametrize("make", [DotProduct, NeuralCollab])
def test_mean_taste(data, make):
    torch.manual_seed(0)
    model = make(len(data.users), len(data.items), 3, mean=3.0, std=1.0)
    got = recommend(model, data)
    assert set(got.index) == set(data.items) and got.is_monotonic_decreasing
    if (
        make is DotProduct
    ):  # without a range the prediction for the mean row is the mean of all predictions
        for item, stars in got.items():
            assert stars == pytest.approx(
                np.mean([model(data.encode([user], [item])).item() for user in data.users]),
                abs=1e-6,
            )


def test_biases(model, data):
    assert item_biases(model, data).to_dict() == pytest.approx(
        dict(zip(data.items, model.item_tables[1].weight.detach().cpu()[:, 0].tolist()))
    )
    with pytest.raises(ValueError, match="bias=True"):
        item_biases(DotProduct(4, 3, bias=False), data)


# Files


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("y_range", [None, (0, 5.5)])
def test_saved_model_predicts_the_same(tmp_path, bias, y_range):
    table = ratings().assign(item=lambda t: t.item.map("film {}".format))
    data = RatingTable(table)
    model = DotProduct(
        len(data.users), len(data.items), 3, bias, y_range=y_range, mean=3.2, std=1.0
    )
    save(tmp_path / "model.pt", model, data)
    loaded, users, items = load(tmp_path / "model.pt")
    assert (
        torch.equal(loaded(data.x), model(data.x))
        and users.equals(data.users)
        and items.equals(data.items)
    )


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
    dated = RatingTable(ratings().assign(user=lambda t: pd.to_datetime(t.user, unit="D")))
    with pytest.raises(ValueError, match="numbers or text"):
        save(tmp_path / "model.pt", DotProduct(4, 3, 2), dated)
    assert (tmp_path / "model.pt").read_bytes() == before


def test_a_full_disk_leaves_the_old_file(tmp_path, data, monkeypatch):
    path = tmp_path / "model.pt"
    save(path, DotProduct(4, 3, 2), data)
    before = path.read_bytes()

    def full(contents, place):
        Path(place).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        save(path, DotProduct(4, 3, 2), data)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_svdpp_is_not_saved_as_less(tmp_path, data):
    with pytest.raises(ValueError, match="DotProduct"):
        save(tmp_path / "model.pt", SVDpp(4, 3, data.x), data)
    with pytest.raises(ValueError, match="DotProduct"):
        save(tmp_path / "model.pt", NeuralCollab(4, 3), data)

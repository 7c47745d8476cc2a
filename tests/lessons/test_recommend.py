"Recommendations: components equal the library's, neighbours and lists are what they should be."

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from samples import ratings
from sklearn.decomposition import PCA

from helpers.collab import (
    DotProduct,
    NeuralCollab,
    RatingTable,
    SVDpp,
    UnknownId,
    pay_per_use,
    split,
)
from helpers.data.films import stand_in_ratings
from helpers.optim import Adam
from helpers.recommend import components, item_biases, neighbours, recommend, rows_of, svd
from helpers.train import fit

# Rows and biases


def test_rows_of_both_sides(model, data):
    for side, tables in (("users", model.user_tables), ("items", model.item_tables)):
        factors, bias = rows_of(model, data, side)
        assert torch.equal(factors, tables[0].weight)
        assert torch.equal(bias, tables[1].weight)
    with pytest.raises(ValueError):
        rows_of(model, data, "films")


def test_rows_hold_clues():
    data = RatingTable(ratings())
    model = SVDpp(4, 3, data.x, 2, std=1.0)
    for table in model.clues:
        torch.nn.init.ones_(table.weight)
    factors, bias = rows_of(model, data, "users")  # each of them has rated three items
    torch.testing.assert_close(factors, model.user_tables[0].weight.detach() + 3**0.5)
    torch.testing.assert_close(bias, torch.full((4, 1), 3**0.5))


def test_biases(model, data):
    bias = model.item_tables[1].weight.detach().cpu()[:, 0]
    right = dict(zip(data.items, bias.tolist()))
    assert item_biases(model, data).to_dict() == pytest.approx(right)
    with pytest.raises(ValueError, match="bias=True"):
        item_biases(DotProduct(4, 3, bias=False), data)


# Components


@pytest.mark.parametrize("shape", [(7, 7), (30, 4), (200, 40), (5, 1)])
def test_svd(shape):
    table = np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[1] + 1)
    u, lengths, v = svd(table)
    right = np.linalg.svd(table, compute_uv=False)
    np.testing.assert_allclose(lengths, right, rtol=0, atol=1e-10)
    np.testing.assert_allclose(u * lengths @ v.T, table, rtol=0, atol=1e-10)
    for turned in (u, v):
        np.testing.assert_allclose(turned.T @ turned, np.eye(shape[1]), rtol=0, atol=1e-10)


def normal(rows, columns, seed):
    return np.random.default_rng(seed).normal(size=(rows, columns))


def test_svd_of_dependent_columns():
    table = normal(20, 3, seed=0) @ normal(3, 6, seed=1)
    u, lengths, v = svd(table)
    np.testing.assert_allclose(u * lengths @ v.T, table, rtol=0, atol=1e-10)
    np.testing.assert_allclose(lengths[3:], 0, atol=1e-10)
    svd(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="not finite"):
        svd(np.array([[1.0, np.nan]]))


def test_svd_leaves_the_table_alone():
    table = normal(6, 3, seed=0)
    before = table.copy()
    svd(table)
    assert np.array_equal(table, before)


def test_components_equal_scikit_learn():
    table = normal(60, 12, seed=0) @ normal(12, 12, seed=1)
    ours, share = components(table, 4)
    pca = PCA(4, svd_solver="full").fit(table)
    theirs = pca.transform(table)
    signs = np.sign((ours * theirs).sum(0))
    np.testing.assert_allclose(ours * signs, theirs, rtol=0, atol=1e-8)
    np.testing.assert_allclose(share, pca.explained_variance_ratio_, rtol=0, atol=1e-8)


def test_components_of_a_tensor():
    table = normal(20, 3, seed=0)
    for ours, right in zip(components(torch.tensor(table), 2), components(table, 2)):
        np.testing.assert_allclose(ours, right, rtol=0, atol=1e-12)


def best_possible(films):
    "Predictions by one who knows how the stand-in's ratings were made."
    truth = films.truth
    user = films.ratings.user.to_numpy() - 1
    item = films.ratings.item.to_numpy() - 1
    product = (truth["user_factors"][user] * truth["item_factors"][item]).sum(1)
    bias = truth["user_bias"][user] + truth["item_bias"][item]
    return np.clip(truth["mean"] + bias + product, 1, 5)


def explained(facts, inputs):
    "Share of the variance of each column of facts that a linear function of the inputs explains."
    design = np.column_stack([np.ones(len(inputs)), inputs])
    residual = facts - design @ np.linalg.lstsq(design, facts, rcond=None)[0]
    return 1 - residual.var(0) / facts.var(0)


def test_training_beats_the_biases_and_finds_the_planted_tastes(learner):
    films = stand_in_ratings()
    data = RatingTable(films.ratings)
    train, valid = split(len(data.y))
    torch.manual_seed(0)
    mean = data.y[train].mean().item()
    model = DotProduct(len(data.users), len(data.items), 8, mean=mean, std=0.1)
    batches = data.batches(train, 256, shuffle=True, seed=0)
    model.to(batches.device)
    optimizer = Adam(model.parameters(), 5e-3)
    fit(model, batches, optimizer, 12, pay_per_use(model, (0.03, 0.005)))

    x, y = data.x.to(batches.device), data.y.to(batches.device)
    with torch.no_grad():
        error = F.mse_loss(model.eval()(x[valid]), y[valid]).item()
    noise = (best_possible(films) - films.ratings.rating)[valid.numpy()]
    assert error < 0.8 * y.var().item()
    assert error < 1.6 * (noise**2).mean()

    factors = model.item_tables[0].weight.detach().double().cpu().numpy()
    positions, share = components(factors, 3)
    planted = films.truth["item_factors"][data.items.to_numpy() - 1]
    assert explained(planted, positions).min() > 0.5
    assert share.sum() > 0.55
    bias = item_biases(model, data)
    planted_bias = films.truth["item_bias"][bias.index.to_numpy() - 1]
    assert np.corrcoef(bias, planted_bias)[0, 1] > 0.75


# Neighbours


def test_neighbours(model, data):
    factors = model.item_tables[0].weight.detach().cpu()
    right = {}
    for item, row in zip(data.items, factors):
        right[item] = F.cosine_similarity(factors[1], row, dim=0).item()
    del right[10]  # row 1
    nearest = neighbours(model, data, 10)
    assert nearest.to_dict() == pytest.approx(right, abs=1e-6)
    assert nearest.is_monotonic_decreasing
    assert neighbours(model, data, 10, 1).index.tolist() == [max(right, key=right.get)]
    with pytest.raises(UnknownId):
        neighbours(model, data, 99)


def test_neighbours_with_enough_ratings(model):
    data = RatingTable(ratings(10))  # item 30 has two ratings, the others four
    assert set(neighbours(model, data, 10, least=3).index) == {40}
    assert set(neighbours(model, data, 30, least=3).index) == {40, 10}


# Recommendations


def test_recommend_only_what_was_not_rated():
    table = ratings().drop([0, 6]).reset_index(drop=True)
    data = RatingTable(table)
    torch.manual_seed(0)
    model = DotProduct(len(data.users), len(data.items), 3, mean=3.0, std=1.0)
    for user in data.users:
        rated = set(table.item[table.user == user])
        best = recommend(model, data, user)
        assert set(best.index) == set(data.items) - rated
        for item, stars in best.items():
            predicted = model(data.encode([user], [item])).item()
            assert stars == pytest.approx(predicted, abs=1e-6)
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
    data = RatingTable(table)
    model = DotProduct(2, 3, 3, mean=3.0)
    first, second, third = data.items
    assert recommend(model, data, data.users[0]).index.tolist() == [third]
    assert set(recommend(model, data, data.users[1]).index) == {first, second}
    assert set(recommend(model, data).index) == {first, second, third}
    assert set(neighbours(model, data, first).index) == {second, third}


@pytest.mark.parametrize("make", [DotProduct, NeuralCollab])
def test_mean_taste(data, make):
    torch.manual_seed(0)
    model = make(len(data.users), len(data.items), 3, mean=3.0, std=1.0)
    best = recommend(model, data)
    assert set(best.index) == set(data.items)
    assert best.is_monotonic_decreasing


def test_the_mean_row_predicts_the_mean_of_all_predictions(data):
    "So it is without a range, for a dot product."
    torch.manual_seed(0)
    model = DotProduct(len(data.users), len(data.items), 3, mean=3.0, std=1.0)
    for item, stars in recommend(model, data).items():
        predicted = [model(data.encode([user], [item])).item() for user in data.users]
        assert stars == pytest.approx(np.mean(predicted), abs=1e-6)

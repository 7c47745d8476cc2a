"Recommendations: lists, scores of lists, models for lists, and what is read from factors."

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from samples import ratings
from sklearn.decomposition import PCA
from sklearn.metrics import ndcg_score

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
from helpers.losses import binary_cross_entropy
from helpers.optim import Adam, AdamW
from helpers.recommend import (
    Negatives,
    components,
    fold_in,
    item_biases,
    linear_autoencoder,
    ndcg_at,
    neighbours,
    precision_at,
    recommend,
    rows_of,
    top,
)
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


# Lists


def test_top_lists_the_best_that_are_not_rated():
    scores = torch.tensor([[0.1, 0.9, -0.5, 0.4], [3.0, 1.0, 2.0, 0.0]])
    rated = torch.tensor([[0, 1, 0, 0], [0, 0, 0, 1]])
    assert top(scores, rated, 2).tolist() == [[3, 0], [0, 2]]
    assert top(scores, rated.bool(), 2).tolist() == [[3, 0], [0, 2]]
    assert top(scores[0], count=2).tolist() == [1, 3]
    assert top(scores[0], rated[0] > 0).tolist() == [3, 0, 2, -1]  # nothing is left
    assert scores[0, 1] == pytest.approx(0.9)  # the scores stay as they are


def test_of_equal_scores_the_smaller_row_number_comes_first():
    scores = torch.zeros(3, 500)
    assert top(scores, count=5).tolist() == [[0, 1, 2, 3, 4]] * 3


def test_one_row_of_scores_for_all_members():
    rated = torch.eye(3)
    assert top(torch.tensor([3.0, 2.0, 1.0]), rated, 2).tolist() == [[1, 2], [0, 2], [0, 1]]


@pytest.mark.parametrize(
    ("scores", "rated", "count", "message"),
    [
        (torch.ones(2, 3), torch.ones(2, 4), 2, "a column for each item"),
        (torch.tensor([[1.0, torch.nan]]), None, 1, "nan"),
        (torch.ones(2, 3), None, 0, "at least one item"),
        (torch.ones(2, 3), None, 2.5, "at least one item"),
        (torch.ones(2, 3, 4), None, 2, "Scores should be"),
    ],
)
def test_what_cannot_be_listed_is_refused(scores, rated, count, message):
    with pytest.raises(ValueError, match=message):
        top(scores, rated, count)


# Scores of lists


def some_lists(members=60, items=40):
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(members, items, dtype=torch.float64, generator=generator)
    return scores, torch.rand(members, items, generator=generator) < 0.15


@pytest.mark.parametrize("count", [1, 3, 10, 40])
def test_ndcg_equals_scikit_learn(count):
    scores, relevant = some_lists()
    relevant[0] = False
    ours = ndcg_at(count, scores, relevant)
    assert ours[0].isnan()
    for n in range(1, len(scores)):
        right = ndcg_score([relevant[n].int().numpy()], [scores[n].numpy()], k=count)
        assert ours[n].item() == pytest.approx(right, abs=1e-12)


def test_rated_films_are_neither_listed_nor_looked_for():
    scores = torch.tensor([[9.0, 1.0, 2.0, 3.0]])
    relevant = torch.tensor([[1, 1, 0, 1]])
    rated = torch.tensor([[1, 0, 0, 0]])
    assert precision_at(2, scores, relevant, rated).tolist() == [0.5]  # rows 3 and 2
    second = 1 / np.log2(3)
    assert ndcg_at(2, scores, relevant, rated).item() == pytest.approx(1 / (1 + second))
    assert precision_at(1, scores, rated, rated).isnan().all()


def test_the_example_of_the_lesson():
    scores = torch.tensor([[5.0, 4, 3, 2, 1]])
    relevant = torch.tensor([[0, 1, 0, 0, 1]])
    assert ndcg_at(5, scores, relevant).item() == pytest.approx(0.624, abs=5e-4)
    assert precision_at(5, scores, relevant).item() == pytest.approx(0.4)


def test_a_list_longer_than_the_catalogue():
    scores, relevant = some_lists(5, 4)
    relevant[:, 0] = True
    assert precision_at(10, scores, relevant).tolist() == pytest.approx(
        (relevant.sum(1) / 10).tolist()
    )
    assert (ndcg_at(10, scores, relevant) <= 1).all()
    with pytest.raises(ValueError, match="relevant should be"):
        ndcg_at(10, scores, relevant[:, :3])


def test_scores_of_one_row_for_all():
    _, relevant = some_lists(5, 8)
    popularity = relevant.sum(0)
    same = ndcg_at(3, popularity.expand(5, 8), relevant)
    torch.testing.assert_close(ndcg_at(3, popularity, relevant), same, equal_nan=True)


# Sampled negatives


def pairs_of(marks):
    return torch.nonzero(marks)


def test_negatives_are_new_pairs():
    _, marks = some_lists(20, 15)
    pairs = pairs_of(marks)
    batches = Negatives(pairs[:30], pairs, 15, count=6, bs=8, seed=0, device="cpu")
    assert len(batches) == 4
    seen = []
    for xb, yb in batches:
        assert len(xb) == len(yb)
        chosen = marks[xb[:, 0], xb[:, 1]]
        assert torch.equal(chosen, yb > 0)
        seen.append(xb[yb > 0])
        assert (yb == 0).sum() <= 6 * (yb == 1).sum()
    both = torch.cat(seen).tolist()
    assert sorted(both) == pairs[:30].tolist()


def test_negatives_are_drawn_anew_and_repeat_with_the_seed():
    pairs = torch.tensor([[0, 0], [1, 1], [2, 2]])

    def epochs(seed):
        batches = Negatives(pairs, pairs, 1000, seed=seed, device="cpu")
        return [xb for _ in range(2) for xb, _ in batches]

    first, second = epochs(0)
    again, _ = epochs(0)
    assert torch.equal(first, again)
    assert not torch.equal(first[3:].sort(0).values, second[3:].sort(0).values)


def test_a_member_who_has_rated_everything_gets_no_negatives():
    pairs = torch.tensor([[0, 0], [0, 1], [0, 2]])
    [(xb, yb)] = Negatives(pairs[:1], pairs, 3, count=50, device="cpu")
    assert xb.tolist() == [[0, 0]] and yb.tolist() == [1.0]


def test_negatives_refuse_what_is_no_pair():
    pairs = torch.tensor([[0, 0], [1, 4]])
    with pytest.raises(ValueError, match="items = 4"):
        Negatives(pairs, pairs, 4)
    with pytest.raises(ValueError, match="row numbers"):
        Negatives(pairs.float(), pairs, 5)
    with pytest.raises(ValueError, match="row numbers"):
        Negatives(pairs[:, 0], pairs, 5)
    with pytest.raises(ValueError, match="at least one item"):
        Negatives(pairs, pairs, 5, count=0)


# Models for lists


def test_linear_autoencoder_is_what_descent_finds():
    _, marks = some_lists(30, 6)
    X = marks.double()
    table = torch.zeros(6, 6, dtype=torch.float64)
    for _ in range(3000):
        table = table - 0.01 * (2 * X.T @ (X @ table - X) + 2 * 3.0 * table)
        table.fill_diagonal_(0)
    ours = linear_autoencoder(X, 3.0)
    torch.testing.assert_close(ours, table, rtol=0, atol=1e-10)
    assert (ours.diag() == 0).all()
    torch.testing.assert_close(linear_autoencoder(marks, 3.0).double(), ours, rtol=0, atol=1e-5)


@pytest.mark.parametrize("penalty", [0, -1.0, float("nan"), float("inf")])
def test_penalties_are_refused(penalty):
    with pytest.raises(ValueError, match="penalty"):
        linear_autoencoder(torch.ones(3, 3), penalty)
    with pytest.raises(ValueError, match="penalty"):
        fold_in(torch.ones(3, 2), torch.ones(3), torch.ones(3), penalty)


def test_tables_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        linear_autoencoder(torch.tensor([[1.0, torch.nan]]), 1.0)
    with pytest.raises(ValueError, match="rows and columns"):
        linear_autoencoder(torch.ones(3), 1.0)
    with pytest.raises(ValueError, match="each of the 3 items"):
        fold_in(torch.ones(3, 2), torch.ones(4), torch.ones(4), 1.0)
    with pytest.raises(ValueError, match="below 0"):
        fold_in(torch.ones(3, 2), torch.ones(3), -torch.ones(3), 1.0)


def test_fold_in_is_where_the_gradient_is_zero():
    generator = torch.Generator().manual_seed(0)
    factors, targets, weights = (
        torch.rand(shape, dtype=torch.float64, generator=generator)
        for shape in ((7, 3), (4, 7), (4, 7))
    )
    rows = fold_in(factors, targets, weights, 0.5).requires_grad_()
    loss = (weights * (targets - rows @ factors.T) ** 2).sum() + 0.5 * (rows**2).sum()
    loss.backward()
    assert rows.grad.abs().max() < 1e-12
    alone = fold_in(factors, targets[2], weights[2], 0.5)
    torch.testing.assert_close(alone, rows[2].detach())


def test_fold_in_of_somebody_who_has_rated_nothing():
    row = fold_in(torch.ones(3, 2), torch.zeros(3), torch.zeros(3), 1.0)
    assert row.tolist() == [0, 0]


def held_out_ndcg(scores, data, train, held_out):
    "Mean NDCG at 10 for the films of four stars or more that were hidden."
    marks = torch.zeros(2, len(data.users), len(data.items))
    good = held_out[data.y[held_out] >= 4]
    for n, rows in enumerate((train, good)):
        marks[n, data.x[rows, 0], data.x[rows, 1]] = 1
    return ndcg_at(10, scores, marks[1], marks[0]).nanmean().item(), marks[0]


def test_models_for_lists_beat_popularity(learner):
    data = RatingTable(stand_in_ratings().ratings)
    train, held_out = split(len(data.y))
    good = train[data.y[train] >= 4]
    marks = torch.zeros(len(data.users), len(data.items))
    marks[data.x[good, 0], data.x[good, 1]] = 1

    torch.manual_seed(0)
    model = DotProduct(*marks.shape, 16, std=0.1)
    batches = Negatives(data.x[good], data.x[train], marks.shape[1], seed=0, device="cpu")
    fit(model, batches, AdamW(model.parameters(), 1e-2, wd=0.3), 15, binary_cross_entropy)
    with torch.no_grad():
        sampled = model.user_tables[0].weight @ model.item_tables[0].weight.T
        sampled = sampled + model.item_tables[1].weight.T

    linear = marks @ linear_autoencoder(marks, 100.0)
    _, rated = held_out_ndcg(linear, data, train, held_out)
    popularity, _ = held_out_ndcg(rated.sum(0), data, train, held_out)
    for scores in (sampled, linear):
        own, _ = held_out_ndcg(scores, data, train, held_out)
        assert own > 1.1 * popularity


# Components


def normal(rows, columns, seed):
    return np.random.default_rng(seed).normal(size=(rows, columns))


@pytest.mark.parametrize("shape", [(60, 12), (30, 40), (5, 4)])
def test_components_equal_scikit_learn(shape):
    table = normal(*shape, seed=0) @ normal(shape[1], shape[1], seed=1)
    ours, part = components(table, 4)
    pca = PCA(4, svd_solver="full").fit(table)
    theirs = pca.transform(table)
    signs = np.sign((ours * theirs).sum(0))
    np.testing.assert_allclose(ours * signs, theirs, rtol=0, atol=1e-8)
    np.testing.assert_allclose(part, pca.explained_variance_ratio_, rtol=0, atol=1e-8)


def test_components_end_and_have_one_sign():
    "Tables on which a rotation of pairs of columns never ended."
    for table in (np.array([[1.0, 2.0]]), np.ones((5, 3)), np.zeros((4, 2))):
        positions, part = components(table, 1)
        np.testing.assert_allclose(positions, 0, atol=1e-12)
        np.testing.assert_allclose(part, 0)
    table = normal(20, 3, seed=0)
    for ours, turned in zip(components(table, 2), components(torch.tensor(-table), 2)):
        np.testing.assert_allclose(np.abs(ours), np.abs(turned), atol=1e-12)
    positions, _ = components(table, 3)
    assert (positions[np.abs(positions).argmax(0), range(3)] > 0).all()


def test_components_refuse_what_has_none():
    with pytest.raises(ValueError, match="not finite"):
        components(np.array([[1.0, np.nan]]), 1)
    with pytest.raises(ValueError, match="1 to 2 components"):
        components(np.ones((5, 2)), 3)
    with pytest.raises(ValueError, match="rows and columns"):
        components(np.ones(5), 1)


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

    positions, part = components(model.item_tables[0].weight, 3)
    planted = films.truth["item_factors"][data.items.to_numpy() - 1]
    assert explained(planted, positions).min() > 0.5
    assert part.sum() > 0.55
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
    for table in (model, factors, factors.numpy()):
        nearest = neighbours(table, data, 10)
        assert nearest.to_dict() == pytest.approx(right, abs=1e-6)
        assert nearest.is_monotonic_decreasing
    assert neighbours(model, data, 10, 1).index.tolist() == [max(right, key=right.get)]
    with pytest.raises(UnknownId):
        neighbours(model, data, 99)
    with pytest.raises(ValueError, match="2 rows for 3 items"):
        neighbours(factors[:2], data, 10)


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
    scores = torch.randn(len(data.users), len(data.items))
    for row, user in enumerate(data.users):
        rated = set(table.item[table.user == user])
        best = recommend(model, data, user)
        assert set(best.index) == set(data.items) - rated
        for item, stars in best.items():
            predicted = model(data.encode([user], [item])).item()
            assert stars == pytest.approx(predicted, abs=1e-6)
        for item, score in recommend(scores, data, user).items():
            assert item not in rated
            assert score == scores[row, data.items.get_loc(item)].item()
    with pytest.raises(UnknownId):
        recommend(model, data, "nobody")


def test_scores_of_another_shape_are_refused(data):
    with pytest.raises(ValueError, match="a column for each item"):
        recommend(torch.ones(4, 2), data, data.users[0])
    with pytest.raises(ValueError, match="not finite"):
        recommend(torch.full((4, 3), torch.nan), data, data.users[0])


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
    for scores in (model, torch.rand(2, 3)):
        assert recommend(scores, data, data.users[0]).index.tolist() == [third]
        assert set(recommend(scores, data, data.users[1]).index) == {first, second}
        assert set(recommend(scores, data).index) == {first, second, third}
    for near in (model, torch.rand(3, 5)):
        assert set(neighbours(near, data, first).index) == {second, third}
    assert item_biases(model, data).index.tolist() == [first, second, third]


def test_text_ids_as_they_are_typed():
    pairs = [("ann", "x"), ("bob", "x"), ("bob", "y")]
    table = pd.DataFrame(pairs, columns=["user", "item"]).assign(rating=[4, 5, 3])
    data = RatingTable(table)
    assert recommend(DotProduct(2, 2, 3, mean=3.0), data, "ann").index.tolist() == ["y"]
    assert recommend(DotProduct(2, 2, 3, mean=3.0), data, "bob").empty


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


def test_the_mean_of_a_table_of_scores(data):
    scores = torch.tensor([[1.0, 0.0, 2.0]] * 3 + [[5.0, 0.0, 2.0]])
    right = dict(zip(data.items, [2.0, 0.0, 2.0]))
    assert recommend(scores, data).to_dict() == right

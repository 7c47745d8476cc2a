"Coder of tables, net of embeddings and numbers, and embeddings as features."

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from helpers.optim import AdamW
from helpers.tabular import TableCoder, TabularNet, embedded, embedding_size
from helpers.train import Batches, fit


def frame(**changes):
    return pd.DataFrame(
        {
            "kind": ["pear", "apple", None, "plum", "apple", "pear"],
            "day": [3, 1, 2, 2, 1, 3],
            "size": [1.0, 2.0, np.nan, 4.0, 8.0, 30.0],
            "price": [1, 2, 3, 4, 5, 6],
        }
    ).assign(**changes)


@pytest.fixture
def coder():
    return TableCoder(frame(), ["kind", "day"], ["size", "price"])


def test_codes_fill_and_scale(coder):
    x = coder(frame(), torch.float64)
    assert coder.sizes == [4, 4, 3]
    assert list(coder.levels) == ["kind", "day", "size was missing"]
    assert x[:, 0].tolist() == [2, 1, 0, 3, 1, 2]
    assert x[:, 1].tolist() == [3, 1, 2, 2, 1, 3]
    assert x[:, 2].tolist() == [1, 1, 2, 1, 1, 1]
    filled = np.array([1, 2, 4, 4, 8, 30])
    assert np.allclose(x[:, 3], (filled - filled.mean()) / filled.std(), atol=1e-12)
    assert np.allclose(x[:, 3:].mean(0), 0, atol=1e-12)
    assert np.allclose(x[:, 3:].std(0, correction=0), 1, atol=1e-12)
    assert coder(frame()).dtype == torch.float32


def later():
    "Rows of the future, with names and gaps that training did not have."
    return pd.DataFrame(
        {
            "kind": ["quince", "plum", None],
            "day": [2, 7, 1],
            "size": [100.0, np.nan, 2.0],
            "price": [np.nan, 4, 1000],
        }
    )


def test_what_is_learned_comes_from_training_alone(coder):
    x = coder(later(), torch.float64)
    assert x[:, 0].tolist() == [0, 3, 0]
    assert x[:, 1].tolist() == [2, 0, 1]
    assert x[:, 2].tolist() == [1, 2, 1]
    assert coder.medians["size"] == 4
    scaled = (4 - coder.means["size"]) / coder.stds["size"]
    assert x[1, 3] == pytest.approx(scaled, abs=1e-6)
    # The median of price, 3.5, is its mean. No flag, since none was missing in training.
    assert x[0, 4] == pytest.approx(0, abs=1e-6)


def test_a_row_does_not_depend_on_its_company(coder):
    x = coder(later(), torch.float64)
    for n in range(3):
        alone = coder(later()[n : n + 1], torch.float64)
        assert torch.equal(alone[0], x[n])


def test_the_table_given_is_left_alone(coder):
    table = frame()
    coder(table)
    TableCoder(table, ["kind"], ["size"])
    pd.testing.assert_frame_equal(table, frame())


def test_order_of_columns_and_index_do_not_matter(coder):
    other = frame()[["price", "size", "kind", "day"]].set_axis(list("abcdef"))
    assert torch.equal(coder(other), coder(frame()))


def test_text_categories_and_booleans():
    plain = frame(kind2=[True, False] * 3)
    as_category = plain.astype({"kind": "category", "day": "category"})
    coder = TableCoder(as_category, ["kind", "day", "kind2"], ["size"])
    assert torch.equal(coder(as_category), coder(plain))
    assert coder(as_category)[:2, 2].tolist() == [2, 1]


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: TableCoder(frame(), ["colour"], []), "no column 'colour'"),
        (lambda: TableCoder(frame(), ["kind"], ["weight"]), "no column 'weight'"),
        (lambda: TableCoder(frame()[:0], ["kind"], ["size"]), "no rows"),
        (lambda: TableCoder(frame(), [], ["kind"]), "'kind' should hold numbers, and holds 'pear'"),
        (
            lambda: TableCoder(frame(size=[1, 2, np.inf, 3, 4, 5]), [], ["size"]),
            "'size' holds numbers that are not finite",
        ),
        (lambda: TableCoder(frame(size=np.nan), [], ["size"]), "nothing but missing"),
        (
            lambda: TableCoder(frame(kind=[0, "0", "a", 0, 0, "b"]), ["kind"], []),
            "mixes text and numbers",
        ),
    ],
)
def test_bad_training_tables(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    "new, words",
    [
        (frame().drop(columns="day"), "no column 'day'"),
        (frame().drop(columns="price"), "no column 'price'"),
        (frame()[:0], "no rows"),
        (frame(price="dear"), "'price' should hold numbers"),
        (frame(price=[1, 2, 3, 4, 5, -np.inf]), "'price' holds numbers that are not finite"),
        (frame(day=list("312213")), "'day' holds '3', and in training it held"),
    ],
)
def test_bad_later_tables(coder, new, words):
    with pytest.raises(ValueError, match=words):
        coder(new)


def test_all_missing_later_is_fine(coder):
    x = coder(frame(kind=None, day=np.nan, size=np.nan))
    assert (x[:, :2] == 0).all()
    assert (x[:, 2] == 2).all()
    assert x.isfinite().all()


@pytest.mark.parametrize("value", [5, 0, 0.1])
def test_a_constant_column_is_not_divided_by_nothing(value):
    "0.1 six times has a deviation of 1e-17. As in scikit-learn, 1 more is 1 more."
    from sklearn.preprocessing import StandardScaler

    coder = TableCoder(frame(price=value), [], ["price"])
    assert coder(frame(price=value)).abs().max() < 1e-6
    later = coder(frame(price=value + 1), torch.float64)
    scaler = StandardScaler().fit(np.full((6, 1), value))
    assert torch.allclose(later, torch.ones(6, 1, dtype=torch.float64))
    assert np.allclose(later, scaler.transform(np.full((6, 1), value + 1.0)))


def test_small_numbers_are_scaled_all_the_same():
    tiny = frame(price=1e-9 * np.arange(6))
    x = TableCoder(tiny, [], ["price"])(tiny, torch.float64)
    assert x.std(correction=0).item() == pytest.approx(1)


def test_embedding_size():
    assert [embedding_size(rows) for rows in (2, 3, 9, 42, 1116, 10**6)] == [2, 3, 5, 13, 81, 600]


def net(seed=0, **kwargs):
    torch.manual_seed(seed)
    return TabularNet([4, 4, 3], 2, (8, 6), **kwargs)


def test_shapes(coder):
    x = coder(frame())
    assert net()(x).shape == (6,)
    assert net(outputs=3)(x).shape == (6, 3)
    assert TabularNet([4, 4, 3], 0, (5,))(x[:, :3]).shape == (6,)
    assert TabularNet([], 2, (5,))(x[:, 3:]).shape == (6,)
    widths = [2, 5, 1]
    assert [table.weight.shape[1] for table in net(widths=widths).tables] == widths
    with pytest.raises(ValueError):
        net(widths=[2, 5])


def fastai_net(outputs, drop, emb_drop=0.0, y_range=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastai.tabular.model import TabularModel
    widths = [(rows, embedding_size(rows)) for rows in (4, 4, 3)]
    return TabularModel(widths, 2, outputs, [8, 6], drop, emb_drop, y_range)


def test_dropout_on_vectors_and_a_range_as_in_fastai(coder):
    x = coder(frame()).double()
    switches = dict(drop=0.3, emb_drop=0.4, y_range=(-1.0, 2.0))
    ours = net(**switches).double()
    theirs = fastai_net(1, **switches).double()
    weights = theirs.state_dict().values()
    ours.load_state_dict(dict(zip(ours.state_dict(), weights, strict=True)))
    for training in (True, False):
        torch.manual_seed(0)
        our = ours.train(training)(x)
        torch.manual_seed(0)
        their = theirs.train(training)(x[:, :3].long(), x[:, 3:])
        assert torch.allclose(our, their[:, 0], atol=1e-10, rtol=0)
        assert (-1 < our).all() and (our < 2).all()


@pytest.mark.parametrize(
    ("training", "outputs", "drop"), [(True, 1, 0.0), (False, 1, 0.3), (False, 4, 0.0)]
)
def test_equal_to_fastai_in_value_and_gradient(coder, training, outputs, drop):
    x = coder(frame()).double()
    names, numbers = x[:, :3].long(), x[:, 3:]
    ours = net(outputs=outputs, drop=drop).double()
    theirs = fastai_net(outputs, drop).double()
    assert [p.shape for p in ours.parameters()] == [p.shape for p in theirs.parameters()]
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(0.3 * torch.randn_like(p))
    theirs(names, numbers)  # running statistics that are not the first ones
    weights = theirs.state_dict().values()
    ours.load_state_dict(dict(zip(ours.state_dict(), weights, strict=True)))
    ours.train(training)
    theirs.train(training)

    our, their = ours(x).reshape(6, -1), theirs(names, numbers)
    assert torch.allclose(our, their, atol=1e-10, rtol=0)
    unequal = torch.arange(6.0).double()[:, None]
    (our * unequal).sum().backward()
    (their * unequal).sum().backward()
    for p, q in zip(ours.parameters(), theirs.parameters()):
        assert torch.allclose(p.grad, q.grad, atol=1e-10, rtol=1e-10)


def test_dropout_only_in_training(coder):
    model = net(drop=0.5)
    x = coder(frame())
    model(x)
    model.eval()
    assert torch.equal(model(x), model(x))
    assert sum(isinstance(layer, torch.nn.Dropout) for layer in model.layers) == 2


def test_embedded(coder):
    model = net()
    x = coder(frame())
    kinds, days = [table.weight.detach().numpy() for table in model.tables[:2]]
    features = embedded(model, x)
    widths = [embedding_size(rows) for rows in (4, 4, 3)]
    assert features.shape == (6, sum(widths) + 2)
    assert features.dtype == np.float32
    first, second = kinds.shape[1], kinds.shape[1] + days.shape[1]
    assert np.array_equal(features[:, :first], kinds[[2, 1, 0, 3, 1, 2]])
    assert np.array_equal(features[:, first:second], days[[3, 1, 2, 2, 1, 3]])
    assert np.array_equal(features[:, -2:], x[:, 3:].numpy())


def test_it_learns_what_depends_on_names():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"name": rng.choice(list("abcdef"), 600), "number": rng.normal(size=600)})
    worth = dict(a=0.0, b=5.0, c=-3.0, d=4.0, e=-4.0, f=1.0)
    target = table.name.map(worth) + table.number
    y = torch.tensor(target.to_numpy(), dtype=torch.float32)
    coder = TableCoder(table, ["name"], ["number"])
    torch.manual_seed(0)
    model = TabularNet(coder.sizes, 1, (20,))
    batches = Batches(coder(table), y, 50, shuffle=True, seed=0, device="cpu")
    fit(model, batches, AdamW(model.parameters(), 0.02), 15, F.mse_loss)
    with torch.no_grad():
        assert F.mse_loss(model.eval()(coder(table)), y) < 0.1 * y.var()

"Embeddings against PyTorch's in value, gradient and training; and what bad row numbers get."

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.embeddings import Embedding, look_up, n_hot, one_hot, one_hot_product
from helpers.optim import SGD

TOLERANCE = 1e-12
torch.manual_seed(0)
WEIGHT = torch.randn(9, 4, dtype=torch.float64)
shapes = {
    "one": torch.tensor([3]),
    "repeated": torch.tensor([2, 8, 2, 0, 2]),
    "none": torch.tensor([], dtype=torch.int64),
    "a number": torch.tensor(5),
    "table": torch.tensor([[0, 8, 1], [1, 1, 7]]),
    "cube": torch.arange(8).view(2, 2, 2),
    "not contiguous": torch.arange(8).view(2, 4).T,
    "int32": torch.tensor([1, 0, 1], dtype=torch.int32),
}
ways = {
    "product": one_hot_product,
    "look-up": look_up,
    "sparse": lambda i, w: look_up(i, w, sparse=True),
}


def outcome(way, indices, weight=WEIGHT):
    "Value, and gradient for unequal weights of the outputs."
    weight = weight.clone().requires_grad_()
    value = way(indices, weight)
    value.backward(torch.linspace(0.5, 1.5, value.numel(), dtype=weight.dtype).view_as(value))
    return value.detach(), weight.grad


@pytest.mark.parametrize("indices", shapes.values(), ids=shapes)
@pytest.mark.parametrize("way", ways.values(), ids=ways)
def test_equal_to_embedding(way, indices):
    value, gradient = outcome(way, indices)
    right, right_gradient = outcome(F.embedding, indices)
    assert value.shape == right.shape
    assert value.dtype == torch.float64
    assert torch.equal(value, right)
    gradient = gradient.to_dense()
    assert gradient.shape == WEIGHT.shape
    assert (gradient - right_gradient).abs().max() <= TOLERANCE


@pytest.mark.parametrize("way", [one_hot_product, look_up])
def test_gradients_by_finite_differences(way):
    def squares(weight):
        return way(shapes["repeated"], weight) ** 2

    assert torch.autograd.gradcheck(squares, (WEIGHT.clone().requires_grad_(),))


def test_sparse_gradient_holds_only_the_batch():
    indices = shapes["table"]
    _, gradient = outcome(ways["sparse"], indices)
    _, right = outcome(lambda i, w: F.embedding(i, w, sparse=True), indices)
    assert gradient.is_sparse
    assert gradient._nnz() == indices.numel()
    gradient, right = gradient.coalesce(), right.coalesce()
    assert torch.equal(gradient.indices(), right.indices())
    assert (gradient.values() - right.values()).abs().max() <= TOLERANCE
    assert not outcome(look_up, indices)[1].is_sparse


@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_accumulate(sparse):
    layer = Embedding(5, 3, sparse=sparse)
    for _ in range(2):
        layer(torch.tensor([1, 1, 4])).sum().backward()
    times = torch.tensor([0.0, 4.0, 0.0, 0.0, 2.0])
    assert torch.equal(layer.weight.grad.to_dense(), times[:, None].expand(5, 3))


def test_one_hot():
    for indices in shapes.values():
        assert torch.equal(one_hot(indices, 9), F.one_hot(indices.long(), 9).float())
    assert one_hot(2, 4).tolist() == [0, 0, 1, 0]
    assert one_hot([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert one_hot([], 3).shape == (0, 3)
    assert one_hot(torch.tensor([0]), 2).dtype == torch.float32
    assert one_hot(0, 2, torch.float64).dtype == torch.float64


def test_n_hot_is_a_bag():
    bags = [[0, 5, 2], [], [4], [1, 1, 7], range(3)]
    flat = torch.tensor([0, 5, 2, 4, 1, 1, 7, 0, 1, 2])
    starts = torch.tensor([0, 3, 3, 4, 7])
    value, gradient = outcome(lambda _, w: n_hot(bags, 9, w.dtype) @ w, None)
    right, right_gradient = outcome(lambda i, w: F.embedding_bag(i, w, starts, mode="sum"), flat)
    assert (value - right).abs().max() <= TOLERANCE
    assert (gradient - right_gradient).abs().max() <= TOLERANCE
    assert n_hot([[1, 1]], 3).tolist() == [[0, 2, 0]]
    assert n_hot([], 3).shape == (0, 3)
    assert n_hot([[0]], 2).dtype == torch.float32


def test_n_hot_of_a_table_of_marks():
    marks = torch.tensor([[True, False, True], [False, False, False]])
    frame = pd.DataFrame(marks.numpy())
    for table in (marks, marks.numpy(), frame, frame.to_numpy()):
        assert n_hot(table, 3).tolist() == [[1, 0, 1], [0, 0, 0]]
        assert n_hot(table, 3).dtype == torch.float32
    for wrong in (marks.float(), marks[0], torch.tensor([[0, 2]])):
        with pytest.raises(ValueError, match="True and False"):
            n_hot(wrong, 3)
    with pytest.raises(ValueError, match=r"\[lines, 4\]"):
        n_hot(marks, 4)


outside = {"too large": [0, 9], "negative": [-1, 3], "far": [10**9]}
wrong_kinds = {
    "floating": torch.tensor([1.0]),
    "Boolean": torch.tensor([True]),
    "bytes": torch.tensor([1], dtype=torch.uint8),
    "int16": torch.tensor([1], dtype=torch.int16),
}


@pytest.mark.parametrize("indices", outside.values(), ids=outside)
@pytest.mark.parametrize(
    "way",
    [
        *ways.values(),
        lambda i, w: one_hot(i, len(w)),
        lambda i, w: Embedding(9, 4)(i),
        lambda i, w: Embedding(9, 4, sparse=True)(i),
        lambda i, w: n_hot([i.tolist()], len(w)),
        lambda i, w: look_up(i[None], w),
    ],
)
def test_rows_that_are_not_there(way, indices):
    with pytest.raises(IndexError, match="9 rows are numbered 0 to 8") as caught:
        way(torch.tensor(indices), WEIGHT)
    assert f"from {min(indices)} to {max(indices)};" in str(caught.value)


@pytest.mark.parametrize("indices", wrong_kinds.values(), ids=wrong_kinds)
@pytest.mark.parametrize(
    "way", [*ways.values(), lambda i, w: one_hot(i, len(w)), lambda i, w: Embedding(9, 4)(i)]
)
def test_row_numbers_of_another_kind(way, indices):
    with pytest.raises(ValueError, match="whole numbers") as caught:
        way(indices, WEIGHT)
    assert str(indices.dtype) in str(caught.value)


def test_other_things_instead_of_row_numbers():
    layer = Embedding(9, 4)
    for thing in ([1, 2], 3, "user", None):
        with pytest.raises(ValueError, match=f"these are {type(thing).__name__}"):
            layer(thing)
    with pytest.raises(ValueError, match="whole numbers"):
        one_hot([0.5], 3)
    with pytest.raises(ValueError, match="whole numbers"):
        n_hot([[0.5]], 3)


def test_errors_of_other_kinds_are_not_hidden():
    with pytest.raises(AttributeError, match="index_select"):
        look_up(torch.tensor([0]), [1.0, 2.0])


def test_start():
    torch.manual_seed(1)
    weight = Embedding(2000, 50).weight.detach()
    assert weight.abs().max() <= 0.02
    assert abs(weight.mean()) < 1e-4
    # cut off at two standard deviations, .88 of one is left
    assert weight.std() == pytest.approx(0.0088, abs=0.0002)
    assert Embedding(2000, 50, std=1.0).weight.detach().std() == pytest.approx(0.88, abs=0.02)
    assert not torch.equal(Embedding(3, 3).weight, Embedding(3, 3).weight)


def test_is_a_module():
    layer = Embedding(7, 3)
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    assert layer.weight.shape == (7, 3)
    assert layer.weight.requires_grad
    assert repr(layer) == "Embedding(7, 3)"
    assert repr(Embedding(7, 3, sparse=True)) == "Embedding(7, 3, sparse=True)"
    other = nn.Embedding(7, 3)
    other.load_state_dict(layer.state_dict())
    indices = shapes["repeated"] % 7
    assert torch.equal(other(indices), layer(indices))


@pytest.mark.parametrize(("rows", "width"), [(0, 3), (3, 0)])
def test_a_table_without_rows_or_columns_is_refused(rows, width):
    with pytest.raises(ValueError, match="at least one row"):
        Embedding(rows, width)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, 0.005, momentum=0.9),
        lambda p: torch.optim.AdamW(p, 0.01),
        lambda p: torch.optim.Adagrad(p, 0.1),
    ],
)
def test_trains_like_the_library(make):
    results = []
    for layer in (Embedding(9, 4).double(), nn.Embedding(9, 4).double()):
        with torch.no_grad():
            layer.weight.copy_(WEIGHT)
        optimizer = make(layer.parameters())
        generator = torch.Generator().manual_seed(3)
        for _ in range(50):
            pairs = torch.randint(9, (6, 2), generator=generator)
            (layer(pairs).prod(1) ** 2).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        results.append(layer.weight.detach())
    assert (results[0] - results[1]).abs().max() <= TOLERANCE


@pytest.mark.parametrize(
    "make",
    [
        lambda p: SGD(p, 0.1),
        lambda p: torch.optim.SGD(p, 0.1),
        lambda p: torch.optim.SparseAdam(list(p), 0.1),
    ],
)
def test_sparse_gradients_work_with_optimizers(make):
    layer = Embedding(6, 3, sparse=True)
    before = layer.weight.detach().clone()
    optimizer = make(layer.parameters())
    layer(torch.tensor([1, 4, 4])).sum().backward()
    optimizer.step()
    moved = (layer.weight.detach() - before).abs().amax(1) > 0
    assert moved.nonzero()[:, 0].tolist() == [1, 4]


COLUMNS = [
    np.array([0, 2]),
    np.array([0, 2], dtype="uint8"),
    np.array([0, 2], dtype="int32"),
    pd.Index([0, 2]),
    pd.Series([0, 2], index=[5, 6]),
    pd.Series([0, 2], dtype="Int64"),
    pd.Series(list("ab")).map({"a": 0, "b": 2}),
]


@pytest.mark.parametrize("column", COLUMNS)
def test_one_hot_of_a_column(column):
    assert one_hot(column, 3).tolist() == [[1, 0, 0], [0, 0, 1]]


def test_one_hot_of_numbers_of_numpy():
    assert one_hot(np.int64(1), 3).tolist() == [0, 1, 0]
    assert one_hot(np.array([], dtype=int), 3).shape == (0, 3)
    with pytest.raises(ValueError, match="whole numbers"):
        one_hot(np.array([0.5]), 3)


def test_n_hot_of_columns_and_tables_of_pandas():
    lists = pd.Series([[0, 2], []], index=[5, 6])
    marks = pd.DataFrame([[True, False, True], [False, False, False]])
    for table in (lists, lists.to_numpy(), marks.astype("boolean"), marks.astype(object)):
        assert n_hot(table, 3).tolist() == [[1, 0, 1], [0, 0, 0]]
    assert n_hot(marks[:0], 3).shape == (0, 3)


def test_sparse_gradient_says_that_its_rows_need_no_check(monkeypatch):
    "PyTorch 2.11 warns at the first sparse tensor, unless it was told whether to check."
    made, real = [], torch.sparse_coo_tensor

    def spy(*args, **kwargs):
        made.append(torch.sparse.check_sparse_tensor_invariants.is_enabled())
        return real(*args, **kwargs)

    monkeypatch.setattr(torch, "sparse_coo_tensor", spy)
    weight = torch.ones(4, 2, requires_grad=True)
    with torch.sparse.check_sparse_tensor_invariants():
        look_up(torch.tensor([1, 3]), weight, sparse=True).sum().backward()
        assert torch.sparse.check_sparse_tensor_invariants.is_enabled(), "it should be as before"
    assert made == [False] and weight.grad.to_dense().tolist() == [[0, 0], [1, 1], [0, 0], [1, 1]]

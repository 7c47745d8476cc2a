"Views, votes, folds, intervals and submissions."

import warnings
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from helpers.ensemble import (
    average_probabilities,
    blend,
    bootstrap_interval,
    folds,
    mcnemar,
    merge_groups,
    submission,
    submission_faults,
    tta,
)
from helpers.vision import predict


def chances(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).softmax(-1)


class Small(nn.Module):
    "A net of one layer with dropout, which must be off when it is asked."

    size, mean, std = (8, 8), (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(192, 3))

    def forward(self, x):
        return self.layers(x)


@pytest.fixture
def net(learner):
    return Small()


@pytest.fixture
def pictures():
    return torch.randint(
        256, (11, 3, 10, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


def test_predict_gives_probabilities_in_evaluation_mode(net, pictures):
    net.train()
    found = predict(net, pictures)
    assert net.training
    assert net.layers[1].training
    assert found.shape == (11, 3)
    assert torch.allclose(found.sum(1), torch.ones(11))
    assert not found.requires_grad
    assert torch.allclose(found, predict(net, pictures, bs=4), atol=1e-6)
    x = torch.nn.functional.interpolate(
        pictures.float() / 255, (8, 8), mode="bilinear", antialias=True
    )
    x = (x - torch.tensor(net.mean).view(1, 3, 1, 1)) / torch.tensor(net.std).view(1, 3, 1, 1)
    assert torch.allclose(found, net.eval()(x).softmax(1), atol=1e-5)
    predict(net, pictures)
    assert not net.training
    assert torch.allclose(
        predict(net, pictures, activation=nn.Identity()).softmax(1), found, atol=1e-6
    )


def test_views_follow_their_seed(net, pictures):
    first, again, other = [predict(net, pictures, augment=True, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first, predict(net, pictures))


def test_tta_is_the_blend_of_views(net, pictures):
    views = [predict(net, pictures, True, 3000 + copy) for copy in range(3)]
    assert len({float(view[0, 0]) for view in views}) == 3
    assert torch.allclose(
        tta(net, pictures, copies=3, beta=0.4, seed=3),
        0.6 * sum(views) / 3 + 0.4 * predict(net, pictures),
        atol=1e-6,
    )
    assert torch.allclose(tta(net, pictures, beta=1.0), predict(net, pictures))
    assert torch.allclose(tta(net, pictures, bs=4), tta(net, pictures, bs=4))
    with pytest.raises(ValueError, match="at least one"):
        tta(net, pictures, copies=0)


@pytest.mark.parametrize("copies", [1, 4])
@pytest.mark.parametrize("beta", [0.0, 0.25, 0.7, 1.0])
def test_blend_equals_fastai(copies, beta):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Learner = pytest.importorskip("fastai.learner").Learner
    tables = [chances(20, 5, seed=seed) for seed in range(copies + 1)]
    waiting = iter(tables)

    class Pretender:
        def __call__(self, events):
            pass

        def no_mbar(self):
            return nullcontext()

        def get_preds(self, **ignored):
            return next(waiting), None

    loader = SimpleNamespace(dataset=SimpleNamespace(set_split_idx=lambda n: nullcontext()))
    theirs = Learner.tta(Pretender(), dl=loader, n=copies, beta=beta)[0]
    assert torch.allclose(blend(tables[:-1], tables[-1], beta), theirs, atol=1e-7, rtol=0)
    assert torch.equal(
        blend(tables[:-1], tables[-1], beta), blend(torch.stack(tables[:-1]), tables[-1], beta)
    )


def test_blend_refuses():
    with pytest.raises(ValueError, match="same pictures and classes"):
        blend(chances(4, 6, 3), chances(5, 3))
    for beta in (-0.1, 1.1):
        with pytest.raises(ValueError, match="between 0"):
            blend(chances(4, 5, 3), chances(5, 3), beta)


def test_average_does_not_depend_on_the_order():
    tables = [
        torch.randn(
            50, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
        ).softmax(1)
        for seed in range(7)
    ]  # float32 would add up exactly in any order
    mean = average_probabilities(tables)
    assert mean.dtype == torch.float64
    assert torch.allclose(mean, torch.stack(tables).mean(0), atol=1e-12)
    for seed in range(5):
        order = torch.randperm(7, generator=torch.Generator().manual_seed(seed)).tolist()
        assert torch.equal(average_probabilities([tables[n] for n in order]), mean)
    kept = [table.clone() for table in tables]
    assert all(torch.equal(a, b) for a, b in zip(tables, kept))
    assert torch.equal(average_probabilities([table.numpy() for table in tables]), mean)


def test_weights_count_a_model_more_than_once():
    tables = [chances(9, 3, seed=seed) for seed in range(3)]
    expected = (tables[0].double() + 2 * tables[1].double() + 0.5 * tables[2].double()) / 3.5
    assert torch.allclose(average_probabilities(tables, weights=[1, 2, 0.5]), expected, atol=1e-12)
    assert torch.allclose(
        average_probabilities(tables, weights=[0, 1, 0]), tables[1].double(), atol=1e-12
    )
    for weights in ([1, 2], [1, 1, -1], [0, 0, 0]):
        with pytest.raises(ValueError, match="weights"):
            average_probabilities(tables, weights=weights)


def test_average_refuses_what_cannot_be_averaged():
    p, q = chances(6, 3), chances(6, 3, seed=1)
    with pytest.raises(ValueError, match="empty"):
        average_probabilities([])
    with pytest.raises(ValueError, match=r"Model 1 has predictions of shape \[5, 3\]"):
        average_probabilities([p, q[:5]])
    with pytest.raises(ValueError, match="Model 0 has predictions of shape"):
        average_probabilities([p[0]])
    with pytest.raises(
        ValueError, match="Model 1 are no probabilities|model 1 are no probabilities"
    ):
        average_probabilities([p, torch.randn(6, 3)])
    with pytest.raises(ValueError, match="logits"):
        average_probabilities(
            [p, q - 0.5 * torch.eye(3)[0] + 0.5 * torch.eye(3)[1]]
        )  # rows sum to 1, one below 0
    with pytest.raises(ValueError, match="softmax"):
        average_probabilities([p.log()])
    with pytest.raises(ValueError, match="sum to 1"):
        average_probabilities([p, 2 * q])
    with pytest.raises(ValueError, match="not finite"):
        average_probabilities([p, torch.where(q >= q.max(), torch.nan, q)])
    with pytest.raises(ValueError, match="Models 0 and 2 say exactly the same"):
        average_probabilities([p, q, p.clone()])
    names = ["blast", "hispa", "normal"]
    with pytest.raises(ValueError, match="Model 1 has its classes in the order"):
        average_probabilities([p, q], labels=[names, names[::-1]])
    assert torch.equal(
        average_probabilities([p, q], labels=[names, names]), average_probabilities([p, q])
    )
    average_probabilities(
        [p.half().float(), q.half().float()]
    )  # half precision's rounding is no fault


def test_folds_keep_groups_together():
    generator = np.random.default_rng(0)
    groups, y = np.repeat(np.arange(60), generator.integers(1, 6, 60)), None
    y = groups % 3
    for seed in range(3):
        fold = folds(y, groups, 5, seed)
        assert all(len(set(fold[groups == group])) == 1 for group in range(60))
        assert set(fold) == set(range(5))
        assert np.bincount(fold).max() < 1.6 * np.bincount(fold).min()
    assert (folds(y, groups, seed=1) == folds(y, groups, seed=1)).all()
    assert (folds(y, groups, seed=1) != folds(y, groups, seed=2)).any()


def test_folds_without_groups_are_stratified():
    y = torch.tensor([0] * 40 + [1] * 20 + [2] * 10)
    fold = folds(y, n=5)
    for n in range(5):
        assert np.bincount(y[fold == n]).tolist() == [8, 4, 2]


def test_folds_refuse():
    with pytest.raises(ValueError, match="5 folds of 3 groups"):
        folds([0] * 9, np.repeat([0, 1, 2], 3))
    with pytest.raises(ValueError, match="1 folds of 4 rows"):
        folds([0, 1, 0, 1], n=1)
    with pytest.raises(ValueError, match="fewer folds"):
        folds([0, 1, 2, 3, 4], n=3)


def test_together_follows_chains():
    assert merge_groups([0, 0, 1, 2, 3]).tolist() == [0, 0, 1, 2, 3]
    merged = merge_groups([0, 0, 1, 2, 3, 4], ["a", "b", "b", "c", "c", "d"])
    assert merged[0] == merged[1] == merged[2]
    assert merged[3] == merged[4]
    assert len(set(merged)) == 3
    with pytest.raises(ValueError, match="5, 4"):
        merge_groups([0] * 5, [0] * 4)
    with pytest.raises(ValueError, match="no rows"):
        merge_groups()


def test_interval_draws_groups():
    generator = np.random.default_rng(0)
    right = generator.random(80) < 0.8
    alone, tenfold = (
        bootstrap_interval(right),
        bootstrap_interval(np.repeat(right, 10), np.repeat(np.arange(80), 10)),
    )
    assert alone == pytest.approx(tenfold)  # ten frames of each plant say no more than one
    naive = bootstrap_interval(np.repeat(right, 10))
    assert naive[2] - naive[1] < 0.45 * (tenfold[2] - tenfold[1])
    p = right.mean()
    assert alone[0] == p
    assert (alone[2] - alone[1]) == pytest.approx(2 * 1.96 * np.sqrt(p * (1 - p) / 80), rel=0.12)
    assert bootstrap_interval(right, level=0.5)[1] > alone[1]
    assert bootstrap_interval(right, seed=1) != alone
    assert bootstrap_interval(right) == alone
    low, high = bootstrap_interval(np.array([0.0, 0, 1, -1]))[1:]
    assert low < 0 < high
    uneven = bootstrap_interval(np.array([1.0] * 9 + [0.0]), [0] * 9 + [1])
    assert uneven == (0.9, 0.0, 1.0)
    assert bootstrap_interval(
        np.array([1.0] * 9 + [0.0]), [0] * 9 + [1], level=0.4
    ) == pytest.approx((0.9, 0.9, 0.9))  # large groups weigh more


def test_interval_covers():
    "In 200 made-up studies of 40 groups, about 95 % of the intervals hold the true score."
    generator, inside = np.random.default_rng(1), 0
    for study in range(200):
        chance = generator.beta(4, 1, 40)
        right = generator.random(200) < np.repeat(chance, 5)
        _, low, high = bootstrap_interval(right, np.repeat(np.arange(40), 5), draws=300, seed=study)
        inside += low <= 0.8 <= high
    assert 178 <= inside <= 199


def test_interval_refuses():
    with pytest.raises(ValueError, match="two groups"):
        bootstrap_interval([1, 0, 1], [7, 7, 7])
    with pytest.raises(ValueError, match="3 scores and 2 group"):
        bootstrap_interval([1, 0, 1], [1, 2])
    with pytest.raises(ValueError, match="not finite"):
        bootstrap_interval([1, np.nan, 0])


def test_paired_equals_scipy():
    from scipy.stats import binomtest

    generator = np.random.default_rng(0)
    for n in (0, 1, 5, 40, 300):
        first, second = generator.random(n) < 0.7, generator.random(n) < 0.8
        b, c, p = mcnemar(first, second)
        assert (b, c) == ((first & ~second).sum(), (second & ~first).sum())
        assert p == pytest.approx(
            binomtest(int(b), int(b + c), 0.5).pvalue if b + c else 1.0, abs=1e-12
        )
    assert mcnemar([1] * 9 + [0] * 5, [0] * 9 + [1] * 5) == (9, 5, pytest.approx(0.42395, abs=1e-5))
    with pytest.raises(ValueError, match="same rows"):
        mcnemar([True], [True, False])


@pytest.fixture
def rice():
    "Three of five test pictures are here, not in the sample's order."
    sample = pd.DataFrame({"image_id": [f"20000{n}.jpg" for n in range(1, 6)], "label": ""})
    return SimpleNamespace(
        sample=sample,
        labels=["blast", "normal", "tungro"],
        test=pd.DataFrame({"image_id": ["200004.jpg", "200001.jpg", "200002.jpg"]}),
    )


@pytest.fixture
def whole(rice):
    rice.test = pd.DataFrame({"image_id": [f"20000{n}.jpg" for n in (4, 1, 2, 5, 3)]})
    return rice


def test_submission_in_the_order_of_the_sample(whole, tmp_path):
    answers = torch.eye(3)[[2, 0, 1, 1, 0]]
    table = submission(whole, answers, tmp_path / "submission.csv")
    assert (
        (tmp_path / "submission.csv").read_text()
        == "image_id,label\n200001.jpg,blast\n200002.jpg,normal\n200003.jpg,blast\n"
        "200004.jpg,tungro\n200005.jpg,normal\n"
    )
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "submission.csv"), table)
    assert submission_faults(table, whole.sample) == []
    assert submission_faults(table[::-1], whole.sample) == []
    assert [path.name for path in tmp_path.iterdir()] == ["submission.csv"]


def test_submission_of_a_reduced_set(rice, tmp_path):
    path = tmp_path / "submission.csv"
    with pytest.raises(
        ValueError, match=r"without a row: 2 \(200003.jpg, 200005.jpg\)[\s\S]*fill="
    ):
        submission(rice, torch.eye(3), path)
    assert not list(tmp_path.iterdir())
    table = submission(rice, torch.eye(3), path, fill="hispa")
    assert table.label.tolist() == ["normal", "tungro", "hispa", "blast", "hispa"]
    with pytest.raises(ValueError, match=r"do not exist: 1 \(rust\)"):
        submission(rice, torch.eye(3), tmp_path / "other.csv", fill="rust")
    assert [file.name for file in tmp_path.iterdir()] == ["submission.csv"]


def test_submission_refuses_predictions(rice, tmp_path):
    for wrong in (torch.eye(3)[:2], torch.eye(4), torch.zeros(3)):
        with pytest.raises(ValueError, match=r"need \[3, 3\]"):
            submission(rice, wrong, tmp_path / "s.csv", fill="blast")
    broken = torch.eye(3)
    broken[1, 1] = torch.nan
    with pytest.raises(ValueError, match="1 pictures are not finite"):
        submission(rice, broken, tmp_path / "s.csv", fill="blast")
    rice.test.loc[0, "image_id"] = "299999.jpg"
    with pytest.raises(ValueError, match=r"does not have: 1 \(299999.jpg\)"):
        submission(rice, torch.eye(3), tmp_path / "s.csv", fill="blast")
    assert not list(tmp_path.iterdir())


def test_submission_is_never_half_written(whole, tmp_path, monkeypatch):
    path = tmp_path / "submission.csv"
    path.write_text("the one from yesterday")

    def breaks(self, file, **options):
        Path(file).write_text("image_id,la")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", breaks)
    with pytest.raises(OSError, match="disk full"):
        submission(whole, torch.eye(3)[[0, 0, 0, 0, 0]], path)
    assert path.read_text() == "the one from yesterday"
    assert len(list(tmp_path.iterdir())) == 1


def test_every_fault_is_named(rice):
    good = rice.sample.assign(label=["blast", "normal", "tungro", "hispa", "blast"])
    assert submission_faults(good, rice.sample) == []
    assert submission_faults(good[["label"]], rice.sample) == [
        "There is no column image_id; a submission has image_id and label."
    ]
    assert submission_faults(good[["image_id"]], rice.sample) == [
        "There is no column label; a submission has image_id and label."
    ]
    bad = pd.concat(
        [
            good[1:],
            good[4:5],
            pd.DataFrame(
                {
                    "image_id": ["x.jpg", "y.jpg", "z.jpg", "w.jpg"],
                    "label": ["rust", np.nan, "", " "],
                }
            ),
        ]
    )
    found = submission_faults(bad, rice.sample)
    assert len(found) == 5
    for sentence, words in zip(
        found,
        (
            "without a row: 1 (200001.jpg)",
            "does not have: 4 (x.jpg, y.jpg, z.jpg, …)",
            "more than one row: 1 (200005.jpg)",
            "empty label: 3 (y.jpg, z.jpg, w.jpg)",
            "do not exist: 1 (rust)",
        ),
    ):
        assert words in sentence


def test_tables_of_pandas():
    table = np.random.default_rng(0).dirichlet(np.ones(3), 6)
    for frame in (pd.DataFrame(table), pd.DataFrame(table, dtype="Float64")):
        assert torch.equal(average_probabilities([frame]), torch.tensor(table))


def test_folds_of_classes_with_names():
    y = np.arange(20) % 2
    names = pd.Series(y).map({0: "blast", 1: "hispa"})
    assert np.array_equal(folds(names, n=4), folds(y, n=4))
    assert np.array_equal(folds(names, np.arange(20) // 2, n=4), folds(y, np.arange(20) // 2, n=4))

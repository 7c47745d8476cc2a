"Losses, metrics and predictions over named slices of one output."

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.multitarget import ClassTarget, Columns, NumberTarget, Targets, corrected_t_interval
from helpers.train import Batches, evaluate, fit

N = 12


@pytest.fixture
def values():
    generator = torch.Generator().manual_seed(0)
    return dict(
        disease=torch.randint(3, (N,), generator=generator),
        variety=torch.randint(5, (N,), generator=generator),
        age=45 + 35 * torch.rand(N, generator=generator).round(decimals=2),
    )


@pytest.fixture
def targets():
    return Targets(
        disease=ClassTarget(3), variety=ClassTarget(5, 0.5), age=NumberTarget(60.0, 7.0, 2.0)
    )


@pytest.fixture
def outputs():
    return torch.randn(
        N, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True
    )


def test_the_slices_are_disjoint_and_cover(targets):
    assert targets.width == 9
    assert sorted(
        column for columns in targets.slices.values() for column in range(targets.width)[columns]
    ) == list(range(9))
    assert targets.slices == dict(disease=slice(0, 3), variety=slice(3, 8), age=slice(8, 9))
    assert {
        name: list(part.shape) for name, part in targets.split(torch.zeros(4, 9)).items()
    } == dict(disease=[4, 3], variety=[4, 5], age=[4, 1])


def test_the_order_of_names_is_the_order_of_columns():
    swapped = Targets(age=NumberTarget(), variety=ClassTarget(5), disease=ClassTarget(3))
    assert swapped.slices == dict(age=slice(0, 1), variety=slice(1, 6), disease=slice(6, 9))


def test_loss_and_gradient_are_those_of_torch(targets, values, outputs):
    y = targets.pack(**values)
    theirs = (
        F.cross_entropy(outputs[:, :3], values["disease"])
        + 0.5 * F.cross_entropy(outputs[:, 3:8], values["variety"])
        + 2 * F.mse_loss(outputs[:, 8], (values["age"].double() - 60) / 7)
    )
    gradients = [
        torch.autograd.grad(loss, outputs, retain_graph=True)[0]
        for loss in (targets(outputs, y), theirs)
    ]
    assert abs(targets(outputs, y) - theirs).item() < 1e-12
    assert (gradients[0] - gradients[1]).abs().max() < 1e-12
    parts = [targets.part(name, "loss", outputs, y).item() for name in targets.targets]
    assert parts == pytest.approx(
        [
            F.cross_entropy(outputs[:, :3], values["disease"]).item(),
            F.cross_entropy(outputs[:, 3:8], values["variety"]).item(),
            F.mse_loss(outputs[:, 8], (values["age"].double() - 60) / 7).item(),
        ],
        abs=1e-12,
    )


def test_gradients_by_finite_differences(targets, values, outputs):
    y = targets.pack(**values)
    assert torch.autograd.gradcheck(lambda o: targets(o, y), [outputs])


def test_a_target_trains_its_columns_alone(targets, values, outputs):
    y = targets.pack(**values)
    for name, columns in targets.slices.items():
        alone = targets.weighted(**{other: float(other == name) for other in targets.targets})
        touched = (
            torch.autograd.grad(alone(outputs, y), outputs)[0]
            .abs()
            .sum(0)
            .nonzero()
            .flatten()
            .tolist()
        )
        assert touched == list(range(9)[columns])


def test_weighted_leaves_the_rest_as_it_was(targets, values, outputs):
    y, other = targets.pack(**values), targets.weighted(variety=0)
    assert [target.weight for target in other.targets.values()] == [1, 0, 2]
    assert [target.weight for target in targets.targets.values()] == [1, 0.5, 2]
    assert other.slices == targets.slices
    assert other.targets["age"].mean == 60
    assert other(outputs, y).item() == pytest.approx(
        (targets(outputs, y) - 0.5 * targets.part("variety", "loss", outputs, y)).item(), abs=1e-12
    )


def test_a_weight_of_zero_ignores_even_nan(targets, values):
    outputs = torch.zeros(N, 9)
    outputs[:, 8] = float("nan")
    assert targets.weighted(age=0)(outputs, targets.pack(**values)).isfinite()


def test_round_trip(targets, values):
    y = targets.pack(**values)
    assert y.dtype == torch.float32
    assert y.shape == (N, 3)
    back = targets.unpack(y)
    assert list(back) == list(values)
    for name in values:
        assert torch.equal(back[name], values[name].float())


def test_pack_takes_sequences_in_any_order(targets):
    y = targets.pack(age=np.array([45, 80]), disease=[0, 2], variety=(4, 1))
    assert y.tolist() == [[0, 4, 45], [2, 1, 80]]


def test_metrics(targets, values):
    right = torch.cat(
        [
            10 * F.one_hot(values["disease"], 3),
            10 * F.one_hot(values["variety"], 5),
            ((values["age"] - 60) / 7)[:, None],
        ],
        1,
    ).float()
    y = targets.pack(**values)
    assert {
        name: float(metric(right, y)) for name, metric in targets.metrics.items()
    } == pytest.approx({"disease accuracy": 1, "variety accuracy": 1, "age error": 0}, abs=1e-5)
    wrong = right.clone()
    wrong[:3, :3] = wrong[:3, :3].roll(1, 1)
    wrong[:6, 8] += 1
    wrong[6:, 8] -= 1
    assert {
        name: float(metric(wrong, y)) for name, metric in targets.metrics.items()
    } == pytest.approx({"disease accuracy": 0.75, "variety accuracy": 1, "age error": 7}, abs=1e-4)


def test_predictions_are_probabilities_and_days(targets, outputs):
    said = targets.activation(outputs)
    assert said.shape == outputs.shape
    assert torch.allclose(said[:, :3].sum(1), torch.ones(N).double())
    assert torch.allclose(said[:, 3:8].sum(1), torch.ones(N).double())
    assert torch.equal(said[:, :3], outputs[:, :3].softmax(1))
    assert torch.equal(said[:, 8], outputs[:, 8] * 7 + 60)


def test_evaluate_means_over_rows(targets, values, outputs):
    y, x = targets.pack(**values), outputs.detach().float()
    found = evaluate(nn.Identity(), Batches(x, y, 5), targets, targets.metrics)
    assert list(found) == ["loss", "disease accuracy", "variety accuracy", "age error"]
    assert found == pytest.approx(
        {
            "loss": targets(x, y).item(),
            **{name: metric(x, y).item() for name, metric in targets.metrics.items()},
        },
        rel=1e-5,
    )


def test_one_target_alone_is_the_one_target_model():
    generator = torch.Generator().manual_seed(2)
    x, disease, variety = (
        torch.randn(50, 6, generator=generator),
        torch.randint(3, (50,), generator=generator),
        torch.randint(4, (50,), generator=generator),
    )
    both = Targets(disease=ClassTarget(3), variety=ClassTarget(4, 0.0))
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 7, bias=False))
    narrow = copy.deepcopy(wide)
    narrow[3] = nn.Linear(8, 3, bias=False)
    narrow[3].weight.data.copy_(wide[3].weight.data[:3])
    for net, y, loss in (
        (wide, both.pack(disease=disease, variety=variety), both),
        (narrow, disease, F.cross_entropy),
    ):
        torch.manual_seed(1)
        fit(
            net,
            Batches(x, y, 8, shuffle=True, seed=3),
            torch.optim.SGD(net.parameters(), 0.1),
            3,
            loss,
        )
    assert torch.allclose(wide[0].weight, narrow[0].weight, atol=1e-6)
    assert torch.allclose(wide[3].weight[:3], narrow[3].weight, atol=1e-6)


def test_fit_learns_all_three():
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(300, 4, generator=generator)
    targets = Targets(disease=ClassTarget(2), variety=ClassTarget(3), age=NumberTarget(60, 8))
    y = targets.pack(
        disease=(x[:, 0] > 0),
        variety=torch.bucketize(x[:, 1].contiguous(), torch.tensor([-0.5, 0.5])),
        age=60 + 8 * x[:, 2],
    )
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, targets.width))
    history = fit(
        net,
        Batches(x, y, 20, shuffle=True, seed=0),
        torch.optim.AdamW(net.parameters(), 1e-2),
        15,
        targets,
        Batches(x, y, 100),
        metrics=targets.metrics,
    )
    last = history.valid[-1]
    assert last["disease accuracy"] > 0.95
    assert last["variety accuracy"] > 0.93
    assert last["age error"] < 1.5


def test_half_precision_outputs(targets, values):
    y = targets.pack(**values)
    outputs = torch.randn(N, 9, generator=torch.Generator().manual_seed(5))
    with torch.autocast("cpu", torch.bfloat16):
        assert targets(outputs.bfloat16(), y).item() == pytest.approx(
            targets(outputs, y).item(), rel=0.02
        )
        assert all(metric(outputs.bfloat16(), y).isfinite() for metric in targets.metrics.values())


def test_one_target_needs_no_second():
    y = Targets(disease=ClassTarget(3)).pack(disease=[0, 1, 2])
    assert Targets(disease=ClassTarget(3))(torch.zeros(3, 3), y).item() == pytest.approx(np.log(3))


good = dict(disease=[0, 1], variety=[0, 4], age=[45, 80])


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(disease=[0, 3]), "disease holds 3. It should hold the numbers 0 to 2"),
        (dict(disease=[0, -1]), "holds -1"),
        (dict(disease=[0, -100]), "holds -100"),
        (dict(variety=[0.5, 1]), "variety holds 0.5"),
        (dict(variety=[0, np.nan]), "variety holds nan"),
        (dict(age=[45, np.nan]), "age holds nan. It should hold finite"),
        (dict(age=[45, np.inf]), "holds inf"),
        (dict(disease=["tungro", "normal"]), "disease should hold numbers. Number the classes"),
        (
            dict(disease=[0, 1, 2]),
            "Each row needs all targets; here are 3 of disease, 2 of variety",
        ),
        (dict(disease=[[0], [1]]), r"shape \[n\]"),
        (dict(colour=[1, 2]), "no target 'colour'. The targets are: disease, variety, age"),
    ],
)
def test_bad_values(targets, change, words):
    with pytest.raises(ValueError, match=words):
        targets.pack(**{**good, **change})


def test_missing_values(targets):
    with pytest.raises(
        ValueError,
        match="Each target is needed once: disease, variety, age. Here are only: disease",
    ):
        targets.pack(disease=[0, 1])


@pytest.mark.parametrize("width", [8, 10, 3])
def test_outputs_of_another_width(targets, width):
    y = targets.pack(**good)
    for use in (targets, *targets.metrics.values(), lambda o, y: targets.activation(o)):
        with pytest.raises(ValueError, match=rf"shape \[n, 9\]; they have \[2, {width}\]"):
            use(torch.zeros(2, width), y)


@pytest.mark.parametrize(
    "y, words",
    [
        (
            torch.zeros(2),
            r"shape \[n, 3\], a column for each of disease, variety, age; these have \[2\]",
        ),
        (torch.zeros(2, 2), r"these have \[2, 2\]"),
        (torch.zeros(3, 3), "2 rows of outputs and 3 of targets"),
        (torch.tensor([[0.0, 0, 1], [0, 5, 1]]), "variety holds 5"),
        (torch.tensor([[-100.0, 0, 1], [0, 0, 1]]), "disease holds -100"),
    ],
)
def test_bad_targets(targets, y, words):
    with pytest.raises(ValueError, match=words):
        targets(torch.zeros(2, 9), y)


def test_outputs_of_another_shape(targets):
    with pytest.raises(ValueError, match=r"shape \[n, 9\]; they have \[9\]"):
        targets.split(torch.zeros(9))


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Targets(), "name at least one target"),
        (lambda: Targets(disease=10), "disease should be ClassTarget"),
        (lambda: Targets(disease=ClassTarget), "disease should be ClassTarget"),
        (lambda: Targets(disease=ClassTarget(3, 0)), "nothing to learn"),
        (lambda: ClassTarget(0), "0 classes"),
        (lambda: ClassTarget(2.5), "2.5 classes"),
        (lambda: ClassTarget(3, -1), "weight of -1"),
        (lambda: ClassTarget(3, float("nan")), "weight of nan"),
        (lambda: ClassTarget(3, float("inf")), "weight of inf"),
        (lambda: NumberTarget(weight=-0.5), "weight of -0.5"),
        (lambda: NumberTarget(60, 0), "standard deviation 0"),
        (lambda: NumberTarget(60, -2), "standard deviation -2"),
        (lambda: NumberTarget(60, float("nan")), "standard deviation nan"),
        (lambda: NumberTarget(float("nan"), 1), "Mean nan"),
        (lambda: Targets(a=ClassTarget(2)).weighted(b=1), "no target 'b'"),
        (lambda: Targets(a=ClassTarget(2)).weighted(a=-1), "weight of -1"),
        (lambda: Targets(a=ClassTarget(2)).weighted(a=0), "nothing to learn"),
    ],
)
def test_what_cannot_be_made(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_targets_is_a_layout():
    assert issubclass(Targets, Columns)


def test_paired_interval_by_hand():
    d = [1.0, 2.0, 4.0, -1.0, 3.0]
    mean, low, high = corrected_t_interval(d)
    half = 2.7764451 * np.std(d, ddof=1) * (1 / 5 + 0.25) ** 0.5
    assert (mean, low, high) == pytest.approx((1.8, 1.8 - half, 1.8 + half), abs=1e-6)
    assert corrected_t_interval(d, held_out=0.5)[2] - 1.8 == pytest.approx(
        half * ((1 / 5 + 1) / (1 / 5 + 0.25)) ** 0.5, abs=1e-6
    )


def test_paired_interval_holds_what_it_promises():
    "Scores of folds share a part of their error, as far as the correction assumes."
    draw, held = np.random.default_rng(0), 0
    for _ in range(400):
        common = draw.normal() * (1 / 4 / (1 + 1 / 4)) ** 0.5
        mean, low, high = corrected_t_interval(common + draw.normal(size=10) * (1 - 1 / 5) ** 0.5)
        held += low <= 0 <= high
    assert 0.92 <= held / 400 <= 0.98


@pytest.mark.parametrize(
    "differences, held_out",
    [([1.0], 0.2), ([], 0.2), ([[1.0, 2.0]], 0.2), ([1.0, 2.0], 0), ([1.0, 2.0], 1)],
)
def test_no_interval(differences, held_out):
    with pytest.raises(ValueError, match="At least two differences"):
        corrected_t_interval(differences, held_out)

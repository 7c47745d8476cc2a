"Every loss against PyTorch's: values and gradients in double precision, extreme logits, smoothing, soft targets; and what bad input gets."

import pytest
import torch
import torch.nn.functional as F

from helpers.losses import binary_cross_entropy, cross_entropy, log_softmax, nll, softmax

TOLERANCE = 1e-12
torch.manual_seed(0)
Z, T = torch.randn(12, 6, dtype=torch.float64) * 3, torch.randint(6, (12,))
SOFT = torch.rand(12, 6, dtype=torch.float64).softmax(-1)
BITS = (torch.rand(12, 6) > 0.5).double()
extremes = {
    "ordinary": Z,
    "plus and minus 1000": Z.sign() * 1000,
    "all 1000": torch.full_like(Z, 1000.0),
    "all -1000": torch.full_like(Z, -1000.0),
    "zeros": torch.zeros_like(Z),
    "one at 1000": F.one_hot(T, 6).double() * 1000,
}
reductions = ("mean", "sum", "none")


def both(ours, theirs, logits, tolerance=TOLERANCE):
    results = []
    for function in (ours, theirs):
        z = logits.clone().requires_grad_()
        value = function(z)
        weights = torch.linspace(0.5, 1.5, value.numel(), dtype=torch.float64).view_as(value)
        results.append((value.detach(), torch.autograd.grad((value * weights).sum(), z)[0]))
    for mine, other in zip(*results):
        assert mine.shape == other.shape
        assert (torch.isfinite(mine) == torch.isfinite(other)).all()
        finite = torch.isfinite(other)
        assert (mine - other)[finite].abs().max() <= tolerance


@pytest.mark.parametrize("logits", extremes.values(), ids=extremes)
class TestAgainstPyTorch:
    def test_softmax(self, logits):
        both(softmax, lambda z: F.softmax(z, -1), logits)

    def test_log_softmax(self, logits):
        both(log_softmax, lambda z: F.log_softmax(z, -1), logits)

    @pytest.mark.parametrize("reduction", reductions)
    def test_nll(self, logits, reduction):
        both(
            lambda z: nll(log_softmax(z), T, reduction),
            lambda z: F.nll_loss(F.log_softmax(z, -1), T, reduction=reduction),
            logits,
        )

    @pytest.mark.parametrize("reduction", reductions)
    @pytest.mark.parametrize("smoothing", (0.0, 0.1, 0.5, 1.0))
    @pytest.mark.parametrize("targets", (T, SOFT), ids=("classes", "soft"))
    def test_cross_entropy(self, logits, reduction, smoothing, targets):
        both(
            lambda z: cross_entropy(z, targets, label_smoothing=smoothing, reduction=reduction),
            lambda z: F.cross_entropy(z, targets, label_smoothing=smoothing, reduction=reduction),
            logits,
            tolerance=TOLERANCE * max(1, float(logits.abs().max())),
        )

    @pytest.mark.parametrize("reduction", reductions)
    @pytest.mark.parametrize("targets", (BITS, SOFT), ids=("bits", "shares"))
    def test_binary(self, logits, reduction, targets):
        both(
            lambda z: binary_cross_entropy(z, targets, reduction),
            lambda z: F.binary_cross_entropy_with_logits(z, targets, reduction=reduction),
            logits,
            tolerance=TOLERANCE * max(1, float(logits.abs().max())),
        )


@pytest.mark.parametrize(
    "function",
    [
        softmax,
        log_softmax,
        lambda z: cross_entropy(z, T[:3]),
        lambda z: cross_entropy(
            z, SOFT[:3, :4] / SOFT[:3, :4].sum(-1, keepdim=True), label_smoothing=0.2
        ),
        lambda z: binary_cross_entropy(z, BITS[:3, :4]),
    ],
)
def test_gradcheck(function):
    global T
    z = torch.randn(
        3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3), requires_grad=True
    )
    kept, T = T, T.clamp(max=3)
    try:
        assert torch.autograd.gradcheck(function, (z,))
    finally:
        T = kept


def test_two_classes_are_binary():
    x, y = Z[:, 0], T % 2
    assert (
        cross_entropy(torch.stack([torch.zeros_like(x), x], 1), y)
        - binary_cross_entropy(x, y.double())
    ).abs() < TOLERANCE


def test_softmax_adds_up_in_every_shape():
    for shape in ((5,), (3, 5), (2, 3, 5)):
        assert torch.allclose(softmax(torch.randn(shape)).sum(-1), torch.ones(shape[:-1]))


def test_more_than_32_bits_are_not_needed():
    assert torch.isfinite(cross_entropy(torch.tensor([[1e4, -1e4]]), torch.tensor([1])))
    assert torch.isfinite(binary_cross_entropy(torch.tensor([1e4, -1e4]), torch.tensor([0.0, 1.0])))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nll(log_softmax(Z), T[:5]), "class numbers"),
        (lambda: nll(log_softmax(Z), T[:, None]), "class numbers"),
        (lambda: nll(log_softmax(Z), T.double()), "class numbers"),
        (lambda: cross_entropy(Z, torch.full((12,), 6)), "0 to 5"),
        (lambda: cross_entropy(Z, torch.full((12,), -1)), "-1"),
        (lambda: cross_entropy(Z, SOFT[:, :5]), "shape"),
        (lambda: cross_entropy(Z, T, reduction="average"), "choose 'mean'"),
        (lambda: cross_entropy(Z, T, label_smoothing=1.5), "share"),
        (lambda: binary_cross_entropy(Z, BITS[:, 0]), "shape"),
        (lambda: binary_cross_entropy(Z[:, 0], BITS[:, :1]), "shape"),
    ],
)
def test_bad_input_is_explained(call, words):
    with pytest.raises(ValueError, match=words):
        call()

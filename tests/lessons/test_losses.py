"Every loss against PyTorch's, in value and gradient; and what bad input gets."

import pytest
import torch
import torch.nn.functional as F

from helpers.losses import binary_cross_entropy, cross_entropy, log_softmax, nll, softmax

TOLERANCE = 1e-12
torch.manual_seed(0)
Z = torch.randn(12, 6, dtype=torch.float64) * 3  # logits
T = torch.randint(6, (12,))  # classes
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


def value_and_gradient(function, logits):
    "What a loss gives, and its gradient for unequal weights of its values."
    z = logits.clone().requires_grad_()
    value = function(z)
    weights = torch.linspace(0.5, 1.5, value.numel(), dtype=torch.float64).view_as(value)
    [gradient] = torch.autograd.grad((value * weights).sum(), z)
    return value.detach(), gradient


def assert_equal(ours, theirs, logits, tolerance=TOLERANCE):
    "Both losses agree in value and gradient, wherever PyTorch's is finite."
    pairs = zip(value_and_gradient(ours, logits), value_and_gradient(theirs, logits))
    for our, their in pairs:
        finite = torch.isfinite(their)
        assert our.shape == their.shape
        assert (torch.isfinite(our) == finite).all()
        assert (our - their)[finite].abs().max() <= tolerance


def as_large_as(logits):
    "Rounding grows with the numbers."
    return TOLERANCE * max(1, float(logits.abs().max()))


@pytest.mark.parametrize("logits", extremes.values(), ids=extremes)
class TestAgainstPyTorch:
    def test_softmax(self, logits):
        assert_equal(softmax, lambda z: F.softmax(z, -1), logits)

    def test_log_softmax(self, logits):
        assert_equal(log_softmax, lambda z: F.log_softmax(z, -1), logits)

    @pytest.mark.parametrize("reduction", reductions)
    def test_nll(self, logits, reduction):
        def ours(z):
            return nll(log_softmax(z), T, reduction)

        def theirs(z):
            return F.nll_loss(F.log_softmax(z, -1), T, reduction=reduction)

        assert_equal(ours, theirs, logits)

    @pytest.mark.parametrize("reduction", reductions)
    @pytest.mark.parametrize("smoothing", (0.0, 0.1, 0.5, 1.0))
    @pytest.mark.parametrize("targets", (T, SOFT), ids=("classes", "soft"))
    def test_cross_entropy(self, logits, reduction, smoothing, targets):
        options = dict(label_smoothing=smoothing, reduction=reduction)

        def ours(z):
            return cross_entropy(z, targets, **options)

        def theirs(z):
            return F.cross_entropy(z, targets, **options)

        assert_equal(ours, theirs, logits, as_large_as(logits))

    @pytest.mark.parametrize("reduction", reductions)
    @pytest.mark.parametrize("targets", (BITS, SOFT), ids=("bits", "shares"))
    def test_binary(self, logits, reduction, targets):
        def ours(z):
            return binary_cross_entropy(z, targets, reduction)

        def theirs(z):
            return F.binary_cross_entropy_with_logits(z, targets, reduction=reduction)

        assert_equal(ours, theirs, logits, as_large_as(logits))


def of_classes(z):
    return cross_entropy(z, torch.tensor([3, 0, 1]))


def of_soft_targets(z):
    soft = SOFT[:3, :4] / SOFT[:3, :4].sum(-1, keepdim=True)
    return cross_entropy(z, soft, label_smoothing=0.2)


def of_bits(z):
    return binary_cross_entropy(z, BITS[:3, :4])


@pytest.mark.parametrize("function", [softmax, log_softmax, of_classes, of_soft_targets, of_bits])
def test_gradcheck(function):
    generator = torch.Generator().manual_seed(3)
    z = torch.randn(3, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(function, (z,))


def test_two_classes_are_binary():
    x = Z[:, 0]
    y = T % 2
    two_logits = torch.stack([torch.zeros_like(x), x], 1)
    difference = cross_entropy(two_logits, y) - binary_cross_entropy(x, y.double())
    assert difference.abs() < TOLERANCE


def test_softmax_adds_up_in_every_shape():
    for shape in ((5,), (3, 5), (2, 3, 5)):
        assert torch.allclose(softmax(torch.randn(shape)).sum(-1), torch.ones(shape[:-1]))


def test_more_than_32_bits_are_not_needed():
    assert torch.isfinite(cross_entropy(torch.tensor([[1e4, -1e4]]), torch.tensor([1])))
    assert torch.isfinite(binary_cross_entropy(torch.tensor([1e4, -1e4]), torch.tensor([0.0, 1.0])))


SIGNED = [torch.int8, torch.int16, torch.int32]
UNSIGNED = [torch.uint8, torch.uint16, torch.uint32, torch.uint64]


@pytest.mark.parametrize("dtype", SIGNED + UNSIGNED)
def test_class_numbers_may_be_integers_of_any_kind(dtype):
    assert cross_entropy(Z, T.to(dtype)) == cross_entropy(Z, T)
    assert nll(log_softmax(Z), T.to(dtype)) == nll(log_softmax(Z), T)
    two = torch.tensor([0, 1]).to(dtype)
    assert abs(cross_entropy(torch.zeros(2, 3), two).item() - 1.0986) < 1e-4
    with pytest.raises(ValueError, match="0 to 5"):
        cross_entropy(Z, torch.full((12,), 6).to(dtype))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nll(log_softmax(Z), T[:5]), "class numbers"),
        (lambda: nll(log_softmax(Z), T[:, None]), "class numbers"),
        (lambda: nll(log_softmax(Z), T.double()), "class numbers"),
        (lambda: cross_entropy(Z, torch.full((12,), 6)), "0 to 5"),
        (lambda: cross_entropy(Z, torch.full((12,), -1)), "-1"),
        (lambda: cross_entropy(Z, torch.full((12,), -100)), "-100"),  # PyTorch skips these
        (lambda: cross_entropy(Z, SOFT[:, :5]), "shape"),
        (lambda: cross_entropy(Z, T > 2), "torch.bool"),
        (lambda: cross_entropy(Z[:, :, None], SOFT[:, :, None]), "classes to the last place"),
        (lambda: cross_entropy(Z[:, :, None], T), "classes to the last place"),
        (lambda: nll(log_softmax(Z)[0], T[0]), "classes to the last place"),
        (lambda: cross_entropy(Z, T, reduction="average"), "choose 'mean'"),
        (lambda: cross_entropy(Z, T, label_smoothing=1.5), "share"),
        (lambda: binary_cross_entropy(Z, BITS[:, 0]), "shape"),
        (lambda: binary_cross_entropy(Z[:, 0], BITS[:, :1]), "shape"),
    ],
)
def test_bad_input_is_explained(call, words):
    with pytest.raises(ValueError, match=words):
        call()

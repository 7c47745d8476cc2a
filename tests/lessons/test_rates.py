"The smoothed curve, the finder with its readings, and the schedules."

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from samples import digits_net
from torch import nn

from helpers.optim import SGD
from helpers.rates import RateFinder, find_rate, linear, one_cycle, smooth
from helpers.train import Batches


def test_smooth_of_a_constant_is_the_constant():
    assert smooth([3.0]) == pytest.approx([3.0])
    assert smooth([2.0] * 50) == pytest.approx([2.0] * 50)


def test_smooth_is_a_running_average_with_bias_correction():
    values = [1.0, 5.0, 2.0]
    average = 0.0
    expected = []
    for n, value in enumerate(values, start=1):
        average = 0.7 * average + 0.3 * value
        expected.append(average / (1 - 0.7**n))
    assert smooth(values, 0.7) == pytest.approx(expected)


def test_one_cycle():
    cycle = one_cycle(0.1, div=10.0, final=1e3, warm=0.2, momenta=(0.9, 0.8, 0.95))
    rates = [cycle(done)["lr"] for done in (0, 0.1, 0.2, 0.6, 1)]
    assert rates == pytest.approx([0.01, 0.055, 0.1, (0.1 + 1e-4) / 2, 1e-4])
    momenta = [cycle(done)["momentum"] for done in (0, 0.1, 0.2, 0.6, 1)]
    assert momenta == pytest.approx([0.9, 0.85, 0.8, 0.875, 0.95])


def test_linear():
    line = linear(0.1, warm=0.1, momentum=0.7)
    rates = [line(n / 1000)["lr"] for n in range(1000)]
    assert max(rates) == pytest.approx(0.1, rel=0.02)
    assert line(0)["lr"] > 0, "the first step too should move"
    assert line(0.55)["lr"] == pytest.approx(0.05)
    assert line(1)["lr"] == 0
    assert line(0.5)["momentum"] == 0.7


def test_finder_leaves_the_model_alone(digits):
    model = digits_net()
    before = copy.deepcopy(model.state_dict())
    find_rate(model, Batches(digits.train[0][:640], digits.train[1][:640]), SGD)
    for name, value in model.state_dict().items():
        assert torch.equal(before[name], value)


def test_finder_raises_the_rate_until_there_are_enough(digits):
    ten_batches = Batches(digits.train[0][:640], digits.train[1][:640])
    finding = find_rate(digits_net(), ten_batches, SGD)
    assert finding.rates[0] == pytest.approx(1e-6)
    factors = [after / before for before, after in zip(finding.rates, finding.rates[1:])]
    assert factors == pytest.approx([1e7 ** (1 / 99)] * len(factors))
    assert 20 < len(finding.losses) <= 100, "ten batches are begun again"
    assert len(finding.losses) == len(finding.rates) == len(finding.smoothed)
    assert set(finding.readings()) == {"tenth of the minimum", "steepest", "valley"}
    for rate in finding.readings().values():
        assert 1e-7 <= rate <= 10


def test_finder_stops_when_training_explodes(digits):
    ten_batches = Batches(digits.train[0][:640], digits.train[1][:640])
    finding = find_rate(digits_net(), ten_batches, SGD, end=1e30)
    assert len(finding.losses) < 100
    last = finding.smoothed[-1]
    assert not last < 4 * min(finding.smoothed[:-1])


def test_readings_on_a_made_curve():
    "It falls most steeply at 1e-3 and rises again after 3e-2."
    rates = [10 ** (n / 10 - 6) for n in range(60)]
    losses = []
    for rate in rates:
        power = math.log10(rate)
        fall = 1.5 / (1 + math.exp(-6 * (power + 3)))
        rise = 3 * max(0.0, power + 1.5) ** 2
        losses.append(2 - fall + rise)
    finding = RateFinder(rates, losses)
    finding.smoothed = losses
    lowest = rates[losses.index(min(losses))]
    assert finding.tenth_of_minimum() == pytest.approx(lowest / 10)
    assert finding.steepest() == pytest.approx(1e-3, rel=0.3)
    assert rates[0] < finding.valley() < lowest


def test_valley_skips_points_that_rise():
    "5 4 3 2 1 0 with 9 between them: six points fall, a third and half a third on is the fourth."
    losses = [5.0, 9.0, 4.0, 9.0, 3.0, 9.0, 2.0, 9.0, 1.0, 9.0, 0.0]
    finding = RateFinder(list(range(11)), losses)
    finding.smoothed = losses
    assert finding.valley() == 10 - 6 + 2 + 1


def test_readings_when_the_last_loss_is_no_number():
    finding = RateFinder([1.0, 2.0, 3.0], [2.0, 1.0, math.nan])
    assert finding.tenth_of_minimum() == 0.2


def test_finder_begins_without_the_gradients_of_before(digits):
    "A copy of a parameter has no gradient, but a copy of a plain tensor has."

    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.zeros(784, 10, requires_grad=True)

        def parameters(self):
            return [self.weight]

        def forward(self, x):
            return x @ self.weight

    batches = Batches(digits.train[0][:128], digits.train[1][:128], 64, device="cpu")
    used, fresh = Line(), Line()
    (50 * F.cross_entropy(used(batches.x), batches.y)).backward()
    after_use = find_rate(used, batches, SGD, start=0.1, steps=4)
    from_scratch = find_rate(fresh, batches, SGD, start=0.1, steps=4)
    assert after_use.losses == from_scratch.losses


@pytest.mark.parametrize("used", [0, 64])
def test_finder_stops_where_the_batches_end(digits, used):
    "An iterator that is used up, now or after a batch, would never give a batch again."
    x, y = digits.train
    batches = iter(Batches(x[:used], y[:used], 64, device="cpu") if used else [])
    with pytest.raises(ValueError, match="begin anew"):
        find_rate(digits_net(), batches, SGD)


def test_finder_forgets_old_gradients(digits):
    x, y = digits.train
    batches = Batches(x[:640], y[:640], 64, device="cpu")
    expected = find_rate(digits_net(), batches, SGD, steps=10).losses
    model = digits_net()
    (100 * model(x[:64]).sum()).backward()
    assert find_rate(model, batches, SGD, steps=10).losses == expected


def test_finder_reads_a_loss_below_zero(digits):
    x, y = digits.train
    batches = Batches(x[:6400], y[:6400], bs=64)

    def lower(outputs, targets):
        return F.cross_entropy(outputs, targets) - 10

    readings = find_rate(digits_net(), batches, SGD, loss=lower).readings()
    for name, rate in find_rate(digits_net(), batches, SGD).readings().items():
        assert 0.3 < readings[name] / rate < 3, name


@pytest.mark.parametrize(
    ("options", "words"),
    [({"steps": 1}, "two steps"), ({"start": 0}, "above 0"), ({"start": 1, "end": 0.1}, "rise")],
)
def test_finder_refuses_what_gives_no_curve(digits, options, words):
    batches = Batches(*(part[:640] for part in digits.train), bs=64)
    with pytest.raises(ValueError, match=words):
        find_rate(digits_net(), batches, SGD, **options)


def test_finder_says_that_the_first_loss_is_no_number(digits):
    x, y = (part[:640] for part in digits.train)
    with pytest.raises(ValueError, match="no number"):
        find_rate(digits_net(), Batches(x * math.nan, y, bs=64), SGD)


def test_finder_says_which_batch_has_no_numbers(digits):
    "Without it the curve would end there, and its readings would be nonsense."
    x, y = (part[:640].clone() for part in digits.train)
    x[200] = math.nan
    with pytest.raises(ValueError, match="batch 4.*`xb`"):
        find_rate(digits_net(), Batches(x, y, bs=64), SGD)


def test_finder_stops_without_a_word_where_the_rate_is_too_high(digits):
    "A loss that becomes NaN because of the rate is no fault of the data."
    batches = Batches(*(part[:640] for part in digits.train), bs=64)
    losses = find_rate(digits_net(), batches, SGD, start=1e-3, end=1e30).losses
    assert len(losses) < 100


def test_finder_refuses_what_cannot_learn(digits):
    batches = Batches(*(part[:640] for part in digits.train), bs=64)
    with pytest.raises(ValueError, match="frozen"):
        find_rate(digits_net().requires_grad_(False), batches, lambda params, lr: SGD(params, lr))
    other = digits_net()
    with pytest.raises(ValueError, match="none of the parameters"):
        find_rate(digits_net(), batches, lambda params, lr: SGD(other.parameters(), lr))


def test_finder_refuses_a_single_row_before_batch_norm(digits):
    batches = Batches(*(part[:65] for part in digits.train), bs=64)
    net = nn.Sequential(nn.Linear(784, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))
    with pytest.raises(ValueError, match="Take bs = 65"):
        find_rate(net.to(batches.device), batches, SGD)


@pytest.mark.parametrize("steps", [10, 1100, 5000])
def test_a_rise_over_the_whole_run_ends_at_the_peak(steps):
    for make in (linear, one_cycle):
        schedule = make(0.1, warm=1.0)
        rates = [schedule(n / steps)["lr"] for n in range(steps + 1)]
        assert rates == sorted(rates)
        assert rates[-1] == pytest.approx(0.1)


@pytest.mark.parametrize("make", [linear, one_cycle])
@pytest.mark.parametrize(("peak", "warm"), [(-0.1, 0.1), (math.nan, 0.1), (0.1, 1.5), (0.1, -0.1)])
def test_schedules_refuse_what_is_no_rate_and_no_fraction(make, peak, warm):
    with pytest.raises(ValueError, match="should be 0 or larger|from 0 to 1"):
        make(peak, warm=warm)

"What the exercises on softmax and cross-entropy accept, and what they say to each mistake."

import math

import torch
import torch.nn.functional as F
from torch import nn

from helpers.course.exercises import Hint, NotYet, compare, exercise, near, read_entry


def _gradient(logits, targets):
    one_hot = F.one_hot(targets, logits.shape[1]).to(logits.dtype)
    return (logits.softmax(-1) - one_hot) / len(logits)


def _mistaken_gradient(change):
    "The gradient made from probabilities, one-hot targets and the number of rows."

    def gradient(logits, targets):
        one_hot = F.one_hot(targets, logits.shape[1]).to(logits.dtype)
        return change(logits.softmax(-1), one_hot, len(logits))

    return gradient


@exercise("07-gradient", "the gradient without backward")
def check_gradient(gradient):
    generator = torch.Generator().manual_seed(0)
    compare(
        gradient,
        examples=[
            (torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.0, 2.0]]), torch.tensor([0, 2])),
            (torch.randn(5, 4, generator=generator), torch.tensor([3, 0, 1, 1, 2])),
            (torch.randn(3, 3, generator=generator), torch.tensor([2, 2, 0])),
        ],
        right=_gradient,
        wrong={
            "That is the gradient of the sum. The loss is the mean over the rows: "
            "each row counts one n-th.": _mistaken_gradient(lambda p, t, n: p - t),
            "The sign is turned: the gradient of the right class is negative, "
            "so that descent raises its logit.": (
                _mistaken_gradient(lambda p, t, n: (t - p) / n),
                _mistaken_gradient(lambda p, t, n: t - p),
            ),
            "That is softmax. The target has to be subtracted.": (
                _mistaken_gradient(lambda p, t, n: p),
                _mistaken_gradient(lambda p, t, n: p / n),
            ),
            "You subtract the target from the logits. Softmax comes first.": (
                lambda z, t: (z - F.one_hot(t, z.shape[1])) / len(z),
                lambda z, t: z - F.one_hot(t, z.shape[1]),
            ),
            "You divide by the number of classes, too, or by it alone. "
            "The mean is over the rows.": (
                _mistaken_gradient(lambda p, t, n: (p - t) / p.shape[1]),
                _mistaken_gradient(lambda p, t, n: (p - t) / p.numel()),
            ),
            "You take softmax over the rows of the batch. "
            "The classes of one row add up to 1: dim=-1.": (
                lambda z, t: (z.softmax(0) - F.one_hot(t, z.shape[1])) / len(z),
                lambda z, t: z.softmax(0) - F.one_hot(t, z.shape[1]),
            ),
            "That is the loss of each row. One number for each logit is asked for.": (
                lambda z, t: F.cross_entropy(z, t, reduction="none")
            ),
            "The loss itself is one number. Its gradient has one for each logit.": F.cross_entropy,
        },
        returns="a tensor of the shape of `logits`",
    )


def _log_softmax(logits, allowed):
    masked = logits.masked_fill(~allowed, -torch.inf)
    shifted = masked - masked.amax(-1, keepdim=True)
    return shifted - shifted.exp().sum(-1, keepdim=True).log()


def _of_all(logits, allowed):
    return logits.log_softmax(-1)


def _masked_after(logits, allowed):
    return logits.log_softmax(-1).masked_fill(~allowed, -torch.inf)


def _unshifted(logits, allowed):
    powers = logits.exp() * allowed
    return logits.masked_fill(~allowed, -torch.inf) - powers.sum(-1, keepdim=True).log()


def _shifted_by_all(logits, allowed):
    "The largest logit of all is subtracted, also where it is not allowed."
    shifted = logits - logits.amax(-1, keepdim=True)
    powers = shifted.exp() * allowed
    return shifted.masked_fill(~allowed, -torch.inf) - powers.sum(-1, keepdim=True).log()


def _log_of_quotient(logits, allowed):
    masked = logits.masked_fill(~allowed, -torch.inf)
    powers = (masked - masked.amax(-1, keepdim=True)).exp()
    return (powers / powers.sum(-1, keepdim=True)).log()


@exercise("07-log-softmax", "a stable log softmax for the answers that are allowed")
def check_log_softmax(my_log_softmax):
    every = torch.ones(2, 3, dtype=torch.bool)
    some = torch.tensor([[True, True, False], [False, True, True]])
    compare(
        my_log_softmax,
        examples=[
            (torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.0, 5.0]]), some),
            (torch.tensor([[0.5, -2.0, 1.0], [2.0, 1.5, 0.0]]), every),
            (torch.tensor([[1000.0, 0.0, 1000.0], [1000.0, -800.0, 1.0]]), some),
            (torch.tensor([[-1000.0, -999.0, 1000.0], [5.0, 2000.0, -1000.0]]), some),
            (torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([[False, True, False]])),
        ],
        right=_log_softmax,
        wrong={
            "The answers that are not allowed still count: they are in the sum. "
            "What logit would give them the probability 0?": (
                _of_all,
                lambda z, a: (z * a).log_softmax(-1),
                lambda z, a: z.masked_fill(~a, 0).log_softmax(-1),
            ),
            "You cross them out after the softmax. "
            "Then the probabilities of the others no longer add up to 1.": (
                _masked_after,
                lambda z, a: (z.softmax(-1) * a).log(),
            ),
            "These are probabilities. Their logarithm is asked for.": (
                lambda z, a: _log_softmax(z, a).exp()
            ),
            "The mask is turned round: you left out what is allowed.": (
                lambda z, a: _log_softmax(z, ~a)
            ),
            "The sign is turned: log probabilities are negative. The minus comes with the loss.": (
                lambda z, a: -_log_softmax(z, a)
            ),
            "You normalise over the whole batch. Each row is a distribution of its own: "
            "use dim=-1 and keepdim=True.": (
                lambda z, a: z.masked_fill(~a, -torch.inf).flatten().log_softmax(0).view_as(z)
            ),
            "Right for small logits; with 1000 something overflows. "
            "Subtract from each row its largest logit before you take exp.": _unshifted,
            "Right for small logits. If the largest logit of a row is not allowed, subtracting it "
            "leaves only zeros in the sum. Subtract the largest of those that are allowed.": (
                _shifted_by_all
            ),
            "Right for small logits; then a probability rounds to 0, and its logarithm is minus "
            "infinite. Never take the logarithm of a finished softmax.": (
                _log_of_quotient,
                lambda z, a: z.masked_fill(~a, -torch.inf).softmax(-1).log(),
            ),
            "A forbidden answer should have the log probability minus infinity: `-torch.inf`.": (
                lambda z, a: z.masked_fill(~a, -1e9).log_softmax(-1),
                lambda z, a: _log_softmax(z, a).masked_fill(~a, 0.0),
            ),
        },
        returns="a tensor of the shape of `logits`",
    )


@exercise("07-smoothing", "the lowest loss under label smoothing")
def check_smoothing(lowest):
    try:
        lowest = float(lowest)
    except (TypeError, ValueError, RuntimeError):
        raise Hint("One number is asked for, or an expression that gives one.") from None
    right = -0.91 * math.log(0.91) - 9 * 0.01 * math.log(0.01)
    if abs(lowest - right) < 0.003:
        return
    mistakes = [
        (0.0, "0 is reached for a target of 1. Here the target is 0.91, and 0.01 nine times."),
        (-math.log(0.91), "That is the term of the right class without its factor, 0.91."),
        (
            -0.91 * math.log(0.91),
            "That is the term of the right class. The nine other targets are not 0: each has a "
            "term of its own.",
        ),
        (-0.91 * math.log(0.91) - 0.01 * math.log(0.01), "There are nine other classes, not one."),
        (
            -0.9 * math.log(0.9) - 0.1 * math.log(0.1 / 9),
            "You spread 0.1 over the nine other classes. It is spread over all ten, also over the "
            "right one: 0.91 and 0.01.",
        ),
        (-0.9 * math.log(0.9) - 0.1 * math.log(0.1), "That is for two classes, 0.9 and 0.1."),
        (math.log(10), "That is the loss of ten equal probabilities, log 10: it is no minimum."),
        (right / math.log(10), "That is with the logarithm to base 10. Use the natural one."),
        (right / math.log(2), "That is with the logarithm to base 2. Use the natural one."),
        (-right, "The sign is turned: a logarithm of a probability is negative, a loss is not."),
    ]
    for number, words in mistakes:
        if abs(lowest - number) < 0.003:
            raise Hint(words)
    raise Hint(
        "The loss is lowest if the net's probabilities are the targets themselves. "
        "So it is the entropy of the ten targets: minus the sum of target times log target."
    )


def _negative_loss(logits, targets):
    "Cross-entropy with one thing missing."
    probabilities = torch.softmax(logits, dim=-1)
    return -probabilities[range(len(targets)), targets].mean()


def _mended_loss(logits, targets):
    return F.cross_entropy(logits, targets)


def _of_targets(logits, targets):
    "The probabilities of the right classes [n]."
    return logits.softmax(-1)[range(len(targets)), targets]


_BROKEN = (
    "That is still the broken loss. Which values can it take, and which should a loss take? "
    "Change the function in the cell above."
)


@exercise("07-negative", "find the bug in a loss that goes negative")
def check_negative(my_loss):
    generator = torch.Generator().manual_seed(0)
    compare(
        my_loss,
        examples=[
            (torch.randn(6, 4, generator=generator), torch.tensor([0, 3, 1, 2, 2, 0])),
            (torch.randn(3, 2, generator=generator), torch.tensor([1, 1, 0])),
            (torch.tensor([[1000.0, 0.0]]), torch.tensor([1])),
        ],
        right=_mended_loss,
        wrong={
            "One number is asked for, the mean.": (
                lambda z, t: F.cross_entropy(z, t, reduction="none")
            ),
            _BROKEN: _negative_loss,
            "Now it is positive, and it rewards mistakes: the better the prediction, the larger "
            "the loss. Something is missing between probability and minus.": (
                lambda z, t: -_negative_loss(z, t)
            ),
            "1 - p is never negative and is small when p is near 1. But it stops at 1: "
            "to be confident and wrong costs hardly more than to be unsure.": (
                lambda z, t: 1 + _negative_loss(z, t)
            ),
            "The logarithm of the mean is not the mean of the logarithms: "
            "take it before you average.": (
                lambda z, t: -_of_targets(z, t).mean().log(),
                lambda z, t: -z.log_softmax(-1).exp()[range(len(t)), t].mean().log(),
            ),
            "Without softmax the net can lower this loss for ever by raising all logits.": (
                lambda z, t: -z[range(len(t)), t].mean()
            ),
            "The sign is turned.": (
                lambda z, t: -F.cross_entropy(z, t),
                lambda z, t: _of_targets(z, t).log().mean(),
            ),
            "You took the sum. The mean is asked for.": (
                lambda z, t: F.cross_entropy(z, t, reduction="sum")
            ),
            "Softmax is applied twice: "
            "`F.cross_entropy` and `F.log_softmax` want the raw logits.": (
                lambda z, t: F.cross_entropy(z.softmax(-1), t)
            ),
            "You take all rows with all targets: `[:, targets]` makes a table. "
            "Row 0 goes with target 0, row 1 with target 1, and so on.": (
                lambda z, t: -z.log_softmax(-1)[:, t].mean()
            ),
            "The softmax runs over the batch. The classes of one row add up to 1: dim=-1.": (
                lambda z, t: -z.log_softmax(0)[range(len(t)), t].mean()
            ),
            "Right for small logits; for a difference of 1000 the logarithm of zero appears. "
            "Use a log softmax instead of the log of a softmax.": (
                lambda z, t: -_of_targets(z, t).log().mean(),
                lambda z, t: (z.exp().sum(-1).log() - z[range(len(t)), t]).mean(),
            ),
            "Right for small logits; for a difference of 1000 the loss should be 1000. "
            "A small number added inside the logarithm sets a limit to it.": (
                lambda z, t: -(_of_targets(z, t) + 1e-12).log().mean(),
                lambda z, t: -(_of_targets(z, t) + 1e-8).log().mean(),
                lambda z, t: -_of_targets(z, t).clamp(min=1e-7).log().mean(),
            ),
        },
        returns="one number, the mean",
        as_found=_BROKEN,
    )


def stuck_net() -> tuple:  # dict step to loss; accuracy; outputs for three patterns [3, 10]
    "A net whose loss stops at a floor: something in it is there twice."
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 20, generator=generator, dtype=torch.float64)
    y = torch.arange(40) % 10
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 10), nn.Softmax(-1))
    net = net.double()
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    losses = {}
    for step in range(1001):
        loss = F.cross_entropy(net(x), y)
        if step in (0, 10, 100, 300, 1000):
            losses[step] = loss.item()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    outputs = net(x).detach()
    return losses, (outputs.argmax(1) == y).double().mean().item(), outputs[:3]


_KEYS = ("mistake", "lowest, 10 classes", "lowest, 2 classes")


@exercise("07-floor", "a loss that never falls below 1.46")
def check_floor(finding):
    if not isinstance(finding, dict) or set(finding) != set(_KEYS):
        raise Hint(f"Give an answer for each of: {', '.join(_KEYS)}.")
    letter = str(finding["mistake"]).strip().upper()
    if letter not in tuple("ABCD"):
        raise Hint("The mistake is one letter from A to D.")
    if letter == "A":
        raise Hint(
            "With a learning rate that is too low the loss would still fall, slowly, and the "
            "accuracy would not be 100 %. Look at the outputs: which numbers are they?"
        )
    if letter == "B":
        raise Hint(
            "With wrong labels the net could not be right for all patterns and certain at the same "
            "time. Look at the outputs: which numbers are they?"
        )
    if letter == "C":
        raise Hint(
            "Then the loss would jump up and down. Hers falls, and comes to rest. Look at the "
            "outputs: which numbers are they?"
        )
    numbers = {}
    for key in _KEYS[1:]:
        try:
            numbers[key] = float(finding[key])
        except (TypeError, ValueError, RuntimeError):
            raise Hint(f"`{key}`: one number is asked for, or an expression.") from None
    for key, classes in zip(_KEYS[1:], (10, 2)):
        _check_lowest(key, numbers[key], classes)


def _check_lowest(key, number, classes):
    "A `Hint` unless the number is the lowest cross-entropy of probabilities taken as logits."
    right = math.log(math.e + classes - 1) - 1
    if abs(number - right) < 0.003:
        return
    mistakes = [
        (0.0, "the loss would be 0 for infinitely large logits. Her loss gets no logit above 1."),
        (math.log(classes), "that is the loss of equal probabilities. Hers can be lower."),
        (1 - math.log(math.e + classes - 1), "the sign is turned."),
        (right + 1, "that is the logarithm of the sum. The logit of the right class, 1, goes off."),
        (
            math.log(math.e + classes) - 1,
            f"one class has the logit 1. How many have the logit 0, of {classes}?",
        ),
        (
            math.exp(1) / (math.e + classes - 1),
            "that is the probability. The loss is minus its logarithm.",
        ),
        (right / math.log(10), "that is with the logarithm to base 10. Use the natural one."),
    ]
    for wrong, words in mistakes:
        if abs(number - wrong) < 0.003:
            raise Hint(f"`{key}`: {words}")
    raise Hint(
        f"`{key}`: the best outputs are 1 for the right class and 0 for the others. "
        "The loss takes these as logits. What is softmax of them?"
    )


PICTURES = 1000  # that the net is trained with
UPDATES = 600


def _overconfident(digits):
    "Logits and targets for the validation set, of a net that was trained for long on few pictures."
    (x, y), (valid_x, valid_y) = digits.train, digits.valid
    x, y = x[:PICTURES].cpu(), y[:PICTURES].cpu()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(x.shape[1], 50), nn.ReLU(), nn.Linear(50, 10)).to(x.dtype)
        optimizer = torch.optim.Adam(net.parameters(), 0.01)
        for _ in range(UPDATES * 100 // len(x)):
            for rows in torch.randperm(len(x)).split(100):
                F.cross_entropy(net(x[rows]), y[rows]).backward()
                optimizer.step()
                optimizer.zero_grad()
    order = torch.randperm(len(valid_x), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return net(valid_x.cpu()[order]), valid_y.cpu()[order]


def _best_temperature(logits, targets):
    "The temperature between 0.5 and 8 with the lowest loss."
    losses = {}
    for step in range(50, 801, 2):
        losses[step / 100] = F.cross_entropy(100 * logits / step, targets).item()
    return min(losses, key=losses.get)


def _unwritten(my_probabilities):
    "True if the function returns `...`: then no net need be trained."
    try:
        return my_probabilities(torch.zeros(20, 10), torch.arange(20) % 10, torch.eye(10)) is ...
    except Exception:  # it may need more pictures than these
        return False


@exercise("07-calibrate", "better than one temperature")
def check_calibrate(entry):
    digits, my_probabilities = read_entry(entry, "my_probabilities")
    if _unwritten(my_probabilities):
        raise NotYet("Write your lines in the cell above, and run the cell again.")
    if callable(digits):
        digits = digits()
    torch.set_num_threads(1)  # nets this small gain nothing from a second core
    logits, targets = _overconfident(digits)
    half = len(logits) // 2
    first, second = slice(0, half), slice(half, None)
    answer = my_probabilities(logits[first].clone(), targets[first].clone(), logits[second].clone())
    if not torch.is_tensor(answer) or answer.shape != logits[second].shape:
        raise Hint("Return a tensor of the shape of `new_logits`, a row for each picture.")
    p = answer.detach().double()
    if p.isnan().any() or not p.min() >= 0 or not near(p.sum(-1), torch.ones(len(p)), 1e-3):
        raise Hint(
            "These are no probabilities: each row should hold numbers from 0 to 1 that add up to 1."
        )
    loss = -p[range(len(p)), targets[second]].log().mean().item()
    raw = F.cross_entropy(logits[second], targets[second]).item()
    temperature = _best_temperature(logits[first], targets[first])
    scaled = F.cross_entropy(logits[second] / temperature, targets[second]).item()
    score = (
        f"On the second half your loss is {loss:.4f}. It is {raw:.4f} as the net comes, and "
        f"{scaled:.4f} at the temperature {temperature:.2f}, the best one for the first half."
    )
    if math.isinf(loss):
        raise Hint(
            f"{score} Some right answer has the probability 0 in your rows: that costs without "
            "limit. Leave each class a little."
        )
    if near(loss, raw, 1e-4):
        raise Hint(f"{score} These are the net's own probabilities, as they come.")
    if loss > raw:
        raise Hint(
            f"{score} That is worse than the net's own probabilities. Is the net too sure, or not "
            "sure enough? Divide the logits by a temperature above 1, and look at the first half."
        )
    if loss > raw - 0.9 * (raw - scaled):
        raise Hint(
            f"{score} That is better than nothing. Try many temperatures, and take the one with "
            "the lowest loss on the first half."
        )
    if loss < scaled - 5e-5:
        return f"{score} You have beaten a single temperature. Can you get lower?"
    return f"{score} Can you beat a single temperature?"

"What the exercises on softmax and cross-entropy accept, and what they say to each mistake."

import math

import torch
import torch.nn.functional as F

from helpers.course.exercises import compare, exercise


def _log_softmax(logits):
    shifted = logits - logits.amax(-1, keepdim=True)
    return shifted - shifted.exp().sum(-1, keepdim=True).log()


def _log_of_softmax(logits):
    powers = logits.exp()
    return (powers / powers.sum(-1, keepdim=True)).log()


def _unshifted(logits):
    return logits - logits.exp().sum(-1, keepdim=True).log()


def _one_shift(logits):
    return _unshifted(logits - logits.max())


def _only_shifted(logits):
    return logits - logits.amax(-1, keepdim=True)


def _over_the_batch(logits):
    return F.log_softmax(logits.flatten(), dim=0).view_as(logits)


@exercise("07-log-softmax", "a stable log softmax")
def check_log_softmax(my_log_softmax):
    compare(
        my_log_softmax,
        examples=[
            (torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.0, 5.0]]),),
            (torch.tensor([[0.5, -2.0], [2.0, 1.5], [3.0, 0.0]]),),
            (torch.tensor([[1000.0, 0.0, -1000.0], [-800.0, 0.0, 1.0]]),),
            (torch.tensor([[1000.0, 999.0, 998.0], [-1000.0, -999.0, -1001.0]]),),
        ],
        right=_log_softmax,
        wrong={
            "These are the probabilities. Their logarithm is asked for.": (
                lambda z: z.softmax(-1),
                lambda z: z.exp() / z.exp().sum(-1, keepdim=True),
            ),
            "The sign is turned: log probabilities are negative. The minus comes with the loss.": (
                lambda z: -z.log_softmax(-1)
            ),
            "You normalise over the whole batch. Each row is a distribution of its own: "
            "use dim=-1 and keepdim=True.": (
                _over_the_batch,
                lambda z: z - z.exp().sum().log(),
            ),
            "You normalise each column. The classes stand in the rows: dim=-1.": (
                lambda z: z.log_softmax(0),
                lambda z: z - z.exp().sum(0).log(),
            ),
            "The largest logit is subtracted, the logarithm of the sum is not.": _only_shifted,
            "Right for small logits; with 1000 something overflows, or the logarithm of zero is "
            "taken. Subtract from each row its own largest logit, "
            "and never take the logarithm of a finished softmax.": (
                _log_of_softmax,
                _unshifted,
                _one_shift,
                lambda z: z.softmax(-1).log(),
                lambda z: _log_of_softmax(z - z.max()),
            ),
        },
        returns="a tensor of the shape of `logits`",
    )


def _binary_loss(logits, targets):
    return F.binary_cross_entropy_with_logits(logits, targets)


def _from_probabilities(logits, targets):
    p = logits.sigmoid()
    return -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()


@exercise("07-binary", "binary cross-entropy from logits")
def check_binary(binary_loss):
    compare(
        binary_loss,
        examples=[
            (torch.tensor([2.0, -1.0, 0.5, 0.0]), torch.tensor([1.0, 0.0, 0.0, 1.0])),
            (torch.tensor([-3.0, 1.5, 0.2]), torch.tensor([1.0, 1.0, 0.0])),
            (torch.tensor([1000.0, -1000.0, 1000.0]), torch.tensor([1.0, 0.0, 0.0])),
        ],
        right=_binary_loss,
        wrong={
            "One number is asked for, the mean.": (
                lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="none")
            ),
            "The sign is turned: the logarithm of a probability is negative, a loss is not.": (
                lambda z, t: -_binary_loss(z, t),
                lambda z, t: -_from_probabilities(z, t),
            ),
            "You took the sum. The mean is asked for.": (
                lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="sum")
            ),
            "Only the rows with target 1 count in your loss. The others need log(1 - p).": (
                lambda z, t: -(t * z.sigmoid().log()).mean()
            ),
            "The two cases are exchanged: target 1 goes with log(p).": (
                lambda z, t: _binary_loss(z, 1 - t),
                lambda z, t: _from_probabilities(z, 1 - t),
            ),
            "The sigmoid is applied twice.": lambda z, t: _binary_loss(z.sigmoid(), t),
            "That is the logarithm to base 10, as in the sheet. Use the natural one.": (
                lambda z, t: _binary_loss(z, t) / math.log(10)
            ),
            "Right for small logits; for logits of 1000 it gives nan or infinity. exp(1000) "
            "overflows, and log(0) is infinite: look for a form of log(1 + exp(x)) "
            "that does neither.": (
                _from_probabilities,
                lambda z, t: ((1 + z.exp()).log() - z * t).mean(),
                lambda z, t: ((1 + (-z).exp()).log() + (1 - t) * z).mean(),
            ),
            "For logits of 1000 and a wrong target the loss should be about 1000 in that row, "
            "without a limit.": lambda z, t: F.binary_cross_entropy(z.sigmoid(), t),
        },
        returns="one number, the mean",
    )


def broken_loss(
    logits,  # [n, classes]
    targets,  # class numbers [n]
):
    "Cross-entropy with one thing missing."
    probabilities = torch.softmax(logits, dim=-1)
    return -probabilities[range(len(targets)), targets].mean()


def _mended_loss(logits, targets):
    return F.cross_entropy(logits, targets)


def _of_targets(logits, targets):
    "The probabilities of the right classes [n]."
    return logits.softmax(-1)[range(len(targets)), targets]


@exercise("07-negative", "find the bug in a loss that goes negative")
def check_negative(mended_loss):
    generator = torch.Generator().manual_seed(0)
    compare(
        mended_loss,
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
            "That is still the broken loss. "
            "Which values can it take, and which should a loss take?": broken_loss,
            "Now it is positive, and it rewards mistakes: the better the prediction, the larger "
            "the loss. Something is missing between probability and minus.": (
                lambda z, t: -broken_loss(z, t)
            ),
            "1 - p is never negative and is small when p is near 1. But it stops at 1: "
            "to be confident and wrong costs hardly more than to be unsure.": (
                lambda z, t: 1 + broken_loss(z, t)
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
    )

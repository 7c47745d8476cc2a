"What the exercises on softmax and cross-entropy accept, and what they say to each mistake."

import torch
import torch.nn.functional as F

from helpers.course.exercises import Hint, exercise, near


@exercise("07-log-softmax", "a stable log softmax")
def check_log_softmax(log_softmax):
    x = torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.0, 5.0]], dtype=torch.float64)
    kept, right = x.clone(), F.log_softmax(x, dim=-1)
    got = log_softmax(x)
    if not torch.equal(x, kept):
        raise Hint("You changed the logits themselves; work on a new tensor.")
    if near(got, right.exp()):
        raise Hint("These are the probabilities. Their logarithm is asked for.")
    if near(got, -right):
        raise Hint(
            "The sign is turned: log probabilities are negative. The minus comes with the loss."
        )
    if near(got, F.log_softmax(x.flatten(), dim=0).view_as(x)):
        raise Hint(
            "You normalise over the whole batch. Each row is a distribution of its own: use dim=-1 and keepdim=True."
        )
    if near(got, F.log_softmax(x, dim=0)):
        raise Hint("You normalise each column. The classes stand in the rows: dim=-1.")
    if near(got, x - x.amax(-1, keepdim=True)):
        raise Hint("The largest logit is subtracted, the logarithm of the sum is not.")
    if near(
        got,
        torch.logsumexp(x - x.amax(-1, keepdim=True), -1, keepdim=True)
        - (x - x.amax(-1, keepdim=True)),
    ):
        raise Hint("The sign is turned: it is logit minus log of the sum.")
    if not near(got, right):
        raise Hint(
            f"For the logits 1, 2, 3 the result should be {', '.join(f'{r:.4f}' for r in right[0])}; yours is {', '.join(f'{float(g):.4f}' for g in got.reshape(-1)[:3])}."
        )
    for extreme in (
        [[1000.0, 0.0, -1000.0]],
        [[-1000.0, -1001.0, -1002.0]],
        [[1000.0, 0.0, -1000.0], [-800.0, 0.0, 1.0]],
        [[1000.0, 999.0, 998.0], [-1000.0, -999.0, -1001.0]],
    ):
        x = torch.tensor(extreme, dtype=torch.float64)
        got = log_softmax(x)
        if not torch.isfinite(got).all():
            raise Hint(
                f"Right for small logits; for {extreme} it gives {got.tolist()}. Subtract from each row its own largest logit, and never take the logarithm of a finished softmax."
            )
        if not near(got, F.log_softmax(x, -1)):
            raise Hint(f"For {extreme} it should be {F.log_softmax(x, -1).tolist()}.")


@exercise("07-binary", "binary cross-entropy from logits")
def check_binary(binary_loss):
    logits, targets = (
        torch.tensor([2.0, -1.0, 0.5, 0.0], dtype=torch.float64),
        torch.tensor([1.0, 0.0, 0.0, 1.0], dtype=torch.float64),
    )
    right, p = F.binary_cross_entropy_with_logits(logits, targets), logits.sigmoid()
    got = torch.as_tensor(binary_loss(logits, targets), dtype=torch.float64)
    if got.shape != ():
        raise Hint(f"One number is asked for, the mean; you returned shape {list(got.shape)}.")
    if near(got, -right):
        raise Hint("The sign is turned: the logarithm of a probability is negative, a loss is not.")
    if near(got, 4 * right):
        raise Hint("You took the sum. The mean is asked for.")
    if near(got, -(targets * p.log()).mean()):
        raise Hint("Only the rows with target 1 count in your loss. The others need log(1 - p).")
    if near(got, F.binary_cross_entropy_with_logits(logits, 1 - targets)):
        raise Hint("The two cases are exchanged: target 1 goes with log(p).")
    if near(got, F.binary_cross_entropy_with_logits(p, targets)):
        raise Hint("The sigmoid is applied twice.")
    if near(got, right / torch.log(torch.tensor(10.0, dtype=torch.float64))):
        raise Hint("That is the logarithm to base 10, as in the sheet. Use the natural one.")
    if not near(got, right):
        raise Hint(
            f"For logits 2, -1, 0.5, 0 and targets 1, 0, 0, 1 the loss is {right:.4f}; yours is {got:.4f}."
        )
    logits, targets = (
        torch.tensor([1000.0, -1000.0, 1000.0], dtype=torch.float64),
        torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64),
    )
    got = torch.as_tensor(binary_loss(logits, targets), dtype=torch.float64)
    if not torch.isfinite(got):
        raise Hint(
            f"Right for small logits; for logits of 1000 it gives {got.item()}. exp(1000) overflows, and log(0) is infinite: look for a form of log(1 + exp(x)) that does neither."
        )
    if not near(got, F.binary_cross_entropy_with_logits(logits, targets)):
        raise Hint(
            "For logits of 1000 and a wrong target the loss should be about 1000 in that row, without a limit."
        )


def broken_loss(logits, targets):
    "Cross-entropy with one thing missing."
    probabilities = torch.softmax(logits, dim=-1)
    return -probabilities[range(len(targets)), targets].mean()


@exercise("07-negative", "find the bug in a loss that goes negative")
def check_negative(mended_loss):
    torch.manual_seed(0)
    logits, targets = torch.randn(6, 4, dtype=torch.float64), torch.tensor([0, 3, 1, 2, 2, 0])
    p, rows = logits.softmax(-1), range(6)
    got, right = (
        torch.as_tensor(mended_loss(logits, targets), dtype=torch.float64),
        F.cross_entropy(logits, targets),
    )
    if got.shape != ():
        raise Hint(f"One number is asked for, the mean; you returned shape {list(got.shape)}.")
    if near(got, broken_loss(logits, targets)):
        raise Hint(
            "That is still the broken loss. Which values can it take, and which should a loss take?"
        )
    if near(got, -broken_loss(logits, targets)):
        raise Hint(
            "Now it is positive, and it rewards mistakes: the better the prediction, the larger the loss. Something is missing between probability and minus."
        )
    if near(got, 1 + broken_loss(logits, targets)):
        raise Hint(
            "1 - p is never negative and is small when p is near 1. But it stops at 1: to be confident and wrong costs hardly more than to be unsure."
        )
    if near(got, -p[rows, targets].mean().log()):
        raise Hint(
            "The logarithm of the mean is not the mean of the logarithms: take it before you average."
        )
    if near(got, -logits[rows, targets].mean()):
        raise Hint("Without softmax the net can lower this loss for ever by raising all logits.")
    if near(got, -right):
        raise Hint("The sign is turned.")
    if near(got, F.cross_entropy(p, targets)):
        raise Hint(
            "Softmax is applied twice: `F.cross_entropy` and `F.log_softmax` want the raw logits."
        )
    if not near(got, right):
        raise Hint(
            f"Not cross-entropy yet: on the test batch it should be {right:.4f}, yours is {got:.4f}."
        )
    far = torch.tensor([[1000.0, 0.0]], dtype=torch.float64)
    got = torch.as_tensor(mended_loss(far, torch.tensor([1])), dtype=torch.float64)
    if not torch.isfinite(got):
        raise Hint(
            "Right for small logits; for a difference of 1000 the logarithm of zero appears. Use a log softmax instead of the log of a softmax."
        )
    if not near(got, 1000.0):
        raise Hint(
            f"Right for small logits; for a difference of 1000 the loss should be 1000 and is {got:.1f}. A small number added inside the logarithm sets a limit to it."
        )

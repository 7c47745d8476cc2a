"What the exercises on accumulation and memory accept, and what they say to each mistake."

import torch

from helpers.course.exercises import Hint, exercise, near


def _epoch(batches, start, lr, accum, mean=True, reset="grad", until=None, rows=True, every=None):
    "What a loop of the exercise ends with; the options are the mistakes."
    weights, gradient, seen = start.clone(), torch.zeros_like(start), 0
    for x, y in batches:
        slope = (2 * x * (x @ weights - y)[:, None]).mean(0)
        gradient += slope * (len(x) / accum if mean is True else 1 if mean is False else mean)
        seen += len(x) if rows else 1
        if seen > accum if until == "more" else seen >= accum:
            weights -= lr * gradient
            if reset == "data":
                weights.zero_()
            if reset != "nothing" and reset != "data":
                gradient.zero_()
            seen = 0
    return weights


@exercise("14-loop", "accumulation with its mistakes mended")
def check_loop(train_epoch):
    generator = torch.Generator().manual_seed(11)
    x = torch.randn(128, 3, generator=generator, dtype=torch.float64)
    y = x @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64) + 0.1 * torch.randn(
        128, generator=generator, dtype=torch.float64
    )
    start, loss = (
        torch.tensor([0.3, 0.2, -0.1], dtype=torch.float64),
        lambda w, x, y: (x @ w - y).square().mean(),
    )

    def run(bs, accum):
        batches, weights = list(zip(x.split(bs), y.split(bs))), start.clone().requires_grad_()
        got = train_epoch(weights, batches, loss, 0.05, accum)
        if not torch.is_tensor(got) or got.shape != start.shape:
            raise Hint("Return the weights: one tensor, of the shape it came in.")
        return got.detach(), batches

    got, batches = run(16, 64)
    if near(got, start, 1e-9):
        raise Hint(
            "The weights have not moved. `accum` is a number of rows here (not of parts): if you count batches, 8 of them never reach 64. Count rows."
        )
    wrong = lambda **mistakes: near(got, _epoch(batches, start, 0.05, 64, **mistakes), 1e-9)
    if got.abs().max() == 0 or wrong(reset="data") or wrong(reset="data", mean=False):
        raise Hint(
            "After an update all weights are zero: `weights.data.zero_()` throws away the model. It is the gradients that should be zeroed, `weights.grad`."
        )
    if wrong(mean=False):
        raise Hint(
            "The update comes when it should, but four mean gradients are added up: four times too long. Weight each loss by its share of the rows, len(x)/accum."
        )
    if wrong(reset="nothing") or wrong(reset="nothing", mean=False):
        raise Hint(
            "The gradients are never zeroed, so the second update contains the first one again."
        )
    if wrong(until="more") or wrong(until="more", mean=False):
        raise Hint(
            "64 rows are enough: with `>` (the fourth mistake, which shows only when rows are counted) a fifth batch of 16 gets in before the update. Compare with `>=`."
        )
    if wrong(mean=16 / 128) or wrong(mean=1 / 8):
        raise Hint(
            "You divide by the number of all batches. An update holds only those up to `accum` rows: the weight is len(x)/accum."
        )
    if wrong(mean=1 / 64):
        raise Hint(
            "You divide each mean loss by accum, as if that were a number of parts. It counts rows here: a mean over 16 rows stands for 16 of the 64: its weight is len(x)/accum."
        )
    if near(got, _epoch(batches, start, 0.05, 1), 1e-9) or near(
        got, _epoch(batches, start, 0.05, 16), 1e-9
    ):
        raise Hint("You update after each batch. Wait until `accum` rows have been seen.")
    if not wrong():
        raise Hint(
            "After two updates of 64 rows in four parts each the weights are not those of two batches of 64. Check four places: what is counted, how it is compared with accum, what is zeroed, how each loss is weighted."
        )
    for bs, accum in ((32, 64), (64, 64), (8, 32)):
        got, batches = run(bs, accum)
        if not near(got, _epoch(batches, start, 0.05, accum), 1e-9):
            raise Hint(
                f"Right for batches of 16 and accum = 64, wrong for batches of {bs} and accum = {accum}. Is a 4 or a 64 written into your code?"
            )


@exercise("14-groups", "mean gradients of groups, the last one too")
def check_groups(group_gradients):
    generator = torch.Generator().manual_seed(3)
    sizes = [24, 24, 24, 24, 4]
    gradients = [torch.randn(2, 3, generator=generator, dtype=torch.float64) for _ in sizes]
    kept = [g.clone() for g in gradients]

    def of(rows, weight=lambda size, total: size / total, accum=64):
        return sum(weight(sizes[n], sum(sizes[m] for m in rows)) * gradients[n] for n in rows)

    got = group_gradients(gradients, sizes, 64)
    if not all(torch.equal(a, b) for a, b in zip(gradients, kept)):
        raise Hint(
            "You changed the gradients of the caller: `+=` on a tensor works in place. Begin each group with a new one, total = total + size*gradient."
        )
    if torch.is_tensor(got) and got.ndim == 3:
        got = list(got)
    if not isinstance(got, (list, tuple)):
        raise Hint("Return a list with one tensor for each group.")
    first, last = (0, 1, 2), (3, 4)
    if len(got) == 2 and all(near(g, of(rows)) for g, rows in zip(got, ((0, 1), (2, 3, 4)))):
        raise Hint(
            "Your groups have 48 and 52 rows: you close a group before it would overshoot. The means are right, but here a group is full at accum rows or more, so three parts, 72 rows, make the first."
        )
    if len(got) == 1 and (near(got[0], of(first)) or near(got[0], of(first, lambda s, t: s / 64))):
        raise Hint("28 rows remain at the end and are lost. The end of the list ends a group.")
    if len(got) != 2:
        raise Hint(
            f"The sizes are {sizes}: 72 rows make the first group, the remaining 28 the second. You return {len(got)} of them. Is a group full at accum rows or more?"
        )
    if near(got[0], of(first, lambda s, t: s)) or near(got[0], of(first, lambda s, t: 1)):
        raise Hint("You add up and do not divide: a mean gradient is asked for.")
    if near(got[0], of(first, lambda s, t: s / 64)):
        raise Hint(
            "The first group has 72 rows, and you divide by accum, 64: its weights add up to 1.125. Divide by the rows that were seen."
        )
    if near(got[0], of(first)) and near(got[1], of(last, lambda s, t: s / 64)):
        raise Hint(
            "The last group has 28 rows, and you divide by accum, 64: its gradient is less than half as long as it should be. Divide by the rows that were seen."
        )
    if near(got[0], of(first)) and near(got[1], of(last, lambda s, t: 1 / 2)):
        raise Hint(
            "The last group has parts of 24 and 4 rows, and a mean of the two means gives the 4 rows as much weight as the 24. Weight each by its size."
        )
    if near(got[1], of((3, 4), lambda s, t: s / 100)) or near(
        got[0], of(first, lambda s, t: s / 100)
    ):
        raise Hint("You divide by all 100 rows. Each group has its own number.")
    if near(got[0], of(first)) and not near(got[1], of(last)):
        raise Hint(
            "The first group is right, the second is not. Do you begin it with an empty sum, and a count of 0?"
        )
    if not near(got, [of(first), of(last)]):
        raise Hint(
            "Two groups, of 72 and 28 rows, but not the mean gradients over their rows: the sum of size times gradient, divided by the sum of the sizes."
        )
    if len(group_gradients(gradients[:4], [16] * 4, 64)) != 1:
        raise Hint(
            "When the last part fills its group exactly, nothing remains: you return an extra group there."
        )
    if not near(
        list(group_gradients(gradients, [8] * 5, 16)),
        [(gradients[0] + gradients[1]) / 2, (gradients[2] + gradients[3]) / 2, gradients[4]],
    ):
        raise Hint(
            "Right for parts of 24 rows, wrong where parts fill a group exactly: a group is full at accum rows or more, `>=`."
        )


@exercise("14-fits", "whether a model fits before it runs")
def check_fits(fits):
    def need(p, a, batch, accum, copies, own=2, margin=1.1, cuda=0.5e9, part=True):
        return margin * (p * (own + copies) + a * (-(-batch // accum) if part else batch)) + cuda

    sure = [
        (200e6, 180e6, 64, 1, 2),
        (200e6, 180e6, 64, 2, 2),
        (780e6, 280e6, 64, 1, 2),
        (780e6, 280e6, 64, 2, 2),
        (5e9, 1e6, 64, 64, 2),
    ]
    got = [fits(*case) for case in sure]
    if not all(isinstance(value, bool) or str(value) in ("True", "False") for value in got):
        raise Hint(f"Return True or False; you returned {got[0]!r}.")

    def wrong(cases, **mistake):
        return [need(*case, **mistake) <= 16e9 for case in cases]

    tests = [
        *sure,
        (3.9e9, 1e6, 64, 4, 0),
        (2e9, 90e6, 64, 1, 1),
        (1e9, 155e6, 64, 1, 2),
        (100e6, 205e6, 64, 1, 2),
        (100e6, 650e6, 64, 3, 2),
        (700e6, 182e6, 64, 1, 2),
        (100e6, 2.05e9, 20, 3, 2),
        (1e9, 160e6, 64, 1, 0),
        (3.4e9, 1e6, 8, 1, 2),
        (100e6, 220e6, 64, 1, 2),
        (100e6, 235e6, 64, 1, 2),
        (1e9, 170e6, 64, 1, 2),
        (1e9, 160e6, 64, 1, 2),
    ]
    got = [bool(fits(*case)) for case in tests]
    right = wrong(tests)
    if got == right:
        if bool(fits(*sure[0], room=10e9)) or not bool(fits(*sure[2], room=40e9)):
            raise Hint("Right for 16 GB, wrong for another room. Do you use the argument `room`?")
        return
    if got == [not value for value in right]:
        raise Hint("The other way round: True should mean that it fits.")
    for hint, mistake in (
        (
            "The number of parts does not matter in your formula: only batch/parts pictures, rounded up, are in memory at a time.",
            dict(part=False),
        ),
        ("You count the parameters, and not their gradients, which are as large.", dict(own=1)),
        ("You leave out the tenth to spare: 1.1 times the need.", dict(margin=1.0)),
        ("You leave out the half gigabyte that CUDA takes for itself.", dict(cuda=0.0)),
    ):
        if got == wrong(tests, **mistake):
            raise Hint(hint)
    if got == [1.1 * (p * (2 + c) + a * b) / k + 0.5e9 <= 16e9 for p, a, b, k, c in tests]:
        raise Hint(
            "You divide everything by the number of parts. Parameters, gradients and the optimizer stay whole; only activations come in parts."
        )
    if got == [1.1 * (p * 2 + a * (-(-b // k))) + 0.5e9 <= 16e9 for p, a, b, k, c in tests]:
        raise Hint("You leave out what the optimizer keeps: `copies` tensors for each parameter.")
    if got == [1.1 * (p * (2 + c) + a * (b // k)) + 0.5e9 <= 16e9 for p, a, b, k, c in tests]:
        raise Hint(
            "Round up: 64 pictures in 3 parts are 22, 21 and 21, and the largest part decides."
        )
    if got == [1.1 * (p * (2 + c) + a * min(k, b)) + 0.5e9 <= 16e9 for p, a, b, k, c in tests]:
        raise Hint(
            "You take `parts` as the number of pictures at a time. It is the number of parts: batch/parts pictures, rounded up, are in memory at a time."
        )
    if got == [p * (2 + c) + a * (-(-b // k)) <= 0.9 * 16e9 for p, a, b, k, c in tests] or got == [
        p * (2 + c) + a * (-(-b // k)) + 0.5e9 <= 0.9 * 16e9 for p, a, b, k, c in tests
    ]:
        raise Hint(
            "You take a tenth off the room. Here the need is multiplied by 1.1, and half a gigabyte is added: not quite the same."
        )
    case, true = next(
        (case, value) for case, value, mine in zip(tests, right, got) if value != mine
    )
    p, a, batch, accum, copies = case
    raise Hint(
        f"With {p / 1e6:.0f} MB of parameters, {a / 1e6:.0f} MB for a picture, batch {batch}, {accum} parts and {copies} copies it should be {true}: 1.1 × (parameters × (2 + copies) + {-(-batch // accum)} pictures) + 0.5 GB is {need(*case) / 1e9:.1f} GB."
    )

"What the exercises on accumulation and memory accept, and what they say to each mistake."

import inspect

import torch

from helpers.course.exercises import NotYet, compare, exercise


def _by_rows(batch, rows, batches):
    "The weight of a mean loss: its share of the rows of an update."
    return batch / rows


def _unweighted(batch, rows, batches):
    return 1


def _by_batches(batch, rows, batches):
    return 1 / batches


def _by_accum(batch, rows, batches):
    return 1 / rows


def _more(count, rows):
    return count > rows


def _loop(weight=_by_rows, by_rows=True, reset="gradients", full=lambda count, rows: count >= rows):
    "An epoch with accumulation; the arguments are the mistakes."

    def train_epoch(weights, batches, loss, lr, rows):
        weights = weights.detach().clone().requires_grad_()
        count = 0
        for x, y in batches:
            (loss(weights, x, y) * weight(len(x), rows, len(batches))).backward()
            count += len(x) if by_rows else 1
            if full(count, rows):
                weights.data.sub_(lr * weights.grad)
                if reset == "gradients":
                    weights.grad.zero_()
                if reset == "weights":
                    weights.data.zero_()
                count = 0
        return weights

    return train_epoch


def _on_own_weights(train_epoch):
    "The answer on a copy of the weights, which it may train in place."

    def answer(weights, batches, loss, lr, rows):
        return train_epoch(weights.clone().requires_grad_(), batches, loss, lr, rows)

    return answer if callable(train_epoch) else train_epoch


def _squared_loss(weights, x, y):
    return (x @ weights - y).square().mean()


def _starter(weights, batches, loss, lr, rows):
    "The loop as the lesson shows it."
    count = 0
    for x, y in batches:
        count += 1
        loss(weights, x, y).backward()
        if count > rows:
            weights.data.sub_(lr * weights.grad)
            weights.data.zero_()
            count = 0
    return weights


def _same_code(one, other):
    "True if two functions do the same with the same names."
    parts = [(function.__code__.co_code, function.__code__.co_names) for function in (one, other)]
    return parts[0] == parts[1]


@exercise("14-loop", "accumulation with its mistakes mended")
def check_loop(train_epoch):
    answer = inspect.unwrap(train_epoch) if callable(train_epoch) else None
    if inspect.isfunction(answer) and _same_code(answer, _starter):
        raise NotYet("This is the loop as it was found. Mend it in the cell above.")
    generator = torch.Generator().manual_seed(11)
    x = torch.randn(128, 3, generator=generator)
    y = x @ torch.tensor([1.0, -2.0, 0.5]) + 0.1 * torch.randn(128, generator=generator)
    start = torch.tensor([0.3, 0.2, -0.1])

    def example(batch, rows):
        batches = list(zip(x.split(batch), y.split(batch)))
        return start, batches, _squared_loss, 0.05, rows

    compare(
        _on_own_weights(train_epoch),
        examples=[example(16, 64), example(32, 64), example(64, 64), example(8, 32)],
        right=_loop(),
        wrong={
            "The weights have not moved. Are you waiting for `rows` batches, or for `rows` rows?": (
                _loop(by_rows=False),
                lambda weights, batches, loss, lr, rows: weights,
            ),
            "After an update all weights are zero: `weights.data.zero_()` throws away the model. "
            "It is the gradients that should be zeroed, `weights.grad`.": (
                _loop(reset="weights"),
                _loop(_unweighted, reset="weights"),
                lambda weights, batches, loss, lr, rows: 0 * weights,
            ),
            "The update comes when it should, but four mean gradients are added up: "
            "four times too long. Weight each loss by its share of the rows, len(x)/rows.": (
                _loop(_unweighted)
            ),
            "The gradients are never zeroed, so the second update contains the first one again.": (
                _loop(reset="nothing"),
                _loop(_unweighted, reset="nothing"),
            ),
            "64 rows are enough: with `>` (the fourth mistake, which shows only when rows are "
            "counted) a fifth batch of 16 gets in before the update. Compare with `>=`.": (
                _loop(full=_more),
                _loop(_unweighted, full=_more),
            ),
            "You divide by the number of all batches. An update holds only `rows` rows: "
            "the weight is len(x)/rows.": (
                _loop(_by_batches),
                _loop(lambda batch, rows, batches: batch / 128),
            ),
            "You divide each mean loss by `rows`, as if that were a number of parts. "
            "A mean over 16 rows stands for 16 of the 64: its weight is len(x)/rows.": (
                _loop(_by_accum)
            ),
            "You update after each batch. Wait until `rows` rows have been seen.": (
                _loop(full=lambda count, rows: True),
                _loop(_unweighted, full=lambda count, rows: True),
            ),
            "Right for batches of 16 and rows = 64, wrong for others. "
            "Is a 4 or a 64 written into your code?": (
                _loop(lambda batch, rows, batches: 1 / 4),
                _loop(full=lambda count, rows: count >= 64),
                _loop(lambda batch, rows, batches: batch / 64),
            ),
        },
        tolerance=1e-6,
        returns="the weights: one tensor, of the shape it came in",
    )


def _groups(divisor=lambda filled, parts, rows: filled, weighted=True, keep_rest=True, carry=False):
    "Gradients of groups; the arguments are the mistakes."

    def group_gradients(gradients, sizes, rows):
        groups = []
        total = 0
        filled = 0
        parts = 0
        for n, (gradient, size) in enumerate(zip(gradients, sizes), start=1):
            total = total + (size * gradient if weighted else gradient)
            filled += size
            parts += 1
            if filled >= rows or (keep_rest and n == len(sizes)):
                groups.append(total / divisor(filled, parts, rows))
                total = total if carry else 0
                filled = 0
                parts = 0
        return groups

    return group_gradients


def _last_by_accum(gradients, sizes, rows):
    groups = _groups()(gradients, sizes, rows)
    filled = _rows_of_rest(sizes, rows)
    if filled:
        groups[-1] = groups[-1] * filled / rows
    return groups


def _rows_of_rest(sizes, rows):
    "The rows that remain after the last full group."
    filled = 0
    for size in sizes:
        filled += size
        if filled >= rows:
            filled = 0
    return filled


def _never_over(gradients, sizes, rows):
    groups = []
    total = 0
    filled = 0
    for gradient, size in zip(gradients, sizes):
        if filled and filled + size > rows:
            groups.append(total / filled)
            total = 0
            filled = 0
        total = total + size * gradient
        filled += size
    return [*groups, total / filled]


def _only_more(gradients, sizes, rows):
    return _groups()(gradients, sizes, rows + 1)


def _extra_group(gradients, sizes, rows):
    groups = _groups(keep_rest=False)(gradients, sizes, rows)
    rest = _groups()(gradients, sizes, rows)[len(groups) :]
    return groups + (rest or [0 * gradients[0]])


@exercise("14-groups", "mean gradients of groups, the last one too")
def check_groups(group_gradients):
    generator = torch.Generator().manual_seed(3)
    gradients = [torch.randn(2, 3, generator=generator) for _ in range(5)]
    compare(
        group_gradients,
        examples=[
            (gradients, [24, 24, 24, 24, 4], 64),
            (gradients[:4], [16, 16, 16, 16], 64),
            (gradients, [8, 8, 8, 8, 8], 16),
        ],
        right=_groups(),
        wrong={
            "Your groups have 48 and 52 rows: you close a group before it would overshoot. The "
            "means are right, but here a group is full at `rows` rows or more: three parts, "
            "72 rows, make the first.": _never_over,
            "28 rows remain at the end and are lost. The end of the list ends a group.": (
                _groups(keep_rest=False),
                _groups(lambda filled, parts, rows: rows, keep_rest=False),
            ),
            "You add up and do not divide: a mean gradient is asked for.": (
                _groups(lambda filled, parts, rows: 1),
                _groups(lambda filled, parts, rows: 1, weighted=False),
            ),
            "The first group has 72 rows, and you divide by `rows`, 64: its weights add up "
            "to 1.125. Divide by the rows that were seen.": (
                _groups(lambda filled, parts, rows: rows)
            ),
            "The last group has 28 rows, and you divide by `rows`, 64: its gradient is less than "
            "half as long as it should be. Divide by the rows that were seen.": _last_by_accum,
            "The last group has parts of 24 and 4 rows, and a mean of the two means gives the "
            "4 rows as much weight as the 24. Weight each by its size.": (
                _groups(lambda filled, parts, rows: parts, weighted=False)
            ),
            "You divide by all rows. Each group has its own number.": (
                lambda gradients, sizes, rows: _groups(lambda filled, parts, rows: sum(sizes))(
                    gradients, sizes, rows
                )
            ),
            "The first group is right, the second is not. "
            "Do you begin it with an empty sum, and a count of 0?": _groups(carry=True),
            "When the last part fills its group exactly, nothing remains: "
            "you return an extra group there.": _extra_group,
            "Right for parts of 24 rows, wrong where parts fill a group exactly: "
            "a group is full at `rows` rows or more, `>=`.": _only_more,
            "A tensor for each part. Parts are to be joined until a group has `rows` rows.": (
                lambda gradients, sizes, rows: gradients
            ),
            "Return a list with one tensor for each group.": (
                lambda gradients, sizes, rows: sum(gradients) / len(gradients)
            ),
        },
        returns="a list with one tensor for each group",
    )


def _largest_part(batch, parts):
    return -(-batch // parts)


def _fits(margin=1.1, cuda=0.5e9, own=2, optimizer=True, pictures=_largest_part):
    "Whether a model fits; the arguments are the mistakes."

    def fits(parameters, per_picture, batch, parts, copies, room=16e9):
        tensors = own + (copies if optimizer else 0)  # for each parameter
        need = parameters * tensors + per_picture * pictures(batch, parts)
        return margin * need + cuda <= room

    return fits


def _all_in_parts(parameters, per_picture, batch, parts, copies, room=16e9):
    need = (parameters * (2 + copies) + per_picture * batch) / parts
    return 1.1 * need + 0.5e9 <= room


def _off_the_room(cuda):
    def fits(parameters, per_picture, batch, parts, copies, room=16e9):
        need = parameters * (2 + copies) + per_picture * _largest_part(batch, parts)
        return need + cuda <= 0.9 * room

    return fits


@exercise("14-fits", "whether a model fits before it runs")
def check_fits(fits):
    right = _fits()
    compare(
        fits,
        # each lies so near the limit that one mistake turns it
        examples=[
            (200e6, 180e6, 64, 1, 2),
            (200e6, 180e6, 64, 2, 2),
            (780e6, 280e6, 64, 1, 2),
            (780e6, 280e6, 64, 2, 2),
            (5e9, 1e6, 64, 64, 2),
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
            (200e6, 180e6, 64, 1, 2, 10e9),
            (780e6, 280e6, 64, 1, 2, 40e9),
        ],
        right=right,
        wrong={
            "The other way round: True should mean that it fits.": (
                lambda *arguments: not right(*arguments)
            ),
            "The number of parts does not matter in your formula. "
            "How many pictures are in memory at a time?": (
                _fits(pictures=lambda batch, parts: batch)
            ),
            "You count the parameters, and not their gradients, which are as large.": _fits(own=1),
            "You leave out the tenth to spare: 1.1 times the need.": _fits(margin=1.0),
            "You leave out the half gigabyte that CUDA takes for itself.": _fits(cuda=0.0),
            "You divide everything by the number of parts. Parameters, gradients and the optimizer "
            "stay whole; only activations come in parts.": _all_in_parts,
            "You leave out what the optimizer keeps: `copies` tensors for each parameter.": (
                _fits(optimizer=False)
            ),
            "Round up: 64 pictures in 3 parts are 22, 21 and 21, and the largest part decides.": (
                _fits(pictures=lambda batch, parts: batch // parts)
            ),
            "You take `parts` as the number of pictures at a time. "
            "It says into how many parts a batch is cut.": (
                _fits(pictures=lambda batch, parts: min(batch, parts))
            ),
            "You take a tenth off the room. Here the need is multiplied by 1.1, "
            "and half a gigabyte is added: not quite the same.": (
                _off_the_room(0.0),
                _off_the_room(0.5e9),
            ),
            "Right for 16 GB, wrong for another room. Do you use the argument `room`?": (
                lambda p, a, batch, parts, copies, room=0: right(p, a, batch, parts, copies)
            ),
        },
        returns="True or False",
    )

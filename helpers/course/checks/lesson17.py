"What the exercises on several targets accept, and what they say to each mistake."

import torch
import torch.nn.functional as F

from helpers.course.exercises import Hint, compare, exercise, near


def _first(outputs, diseases):
    return outputs[:, :diseases]


def _rest(outputs, diseases):
    return outputs[:, diseases:]


def _all(outputs, diseases):
    return outputs


def _summed(one, other):
    return one + other


def _two_losses(first=_first, second=_rest, join=_summed, reduction="mean"):
    "The losses of both targets, each on its part of the outputs, and what is made of them."

    def two_losses(outputs, disease, variety, diseases):
        one = F.cross_entropy(first(outputs, diseases), disease, reduction=reduction)
        other = F.cross_entropy(second(outputs, diseases), variety, reduction=reduction)
        return join(one, other)

    return two_losses


def _one_softmax(outputs, disease, variety, diseases):
    return F.cross_entropy(outputs, disease) + F.cross_entropy(outputs, variety + diseases)


def _rest_in_one_softmax(outputs, disease, variety, diseases):
    one = F.cross_entropy(outputs[:, :diseases], disease)
    return one + F.cross_entropy(outputs, variety + diseases)


def _softmax_twice(outputs, disease, variety, diseases):
    one = F.cross_entropy(outputs[:, :diseases].softmax(1), disease)
    return one + F.cross_entropy(outputs[:, diseases:].softmax(1), variety)


def _slices_at(column):
    "The same slices whatever `diseases` says."
    return _two_losses(
        lambda outputs, _: outputs[:, :column], lambda outputs, _: outputs[:, column:]
    )


def _check_gradient(two_losses, outputs, first, second, diseases):
    "A `Hint` unless the gradient of the loss arrives at all columns."
    given = outputs.clone().requires_grad_()
    loss = two_losses(given, first, second, diseases)
    if not torch.is_tensor(loss) or not loss.requires_grad:
        raise Hint(
            "The number is right, but no gradient can flow back from it. "
            "Return the tensor; no `.item()`, no `float`."
        )
    gradient = torch.autograd.grad(loss, given)[0]
    missing = ""
    if not gradient[:, :diseases].any():
        missing = "diseases"
    if not gradient[:, diseases:].any():
        missing = "varieties"
    if missing:
        raise Hint(
            f"The number is right, but no gradient reaches the columns of the {missing}. "
            "Is there a `detach` or `no_grad` too many?"
        )
    given = outputs.clone().requires_grad_()
    right = torch.autograd.grad(_two_losses()(given, first, second, diseases), given)[0]
    if not near(gradient, right):
        raise Hint(
            "The number is right, but its gradient is not that of the two losses. "
            "Is a part detached?"
        )


@exercise("17-slice", "the losses of two targets on their slices")
def check_slice(two_losses):
    generator = torch.Generator().manual_seed(0)
    examples = []
    for diseases, varieties in ((3, 5), (4, 4), (2, 6)):
        outputs = torch.randn(9, diseases + varieties, generator=generator)
        first = torch.randint(diseases, (9,), generator=generator)
        second = torch.randint(varieties, (9,), generator=generator)
        first[:2] = torch.tensor([0, diseases - 1])  # the last class of each occurs
        second[:2] = torch.tensor([0, varieties - 1])
        examples.append((outputs, first, second, diseases))
    compare(
        two_losses,
        examples=examples,
        right=_two_losses(),
        wrong={
            "The error is about the targets, the mistake is in the outputs: `[:, diseases]` is one "
            "column, shape [n]. A range of columns has a colon: `[:, :diseases]`.": (
                _two_losses(first=lambda outputs, diseases: outputs[:, diseases])
            ),
            "That is the loss of the diseases alone. Add that of the varieties.": (
                _two_losses(join=lambda one, other: one)
            ),
            "That is the loss of the varieties alone. Add that of the diseases.": (
                _two_losses(join=lambda one, other: other)
            ),
            "That is the mean of the two losses. The sum is asked for.": (
                _two_losses(join=lambda one, other: (one + other) / 2)
            ),
            "You multiply the losses. Add them.": _two_losses(join=lambda one, other: one * other),
            "Both losses see all columns, so diseases and varieties share one softmax. "
            "Give each its slice.": (_two_losses(_all, _all), _one_softmax),
            "The loss of the varieties sees all columns. "
            "Give it those from `diseases` on: `[:, diseases:]`.": (
                _two_losses(_first, _all),
                _rest_in_one_softmax,
            ),
            "The loss of the diseases sees all columns. Give it the first: `[:, :diseases]`.": (
                _two_losses(_all, _rest)
            ),
            "You sum over the rows. The mean over the rows is the usual loss.": (
                _two_losses(reduction="sum")
            ),
            "A number for each row. Take the mean over the rows.": _two_losses(reduction="none"),
            "The slices are exchanged: the first columns are for the diseases.": (
                _two_losses(_rest, _first),
                _two_losses(
                    lambda outputs, diseases: outputs[:, -diseases:],
                    lambda outputs, diseases: outputs[:, :-diseases],
                ),
            ),
            "A softmax too many: `cross_entropy` has its own.": _softmax_twice,
            "There is a wrong sign: both losses are added.": (
                _two_losses(join=lambda one, other: one - other),
                _two_losses(join=lambda one, other: -one - other),
            ),
            "A class number does not fit its slice. Did you write a number instead of `diseases`? "
            "The first `diseases` columns are for the diseases, all others for the varieties, "
            "however many there are.": (_slices_at(3), _slices_at(10)),
            "You return two losses. Add the two losses.": (
                _two_losses(join=lambda one, other: (one, other))
            ),
        },
        returns="one number, the sum of the two losses",
    )
    for example in examples:
        _check_gradient(two_losses, *example)


def _recalls(outputs, variety, classes):
    "For each class, the part of its pictures that was found; nan where there are none."
    answers = outputs.argmax(1)
    return torch.stack([(answers[variety == n] == n).float().mean() for n in classes])


def _balanced(join, classes=lambda outputs, variety: variety.unique()):
    "What is made of the recalls of some classes."

    def balanced_accuracy(outputs, variety):
        return join(_recalls(outputs, variety, classes(outputs, variety)))

    return balanced_accuracy


def _all_classes(outputs, variety):
    return range(outputs.shape[1])


def _said_classes(outputs, variety):
    "The classes of the answers that occur at all."
    return [n for n in outputs.argmax(1).unique() if (variety == n).any()]


def _precisions(outputs, variety):
    answers = outputs.argmax(1)
    return torch.stack([(variety[answers == n] == n).float().mean() for n in answers.unique()])


def _divided_by_counts(outputs, variety):
    answers = outputs.argmax(1)
    total = 0
    for n in range(outputs.shape[1]):
        right = ((answers == n) & (variety == n)).sum().item()
        total += right / (variety == n).sum().item()
    return total / outputs.shape[1]


@exercise("17-recall", "balanced accuracy of the second target")
def check_recall(balanced_accuracy):
    truth = torch.tensor([0] * 12 + [1] * 4 + [3] * 2 + [4] * 2)  # class 2 does not occur
    answers = torch.tensor([0] * 11 + [2] + [1] * 3 + [0] + [3, 0] + [0, 0])
    outputs = 3 * F.one_hot(answers, 5).to(torch.get_default_dtype()) - 1
    compare(
        balanced_accuracy,
        examples=[(outputs, truth), (outputs[:12], truth[:12]), (outputs[9:18], truth[9:18])],
        right=_balanced(torch.mean),
        wrong={
            "You divide by zero: class 2 does not occur in `variety`. "
            "The mean goes over the classes that occur.": _divided_by_counts,
            "Your result is nan: class 2 does not occur in `variety`, so its recall is 0 / 0. "
            "The mean goes over the classes that occur.": _balanced(torch.mean, _all_classes),
            "That is plain accuracy, a mean over pictures. "
            "Take the mean over the pictures of each class, then the mean of these.": (
                lambda outputs, variety: (outputs.argmax(1) == variety).float().mean()
            ),
            "You divide by all classes. "
            "Class 2 does not occur here and is left out: divide by those that do.": (
                _balanced(lambda recalls: recalls.nan_to_num(0).mean(), _all_classes)
            ),
            "You sum the recalls. Take their mean.": _balanced(torch.sum),
            "That is the balanced error. The accuracy is asked for.": (
                _balanced(lambda recalls: 1 - recalls.mean())
            ),
            "Class 4 occurs but is never found: its recall is 0, and it counts. "
            "The classes are those of `variety`, not of the answers.": (
                _balanced(torch.mean, _said_classes)
            ),
            "That is a mean of precisions: of the pictures *called* a class, how many are of it. "
            "Recall goes over the pictures that *are* of it.": (
                lambda outputs, variety: _precisions(outputs, variety).mean(),
                lambda outputs, variety: _precisions(outputs, variety).sum() / 4,
                lambda outputs, variety: _precisions(outputs, variety).sum() / 5,
            ),
            "That is the recall of one class. Take the mean over all that occur.": (
                _balanced(torch.max),
                _balanced(torch.min),
            ),
            "A recall for each class. One number is asked for: take the mean over the classes.": (
                _balanced(lambda recalls: recalls),
                _balanced(list, _all_classes),
            ),
            "Right for one set of pictures, wrong for another, in which other classes occur. "
            "Do you count the classes anew each time?": (
                _balanced(torch.mean, lambda outputs, variety: [0, 1, 3, 4]),
                _balanced(lambda recalls: recalls.sum() / 4),
            ),
        },
        returns="one number, the mean over the classes",
    )


def _age_loss(outputs, age, column, mean, std):
    return F.mse_loss(outputs[:, column], (age - mean) / std)


def _scaled(scale):
    "The loss with another idea of how an age is scaled."
    return lambda outputs, age, column, mean, std: F.mse_loss(
        outputs[:, column], scale(age, mean, std)
    )


def _joined(join, take=lambda outputs, column: outputs[:, column]):
    "The loss from what is taken of the outputs, and what is made of the differences."

    def age_loss(outputs, age, column, mean, std):
        return join(take(outputs, column) - (age - mean) / std)

    return age_loss


def _mean_square(difference):
    return difference.square().mean()


def _in_days(outputs, age, column, mean, std):
    return F.mse_loss(outputs[:, column] * std + mean, age)


def _several_columns(columns):
    "The age compared with more than one column."

    def age_loss(outputs, age, column, mean, std):
        return _mean_square(columns(outputs, column) - ((age - mean) / std)[:, None])

    return age_loss


@exercise("17-age", "a third target: the loss of the age")
def check_age(age_loss):
    generator = torch.Generator().manual_seed(3)
    outputs = torch.randn(7, 6, generator=generator)
    age = 45 + 35 * torch.rand(7, generator=generator)
    examples = [(outputs, age, 5, 61.0, 7.0), (outputs, age, 2, 63.0, 9.0)]
    compare(
        age_loss,
        examples=examples,
        right=_age_loss,
        wrong={
            "Shapes [n, 1] and [n] meet and become [n, n]: each output is compared with every age. "
            "Take the column with a plain index, `[:, column]`.": (
                _joined(_mean_square, lambda outputs, column: outputs[:, [column]])
            ),
            "That is in days squared, and would drown the other losses. "
            "Scale the age; leave the output as it is.": _in_days,
            "The age is not scaled: subtract the mean, divide by the standard deviation.": (
                _scaled(lambda age, mean, std: age)
            ),
            "You subtract the mean, but do not divide by the standard deviation.": (
                _scaled(lambda age, mean, std: age - mean)
            ),
            "You divide by the standard deviation, but do not subtract the mean first.": (
                _scaled(lambda age, mean, std: age / std)
            ),
            "You divide by the variance. Divide by the standard deviation.": (
                _scaled(lambda age, mean, std: (age - mean) / std**2)
            ),
            "You scale the output too. It is in units of the standard deviation already.": (
                lambda outputs, age, column, mean, std: _age_loss(
                    (outputs - mean) / std, age, column, mean, std
                ),
                lambda outputs, age, column, mean, std: F.mse_loss(
                    (outputs[:, column] - mean) / std, age
                ),
            ),
            "That is the mean absolute error: a fine metric. The loss asked for is squared.": (
                _joined(lambda difference: difference.abs().mean())
            ),
            "You sum over the rows. Take the mean.": (
                _joined(lambda difference: difference.square().sum())
            ),
            "That is the root of it. The mean squared error is asked for.": (
                _joined(lambda difference: difference.square().mean().sqrt())
            ),
            "You square the mean, and errors up and down have cancelled by then. Square first.": (
                _joined(lambda difference: difference.mean().square())
            ),
            "A number for each row. Take the mean over the rows.": (
                _joined(lambda difference: difference.square())
            ),
            "More than one column is compared with the age. "
            "This time one column is right: `[:, column]`.": (
                _several_columns(lambda outputs, column: outputs[:, column:]),
                _several_columns(lambda outputs, column: outputs),
            ),
            "You take the last column. Here the age has column `column`, wherever that is.": (
                _joined(_mean_square, lambda outputs, column: outputs[:, -1])
            ),
            "You scale by the mean and deviation of this batch, so the same age means something "
            "else in each batch. Use `mean` and `std`.": (
                _scaled(lambda age, mean, std: (age - age.mean()) / age.std()),
                _scaled(lambda age, mean, std: (age - age.mean()) / age.std(correction=0)),
            ),
        },
        returns="one number, the mean over the rows",
    )
    for outputs, *rest in examples:
        loss = age_loss(outputs.clone().requires_grad_(), *rest)
        if not torch.is_tensor(loss) or not loss.requires_grad:
            raise Hint(
                "The number is right, but no gradient can flow back from it. "
                "Return the tensor; no `.item()`, no `float`."
            )


# Which columns of seven a loss trains: functions of the outputs [8, 7]

_DISEASE = torch.tensor([0, 2, 1, 1, 0, 2, 1, 0])
_VARIETY = torch.tensor([0, 0, 3, 1, 0, 2, 0, 0])


def _on_first_three(outputs):
    return F.cross_entropy(outputs[:, :3], _DISEASE)


def _of_the_notes(outputs):
    one = F.cross_entropy(outputs[:, 3], _DISEASE.to(outputs.dtype))
    return one + F.cross_entropy(outputs[:, 3:], _VARIETY)


def _on_all(outputs):
    return _on_first_three(outputs) + F.cross_entropy(outputs[:, 3:], _VARIETY)


def _with_a_gap(outputs):
    return outputs[:, 1].square().mean() + outputs[:, 6].abs().mean()


def _cancelling(outputs):
    return outputs[0, 1] - outputs[1, 1]


def _of_last_row(outputs):
    return -outputs[-1, 4]


def _of_difference(outputs):
    return (outputs[:, 5] - outputs[:, 2]).square().mean()


_LOSSES = [  # the loss, the columns it trains, what it is
    (_on_first_three, [0, 1, 2], "a loss on the first three of 7 columns"),
    (_of_the_notes, [3, 4, 5, 6], "the loss of the notes, which forgets the first three of 7"),
    (_on_all, [0, 1, 2, 3, 4, 5, 6], "a loss on all 7 columns"),
    (_with_a_gap, [1, 6], "a loss on columns 1 and 6 of 7"),
    (_cancelling, [1], "the loss outputs[0, 1] - outputs[1, 1]"),
    (_of_last_row, [4], "the loss -outputs[-1, 4]"),
    (_of_difference, [2, 5], "the loss that is the squared difference of columns 2 and 5"),
]
_WHY_MISSED = {
    _cancelling: "The gradients of this column are 1 and -1 and cancel in a sum. "
    "Absolute values first.",
    _of_last_row: "The gradient arrives in the last row alone, and is negative. "
    "Look at all rows, and at absolute values.",
    _of_difference: "At outputs that are all equal, this loss has a gradient of zero. "
    "Start from random outputs.",
}


def _watched(loss, calls):
    "The loss, which says so when it gets outputs of another kind; each call is noted."

    def watched(outputs):
        shape = list(outputs.shape) if torch.is_tensor(outputs) else type(outputs).__name__
        if shape != [8, 7]:
            raise Hint(f"The loss wants outputs of shape [8, width], here [8, 7]; it got {shape}.")
        if not outputs.is_floating_point():
            raise Hint(
                "The outputs should be floating-point numbers, for instance torch.randn(8, width)."
            )
        calls.append(loss)
        return loss(outputs)

    return watched


def _columns(trained_columns, loss):
    "What the answer gives for a loss, as a list of whole numbers."
    calls = []
    try:
        result = trained_columns(_watched(loss, calls), 7)
    except RuntimeError as error:
        if "does not require grad" not in str(error):
            raise
        raise Hint("The outputs do not ask for a gradient: `requires_grad=True`.") from None
    except AttributeError as error:
        if "'NoneType' object" not in str(error):
            raise
        raise Hint(
            "`.grad` is None: call `.backward()` on the loss first, "
            "and make the outputs with `requires_grad=True`."
        ) from None
    if not calls:
        raise Hint("Your function never calls the loss.")
    if torch.is_tensor(result):
        if result.dtype == torch.bool and list(result.shape) == [7]:
            raise Hint(
                "That says yes or no for each column. The list of the columns with yes "
                "is asked for: `.nonzero().flatten().tolist()`."
            )
        result = result.tolist()
    try:
        columns = list(result)
    except TypeError:
        raise Hint(f"A list of column numbers is asked for; you returned {result!r}.") from None
    if columns and all(isinstance(c, (list, tuple)) and len(c) == 1 for c in columns):
        raise Hint(f"You return {columns}: a list in a list. `.flatten()` before `.tolist()`.")
    try:
        return [int(column) for column in columns]
    except (TypeError, ValueError):
        raise Hint(f"A list of column numbers is asked for; you returned {result!r}.") from None


@exercise("17-columns", "which columns a loss trains", "loss, width")
def check_columns(trained_columns):
    everything = list(range(7))
    for loss, right, name in _LOSSES:
        columns = _columns(trained_columns, loss)
        different = sorted(set(columns))
        if different == right:
            if len(columns) > len(right):
                raise Hint(
                    "Columns occur several times in your list. Take absolute values, "
                    "sum over the rows, then ask which columns are not zero."
                )
            continue
        if different == [column for column in everything if column not in right]:
            raise Hint("These are the columns without a gradient. Those with one are asked for.")
        if columns == everything:
            raise Hint(f"You return all columns for {name}. Look where the gradient is not zero.")
        if columns and max(columns) > 6:
            raise Hint("You count something else than columns. Sum over the rows: dimension 0.")
        text = f"For {name} it should be {right}; yours is {columns}."
        if set(columns) < set(right):
            text += " " + _WHY_MISSED.get(
                loss,
                "Can gradients of a column cancel in your sum? Absolute values first; "
                "and start from random outputs.",
            )
        raise Hint(text)

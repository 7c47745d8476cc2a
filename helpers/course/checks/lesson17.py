"What the exercises on several targets accept, and what they say to each mistake."

import torch
import torch.nn.functional as F

from helpers.course.exercises import Hint, exercise, near


def _number(got, several="Take the mean over the rows."):
    "The answer as a tensor without dimensions; a hint if it is not one number."
    if isinstance(got, (list, tuple)):
        raise Hint(
            f"One number is asked for; you return {len(got)} things in a {type(got).__name__}. {several}"
        )
    got = torch.as_tensor(got)
    if got.numel() != 1:
        raise Hint(f"One number is asked for; yours has shape {list(got.shape)}. {several}")
    if got.isnan().any():
        raise Hint(
            "Your result is nan. Is something divided by zero, or a mean taken over nothing?"
        )
    return got.reshape(())


@exercise("17-slice", "the losses of two targets on their slices")
def check_slice(two_losses):
    generator = torch.Generator().manual_seed(0)
    for diseases, varieties in ((3, 5), (4, 4), (2, 6)):
        outputs = torch.randn(9, diseases + varieties, generator=generator, dtype=torch.float64)
        first, second = (
            torch.randint(diseases, (9,), generator=generator),
            torch.randint(varieties, (9,), generator=generator),
        )
        given = outputs.clone().requires_grad_()
        try:
            got = two_losses(given, first, second, diseases)
        except RuntimeError as error:
            if "floating point type for target" in str(error):
                raise Hint(
                    "The error is about the targets, the mistake is in the outputs: `[:, diseases]` is one column, shape [n]. A range of columns has a colon: `[:, :diseases]`."
                ) from None
            raise
        except IndexError as error:
            if "out of bounds" in str(error):
                raise Hint(
                    "A class number does not fit its slice. Did you write a number instead of `diseases`? Or are the slices exchanged? The first `diseases` columns are for the diseases, all others for the varieties, however many there are."
                ) from None
            raise
        got = _number(
            got,
            "Add the two losses."
            if isinstance(got, (list, tuple))
            else "Take the mean over the rows.",
        )
        one, other = (
            F.cross_entropy(outputs[:, :diseases], first),
            F.cross_entropy(outputs[:, diseases:], second),
        )
        if near(got.detach(), one + other):
            if not got.requires_grad:
                raise Hint(
                    "The number is right, but no gradient can flow back from it. Return the tensor; no `.item()`, no `float`."
                )
            slope = torch.autograd.grad(got, given)[0]
            if not slope[:, diseases:].any() or not slope[:, :diseases].any():
                raise Hint(
                    f"The number is right, but no gradient reaches the columns of the {'diseases' if slope[:, diseases:].any() else 'varieties'}. Is there a `detach` or `no_grad` too many?"
                )
            asked = outputs.clone().requires_grad_()
            if not near(
                slope,
                torch.autograd.grad(
                    F.cross_entropy(asked[:, :diseases], first)
                    + F.cross_entropy(asked[:, diseases:], second),
                    asked,
                )[0],
            ):
                raise Hint(
                    "The number is right, but its gradient is not that of the two losses. Is a part detached?"
                )
            continue
        whole = [
            F.cross_entropy(outputs, first),
            F.cross_entropy(outputs, second),
            F.cross_entropy(outputs, second + diseases),
        ]
        got = got.detach()
        if near(got, one):
            raise Hint("That is the loss of the diseases alone. Add that of the varieties.")
        if near(got, other):
            raise Hint("That is the loss of the varieties alone. Add that of the diseases.")
        if near(got, (one + other) / 2):
            raise Hint("That is the mean of the two losses. The sum is asked for.")
        if near(got, one * other):
            raise Hint("You multiply the losses. Add them.")
        if near(got, whole[0] + whole[1]) or near(got, whole[0] + whole[2]):
            raise Hint(
                "Both losses see all columns, so diseases and varieties share one softmax. Give each its slice."
            )
        if near(got, one + whole[1]) or near(got, one + whole[2]):
            raise Hint(
                "The loss of the varieties sees all columns. Give it those from `diseases` on: `[:, diseases:]`."
            )
        if near(got, whole[0] + other):
            raise Hint(
                "The loss of the diseases sees all columns. Give it the first: `[:, :diseases]`."
            )
        if near(got, 9 * (one + other)):
            raise Hint("You sum over the rows. The mean over the rows is the usual loss.")
        if near(
            got,
            F.cross_entropy(outputs[:, -diseases:], first)
            + F.cross_entropy(outputs[:, :-diseases], second),
        ):
            raise Hint("The slices are exchanged: the first columns are for the diseases.")
        if near(
            got,
            F.cross_entropy(outputs[:, :diseases].softmax(1), first)
            + F.cross_entropy(outputs[:, diseases:].softmax(1), second),
        ):
            raise Hint("A softmax too many: `cross_entropy` has its own.")
        if near(got, one - other) or near(got, -one - other):
            raise Hint("There is a wrong sign: both losses are added.")
        raise Hint(
            f"With {diseases} diseases and {varieties} varieties it should be {one + other:.4f}; yours is {float(got):.4f}. Is the first slice `[:, :diseases]`, for any number of diseases?"
        )


@exercise("17-recall", "balanced accuracy of the second target")
def check_recall(balanced_accuracy):
    truth = torch.tensor([0] * 12 + [1] * 4 + [3] * 2 + [4] * 2)  # class 2 does not occur
    said = torch.tensor([0] * 11 + [2] + [1] * 3 + [0] + [3, 0] + [0, 0])
    recalls = [11 / 12, 3 / 4, 1 / 2, 0.0]
    right = torch.tensor(sum(recalls) / 4)
    outputs = 3 * F.one_hot(said, 5).float() - 1
    try:
        got = balanced_accuracy(outputs.clone(), truth)
    except ZeroDivisionError:
        raise Hint(
            "You divide by zero: class 2 does not occur in `variety`. The mean goes over the classes that occur."
        ) from None
    if torch.as_tensor(got).numel() == 1 and torch.as_tensor(got).isnan().any():
        raise Hint(
            "Your result is nan: class 2 does not occur in `variety`, so its recall is 0 / 0. The mean goes over the classes that occur."
        )
    got = _number(got, "Take the mean over the classes.").float()
    if not near(got, right):
        precisions = [float((truth[said == n] == n).float().mean()) for n in said.unique().tolist()]
        if near(got, (said == truth).float().mean()):
            raise Hint(
                "That is plain accuracy, a mean over pictures. Take the mean over the pictures of each class, then the mean of these."
            )
        if near(got, sum(recalls) / 5):
            raise Hint(
                "You divide by all classes. Class 2 does not occur here and is left out: divide by those that do."
            )
        if near(got, sum(recalls)):
            raise Hint("You sum the recalls. Take their mean.")
        if near(got, 1 - right):
            raise Hint("That is the balanced error. The accuracy is asked for.")
        if near(got, sum(recalls[:3]) / 3):
            raise Hint(
                "Class 4 occurs but is never found: its recall is 0, and it counts. The classes are those of `variety`, not of the answers."
            )
        if (
            near(got, sum(precisions) / len(precisions))
            or near(got, sum(precisions) / 4)
            or near(got, sum(precisions) / 5)
        ):
            raise Hint(
                "That is a mean of precisions: of the pictures *called* a class, how many are of it. Recall goes over the pictures that *are* of it."
            )
        if near(got, max(recalls)) or near(got, min(recalls)):
            raise Hint("That is the recall of one class. Take the mean over all that occur.")
        raise Hint(
            f"The recalls here are 0.917, 0.75, 0.5 and 0 (class 2 does not occur), so it should be {float(right):.4f}; yours is {float(got):.4f}."
        )
    if not near(
        torch.as_tensor(balanced_accuracy(outputs[:12], truth[:12])).float(), torch.tensor(11 / 12)
    ):
        raise Hint(
            "Right for one set of pictures, wrong for another, in which a single class occurs. Do you count the classes anew each time?"
        )


@exercise("17-age", "a third target: the loss of the age")
def check_age(age_loss):
    generator = torch.Generator().manual_seed(3)
    outputs, age = (
        torch.randn(7, 6, generator=generator, dtype=torch.float64),
        45 + 35 * torch.rand(7, generator=generator, dtype=torch.float64),
    )
    for column, mean, std in ((5, 61.0, 7.0), (2, 63.0, 9.0)):
        given, true = outputs.clone().requires_grad_(), age.clone()
        got, z, out = (
            _number(age_loss(given, true, column, mean, std)),
            (age - mean) / std,
            outputs[:, column],
        )
        right = (out - z).square().mean()
        if not torch.equal(true, age):
            raise Hint("You changed the ages of the caller. Compute new ones.")
        if near(got.detach(), right):
            if not got.requires_grad:
                raise Hint(
                    "The number is right, but no gradient can flow back from it. Return the tensor; no `.item()`, no `float`."
                )
            continue
        got = got.detach()
        if near(got, (out[:, None] - z).square().mean()):
            raise Hint(
                "Shapes [n, 1] and [n] meet and become [n, n]: each output is compared with every age. Take the column with a plain index, `[:, column]`."
            )
        if near(got, (out * std + mean - age).square().mean()):
            raise Hint(
                "That is in days squared, and would drown the other losses. Scale the age; leave the output as it is."
            )
        if near(got, (out - age).square().mean()):
            raise Hint(
                "The age is not scaled: subtract the mean, divide by the standard deviation."
            )
        if near(got, (out - (age - mean)).square().mean()):
            raise Hint("You subtract the mean, but do not divide by the standard deviation.")
        if near(got, (out - age / std).square().mean()):
            raise Hint("You divide by the standard deviation, but do not subtract the mean first.")
        if near(got, (out - (age - mean) / std**2).square().mean()):
            raise Hint("You divide by the variance. Divide by the standard deviation.")
        if near(got, ((out - mean) / std - z).square().mean()) or near(
            got, ((out - mean) / std - age).square().mean()
        ):
            raise Hint(
                "You scale the output too. It is in units of the standard deviation already."
            )
        if near(got, (out - z).abs().mean()):
            raise Hint(
                "That is the mean absolute error: a fine metric. The loss asked for is squared."
            )
        if near(got, (out - z).square().sum()):
            raise Hint("You sum over the rows. Take the mean.")
        if near(got, right.sqrt()):
            raise Hint("That is the root of it. The mean squared error is asked for.")
        if near(got, (out - z).mean().square()):
            raise Hint(
                "You square the mean, and errors up and down have cancelled by then. Square first."
            )
        if near(got, (outputs[:, column:] - z[:, None]).square().mean()) or near(
            got, (outputs - z[:, None]).square().mean()
        ):
            raise Hint(
                "More than one column is compared with the age. This time one column is right: `[:, column]`."
            )
        if near(got, (outputs[:, -1] - z).square().mean()):
            raise Hint(
                "You take the last column. Here the age has column `column`, wherever that is."
            )
        if near(got, (out - (age - age.mean()) / age.std()).square().mean()) or near(
            got, (out - (age - age.mean()) / age.std(correction=0)).square().mean()
        ):
            raise Hint(
                "You scale by the mean and deviation of this batch, so the same age means something else in each batch. Use `mean` and `std`."
            )
        raise Hint(
            f"With column {column}, mean {mean:g} and deviation {std:g} it should be {float(right):.4f}; yours is {float(got):.4f}."
        )


@exercise("17-columns", "which columns a loss trains")
def check_columns(trained_columns):
    first, second = torch.tensor([0, 2, 1, 1, 0, 2, 1, 0]), torch.tensor([0, 0, 3, 1, 0, 2, 0, 0])

    def good(outputs):
        return F.cross_entropy(outputs[:, :3], first)

    def notes(outputs):
        return F.cross_entropy(outputs[:, 3], first.float()) + F.cross_entropy(
            outputs[:, 3:], second
        )

    def both(outputs):
        return good(outputs) + F.cross_entropy(outputs[:, 3:], second)

    def gap(outputs):
        return outputs[:, 1].square().mean() + outputs[:, 6].abs().mean()

    def cancelling(outputs):
        return outputs[0, 1] - outputs[1, 1]

    def last_row(outputs):
        return -outputs[-1, 4]

    def equal(outputs):
        return (outputs[:, 5] - outputs[:, 2]).square().mean()

    missed = {
        cancelling: "The gradients of this column are 1 and -1 and cancel in a sum. Absolute values first.",
        last_row: "The gradient arrives in the last row alone, and is negative. Look at all rows, and at absolute values.",
        equal: "At outputs that are all equal, this loss has a gradient of zero. Start from random outputs.",
    }
    for loss, right, what in (
        (good, [0, 1, 2], "a loss on the first three of 7 columns"),
        (notes, [3, 4, 5, 6], "the loss of the notes, which forgets the first three of 7"),
        (both, list(range(7)), "a loss on all 7 columns"),
        (gap, [1, 6], "a loss on columns 1 and 6 of 7"),
        (cancelling, [1], "outputs[0, 1] - outputs[1, 1]"),
        (last_row, [4], "-outputs[-1, 4]"),
        (equal, [2, 5], "the squared difference of columns 2 and 5"),
    ):
        shapes = []

        def asked(outputs):
            if not torch.is_tensor(outputs) or list(outputs.shape) != [8, 7]:
                raise Hint(
                    f"The loss wants outputs of shape [8, width], here [8, 7]; it got {list(outputs.shape) if torch.is_tensor(outputs) else type(outputs).__name__}."
                )
            if not outputs.is_floating_point():
                raise Hint(
                    "The outputs should be floating-point numbers, for instance torch.randn(8, width)."
                )
            shapes.append(outputs.requires_grad)
            return loss(outputs)

        try:
            got = trained_columns(asked, 7)
        except RuntimeError as error:
            if "does not require grad" in str(error):
                raise Hint("The outputs do not ask for a gradient: `requires_grad=True`.") from None
            raise
        except AttributeError as error:
            if "'NoneType' object" in str(error):
                raise Hint(
                    "`.grad` is None: call `.backward()` on the loss first, and make the outputs with `requires_grad=True`."
                ) from None
            raise
        if not shapes:
            raise Hint("Your function never calls the loss.")
        if torch.is_tensor(got):
            if got.dtype == torch.bool and list(got.shape) == [7]:
                raise Hint(
                    "That says yes or no for each column. The list of the columns with yes is asked for: `.nonzero().flatten().tolist()`."
                )
            got = got.tolist()
        if (
            isinstance(got, (list, tuple, set))
            and got
            and all(isinstance(c, (list, tuple)) and len(c) == 1 for c in got)
        ):
            raise Hint(f"You return {got}: a list in a list. `.flatten()` before `.tolist()`.")
        try:
            got = [int(c) for c in got]
        except (TypeError, ValueError):
            raise Hint(f"A list of column numbers is asked for; you returned {got!r}.") from None
        if sorted(set(got)) == right:
            if len(got) > len(right):
                raise Hint(
                    "Columns occur several times in your list. Take absolute values, sum over the rows, then ask which columns are not zero."
                )
            continue
        if sorted(set(got)) == [c for c in range(7) if c not in right]:
            raise Hint("These are the columns without a gradient. Those with one are asked for.")
        if len(got) == 7 and right != list(range(7)) and got == list(range(7)):
            raise Hint(f"You return all columns for {what}. Look where the gradient is not zero.")
        if got and max(got) > 6:
            raise Hint("You count something else than columns. Sum over the rows: dimension 0.")
        if set(got) < set(right) and loss in missed:
            raise Hint(f"For the loss {what} it should be {right}; yours is {got}. {missed[loss]}")
        if set(got) < set(right):
            raise Hint(
                f"For {what} it should be {right}; yours is {got}. Can gradients of a column cancel in your sum? Absolute values first; and start from random outputs."
            )
        raise Hint(f"For {what} it should be {right}; yours is {got}.")

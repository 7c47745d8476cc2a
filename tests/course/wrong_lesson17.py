"Plausible wrong answers to the exercises of lesson 17."

import torch
import torch.nn.functional as F

cross = F.cross_entropy


def sum_of(first, second, how=lambda one, other: one + other):
    def two_losses(outputs, disease, variety, diseases):
        return how(
            cross(first(outputs, diseases), disease), cross(second(outputs, diseases), variety)
        )

    return two_losses


def head(outputs, diseases):
    return outputs[:, :diseases]


def tail(outputs, diseases):
    return outputs[:, diseases:]


def everything(outputs, diseases):
    return outputs


def one_column(outputs, disease, variety, diseases):
    return cross(outputs[:, diseases], disease) + cross(outputs[:, diseases:], variety)


def one_softmax(outputs, disease, variety, diseases):
    return cross(outputs, disease) + cross(outputs, variety + diseases)


def three_columns(outputs, disease, variety, diseases):
    return cross(outputs[:, :3], disease.clamp(max=2)) + cross(
        outputs[:, 3:], variety.clamp(max=outputs.shape[1] - 4)
    )


def summed(outputs, disease, variety, diseases):
    return cross(outputs[:, :diseases], disease, reduction="sum") + cross(
        outputs[:, diseases:], variety, reduction="sum"
    )


def as_number(outputs, disease, variety, diseases):
    return sum_of(head, tail)(outputs, disease, variety, diseases).item()


def per_row(outputs, disease, variety, diseases):
    return cross(outputs[:, :diseases], disease, reduction="none") + cross(
        outputs[:, diseases:], variety, reduction="none"
    )


def detached(outputs, disease, variety, diseases):
    return cross(outputs[:, :diseases], disease) + cross(outputs[:, diseases:].detach(), variety)


def detached_first(outputs, disease, variety, diseases):
    return cross(outputs[:, :diseases].detach(), disease) + cross(outputs[:, diseases:], variety)


def half_detached(outputs, disease, variety, diseases):
    return 0.5 * sum_of(head, tail)(outputs, disease, variety, diseases) + 0.5 * sum_of(head, tail)(
        outputs.detach(), disease, variety, diseases
    )


def fixed(columns):
    def two_losses(outputs, disease, variety, diseases):
        return cross(outputs[:, :columns], disease) + cross(outputs[:, columns:], variety)

    return two_losses


def softmax_twice(outputs, disease, variety, diseases):
    return cross(outputs[:, :diseases].softmax(1), disease) + cross(
        outputs[:, diseases:].softmax(1), variety
    )


def recalls(outputs, variety, classes):
    return [(outputs.argmax(1)[variety == n] == n).float().mean() for n in classes]


def plain(outputs, variety):
    return (outputs.argmax(1) == variety).float().mean()


def with_empty(outputs, variety):
    return torch.stack(recalls(outputs, variety, range(outputs.shape[1]))).mean()


def empty_as_zero(outputs, variety):
    return torch.stack(recalls(outputs, variety, range(outputs.shape[1]))).nan_to_num(0).mean()


def by_count(outputs, variety):
    return (
        sum(
            ((outputs.argmax(1) == n) & (variety == n)).sum().item() / (variety == n).sum().item()
            for n in range(outputs.shape[1])
        )
        / outputs.shape[1]
    )


def total(outputs, variety):
    return sum(recalls(outputs, variety, variety.unique()))


def error(outputs, variety):
    return 1 - total(outputs, variety) / len(variety.unique())


def of_answers(outputs, variety):
    said = outputs.argmax(1)
    return torch.stack(
        recalls(outputs, variety, [n for n in said.unique() if (variety == n).any()])
    ).mean()


def precision(outputs, variety):
    said = outputs.argmax(1)
    return torch.stack([(variety[said == n] == n).float().mean() for n in said.unique()]).mean()


def age(
    error=lambda out, z: (out - z).square().mean(),
    scale=lambda age, mean, std: (age - mean) / std,
    take=lambda outputs, column: outputs[:, column],
):
    def age_loss(outputs, age, column, mean, std):
        return error(take(outputs, column), scale(age, mean, std))

    return age_loss


def in_days(outputs, age, column, mean, std):
    return (outputs[:, column] * std + mean - age).square().mean()


def scaled_twice(outputs, age, column, mean, std):
    return ((outputs[:, column] - mean) / std - (age - mean) / std).square().mean()


def of_batch(outputs, age, column, mean, std):
    return (outputs[:, column] - (age - age.mean()) / age.std()).square().mean()


def in_place(outputs, age, column, mean, std):
    age -= mean
    return (outputs[:, column] - age / std).square().mean()


def gradient(loss, width, start=torch.randn):
    outputs = start(8, width, requires_grad=True)
    loss(outputs).backward()
    return outputs.grad


def columns(pick, start=torch.randn):
    def trained_columns(loss, width):
        return pick(gradient(loss, width, start))

    return trained_columns


def no_request(loss, width):
    outputs = torch.randn(8, width)
    loss(outputs).backward()
    return outputs.grad.abs().sum(0).nonzero().flatten().tolist()


def no_backward(loss, width):
    outputs = torch.randn(8, width, requires_grad=True)
    loss(outputs)
    return outputs.grad.abs().sum(0).nonzero().flatten().tolist()


def never(loss, width):
    return list(range(width))


def one_row(loss, width):
    outputs = torch.randn(1, width, requires_grad=True)
    loss(outputs).backward()
    return outputs.grad[0].nonzero().flatten().tolist()


WRONG = {
    "17-slice": [
        (one_column, "one column, shape [n]"),
        (sum_of(head, tail, lambda one, other: one), "diseases alone"),
        (sum_of(head, tail, lambda one, other: other), "varieties alone"),
        (sum_of(head, tail, lambda one, other: (one + other) / 2), "mean of the two"),
        (sum_of(head, tail, lambda one, other: one * other), "multiply"),
        (sum_of(everything, everything), "share one softmax"),
        (one_softmax, "share one softmax"),
        (sum_of(head, everything), "varieties sees all columns"),
        (sum_of(everything, tail), "diseases sees all columns"),
        (sum_of(tail, head), "exchanged"),
        (three_columns, "for any number of diseases"),
        (summed, "sum over the rows"),
        (as_number, "no gradient can flow"),
        (per_row, "Take the mean over the rows"),
        (softmax_twice, "softmax too many"),
        (sum_of(head, tail, lambda one, other: one - other), "wrong sign"),
        (detached, "columns of the varieties"),
        (detached_first, "columns of the diseases"),
        (half_detached, "not that of the two losses"),
        (fixed(3), "a number instead of `diseases`"),
        (fixed(10), "a number instead of `diseases`"),
        (sum_of(head, tail, lambda one, other: (one, other)), "Add the two losses"),
    ],
    "17-recall": [
        (plain, "plain accuracy"),
        (with_empty, "0 / 0"),
        (empty_as_zero, "divide by all classes"),
        (by_count, "divide by zero"),
        (total, "sum the recalls"),
        (error, "balanced error"),
        (of_answers, "Class 4 occurs"),
        (precision, "mean of precisions"),
        (
            lambda outputs, variety: torch.stack(recalls(outputs, variety, variety.unique())),
            "One number",
        ),
        (
            lambda outputs, variety: torch.stack(recalls(outputs, variety, variety.unique())).max(),
            "recall of one class",
        ),
        (
            lambda outputs, variety: sum(recalls(outputs, variety, [0, 1, 3, 4])) / 4,
            "count the classes anew",
        ),
        (
            lambda outputs, variety: recalls(outputs, variety, variety.unique()),
            "mean over the classes",
        ),
    ],
    "17-age": [
        (age(take=lambda outputs, column: outputs[:, [column]]), "become [n, n]"),
        (in_days, "days squared"),
        (age(scale=lambda age, mean, std: age), "not scaled"),
        (age(scale=lambda age, mean, std: age - mean), "do not divide"),
        (age(scale=lambda age, mean, std: age / std), "do not subtract"),
        (age(scale=lambda age, mean, std: (age - mean) / std**2), "variance"),
        (scaled_twice, "scale the output too"),
        (age(lambda out, z: (out - z).abs().mean()), "absolute error"),
        (age(lambda out, z: (out - z).square().sum()), "sum over the rows"),
        (age(lambda out, z: (out - z).square().mean().sqrt()), "the root"),
        (age(lambda out, z: (out - z).mean().square()), "Square first"),
        (
            age(
                lambda out, z: (out - z[:, None]).square().mean(),
                take=lambda outputs, column: outputs[:, column:],
            ),
            "More than one column",
        ),
        (age(take=lambda outputs, column: outputs[:, -1]), "last column"),
        (of_batch, "of this batch"),
        (in_place, "changed the ages"),
        (age(lambda out, z: (out - z).square()), "mean over the rows"),
        (age(lambda out, z: (out - z).square().mean().item()), "no gradient can flow"),
    ],
    "17-columns": [
        (no_request, "requires_grad"),
        (no_backward, "backward"),
        (never, "never calls the loss"),
        (one_row, r"shape [8, width]"),
        (columns(lambda g: g.abs().sum(0) > 0), "yes or no"),
        (columns(lambda g: g.abs().sum(0).nonzero().tolist()), "list in a list"),
        (columns(lambda g: g.nonzero()[:, 1].tolist()), "several times"),
        (
            columns(lambda g: (g.abs().sum(0) == 0).nonzero().flatten().tolist()),
            "without a gradient",
        ),
        (columns(lambda g: list(range(g.shape[1]))), "all columns"),
        (columns(lambda g: g.abs().sum(1).nonzero().flatten().tolist()), "Sum over the rows"),
        (
            columns(lambda g: g.abs().sum(0).nonzero().flatten().tolist(), torch.zeros),
            "random outputs",
        ),
        (columns(lambda g: [0, 1]), "it should be"),
        (columns(lambda g: g.sum(0).nonzero().flatten().tolist()), "Absolute values first"),
        (columns(lambda g: g[0].nonzero().flatten().tolist()), "Look at all rows"),
        (
            columns(lambda g: g.abs().sum(0).nonzero().flatten().tolist(), torch.ones),
            "Start from random outputs",
        ),
        (columns(lambda g: (g.amax(0) > 0).nonzero().flatten().tolist()), "Look at all rows"),
    ],
}

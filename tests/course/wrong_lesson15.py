"Plausible wrong answers to the exercises of lesson 15."

import torch


def weighted(gradients, rows):
    return sum(n * gradient for n, gradient in zip(rows, gradients))


def in_place(gradients, rows):
    total = gradients[0]
    total *= rows[0]
    for n, gradient in zip(rows[1:], gradients[1:]):
        total += n * gradient
    return total / sum(rows)


def inverse(gradients, rows):
    return sum(gradient / n for n, gradient in zip(rows, gradients))


def largest_first(gradients, rows):
    return weighted(sorted(gradients, key=torch.norm), rows) / sum(rows)


def for_64(gradients, rows):
    return gradients[0] * 48 / 64 + weighted(gradients[1:], rows[1:]) / 64


def scaler(
    divide=True, half=False, look=True, smaller=0.5, always=1.0, sign=-1, rate=True, some=False
):
    "A step of a loss scaler; the options are the mistakes."

    def scaled_step(weights, gradients, scale, lr):
        if not rate:
            lr = 1
        finite = gradients.isfinite()
        if look and not some and not finite.all():
            return weights, scale * smaller
        if some:
            gradients = gradients.where(finite, 0)
        if not half:
            gradients = gradients.float()
        if divide:
            gradients = gradients / scale
        factor = smaller if some and not finite.all() else always
        return weights + sign * lr * gradients, scale * factor

    return scaled_step


def scaled_in_place(weights, gradients, scale, lr):
    if not gradients.isfinite().all():
        return weights, scale / 2
    return weights.sub_(lr * gradients.float() / scale), scale


def without_scale(weights, gradients, scale, lr):
    return weights - lr * gradients.float() / scale


def half_weights(weights, gradients, scale, lr):
    new, scale = scaler()(weights, gradients, scale, lr)
    return new.half(), scale


def never(weights, gradients, scale, lr):
    return weights, scale / 2


def nan_only(weights, gradients, scale, lr):
    if gradients.isnan().any():
        return weights, scale / 2
    return weights - lr * gradients.float() / scale, scale


def shares(at_a_time=lambda n, bs, parts, devices: bs // (parts * devices), updates=None):
    def shared_out(n, bs, parts, devices):
        count = updates(n, bs, parts, devices) if updates else -(-n // bs)
        return at_a_time(n, bs, parts, devices), count

    return shared_out


def exchanged(n, bs, parts, devices):
    return shares()(n, bs, parts, devices)[::-1]


WRONG = {
    "15-devices": [
        (lambda gradients, rows: sum(gradients) / len(gradients), "plain average"),
        (lambda gradients, rows: sum(gradients), "add up the gradients"),
        (weighted, "divide by the number of rows of all devices"),
        (lambda gradients, rows: weighted(gradients, rows) / len(rows), "number of devices"),
        (lambda gradients, rows: weighted(gradients, rows) / max(rows), "largest device"),
        (inverse, "it is a mean already"),
        (lambda gradients, rows: gradients[0], "Only the first"),
        (in_place, "in place"),
        (lambda gradients, rows: weighted(gradients, rows).mean() / sum(rows), "one tensor"),
        (largest_first, "48/64"),
        (for_64, "written into your code"),
    ],
    "15-scaler": [
        (scaler(divide=False), "too long by the scale"),
        (scaler(half=True), "divide in float16"),
        (scaler(look=False), "goes into the weights"),
        (nan_only, "goes into the weights"),
        (scaler(some=True), "the whole update"),
        (scaler(smaller=1.0), "half as large"),
        (scaler(smaller=2.0), "not larger"),
        (scaler(always=0.5), "stay as it is"),
        (scaler(always=2.0), "yours is 65536"),
        (scaler(sign=1), "Uphill"),
        (scaler(rate=False), "The rate has not entered"),
        (scaled_in_place, "changed the tensors"),
        (without_scale, "two things"),
        (half_weights, "Weights stay float32"),
        (never, "have not moved"),
    ],
    "15-shares": [
        (exchanged, "exchanged"),
        (shares(lambda n, bs, parts, devices: bs // parts), "not to devices"),
        (shares(lambda n, bs, parts, devices: bs // devices), "not to parts"),
        (shares(lambda n, bs, parts, devices: bs), "whole update"),
        (shares(lambda n, bs, parts, devices: n // (parts * devices)), "rows go through"),
        (shares(updates=lambda n, bs, parts, devices: n // bs), "Round up"),
        (shares(updates=lambda n, bs, parts, devices: n // bs + 1), "comes out even"),
        (shares(updates=lambda n, bs, parts, devices: -(-n // (bs * devices))), "fewer updates"),
        (
            shares(updates=lambda n, bs, parts, devices: -(-n // (bs // (parts * devices)))),
            "how many times",
        ),
        (shares(updates=lambda n, bs, parts, devices: n / bs), "updates; yours is"),
        (lambda n, bs, parts, devices: bs // (parts * devices), "two numbers"),
    ],
}

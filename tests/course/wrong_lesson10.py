"Plausible wrong answers to the exercises of lesson 10."

import torch


def biased(
    user=True,
    item=True,
    column=False,
    total=lambda product: product.sum(1),
    swapped=False,
    times=False,
):
    def predict_pairs(p, q, b, c, pairs):
        users, items = pairs.unbind(1)
        if swapped:
            users, items = items, users
        product = total(p[users] * q[items])
        biases = [b[users] if column else b[users, 0]] * user + [
            c[items] if column else c[items, 0]
        ] * item
        return product * sum(biases) if times else product + sum(biases)

    return predict_pairs


def best(stars, rated, count=5, largest=True):
    stars = stars.clone()
    stars[rated] = -torch.inf if largest else torch.inf
    return stars.topk(count, largest=largest).indices.tolist()


def spoils(stars, rated):
    stars[rated] = -torch.inf
    return stars.topk(5).indices.tolist()


def left_over(stars, rated):
    return stars[[n for n in range(len(stars)) if n not in rated.tolist()]]


WRONG = {
    "10-range": [
        (lambda z, low, high: high * torch.sigmoid(z), "begins at 0"),
        (lambda z, low, high: low + high * torch.sigmoid(z), "too long"),
        (lambda z, low, high: z.clamp(low, high), "cut off"),
        (lambda z, low, high: high + (low - high) * torch.sigmoid(z), "exchanged"),
        (lambda z, low, high: torch.sigmoid(z), "between 0 and 1"),
        (lambda z, low, high: low + (high - low) * torch.tanh(z), "tanh"),
        (lambda z, low, high: 0.5 + 5 * torch.sigmoid(z), "does not depend"),
        (lambda z, low, high: (high - low) * torch.sigmoid(z), "too small"),
        (lambda z, low, high: low + (high - low) * z.sigmoid_(), "changed z"),
    ],
    "10-biases": [
        (biased(False, False, total=lambda product: product.sum(1) + 0.0), "not added"),
        (biased(item=False), "items' bias"),
        (biased(user=False), "users' bias"),
        (biased(column=True), "each with each"),
        (lambda p, q, b, c, pairs: p[pairs[:, 0]] @ q[pairs[:, 1]].T, "each with each"),
        (biased(total=lambda product: product.mean(1)), "mean over the factors"),
        (biased(times=True), "not multiplied"),
        (biased(swapped=True), "first *column*"),
        (lambda p, q, b, c, pairs: (p[pairs[0]] * q[pairs[1]]).sum(1), "first *column*"),
        (lambda p, q, b, c, pairs: [p[u] for u, i in [tuple(pairs)]], "two columns"),
        (lambda p, q, b, c, pairs: (p[pairs[:, 0]] * q[pairs[:, 1]]).sum(), "one number for all"),
        (
            lambda p, q, b, c, pairs: torch.sigmoid(
                (p[pairs[:, 0]] * q[pairs[:, 1]]).sum(1) + b[pairs[:, 0], 0] + c[pairs[:, 1], 0]
            ),
            "No sigmoid",
        ),
        (
            lambda p, q, b, c, pairs: (
                (p[pairs[:, 0]] * q[pairs[:, 1]]).sum(1, keepdim=True)
                + b[pairs[:, 0]]
                + c[pairs[:, 1]]
            ),
            "[4, 1]",
        ),
        (lambda p, q, b, c, pairs: (p[pairs[:, 0]] * q[pairs[:, 1]]).sum(0), "over the pairs"),
    ],
    "11-recommend": [
        (lambda stars, rated: stars.topk(5).indices.tolist(), "rated already"),
        (spoils, "Work on a copy"),
        (
            lambda stars, rated: [
                n for n in stars.topk(5).indices.tolist() if n not in rated.tolist()
            ][:3],
            "Only three",
        ),
        (lambda stars, rated: best(stars, rated)[::-1], "best last"),
        (lambda stars, rated: sorted(best(stars, rated)), "another order"),
        (lambda stars, rated: best(stars, rated, 4), "Five are asked for"),
        (lambda stars, rated: best(stars, rated, largest=False), "fewest stars"),
        (lambda stars, rated: left_over(stars, rated).topk(5).values.tolist(), "row numbers"),
        (lambda stars, rated: left_over(stars, rated).topk(5).indices.tolist(), "moved up"),
    ],
}

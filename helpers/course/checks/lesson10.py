"What the exercises on collaborative filtering accept, and what they say to each mistake."

import torch

from helpers.course.exercises import compare, exercise


def _to_range(z, low, high):
    return low + (high - low) * z.sigmoid()


@exercise("10-range", "a sigmoid range")
def check_range(to_range):
    z = torch.tensor([-2.0, 0.0, 1.0, 30.0])
    compare(
        to_range,
        examples=[(z, 0.5, 5.5), (z, 1.0, 2.0)],
        right=_to_range,
        wrong={
            "Everything is too small by the same amount: where does the range begin?": (
                lambda z, low, high: (high - low) * z.sigmoid()
            ),
            "That range begins at 0. With low = 0.5 and high = 5.5 the middle, at z = 0, "
            "should be 3.": lambda z, low, high: high * z.sigmoid(),
            "That range is too long: it ends at low + high. "
            "How long is the way from low to high?": (
                lambda z, low, high: low + high * z.sigmoid()
            ),
            "That is cut off at the ends. Outside them the gradient is zero, "
            "and nothing can learn its way back: use a sigmoid.": (
                lambda z, low, high: z.clamp(low, high)
            ),
            "That falls where z rises: low and high are exchanged.": (
                lambda z, low, high: high + (low - high) * z.sigmoid()
            ),
            "That lies between 0 and 1. Stretch it to the way from low to high, "
            "and begin at low.": lambda z, low, high: z.sigmoid(),
            "tanh runs from -1 to 1. The sigmoid runs from 0 to 1.": (
                lambda z, low, high: low + (high - low) * z.tanh()
            ),
            "Your range does not depend on low and high.": (
                lambda z, low, high: _to_range(z, 0.5, 5.5),
                lambda z, low, high: 5.5 * z.sigmoid(),
            ),
        },
        returns="a tensor like `z`",
    )


def _predict_pairs(user_factors, item_factors, user_bias, item_bias, pairs):
    users, items = pairs.unbind(1)
    product = (user_factors[users] * item_factors[items]).sum(1)
    return product + user_bias[users, 0] + item_bias[items, 0]


def _joined(join):
    "A prediction from the products [n, factors] and the two biases [n, 1] of the pairs."

    def predict_pairs(p, q, b, c, pairs):
        users, items = pairs.unbind(1)
        return join(p[users] * q[items], b[users], c[items])

    return predict_pairs


def _all_with_all(p, q, b, c, pairs):
    return p[pairs[:, 0]] @ q[pairs[:, 1]].T


def _rows_for_columns(p, q, b, c, pairs):
    return (p[pairs[0]] * q[pairs[1]]).sum(1) + b[pairs[0], 0] + c[pairs[1], 0]


def _unpacked(p, q, b, c, pairs):
    users, items = pairs
    return p[users]


@exercise("10-biases", "the dot product with biases")
def check_biases(predict_pairs):
    generator = torch.Generator().manual_seed(0)
    shapes = ((6, 3), (5, 3), (6, 1), (5, 1))
    tables = [torch.randn(*shape, generator=generator) for shape in shapes]
    four = torch.tensor([[5, 0], [2, 4], [2, 1], [0, 3]])
    compare(
        predict_pairs,
        examples=[(*tables, four), (*tables, four[1:])],
        right=_predict_pairs,
        wrong={
            "The products are right. The two biases are not added.": (
                _joined(lambda products, b, c: products.sum(1))
            ),
            "The items' bias is missing.": (
                _joined(lambda products, b, c: products.sum(1) + b[:, 0])
            ),
            "The users' bias is missing.": (
                _joined(lambda products, b, c: products.sum(1) + c[:, 0])
            ),
            "You return 4 times 4 numbers for 4 pairs: each with each. A bias of shape [4, 1] and "
            "products of shape [4] are broadcast, and `@` multiplies all rows with all. "
            "Look at the shapes before you add.": (
                _joined(lambda products, b, c: products.sum(1) + b + c),
                _all_with_all,
                lambda p, q, b, c, pairs: (
                    _all_with_all(p, q, b, c, pairs) + b[pairs[:, 0]] + c[pairs[:, 1]]
                ),
            ),
            "You take the mean over the factors. A dot product is a sum.": (
                _joined(lambda products, b, c: products.mean(1) + b[:, 0] + c[:, 0]),
                _joined(lambda products, b, c: products.mean(1)),
            ),
            "Biases are added, not multiplied.": (
                _joined(lambda products, b, c: products.sum(1) * (b + c)[:, 0]),
                _joined(lambda products, b, c: products.sum(1) * (b * c)[:, 0]),
            ),
            "A row number is too large for its table. The first *column* of `pairs` holds users, "
            "the second items: pairs[:, 0] and pairs[:, 1].": (
                lambda p, q, b, c, pairs: _predict_pairs(p, q, b, c, pairs.flip(1))
            ),
            "pairs[0] is the first pair, a row. "
            "The first *column*, pairs[:, 0], holds the users.": (
                _rows_for_columns,
                lambda p, q, b, c, pairs: (p[pairs[0]] * q[pairs[1]]).sum(1),
            ),
            "`pairs` has a row for each pair and two columns: "
            "take pairs[:, 0] and pairs[:, 1], or pairs.unbind(1).": _unpacked,
            "That is one number for all pairs: sum over the factors only, dim=1.": (
                _joined(lambda products, b, c: products.sum()),
                _joined(lambda products, b, c: products.sum() + b[:, 0] + c[:, 0]),
                _joined(lambda products, b, c: products.sum() + b.sum() + c.sum()),
            ),
            "No sigmoid here: the sum itself is asked for.": (
                lambda p, q, b, c, pairs: _predict_pairs(p, q, b, c, pairs).sigmoid()
            ),
            "One number for each pair is asked for, shape [4]; yours has shape [4, 1], "
            "and a loss against targets [4] would compare each with each.": (
                _joined(lambda products, b, c: products.sum(1, keepdim=True) + b + c)
            ),
            "You sum over the pairs. Sum over the factors: dim=1.": (
                _joined(lambda products, b, c: products.sum(0)),
            ),
        },
        returns="one number for each pair, shape [4] for four pairs",
    )

"What the exercises on tables accept, and what they say to each mistake."

import torch

from helpers.course.exercises import compare, exercise


def _names(names):
    "Each name once, in the order of the alphabet."
    return sorted({name for name in names if name is not None})


def _as_they_come(names):
    return list(dict.fromkeys(name for name in names if name is not None))


def _coded(names, new, start=1, unseen=0):
    "The position of each new name among the known ones."
    return [names.index(name) + start if name in names else unseen for name in new]


def _to_codes(train, new):
    return _coded(_names(train), new)


def _without_default(train, new):
    code = {name: n for n, name in enumerate(_names(train), start=1)}
    return [code[name] for name in new]


def _known_only(train, new):
    return _to_codes(train, [name for name in new if name in train and name is not None])


def _numbered_on(train, new):
    code = {name: n for n, name in enumerate(_names(train), start=1)}
    return [code.setdefault(name, len(code) + 1) for name in new]


def _one_number_for_unseen(train, new):
    names = _names(train)
    return _coded(names, new, unseen=len(names) + 1)


def _twice(train, new):
    return _coded(sorted(name for name in train if name is not None), new)


@exercise("12-codes", "codes with an unseen name")
def check_codes(to_codes):
    train = ["pear", "apple", None, "plum", "apple"]
    new = ["plum", "quince", "apple", None, "pear"]
    compare(
        to_codes,
        examples=[(train, new), (["b", "a"], ["a", "c", "b"])],
        right=_to_codes,
        wrong={
            "A name was not seen in training, and your code has no answer for it. "
            "It gets 0: `get` with a default.": _without_default,
            "None cannot be put in order with names. Leave it out before you sort.": (
                lambda train, new: _coded(sorted(set(train)), new),
                lambda train, new: _coded(sorted(train), new),
            ),
            "These are the codes of `train`. Those of `new` are asked for.": (
                lambda train, new: _to_codes(train, train)
            ),
            "Fewer codes than names: those that are missing or new get a code too, 0.": _known_only,
            "Some of your codes are None. What is missing or was not seen gets 0.": (
                lambda train, new: _coded(_names(train), new, unseen=None)
            ),
            "You number from 0 and mark the unseen by -1. "
            "Number from 1: row 0 of the table is for those.": (
                lambda train, new: _coded(_names(train), new, start=0, unseen=-1)
            ),
            "You number from 0, and then the first name cannot be told from a name that is "
            "missing. Number from 1.": lambda train, new: _coded(_names(train), new, start=0),
            "You number the names of `new` too. "
            "The one that was not seen in training should get 0.": (
                lambda train, new: _coded(_names(train + new), new),
                lambda train, new: _coded(_names(new), new),
            ),
            "The unseen get a number of their own. "
            "The table of the net has no row for it: they get 0.": (
                _numbered_on,
                _one_number_for_unseen,
            ),
            "Apple occurs twice in training and is one name: `set` keeps each once.": _twice,
            "You number the names as they come. In the order of the alphabet, apple is 1.": (
                lambda train, new: _coded(_as_they_come(train), new)
            ),
        },
        returns="a list of whole numbers, a code for each name of `new`",
    )


def _filled(values, value):
    return torch.where(values.isnan(), value, values)


def _known(values):
    return values[~values.isnan()]


def _scaled(new_value, base, correction=0):
    """A solution from two functions of (train, new): the value that fills `new`, and the numbers
    whose mean and deviation are taken."""

    def fill_and_scale(train, new):
        numbers = base(train, new)
        filled = _filled(new, new_value(train, new))
        return (filled - numbers.mean()) / numbers.std(correction=correction)

    return fill_and_scale


def _median(train, new):
    return train.nanmedian()


def _filled_train(train, new):
    return _filled(train, train.nanmedian())


def _filled_new(train, new):
    return _filled(new, train.nanmedian())


def _both(new_value, base):
    "Two solutions, with either deviation: n or n - 1 below the line."
    return _scaled(new_value, base), _scaled(new_value, base, correction=1)


def _zero_after_scaling(train, new):
    base = _filled_train(train, new)
    return ((new - base.mean()) / base.std(correction=0)).nan_to_num(0)


def _by_variance(correction):
    def fill_and_scale(train, new):
        base = _filled_train(train, new)
        return (_filled_new(train, new) - base.mean()) / base.var(correction=correction)

    return fill_and_scale


@exercise("12-scale", "filling and scaling learned in training")
def check_scale(fill_and_scale):
    nan = float("nan")
    train = torch.tensor([1.0, 2.0, nan, 4.0, 8.0, 30.0])
    new = torch.tensor([5.0, nan, 100.0, 7.0])
    compare(
        fill_and_scale,
        examples=[(train, new), (3 * train, new)],
        right=_both(_median, _filled_train),
        wrong={
            "All of yours are nan: a mean or median over nan is nan. `nanmedian` leaves them out; "
            "fill `train` before you take its mean.": (
                lambda train, new: (new - train.mean()) / train.std(),
                _scaled(_median, lambda train, new: train),
            ),
            "There is still a nan in it. Fill what is missing in `new` too.": (
                *_both(lambda train, new: nan, _filled_train),
                *_both(lambda train, new: nan, lambda train, new: _known(train)),
            ),
            "You return the training part. `new` is to be filled and scaled.": (
                _filled_train,
                lambda train, new: _scaled(_median, _filled_train)(train, train),
            ),
            "A leak: median, mean and deviation are those of `new`, the part that plays the "
            "future. Take all three from `train`.": (
                _both(lambda train, new: new.nanmedian(), lambda train, new: _filled_train(new, 0))
            ),
            "A leak: you put both parts together before you learn median, mean and deviation. "
            "`train` alone.": (
                _both(
                    lambda train, new: torch.cat([train, new]).nanmedian(),
                    lambda train, new: _filled_train(torch.cat([train, new]), 0),
                )
            ),
            "A leak: filled as it should be, but mean and deviation are those of `new`.": (
                _both(_median, _filled_new)
            ),
            "A leak: you fill with the median of `new`. Take that of `train`.": (
                _both(lambda train, new: new.nanmedian(), _filled_train)
            ),
            "You fill with the mean. One large value moves it: the median is asked for.": (
                _both(
                    lambda train, new: train.nanmean(),
                    lambda train, new: _filled(train, train.nanmean()),
                )
            ),
            "You fill with 0. A typical value is asked for: the median.": (
                *_both(lambda train, new: 0, _filled_train),
                *_both(lambda train, new: 0, lambda train, new: train.nan_to_num(0)),
            ),
            "You fill with 0 after scaling, which is the mean. "
            "The median is asked for, before scaling.": _zero_after_scaling,
            "Nearly: mean and deviation are those of `train` before filling. "
            "Fill it first; that is what the net will see.": (
                _both(_median, lambda train, new: _known(train))
            ),
            "You divide by the variance. The standard deviation is its root.": (
                _by_variance(0),
                _by_variance(1),
            ),
            "Filled, not scaled: subtract the mean, divide by the standard deviation.": (
                _filled_new
            ),
        },
        returns="a tensor like `new`",
    )


@exercise("12-mape", "the mean absolute percentage error")
def check_mape(percentage_error):
    compare(
        percentage_error,
        examples=[
            (torch.tensor([110.0, 150.0, 400.0]), torch.tensor([100.0, 200.0, 300.0])),
            (torch.tensor([30.0, 90.0, 100.0, 20.0]), torch.tensor([50.0, 60.0, 80.0, 40.0])),
        ],
        right=lambda predicted, true: ((predicted - true).abs() / true).mean(),
        wrong={
            "One number is asked for: take the mean.": lambda p, t: (p - t).abs() / t,
            "Errors up and down cancel: take absolute values, before the mean.": (
                lambda p, t: ((p - t) / t).mean(),
                lambda p, t: ((t - p) / t).mean(),
            ),
            "You take the absolute value of the mean. "
            "Errors have cancelled by then: absolute values first.": (
                lambda p, t: ((p - t) / t).mean().abs()
            ),
            "That is in percent. As a share, 10 % is 0.1.": (
                lambda p, t: 100 * ((p - t).abs() / t).mean()
            ),
            "You divide by the prediction. Percent of what was truly sold is asked for.": (
                lambda p, t: ((p - t).abs() / p).mean()
            ),
            "That is in euros. Divide each error by the true sales.": (
                lambda p, t: (p - t).abs().mean()
            ),
            "You divide the sum of the errors by the sum of the sales, so large shops count more. "
            "Divide first, then take the mean.": lambda p, t: (p - t).abs().sum() / t.sum(),
            "You sum. Take the mean over the days.": lambda p, t: ((p - t).abs() / t).sum(),
            "You square the shares. Absolute values are asked for.": (
                lambda p, t: ((p - t) / t).square().mean().sqrt(),
                lambda p, t: ((p - t) / t).square().mean(),
            ),
            "That is the mean difference of the logarithms, near the share for small errors only. "
            "Divide the error by the true sales.": lambda p, t: (p.log() - t.log()).abs().mean(),
            "That is the median. The mean is asked for.": (
                lambda p, t: ((p - t).abs() / t).median()
            ),
        },
        returns="one number, a share",
    )


def _difference(sales, promoted):
    "Mean sales with promotion minus mean sales without."
    return sales[..., promoted].mean(-1) - sales[..., ~promoted].mean(-1)


def _at_least(shuffled, true):
    return shuffled >= true - 1e-6


def _at_most(shuffled, true):
    return shuffled <= true + 1e-6


def _counted(share, reaches=_at_least):
    "A p-value from the number of orders that reach the true difference, and of all orders."

    def p_value(sales, promoted, orders):
        shuffled = _difference(sales[orders], promoted)
        count = reaches(shuffled, _difference(sales, promoted)).sum().item()
        return share(count, len(orders))

    return p_value


def _usual(count, orders):
    return (1 + count) / (1 + orders)


def _against_all_days(sales, promoted, orders):
    with_promotion = sales[orders][..., promoted].mean(-1)
    return _usual(_at_least(with_promotion, sales.mean()).sum().item(), len(orders))


@exercise("12-permutation", "a permutation p-value")
def check_permutation(p_value):
    generator = torch.Generator().manual_seed(2)
    orders = torch.stack([torch.randperm(8, generator=generator) for _ in range(199)])
    promoted = torch.tensor([0, 1, 0, 1, 0, 0, 1, 0]).bool()
    strong = torch.tensor([5.0, 9.0, 4.0, 8.0, 6.0, 3.0, 7.0, 5.0])
    weak = torch.tensor([7.0, 6.0, 5.0, 9.0, 4.0, 8.0, 6.0, 5.0])  # many orders reach it
    compare(
        p_value,
        examples=[(strong, promoted, orders), (weak, promoted, orders)],
        right=_counted(_usual),
        wrong={
            "That counts every order. Either you shuffle sales and marks together, so that nothing "
            "changes (shuffle the sales, keep the marks), or you count the orders whose "
            "difference is smaller.": lambda sales, promoted, orders: 1.0,
            "That is a count. Divide by the number of orders, plus 1.": (
                _counted(lambda count, orders: 1 + count),
                _counted(lambda count, orders: count),
            ),
            "The true order is not counted in. With it, (1 + count) / (1 + orders), and never 0.": (
                _counted(lambda count, orders: count / orders)
            ),
            "The true order enters in one place only: count it above and below the line.": (
                _counted(lambda count, orders: (1 + count) / orders),
                _counted(lambda count, orders: count / (1 + orders)),
            ),
            "You count the orders whose difference is smaller. "
            "Count those that are at least as large.": (
                _counted(_usual, _at_most),
                _counted(lambda count, orders: 1 - _usual(count, orders)),
                _counted(lambda count, orders: (1 + orders - count) / (1 + orders)),
            ),
            "You take absolute values: that asks for a difference in either direction. "
            "Do promotions *raise* sales?": (
                _counted(_usual, lambda shuffled, true: _at_least(shuffled.abs(), true.abs()))
            ),
            "Ties are left out. "
            '"At least as large" counts an order with the same difference: >=.': (
                _counted(_usual, lambda shuffled, true: shuffled > true + 1e-6)
            ),
            "That is the difference itself. How often does a shuffled order reach it?": (
                lambda sales, promoted, orders: _difference(sales, promoted)
            ),
            "You compare with the mean of all days. "
            "Compare with the difference in the true order.": _against_all_days,
        },
        returns="one number, a share",
    )

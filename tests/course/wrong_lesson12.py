"Plausible wrong answers to the exercises of lesson 12."

import torch


def levels(names):
    return sorted({name for name in names if name is not None})


def coded(names, new, start=1, unseen=0):
    return [names.index(name) + start if name in names else unseen for name in new]


def first_come(names):
    return list(dict.fromkeys(name for name in names if name is not None))


def no_answer(train, new):
    return [levels(train).index(name) + 1 for name in new if name in levels(train)]


def key_error(train, new):
    return [{name: n for n, name in enumerate(levels(train), start=1)}[name] for name in new]


def own_number(train, new):
    code = {name: n for n, name in enumerate(levels(train), start=1)}
    return [code.setdefault(name, len(code) + 1) for name in new]


def filled(t, value):
    return torch.where(t.isnan(), value, t)


def scale(source, fill=None, by=None, new_fill=None, spread=torch.std):
    def fill_and_scale(train, new):
        parts = dict(train=train, new=new, both=torch.cat([train, new]))
        value = parts[fill or source].nanmedian()
        base = filled(parts[by or source], value)
        return (filled(new, value) - base.mean()) / spread(base)

    return fill_and_scale


def with_mean(train, new):
    base = filled(train, train.nanmean())
    return (filled(new, train.nanmean()) - base.mean()) / base.std()


def with_zero(train, new):
    return (new.nan_to_num(0) - train.nan_to_num(0).mean()) / train.nan_to_num(0).std()


def in_place(train, new):
    train[train.isnan()] = train.nanmedian()
    return (filled(new, train.median()) - train.mean()) / train.std()


def unfilled(train, new):
    known = train[~train.isnan()]
    return (filled(new, known.median()) - known.mean()) / known.std()


def difference(s, promoted):
    return s[..., promoted].mean(-1) - s[..., ~promoted].mean(-1)


def counted(share, reach=lambda shuffled, true: shuffled >= true - 1e-12):
    def p_value(sales, promoted, orders):
        return share(
            reach(difference(sales[orders], promoted), difference(sales, promoted)).sum().item(),
            len(orders),
        )

    return p_value


def usual(count, orders):
    return (1 + count) / (1 + orders)


WRONG = {
    "12-codes": [
        (lambda train, new: coded(levels(train), new, 0, -1), "number from 0 and mark"),
        (lambda train, new: coded(levels(train), new, 0), "cannot be told"),
        (key_error, "not seen in training"),
        (no_answer, "get a code too"),
        (lambda train, new: coded(first_come(train), new), "as they come"),
        (lambda train, new: coded(levels(train + new), new), "names of `new` too"),
        (own_number, "number of their own"),
        (lambda train, new: coded(levels(train), train), "codes of `train`"),
        (lambda train, new: coded(sorted(set(train)), new), "None cannot be put in order"),
        (lambda train, new: coded(levels(new), new), "names of `new` too"),
        (lambda train, new: coded(levels(train), new, unseen=None), "are None"),
    ],
    "12-scale": [
        (scale("new"), "A leak: median, mean and deviation are those of `new`"),
        (scale("both"), "put both parts together"),
        (scale("train", by="new"), "mean and deviation are those of `new`"),
        (scale("train", spread=torch.var), "variance"),
        (
            lambda train, new: (
                (filled(new, new.nanmedian()) - filled(train, train.nanmedian()).mean())
                / filled(train, train.nanmedian()).std()
            ),
            "you fill with the median of `new`",
        ),
        (with_mean, "fill with the mean"),
        (with_zero, "fill with 0"),
        (
            lambda train, new: (
                (new - filled(train, train.nanmedian()).mean())
                / filled(train, train.nanmedian()).std()
            ),
            "still a nan",
        ),
        (lambda train, new: (new - train.mean()) / train.std(), "All of yours are nan"),
        (unfilled, "before filling"),
        (lambda train, new: filled(new, train.nanmedian()), "Filled, not scaled"),
        (lambda train, new: filled(train, train.nanmedian()), "return the training part"),
        (in_place, "changed the tensors"),
    ],
    "12-mape": [
        (lambda p, t: ((p - t) / t).mean(), "cancel"),
        (lambda p, t: ((p - t) / t).mean().abs(), "absolute value"),
        (lambda p, t: 100 * ((p - t).abs() / t).mean(), "in percent"),
        (lambda p, t: ((p - t).abs() / p).mean(), "divide by the prediction"),
        (lambda p, t: (p - t).abs().mean(), "in euros"),
        (lambda p, t: (p - t).abs().sum() / t.sum(), "large shops"),
        (lambda p, t: ((p - t).abs() / t).sum(), "You sum"),
        (lambda p, t: (p - t).abs() / t, "take the mean"),
        (lambda p, t: ((p - t) / t).square().mean().sqrt(), "square"),
        (lambda p, t: (p.log() - t.log()).abs().mean(), "logarithms"),
        (lambda p, t: ((p - t).abs() / t).median(), "the median"),
    ],
    "12-permutation": [
        (counted(lambda count, orders: count / orders), "not counted in"),
        (counted(lambda count, orders: 1 + count), "a count"),
        (counted(lambda count, orders: (1 + count) / orders), "one place only"),
        (counted(usual, lambda s, t: s <= t + 1e-12), "smaller"),
        (counted(usual, lambda s, t: s > t + 1e-12), "Ties"),
        (counted(usual, lambda s, t: s.abs() >= t.abs() - 1e-12), "either direction"),
        (lambda sales, promoted, orders: difference(sales, promoted), "difference itself"),
        (lambda sales, promoted, orders: 1.0, "together"),
    ],
}

"What the exercises on tables accept, and what they say to each mistake."

import numpy as np
import torch

from helpers.course.exercises import Hint, NotYet, compare, exercise, read_entry


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
        right=_scaled(_median, _filled_train),
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
                *_both(lambda train, new: new.nanmedian(), _filled_train),
                *_both(lambda train, new: new.nanmedian(), lambda train, new: _known(train)),
                *_both(
                    lambda train, new: new.nanmedian(),
                    lambda train, new: _filled(train, new.nanmedian()),
                ),
            ),
            "A leak: you fill with the mean of `new`. The median of `train` is asked for.": (
                _both(lambda train, new: new.nanmean(), _filled_train)
            ),
            "You divide by the deviation with n - 1 below the line. The lesson has n: "
            "`std(correction=0)`.": _scaled(_median, _filled_train, correction=1),
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


def _usual(rows_of, empty=None):
    """A column of means for each shop: `rows_of(same, is_past, n)` says which rows count for row n.

    `empty(sales, is_past)` is what a shop without such rows gets."""

    def usual_sales(shop, sales, is_past):
        result = torch.zeros(len(sales))
        for n in range(len(sales)):
            rows = rows_of(shop == shop[n], is_past, n)
            if rows.any():
                result[n] = sales[rows].mean()
            elif empty:
                result[n] = empty(sales, is_past)
            else:
                result[n] = float("nan")
        return result

    return usual_sales


def _past_mean(sales, is_past):
    return sales[is_past].mean()


def _past_only(same, is_past, n):
    return same & is_past


def _all_days(same, is_past, n):
    return same


def _others(same, is_past, n):
    rows = same.clone()
    rows[n] = False
    return rows


_LEAK = (
    "The leak is still there: the mean runs over all days of a shop, also over those that are to "
    "be predicted. Which days may be used? Change the function in the cell above."
)


@exercise("12-leak", "the leak in a column")
def check_leak(usual_sales):
    shop = torch.tensor([1, 1, 2, 2, 3, 1, 2, 1])
    sales = torch.tensor([100.0, 140.0, 50.0, 70.0, 90.0, 120.0, 60.0, 230.0])
    is_past = torch.tensor([1, 0, 1, 0, 0, 1, 1, 0]).bool()
    compare(
        usual_sales,
        examples=[
            (shop, sales, is_past),
            (shop[:4], 2 * sales[:4], torch.tensor([True, True, True, False])),
        ],
        right=_usual(_past_only, _past_mean),
        wrong={
            _LEAK: (_usual(_all_days), _usual(_all_days, _past_mean)),
            "You left out the row itself, and the other days that are to be predicted are still "
            "in the mean. Only past days may be used.": (
                _usual(_others),
                _usual(_others, _past_mean),
                _usual(_others, lambda sales, is_past: sales.mean()),
            ),
            "A shop without any past day has nan: the mean of nothing. "
            "It gets the mean of all past days.": _usual(_past_only),
            "A shop without any past day has 0. It gets the mean of all past days.": (
                _usual(_past_only, lambda sales, is_past: 0.0)
            ),
            "The shops are right. But a shop without any past day gets the mean of *past* days; "
            "yours is the mean of all days, and that is a leak again.": (
                _usual(_past_only, lambda sales, is_past: sales.mean())
            ),
            "You use the days that are to be predicted, and leave out the past. Turn it round.": (
                _usual(lambda same, is_past, n: same & ~is_past),
                _usual(lambda same, is_past, n: same & ~is_past, _past_mean),
            ),
            "That is the mean of all past days, for every row. Each shop has a mean of its own.": (
                _usual(lambda same, is_past, n: is_past)
            ),
            "The past rows should have a value too: the same mean of their shop's past days.": (
                lambda shop, sales, is_past: (
                    _usual(_past_only, _past_mean)(shop, sales, is_past) * ~is_past
                ),
                lambda shop, sales, is_past: _usual(_past_only, _past_mean)(shop, sales, is_past)[
                    ~is_past
                ],
            ),
            "A past row leaves itself out. That can be wise; here each row gets the mean of all "
            "past days of its shop.": (
                _usual(lambda same, is_past, n: _others(same, is_past, n) & is_past, _past_mean)
            ),
        },
        returns="a tensor with a number for each row",
        as_found=_LEAK,
    )


def _mark_difference(sales, week, marks):
    days = marks[week]
    return sales[days].mean() - sales[~days].mean()


def _week_means(sales, week, marks):
    "The difference when each week counts the same, however many days it has."
    means = torch.stack([sales[week == w].mean() for w in range(len(marks))])
    return means[marks].mean() - means[~marks].mean()


def _sums(sales, week, marks):
    days = marks[week]
    return sales[days].sum() - sales[~days].sum()


def _at_least(shuffled, true):
    return shuffled >= true - 1e-6


def _at_most(shuffled, true):
    return shuffled <= true + 1e-6


def _as_far(shuffled, true):
    return _at_least(shuffled.abs(), true.abs())


def _beyond(shuffled, true):
    return shuffled > true + 1e-6


def _counted(share, reaches=_at_least, statistic=_mark_difference):
    "A p-value from the number of orders that reach the true difference, and of all orders."

    def p_value(sales, week, promoted, orders):
        true = statistic(sales, week, promoted)
        reached = 0
        for order in orders:
            reached += bool(reaches(statistic(sales, week, promoted[order]), true))
        return share(reached, len(orders))

    return p_value


def _usual_share(count, orders):
    return (1 + count) / (1 + orders)


@exercise("12-weeks", "a p-value by whole weeks")
def check_weeks(p_value):
    generator = torch.Generator().manual_seed(0)
    orders = torch.stack([torch.randperm(6, generator=generator) for _ in range(99)])
    week = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5, 5, 5])
    promoted = torch.tensor([1, 0, 0, 1, 1, 0]).bool()
    one = torch.tensor([4.0, 5, 8, 7, 4, 5, 9, 6, 6, 4, 7, 9, 3, 8, 4])
    other = torch.tensor([7.0, 2, 8, 5, 2, 4, 6, 5, 4, 3, 4, 3, 6, 7, 3])
    compare(
        p_value,
        examples=[(one, week, promoted, orders), (other, week, promoted, orders)],
        right=_counted(_usual_share),
        wrong={
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
            "You count the orders whose difference is at most as large. That is the other tail: "
            "it asks whether promotions *lower* sales.": _counted(_usual_share, _at_most),
            "That is 1 minus the p-value, or nearly. Count the orders that reach the true "
            "difference, not those that do not.": (
                _counted(lambda count, orders: 1 - _usual_share(count, orders)),
                _counted(lambda count, orders: 1 - count / orders),
                _counted(lambda count, orders: (1 + orders - count) / (1 + orders)),
            ),
            "You take absolute values: that asks for a difference in either direction. "
            "Do promotions *raise* sales?": _counted(_usual_share, _as_far),
            "Ties are left out. An order with the same difference reaches it: >=.": (
                _counted(_usual_share, _beyond)
            ),
            "You take the mean of each week first, so a week of one day counts as much as a week "
            "of seven. The means run over days.": _counted(_usual_share, statistic=_week_means),
            "You compare sums of sales. Promoted weeks may be more or fewer than the others: "
            "compare means.": _counted(_usual_share, statistic=_sums),
            "That is the difference itself. How often does a shuffled order reach it?": (
                lambda sales, week, promoted, orders: _mark_difference(sales, week, promoted)
            ),
        },
        returns="one number, a fraction",
    )


_CHAINS = {
    "A": {
        "model": ["usual", "trees", "net"],
        "MAPE": [0.1420, 0.0911, 0.0907],
        "p against usual": [None, 0.0002, 0.0002],
        "p, net against trees": [None, None, 0.81],
        "minutes": [0, 1, 35],
    },
    "B": {
        "model": ["usual", "trees", "net"],
        "MAPE": [0.1030, 0.1041, 0.1002],
        "p against usual": [None, 0.7404, 0.3120],
        "p, net against trees": [None, None, 0.09],
        "minutes": [0, 1, 12],
    },
    "C": {
        "model": ["usual", "trees", "net"],
        "MAPE": [0.1315, 0.1208, 0.0967],
        "p against usual": [None, 0.0410, 0.0004],
        "p, net against trees": [None, None, 0.002],
        "minutes": [0, 2, 40],
    },
}


def chain_tables() -> dict:  # chain to columns of a table
    "The tables of the exercise on which model goes to work."
    return {chain: dict(table) for chain, table in _CHAINS.items()}


_TO_WORK = {"A": "trees", "B": "usual", "C": "net"}
_NOT_THAT = {
    ("A", "net"): "The net leads the trees by 0.0004, with a p of 0.81, and it costs 35 times the "
    "training.",
    ("A", "usual"): "Both models are far better than usual sales, and p is tiny. Costs of a minute "
    "are nothing.",
    ("B", "net"): "A p of 0.31: chance gives such a lead in every third case.",
    ("B", "trees"): "The trees have a larger error than the usual sales.",
    (
        "C",
        "trees",
    ): "The net's error is a fifth smaller, with a p of 0.002, and an hour is allowed.",
    ("C", "usual"): "Both p are small, and the net's error is a quarter smaller.",
}


@exercise("12-deploy", "which model goes to work")
def check_deploy(to_work):
    if not isinstance(to_work, dict) or set(to_work) != set(_TO_WORK):
        raise Hint('A dictionary is asked for: {"A": ..., "B": ..., "C": ...}, with a model each.')
    opened = [chain for chain, model in to_work.items() if model is ...]
    if opened:
        raise NotYet(f"{len(opened)} of 3 still to be answered: {', '.join(opened)}.")
    for chain, model in to_work.items():
        word = model.strip().lower() if isinstance(model, str) else model
        if word not in ("usual", "trees", "net"):
            raise Hint(f'{chain}: write "usual", "trees" or "net"; you wrote {model!r}.')
        if word != _TO_WORK[chain]:
            raise Hint(f"{chain}: {_NOT_THAT[chain, word]} Look again.")


def _renumbered(codes, order):
    return torch.cat([torch.zeros(1, dtype=torch.int64), order])[codes]


def _inverse(codes, order):
    new = torch.zeros(len(order) + 1, dtype=torch.int64)
    new[order] = torch.arange(1, len(order) + 1)
    return new[codes]


@exercise("12-renumber", "other numbers for the names")
def check_renumber(renumbered):
    order = torch.tensor([3, 1, 5, 2, 4])
    codes = torch.tensor([1, 0, 5, 3, 3, 2, 4, 0])
    compare(
        renumbered,
        examples=[(codes, order), (torch.tensor([2, 0, 1]), torch.tensor([2, 3, 1]))],
        right=_renumbered,
        wrong={
            "The codes count from 1, and places in a tensor from 0: `order[codes]` takes the "
            "number of the next name. (And the last code has no next one.)": (
                lambda codes, order: order[codes],
                lambda codes, order: order[codes.clamp(max=len(order) - 1)],
            ),
            "Nearly: code 0 should stay 0. `order[codes - 1]` takes the last number for it.": (
                lambda codes, order: order[codes - 1]
            ),
            "You leave out the rows with code 0. They keep it.": (
                lambda codes, order: order[codes[codes > 0] - 1]
            ),
            "You turned it round: `order[0]` is the *new* code of code 1. "
            "You look for the place of a code in `order`.": _inverse,
            "You return `order` itself. A new code for each entry of `codes` is asked for.": (
                lambda codes, order: order
            ),
            "The codes have not changed.": lambda codes, order: codes,
            "You count from 0 again: subtract nothing from the new codes.": (
                lambda codes, order: _renumbered(codes, order) - 1
            ),
        },
        returns="int64 codes, one for each entry of `codes`",
    )


def changes_of_trees(renumbered):
    "Mean change of the predictions of boosted trees when names get other numbers, as a table."
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingRegressor

    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(1, 41, (4000,), generator=generator)
    amount = torch.randn(4000, generator=generator)
    effect = torch.randn(41, generator=generator)
    target = effect[codes] * (1 + 0.5 * amount) + 0.3 * torch.randn(4000, generator=generator)
    order = 1 + torch.randperm(40, generator=generator)
    try:
        new = renumbered(codes, order)
    except Exception:
        new = None
    if not torch.is_tensor(new) or new.shape != codes.shape:
        return "First write the function in the cell above."
    changes = {}
    for native, kind in ((False, "codes as plain numbers"), (True, "native categories")):
        outputs = []
        for column in (codes, new):
            inputs = torch.stack([column.double(), amount.double()], 1).numpy()
            model = HistGradientBoostingRegressor(
                max_iter=50, categorical_features=[0] if native else None, early_stopping=False
            )
            outputs.append(model.fit(inputs, target.numpy()).predict(inputs))
        changes[kind] = {"mean change of a prediction": np.abs(outputs[1] - outputs[0]).mean()}
    return pd.DataFrame(changes).T.round(4)


_WEEKS = 6  # held out
_PASS = 0.9  # of the error of the usual sales


def _sales_table(shops):
    "Days with sales, and the lesson's columns."
    if callable(shops):
        shops = shops()
    days = shops.sales[shops.sales.sales > 0].reset_index(drop=True)
    return days.assign(
        state=days.store.map(shops.states),
        year=days.date.dt.year,
        month=days.date.dt.month,
        day=days.date.dt.day,
    )


def _mape(predicted, true):
    return float(np.mean(np.abs(predicted - true) / true))


def _usual_error(past, future):
    alike = ["store", "dayofweek", "promo"]
    medians = past.groupby(alike).sales.median().rename("usual")
    usual = future.join(medians, on=alike).usual.fillna(past.sales.median())
    return _mape(usual.to_numpy(), future.sales.to_numpy())


def _codes(frame, names, levels):
    "Codes from 0; what was not seen in the past is missing. And whether there is a promotion."
    columns = []
    for name in names:
        places = levels[name].get_indexer(frame[name]).astype("float64")
        columns.append(np.where(places < 0, np.nan, places))
    return np.column_stack([*columns, frame.promo])


def _trees_error(past, future):
    "Boosted trees with native categories, a hundred of them, for the logarithm of the sales."
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingRegressor

    names = ["store", "dayofweek", "year", "month", "day", "state"]
    levels = {name: pd.Index(sorted(past[name].unique())) for name in names}
    model = HistGradientBoostingRegressor(
        categorical_features=range(len(names)), early_stopping=False
    )
    model.fit(_codes(past, names, levels), np.log(past.sales.to_numpy()))
    predicted = np.exp(model.predict(_codes(future, names, levels)))
    return _mape(predicted, future.sales.to_numpy())


def _predictions(my_forecast, past, future):
    "What the entry predicts: an array, one number for each row; a `Hint` otherwise."
    torch.manual_seed(0)
    try:
        answer = my_forecast(past.copy(), future.drop(columns="sales"))
    except NotImplementedError:
        raise NotYet("Write the function in the cell above, and run the cell again.") from None
    if torch.is_tensor(answer):
        answer = answer.detach().cpu().numpy()
    try:
        predicted = np.asarray(answer, dtype="float64")
    except (TypeError, ValueError):
        raise Hint(
            "`my_forecast` should return an array of numbers, one number for each row."
        ) from None
    if predicted.shape != (len(future),):
        raise Hint(
            f"One number for each of the {len(future):,} rows of `future` is asked for; "
            f"yours has the shape {predicted.shape}."
        )
    if not np.isfinite(predicted).all():
        raise Hint("Some of your predictions are nan or infinite.")
    return predicted


@exercise("12-own", "the next six weeks")
def check_own(entry):
    shops, my_forecast = read_entry(entry, "my_forecast", data="rossmann")
    torch.set_num_threads(1)  # nets this small gain nothing from a second core
    days = _sales_table(shops)
    start = days.date.max() - np.timedelta64(7 * _WEEKS, "D")
    past = days[days.date <= start].reset_index(drop=True)
    future = days[days.date > start].reset_index(drop=True)
    predicted = _predictions(my_forecast, past, future)
    if (predicted < 30).all():
        raise Hint("Your predictions look like logarithms. Euros are asked for: `np.exp`.")
    own = _mape(predicted, future.sales.to_numpy())
    usual = _usual_error(past, future)
    trees = _trees_error(past, future)
    score = (
        f"Your MAPE is {own:.4f}; usual sales have {usual:.4f}, and boosted trees with native "
        f"categories {trees:.4f}."
    )
    if own <= _PASS * usual:
        more = "You beat the trees." if own < trees else "Can you beat the trees, too?"
        return f"{score} {more}"
    if own > 2 * usual:
        raise Hint(f"{score} Something is wrong: are the rows in the order of `future`?")
    if own > usual:
        raise Hint(f"{score} The look-up is better. Which columns does your model get?")
    raise Hint(f"{score} Better than the look-up; at most {_PASS * usual:.4f} is asked for.")

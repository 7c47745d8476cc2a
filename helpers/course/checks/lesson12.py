"What the exercises on tables accept, and what they say to each mistake."

import torch

from helpers.course.exercises import Hint, exercise, near


@exercise("12-codes", "codes with an unseen name")
def check_codes(to_codes):
    train, new = ["pear", "apple", None, "plum", "apple"], ["plum", "quince", "apple", None, "pear"]
    right, kept = [3, 0, 1, 0, 2], (list(train), list(new))
    try:
        got = to_codes(train, new)
    except KeyError as error:
        raise Hint(
            f"The name {error} was not seen in training, and your code has no answer for it. It gets 0: `get` with a default."
        ) from None
    except TypeError as error:
        if "not supported between" in str(error):
            raise Hint(
                "None cannot be put in order with names. Leave it out before you sort."
            ) from None
        raise
    if (train, new) != kept:
        raise Hint("You changed the lists of the caller. Work on copies.")
    if torch.is_tensor(got):
        got = got.tolist()
    try:
        got = [None if code is None else int(code) for code in got]
    except (TypeError, ValueError):
        raise Hint(
            f"A list of whole numbers is asked for, a code for each name of `new`; you returned {got!r}."
        ) from None
    if len(got) == len(train) and got == [2, 1, 0, 3, 1]:
        raise Hint("These are the codes of `train`. Those of `new` are asked for.")
    if len(got) != len(new):
        raise Hint(
            f"{len(new)} names, {len(got)} codes: those that are missing or new get a code too, 0."
        )
    if None in got:
        raise Hint("Some of your codes are None. What is missing or was not seen gets 0.")
    if got == [2, -1, 0, -1, 1]:
        raise Hint(
            "You number from 0 and mark the unseen by -1. Number from 1: row 0 of the table is for those."
        )
    if got[2] == 0:
        raise Hint(
            "You number from 0, and then the first name cannot be told from a name that is missing. Number from 1."
        )
    if got == [3, 4, 1, 0, 2]:
        raise Hint(
            "The quince gets a number of its own, or you number the names of `new` too. A name not seen in training gets 0, the same as what is missing."
        )
    if got[0] == 5:
        raise Hint(
            "You number the names of `new` too. The one that was not seen in training should get 0."
        )
    if got == [3, 4, 1, 4, 2] or got == [3, 4, 1, 5, 2]:
        raise Hint(
            "The unseen get a number of their own. The table of the net has no row for it: they get 0."
        )
    if got == [4, 0, 2, 0, 1] or got == [4, 0, 2, 0, 3] or got == [4, 0, 1, 0, 3]:
        raise Hint("Apple occurs twice in training and is one name: `set` keeps each once.")
    if got == [2, 3, 1, 0, 2] or got == [3, 4, 1, 0, 2] or got[1] != 0:
        raise Hint(
            "The quince was not seen in training: its code is 0. Are your names those of `train`?"
        )
    if got == [3, 0, 2, 0, 1]:
        raise Hint("You number the names as they come. In the order of the alphabet, apple is 1.")
    if got != right:
        raise Hint(
            f"For the names {new} and the training part {train} it should be {right}; yours is {got}."
        )
    if list(map(int, to_codes(["b", "a"], ["a", "c"]))) != [1, 0]:
        raise Hint("Right for one pair of lists, wrong for another. Do you use both?")


@exercise("12-scale", "filling and scaling learned in training")
def check_scale(fill_and_scale):
    nan = float("nan")
    train, new = (
        torch.tensor([1.0, 2.0, nan, 4.0, 8.0, 30.0], dtype=torch.float64),
        torch.tensor([5.0, nan, 100.0, 7.0], dtype=torch.float64),
    )
    kept = train.clone(), new.clone()

    def scaled(
        source=train,
        middle=lambda t: t[~t.isnan()].median(),
        fill_first=True,
        correction=0,
        by=None,
    ):
        filled = (
            torch.where(source.isnan(), middle(source), source)
            if fill_first
            else source[~source.isnan()]
        )
        base = filled if by is None else by
        return (torch.where(new.isnan(), middle(source), new) - base.mean()) / base.std(
            correction=correction
        )

    got = torch.as_tensor(fill_and_scale(train, new))
    if not torch.equal(train.nan_to_num(-1), kept[0].nan_to_num(-1)) or not torch.equal(
        new.nan_to_num(-1), kept[1].nan_to_num(-1)
    ):
        raise Hint("You changed the tensors of the caller. `torch.where` makes new ones.")
    if got.shape == train.shape:
        raise Hint("You return the training part. `new` is to be filled and scaled.")
    if got.shape != new.shape:
        raise Hint(
            f"A tensor like `new` is asked for, shape {list(new.shape)}; yours has shape {list(got.shape)}."
        )
    if got.isnan().all():
        raise Hint(
            "All of yours are nan: a mean or median over nan is nan. `nanmedian` leaves them out; fill `train` before you take its mean."
        )
    if got.isnan().any():
        raise Hint("There is still a nan in it. Fill what is missing in `new` too.")
    if near(got, scaled()) or near(got, scaled(correction=1)):
        if not (
            near(
                fill_and_scale(3 * train, new),
                (
                    torch.where(new.isnan(), 12.0, new)
                    - (3 * torch.where(train.isnan(), 4.0, train)).mean()
                )
                / (3 * torch.where(train.isnan(), 4.0, train)).std(correction=0),
            )
            or near(
                fill_and_scale(3 * train, new),
                (
                    torch.where(new.isnan(), 12.0, new)
                    - (3 * torch.where(train.isnan(), 4.0, train)).mean()
                )
                / (3 * torch.where(train.isnan(), 4.0, train)).std(),
            )
        ):
            raise Hint(
                "Right for one training part, wrong for another. Does your code use `train`?"
            )
        return
    both = torch.cat([train, new])
    for correction in (0, 1):
        if near(got, scaled(new, correction=correction)):
            raise Hint(
                "A leak: median, mean and deviation are those of `new`, the part that plays the future. Take all three from `train`."
            )
        if near(got, scaled(both, correction=correction)):
            raise Hint(
                "A leak: you put both parts together before you learn median, mean and deviation. `train` alone."
            )
        filled_new = torch.where(new.isnan(), torch.tensor(4.0, dtype=torch.float64), new)
        if near(got, scaled(by=filled_new, correction=correction)):
            raise Hint("A leak: filled as it should be, but mean and deviation are those of `new`.")
        filled = torch.where(train.isnan(), torch.tensor(4.0, dtype=torch.float64), train)
        if near(
            got,
            (torch.where(new.isnan(), new.nanmedian(), new) - filled.mean())
            / filled.std(correction=correction),
        ):
            raise Hint("A leak: you fill with the median of `new`. Take that of `train`.")
        if near(got, scaled(middle=lambda t: t[~t.isnan()].mean(), correction=correction)):
            raise Hint("You fill with the mean. One large value moves it: the median is asked for.")
        if near(
            got, (new.nan_to_num(0) - filled.mean()) / filled.std(correction=correction)
        ) or near(
            got,
            (new.nan_to_num(0) - train.nan_to_num(0).mean())
            / train.nan_to_num(0).std(correction=correction),
        ):
            raise Hint("You fill with 0. A typical value is asked for: the median.")
        if near(got, ((new - filled.mean()) / filled.std(correction=correction)).nan_to_num(0)):
            raise Hint(
                "You fill with 0 after scaling, which is the mean. The median is asked for, before scaling."
            )
        if near(got, scaled(fill_first=False, correction=correction)):
            raise Hint(
                "Nearly: mean and deviation are those of `train` before filling. Fill it first; that is what the net will see."
            )
        if near(
            got,
            (torch.where(new.isnan(), 4.0, new) - filled.mean())
            / filled.var(correction=correction),
        ):
            raise Hint("You divide by the variance. The standard deviation is its root.")
    if near(got, torch.where(new.isnan(), 4.0, new)):
        raise Hint("Filled, not scaled: subtract the mean, divide by the standard deviation.")
    raise Hint(
        f"For {[float(v) for v in new]} it should be {', '.join(f'{v:.3f}' for v in scaled())}; yours is {', '.join(f'{float(v):.3f}' for v in got)}."
    )


@exercise("12-mape", "the mean absolute percentage error")
def check_mape(percentage_error):
    predicted, true = (
        torch.tensor([110.0, 150.0, 400.0], dtype=torch.float64),
        torch.tensor([100.0, 200.0, 300.0], dtype=torch.float64),
    )
    right, got = (
        ((predicted - true).abs() / true).mean(),
        torch.as_tensor(percentage_error(predicted, true)),
    )
    if got.shape == true.shape:
        raise Hint("One number is asked for: take the mean.")
    if got.numel() != 1:
        raise Hint(f"One number is asked for; yours has shape {list(got.shape)}.")
    got = got.reshape(())
    if near(got, ((predicted - true) / true).mean()) or near(
        got, ((true - predicted) / true).mean()
    ):
        raise Hint("Errors up and down cancel: take absolute values, before the mean.")
    if near(got, ((predicted - true) / true).mean().abs()):
        raise Hint(
            "You take the absolute value of the mean. Errors have cancelled by then: absolute values first."
        )
    if near(got, 100 * right):
        raise Hint("That is in percent. As a share, 10 % is 0.1.")
    if near(got, ((predicted - true).abs() / predicted).mean()):
        raise Hint("You divide by the prediction. Percent of what was truly sold is asked for.")
    if near(got, (predicted - true).abs().mean()):
        raise Hint("That is in euros. Divide each error by the true sales.")
    if near(got, (predicted - true).abs().sum() / true.sum()):
        raise Hint(
            "You divide the sum of the errors by the sum of the sales, so large shops count more. Divide first, then take the mean."
        )
    if near(got, ((predicted - true).abs() / true).sum()):
        raise Hint("You sum. Take the mean over the days.")
    if near(got, ((predicted - true) / true).square().mean().sqrt()) or near(
        got, ((predicted - true) / true).square().mean()
    ):
        raise Hint("You square the shares. Absolute values are asked for.")
    if near(got, (predicted.log() - true.log()).abs().mean()):
        raise Hint(
            "That is the mean difference of the logarithms, near the share for small errors only. Divide the error by the true sales."
        )
    if near(got, ((predicted - true).abs() / true).median()):
        raise Hint("That is the median. The mean is asked for.")
    if not near(got, right):
        raise Hint(
            f"For predictions 110, 150, 400 of true sales 100, 200, 300 it should be {right:.4f}; yours is {float(got):.4f}."
        )


@exercise("12-permutation", "a permutation p-value")
def check_permutation(p_value):
    generator = torch.Generator().manual_seed(2)
    sales, promoted = (
        torch.tensor([5.0, 9.0, 4.0, 8.0, 6.0, 3.0, 7.0, 5.0], dtype=torch.float64),
        torch.tensor([0, 1, 0, 1, 0, 0, 1, 0]).bool(),
    )
    orders = torch.stack([torch.randperm(8, generator=generator) for _ in range(199)])

    def difference(s):
        return s[..., promoted].mean(-1) - s[..., ~promoted].mean(-1)

    low = torch.tensor(
        [7.0, 6.0, 5.0, 9.0, 4.0, 8.0, 6.0, 5.0], dtype=torch.float64
    )  # a weak effect: many orders reach it
    for first, values in ((True, sales), (False, low)):
        shuffled, true = difference(values[orders]), difference(values)
        as_large = int((shuffled >= true - 1e-12).sum())
        got = torch.as_tensor(p_value(values, promoted, orders))
        if got.numel() != 1:
            raise Hint(f"One number is asked for, a share; yours has shape {list(got.shape)}.")
        got = float(got)
        if near(got, (1 + as_large) / 200):
            continue
        if near(got, 1.0):
            raise Hint(
                "That counts every order. Either you shuffle sales and marks together, so that nothing changes (shuffle the sales, keep the marks), or you count the orders whose difference is smaller."
            )
        if near(got, 1 + as_large) or near(got, as_large):
            raise Hint("That is a count. Divide by the number of orders, plus 1.")
        if near(got, as_large / 199):
            raise Hint(
                "The true order is not counted in. With it, (1 + count) / (1 + orders), and never 0."
            )
        if near(got, (1 + as_large) / 199) or near(got, as_large / 200):
            raise Hint(
                "The true order enters in one place only: count it above and below the line."
            )
        if (
            near(got, (1 + int((shuffled <= true + 1e-12).sum())) / 200)
            or near(got, 1 - (1 + as_large) / 200)
            or near(got, (200 - 1 - as_large) / 200)
        ):
            raise Hint(
                "You count the orders whose difference is smaller. Count those that are at least as large."
            )
        if near(got, (1 + int((shuffled.abs() >= abs(true) - 1e-12).sum())) / 200):
            raise Hint(
                "You take absolute values: that asks for a difference in either direction. Do promotions *raise* sales?"
            )
        if near(got, (1 + int((shuffled > true + 1e-12).sum())) / 200):
            raise Hint(
                'Ties are left out. "At least as large" counts an order with the same difference: >=.'
            )
        if near(got, float(true)):
            raise Hint("That is the difference itself. How often does a shuffled order reach it?")
        if near(
            got,
            (1 + int((values[orders][..., promoted].mean(-1) >= values.mean() - 1e-12).sum()))
            / 200,
        ):
            raise Hint(
                "You compare with the mean of all days. Compare with the difference in the true order."
            )
        raise Hint(
            f"With {as_large} of 199 orders at least as large it should be {(1 + as_large) / 200:.3f}; yours is {got:.3f}. Shuffle the sales, keep the marks where they are."
        )

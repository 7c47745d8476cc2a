"What the exercises on views, votes, splits and submissions accept, and what they say to mistakes."

import torch

from helpers.course.exercises import Hint, compare, exercise


def _with_views(augmented, plain, beta=0.25):
    return (1 - beta) * augmented.mean(0) + beta * plain


@exercise("16-tta", "the average of test-time augmentation")
def check_tta(with_views):
    generator = torch.Generator().manual_seed(12)
    augmented = torch.randn(4, 6, 3, generator=generator).softmax(-1)
    plain = torch.randn(6, 3, generator=generator).softmax(-1)
    compare(
        with_views,
        examples=[(augmented, plain), (augmented[:2], plain, 0.6)],
        right=_with_views,
        wrong={
            "A table like `plain` is asked for. The mean runs over the copies, dimension 0.": (
                lambda a, p, beta=0.25: (1 - beta) * a + beta * p
            ),
            "The two weights are exchanged: beta, a quarter, is the weight of the plain picture.": (
                lambda a, p, beta=0.25: beta * a.mean(0) + (1 - beta) * p
            ),
            "That is the plain mean of all five. "
            "The plain picture should weigh beta, the copies together 1 - beta.": (
                lambda a, p, beta=0.25: torch.cat([a, p[None]]).mean(0)
            ),
            "The plain predictions have not entered.": lambda a, p, beta=0.25: a.mean(0),
            "The copies have not entered.": lambda a, p, beta=0.25: p,
            "Half and half: beta is the weight of the plain predictions.": (
                lambda a, p, beta=0.25: (a.mean(0) + p) / 2
            ),
            "You take the largest over the copies. The mean is asked for.": (
                lambda a, p, beta=0.25: (1 - beta) * a.amax(0) + beta * p
            ),
            "You sum over the copies. Take their mean, or rows no longer add up to 1.": (
                lambda a, p, beta=0.25: (1 - beta) * a.sum(0) + beta * p
            ),
            "Only the first copy has entered. Take the mean over dimension 0.": (
                lambda a, p, beta=0.25: (1 - beta) * a[0] + beta * p
            ),
            "The copies should weigh 1 - beta, so that rows add up to 1.": (
                lambda a, p, beta=0.25: a.mean(0) + beta * p
            ),
            "Right for four copies and beta = 0.25, wrong for two copies and another beta. "
            "Use the argument, and count the copies.": (
                lambda a, p, beta=0.25: 0.75 * a.mean(0) + 0.25 * p,
                lambda a, p, beta=0.25: (1 - beta) * a.sum(0) / 4 + beta * p,
            ),
        },
        returns="a table like `plain`",
    )


def _overflowing_vote(logits):
    powers = logits.exp()
    return (powers / powers.sum(-1, keepdim=True)).mean(0)


@exercise("16-vote", "one net, one vote")
def check_vote(vote):
    generator = torch.Generator().manual_seed(12)
    logits = 3 * torch.randn(3, 7, 4, generator=generator)
    compare(
        vote,
        examples=[(logits,), (1000 * logits,)],
        right=lambda logits: logits.softmax(-1).mean(0),
        wrong={
            "That is still a table for each model. Take the mean over the models, dimension 0.": (
                lambda z: z.softmax(-1)
            ),
            "One answer for each picture; the probabilities of all classes are asked for, "
            "[n, classes].": lambda z: z.softmax(-1).mean(0).argmax(-1),
            "A table [n, classes] is asked for: the mean runs over dimension 0.": (
                lambda z: z.softmax(-1).mean(1),
                lambda z: z.softmax(-1).mean(-1),
            ),
            "These are mean logits. "
            "Rows should add up to 1: softmax, for each model, before the mean.": (
                lambda z: z.mean(0)
            ),
            "Probabilities now, but the mean came before the softmax: "
            "a loud net still drowns the others. Softmax first.": lambda z: z.mean(0).softmax(-1),
            "Your softmax runs over the models, so every class gets the same. "
            "It should run over the classes, the last dimension.": lambda z: z.softmax(0).mean(0),
            "Your softmax runs over the pictures. "
            "It should run over the classes, the last dimension.": lambda z: z.softmax(1).mean(0),
            "Sigmoid looks at each class alone; rows do not add up to 1. "
            "One of the classes is right: softmax.": lambda z: z.sigmoid().mean(0),
            "You sum. The mean over the models is asked for, so that rows add up to 1.": (
                lambda z: z.softmax(-1).sum(0)
            ),
            "These are mean logarithms of probabilities. Average the probabilities themselves.": (
                lambda z: z.log_softmax(-1).mean(0)
            ),
            'That is the geometric mean: one net that says "impossible" overrules all. '
            "Average the probabilities, not their logarithms.": (
                lambda z: z.log_softmax(-1).mean(0).exp()
            ),
            "You take the largest over the models. The mean is asked for.": (
                lambda z: z.softmax(-1).amax(0)
            ),
            "Right for small logits, wrong for large ones: exp overflows, and a loud net is what "
            "this is about. Subtract the largest of each row first, as in lesson 07, "
            "or use softmax.": _overflowing_vote,
        },
        returns="a table [n, classes]",
    )


def _leaks(train, held, groups):
    return torch.isin(groups[held], groups[train]).sum().item()


def _tensors_in_a_set(train, held, groups):
    return sum(group in set(groups[train]) for group in groups[held])


def _groups_on_both_sides(train, held, groups):
    return len(set(groups[held].tolist()) & set(groups[train].tolist()))


@exercise("16-leak", "the leaking split")
def check_leak(leaks):
    groups = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 4, 4])
    splits = [
        ([0, 3, 5, 6, 9], [1, 2, 4, 7, 8]),
        ([1, 2, 4, 7, 8], [0, 3, 5, 6, 9]),
        ([0, 1, 2, 6], [3, 4, 5, 7]),
        ([1, 2, 9], [0, 3]),
        ([3, 4], [0, 1, 2]),
    ]
    compare(
        leaks,
        examples=[(torch.tensor(train), torch.tensor(held), groups) for train, held in splits],
        right=_leaks,
        wrong={
            "Zero: do you compare row numbers, or look for a tensor in a set? No row is in both "
            "parts; their groups are: groups[held] and groups[train]. And a set takes two tensors "
            "of one value for different things: use .tolist() first, or torch.isin.": (
                lambda train, held, groups: torch.isin(held, train).sum(),
                _tensors_in_a_set,
            ),
            "That is a share, or a yes. The *number* of held-out rows with a look-alike in the "
            "training part is asked for.": (
                lambda train, held, groups: _leaks(train, held, groups) / len(held),
                lambda train, held, groups: torch.isin(groups[held], groups[train]).any().item(),
            ),
            "Four groups are on both sides. Count the held-out rows that lie in them: "
            "a group may hold out several.": _groups_on_both_sides,
            "You count the training rows that have a look-alike. Count the held-out ones.": (
                lambda train, held, groups: _leaks(held, train, groups)
            ),
            "You count pairs. Row 0 is one held-out row, however many look-alikes it has.": (
                lambda train, held, groups: (groups[held][:, None] == groups[train]).sum()
            ),
            "You count all held-out rows. "
            "Row 5 has no look-alike: it should not count where it is held out.": (
                lambda train, held, groups: len(held)
            ),
            "You count the held-out rows that have none. Asked for is how many have one.": (
                lambda train, held, groups: len(held) - _leaks(train, held, groups)
            ),
            "A yes or no for each row. One number is asked for: how many say yes.": (
                lambda train, held, groups: torch.isin(groups[held], groups[train])
            ),
        },
        returns="one number",
    )


def _check_order(in_order):
    "A `Hint` unless the labels come in the order of the sample."
    answers = {
        "200002.jpg": "blast",
        "200010.jpg": "hispa",
        "200001.jpg": "tungro",
        "200003.jpg": "normal",
    }
    # neither alphabetical nor as the answers
    sample = ["200003.jpg", "200001.jpg", "200010.jpg", "200002.jpg"]
    right = ["normal", "tungro", "hispa", "blast"]
    originals = (list(sample), dict(answers))
    try:
        result = in_order(sample, answers)
    except ValueError as error:
        raise Hint(
            "Nothing is missing here and nothing superfluous, and your function raises: "
            f"{error}. The order of the dictionary should not matter."
        ) from None
    if (sample, answers) != originals:
        raise Hint("You changed what the caller gave you. Work on copies.")
    if isinstance(result, dict):
        raise Hint(
            "A list of labels is asked for, in the order of the sample; you return a dictionary."
        )
    try:
        result = list(result)
    except TypeError:
        raise Hint(f"A list of labels is asked for; you returned {result!r}.") from None
    if result == list(answers.values()):
        raise Hint(
            "These are the labels in the order of the dictionary. "
            "The sample decides the order: look each of its names up."
        )
    if result == [answers[name] for name in sorted(sample)]:
        raise Hint(
            "These are the labels in alphabetical order of the names. The sample decides "
            "the order, and nobody promises that it is alphabetical."
        )
    if result == sorted(right):
        raise Hint("You sorted the labels; now nobody knows whose they are.")
    if result == sample:
        raise Hint("These are the names. Their labels are asked for.")
    if result != right:
        raise Hint(f"It should be {right}; yours is {result}.")
    return sample, answers


def _check_refusal(in_order, what, sample, answers, name):
    "A `Hint` unless the function raises a ValueError that names this name alone."
    try:
        result = in_order(sample, answers)
    except ValueError as error:
        if name not in str(error):
            raise Hint(
                f"{what} is refused, as it should be. Let the message name it: "
                f'{name} does not occur in "{error}".'
            ) from None
        if all(other in str(error) for other in {*sample, *answers}):
            raise Hint(
                f"{what} is refused, as it should be, but the message lists every name. "
                f"Let it name {name} alone."
            ) from None
        return
    except KeyError:
        raise Hint(
            f"{what} ends in a KeyError. "
            "Look for such names first, and raise a ValueError that names it."
        ) from None
    raise Hint(
        f"{what} should be refused; your function returns {result}. "
        "Raise a ValueError that names it."
    )


@exercise("16-submission", "a submission without gaps", "sample, answers")
def check_submission(in_order):
    sample, answers = _check_order(in_order)
    fewer = {name: label for name, label in answers.items() if name != "200001.jpg"}
    _check_refusal(in_order, "A name of the sample that has no answer", sample, fewer, "200001.jpg")
    _check_refusal(
        in_order,
        "An answer that belongs to no name of the sample",
        sample[:3],
        answers,
        "200002.jpg",
    )
    _check_refusal(
        in_order,
        "One answer too few and one too many (as many as names, but the wrong ones)",
        sample[:3],
        fewer,
        "200001.jpg",
    )

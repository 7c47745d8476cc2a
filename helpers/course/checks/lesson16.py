"What the exercises on views, votes, splits and submissions accept, and what they say to each mistake."

import torch

from helpers.course.exercises import Hint, exercise, near


@exercise("16-tta", "the average of test-time augmentation")
def check_tta(with_views):
    generator = torch.Generator().manual_seed(12)
    augmented, plain = (
        torch.randn(4, 6, 3, generator=generator, dtype=torch.float64).softmax(-1),
        torch.randn(6, 3, generator=generator, dtype=torch.float64).softmax(-1),
    )
    kept, mean = (augmented.clone(), plain.clone()), augmented.mean(0)
    got = torch.as_tensor(with_views(augmented, plain))
    if not torch.equal(augmented, kept[0]) or not torch.equal(plain, kept[1]):
        raise Hint("You changed the tensors of the caller. Make new ones.")
    if got.shape != plain.shape:
        raise Hint(
            f"A table like `plain` is asked for, {list(plain.shape)}; yours has shape {list(got.shape)}. The mean runs over the copies, dimension 0."
        )
    if near(got, 0.25 * mean + 0.75 * plain):
        raise Hint(
            "The two weights are exchanged: beta, a quarter, is the weight of the plain picture."
        )
    if near(got, (augmented.sum(0) + plain) / 5):
        raise Hint(
            "That is the plain mean of all five. The plain picture should weigh beta, the copies together 1 - beta."
        )
    if near(got, mean):
        raise Hint("The plain predictions have not entered.")
    if near(got, plain):
        raise Hint("The copies have not entered.")
    if near(got, (mean + plain) / 2):
        raise Hint("Half and half: beta is the weight of the plain predictions.")
    if near(got, 0.75 * augmented.amax(0) + 0.25 * plain):
        raise Hint("You take the largest over the copies. The mean is asked for.")
    if near(got, 0.75 * augmented.sum(0) + 0.25 * plain):
        raise Hint("You sum over the copies. Take their mean, or rows no longer add up to 1.")
    if near(got, 0.75 * augmented[0] + 0.25 * plain):
        raise Hint("Only the first copy has entered. Take the mean over dimension 0.")
    if near(got, mean + 0.25 * plain):
        raise Hint("The copies should weigh 1 - beta, so that rows add up to 1.")
    if not near(got, 0.75 * mean + 0.25 * plain):
        raise Hint(
            f"The first row should be {[round(v, 4) for v in (0.75 * mean + 0.25 * plain)[0].tolist()]}; yours is {[round(float(v), 4) for v in got[0]]}."
        )
    if not near(
        torch.as_tensor(with_views(augmented[:2], plain, 0.6)),
        0.4 * augmented[:2].mean(0) + 0.6 * plain,
    ):
        raise Hint(
            "Right for four copies and beta = 0.25, wrong for two copies and another beta. Use the argument, and count the copies."
        )


@exercise("16-vote", "one net, one vote")
def check_vote(vote):
    generator = torch.Generator().manual_seed(12)
    logits = 3 * torch.randn(3, 7, 4, generator=generator, dtype=torch.float64)
    kept, right = logits.clone(), logits.softmax(-1).mean(0)
    got = torch.as_tensor(vote(logits))
    if not torch.equal(logits, kept):
        raise Hint("You changed the logits of the caller. Make new tensors.")
    if got.shape == logits.shape:
        raise Hint(
            "That is still a table for each model. Take the mean over the models, dimension 0."
        )
    if got.shape == logits.shape[1:2]:
        raise Hint(
            "One answer for each picture; the probabilities of all classes are asked for, [n, classes]."
        )
    if got.shape != right.shape:
        raise Hint(
            f"A table [n, classes] = {list(right.shape)} is asked for; yours has shape {list(got.shape)}. The mean runs over dimension 0."
        )
    if near(got, logits.mean(0)):
        raise Hint(
            "These are mean logits. Rows should add up to 1: softmax, for each model, before the mean."
        )
    if near(got, logits.mean(0).softmax(-1)):
        raise Hint(
            "Probabilities now, but the mean came before the softmax: a loud net still drowns the others. Softmax first."
        )
    if near(got, logits.softmax(0).mean(0)):
        raise Hint(
            "Your softmax runs over the models, so every class gets the same. It should run over the classes, the last dimension."
        )
    if near(got, logits.softmax(1).mean(0)):
        raise Hint(
            "Your softmax runs over the pictures. It should run over the classes, the last dimension."
        )
    if near(got, logits.sigmoid().mean(0)):
        raise Hint(
            "Sigmoid looks at each class alone; rows do not add up to 1. One of the classes is right: softmax."
        )
    if near(got, logits.softmax(-1).sum(0)):
        raise Hint("You sum. The mean over the models is asked for, so that rows add up to 1.")
    if near(got, logits.log_softmax(-1).mean(0)):
        raise Hint(
            "These are mean logarithms of probabilities. Average the probabilities themselves."
        )
    if near(got, logits.log_softmax(-1).mean(0).exp()):
        raise Hint(
            'That is the geometric mean: one net that says "impossible" overrules all. Average the probabilities, not their logarithms.'
        )
    if near(got, logits.softmax(-1).amax(0)):
        raise Hint("You take the largest over the models. The mean is asked for.")
    if not near(got, right):
        raise Hint(
            f"The first row should be {[round(v, 4) for v in right[0].tolist()]}; yours is {[round(float(v), 4) for v in got[0]]}."
        )
    if not near(torch.as_tensor(vote(1000 * logits)), (1000 * logits).softmax(-1).mean(0)):
        raise Hint(
            "Right for small logits, wrong for large ones: exp overflows, and a loud net is what this is about. Subtract the largest of each row first, as in lesson 07, or use softmax."
        )


@exercise("16-leak", "the leaking split")
def check_leak(leaks):
    groups = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 4, 4])

    def asked(train, held):
        got = leaks(torch.tensor(train), torch.tensor(held), groups.clone())
        try:
            return float(got)
        except (TypeError, ValueError, RuntimeError):
            raise Hint(f"One number is asked for; you returned {type(got).__name__}.") from None

    train, held = [0, 3, 5, 6, 9], [1, 2, 4, 7, 8]
    got = asked(train, held)
    if got == 0:
        raise Hint(
            "Zero: do you compare row numbers, or look for a tensor in a set? No row is in both parts; their groups are: groups[held] and groups[train]. And a set takes two tensors of one value for different things: use .tolist() first, or torch.isin."
        )
    if got == 1.0:
        raise Hint(
            "That is a share, or a yes. The *number* of held-out rows with a look-alike in the training part is asked for."
        )
    if got == 4:
        raise Hint(
            "Four groups are on both sides. Count the held-out rows that lie in them: a group may hold out several."
        )
    if asked([1, 2, 9], [0]) == 2:
        raise Hint(
            "You count pairs, or training rows. Row 0 is one held-out row, however many look-alikes it has."
        )
    if got == 5 and asked([1, 2, 4, 7, 8], [0, 3, 5, 6, 9]) == 5:
        raise Hint(
            "You count all held-out rows. Row 5 has no look-alike: it should not count where it is held out."
        )
    if got != 5:
        raise Hint(
            f"All 5 held-out rows have a look-alike among the training rows here; yours is {got:g}."
        )
    got = asked([0, 1, 2, 6], [3, 4, 5, 7])
    if got == 3:
        raise Hint("You count the held-out rows that have none. Asked for is how many have one.")
    if got != 1:
        raise Hint(
            f"With rows 0, 1, 2, 6 to train on and 3, 4, 5, 7 held out, one row (7) has a look-alike in training; yours is {got:g}."
        )
    if (got := asked([1, 2, 9], [0, 3])) != 1:
        raise Hint(
            f"With rows 1, 2, 9 to train on and 0, 3 held out, it should be 1; yours is {got:g}."
        )
    if asked([3, 4], [0, 1, 2]) != 0:
        raise Hint("A split without look-alikes on both sides should give 0.")


@exercise("16-submission", "a submission without gaps")
def check_submission(in_order):
    answers = {
        "200002.jpg": "blast",
        "200010.jpg": "hispa",
        "200001.jpg": "tungro",
        "200003.jpg": "normal",
    }
    sample = [
        "200003.jpg",
        "200001.jpg",
        "200010.jpg",
        "200002.jpg",
    ]  # neither alphabetical nor as the answers
    right, kept = ["normal", "tungro", "hispa", "blast"], (list(sample), dict(answers))
    try:
        got = in_order(sample, answers)
    except ValueError as error:
        raise Hint(
            f"Nothing is missing here and nothing superfluous, and your function raises: {error}. The order of the dictionary should not matter."
        ) from None
    if (sample, answers) != kept:
        raise Hint("You changed what the caller gave you. Work on copies.")
    if isinstance(got, dict):
        raise Hint(
            "A list of labels is asked for, in the order of the sample; you return a dictionary."
        )
    try:
        got = list(got)
    except TypeError:
        raise Hint(f"A list of labels is asked for; you returned {got!r}.") from None
    if got == list(answers.values()):
        raise Hint(
            "These are the labels in the order of the dictionary. The sample decides the order: look each of its names up."
        )
    if got == [answers[name] for name in sorted(sample)]:
        raise Hint(
            "These are the labels in alphabetical order of the names. The sample decides the order, and nobody promises that it is alphabetical."
        )
    if got == sorted(right):
        raise Hint("You sorted the labels; now nobody knows whose they are.")
    if got == sample:
        raise Hint("These are the names. Their labels are asked for.")
    if got != right:
        raise Hint(f"It should be {right}; yours is {got}.")

    def refused(what, sample, answers, name):
        try:
            got = in_order(sample, answers)
        except ValueError as error:
            if name not in str(error):
                raise Hint(
                    f'{what} is refused, as it should be. Let the message name it: {name} does not occur in "{error}".'
                ) from None
            if all(each in str(error) for each in {*sample, *answers}):
                raise Hint(
                    f"{what} is refused, as it should be, but the message lists every name. Let it name {name} alone."
                ) from None
            return
        except KeyError:
            raise Hint(
                f"{what} ends in a KeyError. Look for such names first, and raise a ValueError that names it."
            ) from None
        raise Hint(
            f"{what} should be refused; your function returns {got}. Raise a ValueError that names it."
        )

    refused(
        "A name of the sample that has no answer",
        sample,
        {name: label for name, label in answers.items() if name != "200001.jpg"},
        "200001.jpg",
    )
    refused("An answer that belongs to no name of the sample", sample[:3], answers, "200002.jpg")
    refused(
        "One answer too few and one too many (as many as names, but the wrong ones)",
        sample[:3],
        {name: label for name, label in answers.items() if name != "200001.jpg"},
        "200001.jpg",
    )

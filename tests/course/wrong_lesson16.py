"Plausible wrong answers to the exercises of lesson 16."

import torch


def in_place(a, p, beta=0.25):
    a[0] *= 0
    return (1 - beta) * a.mean(0) + beta * p


def labels(sample, answers):
    return [answers[name] for name in sample]


def only_missing(sample, answers):
    if missing := [name for name in sample if name not in answers]:
        raise ValueError(f"missing: {missing}")
    return labels(sample, answers)


def counted(sample, answers):
    if len(sample) != len(answers):
        raise ValueError(f"{set(sample) ^ set(answers)}")
    return [answers.get(name, "normal") for name in sample]


def silent(sample, answers):
    if set(sample) != set(answers):
        raise ValueError("something is wrong")
    return labels(sample, answers)


def strict(sample, answers):
    if sample != list(answers):
        raise ValueError("order")
    return labels(sample, answers)


def alphabetical(sample, answers):
    if set(sample) != set(answers):
        raise ValueError(f"{set(sample) ^ set(answers)}")
    return [answers[name] for name in sorted(sample)]


def everything(sample, answers):
    if set(sample) != set(answers):
        raise ValueError(f"{sample} and {list(answers)} differ")
    return labels(sample, answers)


def emptied(sample, answers):
    return [answers.pop(name) for name in sample]


WRONG = {
    "16-tta": [
        (lambda a, p, beta=0.25: beta * a.mean(0) + (1 - beta) * p, "exchanged"),
        (lambda a, p, beta=0.25: torch.cat([a, p[None]]).mean(0), "all five"),
        (lambda a, p, beta=0.25: a.mean(0), "plain predictions have not"),
        (lambda a, p, beta=0.25: p, "copies have not"),
        (lambda a, p, beta=0.25: (a.mean(0) + p) / 2, "Half and half"),
        (lambda a, p, beta=0.25: (1 - beta) * a.amax(0) + beta * p, "largest"),
        (lambda a, p, beta=0.25: (1 - beta) * a.sum(0) + beta * p, "You sum"),
        (lambda a, p, beta=0.25: 0.75 * a.mean(0) + 0.25 * p, "another beta"),
        (lambda a, p, beta=0.25: (1 - beta) * a.sum(0) / 4 + beta * p, "count the copies"),
        (lambda a, p, beta=0.25: (1 - beta) * a + beta * p, "over the copies"),
        (lambda a, p, beta=0.25: (1 - beta) * a[0] + beta * p, "first copy"),
        (lambda a, p, beta=0.25: a.mean(0) + beta * p, "1 - beta"),
        (in_place, "changed the tensors"),
    ],
    "16-vote": [
        (lambda z: z.mean(0), "mean logits"),
        (lambda z: z.mean(0).softmax(-1), "before the softmax"),
        (lambda z: z.softmax(0).mean(0), "over the models, so"),
        (lambda z: z.softmax(1).mean(0), "over the pictures"),
        (lambda z: z.sigmoid().mean(0), "Sigmoid"),
        (lambda z: z.softmax(-1).sum(0), "You sum"),
        (lambda z: z.softmax(-1), "each model"),
        (lambda z: z.softmax(-1).mean(0).argmax(-1), "One answer"),
        (lambda z: z.log_softmax(-1).mean(0), "mean logarithms"),
        (lambda z: z.log_softmax(-1).mean(0).exp(), "geometric"),
        (lambda z: z.softmax(-1).amax(0), "largest"),
        (lambda z: z.softmax(-1).mean(1), "dimension 0"),
        (lambda z: (z.exp() / z.exp().sum(-1, keepdim=True)).mean(0), "overflows"),
        (lambda z: z.sub_(z.amax(-1, keepdim=True)).softmax(-1).mean(0), "changed the logits"),
    ],
    "16-leak": [
        (lambda t, h, g: torch.isin(h, t).sum().item(), "row numbers"),
        (lambda t, h, g: torch.isin(g[h], g[t]).float().mean().item(), "a share"),
        (lambda t, h, g: len(set(g[h].tolist()) & set(g[t].tolist())), "Four groups"),
        (lambda t, h, g: torch.isin(g[t], g[h]).sum().item(), "Four groups"),
        (lambda t, h, g: (~torch.isin(g[h], g[t])).sum().item(), "row numbers"),
        (lambda t, h, g: len(h), "all held-out rows"),
        (lambda t, h, g: (g[h][:, None] == g[t]).sum().item(), "pairs"),
        (lambda t, h, g: sum(x in set(g[t]) for x in g[h]), "a tensor in a set"),
        (lambda t, h, g: torch.isin(g[h], g[t]), "One number"),
        (lambda t, h, g: torch.isin(g[h], g[t]).any().item(), "a yes"),
    ],
    "16-submission": [
        (lambda s, a: list(a.values()), "order of the dictionary"),
        (labels, "KeyError"),
        (only_missing, "belongs to no name"),
        (lambda s, a: [a.get(name) for name in s], "no answer"),
        (lambda s, a: [a.get(name, "normal") for name in s], "no answer"),
        (counted, "the wrong ones"),
        (silent, "name it"),
        (strict, "should not matter"),
        (alphabetical, "alphabetical order"),
        (everything, "every name"),
        (emptied, "changed what"),
        (lambda s, a: {name: a[name] for name in s}, "a dictionary"),
        (lambda s, a: sorted(a.values()), "sorted"),
        (lambda s, a: list(s), "the names"),
    ],
}

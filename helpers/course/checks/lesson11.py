"What the exercises on recommendations accept, and what they say to each mistake."

import pandas as pd
import torch

from helpers.course.exercises import Hint, NotYet, compare, exercise, read_entry


def _ndcg_of(gain, worth=None, best=None):
    "NDCG of a list of stars, made of its three parts."

    def ndcg_of_stars(stars):
        places = torch.arange(len(stars)) + 1.0
        worths = worth(places) if worth else 1 / torch.log2(places + 1)
        gains = gain(stars)
        ideal = best(gains, stars) if best else gains.sort(descending=True).values
        return (gains * worths).sum() / (ideal * worths).sum()

    return ndcg_of_stars


def _power(stars):
    return 2.0**stars - 1


def _dcg(stars):
    return (_power(stars) / torch.log2(torch.arange(len(stars)) + 2.0)).sum()


def _ndcg_of_stars(stars):
    return _ndcg_of(_power)(stars)


@exercise("11-ndcg", "NDCG of a list with stars")
def check_ndcg(ndcg_of_stars):
    compare(
        ndcg_of_stars,
        examples=[
            (torch.tensor([0.0, 5, 0, 2, 4]),),
            (torch.tensor([3.0, 1, 4, 0, 5, 2]),),
            (torch.tensor([5.0, 4, 0]),),
        ],
        right=_ndcg_of_stars,
        wrong={
            "You took the stars themselves as gains. The gain is 2 to the power of the stars, "
            "minus 1.": _ndcg_of(lambda stars: stars),
            "The minus 1 is missing: a film without stars should gain nothing.": _ndcg_of(
                lambda stars: 2.0**stars
            ),
            "You squared the stars. The gain is 2 to the power of the stars, minus 1.": (
                _ndcg_of(lambda stars: stars**2),
                _ndcg_of(lambda stars: stars**2 - 1),
            ),
            "That is the DCG. Divide it by the DCG of the same films in the best order.": _dcg,
            "Your ideal list has five stars on each place. It should hold the *same* films, "
            "the best first.": _ndcg_of(
                _power, best=lambda gains, stars: torch.full_like(gains, 31.0)
            ),
            "Your ideal list has the worst film first. Sort the gains in descending order.": (
                _ndcg_of(_power, best=lambda gains, stars: gains.sort().values)
            ),
            "The other way up: divide the DCG of the list by that of the ideal list.": (
                lambda stars: 1 / _ndcg_of_stars(stars)
            ),
            "You divided by the place. Divide by the logarithm of the place plus 1.": _ndcg_of(
                _power, worth=lambda place: 1 / place
            ),
            "The first place counts 1 / log2(2). Yours begins with log2(3): "
            "the places are numbered from 1.": _ndcg_of(
                _power, worth=lambda place: 1 / torch.log2(place + 2)
            ),
            "In your ideal list only the best film has a gain. It holds all films of the list.": (
                lambda stars: _dcg(stars) / _power(stars).max()
            ),
            "All places count alike in yours. A film counts its gain over the logarithm of the "
            "place plus 1.": (
                _ndcg_of(_power, worth=torch.ones_like),
                lambda stars: _power(stars).mean() / _power(stars).max(),
            ),
        },
        returns="one number, from 0 to 1",
    )


def _filled(value):
    "The best five, with the rated ones set to a value."

    def five_unseen(stars, rated):
        stars = stars.clone()
        stars[rated] = value
        return stars.topk(5).indices.tolist()

    return five_unseen


_five_unseen = _filled(-torch.inf)


def _ascending(stars, rated):
    stars = stars.clone()
    stars[rated] = -torch.inf
    return stars.argsort()[:5].tolist()


def _left_over(stars, rated):
    "The stars of the films that were not rated, and their row numbers."
    rows = [n for n in range(len(stars)) if n not in rated.tolist()]
    return stars[rows], rows


def _struck_out_afterwards(stars, rated):
    return [n for n in stars.topk(5).indices.tolist() if n not in rated.tolist()]


def _fewest(stars, rated):
    return _five_unseen(-stars, rated)


def _unsorted(stars, rated):
    return sorted(_five_unseen(stars, rated))


@exercise("11-recommend", "five unseen films")
def check_recommend(five_unseen):
    stars = torch.tensor([3.1, 4.9, 2.0, 4.1, 4.8, 3.9, 1.2, 4.4, 3.3, 2.7])
    more = torch.tensor([4.2, 2.1, 4.0, 1.9, 2.5, 3.8, 4.6, 3.5, 2.2])
    logits = torch.tensor([-1.2, 2.1, -0.4, -3.1, 0.7, -2.5, 1.6, -0.9])
    compare(
        five_unseen,
        examples=[
            (stars, torch.tensor([1, 7, 9])),
            (more, torch.tensor([0, 5])),
            (logits, torch.tensor([1, 4])),
        ],
        right=_five_unseen,
        wrong={
            "Some of yours have been rated already. "
            "Set their scores to minus infinity, in a copy, before you look for the best.": (
                lambda stars, rated: stars.topk(5).indices.tolist()
            ),
            "0 is not small enough: where scores are negative, a rated film comes before an unseen "
            "one. Set it to minus infinity.": (_filled(0.0), _filled(-1.0)),
            "The rated films are struck out, and then yours begins with the *smallest*: it lists "
            "them first. `argsort` and `sort` need `descending=True`.": _ascending,
            "Infinity puts the rated films first. It should be minus infinity.": _filled(torch.inf),
            "Fewer than five: you took the best five first and struck out the rated ones "
            "afterwards. Strike out first.": _struck_out_afterwards,
            "The right five, with the best last.": (
                lambda stars, rated: _five_unseen(stars, rated)[::-1]
            ),
            "The right five in another order. Best first.": _unsorted,
            "These are the five with the lowest scores.": _fewest,
            "These are the scores. "
            "The row numbers are asked for: `topk` and `argsort` give them too.": (
                lambda stars, rated: _left_over(stars, rated)[0].topk(5).values
            ),
            "These are positions in the list without the rated films. "
            "The others have moved up in it; number them as they were.": (
                lambda stars, rated: _left_over(stars, rated)[0].topk(5).indices
            ),
            "These are all unseen films. The best five are asked for.": (
                lambda stars, rated: _left_over(stars, rated)[1],
            ),
        },
        returns="a list of five row numbers",
    )


def _lists(take):
    "Lists from masked scores."

    def ten_best(scores, rated):
        return take(scores.masked_fill(rated > 0, -torch.inf))

    return ten_best


def _ten_best(scores, rated):
    return _lists(lambda unseen: unseen.topk(10).indices)(scores, rated)


_BEST_LAST = (
    "The ten films are the right ones, which is all that precision sees. In which order are they? "
    "Look at the scores of one list, and change the function in the cell above."
)


@exercise("11-bug", "a bug in a list, found by its symptom")
def check_bug(ten_best):
    generator = torch.Generator().manual_seed(0)
    examples = []
    for members, films in ((3, 30), (12, 40)):
        scores = torch.rand(members, films, generator=generator)
        rated = torch.rand(members, films, generator=generator) < 0.15
        examples.append((scores, rated))
    compare(
        ten_best,
        examples=examples,
        right=_ten_best,
        wrong={
            _BEST_LAST: _lists(lambda unseen: unseen.argsort(dim=1)[:, -10:]),
            "Now these are the ten *worst*, with those that are rated among them: in descending "
            "order the best ten are the first, not the last.": (
                _lists(lambda unseen: unseen.argsort(dim=1, descending=True)[:, -10:]),
                _lists(lambda unseen: unseen.argsort(dim=1)[:, :10]),
            ),
            "Now the members have changed places. Turn each list round: `flip(1)`.": _lists(
                lambda unseen: unseen.argsort(dim=1)[:, -10:].flip(0)
            ),
            "The ten films stand in the order of their row numbers now. Best first.": _lists(
                lambda unseen: unseen.topk(10).indices.sort(dim=1).values
            ),
            "Films that were rated already are on your lists now. Keep the first line.": (
                lambda scores, rated: scores.topk(10).indices
            ),
            "These are scores. The lists should hold row numbers: `topk(10).indices`.": _lists(
                lambda unseen: unseen.topk(10).values
            ),
            "You sort along the members. Sort along the films: dim=1.": _lists(
                lambda unseen: unseen.argsort(dim=0, descending=True)[:, :10]
            ),
            "You turned the whole order round before you cut it, and then took the last ten.": (
                _lists(lambda unseen: unseen.argsort(dim=1).flip(1)[:, -10:])
            ),
        },
        returns="row numbers, [members, 10]",
        as_found=_BEST_LAST,
    )


def _newcomer_row(factors, residuals, penalty):
    left = factors.T @ factors + penalty * torch.eye(factors.shape[1])
    return torch.linalg.solve(left, factors.T @ residuals)


def _ridge(square):
    "Ridge regression with another penalty on its diagonal."

    def newcomer_row(factors, residuals, penalty):
        left = factors.T @ factors + square(penalty, len(residuals)) * torch.eye(factors.shape[1])
        return torch.linalg.solve(left, factors.T @ residuals)

    return newcomer_row


@exercise("11-fold", "a newcomer folded in")
def check_fold(newcomer_row):
    generator = torch.Generator().manual_seed(0)
    examples = []
    for films, width, penalty in ((5, 3, 2.0), (2, 4, 0.5), (6, 6, 3.0)):
        factors = torch.randn(films, width, generator=generator)
        examples.append((factors, torch.randn(films, generator=generator), penalty))
    compare(
        newcomer_row,
        examples=examples,
        right=_newcomer_row,
        wrong={
            "That is the sum of the films' rows, weighted by the residuals. The equations have "
            "a left side, too: (VᵀV + λI) u = Vᵀr.": lambda v, r, penalty: v.T @ r,
            "The penalty is missing from the equations. With fewer ratings than factors they "
            "have no single answer without it.": _ridge(lambda penalty, n: 1e-6),
            "The penalty is not used: you added 1 to the diagonal.": _ridge(lambda penalty, n: 1.0),
            "You squared the penalty. In the sum it stands as it is.": (
                _ridge(lambda penalty, n: penalty**2)
            ),
            "Your error is a mean, so the penalty counts n times as much. It should be a sum.": (
                _ridge(lambda penalty, n: penalty * n)
            ),
            "The 2 of the derivative belongs to both parts, so it cancels.": (
                _ridge(lambda penalty, n: 2 * penalty),
                _ridge(lambda penalty, n: penalty / 2),
            ),
            "You added the penalty to every number of the matrix. Add it to the diagonal: "
            "`penalty * torch.eye(k)`.": (
                lambda v, r, penalty: torch.linalg.solve(v.T @ v + penalty, v.T @ r)
            ),
            "The penalty has the wrong sign: it is added to the diagonal.": (
                _ridge(lambda penalty, n: -penalty)
            ),
            "You divided by the diagonal alone, as if the factors had nothing in common. Solve the "
            "equations: `torch.linalg.solve`.": (
                lambda v, r, penalty: (v.T @ r) / ((v**2).sum(0) + penalty)
            ),
            "That is the mean of the films' rows, weighted by the residuals. Set the derivative to "
            "zero, and solve for u.": lambda v, r, penalty: v.T @ r / (len(r) + penalty),
            "These are the predictions for the films that were rated. The row u is asked for.": (
                lambda v, r, penalty: v @ _newcomer_row(v, r, penalty)
            ),
            "The sign is the other way round: VᵀV u = Vᵀr, without a minus.": (
                lambda v, r, penalty: -_newcomer_row(v, r, penalty)
            ),
        },
        tolerance=1e-4,
        returns="a row of k numbers",
    )


def model_table() -> pd.DataFrame:  # a row for each kind of model
    "What four kinds of models can do, for the exercise."
    columns = [
        "NDCG at 10",
        "newcomer, k = 0",
        "predicts stars",
        "numbers in memory",
    ]
    rows = {
        "popularity": ["0.17", "one list for all", "no", "items"],
        "stars (lecture, SVD++)": [
            "0.12",
            "one list for all, by the films' biases",
            "yes",
            "(users + items) · 40, SVD++ (users+2 items) · 40",
        ],
        "factors (sampled, ALS)": [
            "0.36 to 0.37",
            "none",
            "no",
            "(users + items) · 32 to 40",
        ],
        "linear": [
            "0.37",
            "none; with mean row a little above popularity",
            "no",
            "items · items",
        ],
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


_MODELS = ("popularity", "stars", "factors", "linear")
_BEST_FOR = {"A": "linear", "B": "factors", "C": "popularity", "D": "stars"}
_FROM_COUNTS = (
    "C: nothing is known of a visitor, so no purchases can be joined to one person. Which one can "
    "be made from counts alone?"
)
_WHY_NOT = {
    "A": {
        "popularity": "A: the members are known, with 60 liked films each. Which models use that?",
        "stars": "A: they want a list. Look at NDCG.",
        "factors": "A: factors do as well. But the number of factors has to be chosen, and they "
        "begin with a random start. Read what the club wishes.",
    },
    "B": {
        "popularity": "B: with 100 liked songs of each listener one can do better than one list "
        "for all.",
        "stars": "B: they want a list of songs. Look at NDCG.",
        "linear": "B: how many numbers does that table have with 3,000,000 songs, and how many "
        "bytes are they?",
    },
    "C": dict.fromkeys(("stars", "factors", "linear"), _FROM_COUNTS),
    "D": {
        "popularity": "D: the question is how many stars. Who predicts them?",
        "factors": "D: these models give scores for a list, no stars.",
        "linear": "D: these scores say what somebody will like, and not how many stars they give.",
    },
}


@exercise("11-choose", "which model for which club")
def check_choose(best_for):
    if not isinstance(best_for, dict) or set(best_for) != set(_BEST_FOR):
        raise Hint("Give a word for each of A, B, C and D.")
    words = {club: str(word).strip().lower() for club, word in best_for.items()}
    for club, word in words.items():
        if word not in _MODELS:
            raise Hint(f"{club}: each answer is one of {', '.join(_MODELS)}.")
    for club in "ABCD":
        if words[club] in _WHY_NOT[club]:
            raise Hint(_WHY_NOT[club][words[club]])
    return ""


def _mean_ndcg(scores, rated, relevant):
    "Mean NDCG at 10 over the members with something relevant."
    ranked = scores.masked_fill(rated, -torch.inf).topk(10).indices
    worth = 1 / torch.log2(torch.arange(10) + 2.0)
    counts = relevant.sum(1).clamp(max=10)
    there = counts > 0
    found = relevant.gather(1, ranked).float() @ worth
    return (found[there] / worth.cumsum(0)[counts[there] - 1]).mean().item()


def _numbered(ratings):
    "Row numbers of member and film [n, 2], stars [n], and how many of both there are."
    user, users = pd.factorize(ratings.user)
    item, items = pd.factorize(ratings.item)
    pairs = torch.stack([torch.from_numpy(user), torch.from_numpy(item)], 1)
    stars = torch.tensor(ratings.rating.to_numpy(), dtype=torch.float32)
    return pairs.long(), stars, (len(users), len(items))


def _marked(pairs, shape):
    marks = torch.zeros(shape, dtype=torch.bool)
    marks[pairs[:, 0], pairs[:, 1]] = True
    return marks


def _read_scores(scores, shape):
    "The scores as a tensor; a `Hint` where they cannot be ranked."
    if not torch.is_tensor(scores):
        raise Hint(f"`my_scores` should return a tensor. It returned {type(scores).__name__}.")
    scores = scores.detach().cpu().float()
    if scores.shape != shape:
        raise Hint(
            f"`my_scores` should return scores of shape {list(shape)}, a row for each member and "
            f"a column for each film. Yours are {list(scores.shape)}."
        )
    if scores.isnan().any():
        raise Hint("Some of your scores are nan. Did a training explode?")
    return scores


@exercise("11-own", "better lists than popularity")
def check_own(entry):
    films, my_scores = read_entry(entry, "my_scores", data="movielens")
    if callable(films):
        films = films("100k")
    torch.set_num_threads(1)  # nothing here gains from a second core
    all_pairs, all_stars, shape = _numbered(films.ratings)
    order = torch.randperm(len(all_stars), generator=torch.Generator().manual_seed(2026))
    held_out, train = order.tensor_split([len(order) // 5])
    pairs, stars = all_pairs[train], all_stars[train]
    rated = _marked(pairs, shape)
    relevant = _marked(all_pairs[held_out[all_stars[held_out] >= 4]], shape)
    torch.manual_seed(0)
    try:
        scores = my_scores(pairs.clone(), stars.clone(), *shape)
    except NotImplementedError:
        raise NotYet("Write the function in the cell above, and run the cell again.") from None
    own = _mean_ndcg(_read_scores(scores, shape), rated, relevant)
    popularity = _mean_ndcg(rated.float().sum(0).expand(shape), rated, relevant)
    bar = 2 if films.name.startswith("MovieLens") else 1.15
    score = (
        f"NDCG at 10: yours {own:.3f}, popularity {popularity:.3f}. "
        f"That is {own / popularity:.2f} times as good."
    )
    if own >= bar * popularity:
        return f"{score} Can you get higher?"
    if own < 0.9 * popularity:
        raise Hint(
            f"{score} Is a large score a good film in yours? And does your model learn which films "
            "people choose, or how many stars they give?"
        )
    if own < 1.05 * popularity:
        raise Hint(f"{score} That is about popularity. Use what the single member has liked.")
    raise Hint(f"{score} {bar} times is asked for. Which knob have you not turned yet?")

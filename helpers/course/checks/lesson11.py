"What the exercise on recommendations accepts, and what it says to each mistake."

import torch

from helpers.course.exercises import compare, exercise


def _five_unseen(stars, rated):
    stars = stars.clone()
    stars[rated] = -torch.inf
    return stars.topk(5).indices.tolist()


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
    compare(
        five_unseen,
        examples=[(stars, torch.tensor([1, 7, 9])), (more, torch.tensor([0, 5]))],
        right=_five_unseen,
        wrong={
            "Some of yours have been rated already. "
            "Set their stars to minus infinity, in a copy, before you look for the best.": (
                lambda stars, rated: stars.topk(5).indices.tolist()
            ),
            "Fewer than five: you took the best five first and struck out the rated ones "
            "afterwards. Strike out first.": _struck_out_afterwards,
            "The right five, with the best last.": (
                lambda stars, rated: _five_unseen(stars, rated)[::-1]
            ),
            "The right five in another order. Best first.": _unsorted,
            "These are the five with the fewest stars.": _fewest,
            "These are the stars. "
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

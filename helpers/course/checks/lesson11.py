"What the exercise on recommendations accepts, and what it says to each mistake."

import torch

from helpers.course.exercises import Hint, exercise, near


@exercise("11-recommend", "five unseen films")
def check_recommend(five_unseen):
    stars, rated = (
        torch.tensor([3.1, 4.9, 2.0, 4.1, 4.8, 3.9, 1.2, 4.4, 3.3, 2.7]),
        torch.tensor([1, 7, 9]),
    )
    kept, right = stars.clone(), [4, 3, 5, 8, 0]
    got = five_unseen(stars, rated)
    if not torch.equal(stars, kept):
        raise Hint("You changed the predictions of the caller. Work on a copy: `stars.clone()`.")
    if not isinstance(got, (list, tuple, torch.Tensor)):
        raise Hint(f"A list of row numbers is asked for; you returned {type(got).__name__}.")
    got = [float(g) for g in got]
    if near(
        got, sorted(stars[[n for n in range(10) if n not in (1, 7, 9)]].tolist(), reverse=True)[:5]
    ):
        raise Hint(
            "These are the stars. The row numbers are asked for: `topk` and `argsort` give them too."
        )
    if set(got) & {1.0, 7.0, 9.0}:
        raise Hint(
            "Some of yours have been rated already. Set their stars to minus infinity, in a copy, before you look for the best."
        )
    if got == [4.0, 3.0, 5.0]:
        raise Hint(
            "Only three: you took the best five first and struck out the rated ones afterwards. Strike out first."
        )
    if len(got) != 5:
        raise Hint(f"Five are asked for; you returned {len(got)}.")
    if got == [float(n) for n in reversed(right)]:
        raise Hint("The right five, with the best last.")
    if got == [6.0, 2.0, 0.0, 8.0, 5.0]:
        raise Hint("These are the five with the fewest stars.")
    if got == [3.0, 2.0, 4.0, 6.0, 0.0]:
        raise Hint(
            "These are positions in the list without the rated films. The others have moved up in it; number them as they were."
        )
    if got != [float(n) for n in right] and sorted(got) == sorted(map(float, right)):
        raise Hint("The right five in another order. Best first.")
    if got != [float(n) for n in right]:
        raise Hint(
            f"For the stars {', '.join(f'{s:.1f}' for s in stars.tolist())} with films 1, 7 and 9 rated it should be {right}; yours is {[int(g) for g in got]}."
        )

"What the exercises of the lessons accept, and what they say to each mistake."

import numpy as np

# x of the 29 points, in their order. `helpers.sheet` has them too; a check may not import it.
_SHEET = "14 86 28 51 28 29 72 62 84 15 42 62 47 35 9 38 44 99 13 21 28 20 8 64 99 70 27 17 8"


def points() -> tuple:  # x and y, float64 [29]
    "The points of lessons 01 and 04, for their checks."
    x = np.array(_SHEET.split(), dtype=float)
    return x, 2 * x + 30

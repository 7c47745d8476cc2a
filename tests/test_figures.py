"Names beside points: all that have room are placed, none covers another or leaves the axes."
import itertools

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use('agg')
import matplotlib.pyplot as plt

from helpers.figures import axes, image_grid, labelled_scatter


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close('all')


def boxes(ax):
    "Where the names really are, in pixels."
    ax.figure.canvas.draw()
    return [text.get_window_extent() for text in ax.texts]


@pytest.mark.parametrize('shift', [0, -5, 100])
def test_most_names_find_a_place(shift):
    "Whatever the range of the data: limits are settled before names are placed."
    x, y = np.random.default_rng(0).normal(size=(2, 40)) + shift
    ax = labelled_scatter(x, y, [f'name {n}' for n in range(40)])
    assert len(ax.texts) >= 32
    assert len(ax.collections[0].get_offsets()) == 40


def test_names_neither_overlap_nor_leave_the_axes():
    x, y = np.random.default_rng(1).normal(size=(2, 60))
    ax = labelled_scatter(x, y, [f'a longer name {n}' for n in range(60)])
    found = boxes(ax)
    assert 15 < len(found) < 60, 'some find no room'
    overlap = [(a, b) for a, b in itertools.combinations(found, 2) if min(a.x1, b.x1) - max(a.x0, b.x0) > 3 and min(a.y1, b.y1) - max(a.y0, b.y0) > 3]
    assert overlap == []
    frame = ax.get_window_extent()
    assert all(box.x0 > frame.x0 - 15 and box.x1 < frame.x1 + 15 for box in found)


def test_first_names_come_first():
    ax = labelled_scatter([0, 0, 1], [0, 0, 1], ['first', 'second', ''], ax=axes())
    assert ax.texts[0].get_text() == 'first' and all(text.get_text() for text in ax.texts)


def test_grid_of_colours():
    "Bytes and shares give the same picture, in the right colours and shape."
    pictures = torch.zeros(2, 3, 8, 4, dtype=torch.uint8)
    pictures[1, 2] = 255  # blue
    for given in (pictures, pictures/255):
        shown = image_grid(given, cols=2)[0, 1].images[0].get_array()
        assert shown.shape == (8, 4, 3) and tuple(shown[0, 0]) == (0, 0, 1)

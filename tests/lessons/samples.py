"Small things to try the files of the lessons on: a table of ratings, a net for digits."

import pandas as pd
import torch
from torch import nn


def ratings(n=12):
    "A small table: users and items with gaps, stars 1 to 5."
    rows = []
    for item in (40, 10, 30):
        for user in (7, 3, 5, 9):
            rows.append((user, item, 1.0 + (user + item // 10) % 5))
    return pd.DataFrame(rows[:n], columns=["user", "item", "rating"])


def digits_net(seed=0):
    "A net for pictures of 784 pixels, with a hidden layer."
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(784, 20), nn.ReLU(), nn.Linear(20, 10))

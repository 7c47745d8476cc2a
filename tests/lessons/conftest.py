"Fixtures that the tests of several lessons share."

import pytest
import torch
from samples import ratings

from helpers.collab import DotProduct, RatingTable
from helpers.data.digits import stand_in_digits


@pytest.fixture(scope="module")
def digits():
    return stand_in_digits()


@pytest.fixture
def data():
    return RatingTable(ratings())


@pytest.fixture
def model(data):
    torch.manual_seed(0)
    model = DotProduct(len(data.users), len(data.items), 3, y_range=(0, 5.5), mean=3.0, std=1.0)
    torch.nn.init.normal_(model.user_tables[1].weight)
    torch.nn.init.normal_(model.item_tables[1].weight)
    return model.to(data.batches(slice(None)).device)

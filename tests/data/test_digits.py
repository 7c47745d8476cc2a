"The digits: MNIST read right, or a stand-in that says so and whose parts share no digit."

import gzip

import numpy as np
import pytest
import sklearn.datasets
import torch
from file_server import ARRAYS, FILES, idx, switches
from sklearn.utils import Bunch

from helpers.data.digits import mnist, read_idx, stand_in_digits


def parts(digits):
    return digits.train, digits.valid, digits.test


# MNIST


def check_part(part, pictures, labels):
    x, y = part
    assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
    assert torch.equal(x, torch.from_numpy(pictures).flatten(1).float() / 255)
    assert torch.equal(y, torch.from_numpy(labels).long())


@pytest.mark.parametrize("offline", ["require-real", "allow-stand-in"])
def test_download_then_cache(server, tmp_path, monkeypatch, capsys, offline):
    switches(tmp_path, monkeypatch, offline=offline)
    digits = mnist()
    x, y, test_x, test_y = ARRAYS
    check_part(digits.train, x[:50_000], y[:50_000])
    check_part(digits.valid, x[50_000:], y[50_000:])
    check_part(digits.test, test_x, test_y)
    assert (digits.name, digits.note) == ("MNIST", "")
    assert digits.source.startswith(f"download from {server.mirror()}")
    sizes = "50,000 / 10,000 / 10,000 digits for training / validation / test"
    assert capsys.readouterr().out == f"MNIST: {sizes} ({digits.source})\n"
    assert server.asked == [f"/first/{name}" for name in FILES]
    folder = tmp_path / "data" / "cache" / "mnist"
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert mnist().source == "cache"
    assert len(server.asked) == len(FILES)


@pytest.mark.real
def test_real_mnist(real_data, monkeypatch):
    switches(real_data, monkeypatch, offline="require-real")
    digits = mnist()
    assert (digits.name, digits.source) == ("MNIST", "data folder")
    for (x, y), size in zip(parts(digits), (50_000, 10_000, 10_000)):
        assert (x.dtype, x.shape) == (torch.float32, (size, 784))
        assert (y.dtype, y.shape) == (torch.int64, (size,))
        assert (x.min(), x.max(), len(y.unique())) == (0, 1, 10)
    assert digits.train[1][:5].tolist() == [5, 0, 4, 1, 9]
    assert digits.test[1][:5].tolist() == [7, 2, 1, 0, 4]
    assert not (real_data / "data").exists()


# The IDX format


def test_read_idx(tmp_path):
    path = tmp_path / "some.gz"
    for shape in [(5,), (3, 4), (2, 3, 4)]:
        array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        path.write_bytes(idx(array))
        numbers = read_idx(path)
        assert numbers.dtype == np.uint8
        np.testing.assert_array_equal(numbers, array, strict=True)


NOT_IDX = {
    "text": gzip.compress(b"hello"),
    "floats": gzip.compress(b"\x00\x00\x0d\x01\x00\x00\x00\x04abcd"),
    "empty": gzip.compress(b""),
    "not gzip": b"hello",
    "gzip cut off": idx(np.zeros(9, np.uint8))[:-12],
    "too few numbers": gzip.compress(b"\x00\x00\x08\x01\x00\x00\x00\x09abc"),
}


@pytest.mark.parametrize("content", NOT_IDX.values(), ids=NOT_IDX)
def test_not_idx(tmp_path, content):
    (tmp_path / "wrong.gz").write_bytes(content)
    with pytest.raises(ValueError, match="wrong.gz is not an IDX file.*Remove it"):
        read_idx(tmp_path / "wrong.gz")


# The stand-in


def test_stand_in():
    digits = stand_in_digits(note="why")
    assert [len(y) for _, y in parts(digits)] == [8082, 1350, 1350]
    for x, y in parts(digits):
        assert (x.dtype, x.shape) == (torch.float32, (len(y), 784))
        assert y.dtype == torch.int64
        assert x.min() == 0 and 0.9 < x.max() <= 1
        assert x.amax(1).min() > 0.3, "no picture is empty"
        assert y.max() == 9 and y.bincount().min() > 30
    assert (digits.name, digits.note) == ("stand-in digits", "why")
    sizes = "8,082 / 1,350 / 1,350 digits for training / validation / test"
    assert str(digits) == f"stand-in digits: {sizes} ({digits.source})"


def test_stand_in_is_always_the_same():
    torch.manual_seed(1)
    first = stand_in_digits()
    torch.manual_seed(2)
    second = stand_in_digits()
    for (x, y), (x_again, y_again) in zip(parts(first), parts(second)):
        assert torch.equal(x, x_again) and torch.equal(y, y_again)
    other = stand_in_digits(seed=1)
    assert not torch.equal(first.train[0], other.train[0])


def test_stand_in_leaves_the_random_numbers_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    stand_in_digits(copies=1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("copies", [1, 6, 7])
def test_no_digit_falls_into_two_parts(monkeypatch, copies):
    # Each source digit is one even grey of its own: turned and scaled, its brightest pixel
    # still says which it was.
    count = 1797
    grey = 16 * np.arange(1, count + 1) / count
    images = np.broadcast_to(grey[:, None, None], (count, 8, 8))
    small = Bunch(images=images, target=np.arange(count) % 10)
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda: small)
    digits = stand_in_digits(copies)
    sources = []
    for x, y in parts(digits):
        source = (x.amax(1) * count).round().long() - 1
        assert torch.equal(source % 10, y)
        sources.append(source)
    assert torch.equal(torch.cat(sources).bincount(), torch.full((count,), copies))
    train, valid, test = (set(source.tolist()) for source in sources)
    assert not (train & valid or train & test or valid & test)


def test_copies_of_a_digit_differ():
    x, y = stand_in_digits().train
    for first in (0, 600):
        copies = slice(first, first + 6)
        assert len(x[copies].unique(dim=0)) == 6
        assert len(y[copies].unique()) == 1

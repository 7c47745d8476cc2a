"Finding, downloading and checking data: every fault that a network, a disk or a second process can bring, on a server of our own."

import gzip
import json
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import sklearn.datasets
import torch
from file_server import ARRAYS, FILES, FIRST, idx, md5, switches
from shared import ROOT, closed_port
from sklearn.utils import Bunch
from torchvision.datasets import MNIST

import helpers.data.find
from helpers.course.files import replacing
from helpers.data.digits import mnist, read_idx, stand_in_digits
from helpers.data.find import DataUnavailable, RemoteFile, locate
from helpers.sheet import points

REAL = os.environ.get("HELPERS_DATA")
SHIPPED_PATIENCE = helpers.data.find.PATIENCE


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "data" / "cache" / "mnist"


@pytest.fixture
def strict(server, tmp_path, monkeypatch):
    switches(tmp_path, monkeypatch, offline="require-real")


def remote(server, *names):
    "The files as `locate` wants them."
    return [
        RemoteFile(name, "md5:" + md5(FILES[name]), (server.mirror() + name,))
        for name in names or FILES
    ]


def fill(folder):
    "Put the small MNIST into a folder."
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)


def check_cache(folder, left_over=0):
    "Every file under a final name is whole, and there are no others but so many that were left over."
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    for name in set(names) & set(FILES):
        assert (folder / name).read_bytes() == FILES[name], f"{name} is damaged"
    assert len(set(names) - set(FILES)) == left_over, names
    return set(names) & set(FILES)


def same(part, pictures, labels):
    x, y = part
    assert (x.dtype, y.dtype, tuple(x.shape)) == (
        torch.float32,
        torch.int64,
        (len(labels), pictures[0].size),
    )
    assert torch.equal(x, torch.from_numpy(pictures).flatten(1).float() / 255) and torch.equal(
        y, torch.from_numpy(labels).long()
    )


# Nothing goes wrong


@pytest.mark.parametrize("offline", ["require-real", "allow-stand-in"])
def test_download_then_cache(server, cache, tmp_path, monkeypatch, capsys, offline):
    switches(tmp_path, monkeypatch, offline=offline)
    digits = mnist()
    x, y, test_x, test_y = ARRAYS
    same(digits.train, x[:50_000], y[:50_000])
    same(digits.valid, x[50_000:], y[50_000:])
    same(digits.test, test_x, test_y)
    assert (digits.name, digits.note) == ("MNIST", "")
    assert digits.source.startswith(f"download from {server.mirror()}")
    assert (
        capsys.readouterr().out
        == f"MNIST: 50,000 / 10,000 / 10,000 digits for training / validation / test ({digits.source})\n"
    )
    assert server.asked == [f"/first/{name}" for name in FILES]
    assert check_cache(cache) == set(FILES)
    assert mnist().source == "cache"
    assert len(server.asked) == len(FILES)


def test_data_folder_comes_first(server, cache, tmp_path, monkeypatch):
    fill(tmp_path / "mine" / "mnist")
    fill(cache)
    switches(tmp_path, monkeypatch, data_folder="mine")
    assert locate("mnist", remote(server)) == (tmp_path / "mine" / "mnist", "data folder")
    digits = mnist()
    assert (digits.name, digits.source, server.asked) == ("MNIST", "data folder", [])


def test_cache_comes_second(server, cache, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    fill(cache)
    switches(tmp_path, monkeypatch, data_folder="mine")
    assert locate("mnist", remote(server)) == (cache, "cache")
    assert server.asked == []


def test_only_what_is_missing_is_fetched(server, strict, cache):
    names = list(FILES)
    server.faults[names[2]] = "404"
    with pytest.raises(DataUnavailable, match=names[2]):
        mnist()
    assert check_cache(cache) == set(names[:2])
    server.faults.clear()
    server.asked.clear()
    mnist()
    assert server.asked == [f"/first/{name}" for name in names[2:]]


def test_progress_is_shown_to_those_who_watch(server, monkeypatch, capsys):
    monkeypatch.setattr(helpers.course.settings, "interactive", lambda: True)
    server.faults[FIRST] = "slow"
    locate("mnist", remote(server, FIRST))
    assert re.search(rf"{FIRST}: +[1-9]\d%", capsys.readouterr().err)


def test_download_is_silent_otherwise(server, capfd):
    locate("mnist", remote(server))
    assert capfd.readouterr() == ("", "")


# The network fails

FAULTS = {
    "wrong": "damaged (wrong checksum)",
    "cut": "the connection broke off in the middle of the file",
    "404": "the server answered 404 Not Found",
    "500": "the server answered 500 Internal Server Error",
    "refused": "no connection",
    "silent": "no answer within 1 second",
    "half": "no answer within 1 second",
    "drip": "too slow",
}


def check_message(message, reason, mirror, folder):
    for words in (reason, f"{mirror}{FIRST}", *FILES, f"into the folder {folder} "):
        assert words in message


@pytest.mark.parametrize("offline", ["require-real", "allow-stand-in"])
@pytest.mark.parametrize("fault", FAULTS)
def test_network_fault(server, cache, tmp_path, monkeypatch, capsys, fault, offline):
    switches(tmp_path, monkeypatch, offline=offline)
    server.faults[FIRST] = fault
    mirror = server.mirror()
    if fault == "refused":
        mirror = MNIST.mirrors[0] = f"http://127.0.0.1:{closed_port()}/first/"
    start = time.perf_counter()
    if offline == "require-real":
        with pytest.raises(DataUnavailable) as caught:
            mnist()
        message, printed = str(caught.value), ""
    else:
        digits = mnist()
        assert digits.name == "stand-in digits"
        message, printed = (
            digits.note,
            f"{digits}. MNIST itself was not to be had; `.note` says why and where to put it.\n",
        )
    assert time.perf_counter() - start < 8
    assert capsys.readouterr().out == printed
    check_message(message, FAULTS[fault], mirror, cache)
    assert check_cache(cache) == set()


def test_second_mirror(server, strict, cache):
    MNIST.mirrors.append(server.mirror("second"))
    server.faults["first"] = "404"
    digits = mnist()
    assert digits.source.startswith(f"download from {server.mirror('second')}")
    assert server.asked[:2] == [f"/first/{FIRST}", f"/second/{FIRST}"]
    assert check_cache(cache) == set(FILES)


def test_every_mirror_is_named(server, strict, cache):
    MNIST.mirrors.append(server.mirror("second"))
    server.faults.update(first="404", second="wrong")
    with pytest.raises(DataUnavailable) as caught:
        mnist()
    check_message(str(caught.value), FAULTS["404"], server.mirror(), cache)
    check_message(str(caught.value), FAULTS["wrong"], server.mirror("second"), cache)
    assert check_cache(cache) == set()


def test_shipped_patience():
    assert 5 <= SHIPPED_PATIENCE <= 30


# The disk fails


@pytest.mark.parametrize("offline", ["require-real", "allow-stand-in"])
def test_cache_that_cannot_be_written(server, cache, tmp_path, monkeypatch, offline):
    switches(tmp_path, monkeypatch, offline=offline)
    (tmp_path / "data").write_text("a file where the folder should be")
    if offline == "require-real":
        with pytest.raises(DataUnavailable) as caught:
            mnist()
        message = str(caught.value)
    else:
        digits = mnist()
        assert digits.name == "stand-in digits"
        message = digits.note
    check_message(message, "the cache cannot be written", server.mirror(), cache)


@pytest.mark.parametrize("up", [True, False])
def test_cache_cut_off_in_the_middle(server, strict, cache, up):
    fill(cache)
    (cache / FIRST).write_bytes(FILES[FIRST][:1000])
    if up:
        assert mnist().source == f"download from {server.mirror()}{FIRST}"
        assert check_cache(cache) == set(FILES)
    else:
        server.faults["first"] = "500"
        with pytest.raises(DataUnavailable, match="500"):
            mnist()
        assert check_cache(cache) == set(FILES) - {FIRST}


@pytest.mark.parametrize(
    "fault, words", [("damaged", "damaged (wrong checksum)"), ("missing", "not there")]
)
def test_damaged_data_folder(server, cache, tmp_path, monkeypatch, fault, words):
    mine = tmp_path / "mine" / "mnist"
    fill(mine)
    if fault == "missing":
        (mine / FIRST).unlink()
    else:
        (mine / FIRST).write_bytes(b"not a picture")
    switches(tmp_path, monkeypatch, data_folder="mine", offline="require-real")
    server.faults["first"] = "404"
    with pytest.raises(DataUnavailable) as caught:
        mnist()
    check_message(str(caught.value), f"{mine / FIRST}: {words}", server.mirror(), mine)
    server.faults.clear()
    digits = mnist()
    assert digits.name == "MNIST" and digits.source.startswith("download from")
    assert check_cache(cache) == set(FILES)
    if fault == "damaged":
        assert (
            mine / FIRST
        ).read_bytes() == b"not a picture"  # the learner's own folder is not touched


@pytest.mark.parametrize(
    "place",
    ["mnist", "somebodys-data/mnist", "datasets/somebody/mnist", "datasets/somebody/data/mnist"],
)
def test_inputs_of_a_kaggle_notebook(server, cache, tmp_path, monkeypatch, place):
    "A data set attached there is found, whole, before anything is downloaded; one that is not whole is passed over, and named."
    switches(tmp_path, monkeypatch, offline="require-real")
    monkeypatch.setenv("HELPERS_KAGGLE_INPUT", str(tmp_path / "input"))
    attached = tmp_path / "input" / place
    fill(attached)
    assert (
        locate("mnist", remote(server)) == (attached, "Kaggle's input")
        and mnist().source == "Kaggle's input"
        and server.asked == []
    )
    (attached / FIRST).unlink()
    server.faults["first"] = "404"
    with pytest.raises(DataUnavailable) as caught:
        mnist()
    check_message(str(caught.value), f"{attached / FIRST}: not there", server.mirror(), cache)


def test_without_pooch(server, cache, tmp_path, monkeypatch):
    "What is here is read and checked; what is not here says why it cannot be fetched, or gives way to the stand-in."
    monkeypatch.setitem(sys.modules, "pooch", None)
    switches(tmp_path, monkeypatch, offline="require-real")
    with pytest.raises(DataUnavailable) as caught:
        mnist()
    check_message(
        str(caught.value),
        f"{FIRST}: pooch, which fetches it, is not installed (pip install pooch)",
        server.mirror(),
        cache,
    )
    switches(tmp_path, monkeypatch)
    assert mnist().name == "stand-in digits" and server.asked == [] and not check_cache(cache)
    for name, content in FILES.items():
        (cache / name).write_bytes(content)
    assert mnist().source == "cache"
    (cache / FIRST).write_bytes(b"not a picture")
    assert mnist().name == "stand-in digits"


def test_old_leftovers_are_swept(server, cache):
    fill(cache)
    for name, age in [("tmpold", 7200), ("tmpnew", 60)]:
        (cache / name).write_bytes(b"half")
        os.utime(cache / name, (time.time() - age,) * 2)
    (cache / FIRST).unlink()
    locate("mnist", remote(server))
    assert (cache / "tmpnew").exists() and not (cache / "tmpold").exists()


# A second process

RUN = """
import json, sys
from helpers.data.find import locate, RemoteFile
files = [RemoteFile(name, checksum, tuple(urls)) for name, checksum, urls in json.loads(sys.argv[1])]
print('ready', flush=True)
sys.stdin.readline()
print(locate('mnist', files)[1], flush=True)
"""


def process(server, *names):
    "A process that waits for a line before it looks for the files."
    files = json.dumps([(file.name, file.checksum, file.urls) for file in remote(server, *names)])
    return subprocess.Popen(
        [sys.executable, "-c", RUN, files],
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def go(*processes):
    for each in processes:
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        each.stdin.write("\n")
        each.stdin.flush()


def test_two_processes_at_once(server, cache):
    server.faults["first"] = "together"  # each file is served only when both have asked for it
    both = [process(server), process(server)]
    go(*both)
    for each in both:
        out, err = each.communicate(timeout=60)
        assert (each.returncode, err) == (0, "")
        assert out.startswith("download from")
    assert len(server.asked) == 2 * len(FILES)
    assert check_cache(cache) == set(FILES)


def test_killed_in_the_middle(server, strict, cache):
    server.faults["first"] = "half"
    victim = process(server, FIRST)
    go(victim)
    end = time.time() + 30
    while not any(cache.glob("tmp*")):  # it may still be empty: Python writes in large pieces
        assert time.time() < end and victim.poll() is None
        time.sleep(0.01)
    victim.kill()
    victim.communicate()
    assert check_cache(cache, left_over=1) == set()
    server.faults.clear()
    assert mnist().name == "MNIST"
    assert check_cache(cache, left_over=1) == set(FILES)


def test_leftover_that_vanishes_while_we_look(server, cache):
    cache.mkdir(parents=True)
    (cache / "tmpgone").symlink_to(
        cache / "nowhere"
    )  # listed, but gone when it is looked at, as when another process has just finished
    assert locate("mnist", remote(server))[1].startswith("download from")


def test_file_of_another_process_is_kept(server, cache, monkeypatch):
    def finished_elsewhere(path, checksum):
        path.write_bytes(FILES[FIRST])  # it comes just after it was found missing
        return False

    cache.mkdir(parents=True)
    monkeypatch.setattr(helpers.data.find, "_whole", finished_elsewhere)
    locate("mnist", remote(server, FIRST))
    assert server.asked == []
    assert check_cache(cache) == {FIRST}


# The IDX format


def test_read_idx(tmp_path):
    for shape in [(5,), (3, 4), (2, 3, 4)]:
        array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        (tmp_path / "some.gz").write_bytes(idx(array))
        found = read_idx(tmp_path / "some.gz")
        assert found.dtype == np.uint8 and found.shape == shape
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b"hello"),
        gzip.compress(b"\x00\x00\x0d\x01\x00\x00\x00\x04abcd"),
        gzip.compress(b""),
        b"hello",
        idx(np.zeros(9, np.uint8))[:-12],
        gzip.compress(b"\x00\x00\x08\x01\x00\x00\x00\x09abc"),
    ],
    ids=["text", "floats", "empty", "not gzip", "gzip cut off", "too few numbers"],
)
def test_not_idx(tmp_path, content):
    (tmp_path / "wrong.gz").write_bytes(content)
    with pytest.raises(ValueError, match="wrong.gz"):
        read_idx(tmp_path / "wrong.gz")


# The stand-in


def test_stand_in():
    digits = stand_in_digits(note="why")
    parts = (digits.train, digits.valid, digits.test)
    assert [len(y) for _, y in parts] == [8082, 1350, 1350]
    for x, y in parts:
        assert (x.dtype, y.dtype, x.shape) == (torch.float32, torch.int64, (len(y), 784))
        assert x.min() == 0 and 0.9 < x.max() <= 1 and x.amax(1).min() > 0.3
        assert y.max() == 9 and y.bincount().min() > 30
    assert (digits.name, digits.note) == ("stand-in digits", "why")
    assert (
        str(digits)
        == f"stand-in digits: 8,082 / 1,350 / 1,350 digits for training / validation / test ({digits.source})"
    )


def test_stand_in_is_always_the_same():
    torch.manual_seed(1)
    one = stand_in_digits()
    torch.manual_seed(2)
    two, other = stand_in_digits(), stand_in_digits(seed=1)
    for part in ("train", "valid", "test"):
        for a, b in zip(getattr(one, part), getattr(two, part)):
            assert torch.equal(a, b)
    assert not torch.equal(one.train[0], other.train[0])


def test_stand_in_leaves_the_random_numbers_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    stand_in_digits(copies=1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("copies", [1, 6, 7])
def test_no_digit_falls_into_two_parts(monkeypatch, copies):
    # Each source digit is one even grey of its own: turned and scaled, its brightest pixel still says which it was.
    count = 1797
    images = np.broadcast_to(16 * (1 + np.arange(count))[:, None, None] / count, (count, 8, 8))
    monkeypatch.setattr(
        sklearn.datasets, "load_digits", lambda: Bunch(images=images, target=np.arange(count) % 10)
    )
    digits = stand_in_digits(copies)
    found = [
        (x.amax(1) * count).round().long() - 1 for x, _ in (digits.train, digits.valid, digits.test)
    ]
    for source, (_, y) in zip(found, (digits.train, digits.valid, digits.test)):
        assert torch.equal(source % 10, y)
    assert torch.equal(torch.cat(found).bincount(), torch.full((count,), copies))
    train, valid, test = (set(source.tolist()) for source in found)
    assert not (train & valid or train & test or valid & test)


def test_copies_of_a_digit_differ():
    x, y = stand_in_digits().train
    for first in (0, 600):
        assert (
            len(x[first : first + 6].unique(dim=0)) == 6 and len(y[first : first + 6].unique()) == 1
        )


# The points, and the real digits


def test_points():
    x, y = points()
    assert (x.dtype, x.shape, y.shape) == (np.float64, (29,), (29,))
    assert x[:4].tolist() == [14, 86, 28, 51] and x[-2:].tolist() == [17, 8] and x.sum() == 1220
    np.testing.assert_array_equal(y, 2 * x + 30)


@pytest.mark.real
@pytest.mark.skipif(not REAL, reason="HELPERS_DATA is not set")
def test_real_mnist(tmp_path, monkeypatch):
    switches(tmp_path, monkeypatch, offline="require-real")
    monkeypatch.setenv("HELPERS_DATA", REAL)
    digits = mnist()
    assert (digits.name, digits.source) == ("MNIST", "data folder")
    for (x, y), size in zip((digits.train, digits.valid, digits.test), (50_000, 10_000, 10_000)):
        assert (x.dtype, y.dtype, x.shape, y.shape) == (
            torch.float32,
            torch.int64,
            (size, 784),
            (size,),
        )
        assert (x.min(), x.max(), len(y.unique())) == (0, 1, 10)
    assert digits.train[1][:5].tolist() == [5, 0, 4, 1, 9]
    assert digits.test[1][:5].tolist() == [7, 2, 1, 0, 4]
    assert not (tmp_path / "data").exists()


def test_replacing_a_file(tmp_path):
    "A link stays a link, and the file that it leads to is the new one."
    path, link = tmp_path / "file.txt", tmp_path / "link.txt"
    with replacing(path) as unfinished:
        unfinished.write_text("old")
    link.symlink_to(path)
    with pytest.raises(KeyboardInterrupt):
        with replacing(link) as unfinished:
            unfinished.write_text("ne")
            raise KeyboardInterrupt
    assert path.read_text() == "old"
    with replacing(link) as unfinished:
        unfinished.write_text("new")
    assert (
        path.read_text() == "new" and link.is_symlink() and set(tmp_path.iterdir()) == {path, link}
    )

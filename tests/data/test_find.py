"""Finding, downloading and checking data, with a server of our own.

Every fault that a network, a disk or a second process can bring, with the small MNIST as example.
"""

import json
import os
import re
import subprocess
import sys
import time

import pytest
from file_server import FILES, FIRST, md5, switches
from shared import ROOT, closed_port
from torchvision.datasets import MNIST

import helpers.course.settings
import helpers.data.find
from helpers.data.digits import mnist
from helpers.data.find import (
    DataUnavailable,
    RemoteFile,
    data_folders,
    locate,
    real_or_stand_in,
)

SHIPPED_PATIENCE = helpers.data.find.PATIENCE


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "data" / "cache" / "mnist"


@pytest.fixture
def strict(server, tmp_path, monkeypatch):
    switches(tmp_path, monkeypatch, offline="require-real")


def remote(server, *names):
    "The files as `locate` takes them."
    files = []
    for name in names or FILES:
        checksum = "md5:" + md5(FILES[name])
        files.append(RemoteFile(name, checksum, (server.mirror() + name,)))
    return files


def fill(folder):
    "Put the small MNIST into a folder."
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)


def check_cache(folder, left_over=0):
    "Every file under a final name is whole; so many others were left over. The final names."
    names = set()
    if folder.is_dir():
        names = {path.name for path in folder.iterdir()}
    final = names & set(FILES)
    for name in final:
        assert (folder / name).read_bytes() == FILES[name], f"{name} is damaged"
    assert len(names - final) == left_over, names
    return final


# Nothing goes wrong


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


def reason_of_mnist(offline):
    "Why MNIST was not to be had: from the error, or the stand-in's note; and what is printed."
    if offline == "require-real":
        with pytest.raises(DataUnavailable) as caught:
            mnist()
        return str(caught.value), ""
    digits = mnist()
    assert digits.name == "stand-in digits"
    absent = "MNIST itself was not to be had; `.note` says why and where to put it."
    return digits.note, f"{digits}. {absent}\n"


@pytest.mark.parametrize("offline", ["require-real", "allow-stand-in"])
@pytest.mark.parametrize("fault", FAULTS)
def test_network_fault(server, cache, tmp_path, monkeypatch, capsys, fault, offline):
    switches(tmp_path, monkeypatch, offline=offline)
    server.faults[FIRST] = fault
    mirror = server.mirror()
    if fault == "refused":
        mirror = MNIST.mirrors[0] = f"http://127.0.0.1:{closed_port()}/first/"
    start = time.perf_counter()
    message, printed = reason_of_mnist(offline)
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
    message, _ = reason_of_mnist(offline)
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
    assert digits.name == "MNIST"
    assert digits.source.startswith("download from")
    assert check_cache(cache) == set(FILES)
    if fault == "damaged":
        assert digits.source.endswith(f"; damaged in the data folder: {FIRST}")
        content = (mine / FIRST).read_bytes()
        assert content == b"not a picture", "the learner's own folder is not touched"


@pytest.mark.parametrize(
    "path",
    ["mnist", "somebodys-data/mnist", "datasets/somebody/mnist", "datasets/somebody/data/mnist"],
)
def test_inputs_of_a_kaggle_notebook(server, cache, tmp_path, monkeypatch, path):
    "What is attached there comes before a download; what is not whole there is named."
    switches(tmp_path, monkeypatch, offline="require-real")
    monkeypatch.setenv("HELPERS_KAGGLE_INPUT", str(tmp_path / "input"))
    attached = tmp_path / "input" / path
    fill(attached)
    assert locate("mnist", remote(server)) == (attached, "Kaggle's input")
    assert mnist().source == "Kaggle's input"
    assert server.asked == []
    (attached / FIRST).unlink()
    server.faults["first"] = "404"
    with pytest.raises(DataUnavailable) as caught:
        mnist()
    check_message(str(caught.value), f"{attached / FIRST}: not there", server.mirror(), cache)


def test_without_pooch(server, cache, tmp_path, monkeypatch):
    "What is here is read and checked; what is not says why, or gives way to the stand-in."
    monkeypatch.setitem(sys.modules, "pooch", None)
    switches(tmp_path, monkeypatch, offline="require-real")
    with pytest.raises(DataUnavailable) as caught:
        mnist()
    reason = f"{FIRST}: pooch, which fetches it, is not installed (pip install pooch)"
    check_message(str(caught.value), reason, server.mirror(), cache)
    switches(tmp_path, monkeypatch)
    assert mnist().name == "stand-in digits"
    assert server.asked == []
    assert check_cache(cache) == set()
    for name, content in FILES.items():
        (cache / name).write_bytes(content)
    assert mnist().source == "cache"
    (cache / FIRST).write_bytes(b"not a picture")
    assert mnist().name == "stand-in digits"


def test_old_leftovers_are_swept(server, cache):
    fill(cache)
    for name, age in [("tmpold", 7200), ("tmpnew", 60)]:
        (cache / name).write_bytes(b"half")
        then = time.time() - age
        os.utime(cache / name, (then, then))
    (cache / FIRST).unlink()
    locate("mnist", remote(server))
    assert (cache / "tmpnew").exists()
    assert not (cache / "tmpold").exists()


# A second process

RUN = """
import json, sys
from helpers.data.find import locate, RemoteFile
files = []
for name, checksum, urls in json.loads(sys.argv[1]):
    files.append(RemoteFile(name, checksum, tuple(urls)))
print("ready", flush=True)
sys.stdin.readline()
folder, source = locate("mnist", files)
print(source, flush=True)
"""


def process(server, *names):
    "A process that waits for a line before it looks for the files."
    files = [(file.name, file.checksum, file.urls) for file in remote(server, *names)]
    return subprocess.Popen(
        [sys.executable, "-c", RUN, json.dumps(files)],
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
    # the file may still be empty: Python writes in large pieces
    while not any(cache.glob("tmp*")):
        assert time.time() < end and victim.poll() is None
        time.sleep(0.01)
    victim.kill()
    victim.communicate()
    assert check_cache(cache, left_over=1) == set()
    server.faults.clear()
    assert mnist().name == "MNIST"
    assert check_cache(cache, left_over=1) == set(FILES)


def test_leftover_that_vanishes_while_we_look(server, cache):
    "It is listed, but gone when it is looked at: another process has just finished."
    cache.mkdir(parents=True)
    (cache / "tmpgone").symlink_to(cache / "nowhere")
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


# The order of folders, and the stand-in


def test_folders_of_a_data_set(tmp_path, monkeypatch, server):
    "The data folder first, then Kaggle's inputs; in each the name to prefer first."
    (tmp_path / "mine").mkdir()
    switches(tmp_path, monkeypatch, data_folder="mine")
    monkeypatch.setenv("HELPERS_KAGGLE_INPUT", str(tmp_path / "input"))
    for path in ("two", "somebody/one"):
        (tmp_path / "input" / path).mkdir(parents=True)
    assert data_folders("one", "two") == [
        (tmp_path / "mine" / "one", "data folder"),
        (tmp_path / "mine" / "two", "data folder"),
        (tmp_path / "input" / "somebody" / "one", "Kaggle's input"),
        (tmp_path / "input" / "two", "Kaggle's input"),
    ]


def missing():
    raise DataUnavailable("The post office is closed.")


def unwanted(note):
    pytest.fail("the stand-in was asked for")


def test_what_is_real_is_announced(server, capsys):
    data = real_or_stand_in(lambda: "letters", unwanted, "The letters were not to be had")
    assert data == "letters"
    assert capsys.readouterr().out == "letters\n"


def test_a_stand_in_is_announced_with_a_word(server, capsys):
    data = real_or_stand_in(missing, lambda note: note, "The letters were gone", it="them")
    assert data == "The post office is closed."
    line = f"{data}. The letters were gone; `.note` says why and where to put them.\n"
    assert capsys.readouterr().out == line


def test_a_stand_in_may_be_refused(server, strict, capsys):
    with pytest.raises(DataUnavailable, match="closed"):
        real_or_stand_in(missing, unwanted, "The letters were gone")
    assert capsys.readouterr().out == ""


def test_another_error_is_no_reason_for_a_stand_in(server):
    with pytest.raises(ValueError, match="spoilt"):
        real_or_stand_in(spoilt, unwanted, "The letters were gone")


def spoilt():
    raise ValueError("spoilt")

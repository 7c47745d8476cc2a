"The set-up cell of the lessons, the authors' tools, and made folders in which others keep files."

import hashlib
import subprocess
import sys

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from shared import ROOT, SINGLE_FILES, code_cells, read, stem

from publish import __main__ as tools
from publish import lessons as publish
from publish.lessons import SET_UP, WRITTEN, is_set_up, set_up, write_folder

# --- the first code cell

RUN = """
import sys

class Shell:
    def run_line_magic(self, name, line):
        print('fetches', name, line)
        if {online}:
            sys.path.insert(0, {course!r})

get_ipython = Shell
sys.path.insert(0, {folder!r})
exec({source!r})
found = importlib.util.find_spec('helpers.course.exercises')
print('helpers.course.exercises' if found else '')
"""


def first_cell(folder, online):
    "Run the cell where nothing is installed; the lines it printed, and its error."
    source = TransformerManager().transform_cell(SET_UP.format(address="https://x.org/course"))
    names = dict(online=online, course=str(ROOT), folder=str(folder), source=source)
    command = [sys.executable, "-I", "-S", "-c", RUN.format(**names)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.stdout.splitlines(), done.stderr.strip().splitlines()[-1:]


@pytest.fixture(params=["nothing", "module", "package", "broken", "folder"])
def occupied(request, tmp_path):
    "A folder in which nothing is called helpers, or something of somebody else's."
    folder = tmp_path / "here"
    folder.mkdir()
    if request.param == "module":
        (folder / "helpers.py").write_text("mine = 1\n")
    if request.param in ("package", "broken"):
        (folder / "helpers").mkdir()
        text = "print 'made for another Python'\n" if request.param == "broken" else ""
        (folder / "helpers" / "__init__.py").write_text(text)
    if request.param == "folder":
        (folder / "helpers").mkdir()
    return folder


FETCH = 'fetches pip install --quiet "git+https://x.org/course"'


def test_package_is_fetched_where_another_one_has_its_name(occupied):
    assert first_cell(occupied, online=True) == ([FETCH, "helpers.course.exercises"], [])


def test_without_a_network_one_sentence_says_what_to_do(occupied):
    printed, error = first_cell(occupied, online=False)
    assert printed == [FETCH]
    assert error == [
        "RuntimeError: The course's package could not be fetched, or another one named helpers "
        "hides it. Take this lesson's single file instead, which needs no network: Download, above."
    ]


def test_nothing_is_fetched_where_the_package_is():
    assert first_cell(ROOT, online=False) == (["helpers.course.exercises"], [])


@pytest.mark.parametrize("path", SINGLE_FILES, ids=stem)
def test_set_up_cell_is_the_first_of_every_lesson(path):
    first, *others = code_cells(read(path))
    assert first.source == set_up() and first.outputs == []
    assert not any(map(is_set_up, others))


# --- python -m publish


def test_a_lesson_may_be_named(monkeypatch):
    "And one that fails gives an exit code."
    names = []
    monkeypatch.setattr(publish, "run_lessons", names.append)
    assert tools.main(["run", "05"]) == 1 and tools.main(["run"]) == 1
    assert names == ["05", ""]
    monkeypatch.setattr(publish, "run_lessons", lambda name: True)
    assert tools.main(["run"]) == 0


@pytest.mark.parametrize("words", [[], ["print"], ["site", "now"]], ids=str)
def test_other_words_are_refused(words, capsys):
    with pytest.raises(SystemExit) as refused:
        tools.main(words)
    assert refused.value.code == 2
    assert "usage: python -m publish" in capsys.readouterr().err


# --- folders that are made


def files(folder):
    "Name to content, without the list."
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != WRITTEN]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_a_set_is_replaced_by_the_next(tmp_path, capsys):
    folder = tmp_path / "made" / "here"
    assert write_folder(folder, {"a": b"1", "below/b": b"2", "same": b"3"}) == []
    before = (folder / "same").stat().st_mtime_ns
    assert write_folder(folder, {"a": b"4", "same": b"3"}) == []
    assert files(folder) == {"a": b"4", "same": b"3"}
    assert (folder / "same").stat().st_mtime_ns == before and capsys.readouterr().out == ""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files(folder).items()}
    lines = [f"{digest}  {name}\n" for name, digest in digests.items()]
    assert (folder / WRITTEN).read_text() == "".join(sorted(lines))  # as sha256sum writes it


def test_what_others_wrote_stays(tmp_path, capsys):
    "Also where the list is lost, or a new file of ours has the name of one of theirs."
    write_folder(tmp_path, {"a": b"1", "b": b"2"})
    for name in ("a", "own", "c"):
        (tmp_path / name).write_bytes(b"theirs")
    assert write_folder(tmp_path, {"a": b"3", "b": b"4", "c": b"5"}) == ["a", "c"]
    there = {"a": b"theirs", "b": b"4", "c": b"theirs", "own": b"theirs"}
    assert files(tmp_path) == there
    said = capsys.readouterr().out
    assert "stay as they are, because somebody has changed or made them: a, c." in said
    (tmp_path / WRITTEN).unlink()
    assert write_folder(tmp_path, {"b": b"6"}) == ["b"] and files(tmp_path) == there


def test_an_interrupted_run_is_taken_up(tmp_path, monkeypatch):
    "What it wrote is known for ours, and no file is there by half."
    write_folder(tmp_path, {"a": b"1", "b": b"1"})
    write = publish._write

    def write_until_full(path, content):
        if path.name == "b":
            raise OSError("No space left on device")
        write(path, content)

    monkeypatch.setattr(publish, "_write", write_until_full)
    with pytest.raises(OSError, match="No space"):
        write_folder(tmp_path, {"a": b"2", "b": b"2"})
    assert files(tmp_path) == {"a": b"2", "b": b"1"}
    monkeypatch.setattr(publish, "_write", write)
    assert write_folder(tmp_path, {"a": b"3", "b": b"3"}) == []
    assert files(tmp_path) == {"a": b"3", "b": b"3"}


def test_a_damaged_list_removes_nothing(tmp_path):
    write_folder(tmp_path, {"a": b"1", "b": b"1"})
    (tmp_path / WRITTEN).write_bytes(b"\xff\x00 half a line")
    assert write_folder(tmp_path, {"a": b"2"}) == ["a"]
    assert files(tmp_path) == {"a": b"1", "b": b"1"}


def test_many_are_not_all_named(tmp_path, capsys):
    for name in "abcdefg":
        (tmp_path / name).write_bytes(b"theirs")
    assert write_folder(tmp_path, dict.fromkeys("abcdefg", b"ours")) == list("abcdefg")
    assert ": a, b, c, d, e and 2 more." in capsys.readouterr().out

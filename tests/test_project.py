"""What holds the project together: the lists of packages, the public address, bootstrap.py.

No network is needed. The set-up as a whole, with real packages: tests/whole/test_bootstrap.py.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
LINES = sum(PROJECT["optional-dependencies"].values(), PROJECT["dependencies"])
REQUIREMENTS = [Requirement(line) for line in LINES]
BUILD = [Requirement(line) for line in PYPROJECT["build-system"]["requires"]]
SYSTEMS = {
    "linux": ("Linux", "posix", "x86_64"),
    "darwin": ("Darwin", "posix", "arm64"),
    "win32": ("Windows", "nt", "AMD64"),
}


def bounds(requirements):
    "The set of (name, bounds), which does not change when a package is listed twice."
    return {
        (canonicalize_name(requirement.name), str(requirement.specifier))
        for requirement in requirements
    }


# --- lists of packages


def test_conda_environment_is_that_of_pyproject():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    [from_pip] = [entry["pip"] for entry in listed if isinstance(entry, dict)]
    from_conda = [entry.replace("pytorch", "torch") for entry in listed if isinstance(entry, str)]
    assert from_conda[:2] == ["python=3.11", "pip"]
    assert from_pip[-1] == "-e ."
    listed = from_conda[2:] + from_pip[:-1]
    assert bounds(map(Requirement, listed)) == bounds(REQUIREMENTS)


def pins(path=ROOT / "requirements.lock"):
    "Each entry of a lock: (requirement, its hashes)."
    text = re.sub(r"^#.*\n|^\n", "", path.read_text(encoding="utf-8"), flags=re.M)
    entries = []
    for line in text.replace("\\\n", " ").splitlines():
        name, *hashes = line.split("--hash=")
        entries.append((Requirement(name), [value.strip() for value in hashes]))
    return entries


def locked(python, system):
    "What would be installed from the lock there: {name: version}."
    platform_system, os_name, machine = SYSTEMS[system]
    environment = default_environment()
    environment.update(
        python_version=python,
        python_full_version=f"{python}.9",
        implementation_version=f"{python}.9",
        sys_platform=system,
        platform_system=platform_system,
        os_name=os_name,
        platform_machine=machine,
    )
    versions = {}
    for pin, _ in pins():
        if pin.marker and not pin.marker.evaluate(environment):
            continue
        where = f"for Python {python} on {system}"
        assert pin.name not in versions, f"{pin.name} is locked twice {where}"
        [only] = pin.specifier
        assert only.operator == "=="
        versions[pin.name] = only.version
    return versions


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_lock_meets_pyproject(python, system):
    versions = locked(python, system)
    for requirement in REQUIREMENTS + BUILD:
        name = canonicalize_name(requirement.name)
        assert name in versions, f"{name} is not locked"
        fits = requirement.specifier.contains(versions[name])
        assert fits, f"{name} {versions[name]} is locked, and {requirement} is required"


def test_every_locked_package_has_its_hashes():
    assert len(pins()) > 200
    for pin, hashes in pins():
        assert hashes, f"{pin.name} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), pin.name


def test_what_makes_the_single_files_is_locked_alike():
    "The workflow that makes them installs a small part of the lock."
    small = pins(ROOT / ".github" / "bundles.lock")
    names = {"nbformat", "jupyterquiz", "pillow"}
    assert names == set((ROOT / ".github" / "bundles.in").read_text().split())
    everything = {(pin.name, str(pin.specifier)): set(hashes) for pin, hashes in pins()}
    for pin, hashes in small:
        assert everything[pin.name, str(pin.specifier)] == set(hashes), pin.name
    assert names < {pin.name for pin, _ in small}
    assert len(small) < 20


def test_lock_names_no_address_and_no_folder():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"://|--\S*(index|links|host)|(^|\s)/\w", text)


# --- the same lock elsewhere


def test_binder_installs_the_lock():
    binder = ROOT / ".binder"
    [line] = (binder / "requirements.txt").read_text().split("\n")[:-1]
    assert (binder / line.removeprefix("-r ")).resolve() == ROOT / "requirements.lock"
    python = (binder / "runtime.txt").read_text().strip().removeprefix("python-")
    load_bootstrap().check_python(tuple(map(int, python.split("."))))
    script = binder / "postBuild"
    assert script.stat().st_mode & 0o111, "it can be executed"
    assert "pip install --no-deps" in script.read_text(), "nothing beside the lock"


def test_devcontainer_sets_up_as_make_does():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    # bootstrap.py installs requirements.lock
    assert container["postCreateCommand"] == "python bootstrap.py"
    image = r"mcr\.microsoft\.com/devcontainers/python:(\d\.\d+)"
    python = re.fullmatch(image, container["image"])[1]
    load_bootstrap().check_python(tuple(map(int, python.split("."))))
    settings = container["customizations"]["vscode"]["settings"]
    assert settings["python.defaultInterpreterPath"].endswith("/.venv/bin/python")


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.stem
)
def test_workflows(path):
    "Each says when it runs, may do little, and uses only actions of a known commit."
    workflow = yaml.safe_load(path.read_text())
    assert workflow[True] and workflow["jobs"]  # YAML reads the key `on` as True
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        may_write = "write" in job.get("permissions", {}).values()
        for step in job["steps"]:
            if "run" in step:
                assert not (may_write and re.search(r"pip|python", step["run"])), step
                continue
            assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", step["uses"]), step
            if "/checkout@" in step["uses"] and not may_write:
                assert step["with"]["persist-credentials"] is False


def test_actions_name_their_version():
    "Beside each commit stands the version that it is, for those who look for a newer one."
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for line in path.read_text().splitlines():
            if "uses:" in line:
                assert re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


# --- public address


def files_of_the_project():
    "Names of the files that git knows or would take."
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_public_address_stands_once():
    repository = r"https://github\.com/([^/]+)/([^/]+)"
    owner, name = re.fullmatch(repository, PROJECT["urls"]["Repository"]).groups()
    assert PROJECT["urls"]["Documentation"] == f"https://{owner}.github.io/{name}/"
    # buttons in notebooks and links in modules are made from the address
    generated = re.compile(r"nbs/.*\.ipynb|helpers/")
    address = re.compile(rf"{re.escape(owner)}(\.github\.io)?/{re.escape(name)}")
    counts = {}
    for file in files_of_the_project():
        if generated.match(file):
            continue
        text = (ROOT / file).read_bytes().decode("utf-8", "ignore")
        if address.search(text):
            counts[file] = len(address.findall(text))
    assert counts == {"pyproject.toml": 2}


# --- bootstrap.py


def load_bootstrap():
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Course:
    "A folder with bootstrap.py and lists of packages, where venv and the installation are fakes."

    def __init__(self, root, monkeypatch):
        self.b = load_bootstrap()
        self.made = 0
        self.monkeypatch = monkeypatch
        for name in ("bootstrap.py", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, root)
        monkeypatch.setattr(self.b.subprocess, "check_call", self.make_venv)
        monkeypatch.setattr(self.b, "install", self.install)
        self.move_to(root)

    def move_to(self, root):
        self.root = root
        self.venv = root / ".venv"
        self.monkeypatch.setattr(self.b, "ROOT", root)
        self.monkeypatch.setattr(self.b, "VENV", self.venv)
        self.monkeypatch.setattr(self.b, "STAMP", self.venv / "bootstrap.json")
        self.monkeypatch.setattr(self.b, "BIN", self.venv / self.b.BIN.name)

    def make_venv(self, words):
        self.made += 1
        assert words == [sys.executable, "-m", "venv", str(self.venv)]
        assert self.b.STAMP.read_text() == "begun\n"
        assert os.listdir(self.venv) == ["bootstrap.json"]
        self.b.BIN.mkdir()
        program = "python.exe" if os.name == "nt" else "python"
        shutil.copy(sys.executable, self.b.BIN / program)
        (self.b.BIN / "link").symlink_to(self.root)

    def install(self):
        (self.venv / "package").mkdir()
        (self.venv / "package" / "module.py").touch()

    def prepare(self):
        self.b.prepare()
        assert self.b.complete()
        assert (self.venv / "package" / "module.py").exists()
        assert (self.root / "pyproject.toml").exists(), "what a link led to"


def stop(*words, **options):
    raise KeyboardInterrupt


@pytest.fixture
def course(tmp_path, monkeypatch):
    (tmp_path / "course").mkdir()
    return Course((tmp_path / "course").resolve(), monkeypatch)


def test_second_run_does_nothing(course, capsys):
    course.prepare()
    for name, values in course.b.SETTINGS.items():
        assert json.loads((course.venv / name).read_text()) == values
    capsys.readouterr()
    (course.venv / "package" / "of_ones_own").touch()
    course.prepare()
    assert course.made == 1
    assert capsys.readouterr().out == ""
    assert (course.venv / "package" / "of_ones_own").exists()


def schema(plugin):
    "What JupyterLab, as it is installed here, knows of a plugin's settings."
    package, name = plugin.split(":")
    share = Path(sys.prefix, "share/jupyter")
    for folder in (share / "lab/schemas", share / "labextensions" / package / "schemas"):
        path = folder / package / f"{name}.json"
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))
    raise LookupError(plugin)


@pytest.mark.parametrize("plugin", load_bootstrap().JUPYTERLAB_SETTINGS)
def test_jupyterlab_knows_the_settings(plugin):
    "A name that it does not know would do nothing."
    import jsonschema

    values = load_bootstrap().JUPYTERLAB_SETTINGS[plugin]
    known = schema(plugin)
    assert set(values) <= set(known["properties"])
    jsonschema.validate(values, known)


def test_a_page_of_nbconvert_shows_the_picture_behind_a_widget():
    "Without a network no widget is drawn there, even if its state was saved."
    from nbconvert import HTMLExporter
    from nbformat.v4 import new_code_cell, new_notebook, new_output
    from traitlets.config import Config

    widget = "application/vnd.jupyter.widget-"
    view = {"version_major": 2, "version_minor": 0, "model_id": "a"}
    data = {f"{widget}view+json": view, "image/png": "iVBORw0KGgo="}
    cell = new_code_cell(outputs=[new_output("display_data", data)])
    notebook = new_notebook(cells=[cell])
    state = {"version_major": 2, "version_minor": 0, "state": {"a": {}}}
    notebook.metadata["widgets"] = {f"{widget}state+json": state}
    settings = Config(load_bootstrap().NBCONVERT_SETTINGS)
    shown, _ = HTMLExporter(config=settings).from_notebook_node(notebook)
    picture = "data:image/png;base64,iVBORw0KGgo="
    assert picture in shown
    usual, _ = HTMLExporter().from_notebook_node(notebook)
    assert picture not in usual, "the settings are no longer needed"


@pytest.mark.parametrize("step", ["clear", "venv", "install", "settings"])
def test_interrupted_set_up_is_noticed(course, step):
    "And the next run begins anew, without a question whose the folder is."
    course.prepare()
    (course.root / "requirements.lock").write_text("torch==2.0\n")
    steps = {
        "clear": (course.b.shutil, "rmtree"),
        "venv": (course.b.subprocess, "check_call"),
        "install": (course.b, "install"),
        "settings": (course.b.json, "dumps"),
    }
    with course.monkeypatch.context() as patch:
        module, function = steps[step]
        patch.setattr(module, function, stop)
        with pytest.raises(SystemExit, match="Stopped. The same command"):
            course.b.main([])
        assert not course.b.complete()
    shutil.copy(ROOT / "requirements.lock", course.root)  # as it was: the old stamp would fit
    assert not course.b.complete()
    course.prepare()


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml", "bootstrap.py"])
def test_changed_list_of_packages_is_noticed(course, name):
    course.prepare()
    with open(course.root / name, "a") as file:
        file.write("# new\n")
    assert not course.b.complete()
    course.prepare()
    assert course.made == 2


def test_moved_environment_is_made_anew(course):
    course.prepare()
    course.move_to(course.root.rename(course.root.with_name("elsewhere")))
    assert not course.b.complete()
    course.prepare()
    assert course.made == 2


def test_another_python_is_noticed(course):
    course.prepare()
    other = (3, sys.version_info[1] + 1, 0)
    course.monkeypatch.setattr(course.b.sys, "version_info", other)
    assert not course.b.complete()


@pytest.mark.parametrize(
    "stamp", [b"", b"{}", b"\xff\xfe\x00", b"begun\n", b'{"place": "/x", "names": []}']
)
def test_damaged_or_older_stamp_is_ours_and_made_anew(course, stamp):
    course.prepare()
    course.b.STAMP.write_bytes(stamp)
    course.prepare()
    assert course.made == 2


def test_environment_without_its_python_is_made_anew(course):
    course.prepare()
    shutil.rmtree(course.b.BIN)
    course.prepare()
    assert course.made == 2


def test_an_empty_folder_is_taken(course):
    course.venv.mkdir()
    course.prepare()


def refuses(course):
    with pytest.raises(SystemExit, match="was not made by this course. Rename it or remove it"):
        course.b.main([])
    assert course.made == 0


def test_a_link_is_left_alone(course, tmp_path):
    "Also one to an environment of ours, and one that leads nowhere."
    (tmp_path / "mine").mkdir()
    course.venv.symlink_to(tmp_path / "mine")
    for name in ("thesis.txt", "bootstrap.json"):
        (tmp_path / "mine" / name).write_text("mine")
        refuses(course)
        assert (tmp_path / "mine" / name).read_text() == "mine"
    course.venv.unlink()
    course.venv.symlink_to(tmp_path / "nowhere")
    refuses(course)


def test_an_environment_of_ones_own_is_left_alone(course):
    (course.venv / "bin").mkdir(parents=True)
    refuses(course)
    assert (course.venv / "bin").exists()


def test_a_file_of_that_name_is_left_alone(course):
    course.venv.write_text("mine")
    refuses(course)
    assert course.venv.read_text() == "mine"


def test_a_folder_that_cannot_be_made_gets_a_sentence(course):
    def full(*words):
        raise OSError(28, "No space left on device")

    course.monkeypatch.setattr(course.b, "clear", full)
    with pytest.raises(SystemExit, match="could not be made: .*No space left on device"):
        course.b.main([])


@pytest.mark.skipif(os.name == "nt", reason="the fake Python is a shell script")
class TestInstall:
    "`install`, where the environment's Python is a script that writes down how it was called."

    @pytest.fixture
    def b(self, tmp_path, monkeypatch):
        b = load_bootstrap()
        (tmp_path / "bin").mkdir()
        monkeypatch.setattr(b, "ROOT", ROOT)
        monkeypatch.setattr(b, "VENV", tmp_path)
        monkeypatch.setattr(b, "BIN", tmp_path / "bin")
        monkeypatch.setattr(b, "uv_environment", lambda python: {"PATH": os.defpath})
        self.folder = tmp_path
        return b

    def fails_where(self, pattern):
        script = self.folder / "bin" / "python"
        log = self.folder / "log"
        log.write_text("")
        script.write_text(f'#!/bin/sh\necho "$*" >> {log}\ncase "$*" in {pattern}) exit 1;; esac\n')
        script.chmod(0o755)

    def calls(self):
        log = (self.folder / "log").read_text().replace(f"{self.folder}/", "")
        return [line.split() for line in log.splitlines()]

    def test_uv_does_the_work(self, b):
        self.fails_where("nothing")
        b.install()
        [get_uv, locked, course] = self.calls()
        assert get_uv[:3] == ["-m", "pip", "-q"] and get_uv[-1] == "uv.txt"
        assert locked[:3] == ["-m", "uv", "pip"] and locked[-1] == "rest.txt"
        assert "--require-hashes" in get_uv and "--require-hashes" in locked
        assert course[:3] == ["-m", "uv", "pip"] and course[-2:] == ["-e", "."]

    def test_uv_and_the_rest_are_the_lock(self, b):
        self.fails_where("nothing")
        b.install()
        [uv] = pins(self.folder / "uv.txt")
        assert uv[0].name == "uv"
        assert uv in pins()
        rest = [entry for entry in pins() if entry != uv]
        assert pins(self.folder / "rest.txt") == rest

    @pytest.mark.parametrize("pattern, tried", [("*uv.txt", 1), ("*uv*rest*", 2), ("*uv*-e*", 3)])
    def test_pip_where_uv_fails(self, b, pattern, tried):
        self.fails_where(pattern)
        b.install()
        locked, course = self.calls()[tried:]
        assert locked[:3] == ["-m", "pip", "install"] and "--require-hashes" in locked
        assert course[:3] == ["-m", "pip", "install"] and course[-2:] == ["-e", "."]

    @pytest.mark.parametrize("pattern", ["*rest.txt", "*-e*"])
    def test_a_failure_gets_a_sentence(self, b, pattern):
        self.fails_where(pattern)
        with pytest.raises(SystemExit, match="could not be installed. The same command"):
            b.install()


def test_uv_is_told_what_pip_is_configured_for(tmp_path, monkeypatch):
    "From pip's own answer; its variables win over its files, and uv's own over both."
    prefixes = ("UV_", "SSL_", "ALL_")
    for name in list(os.environ):
        if name.startswith(("PIP_", *prefixes)):
            monkeypatch.delenv(name)
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://a.example/simple\ncert = /a.pem\nproxy = http://proxy:1\n"
        "find-links = /one\n    /two\ntrusted-host = a.example b.example\nno-index = false\n"
        "[install]\nextra-index-url = https://b.example/simple\n    https://c.example/simple\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_CERT", "/b.pem")
    monkeypatch.setenv("PIP_PROXY", "http://proxy:2")
    monkeypatch.setenv("ALL_PROXY", "http://proxy:3")
    environment = load_bootstrap().uv_environment(sys.executable)
    variables = {name: environment[name] for name in environment if name.startswith(prefixes)}
    assert variables == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": "https://a.example/simple",
        "UV_INDEX": "https://b.example/simple https://c.example/simple",
        "UV_FIND_LINKS": "/one,/two",
        "UV_NO_INDEX": "false",
        "UV_INSECURE_HOST": "a.example b.example",
        "SSL_CERT_FILE": "/b.pem",
        "ALL_PROXY": "http://proxy:3",
    }


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 15, 0), (4, 0, 0)])
def test_other_pythons_are_refused(version):
    with pytest.raises(SystemExit) as refused:
        load_bootstrap().check_python(version)
    assert ".".join(map(str, version)) in refused.value.code
    assert "3.10 to 3.14" in refused.value.code
    assert "make lab PYTHON=" in refused.value.code


@pytest.mark.parametrize("version", [(3, 10, 0), (3, 11, 7), (3, 12, 1), (3, 13, 9), (3, 14, 0)])
def test_supported_pythons_are_accepted(version):
    load_bootstrap().check_python(version)


def test_makefile_calls_every_command():
    makefile = (ROOT / "Makefile").read_text()
    called = re.findall(r"^\t@\$\(PYTHON\) bootstrap\.py ([\w-]+)", makefile, re.M)
    b = load_bootstrap()
    assert called == list(b.COMMANDS)
    assert re.findall(r"^    python bootstrap\.py ([\w-]+) ", b.__doc__, re.M) == called


def test_make_test_is_part_of_make_test_all():
    "Both run pytest alike; the shorter one leaves out tests/whole and nothing else."
    b = load_bootstrap()
    [[*everything]] = b.command_lines("test-all", [])
    [[*part]] = b.command_lines("test", [])
    assert part == [*everything, "--ignore=tests/whole"]
    assert (ROOT / "tests" / "whole").is_dir()

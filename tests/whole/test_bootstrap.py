"""The set-up as a whole: real venv, pip and uv, from a folder of packages instead of the network.

The packages are uv and setuptools as they are installed here, packed again, and small ones made
for the test. What an interrupted or a foreign environment does: tests/test_project.py.
"""

import base64
import csv
import hashlib
import importlib.metadata
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from shared import ROOT

COURSE = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "course"
version = "1"
"""


def write_wheel(path, files):
    "A wheel from {name in it: content}, with the RECORD that pip and uv ask for."
    info = next(name.split("/")[0] for name in files if name.endswith(".dist-info/METADATA"))
    rows = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as wheel:
        for name, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            rows.append(f"{name},sha256={digest},{len(content)}\n")
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            wheel.writestr(entry, content)
        wheel.writestr(f"{info}/RECORD", "".join(rows) + f"{info}/RECORD,,\n")
    return path


def packed(name, folder):
    "An installed distribution as the wheel that it came from."
    distribution = importlib.metadata.distribution(name)
    info = f"{name}-{distribution.version}"
    files = {}
    for entry, *_ in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        content = Path(distribution.locate_file(entry))
        inside = f"{info}.data/scripts/{content.name}" if entry.startswith("..") else entry
        if not entry.endswith((".pyc", "/RECORD", "/INSTALLER", "/REQUESTED", "/direct_url.json")):
            files[inside] = content.read_bytes()
    tag = distribution.read_text("WHEEL").split("Tag: ")[1].split()[0]
    return write_wheel(folder / f"{info}-{tag}.whl", files)


def small(name, folder):
    info = f"{name}-1.0.dist-info"
    wheel = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    files = {f"{name}.py": b"", f"{info}/WHEEL": wheel, f"{info}/METADATA": metadata}
    return write_wheel(folder / f"{name}-1.0-py3-none-any.whl", files)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    for name in ("uv", "setuptools"):
        packed(name, folder)
    for name in ("first", "second"):
        small(name, folder)
    return folder


def lock(wheels):
    lines = []
    for path in sorted(wheels.glob("*.whl")):
        name, version, *_ = path.name.split("-")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"{name}=={version} \\\n    --hash=sha256:{digest}\n")
    return "".join(lines)


@pytest.fixture
def course(tmp_path, wheels):
    "A course with bootstrap.py and a lock of the small packages."
    root = tmp_path / "course"
    (root / "helpers").mkdir(parents=True)
    (root / "helpers" / "__init__.py").touch()
    (root / "pyproject.toml").write_text(COURSE)
    (root / "bootstrap.py").write_bytes((ROOT / "bootstrap.py").read_bytes())
    (root / "requirements.lock").write_text(lock(wheels))
    return root


def set_up(course, wheels, start=subprocess.run, **options):
    "Run bootstrap.py with pip pointed to the folder of packages, and nowhere else."
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))
    }
    own.update(PIP_FIND_LINKS=str(wheels), PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    own.update(UV_CACHE_DIR=str(course.parent / "cache"), PIP_NO_CACHE_DIR="1")
    command = [sys.executable, "bootstrap.py"]
    pipe = subprocess.PIPE
    options.update(cwd=course, env=own, stdout=pipe, stderr=subprocess.STDOUT, text=True)
    return start(command, **options)


def installed(course):
    code = "import first, second, helpers, sys; print(helpers.__file__, sys.prefix)"
    python = course / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    return subprocess.check_output([python, "-I", "-c", code], text=True).split()


def test_a_fresh_clone_is_set_up_by_uv(course, wheels):
    done = set_up(course, wheels)
    assert done.returncode == 0 and "Now with pip" not in done.stdout, done.stdout
    assert installed(course) == [str(course / "helpers" / "__init__.py"), str(course / ".venv")]
    again = set_up(course, wheels)
    assert again.returncode == 0 and again.stdout == ""


def test_pip_does_it_where_there_is_no_uv(course, wheels, tmp_path):
    for path in wheels.glob("*.whl"):
        if not path.name.startswith("uv-"):
            (tmp_path / path.name).symlink_to(path)
    missing = "uv==9.9.9 \\\n    --hash=sha256:" + 64 * "0"
    (course / "requirements.lock").write_text(lock(tmp_path) + missing)
    done = set_up(course, tmp_path)
    assert done.returncode == 0 and "Now with pip" in done.stdout, done.stdout
    assert installed(course)[1] == str(course / ".venv")


def with_another_hash(course, name):
    text = (course / "requirements.lock").read_text()
    after = text.index("sha256:", text.index(f"{name}==")) + len("sha256:")
    (course / "requirements.lock").write_text(text[:after] + 64 * "0" + text[after + 64 :])


def test_a_package_of_another_content_is_refused(course, wheels):
    with_another_hash(course, "first")
    done = set_up(course, wheels)
    assert done.returncode != 0 and "could not be installed" in done.stdout, done.stdout
    with pytest.raises(subprocess.CalledProcessError):
        installed(course)


def test_a_uv_of_another_content_is_not_run(course, wheels):
    with_another_hash(course, "uv")
    done = set_up(course, wheels)
    assert done.returncode == 0 and "Now with pip" in done.stdout, done.stdout
    assert installed(course) and not list((course / ".venv").rglob("uv*.dist-info"))


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("seconds", [1, 4])
def test_a_killed_set_up_is_made_good(course, wheels, seconds):
    killed = set_up(course, wheels, start=subprocess.Popen, start_new_session=True)
    time.sleep(seconds)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    done = set_up(course, wheels)
    assert done.returncode == 0, done.stdout
    assert installed(course)[1] == str(course / ".venv")

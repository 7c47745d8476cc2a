"""Set up the course in `.venv` and start what is asked for. Needs nothing but Python 3.10 to 3.14.

    python bootstrap.py                 set up, nothing more
    python bootstrap.py lab             open the lessons in JupyterLab
    python bootstrap.py test            run the tests, all but those of tests/whole/
    python bootstrap.py test-all        run all tests, in browsers and several processes too
    python bootstrap.py run             run every lesson without a browser, and print a table
    python bootstrap.py bundle          write each lesson as one file, and flashcards, to _bundles/
    python bootstrap.py clean-copies    write the lessons without outputs and answers to _clean/
    python bootstrap.py docs            build the site that needs no network, in _site/
    python bootstrap.py bench           run the measurements in benchmarks/
    python bootstrap.py export          export the notebooks to helpers/ and clean them

Words after the command are handed on to it: python bootstrap.py test -k 02
"""

import ast
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "bootstrap.json"  # where it is, .venv is ours; with what `wanted` says, complete
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
LAB = "--LabApp.default_url=/lab/tree/index.ipynb"
LAB += " --ServerApp.contents_manager_class=helpers.course.lab.CourseContents"
PYTEST = "python -m pytest --numprocesses=auto --dist=loadgroup"
BENCHMARKS = sorted(path.name for path in ROOT.glob("benchmarks/*.py") if path.stem != "common")
COMMANDS = {
    "lab": [f"python -m jupyterlab nbs {LAB}"],
    "test": [f"{PYTEST} --ignore=tests/whole"],
    "test-all": [PYTEST],
    "run": ["python -m publish run"],
    "bundle": ["python -m publish bundle"],
    "clean-copies": ["python -m publish clean"],
    "docs": ["python -m publish site"],
    "bench": [f"python benchmarks/{name}" for name in BENCHMARKS],
    "export": ["nbdev-export", "nbdev-clean"],
}
JUPYTERLAB_SETTINGS = {
    # No question about news and no look for updates: the course works without a network.
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    # The names of the lessons need the room.
    "@jupyterlab/filebrowser-extension:browser": {"showLastModifiedColumn": False},
    # No code is cut off at the right.
    "@jupyterlab/notebook-extension:tracker": {"codeCellConfig": {"lineWrap": True}},
    # Live figures show their last picture on the next day.
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
}
# In a page of `nbconvert --to html` a widget would ask the network; the picture beside it does not.
NBCONVERT_SETTINGS = {
    "NbConvertBase": {
        "display_data_priority": [
            "application/javascript",
            "text/html",
            "text/markdown",
            "image/svg+xml",
            "text/latex",
            "image/png",
            "image/jpeg",
            "text/plain",
        ]
    }
}
# Where the programs look for these, below `.venv`.
SETTINGS = {
    "share/jupyter/lab/settings/overrides.json": JUPYTERLAB_SETTINGS,
    "etc/jupyter/jupyter_nbconvert_config.json": NBCONVERT_SETTINGS,
}
# What pip may be configured for, and the variable that tells uv the same.
UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


def check_python(version=sys.version_info):
    "Refuse a Python that requirements.lock does not support."
    if not (3, 10) <= tuple(version[:2]) <= (3, 14):
        found = ".".join(map(str, version[:3]))
        sys.exit(
            f"This course needs Python 3.10 to 3.14, and {sys.executable} is {found}.\n"
            "Choose another: make lab PYTHON=python3.12 (or: python3.12 bootstrap.py lab)."
        )


def wanted():
    "The stamp of a complete environment: its folder, its Python, its lists of packages."
    files = "requirements.lock", "pyproject.toml", "bootstrap.py"
    digest = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in files)).hexdigest()
    return f"{VENV}\n{sys.version_info[:2]}\n{digest}\n".encode()


def complete():
    "Whether `.venv` is ready: not interrupted, not moved, not outdated, and with its Python."
    python = shutil.which("python", path=str(BIN))
    return bool(python) and STAMP.is_file() and STAMP.read_bytes() == wanted()


def clear():
    "Empty `.venv` if it is ours. The stamp stays: after an interrupt it is ours still."
    foreign = VENV.exists() and not STAMP.is_file() and (VENV.is_file() or os.listdir(VENV))
    if foreign or VENV.is_symlink():
        sys.exit(f"{VENV} was not made by this course. Rename it or remove it, then try again.")
    VENV.mkdir(exist_ok=True)
    STAMP.write_bytes(b"begun\n")
    for path in VENV.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != STAMP:
            path.unlink()


def uv_environment(python):
    "The variables that lead uv to the index, the certificates and the proxy of the user's pip."
    listed = subprocess.check_output([python, "-m", "pip", "config", "list"]).decode().splitlines()
    listed.sort(key=lambda line: line.startswith(":env:"))  # pip's variables win over its files
    environment = {"UV_INDEX_STRATEGY": "unsafe-best-match"}  # the best of all indexes, as pip
    for line in listed:
        key, value = line.split("=", 1)
        name = UV.get(key.rpartition(".")[2])
        if name:
            separator = "," if name == "UV_FIND_LINKS" else " "
            environment[name] = separator.join(ast.literal_eval(value).split())
    return {**environment, **os.environ, "VIRTUAL_ENV": str(VENV)}


def install():
    "Install what requirements.lock lists, each file checked by its hash: with uv, else with pip."
    python = shutil.which("python", path=str(BIN))
    environment = uv_environment(python)
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    uv = re.search(r"^uv==(.*\\\n)*.*", lock, re.MULTILINE)[0]
    (VENV / "uv.txt").write_text(uv, encoding="utf-8")
    (VENV / "rest.txt").write_text(lock.replace(uv, ""), encoding="utf-8")

    def run(program, words, folder=VENV):
        command = [python, "-m", *program.split(), "install", "--no-deps", *words.split()]
        return not subprocess.call(command, cwd=folder, env=environment)

    locked = "--only-binary=:all: --require-hashes -r"
    course = "--no-build-isolation -e ."
    if run("pip -q", f"{locked} uv.txt"):
        if run("uv pip", f"{locked} rest.txt") and run("uv pip", course, ROOT):
            return
    print("Now with pip, which takes some minutes.", flush=True)
    if not (run("pip", f"{locked} rest.txt") and run("pip", course, ROOT)):
        sys.exit(
            "The packages could not be installed. The same command goes on from here.\n"
            "PyTorch is there for 64-bit Linux, Windows, and macOS 14 on Apple's own processors."
        )


def prepare():
    "Leave a complete environment in `.venv`."
    if complete():
        return
    print("Making .venv: a minute with a fast network; several GB, once.", flush=True)
    clear()
    subprocess.check_call([sys.executable, "-m", "venv", str(VENV)])
    install()
    for name, values in SETTINGS.items():
        file = VENV / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values, indent=2), encoding="utf-8")
    STAMP.write_bytes(wanted())
    print("The environment is ready.", flush=True)


def command_lines(command, words):
    "The programs that a command starts, one after the other."
    lines = [line.split() for line in COMMANDS[command]]
    return [[shutil.which(program, path=str(BIN)), *rest, *words] for program, *rest in lines]


def start(command, words):
    "Run a command in the environment and end with its exit code."
    os.chdir(ROOT)
    os.environ["VIRTUAL_ENV"] = str(VENV)
    os.environ["PATH"] = str(BIN) + os.pathsep + os.environ.get("PATH", "")
    if command == "lab" and os.name == "posix" and os.geteuid() == 0:
        print('For root, JupyterLab needs: make lab LAB_FLAGS="--allow-root"', flush=True)
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is for the program that runs
    *earlier, last = command_lines(command, words)
    for line in earlier:
        subprocess.check_call(line)
    if os.name == "posix":
        os.execv(last[0], last)  # in this process's place, so that every signal reaches it
    sys.exit(subprocess.call(last))


def main(words):
    check_python()
    if words and words[0] not in COMMANDS:
        sys.exit(__doc__)
    try:
        prepare()
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command begins again; what was downloaded is kept.")
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"{VENV} could not be made: {error}")
    if words:
        start(words[0], words[1:])


if __name__ == "__main__":
    main(sys.argv[1:])

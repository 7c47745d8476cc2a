"""Set up the course in `.venv` and start what is asked for. Needs nothing but Python 3.10 to 3.13.

    python bootstrap.py             set up, nothing more
    python bootstrap.py lab         open the lessons in JupyterLab
    python bootstrap.py test        run the tests
    python bootstrap.py run         run every lesson without a browser, and print a table
    python bootstrap.py bundle      write each lesson as one file for Kaggle and Colab, and the flashcards, into _bundles/
    python bootstrap.py clean-copies    write the lessons without outputs and solutions, for classes, into _clean/
    python bootstrap.py docs        build the site that needs no network, in _site/
    python bootstrap.py bench       run the measurements in benchmarks/
    python bootstrap.py export      export the notebooks to helpers/ and clean them

Words after the command are handed on to it: python bootstrap.py test -k 02

The first run installs the packages of requirements.lock with pip, as pip is configured on this machine. Later runs
find the environment ready and go straight on. One that was interrupted, has lost packages or no longer fits the lists
of packages is mended; one that was moved or belongs to another Python is made anew.
"""

import csv
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = "{}.{}".format(*sys.version_info)
SIZE = "7 GB" if sys.platform == "linux" else "2 GB"  # on Linux PyTorch brings the CUDA libraries with it
COMMANDS = "lab", "test", "run", "bundle", "clean-copies", "docs", "bench", "export"
JUPYTERLAB_SETTINGS = {  # no question about news and no look for updates: the course works without a network
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}
}


def say(line):
    print(line, flush=True)


def check_python(version=sys.version_info):
    "Refuse a Python that the packages in requirements.lock do not support, or one that cannot make environments."
    if not (3, 10) <= tuple(version[:2]) <= (3, 13):
        sys.exit(
            f"This course needs Python 3.10 to 3.13, and {sys.executable} is {'.'.join(map(str, version[:3]))}.\n"
            "Choose another: make lab PYTHON=python3.11 (without make: python3.11 bootstrap.py lab)."
        )
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        sys.exit(
            f"{sys.executable} cannot make environments: its modules venv and ensurepip are not all installed.\n"
            f"On Debian and Ubuntu: sudo apt install python{PYTHON}-venv. Then run the same command again."
        )


def scripts():
    "The folder of the environment's programs."
    return VENV / ("Scripts" if os.name == "nt" else "bin")


def python():
    "The environment's interpreter."
    return scripts() / ("python.exe" if os.name == "nt" else "python")


def site_packages():
    "The folder that pip installs into."
    return VENV / ("Lib/site-packages" if os.name == "nt" else f"lib/python{PYTHON}/site-packages")


def installed():
    "The names in site-packages; an environment may hold more than the stamp lists, but not less."
    return {name for name in os.listdir(site_packages()) if name != "__pycache__"}


def inputs():
    "A digest of the files that decide what is installed."
    files = "requirements.lock", "pyproject.toml", "bootstrap.py"
    return hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in files)).hexdigest()


def write_stamp(**contents):
    "Say whose environment this is; with `inputs` and `names`, also that it is complete."
    new = VENV / "bootstrap.json.new"
    new.write_text(json.dumps({"place": str(VENV), "python": PYTHON, **contents}), encoding="utf-8")
    new.replace(VENV / "bootstrap.json")


def fault():
    "What is wrong with the environment, as (`make` or `mend`, why); None when it is ready for use."
    if not VENV.exists():
        return "make", "first run"
    try:
        stamp = json.loads((VENV / "bootstrap.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "make", "it was only begun, or not made by bootstrap.py"
    if stamp["place"] != str(VENV):
        return "make", "it was made in another folder"
    if stamp["python"] != PYTHON:
        return "make", f"it was made for Python {stamp['python']}"
    if not (python().exists() and site_packages().exists()):
        return "make", "its Python or all of its packages are gone"
    if "names" not in stamp:
        return "mend", "the last installation did not finish"
    if stamp["inputs"] != inputs():
        return "mend", "the lists of packages have changed"
    lost = sorted(set(stamp["names"]) - installed())
    if lost:
        return "mend", f"{lost[0]} is missing" if len(lost) == 1 else f"{lost[0]} and {len(lost) - 1} more are missing"
    return None


def damaged():
    "The .dist-info folders of packages that pip did not finish, or that have lost files since."
    found = []
    for info in site_packages().glob("*.dist-info"):
        try:
            with open(info / "RECORD", newline="", encoding="utf-8") as record:
                files = [row[0] for row in csv.reader(record) if row] + [f"{info.name}/INSTALLER"]  # pip's last but RECORD
        except OSError:
            files = [f"{info.name}/RECORD"]
        if not all((site_packages() / file).exists() for file in files if not file.endswith(".pyc")):
            found.append(info)
    return found


@contextmanager
def one_at_a_time():
    "Wait for other set-ups in this folder. The system frees the lock when this process and its pip have ended."
    with open(ROOT / ".venv.lock", "a") as file:
        os.set_inheritable(file.fileno(), True)
        for attempt in range(sys.maxsize):
            try:
                if os.name == "nt":
                    import msvcrt

                    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
                else:
                    import fcntl

                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except (BlockingIOError, PermissionError):
                if attempt == 0:
                    say("Another set-up is at work in this folder; waiting for it.")
                time.sleep(0.5)
        yield


def make_venv():
    "Make an environment that holds nothing but pip, in the place of whatever was there."
    import venv

    (VENV / "bootstrap.json").unlink(missing_ok=True)
    try:
        venv.create(VENV, clear=True, symlinks=os.name != "nt", with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{VENV} could not be made: {error}\nClose the programs that use it, remove it, and try again.")


def pip_install(*words):
    "Install with the environment's pip; its latest line is shown on a terminal, the last ones when it fails."
    command = [str(python()), "-u", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps"]
    # close_fds=False: pip keeps the lock of one_at_a_time, even when this process is killed.
    process = subprocess.Popen(
        [*command, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, close_fds=False,
        encoding="utf-8", errors="replace",
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if sys.stdout.isatty():
            print("\r" + line.strip()[:78].ljust(78), end="", flush=True)
    if sys.stdout.isatty():
        print("\r" + " " * 78, end="\r", flush=True)
    if process.wait():
        sys.exit(
            "".join(lines[-20:]) + "pip could not install the packages. The same command goes on from here.\n"
            "PyTorch is there for 64-bit Linux, Windows, and macOS 14 or later on Apple's own processors."
        )


def prepare():
    "Leave a complete environment in `.venv`, doing only what is missing."
    if fault() is None:
        return
    with one_at_a_time():
        found = fault()  # once more: the set-up just waited for may have left nothing to do
        if found is None:
            return
        action, why = found
        if action == "mend":
            write_stamp()
            for info in damaged():
                shutil.rmtree(info)  # pip then takes the package for missing, and installs it again
            if not any(site_packages().glob("pip-*.dist-info")):
                action = "make"
        if action == "make":
            say(f"Making .venv with Python {PYTHON} ({why}).")
            make_venv()
            write_stamp()
            say(f"Installing PyTorch and the other packages: several minutes, about {SIZE} on disk, once.")
        else:
            say(f"Mending .venv ({why}): seconds, or minutes if much is missing.")
        pip_install("-r", "requirements.lock")
        pip_install("--no-build-isolation", "-e", ".")
        settings = VENV / "share/jupyter/lab/settings/overrides.json"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps(JUPYTERLAB_SETTINGS, indent=2), encoding="utf-8")
        write_stamp(inputs=inputs(), names=sorted(installed()))
        say("The environment is ready.")


def command_lines(command, words):
    "The programs that a command starts, one after the other."
    if command == "lab":
        front = "--LabApp.default_url=/lab/tree/index.ipynb", "--ServerApp.contents_manager_class=helpers.lab.CourseContents"
        return [[str(python()), "-m", "jupyterlab", "nbs", *front, *words]]
    if command == "test":
        return [[str(python()), "-m", "pytest", *words]]
    if command == "run":
        return [[str(python()), "-m", "helpers.publish", *words]]
    if command == "bundle":
        return [[str(python()), "-m", "helpers.bundle", *words]]
    if command == "clean-copies":
        return [[str(python()), "-m", "helpers.bundle", "clean", *words]]
    if command == "docs":
        return [[str(python()), "-m", "helpers.site", *words]]
    if command == "bench":
        return [[str(python()), str(script), *words] for script in sorted((ROOT / "benchmarks").glob("*.py"))]
    return [[str(scripts() / "nbdev-export"), *words], [str(scripts() / "nbdev-clean")]]


def start(command, words):
    "Run a command in the environment and end with its exit code."
    os.chdir(ROOT)
    os.environ["VIRTUAL_ENV"] = str(VENV)
    os.environ["PATH"] = str(scripts()) + os.pathsep + os.environ.get("PATH", "")
    *earlier, last = command_lines(command, words)
    for line in earlier:
        code = subprocess.call(line)
        if code:
            sys.exit(code)
    if os.name == "posix":
        os.execv(last[0], last)  # in this process's place, so that Ctrl-C and other signals reach it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program
    sys.exit(subprocess.call(last))


def main(words):
    check_python()
    if words and words[0] not in COMMANDS:
        sys.exit(__doc__)
    try:
        prepare()
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command goes on from here.")
    if words:
        start(words[0], words[1:])


if __name__ == "__main__":
    main(sys.argv[1:])

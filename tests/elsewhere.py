"""An environment elsewhere: nothing of the course is installed, and the network is off.

It is a real one, with links to the packages that a Kaggle or Colab user is promised here and to
nothing else. Single-file copies run in it, each in an empty folder."""

import csv
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import venv
from pathlib import Path
from types import SimpleNamespace

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from shared import ROOT, noise

from publish.lessons import printed

# With what they require.
THERE = ("torch", "fastai", "timm", "pandas", "matplotlib", "ipywidgets", "ipykernel")
NOT_THERE = ("helpers", "jupyterquiz", "pooch", "kagglehub", "accelerate")
FOLDER = "whats-inside-a-neural-net"  # where a copy puts the course's files


def notebook(content):
    "A notebook from the bytes of its file."
    return nbformat.reads(content.decode(), as_version=4)


def cell_of(copy):
    "The folded cell."
    [cell] = [cell for cell in copy.cells if "course_files" in cell.source]
    return cell


# --- making an environment


def required(names):
    "The distributions of these names, and those that they require; of extras what is asked for."
    distributions = {}
    queue = [(name, ()) for name in names]
    done = set()
    while queue:
        name, extras = queue.pop()
        if (name, extras) in done:
            continue
        done.add((name, extras))
        distributions[name] = importlib.metadata.distribution(name)
        for requirement in map(Requirement, distributions[name].requires or ()):
            if applies(requirement, extras):
                needed = canonicalize_name(requirement.name)
                queue.append((needed, tuple(sorted(requirement.extras))))
    return list(distributions.values())


def applies(requirement, extras):
    "True if a requirement holds here, for one of the extras or without any."
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def site_packages(python):
    "The folder where an interpreter's packages are."
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(subprocess.check_output([python, "-c", code], text=True).strip())


def switch_network_off(python):
    "From now on an interpreter reaches this machine only."
    site = site_packages(python)
    shutil.copy(ROOT / "tests" / "no_network.py", site)
    (site / "no_network.pth").write_text("import no_network\n")


def installed_files(distribution):
    "What a distribution has in site-packages; its `files` would take ten times as long."
    lines = (distribution.read_text("RECORD") or "").splitlines()
    names = [row[0] for row in csv.reader(lines)]
    return [
        name
        for name in names
        if not name.startswith(("/", "..")) and not name.endswith((".pyc", ".pth"))
    ]


def links(names):
    "Pairs of distribution and path: what has to be linked to have these, and what they require."
    wanted = {distribution.name for distribution in required(names)}
    owners = {}
    for distribution in importlib.metadata.distributions():
        for file in installed_files(distribution):
            owners.setdefault(file.split("/")[0], []).append((distribution, file))
    pairs = []
    for top, owned in owners.items():
        files = [pair for pair in owned if pair[0].name in wanted]
        if len(files) == len(owned):
            pairs.append((files[0][0], top))
        else:  # a folder that others share is linked file by file
            pairs += files
    return pairs


def environment(folder, names):
    "A virtual environment with links to some distributions and what they require; its Python."
    venv.create(folder, symlinks=os.name != "nt", with_pip=False)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    site = site_packages(python)
    for distribution, path in links(names):
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).symlink_to(distribution.locate_file(path))
    return python


# --- running a copy


def kernel_manager(python, folder):
    "A manager that starts an environment's own kernel."
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "elsewhere", "language": "python"}
    (folder / "elsewhere").mkdir(parents=True)
    (folder / "elsewhere" / "kernel.json").write_text(json.dumps(spec))
    specs = KernelSpecManager(kernel_dirs=[str(folder)], ensure_native_kernel=False)
    return AsyncKernelManager(kernel_name="elsewhere", kernel_spec_manager=specs)


def run(python, content, folder, allow_errors=False, **variables):
    "Run a copy with an environment's own kernel, in an empty folder; no variable of the course."
    manager = kernel_manager(python, folder / "kernels")
    for name in ("home", "work"):
        (folder / name).mkdir()
    copy = notebook(content)
    client = NotebookClient(
        copy,
        km=manager,
        timeout=900,
        allow_errors=allow_errors,
        extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(folder / "work")}},
    )
    given = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "GOMP_SPINCOUNT": "10000",
        "HOME": str(folder / "home"),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        **variables,
    }
    try:
        client.execute(env={name: value for name, value in given.items() if value is not None})
    finally:
        # nbclient leaves a kernel running that it was given
        run_sync(manager.shutdown_kernel)(now=True)
    return copy


# A home that cannot be written, and none at all, are tried with one lesson each.
HOMES = {"01": {"HOME": os.devnull + "/home"}, "07": {"HOME": None}}
STAND_IN = {
    "03": "digits",
    "05": "digits",
    "06": "digits",
    "07": "digits",
    "08": "digits",
    "09": "ratings",
    "10": "ratings",
    "11": "ratings",
    "12": "incomes",
    "13": "leaves",
    "14": "leaves",
    "15": "leaves",
    "16": "leaves",
    "17": "leaves",
}
READY = rf"The course's package is here, in {FOLDER}: \d+ modules, versions fit\.\n"


def check_exercises(copy):
    "The starters of the exercises ran, and none is solved."
    starters = [cell for cell in copy.cells if re.search(r"^check\(", cell.source, re.MULTILINE)]
    for cell in starters:
        text = printed(SimpleNamespace(cells=[cell]))
        assert ": not " in text and "solved." not in text, cell.source


def check_quiz(copy):
    [cell] = [cell for cell in copy.cells if cell.source.startswith("quiz(")]
    assert "data-shufflequestions" in cell.outputs[0].data["text/html"]
    assert "make_mc" in cell.outputs[1].data["application/javascript"]


def check_run(path, bundles, python, tmp_path):
    "Run a copy elsewhere: no warning, stand-ins, exercises unsolved, the quiz there."
    number = path.name[:2]
    copy = run(python, bundles[path.name], tmp_path, **HOMES.get(number, {}))
    assert noise(copy) == []
    shown = printed(copy)
    assert "Warning" not in shown
    assert not re.search(r"%\|", shown), "a progress bar stayed in the notebook"
    assert re.fullmatch(READY, cell_of(copy).outputs[0].text)
    real = r"^(MNIST|MovieLens|Adult|Rossmann|Paddy Doctor)[^:\n]*: \d"
    assert not re.search(real, shown, re.MULTILINE)
    if number in STAND_IN:
        assert re.search(rf"^stand-in {STAND_IN[number]}: \d", shown, re.MULTILINE)
    check_exercises(copy)
    if number.isdigit():
        check_quiz(copy)
    assert [file.name for file in (tmp_path / "work").iterdir()] == [FOLDER]

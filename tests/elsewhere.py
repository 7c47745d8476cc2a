"""An environment elsewhere: where nothing of the course is installed, in an empty folder, with the network off.

It is a real one, with links to the packages that a Kaggle or Colab user is promised here and to nothing else."""

import csv
import importlib.metadata
import json
import os
import re
import subprocess
import venv
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from shared import noise

from publish.lessons import printed

THERE = (
    "torch",
    "fastai",
    "timm",
    "pandas",
    "matplotlib",
    "ipywidgets",
    "ipykernel",
)  # with what they require
NOT_THERE = ("helpers", "jupyterquiz", "pooch", "kagglehub", "accelerate")


def notebook(content):
    return nbformat.reads(content.decode(), as_version=4)


def cell_of(copy):
    "The folded cell."
    [cell] = [cell for cell in copy.cells if "course_files" in cell.source]
    return cell


NO_NETWORK = """
import socket
def refuse(name, at=0):
    real = getattr(socket.socket, name)
    def call(self, *words):
        if self.family in (socket.AF_INET, socket.AF_INET6) and words[at][0] not in ('127.0.0.1', '::1', 'localhost'): raise OSError(101, 'Network is unreachable')
        return real(self, *words)
    setattr(socket.socket, name, call)
for name, at in (('connect', 0), ('connect_ex', 0), ('sendto', -1)): refuse(name, at)
real = socket.getaddrinfo
def getaddrinfo(host, *words, **named):
    if host not in (None, '', '127.0.0.1', '::1', 'localhost'): raise socket.gaierror(-3, 'Temporary failure in name resolution')
    return real(host, *words, **named)
socket.getaddrinfo = getaddrinfo
"""


def required(wanted):
    "The distributions that these require, and theirs; of extras those that are asked for."
    found, queue = {}, [(name, ()) for name in wanted]
    done = set()
    while queue:
        name, extras = queue.pop()
        if (name, extras) in done:
            continue
        done.add((name, extras))
        found[name] = importlib.metadata.distribution(name)
        for requirement in map(Requirement, found[name].requires or ()):
            if requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)
            ):
                queue.append(
                    (canonicalize_name(requirement.name), tuple(sorted(requirement.extras)))
                )
    return list(found.values())


def environment(folder, wanted):
    "A virtual environment with links to some of the distributions here and to what they require, and to nothing else; its Python."
    venv.create(folder, symlinks=os.name != "nt", with_pip=False)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.check_output([python, "-c", where], text=True).strip())
    ours, owners = {distribution.name for distribution in required(wanted)}, {}
    for distribution in importlib.metadata.distributions():
        is_ours = distribution.name in ours
        for [file, *_] in csv.reader(
            (distribution.read_text("RECORD") or "").splitlines()
        ):  # `files` would take ten times as long
            if not file.startswith(("/", "..")) and not file.endswith((".pyc", ".pth")):
                owners.setdefault(file.split("/")[0], []).append((is_ours, distribution, file))
    for top, owned in owners.items():
        files = [(distribution, file) for is_ours, distribution, file in owned if is_ours]
        for distribution, link in (
            [(files[0][0], top)] if len(files) == len(owned) else files
        ):  # a folder that others share is linked file by file
            (site / link).parent.mkdir(parents=True, exist_ok=True)
            (site / link).symlink_to(distribution.locate_file(link))
    return python, site


def run(python, content, folder, allow_errors=False, **env):
    "Run a copy with an environment's own kernel, in an empty folder; without any variable of the course."
    (folder / "kernels" / "elsewhere").mkdir(parents=True)
    (folder / "kernels" / "elsewhere" / "kernel.json").write_text(
        json.dumps(
            {
                "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": "elsewhere",
                "language": "python",
            }
        )
    )
    manager = AsyncKernelManager(
        kernel_name="elsewhere",
        kernel_spec_manager=KernelSpecManager(
            kernel_dirs=[str(folder / "kernels")], ensure_native_kernel=False
        ),
    )
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
        **(
            {"OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"]}
            if "OMP_NUM_THREADS" in os.environ
            else {}
        ),
        **env,
    }
    try:
        client.execute(env={name: value for name, value in given.items() if value is not None})
    finally:
        run_sync(manager.shutdown_kernel)(
            now=True
        )  # nbclient leaves a kernel running that it was given
    return copy


# A home that cannot be written, and none at all, are tried with one lesson each; all others have an empty one.
HOMES = {"01": {"HOME": os.devnull + "/home"}, "05": {"HOME": None}}
STAND_IN = {
    "01": None,
    **dict.fromkeys(("02", "03", "04", "05"), "digits"),
    "06": "digits",
    "07": "ratings",
    "08": "ratings",
    "09": "incomes",
    **dict.fromkeys(("10", "11", "12", "13"), "leaves"),
}


def check_run(path, bundles, python, tmp_path):
    "Run the copy of a lesson elsewhere: without a warning, on stand-ins, with its exercises unsolved and its quiz there."
    copy = run(python, bundles[path.name], tmp_path, **HOMES.get(path.name[:2], {}))
    assert noise(copy) == []
    shown = printed(copy)
    assert "Warning" not in shown
    assert not re.search(r"%\|", shown), "a progress bar stayed in the notebook"
    assert re.fullmatch(
        r"The course's package is here, in whats-inside-a-neural-net: \d+ modules, versions fit\.\n",
        cell_of(copy).outputs[0].text,
    )
    assert not re.search(r"^(MNIST|MovieLens|Adult|Rossmann|Paddy Doctor)[^:\n]*: \d", shown, re.M)
    if wanted := STAND_IN[path.name[:2]]:
        assert re.search(rf"^stand-in {wanted}: \d", shown, re.M)
    assert "solved." not in shown and shown.count(": not ") >= 3, (
        "the starters of the exercises should run and be unsolved"
    )
    [quiz] = [cell for cell in copy.cells if cell.source.startswith("quiz(")]
    assert (
        "data-shufflequestions" in quiz.outputs[0].data["text/html"]
        and "make_mc" in quiz.outputs[1].data["application/javascript"]
    )
    assert sorted(file.name for file in (tmp_path / "work").iterdir()) == [
        "whats-inside-a-neural-net"
    ]

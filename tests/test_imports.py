"What importing the package costs: each module can be imported, and none brings more than it needs."

import json
import subprocess
import sys

from shared import ROOT

CODE = """
import importlib, json, pkgutil, sys

before = set(sys.modules)
loaded = {}

def note(step):
    "The packages loaded since the start, the standard library left out."
    new = {name.split(".")[0] for name in set(sys.modules) - before}
    loaded[step] = sorted(new - set(sys.stdlib_module_names))

import helpers
note("helpers")
import helpers.course.lab
note("lab")
import publish.refresh
note("refresh")
import publish.bundle
publish.bundle.copies()
note("bundle")
import helpers.optim
note("optim")
names = [module.name for module in pkgutil.walk_packages(helpers.__path__, "helpers.")]
for name in names:
    importlib.import_module(name)
note("every module")
print(json.dumps([names, loaded]))
"""


def test_imports():
    "In one new interpreter, one after the other."
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, text=True, stdout=subprocess.PIPE)
    assert done.returncode == 0
    names, loaded = json.loads(done.stdout)
    assert loaded["helpers"] == ["helpers"], "nothing but the standard library"
    # JupyterLab's server draws the front page; workflows that make pages and copies install little.
    for step in ("lab", "refresh", "bundle"):
        assert not {"torch", "matplotlib", "fastai"} & set(loaded[step]), step
    assert "torch" in loaded["optim"] and not {"pandas", "matplotlib"} & set(loaded["optim"])
    assert "matplotlib" in loaded["every module"] and "fastai" not in loaded["every module"]
    # Packages are named too, but not the course itself.
    assert len(names) + 1 == len(list((ROOT / "helpers").rglob("*.py")))

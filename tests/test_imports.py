"What importing the package costs: each module can be imported, and none brings more than it needs."

import json
import subprocess
import sys

from shared import ROOT

CODE = """
import importlib, json, pkgutil, sys

before = set(sys.modules)
loaded = {}

def import_and_note(name):
    "Import a module; the packages loaded since the start, the standard library left out."
    module = importlib.import_module(name)
    new = {name.split(".")[0] for name in set(sys.modules) - before}
    loaded[name] = sorted(new - set(sys.stdlib_module_names))
    return module

helpers = import_and_note("helpers")
import_and_note("helpers.course.lab")
import_and_note("publish.refresh")
bundle = import_and_note("publish.bundle")
bundle.copies()
import_and_note("publish.bundle")  # with what it has used
import_and_note("helpers.optim")
names = [module.name for module in pkgutil.walk_packages(helpers.__path__, "helpers.")]
for name in names:
    import_and_note(name)
print(json.dumps([names, loaded]))
"""


def test_imports():
    "In one new interpreter, one after the other."
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, text=True, stdout=subprocess.PIPE)
    assert done.returncode == 0
    names, loaded = json.loads(done.stdout)
    assert loaded["helpers"] == ["helpers"], "nothing but the standard library"
    # JupyterLab's server draws the front page; workflows that make pages and copies install little.
    for name in ("helpers.course.lab", "publish.refresh", "publish.bundle"):
        assert not {"torch", "numpy", "matplotlib", "fastai"} & set(loaded[name]), name
    assert "torch" in loaded["helpers.optim"]
    assert not {"pandas", "matplotlib"} & set(loaded["helpers.optim"])
    assert "fastai" not in loaded[names[-1]], "after every module"
    files = [path for path in (ROOT / "helpers").rglob("*.py") if path.name != "_modidx.py"]
    assert len(names) == len(files)  # packages are named too, the course itself is not: _modidx is

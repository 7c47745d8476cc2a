"What importing the package costs: each module can be imported, and none brings more than it needs."

import json
import subprocess
import sys

from shared import ROOT

CODE = """
import importlib, json, pkgutil, sys
before = set(sys.modules)

def loaded():
    "The packages that have been loaded since the start, the standard library left out."
    new = {name.split(".")[0] for name in set(sys.modules) - before}
    return sorted(new - set(sys.stdlib_module_names))

import helpers
after = {'helpers': loaded()}
import helpers.course.lab
after['lab'] = loaded()
import publish.refresh
after['pages'] = loaded()
from publish import bundle
bundle.copies()
after['bundle'] = loaded()
names = [module.name for module in pkgutil.walk_packages(helpers.__path__, 'helpers.')]
for name in names:
    importlib.import_module(name)
after['every module'] = loaded()
print(json.dumps([after, names]))
"""


def test_imports():
    "In one new interpreter, one after the other."
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, text=True, stdout=subprocess.PIPE)
    assert done.returncode == 0
    after, names = json.loads(done.stdout)
    assert after["helpers"] == ["helpers"], "import helpers: nothing but the standard library"
    # JupyterLab's server draws the front page; workflows that make pages and copies install little.
    for step in ("lab", "pages", "bundle"):
        assert not {"torch", "matplotlib", "fastai"} & set(after[step]), step
    files = [path for path in (ROOT / "helpers").rglob("*.py") if path.name != "__init__.py"]
    assert len(names) == len(files) + 1  # the package of the checks is named too
    assert "torch" in after["every module"] and "fastai" not in after["every module"]

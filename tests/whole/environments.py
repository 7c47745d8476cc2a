"""Run the single-file copies, offline and in empty folders, with versions that others have.

    python tests/whole/environments.py tests/whole/versions/colab.txt 3.13
    python tests/whole/environments.py tests/whole/versions/kaggle.txt 3.12 --lessons 16 13

The environment is made anew with uv, from a list of versions, for a Python that uv finds.
A row of the table is a lesson. The exit code is 1 if any of them was not clean."""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from elsewhere import cell_of, run, switch_network_off  # noqa: E402
from shared import noise  # noqa: E402

from publish import bundle  # noqa: E402
from publish.lessons import printed  # noqa: E402

COLUMNS = {  # to their widths
    "lesson": 26,
    "seconds": 7,
    "errors": 6,
    "stderr": 6,
    "bars": 4,  # progress bars that stayed when they had ended
    "warnings": 8,
    "bytes": 7,
}


def make_environment(folder, versions, python):
    "A virtual environment with the packages of a list and no network; its Python."
    uv = shutil.which("uv") or sys.exit("uv is not on the PATH: pip install uv.")
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", python, folder], check=True)
    interpreter = folder / "bin/python"
    install = [uv, "pip", "install", "--quiet", "--python", interpreter]
    subprocess.run([*install, "--requirements", versions, "ipykernel"], check=True)
    switch_network_off(interpreter)
    return interpreter


def examine(interpreter, content):
    "Run a copy; the figures for the table, and what was not as it should be."
    start = time.time()
    with tempfile.TemporaryDirectory() as folder:
        quiet = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}  # no word of the debugger's
        copy = run(interpreter, content, Path(folder), allow_errors=True, **quiet)
    seconds = time.time() - start
    outputs = [output for cell in bundle.code(copy) for output in cell.outputs]
    errors = [output for output in outputs if output.output_type == "error"]
    stderr = "".join(noise(copy)).splitlines()
    shown = printed(copy)
    bars = re.findall(r"\d%\|", shown)
    warnings = [line for line in shown.splitlines() if "Warning" in line]
    faults = [f"{error.ename}: {error.evalue}".splitlines()[0] for error in errors]
    faults += [*stderr, *warnings]
    set_up = cell_of(copy).outputs[0].get("text", "").strip()
    if not set_up.endswith("versions fit."):
        faults.append(set_up)
    if bars:
        faults.append(f"progress bars that stay: {len(bars)}")
    if len(content) > bundle.MOST:
        faults.append("the file is too large")
    return (f"{seconds:.0f}", *map(len, (errors, stderr, bars, warnings, content))), faults


def main(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("versions", type=Path, help="a list as pip reads it")
    parser.add_argument("python", help="a version or a path, as uv takes it")
    parser.add_argument("--lessons", nargs="+", default=[""], help="numbers, for instance 12")
    given = parser.parse_args(words)
    print(*(word.ljust(width) for word, width in COLUMNS.items()), flush=True)
    clean = True
    with tempfile.TemporaryDirectory() as folder:
        interpreter = make_environment(Path(folder) / "venv", given.versions, given.python)
        for name, content in bundle.copies().items():
            if not name.startswith(tuple(given.lessons)) or not name.endswith(".ipynb"):
                continue
            figures, faults = examine(interpreter, content)
            row = zip((Path(name).stem, *figures), COLUMNS.values())
            print(*(str(entry).ljust(width) for entry, width in row), flush=True)
            for fault in faults:
                print(f"    {fault}", flush=True)
            clean = clean and not faults
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"Packages from npm, each fetched once and checked by its pinned digest."

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

# Name to version and digest, as npm's own lock files have it.
PACKAGES = {
    "mathjax": (
        "3.2.2",
        "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO"
        "+geW0OhGw==",
    )
}


def _is_genuine(path, integrity):
    "True if a file is there and has the digest."
    if not path.is_file():
        return False
    method, _, digest = integrity.partition("-")
    actual = hashlib.new(method, path.read_bytes()).digest()
    return base64.b64encode(actual).decode() == digest


def _fetch(name, version, path):
    "Fetch a package with npm, or from its registry where there is no npm."
    npm = shutil.which("npm")
    if npm:
        command = [npm, "pack", f"{name}@{version}", "--silent"]
        command += ["--pack-destination", str(path.parent)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        return
    import requests

    address = f"https://registry.npmjs.org/{name}/-/{path.name}"
    answer = requests.get(address, timeout=60)
    answer.raise_for_status()
    path.write_bytes(answer.content)


def npm_package(
    name: str,  # one of `PACKAGES`
    cache: Path,  # folder that keeps it
) -> Path:  # the package as npm packs it, verified
    "Fetch a package once; `OSError` if that cannot be done, or what came is not what was pinned."
    version, integrity = PACKAGES[name]
    path = cache / f"{name}-{version}.tgz"
    if _is_genuine(path, integrity):
        return path
    cache.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        _fetch(name, version, path)
    except (OSError, subprocess.SubprocessError) as error:
        words = getattr(error, "stderr", None) or str(error)
        reason = words.strip().splitlines()[-1]
        raise OSError(
            f"{name} {version} could not be fetched from npm ({reason}). It is needed once, with "
            f"a network; or put {path.name} into {cache} yourself."
        ) from None
    if not _is_genuine(path, integrity):
        path.unlink(missing_ok=True)
        raise OSError(
            f"What npm gave as {name} {version} is not what was pinned in publish/npm.py, so it "
            "is not used."
        )
    return path

"""The authors' tools: python -m publish run | refresh | bundle | clean | site"""

import sys


def main(words):
    "Start one of the tools; the exit code."
    tool, *rest = words or [""]
    if tool == "run":
        from publish.lessons import run_lessons

        return 0 if run_lessons(*rest[:1]) else 1
    if tool == "refresh":
        from publish.refresh import refresh

        print("changed:", ", ".join(refresh()) or "nothing")
        return 0
    if tool in ("bundle", "clean"):
        from publish.bundle import main as bundle

        return bundle([tool] if tool == "clean" else [])
    if tool == "site":
        from publish.site import main as site

        return site([])
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

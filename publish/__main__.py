"The authors' tools: python -m publish run | refresh | bundle | clean | site"

import argparse
import sys


def run(lesson=""):
    "run lessons without a browser, and print a table"
    from publish.lessons import run_lessons

    return run_lessons(lesson)


def refresh():
    "write ways, buttons, words and folded answers, Then and now and the glossary"
    from publish.refresh import refresh

    print("changed:", ", ".join(refresh()) or "nothing")
    return True


def bundle():
    "write each lesson as one file, and flashcards, to _bundles/"
    from publish.bundle import write_bundles

    write_bundles()
    return True


def clean():
    "write the lessons without outputs and answers to _clean/"
    from publish.bundle import write_clean_copies

    write_clean_copies()
    return True


def site():
    "build the site that needs no network, in _site/"
    from publish.site import make_docs

    return make_docs()


def main(words) -> int:  # the exit code
    "Start one of the tools."
    parser = argparse.ArgumentParser(prog="python -m publish", description=__doc__)
    tools = parser.add_subparsers(dest="tool", required=True)
    for tool in (run, refresh, bundle, clean, site):
        command = tools.add_parser(tool.__name__, help=tool.__doc__, description=tool.__doc__)
        command.set_defaults(start=tool)
        if tool is run:
            command.add_argument("lesson", nargs="?", default="", help="a part of its name")
    options = vars(parser.parse_args(words))
    del options["tool"]
    all_is_well = options.pop("start")(**options)
    return 0 if all_is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

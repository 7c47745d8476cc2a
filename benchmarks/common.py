"""What the scripts of this folder share. It needs nothing but Python: gpu.py, which runs where only
torch and timm are, takes it along."""

import argparse
import csv
import statistics
import time


def parser(doc):
    "The parser of a script's arguments, with --full; hand it to `parse`."
    arguments = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--full", action="store_true", help="measure at length")
    return arguments


def add_timing(parser, rounds):
    "The arguments of a script that takes times."
    parser.add_argument("--rounds", type=int, default=rounds, help="timed rounds")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of PyTorch, for all alike (default 1)"
    )


def parse(
    parser,
    argv=None,  # list of words; the command line without
    **full,  # with --full these are the defaults in place of the quick ones
):
    "The arguments. What is given holds in both forms, and a line says which form this is."
    arguments = parser.parse_args(argv)
    if arguments.full:
        parser.set_defaults(**full)
        arguments = parser.parse_args(argv)
    values = ", ".join(f"{name} {getattr(arguments, name)}" for name in full)
    if arguments.full:
        print(f"Full measurement: {values}.")
    else:
        longer = ", ".join(f"{name} {value}" for name, value in full.items())
        print(f"Quick measurement: {values}. With --full: {longer}.")
    return arguments


def seconds(run):
    "How long a function takes."
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def rounds(
    runs,  # name to function
    count,  # of rounds
):
    "Times of all functions by name, in seconds: in each round every function once, another first."
    for run in runs.values():
        run()  # warms up
    times = {name: [] for name in runs}
    names = list(runs)
    for n in range(count):
        first = n % len(names)
        for name in names[first:] + names[:first]:
            times[name].append(seconds(runs[name]))
    return times


def print_medians(title, times, digits=2):
    "The median of each list of times, on one line."
    medians = [f"{name} {statistics.median(values):,.{digits}f}" for name, values in times.items()]
    print(f"{title}:", ", ".join(medians), flush=True)


def ratios(times, others):
    "One list of times divided by another, round by round."
    return [time / other for time, other in zip(times, others, strict=True)]


def print_ratio(name, times, others):
    "`ratio NAME MEDIAN MIN MAX` of one list of times divided by another."
    values = ratios(times, others)
    print(
        f"ratio {name} {statistics.median(values):.3f} {min(values):.3f} {max(values):.3f}",
        flush=True,
    )


def print_value(name, values):
    "`value NAME MEAN MIN MAX N`."
    mean = statistics.mean(values)
    print(f"value {name} {mean:.4f} {min(values):.4f} {max(values):.4f} {len(values)}", flush=True)


class Rows:
    "A CSV whose rows are written as soon as they are measured: a study that was stopped goes on."

    def __init__(
        self,
        path,  # the CSV; it is made with the first row
        columns,  # its header
        key,  # the columns that say what a row measures
    ):
        self.path = path
        self.columns = list(columns)
        self.key = list(key)
        self.measured = set()
        if path.exists():
            self._cut_unfinished_line()
            self._read()

    def _cut_unfinished_line(self):
        "A run that was killed while it wrote has left a line without its end: measure it again."
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            print(f"{self.path}: the last line is not finished; it is measured again.")
            with self.path.open("r+b") as file:
                file.truncate(len(whole))

    def _read(self):
        with self.path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if (reader.fieldnames or self.columns) != self.columns:
                raise SystemExit(
                    f"{self.path} has other columns than this program writes. "
                    "Move it away and run this again."
                )
            for row in reader:
                self.measured.add(self._name(row))

    def _name(self, row):
        return tuple(str(row[column]) for column in self.key)

    def __contains__(self, row):
        return self._name(row) in self.measured

    def add(self, row):
        "Write a row to the end of the file."
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n")
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)
        self.measured.add(self._name(row))

"The benchmarks: studies go on where they stopped, lines can be read, and what is counted is right."

import ast
import csv
import itertools
import os
import re
import signal
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.collab import RatingTable
from helpers.data.films import stand_in_ratings
from helpers.data.leaves import render_paddy
from helpers.data.paddy import decoded

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(FOLDER))

import collab  # noqa: E402
import common  # noqa: E402
import gpu  # noqa: E402
import images  # noqa: E402
import multitarget  # noqa: E402
import ranking  # noqa: E402
import rice  # noqa: E402


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def command_line(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["benchmark", *words])


# --- common: rows of a study that may stop at any moment


def study(path):
    "Writes the rows that are not there yet; returns the names of those."
    rows = common.Rows(path, ["name", "seed", "score", "device"], key=["name", "seed"])
    written = []
    for name, seed in itertools.product(["one", "größer"], range(2)):
        row = {"name": name, "seed": seed, "score": 0.5, "device": 'A card, "large"'}
        if row not in rows:
            rows.add(row)
            written.append((name, seed))
    return written


def test_a_study_goes_on_wherever_it_was_cut(tmp_path, capsys):
    "Whatever part of the file a killed run has left, the next run makes the same file of it."
    path = tmp_path / "new" / "study.csv"
    assert len(study(path)) == 4
    content = path.read_bytes()
    assert len(read(path)) == 4
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        whole = max(content[:length].count(b"\n") - 1, 0)
        assert len(study(path)) == 4 - whole
        assert path.read_bytes() == content
    assert "the last line is not finished" in capsys.readouterr().out


WRITER = """
import itertools
from pathlib import Path
import common
rows = common.Rows(Path("study.csv"), ["seed", "score"], key=["seed"])
for seed in itertools.count():
    if {"seed": seed} not in rows:
        rows.add({"seed": seed, "score": "x" * 500})
        print(seed, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_process_goes_on(tmp_path):
    "Two processes are killed while they write; nothing that they report is lost or doubled."
    reported = []
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(FOLDER)},
            stdout=subprocess.PIPE,
            text=True,
        )
        reported += [int(process.stdout.readline()) for _ in range(5)]
        process.send_signal(signal.SIGKILL)
        process.communicate()
    common.Rows(tmp_path / "study.csv", ["seed", "score"], key=["seed"])
    seeds = [int(row["seed"]) for row in read(tmp_path / "study.csv")]
    assert seeds == list(range(len(seeds)))
    assert set(reported) <= set(seeds)
    assert reported[5] >= 5


def test_a_csv_with_other_columns_is_refused(tmp_path):
    path = tmp_path / "study.csv"
    path.write_text("model,ms\nresnet50,1\n")
    with pytest.raises(SystemExit, match="other columns"):
        study(path)
    assert path.read_text() == "model,ms\nresnet50,1\n"


# --- common: arguments, rounds, lines


def test_quick_unless_full(capsys):
    def arguments(*words):
        parser = common.parser("")
        common.add_timing(parser, rounds=3)
        parsed = common.parse(parser, list(words), rounds=7)
        return parsed.full, parsed.rounds

    assert arguments() == (False, 3)
    assert capsys.readouterr().out == "Quick measurement: rounds 3. With --full: rounds 7.\n"
    assert arguments("--full") == (True, 7)
    assert capsys.readouterr().out == "Full measurement: rounds 7.\n"
    assert arguments("--rounds", "2") == (False, 2)
    assert arguments("--full", "--rounds", "2") == (True, 2)


def test_rounds_take_turns(monkeypatch):
    "A warm-up that is not counted, then another run first in each round; times go by their names."
    calls = []
    runs = {name: lambda name=name: calls.append(name) for name in "abc"}
    clock = iter(range(100))
    monkeypatch.setattr(common, "seconds", lambda run: run() or next(clock))
    times = common.rounds(runs, 3)
    assert "".join(calls) == "abc" + "abc" + "bca" + "cab"
    assert times == {"a": [0, 5, 7], "b": [1, 3, 8], "c": [2, 4, 6]}


def test_lines(capsys):
    common.print_ratio("epoch", [1.0, 2.0, 9.0], [4.0, 4.0, 3.0])
    common.print_value("accuracy", [0.5, 0.75, 0.625, 0.625])
    common.print_medians("seconds", {"ours": [1.0, 3.0, 9.0], "theirs": [1234.5]}, digits=1)
    assert capsys.readouterr().out.splitlines() == [
        "ratio epoch 0.500 0.250 3.000",
        "value accuracy 0.6250 0.5000 0.7500 4",
        "seconds: ours 3.0, theirs 1,234.5",
    ]


# --- the long studies of pictures, with nets that only say what is asked of them


@pytest.fixture
def plants(monkeypatch):
    "Sixty pictures of three diseases on ten days, which both studies take for the photographs."
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(256, (60, 3, 16, 16), generator=generator, dtype=torch.uint8)
    varieties = np.repeat(["ADT45", "Ponni"], 30)
    table = pd.DataFrame({"variety": varieties, "age": np.arange(60) // 6 % 5 + 45})
    photographs = SimpleNamespace(
        name="Paddy Doctor",
        pictures=pictures,
        table=table,
        y=torch.arange(60) % 3,
        labels=["blast", "normal", "tungro"],
    )
    monkeypatch.setattr(rice, "paddy", lambda size, least: photographs)
    monkeypatch.setattr(multitarget, "paddy", lambda size, least: photographs)
    return photographs


def stop_after(count, function, error=KeyboardInterrupt):
    "The function, and after so many calls Ctrl-C, or another error, in place of the next."
    calls = itertools.count()

    def stopped(*arguments):
        if next(calls) == count:
            raise error
        return function(*arguments)

    return stopped


def test_the_study_of_targets_goes_on(plants, tmp_path, monkeypatch, capsys):
    "Ctrl-C after four nets of six: two are trained afterwards. The quick form writes nothing."

    def fake(rice, weights, seed, size, epochs):
        return dict.fromkeys(multitarget.COLUMNS[6:], 0.1 * sum(weights) + 0.01 * seed * weights[1])

    path = tmp_path / "multitarget.csv"
    monkeypatch.setattr(multitarget, "STORE", path)
    command_line(monkeypatch, "--seeds", "2")
    monkeypatch.setattr(multitarget, "run", fake)
    multitarget.main()
    assert not path.exists()
    command_line(monkeypatch, "--seeds", "2", "--full")
    monkeypatch.setattr(multitarget, "run", stop_after(4, fake))
    with pytest.raises(KeyboardInterrupt):
        multitarget.main()
    assert len(read(path)) == 4
    monkeypatch.setattr(multitarget, "run", stop_after(2, fake, AssertionError("a third net")))
    capsys.readouterr()
    multitarget.main()
    rows = read(path)
    assert len(rows) == 6
    assert {(row["size"], row["epochs"]) for row in rows} == {("64", "3")}
    assert "value multitarget_disease_disease_variety 0.2050 0.2000 0.2100 2\n" in (
        capsys.readouterr().out
    )


def fake_study(monkeypatch, tmp_path, trainings):
    "The rice study with random predictions; it notes what is trained."

    def train(self, what, arch, split, fold):
        trainings.append((what, arch, split, fold))
        _, held_out = self.parts(split, fold)
        generator = torch.Generator().manual_seed(fold + 10 * (arch == rice.VIT))
        return torch.rand(2, len(held_out), 3, generator=generator).softmax(-1)

    def extract(self, arch):
        return torch.randn(60, 8, generator=torch.Generator().manual_seed(1))

    monkeypatch.setattr(rice.Study, "train", train)
    monkeypatch.setattr(rice.Study, "extract", extract)
    monkeypatch.setattr(rice, "STORE", tmp_path / "rice.csv")
    monkeypatch.setattr(rice, "bootstrap_interval", lambda right, ids: (0.5, 0.4, 0.6))
    monkeypatch.setattr(rice, "settings", lambda: SimpleNamespace(cache=tmp_path / "cache"))


def test_the_rice_study_goes_on(plants, learner, monkeypatch):
    "Ctrl-C in the eighth training: what was trained is kept, and the file ends as if unstopped."
    trainings = []
    fake_study(monkeypatch, learner, trainings)
    monkeypatch.setattr(rice.Study, "learn", lambda self, *job: self.train(*job)[0])
    path = learner / "rice.csv"
    command_line(monkeypatch, "--full")
    rice.main()
    content = path.read_bytes()
    everything = list(trainings)
    assert len(everything) == len(set(everything)) == 110, "50 nets and 60 baselines, each once"
    (learner / "cache").rename(learner / "elsewhere")
    rice.main()
    assert trainings == everything, "nothing is trained for rows that are there"
    assert path.read_bytes() == content
    path.unlink()
    trainings.clear()
    with monkeypatch.context() as patch:
        patch.setattr(rice.Study, "train", stop_after(7, rice.Study.train))
        with pytest.raises(KeyboardInterrupt):
            rice.main()
    path.write_bytes(path.read_bytes()[:-9])  # as a killed run may leave it
    rice.main()
    assert trainings == everything
    assert path.read_bytes() == content


def test_a_prediction_is_kept_whole_or_not_at_all(plants, learner, monkeypatch):
    "A run that dies while it saves leaves nothing that the next would take for a prediction."
    fake_study(monkeypatch, learner, [])
    study = rice.Study(learner / "rice.csv", learner, 16, 1)
    save = np.save

    def half(file, values):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "save", half)
    with pytest.raises(KeyboardInterrupt):
        study.kept("net", torch.zeros, 3)
    monkeypatch.setattr(np, "save", save)
    assert torch.equal(study.kept("net", torch.ones, 3), torch.ones(3))
    assert torch.equal(study.kept("net", torch.zeros, 3), torch.ones(3))


def test_the_quick_rice_study_writes_nothing(plants, learner, monkeypatch, capsys):
    trainings = []
    fake_study(monkeypatch, learner, trainings)
    command_line(monkeypatch)
    rice.main()
    assert not (learner / "rice.csv").exists() and not (learner / "cache").exists()
    assert [fold for *_, fold in trainings] == [0, 0]
    out = capsys.readouterr().out
    names = re.findall(r"^value rice_(\w+) (?:\d\.\d{4} ){3}(\d)$", out, re.M)
    assert ("majority_days", "5") in names
    assert ("ensemble_TTA_both_look_alikes", "1") in names
    assert len(names) == 18


# --- images.py


@pytest.fixture
def leaves(learner, monkeypatch):
    "A data folder with a few rendered leaves."
    render_paddy(learner / "data" / "paddy-small", train=60, test=0)
    monkeypatch.setenv("HELPERS_DATA", str(learner / "data"))
    return learner


def test_all_loaders_deliver(leaves, monkeypatch, capsys):
    "Each loader hands out every picture; lines and names can be read, and the ratios are right."
    monkeypatch.setattr(common, "seconds", lambda run: run() or 2.0)
    command_line(monkeypatch, "--rounds", "1", "--sizes", "32", "--pictures", "40")
    images.main()
    out = capsys.readouterr().out
    assert re.search(r"pictures per second at 32 x 32: ours 20, fastai 20, .* ours, cold 20\n", out)
    names = re.findall(r"^ratio image_(\w+)_32 1\.000 1\.000 1\.000$", out, re.M)
    assert names == [
        "epoch_vs_fastai",
        "epoch_vs_imagefolder",
        "cold_vs_imagefolder",
        "cold_vs_fastai",
        "epoch_vs_fastai_0_workers",
        "epoch_vs_imagefolder_2_workers",
    ]


def test_names_at_224(leaves, monkeypatch, capsys):
    "At 224 pixels the names are bare; ours stands above the others in each fraction."
    names = ["fastai", "imagefolder", "fastai without workers", "imagefolder with 2 workers"]
    times = dict.fromkeys(names, [4.0, 4.0, 4.0])
    times |= {"ours": [1.0, 2.0, 4.0], "ours, cold": [8.0, 8.0, 8.0]}
    monkeypatch.setattr(images, "compare", lambda *arguments: times)
    command_line(monkeypatch, "--sizes", "224")
    images.main()
    out = capsys.readouterr().out
    assert "ratio image_epoch_vs_fastai 0.500 0.250 1.000\n" in out
    assert "ratio image_cold_vs_imagefolder 2.000 2.000 2.000\n" in out


def test_the_cache_of_the_learner_is_left_alone(leaves):
    paths = sorted((leaves / "data" / "paddy-small" / "train_images").glob("*/*.jpg"))
    decoded(paths, (16, 16))
    folder = leaves / "data" / "cache" / "decoded"
    before_files = sorted(folder.iterdir())
    assert len(before_files) == 2
    before = os.environ["HELPERS_SETTINGS"]
    with images.own_cache():
        decoded(paths, (16, 16))
        images.forget()
    assert sorted(folder.iterdir()) == before_files
    assert os.environ["HELPERS_SETTINGS"] == before


def test_what_is_delivered_is_checked():
    "Normalised floats, and every picture."
    pictures = torch.zeros(2, 3, 8, 8)
    y = torch.zeros(2)
    with pytest.raises(AssertionError, match="no float"):
        images.deliver(lambda: [(pictures.byte(), y)], 2)
    with pytest.raises(AssertionError, match="no normalised"):
        images.deliver(lambda: [(pictures, y)], 2)
    with pytest.raises(AssertionError, match="6 pictures in place of 7"):
        images.deliver(lambda: [(pictures - 1, y)] * 3, 7)
    images.deliver(lambda: [(pictures - 1, y)] * 3, 6)


# --- gpu.py, as far as it goes without a GPU


def test_gpu_needs_only_torch_and_timm(monkeypatch, tmp_path, capsys):
    "It can be carried to a machine where the course is not, and without CUDA it says so."
    modules = set()
    for script in ("gpu.py", "common.py"):
        for node in ast.walk(ast.parse((FOLDER / script).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                modules.add(node.module.split(".")[0])
    assert modules - sys.stdlib_module_names == {"torch", "timm", "common"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu.main(["--out", str(tmp_path / "gpu.csv")])
    assert capsys.readouterr().out.endswith("\nNo CUDA device was found, so nothing is measured.\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("accum", [1, 4])
def test_a_step_takes_the_gradient_of_the_whole_batch(accum):
    "One update; the second step does not contain the first one's gradient."
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 10))
    model = model.double()
    x = torch.randn(8, 6, dtype=torch.float64)
    y = torch.randint(10, (8,))
    expected = torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))
    passes = []
    model.register_forward_hook(lambda module, inputs, output: passes.append(len(output)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    updates = []
    optimizer.register_step_post_hook(lambda *arguments: updates.append(1))
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    for _ in range(2):
        gpu.train_step(model, list(zip(x.chunk(accum), y.chunk(accum))), optimizer, scaler)
    assert passes == [8 // accum] * accum * 2
    assert len(updates) == 2
    for p, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(p.grad, gradient, rtol=0, atol=1e-10)


@pytest.mark.parametrize("optimizer, states", [("adamw", 2), ("sgd", 1)])
def test_bytes_are_counted(monkeypatch, optimizer, states):
    "A row of a real model in half precision on the CPU: 4 bytes a number, whatever autocast does."
    dtypes = set()
    loss = F.cross_entropy

    def watched(outputs, y):
        dtypes.add(outputs.dtype)
        return loss(outputs, y)

    monkeypatch.setattr(F, "cross_entropy", watched)
    config = gpu.Config("test_resnet", 48, 32, 4, 2, "bf16", optimizer)
    row = gpu.measure(config, "cpu", steps=1)
    assert dtypes == {torch.bfloat16}
    parameters = list(gpu.timm.create_model("test_resnet", num_classes=10).parameters())
    numbers = sum(p.numel() for p in parameters)
    counters = 4 * len(parameters) if optimizer == "adamw" else 0  # steps of each tensor
    assert row["parameter_bytes"] == row["gradient_bytes"] == 4 * numbers
    assert row["optimizer_bytes"] == 4 * numbers * states + counters
    assert list(row) == gpu.COLUMNS
    assert tuple(row[name] for name in gpu.Config._fields) == config
    assert row["params_m"] == round(numbers / 1e6, 3)
    assert row["images_per_s"] == pytest.approx(4000 / row["ms_per_step"], rel=0.01, abs=0.06)
    assert row["device"] == "cpu" and row["out_of_memory"] is False
    assert row["activation_bytes"] == row["peak_allocated_mib"] == ""
    others = [torch.zeros(7, dtype=torch.float16), None, 1.0, torch.zeros(9, device="meta")]
    assert gpu.count_bytes(others, torch.device("cpu")) == 14


def test_activations_are_what_the_peak_has_on_top(monkeypatch):
    "After training, and before and after one more update."
    readings = iter(
        [(100, 900 * 2**20, 1000 * 2**20), (700, 700, 800), (700, 1200, 1300)],
    )
    monkeypatch.setattr(gpu, "memory", lambda device: next(readings))
    row = gpu.measure(gpu.Config("test_resnet", 32, 32, batch=4), "cpu", steps=1)
    assert row["peak_allocated_mib"] == 900
    assert row["peak_reserved_mib"] == 1000
    assert row["update_bytes"] == 500
    parts = ["parameter_bytes", "gradient_bytes", "optimizer_bytes", "activation_bytes"]
    assert sum(row[part] for part in parts) == 900 * 2**20


def test_steps_are_timed_after_the_warm_up(monkeypatch):
    clock = [0.0]
    steps = []

    def slow_at_first(model, batches, *rest):
        steps.append([len(x) for x, y in batches])
        clock[0] += 100 if len(steps) <= gpu.WARM_UP else 2

    monkeypatch.setattr(gpu, "train_step", slow_at_first)
    monkeypatch.setattr(gpu.time, "perf_counter", lambda: clock[0])
    row = gpu.measure(gpu.Config("test_resnet", 32, 32, batch=12, accum=4), "cpu", steps=2)
    assert steps == [[3] * 4] * (gpu.WARM_UP + 2)
    assert (row["ms_per_step"], row["images_per_s"]) == (2000, 6)


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("no room"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
    ],
    ids=["PyTorch", "CUDA", "cuBLAS", "another error"],
)
def test_out_of_memory_is_a_row_and_frees_the_model(monkeypatch, error):
    "Another error is not swallowed."
    models = []
    gone = []

    def no_room(model, *rest):
        models.append(weakref.ref(model))
        raise type(error)(*error.args)

    clean_up = gpu.clean_up

    def watched(device):
        clean_up(device)
        gone.extend(model() is None for model in models)

    monkeypatch.setattr(gpu, "train_step", no_room)
    monkeypatch.setattr(gpu, "clean_up", watched)
    config = gpu.Config("test_resnet", 32, 32, batch=4)
    if "mat1" in str(error):
        with pytest.raises(RuntimeError, match="mat1"):
            gpu.measure(config, "cpu")
        return
    row = gpu.measure(config, "cpu")
    assert row["out_of_memory"] is True
    assert row["params_m"] > 0.1
    assert gone == [True]
    empty = [row[name] for name in gpu.COLUMNS if name.endswith(("_bytes", "_step", "_s"))]
    assert empty == [""] * 7


@pytest.fixture
def pretend_cuda(monkeypatch):
    "A machine that says it has a GPU without bf16, and rows that take no time."
    about = dict.fromkeys(gpu.MACHINE, "") | {"device": 'A card, "large"', "torch": "2.15"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(gpu, "describe", lambda device: about)

    def measure(config, device, steps):
        row = dict.fromkeys(gpu.COLUMNS, "") | config._asdict() | about
        return row | {"out_of_memory": config.accum == 1}

    monkeypatch.setattr(gpu, "measure", measure)
    return about


def test_the_gpu_study_goes_on(pretend_cuda, monkeypatch, tmp_path, capsys):
    "Ctrl-C, minutes that are over, out of memory: each row is measured once on each machine."
    path = tmp_path / "gpu.csv"
    words = ["--models", "resnet26d", "convnext_large.fb_in22k@320x224", "--accum", "1", "2"]
    words += ["--full", "--optimizer", "sgd", "--out", str(path)]
    measure = gpu.measure
    monkeypatch.setattr(gpu, "measure", stop_after(3, measure))
    with pytest.raises(KeyboardInterrupt):
        gpu.main(words)
    assert len(read(path)) == 3
    with monkeypatch.context() as patch:
        clock = iter(range(0, 1000, 50))  # seconds: the start, then before each row
        patch.setattr(gpu.time, "monotonic", lambda: next(clock))
        gpu.main([*words, "--minutes", "2"])
    assert capsys.readouterr().out.endswith("2 minutes are over after 2 of 5 rows.\n")
    monkeypatch.setattr(gpu, "measure", stop_after(3, measure, AssertionError("a fourth row")))
    gpu.main(words)
    rows = read(path)
    assert [(row["model"], row["height"], row["accum"], row["out_of_memory"]) for row in rows] == [
        ("resnet26d", "224", "1", "True"),
        ("resnet26d", "224", "2", "False"),
        ("convnext_large.fb_in22k", "320", "1", "True"),
        ("convnext_large.fb_in22k", "320", "2", "False"),
    ] * 2
    assert [row["precision"] for row in rows] == ["fp32"] * 4 + ["fp16"] * 4  # and no bf16
    pretend_cuda["device"] = "Another card"
    monkeypatch.setattr(gpu, "measure", measure)
    gpu.main(words)
    assert len(read(path)) == 16


def test_arguments_of_gpu(capsys):
    quick = gpu.parse(["--steps", "7"])
    assert (quick.steps, quick.precision, len(quick.models), quick.out) == (7, ["fp16"], 3, None)
    full = gpu.parse(["--full"])
    assert (full.steps, full.out, len(full.models)) == (10, gpu.STORE, 12)
    assert ("convnext_large.fb_in22k", 320, 224) in full.models
    assert ("swinv2_large_window12_192.ms_in22k", 192, 192) in full.models
    wrong = {
        "no model": ["--models", "no_such_net"],
        "--models": ["--models", "resnet50@big"],
        "multiple": ["--batch", "6"],
        "start at 1": ["--steps", "0"],
    }
    for message, words in wrong.items():
        with pytest.raises(SystemExit, match="2"):
            gpu.parse(words)
        assert message in capsys.readouterr().err


# --- collab: lists of ten


@pytest.fixture
def club():
    films = stand_in_ratings(users=60, items=40)
    return RatingTable(films.ratings, films.low, films.high)


def test_choices_do_not_see_the_held_out_part(club):
    inner, outer, train = ranking.splits(club, 0)
    held_out = outer.relevant > 0
    assert not (held_out & (outer.known > 0)).any()
    for part in (inner.known, inner.relevant):
        assert not (part > 0)[outer.known == 0].any(), "the inner split is cut from `train`"
    assert not ((inner.known > 0) & (inner.relevant > 0)).any()


def test_the_lists_of_ten_are_printed(monkeypatch, capsys):
    monkeypatch.setattr(ranking, "LINEAR", ranking.LINEAR[:2])
    monkeypatch.setattr(ranking, "ALS", [dict(factors=4, penalty=10, alpha=1)])
    monkeypatch.setattr(ranking.best_sampled, "__defaults__", ((0.1,), (1, 2)))
    collab.measure_rankings(stand_in_ratings(users=60, items=40), seeds=1)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("value")]
    names = [line.split()[1].removeprefix("rank_ndcg10_") for line in lines[::2]]
    models = ["popularity", "ratings_recipe", "svdpp", "sampled", "linear", "als", "ours"]
    assert names == models
    assert all(0 < float(line.split()[2]) <= 1 for line in lines)

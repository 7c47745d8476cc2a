"Training in two processes, as Accelerate's launchers start them."

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from shared import ROOT, closed_port

from helpers.accumulate import Accumulator
from helpers.train import Batches, fit
from helpers.vision import load_net

FOLDERS = [str(ROOT / "tests" / name) for name in ("lessons", "gpu")]
sys.path[:0] = FOLDERS
from test_accumulate import OPTIMIZERS, net, rows  # noqa: E402


def launcher():
    "What starts two processes here."
    # With --cpu it starts one only, unless there is MPI; the scripts ask for the CPU themselves.
    options = {
        "num_processes": 2,
        "num_machines": 1,
        "mixed_precision": "no",
        "dynamo_backend": "no",
        "main_process_port": closed_port(),  # port 0 makes older launchers wait for ever
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    return ["-m", "accelerate.commands.launch", "--multi_gpu", *words]


@pytest.fixture
def launch(tmp_path):
    "Run a script, by the launcher if nothing else is said; in the end no process of it is left."

    def run(script, *words, command=None, seconds=200):
        path = tmp_path / "script.py"
        path.write_text(script)
        program = [sys.executable, *(launcher() if command is None else command), path, *words]
        env = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            list(map(str, program)),
            env=env,
            text=True,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            printed, errors = process.communicate(timeout=seconds)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        assert process.returncode == 0, errors[-3000:]
        return printed

    return run


def test_nothing_is_left_when_the_time_is_up(launch, tmp_path):
    "A child that would write a file in a while is ended with its parent."
    child = f"import time; time.sleep(2); open({str(tmp_path / 'late')!r}, 'w')"
    script = f'import subprocess, sys; subprocess.run([sys.executable, "-c", {child!r}])'
    with pytest.raises(subprocess.TimeoutExpired):
        launch(script, command=[], seconds=0.5)
    time.sleep(2.5)
    assert not (tmp_path / "late").exists()


# --- gradient accumulation

ACCUMULATE = f"""
import sys

sys.path[:0] = {FOLDERS}
import torch
from accelerate import Accelerator
from test_accumulate import OPTIMIZERS, net, rows
from torch import nn

from helpers.gpu.devices import fit_on
from helpers.train import Batches

torch.set_num_threads(1)
accelerator = Accelerator(cpu=True)


def optimizer(name, model):
    return OPTIMIZERS[name](list(model.parameters()))


def train_alike(name):
    "Different starts: the first device's counts."
    model = net(seed=accelerator.process_index)
    batches = Batches(*rows(96), 8, shuffle=True, seed=1, device="cpu")
    valid = Batches(*rows(37, 5), 8, device="cpu")
    history = fit_on(
        accelerator, model, batches, optimizer(name, model), epochs=3, valid=valid, rows=32
    )
    return model.state_dict(), history.losses, history.valid


def check_hard_case(name):
    "Running averages, a last batch of few rows, a parameter that no loss uses, one row to score."
    model = net(nn.BatchNorm1d)
    # As in timm's convnext, whose last norm our head leaves out.
    unused = nn.Parameter(torch.ones(3, dtype=torch.float64))
    model.register_parameter("unused", unused)
    batches = Batches(*rows(101), 8, shuffle=True, device="cpu")
    valid = Batches(*rows(1, 5), 8, device="cpu")
    fit_on(accelerator, model, batches, optimizer(name, model), epochs=2, valid=valid)
    state = [tensor.flatten().double() for tensor in model.state_dict().values()]
    everybody = accelerator.gather(torch.cat(state)[None])
    assert torch.equal(everybody[0], everybody[1]), "all devices end with the same model"


results = {{}}
for name in ("SGD", "torch AdamW"):
    results[name] = train_alike(name)
    check_hard_case(name)
if accelerator.is_main_process:
    torch.save(results, sys.argv[1])
accelerator.end_training()
"""


def test_two_processes_are_two_micro_batches(launch, tmp_path):
    "Two gloo processes with batches of 8 and an update after 32 rows, beside one process."
    launch(ACCUMULATE, tmp_path / "results.pt")
    for name, (weights, losses, valid) in torch.load(tmp_path / "results.pt").items():
        model = net()
        batches = Batches(*rows(96), 8, shuffle=True, seed=1, device="cpu")
        history = fit(
            model,
            batches,
            OPTIMIZERS[name](list(model.parameters())),
            epochs=3,
            valid=Batches(*rows(37, 5), 8, device="cpu"),
            step=Accumulator(len(batches), rows=32),
        )
        for key, value in model.state_dict().items():
            assert (weights[key] - value).abs().max() < 1e-10
        pairs = torch.tensor(history.losses).reshape(-1, 2).mean(1)
        assert torch.allclose(pairs[0], torch.tensor(losses[0])) and len(losses) == 18
        for ours, theirs in zip(history.valid, valid, strict=True):
            assert ours == pytest.approx(theirs, abs=1e-7)


# --- the notes' recipe

RICE = f"""
import sys

sys.path[:0] = {FOLDERS}
import torch
from test_rice import BODY, plants

import helpers.gpu.rice

torch.set_num_threads(1)


def small_paddy(size, method):
    print("loaded")
    return plants(seed=0)


helpers.gpu.rice.paddy = small_paddy


def on_each():
    trained = helpers.gpu.rice.train(**BODY, epochs=1, bs=16, accum=2, seed=0, save=sys.argv[1])
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    assert accelerator.num_processes == 2
    state = [tensor.flatten().double() for tensor in trained.net.state_dict().values()]
    everybody = accelerator.gather(torch.cat(state)[None])
    assert torch.equal(everybody[0], everybody[1])
    scores = [row["loss"] for row in trained.history.valid]
    losses = accelerator.gather(torch.tensor(trained.history.losses + scores)[None])
    assert torch.equal(losses[0], losses[1])
    accelerator.end_training()


"""
NOTEBOOK = """
from accelerate import notebook_launcher

notebook_launcher(on_each, num_processes=2, use_port="{port}")
"""


@pytest.mark.parametrize("launched", ["accelerate launch", "notebook_launcher"])
def test_unchanged_under_the_launchers(launch, tmp_path, launched):
    "Two processes: the same net in both, one of them speaks, and one file."
    file = tmp_path / "net.safetensors"
    if launched == "notebook_launcher":
        printed = launch(RICE + NOTEBOOK.format(port=closed_port()), file, command=[])
    else:
        printed = launch(f"{RICE}on_each()\n", file)
    assert printed.count("loaded") == 1
    assert load_net(file).labels == ["blast", "hispa", "tungro"]

"Training in two processes, as Accelerate's launchers start them."

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from shared import ROOT, closed_port
from test_accumulate import OPTIMIZERS, batches_of, net, rows

from helpers.accumulate import Accumulator
from helpers.train import Batches, fit
from helpers.vision import load_net

PATHS = [str(ROOT / "tests" / folder) for folder in ("lessons", "gpu", ".")]


def launcher():
    """What starts two processes here.

    (With --cpu it starts one only, unless there is MPI; the scripts ask for the CPU themselves.)
    """
    return [
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--main_process_port",
        str(closed_port()),  # port 0 makes older launchers wait for ever
    ]


@pytest.fixture
def launch(tmp_path):
    "Run a script, by the launcher if nothing else is said; none of its processes is left."

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


ACCUMULATE = """
import sys, torch
sys.path[:0] = {paths!r}
from accelerate import Accelerator
from torch import nn
from helpers.gpu.devices import fit_on
from test_accumulate import OPTIMIZERS, batches_of, net, rows
from helpers.train import Batches

torch.set_num_threads(1)
accelerator = Accelerator(cpu=True)
found = {{}}
for name in ("SGD", "torch AdamW"):
    make = OPTIMIZERS[name]
    model = net(seed=accelerator.process_index)  # different starts: the first device's counts
    batches = batches_of(8, 96, shuffle=True, seed=1)
    valid = Batches(*rows(37, 5), 8, device="cpu")
    optimizer = make(list(model.parameters()))
    history = fit_on(accelerator, model, batches, optimizer, 3, valid=valid, rows=32)
    found[name] = model.state_dict(), history.losses, history.valid

    model = net(nn.BatchNorm1d)
    # as in timm's convnext, whose last norm our head leaves out
    unused = nn.Parameter(torch.ones(3, dtype=torch.float64))
    model.register_parameter("unused", unused)
    batches = batches_of(8, 101, shuffle=True)
    valid = Batches(*rows(1, 5), 8, device="cpu")
    fit_on(accelerator, model, batches, make(list(model.parameters())), 2, valid=valid)
    state = torch.cat([t.flatten().double() for t in model.state_dict().values()])
    everybody = accelerator.gather(state[None])
    assert torch.equal(everybody[0], everybody[1]), "all devices end with the same model"
if accelerator.is_main_process:
    torch.save(found, sys.argv[1])
accelerator.end_training()
"""


def test_two_processes_are_two_micro_batches(launch, tmp_path):
    "Two gloo processes with batches of 8 and an update after 32 rows, beside one process."
    launch(ACCUMULATE.format(paths=PATHS), tmp_path / "found.pt")
    found = torch.load(tmp_path / "found.pt")
    for name, (weights, losses, valid) in found.items():
        model = net()
        batches = batches_of(8, 96, shuffle=True, seed=1)
        history = fit(
            model,
            batches,
            OPTIMIZERS[name](list(model.parameters())),
            3,
            valid=Batches(*rows(37, 5), 8, device="cpu"),
            step=Accumulator(len(batches), rows=32),
        )
        for key, value in model.state_dict().items():
            assert (weights[key] - value).abs().max().item() < 1e-10
        pairs = torch.tensor(history.losses).reshape(-1, 2).mean(1)
        assert torch.allclose(pairs[0], torch.tensor(losses[0])) and len(losses) == 18
        for ours, theirs in zip(history.valid, valid):
            assert ours == pytest.approx(theirs, abs=1e-7)


RICE = """
import sys, torch
sys.path[:0] = {paths!r}
import helpers.gpu.rice
from test_rice import BODY, plants
helpers.gpu.rice.paddy = lambda size, method: print('loaded') or plants(seed=0)
torch.set_num_threads(1)

def on_each():
    trained = helpers.gpu.rice.train(**BODY, epochs=1, bs=16, accum=2, seed=0, save=sys.argv[1])
    from accelerate import Accelerator
    accelerator = Accelerator(cpu=True)
    state = torch.cat([t.flatten().double() for t in trained.net.state_dict().values()])
    everybody = accelerator.gather(state[None])
    assert accelerator.num_processes == 2 and torch.equal(everybody[0], everybody[1])
    losses = trained.history.losses + [row['loss'] for row in trained.history.valid]
    losses = accelerator.gather(torch.tensor(losses)[None])
    assert torch.equal(losses[0], losses[1])
    accelerator.end_training()

{start}
"""


def by_notebook_launcher():
    port = str(closed_port())
    return (
        "from accelerate import notebook_launcher\n"
        f"notebook_launcher(on_each, num_processes=2, use_port={port!r})"
    )


@pytest.mark.parametrize("notebook", [False, True], ids=["accelerate launch", "notebook_launcher"])
def test_unchanged_under_the_launchers(launch, tmp_path, notebook):
    "Two processes: the same net in both, one of them speaks, and one file."
    start, command = (by_notebook_launcher(), []) if notebook else ("on_each()", None)
    file = tmp_path / "net.safetensors"
    printed = launch(RICE.format(paths=PATHS, start=start), file, command=command)
    assert printed.count("loaded") == 1 and load_net(file).labels == ["blast", "hispa", "tungro"]

"""Peak memory and time per optimizer step of timm models on a GPU. Needs torch and timm only.

With --full each row is written to data/gpu.csv as soon as it is measured, and a run that was
stopped goes on where it was, on the same GPU with the same versions. The quick form measures three
small models, and keeps its rows only where --out names a file. To measure on another machine, take
this file and common.py along.

Weights, pictures and labels are random: nothing is downloaded, and loading data is not part of the
time. A step sends `accum` micro-batches of batch // accum pictures forward and backward through
the model, and then updates the weights once. Gradients are zeroed and stay allocated, as in fastai,
so parameters, gradients and optimizer state lie in memory all the time. What the peak has on top of
them is `activation_bytes`: activations, with half-precision copies of weights, buffers, the
micro-batch and work space. An update has temporary memory of its own (`update_bytes`); where the
two are about equal, the update has set the peak. The memory of the CUDA context comes on top of
what PyTorch counts. Without CUDA the program says so and exits with code 0.
"""

import gc
import itertools
import statistics
import subprocess
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import NamedTuple

import common
import timm
import torch
import torch.nn.functional as F

STORE = Path(__file__).resolve().parent.parent / "data" / "gpu.csv"
QUICK_MODELS = ["resnet26d", "convnext_tiny", "vit_tiny_patch16_224"]
MODELS = [
    "convnext_tiny",
    "convnext_small.fb_in22k",
    "convnext_large.fb_in22k@320x224",
    "resnet26d",
    "resnet50",
    "swin_tiny_patch4_window7_224",
    "swin_large_patch4_window7_224",
    "swinv2_tiny_window8_256",
    "swinv2_large_window12_192.ms_in22k",
    "vit_tiny_patch16_224",
    "vit_small_patch16_224",
    "vit_large_patch16_224",
]
PRECISIONS = {"fp32": None, "fp16": torch.float16, "bf16": torch.bfloat16}
WARM_UP = 3  # steps that are not timed; the first also allocates gradients and optimizer state


class Config(NamedTuple):
    "What one row measures; `batch` counts the pictures of one optimizer step."

    model: str
    height: int = 224
    width: int = 224
    batch: int = 64
    accum: int = 1
    precision: str = "fp32"
    optimizer: str = "adamw"


MACHINE = ["device", "device_mib", "driver", "cuda", "torch", "timm", "date"]
COLUMNS = [
    *Config._fields,
    "channels_last",
    "params_m",
    "parameter_bytes",
    "gradient_bytes",
    "optimizer_bytes",
    "activation_bytes",
    "update_bytes",
    "peak_allocated_mib",
    "peak_reserved_mib",
    "out_of_memory",
    "ms_per_step",
    "images_per_s",
    *MACHINE,
]
KEY = [*Config._fields, "device", "torch", "timm"]


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=1e-4)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=1e-4, momentum=0.9)


OPTIMIZERS = {"adamw": adamw, "sgd": sgd}


def model_and_size(name):
    "('resnet50', 224, 224) from 'resnet50' (timm's size for it) or 'resnet50@224x224'."
    model, _, size = name.partition("@")
    if not timm.is_model(model):
        raise ValueError(f"timm {timm.__version__} has no model {model!r}")
    height, width = size.split("x") if size else timm.get_pretrained_cfg(model).input_size[1:]
    return model, int(height), int(width)


def train_step(model, batches, optimizer, scaler, dtype=None):
    "One update on the mean loss over equally large micro-batches (x, y), a backward pass each."
    optimizer.zero_grad(set_to_none=False)
    for x, y in batches:
        with torch.autocast(x.device.type, dtype=dtype, enabled=dtype is not None):
            loss = F.cross_entropy(model(x), y) / len(batches)
        scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()


def count_bytes(tensors, device):
    "The bytes of those tensors that lie on the device."
    total = 0
    for tensor in tensors:
        if torch.is_tensor(tensor) and tensor.device.type == device.type:
            total += tensor.numel() * tensor.element_size()
    return total


def clean_up(device):
    "Free what nobody holds any more, and forget earlier peaks."
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def memory(device):
    "Bytes on the GPU: allocated now, allocated at the peak since clean_up, reserved at the peak."
    if device.type != "cuda":
        return None
    return (
        torch.cuda.memory_allocated(),
        torch.cuda.max_memory_allocated(),
        torch.cuda.max_memory_reserved(),
    )


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def build(config, device):
    "The model, in training mode."
    fixed = timm.get_pretrained_cfg(config.model).fixed_input_size
    size = {"img_size": (config.height, config.width)} if fixed else {}  # told when it is built
    model = timm.create_model(config.model, pretrained=False, num_classes=10, **size)
    return model.to(device).train()


def train(row, config, device, steps):
    "Train for some steps, and write into the row what they take."
    model = build(config, device)
    row["params_m"] = round(sum(p.numel() for p in model.parameters()) / 1e6, 3)
    optimizer = OPTIMIZERS[config.optimizer](model.parameters())
    # A low scale: no update is left out while the scaler looks for one without overflow.
    scaler = torch.amp.GradScaler(device.type, init_scale=256.0, enabled=config.precision == "fp16")
    pictures = config.batch // config.accum
    x = torch.randn(pictures, 3, config.height, config.width, device=device)
    y = torch.randint(10, (pictures,), device=device)
    batches = [(x, y)] * config.accum
    times = []
    for _ in range(WARM_UP + steps):
        synchronize(device)
        start = time.perf_counter()
        train_step(model, batches, optimizer, scaler, PRECISIONS[config.precision])
        synchronize(device)
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times[WARM_UP:])
    found = count(model, optimizer, device)
    row.update(found, ms_per_step=round(1000 * seconds, 3))
    row["images_per_s"] = round(config.batch / seconds, 1)


def count(model, optimizer, device):
    "Where the memory went."
    state = [tensor for tensors in optimizer.state.values() for tensor in tensors.values()]
    gradients = [p.grad for p in model.parameters()]
    found = {
        "parameter_bytes": count_bytes(model.parameters(), device),
        "gradient_bytes": count_bytes(gradients, device),
        "optimizer_bytes": count_bytes(state, device),
    }
    used = memory(device)
    if used is None:
        return found
    _, peak, reserved = used
    found["activation_bytes"] = peak - sum(found.values())
    found["peak_allocated_mib"] = round(peak / 2**20, 1)
    found["peak_reserved_mib"] = round(reserved / 2**20, 1)
    clean_up(device)
    before, _, _ = memory(device)
    optimizer.step()  # once more, for the temporary memory of an update alone
    _, peak, _ = memory(device)
    found["update_bytes"] = peak - before
    return found


def driver_version():
    "What nvidia-smi says, or nothing."
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(words, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.strip().partition("\n")[0]


def describe(device):
    "The columns about the machine and the versions."
    row = dict.fromkeys(MACHINE, "")
    row["device"] = "cpu"
    row["torch"] = torch.__version__
    row["timm"] = timm.__version__
    row["date"] = date.today().isoformat()
    if device.type == "cuda":
        row["device"] = torch.cuda.get_device_name()
        row["device_mib"] = round(torch.cuda.get_device_properties(device).total_memory / 2**20)
        row["driver"] = driver_version()
        row["cuda"] = torch.version.cuda or torch.version.hip
    return row


def ran_out_of_memory(error):
    "cuBLAS has words of its own for it."
    words = str(error)
    return (
        isinstance(error, torch.cuda.OutOfMemoryError)
        or "out of memory" in words
        or "ALLOC_FAILED" in words
    )


def measure(config, device, steps=10):
    "The row of a Config; on the CPU only tensors are counted and times taken."
    device = torch.device(device)
    row = dict.fromkeys(COLUMNS, "") | config._asdict() | describe(device)
    row["channels_last"] = False
    row["out_of_memory"] = False
    clean_up(device)
    try:
        train(row, config, device, steps)
    except RuntimeError as error:
        if not ran_out_of_memory(error):
            raise
        row["out_of_memory"] = True
    clean_up(device)  # not inside of except, where the error still holds on to the model
    return row


def parse(argv=None):
    "The arguments, checked."
    parser = common.parser(__doc__)
    parser.add_argument(
        "--models",
        nargs="+",
        default=QUICK_MODELS,
        metavar="NAME",
        help="names in timm, with a size if need be: resnet50@320x224",
    )
    parser.add_argument(
        "--batch", nargs="+", type=int, default=[64], help="pictures in an optimizer step (64)"
    )
    parser.add_argument(
        "--accum", nargs="+", type=int, default=[1, 2, 4], help="micro-batches in a step (1 2 4)"
    )
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=PRECISIONS,
        default=["fp16"],
        help="fp16 and bf16 by autocast, fp16 with a GradScaler",
    )
    parser.add_argument(
        "--optimizer",
        nargs="+",
        choices=OPTIMIZERS,
        default=["adamw"],
        help="sgd has a momentum of 0.9",
    )
    parser.add_argument(
        "--steps", type=int, default=3, help=f"timed steps, after {WARM_UP} for warm-up"
    )
    parser.add_argument(
        "--out", type=Path, help="the CSV that grows (with --full: the checkout's data/gpu.csv)"
    )
    parser.add_argument(
        "--minutes", type=float, default=20, help="then nothing more is started (default: 20)"
    )
    arguments = common.parse(
        parser,
        argv,
        models=MODELS,
        precision=list(PRECISIONS),
        optimizer=list(OPTIMIZERS),
        steps=10,
    )
    if arguments.full and not arguments.out:
        arguments.out = STORE
    try:
        arguments.models = [model_and_size(name) for name in arguments.models]
    except ValueError as error:
        parser.error(f"--models: {error}")
    if min(*arguments.batch, *arguments.accum, arguments.steps) < 1:
        parser.error("--batch, --accum and --steps start at 1")
    for batch, accum in itertools.product(arguments.batch, arguments.accum):
        if batch % accum:
            parser.error("every --batch must be a multiple of every --accum")
    return arguments


def configurations(arguments):
    "Models vary faster than precisions: when time is up, most of them have a row at least."
    combinations = itertools.product(
        arguments.optimizer,
        arguments.precision,
        arguments.batch,
        arguments.models,
        arguments.accum,
    )
    for optimizer, precision, batch, model, accum in combinations:
        yield Config(*model, batch, accum, precision, optimizer)


def measure_all(arguments, path):
    "A row for each combination that was asked for; those that are there are skipped."
    rows = common.Rows(path, COLUMNS, KEY)
    machine = describe(torch.device("cuda"))
    todo = [
        config for config in configurations(arguments) if config._asdict() | machine not in rows
    ]
    start = time.monotonic()
    for done, config in enumerate(todo):
        if time.monotonic() - start > 60 * arguments.minutes:
            print(f"{arguments.minutes:g} minutes are over after {done} of {len(todo)} rows.")
            return
        row = measure(config, "cuda", arguments.steps)
        rows.add(row)
        result = f"{row['peak_allocated_mib']} MiB, {row['ms_per_step']} ms"
        if row["out_of_memory"]:
            result = "out of memory"
        print(f"{done + 1}/{len(todo)}", *config, result, flush=True)


def main(argv=None):
    arguments = parse(argv)
    if not torch.cuda.is_available():
        print("No CUDA device was found, so nothing is measured.")
        return
    emulated = not torch.cuda.is_bf16_supported(including_emulation=False)
    if emulated and "bf16" in arguments.precision:
        print("This GPU has no bf16 of its own, so bf16 is left out.")
        arguments.precision.remove("bf16")
    with tempfile.TemporaryDirectory() as scratch:
        measure_all(arguments, arguments.out or Path(scratch) / STORE.name)


if __name__ == "__main__":
    main()

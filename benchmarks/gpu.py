"""Peak memory and time per optimizer step of timm models on a GPU, appended to data/gpu.csv. Needs torch and timm only.

Weights, pictures and labels are random: nothing is downloaded, and loading data is not part of the time. A step sends
`accum` micro-batches of batch // accum pictures forward and backward through the model, and then updates the weights
once. Gradients are zeroed and stay allocated, as in fastai, so parameters, gradients and optimizer state lie in memory
all the time. What the peak has on top of them is `activation_bytes`: activations, with half-precision copies of weights,
buffers, the micro-batch and work space. An update has temporary memory of its own (`update_bytes`); where the two are
about equal, the update has set the peak. The memory of the CUDA context comes on top of what PyTorch counts.
Without CUDA the program says so and exits with code 0.
"""
import argparse, csv, gc, itertools, statistics, subprocess, time
from datetime import date
from pathlib import Path
from typing import NamedTuple

import timm
import torch
import torch.nn.functional as F

OUT = Path(__file__).resolve().parent.parent/'data'/'gpu.csv'
MODELS = ['convnext_tiny', 'convnext_small.fb_in22k', 'convnext_large.fb_in22k@320x224', 'resnet26d', 'resnet50',
          'swin_tiny_patch4_window7_224', 'swin_large_patch4_window7_224', 'swinv2_tiny_window8_256',
          'swinv2_large_window12_192.ms_in22k', 'vit_tiny_patch16_224', 'vit_small_patch16_224', 'vit_large_patch16_224']
QUICK = dict(models=['resnet26d', 'convnext_tiny', 'vit_tiny_patch16_224'], precision=['fp16'], optimizer=['adamw'], steps=3)
PRECISIONS = {'fp32': None, 'fp16': torch.float16, 'bf16': torch.bfloat16}
OPTIMIZERS = {'adamw': lambda params: torch.optim.AdamW(params, lr=1e-4),
              'sgd': lambda params: torch.optim.SGD(params, lr=1e-4, momentum=0.9)}
WARM_UP = 3  # steps that are not timed; the first one also allocates the gradients and the optimizer state
COLUMNS = ['model', 'height', 'width', 'batch', 'accum', 'precision', 'optimizer', 'channels_last', 'params_m',
           'parameter_bytes', 'gradient_bytes', 'optimizer_bytes', 'activation_bytes', 'update_bytes',
           'peak_allocated_mib', 'peak_reserved_mib', 'out_of_memory', 'ms_per_step', 'images_per_s',
           'device', 'device_mib', 'driver', 'cuda', 'torch', 'timm', 'date']


class Config(NamedTuple):
    "What one row measures; `batch` counts the pictures of one optimizer step."
    model: str
    height: int = 224
    width: int = 224
    batch: int = 64
    accum: int = 1
    precision: str = 'fp32'
    optimizer: str = 'adamw'


def model_and_size(name):
    "('resnet50', 224, 224) from 'resnet50' (the size that timm names for it) or 'resnet50@224x224' (height x width)."
    model, _, size = name.partition('@')
    if not timm.is_model(model): raise ValueError(f'timm {timm.__version__} has no model {model!r}')
    height, width = size.split('x') if size else timm.get_pretrained_cfg(model).input_size[1:]
    return model, int(height), int(width)


def train_step(model, batches, optimizer, scaler, dtype=None):
    "One optimizer step on the mean loss over equally large micro-batches (x, y): a backward pass for each, one update."
    optimizer.zero_grad(set_to_none=False)
    for x, y in batches:
        with torch.autocast(x.device.type, dtype=dtype, enabled=dtype is not None):
            loss = F.cross_entropy(model(x), y) / len(batches)
        scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()


def count_bytes(tensors, device):
    "The bytes of those tensors that lie on the device."
    return sum(t.numel() * t.element_size() for t in tensors if torch.is_tensor(t) and t.device.type == device.type)


def clean_up(device):
    "Free what nobody holds any more, and forget earlier peaks."
    gc.collect()
    if device.type == 'cuda':
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def memory(device):
    "Bytes on the GPU: allocated now, allocated at the peak since clean_up, and reserved by PyTorch at the peak."
    if device.type == 'cuda': return torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()


def train(row, config, device, steps):
    "Train for some steps, and write into the row what they take."
    fixed = timm.get_pretrained_cfg(config.model).fixed_input_size  # such a model is told the size when it is built
    size = dict(img_size=(config.height, config.width)) if fixed else {}
    model = timm.create_model(config.model, pretrained=False, num_classes=10, **size)
    row['params_m'] = round(sum(p.numel() for p in model.parameters()) / 1e6, 3)
    model.to(device).train()
    optimizer = OPTIMIZERS[config.optimizer](model.parameters())
    # The scale starts low, so that no update is left out while the scaler looks for one without overflow.
    scaler = torch.amp.GradScaler(device.type, init_scale=256., enabled=config.precision == 'fp16')
    micro = config.batch // config.accum
    x = torch.randn(micro, 3, config.height, config.width, device=device)
    batches = [(x, torch.randint(10, (micro,), device=device))] * config.accum
    synchronize = torch.cuda.synchronize if device.type == 'cuda' else lambda: None
    times = []
    for _ in range(WARM_UP + steps):
        synchronize()
        start = time.perf_counter()
        train_step(model, batches, optimizer, scaler, PRECISIONS[config.precision])
        synchronize()
        times.append(time.perf_counter() - start)
    state = (tensor for tensors in optimizer.state.values() for tensor in tensors.values())
    found = dict(parameter_bytes=count_bytes(model.parameters(), device), optimizer_bytes=count_bytes(state, device),
                 gradient_bytes=count_bytes((p.grad for p in model.parameters()), device))
    if used := memory(device):
        _, peak, reserved = used
        found.update(activation_bytes=peak - sum(found.values()),
                     peak_allocated_mib=round(peak / 2**20, 1), peak_reserved_mib=round(reserved / 2**20, 1))
        clean_up(device)
        before = memory(device)[0]
        optimizer.step()  # once more, for the temporary memory of an update alone
        found.update(update_bytes=memory(device)[1] - before)
    seconds = statistics.median(times[WARM_UP:])
    row.update(found, ms_per_step=round(1000 * seconds, 3), images_per_s=round(config.batch / seconds, 1))


def describe(device):
    "The columns about the machine and the versions."
    row = dict(device='cpu', torch=torch.__version__, timm=timm.__version__, date=date.today().isoformat())
    if device.type != 'cuda': return row
    ask = ['nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader']
    try: driver = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, IndexError, subprocess.CalledProcessError): driver = ''
    return row | dict(device=torch.cuda.get_device_name(), driver=driver, cuda=torch.version.cuda or torch.version.hip,
                      device_mib=round(torch.cuda.get_device_properties(device).total_memory / 2**20))


def measure(config, device=None, steps=10):
    "The row of a Config, as a dictionary; on the CPU only tensors are counted and time taken, the peaks stay empty."
    if config.batch % config.accum: raise ValueError(f'{config.accum} equal micro-batches cannot be made of {config.batch} pictures')
    device = torch.device(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    row = dict.fromkeys(COLUMNS, '') | config._asdict() | describe(device) | dict(channels_last=False, out_of_memory=False)
    clean_up(device)
    try: train(row, config, device, steps)
    except RuntimeError as error:  # cuBLAS has words of its own for it
        if not (isinstance(error, torch.cuda.OutOfMemoryError) or 'out of memory' in str(error) or 'ALLOC_FAILED' in str(error)): raise
        row['out_of_memory'] = True
    clean_up(device)  # not inside of except, where the error still holds on to the model
    return row


def start_csv(path):
    "Write the header where there is none yet, and refuse a CSV that has another one."
    if not path.exists() or not path.stat().st_size:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(','.join(COLUMNS) + '\n', encoding='utf-8')
    elif path.read_text(encoding='utf-8').splitlines()[0] != ','.join(COLUMNS):
        raise SystemExit(f'{path} has other columns than this program writes. Move it away, or name another file with --out.')


def append(path, row):
    "Write a row to the end of the CSV."
    with path.open('a', newline='', encoding='utf-8') as file: csv.DictWriter(file, COLUMNS, lineterminator='\n').writerow(row)


def parse(argv=None):
    "The arguments, checked; --quick changes only those that are not given."
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--models', nargs='+', default=MODELS, metavar='NAME', help='names in timm, with a size if need be: resnet50@320x224')
    add('--batch', nargs='+', type=int, default=[64], help='pictures in an optimizer step (default: 64)')
    add('--accum', nargs='+', type=int, default=[1, 2, 4], help='micro-batches in a step (default: 1 2 4)')
    add('--precision', nargs='+', choices=PRECISIONS, default=list(PRECISIONS), help='fp16 and bf16 by autocast, fp16 with a GradScaler')
    add('--optimizer', nargs='+', choices=OPTIMIZERS, default=list(OPTIMIZERS), help='sgd has a momentum of 0.9')
    add('--steps', type=int, default=10, help=f'timed steps, after {WARM_UP} for warm-up (default: 10)')
    add('--out', type=Path, default=OUT, help="the CSV that grows (default: the checkout's data/gpu.csv)")
    add('--minutes', type=float, default=20, help='after that time no other configuration is started (default: 20)')
    add('--quick', action='store_true', help='three small models, fp16, AdamW, 3 steps')
    args = parser.parse_args(argv)
    if args.quick:
        parser.set_defaults(**QUICK)
        args = parser.parse_args(argv)
    try: args.models = [model_and_size(name) for name in args.models]
    except ValueError as error: parser.error(f'--models: {error}')
    if min(args.batch + args.accum + [args.steps]) < 1: parser.error('--batch, --accum and --steps start at 1')
    if any(batch % accum for batch in args.batch for accum in args.accum): parser.error('every --batch must be a multiple of every --accum')
    return args


def main(argv=None):
    "Measure every combination that was asked for, one row each."
    args = parse(argv)
    if not torch.cuda.is_available(): return print('No CUDA device was found, so nothing is measured.')
    start_csv(args.out)
    if not torch.cuda.is_bf16_supported(including_emulation=False) and 'bf16' in args.precision:
        print('This GPU has no bf16 of its own, so bf16 is left out.')
        args.precision.remove('bf16')
    # Models vary faster than precisions and optimizers: when time is up, most of them have a row at least.
    todo = [Config(*model, batch, accum, precision, optimizer) for optimizer, precision, batch, model, accum
            in itertools.product(args.optimizer, args.precision, args.batch, args.models, args.accum)]
    start = time.monotonic()
    for done, config in enumerate(todo):
        if time.monotonic() - start > 60 * args.minutes: return print(f'{args.minutes:g} minutes are over after {done} of {len(todo)} rows.')
        row = measure(config, 'cuda', args.steps)
        append(args.out, row)
        result = 'out of memory' if row['out_of_memory'] else f"{row['peak_allocated_mib']} MiB, {row['ms_per_step']} ms"
        print(f'{done + 1}/{len(todo)}', *config, result, flush=True)


if __name__ == '__main__': main()

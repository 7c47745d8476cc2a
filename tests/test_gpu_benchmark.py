"""benchmarks/gpu.py as far as it goes without a GPU: the step, the counting, the CSV, what happens when memory runs out."""
import ast, csv, importlib.util, os, subprocess, sys, weakref
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

SCRIPT = Path(__file__).resolve().parent.parent/'benchmarks'/'gpu.py'
NO_SCALER = torch.amp.GradScaler('cpu', enabled=False)
CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def gpu():
    spec = importlib.util.spec_from_file_location('gpu_benchmark', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pretend_cuda(monkeypatch):
    "A machine that says it has a GPU."
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation=True: True)


def rows_of(path):
    with path.open(newline='', encoding='utf-8') as file: return list(csv.DictReader(file))


# --- stands alone, and without CUDA

def test_needs_only_torch_and_timm():
    imports = [node for node in ast.walk(ast.parse(SCRIPT.read_text(encoding='utf-8'))) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {name for node in imports for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])}
    assert {name.split('.')[0] for name in names} - sys.stdlib_module_names == {'torch', 'timm'}


def test_without_cuda_it_says_so_and_exits(tmp_path):
    answer = subprocess.run([sys.executable, '-I', SCRIPT, '--quick', '--out', 'gpu.csv'], cwd=tmp_path, capture_output=True, text=True,
                            env=os.environ | {'CUDA_VISIBLE_DEVICES': '-1'}, check=False)
    assert (answer.returncode, answer.stdout) == (0, 'No CUDA device was found, so nothing is measured.\n'), answer.stderr
    assert not list(tmp_path.iterdir())


# --- the step

class CountingSGD(torch.optim.SGD):
    steps = 0

    def step(self, closure=None):
        self.steps += 1
        return super().step(closure)


@pytest.mark.parametrize('accum', [1, 2, 4])
def test_accumulation_gives_the_gradient_of_the_whole_batch(gpu, accum):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 10)).double()
    x, y = torch.randn(8, 6, dtype=torch.float64), torch.randint(10, (8,))
    expected = torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))
    passes = []
    model.register_forward_hook(lambda module, inputs, output: passes.append(len(output)))
    optimizer = CountingSGD(model.parameters(), lr=0.)
    for _ in range(2):  # the second step must not contain the first one's gradient
        gpu.train_step(model, list(zip(x.chunk(accum), y.chunk(accum))), optimizer, NO_SCALER)
    assert passes == [8 // accum] * accum * 2 and optimizer.steps == 2
    for p, gradient in zip(model.parameters(), expected): assert torch.allclose(p.grad, gradient, rtol=0, atol=1e-10)


@pytest.mark.parametrize('precision', ['fp32', 'bf16'])
def test_forward_pass_runs_in_the_precision(gpu, precision):
    model, outputs = nn.Linear(6, 10), []
    model.register_forward_hook(lambda module, inputs, output: outputs.append(output.dtype))
    gpu.train_step(model, [(torch.randn(4, 6), torch.randint(10, (4,)))], torch.optim.SGD(model.parameters()), NO_SCALER, gpu.PRECISIONS[precision])
    assert outputs == [gpu.PRECISIONS[precision] or torch.float32] and model.weight.grad.dtype == torch.float32


# --- a row

@pytest.mark.parametrize('optimizer, per_parameter', [('adamw', 8), ('sgd', 4)])
def test_bytes_are_counted(gpu, optimizer, per_parameter):
    row = gpu.measure(gpu.Config('test_resnet', 48, 32, batch=4, accum=2, optimizer=optimizer), 'cpu', steps=1)
    model = gpu.timm.create_model('test_resnet', num_classes=10)
    n = sum(p.numel() for p in model.parameters())
    counters = 4 * len(list(model.parameters())) if optimizer == 'adamw' else 0  # AdamW counts the steps of each tensor
    assert (row['parameter_bytes'], row['gradient_bytes'], row['optimizer_bytes']) == (4*n, 4*n, per_parameter*n + counters)
    assert list(row) == gpu.COLUMNS and row['params_m'] == round(n / 1e6, 3)
    assert (row['model'], row['height'], row['width'], row['batch'], row['accum']) == ('test_resnet', 48, 32, 4, 2)
    assert row['ms_per_step'] > 0 and row['images_per_s'] == pytest.approx(4000 / row['ms_per_step'], rel=.01, abs=.06)
    assert row['torch'] == torch.__version__ and row['device'] == 'cpu' and row['out_of_memory'] is False
    assert [row[name] for name in gpu.COLUMNS if 'peak' in name or name in ('activation_bytes', 'update_bytes')] == [''] * 4


def test_shapes_and_half_precision_count_too(gpu):
    tensors = [torch.zeros(3, 5), torch.zeros(7, dtype=torch.float16), None, 1., torch.zeros(9, device='meta')]
    assert gpu.count_bytes(tensors, CPU) == 4*15 + 2*7


def test_activations_are_what_the_peak_has_on_top(gpu, monkeypatch):
    readings = iter([(100, 900 * 2**20, 1000 * 2**20), (700, 700, 800), (700, 1200, 1300)])  # after training, before and after one more update
    monkeypatch.setattr(gpu, 'memory', lambda device: next(readings))
    row = gpu.measure(gpu.Config('test_resnet', 32, 32, batch=4), 'cpu', steps=1)
    assert (row['peak_allocated_mib'], row['peak_reserved_mib'], row['update_bytes']) == (900, 1000, 500)
    assert sum(row[f'{part}_bytes'] for part in ('parameter', 'gradient', 'optimizer', 'activation')) == 900 * 2**20 and row['gradient_bytes'] > 0


def test_steps_are_timed_after_the_warm_up(gpu, monkeypatch):
    clock, accums = [0.], []

    def slow_at_first(model, batches, *rest):
        accums.append([len(x) for x, y in batches])
        clock[0] += 100 if len(accums) <= gpu.WARM_UP else 2
    monkeypatch.setattr(gpu, 'train_step', slow_at_first)
    monkeypatch.setattr(gpu.time, 'perf_counter', lambda: clock[0])
    row = gpu.measure(gpu.Config('test_resnet', 32, 32, batch=12, accum=4), 'cpu', steps=2)
    assert accums == [[3] * 4] * (gpu.WARM_UP + 2) and (row['ms_per_step'], row['images_per_s']) == (2000, 6)


def test_uneven_micro_batches_are_refused(gpu):
    with pytest.raises(ValueError, match='3 equal micro-batches'): gpu.measure(gpu.Config('test_resnet', batch=8, accum=3), 'cpu')


# --- out of memory

@pytest.mark.parametrize('error', [torch.cuda.OutOfMemoryError('no room'), RuntimeError('CUDA error: out of memory'),
                                   RuntimeError('CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`')])
def test_out_of_memory_is_a_row_and_frees_the_model(gpu, monkeypatch, error):
    models, gone_at_clean_up = [], []

    def no_room(model, *rest):
        models.append(weakref.ref(model))
        raise type(error)(*error.args)
    monkeypatch.setattr(gpu, 'train_step', no_room)
    clean_up = gpu.clean_up
    monkeypatch.setattr(gpu, 'clean_up', lambda device: (clean_up(device), gone_at_clean_up.extend(model() is None for model in models)))
    row = gpu.measure(gpu.Config('test_resnet', 32, 32, batch=4), 'cpu')
    assert row['out_of_memory'] is True and row['params_m'] > .1 and gone_at_clean_up == [True]
    assert [row[name] for name in gpu.COLUMNS if name.endswith(('_bytes', '_mib', '_step', '_s'))] == [''] * 10


def test_another_error_is_not_swallowed(gpu, monkeypatch):
    def wrong(*args): raise RuntimeError('mat1 and mat2 shapes cannot be multiplied')
    monkeypatch.setattr(gpu, 'train_step', wrong)
    with pytest.raises(RuntimeError, match='mat1'): gpu.measure(gpu.Config('test_resnet', 32, 32, batch=4), 'cpu')


# --- the CSV and the run

def test_csv_grows_under_one_header_also_after_out_of_memory(gpu, monkeypatch, tmp_path, pretend_cuda):
    out, written = tmp_path/'new'/'gpu.csv', []

    def fake(config, device, steps):
        written.append(len(rows_of(out)))  # each row is on disk before the next measurement starts
        full = config.accum == 1
        return dict.fromkeys(gpu.COLUMNS, '') | config._asdict() | dict(out_of_memory=full, device='A card, "large"', peak_allocated_mib='' if full else 12.5)
    monkeypatch.setattr(gpu, 'measure', fake)
    words = ['--quick', '--models', 'resnet26d', 'convnext_large.fb_in22k@320x224', '--accum', '1', '2', '--out', str(out)]
    for _ in range(2): gpu.main(words)
    rows = rows_of(out)
    assert written == list(range(8)) and len(rows) == 8 and out.read_text(encoding='utf-8').count('peak_allocated_mib') == 1
    assert [(r['model'], r['height'], r['width'], r['accum'], r['out_of_memory'], r['peak_allocated_mib']) for r in rows[:4]] == [
        ('resnet26d', '224', '224', '1', 'True', ''), ('resnet26d', '224', '224', '2', 'False', '12.5'),
        ('convnext_large.fb_in22k', '320', '224', '1', 'True', ''), ('convnext_large.fb_in22k', '320', '224', '2', 'False', '12.5')]
    assert {(r['precision'], r['optimizer'], r['device']) for r in rows} == {('fp16', 'adamw', 'A card, "large"')}


def test_csv_with_other_columns_is_refused(gpu, monkeypatch, tmp_path, pretend_cuda):
    out = tmp_path/'gpu.csv'
    out.write_text('model,ms\nresnet50,1\n')
    monkeypatch.setattr(gpu, 'measure', lambda *args: pytest.fail('measured before the file was looked at'))
    with pytest.raises(SystemExit, match='other columns'): gpu.main(['--quick', '--out', str(out)])
    assert out.read_text() == 'model,ms\nresnet50,1\n'


def test_stops_when_the_minutes_are_over(gpu, monkeypatch, tmp_path, capsys, pretend_cuda):
    clock = iter(range(0, 1000, 50))  # seconds: the start, then once before each row
    monkeypatch.setattr(gpu.time, 'monotonic', lambda: next(clock))
    monkeypatch.setattr(gpu, 'measure', lambda config, device, steps: dict.fromkeys(gpu.COLUMNS, '') | config._asdict())
    gpu.main(['--quick', '--minutes', '2', '--out', str(tmp_path/'gpu.csv')])
    assert len(rows_of(tmp_path/'gpu.csv')) == 2 and capsys.readouterr().out.endswith('2 minutes are over after 2 of 9 rows.\n')


def test_bf16_is_left_out_where_the_gpu_has_none(gpu, monkeypatch, tmp_path, pretend_cuda):
    seen = set()
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(gpu, 'measure', lambda config, device, steps: seen.add(config.precision) or dict.fromkeys(gpu.COLUMNS, ''))
    gpu.main(['--models', 'resnet26d', '--out', str(tmp_path/'gpu.csv')])
    assert seen == {'fp32', 'fp16'}


# --- the command line

def test_arguments(gpu):
    args = gpu.parse(['--quick', '--steps', '7'])
    assert (args.steps, args.precision, len(args.models), args.accum) == (7, ['fp16'], 3, [1, 2, 4])
    sizes = {name: (height, width) for name, height, width in gpu.parse([]).models}
    assert sizes['convnext_large.fb_in22k'] == (320, 224) and sizes['swinv2_large_window12_192.ms_in22k'] == (192, 192)
    assert sizes['swinv2_tiny_window8_256'] == (256, 256) and len(sizes) == 12


@pytest.mark.parametrize('words, message', [(['--models', 'no_such_net'], 'no model'), (['--models', 'resnet50@big'], '--models'),
                                            (['--batch', '6'], 'multiple'), (['--steps', '0'], 'start at 1')])
def test_wrong_arguments_are_refused(gpu, words, message, capsys):
    with pytest.raises(SystemExit) as stopped: gpu.parse(words)
    assert stopped.value.code == 2 and message in capsys.readouterr().err

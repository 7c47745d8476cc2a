"benchmarks/images.py at its smallest: every loader delivers, the lines can be read, the learner's cache is left alone."
import importlib.util
import os
import re
import sys
from pathlib import Path

import pytest

from helpers.images import decoded
from helpers.leaves import render_paddy

SCRIPT = Path(__file__).resolve().parent.parent/'benchmarks'/'images.py'
RATIO = re.compile(r'^ratio (\w+) (\d+\.\d{3}) (\d+\.\d{3}) (\d+\.\d{3})$', re.M)


@pytest.fixture(scope='module')
def bench():
    spec = importlib.util.spec_from_file_location('images_benchmark', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def leaves(tmp_path, monkeypatch):
    "A data folder with a few rendered leaves."
    render_paddy(tmp_path/'data'/'paddy-small', train=60, test=0)
    (tmp_path/'settings.ini').write_text('[learner]\ndata_folder = data\n')
    monkeypatch.setenv('HELPERS_SETTINGS', str(tmp_path/'settings.ini'))
    monkeypatch.delenv('HELPERS_DATA', raising=False)
    return tmp_path


def test_one_small_round(bench, leaves, monkeypatch, capsys):
    "Five loaders, one round; the form of the lines; the ratios are those of the times that were printed."
    monkeypatch.setattr(sys, 'argv', ['images.py', '--rounds', '1', '--sizes', '32', '--pictures', '40'])
    bench.main()
    told = capsys.readouterr().out
    ratios = {name: tuple(map(float, values)) for name, *values in RATIO.findall(told)}
    assert set(ratios) == {f'image_{name}_32' for name in ('epoch_vs_fastai', 'epoch_vs_imagefolder', 'cold_vs_imagefolder', 'cold_vs_fastai', 'epoch_vs_fastai_0_workers', 'epoch_vs_imagefolder_2_workers')}
    speed = dict(re.findall(r'(ours, cold|ours|fastai|imagefolder) ([\d,]+)', told.split('pictures per second at 32 x 32: ')[1].split('\n')[0]))
    speed = {name: float(text.rstrip(',').replace(',', '')) for name, text in speed.items()}
    for name, other in (('ours', 'fastai'), ('ours', 'imagefolder')):
        assert ratios[f'image_epoch_vs_{other}_32'][0] == pytest.approx(speed[other]/speed[name], rel=.1, abs=.001)
    assert all(low == middle == high for middle, low, high in ratios.values())


def test_names_at_224(bench, leaves, monkeypatch, capsys):
    "At 224 pixels the names are bare."
    monkeypatch.setattr(bench, 'compare', lambda table, y, size, rounds: {name: [1., 2., 4.] if name == 'ours' else [4., 4., 4.] for name in ('ours, cold', 'ours', 'fastai', 'imagefolder', 'fastai without workers', 'imagefolder with 2 workers')})
    monkeypatch.setattr(sys, 'argv', ['images.py', '--sizes', '224'])
    bench.main()
    assert 'ratio image_epoch_vs_fastai 0.500 0.250 1.000\n' in (told := capsys.readouterr().out) and 'ratio image_cold_vs_imagefolder 1.000 1.000 1.000\n' in told


def test_the_cache_of_the_learner_is_left_alone(bench, leaves):
    paths = sorted((leaves/'data'/'paddy-small'/'train_images').glob('*/*.jpg'))
    decoded(paths, (16, 16))
    mine = sorted((leaves/'data'/'cache'/'decoded').iterdir())
    assert len(mine) == 2
    before = os.environ['HELPERS_SETTINGS']
    with bench.own_cache():
        decoded(paths, (16, 16))
        bench.forget()
    assert sorted((leaves/'data'/'cache'/'decoded').iterdir()) == mine and os.environ['HELPERS_SETTINGS'] == before


def test_bytes_do_not_pass(bench):
    "What is delivered has to be normalised floats."
    import torch
    batch = torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.zeros(2)
    with pytest.raises(AssertionError, match='normalised'): bench.deliver(lambda: [batch])
    with pytest.raises(AssertionError, match='normalised'): bench.deliver(lambda: [(batch[0].float(), batch[1])])
    assert bench.deliver(lambda: [(batch[0].float() - 1, batch[1])]*3)[0] == 6

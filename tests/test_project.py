"""What holds the project together: the three lists of packages, the public address, and bootstrap.py (without a network)."""
import importlib.util, json, re, shutil, subprocess, sys, threading, time
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11): import tomllib
else: import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT/'pyproject.toml').read_text(encoding='utf-8'))
PROJECT = PYPROJECT['project']
WANTED = [Requirement(line) for line in sum(PROJECT['optional-dependencies'].values(), PROJECT['dependencies'])]
SYSTEMS = {'linux': ('Linux', 'posix', 'x86_64'), 'darwin': ('Darwin', 'posix', 'arm64'), 'win32': ('Windows', 'nt', 'AMD64')}


def bounds(requirements):
    "The set of (name, bounds), which does not change when a package is listed twice."
    return {(canonicalize_name(requirement.name), str(requirement.specifier)) for requirement in requirements}


# --- lists of packages

def test_conda_environment_is_that_of_pyproject():
    listed = yaml.safe_load((ROOT/'environment.yml').read_text(encoding='utf-8'))['dependencies']
    [from_pip] = [entry['pip'] for entry in listed if isinstance(entry, dict)]
    from_conda = [entry.replace('pytorch', 'torch') for entry in listed if isinstance(entry, str)]
    assert from_conda[:2] == ['python=3.11', 'pip'] and from_pip[-1] == '-e .'
    assert bounds(map(Requirement, from_conda[2:] + from_pip[:-1])) == bounds(WANTED)


def locked(python, system):
    "What pip would install from the lock there: {name: version}."
    platform_system, os_name, machine = SYSTEMS[system]
    there = default_environment() | dict(python_version=python, python_full_version=f'{python}.9', implementation_version=f'{python}.9', sys_platform=system,
                                         platform_system=platform_system, os_name=os_name, platform_machine=machine)
    versions = {}
    for line in (ROOT/'requirements.lock').read_text(encoding='utf-8').splitlines():
        if not line or line.lstrip().startswith('#'): continue
        pin = Requirement(line)
        if pin.marker and not pin.marker.evaluate(there): continue
        assert pin.name not in versions, f'{pin.name} is locked twice for Python {python} on {system}'
        [only] = pin.specifier
        assert only.operator == '=='
        versions[pin.name] = only.version
    return versions


@pytest.mark.parametrize('system', SYSTEMS)
@pytest.mark.parametrize('python', ['3.10', '3.11', '3.12', '3.13'])
def test_lock_meets_pyproject(python, system):
    versions = locked(python, system)
    for wanted in WANTED + [Requirement(line) for line in PYPROJECT['build-system']['requires']]:
        name = canonicalize_name(wanted.name)
        assert name in versions, f'{name} is not locked'
        assert wanted.specifier.contains(versions[name]), f'{name} {versions[name]} is locked, {wanted} wanted'


def test_lock_names_no_address_and_no_folder():
    assert not re.search(r'://|--\S*(index|links|host)|(^|\s)/\w', (ROOT/'requirements.lock').read_text(encoding='utf-8'))


# --- the same lock elsewhere

def test_binder_installs_the_lock():
    binder = ROOT/'.binder'
    [line] = (binder/'requirements.txt').read_text().split('\n')[:-1]
    assert (binder/line.removeprefix('-r ')).resolve() == ROOT/'requirements.lock'
    python = (binder/'runtime.txt').read_text().strip().removeprefix('python-')
    load_bootstrap().check_python(tuple(map(int, python.split('.'))))
    assert (binder/'postBuild').stat().st_mode & 0o111 and 'pip install --no-deps' in (binder/'postBuild').read_text()  # nothing beside the lock


def test_devcontainer_sets_up_as_make_does():
    container = json.loads((ROOT/'.devcontainer'/'devcontainer.json').read_text())
    assert container['postCreateCommand'] == 'python bootstrap.py'  # which installs requirements.lock
    python = re.fullmatch(r'mcr\.microsoft\.com/devcontainers/python:(\d\.\d+)', container['image'])[1]
    load_bootstrap().check_python(tuple(map(int, python.split('.'))))
    assert container['customizations']['vscode']['settings']['python.defaultInterpreterPath'].endswith('/.venv/bin/python')


@pytest.mark.parametrize('path', sorted((ROOT/'.github'/'workflows').glob('*.yml')), ids=lambda path: path.stem)
def test_workflows(path):
    "Each says when it runs, what it may do, and uses only actions of a known version."
    workflow = yaml.safe_load(path.read_text())
    assert workflow[True] and workflow['permissions'] and workflow['jobs']  # YAML reads the key `on` as True
    for job in workflow['jobs'].values():
        for step in job['steps']: assert 'run' in step or re.fullmatch(r'[\w-]+/[\w/-]+@v\d+', step['uses']), step


# --- public address

def test_public_address_stands_once():
    owner, name = re.fullmatch(r'https://github\.com/([^/]+)/([^/]+)', PROJECT['urls']['Repository']).groups()
    assert PROJECT['urls']['Documentation'] == f'https://{owner}.github.io/{name}/'
    if not (ROOT/'.git').exists(): pytest.skip('not a git checkout')
    files = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=ROOT, capture_output=True, check=True).stdout.decode().split('\0')
    generated = re.compile(r'nbs/.*\.ipynb|helpers/')  # buttons in notebooks and links in modules are made from the address
    address = re.compile(rf'{re.escape(owner)}(\.github\.io)?/{re.escape(name)}')
    texts = {file: (ROOT/file).read_bytes().decode('utf-8', 'ignore') for file in files if file and (ROOT/file).is_file() and not generated.match(file)}
    assert {file: len(address.findall(text)) for file, text in texts.items() if address.search(text)} == {'pyproject.toml': 2}


# --- bootstrap.py

def load_bootstrap():
    spec = importlib.util.spec_from_file_location('bootstrap', ROOT/'bootstrap.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Course:
    "A folder with bootstrap.py and lists of packages, where pip is a fake that writes what pip writes."
    def __init__(self, root, monkeypatch):
        self.b, self.made, self.installed = load_bootstrap(), 0, []
        self.stop_at = None  # the package at which the fake pip is interrupted
        self.monkeypatch = monkeypatch
        self.stand_in(root)
        for name in ('bootstrap.py', 'pyproject.toml'): shutil.copy(ROOT/name, root)
        (root/'requirements.lock').write_text('torch==2.0\ntimm==1.0\n')
        monkeypatch.setattr(self.b, 'make_venv', self.make_venv)
        monkeypatch.setattr(self.b, 'pip_install', self.pip_install)

    def stand_in(self, root):
        self.root, self.venv = root, root/'.venv'
        self.monkeypatch.setattr(self.b, 'ROOT', root)
        self.monkeypatch.setattr(self.b, 'VENV', self.venv)

    @property
    def site(self): return self.b.site_packages()

    def make_venv(self):
        self.made += 1
        shutil.rmtree(self.venv, ignore_errors=True)
        self.b.scripts().mkdir(parents=True)
        self.b.python().touch()
        self.site.mkdir(parents=True)
        self.install('pip')

    def pip_install(self, *words):
        names = ['helpers'] if '-e' in words else [line.split('==')[0] for line in (self.root/words[1]).read_text().splitlines()]
        for name in names:
            if (self.site/f'{name}-1.dist-info').exists(): continue
            self.installed.append(name)
            self.install(name, finish=name != self.stop_at)
            if name == self.stop_at: raise KeyboardInterrupt

    def install(self, name, finish=True):
        info = self.site/f'{name}-1.dist-info'
        for folder in (self.site/name, info): folder.mkdir(exist_ok=True)
        (self.site/name/'__init__.py').touch()
        (info/'RECORD').write_text(f'{name}/__init__.py,,\n{name}/__pycache__/__init__.pyc,,\n{info.name}/RECORD,,\n')
        if finish: (info/'INSTALLER').touch()

    def prepare(self):
        "Set up; give the packages that this run installed."
        self.installed = []
        self.b.prepare()
        assert self.b.fault() is None
        return self.installed


@pytest.fixture
def course(tmp_path, monkeypatch):
    (tmp_path/'course').mkdir()
    return Course((tmp_path/'course').resolve(), monkeypatch)


def test_second_run_does_nothing(course, capsys):
    assert course.prepare() == ['torch', 'timm', 'helpers']
    settings = json.loads((course.venv/'share/jupyter/lab/settings/overrides.json').read_text())
    assert settings == {'@jupyterlab/apputils-extension:notification': {'fetchNews': 'false', 'checkForUpdates': False}}
    capsys.readouterr()
    for part in ('make_venv', 'pip_install', 'one_at_a_time', 'damaged'): course.monkeypatch.delattr(course.b, part)
    start = time.perf_counter()
    assert course.prepare() == []
    assert time.perf_counter() - start < .5 and capsys.readouterr().out == ''


@pytest.mark.parametrize('stop_at, left', [('torch', ['torch', 'timm', 'helpers']), ('timm', ['timm', 'helpers']), ('helpers', ['helpers'])])
def test_interrupted_installation_goes_on(course, stop_at, left):
    course.stop_at = stop_at
    with pytest.raises(KeyboardInterrupt): course.b.prepare()
    assert course.b.fault()[0] == 'mend'
    course.stop_at = None
    assert course.prepare() == left and course.made == 1


def test_begun_environment_is_made_anew(course):
    course.make_venv()  # and no further
    assert course.b.fault()[0] == 'make'
    course.prepare()
    assert course.made == 2


def test_interrupted_mending_is_noticed(course):
    course.prepare()
    (course.root/'requirements.lock').write_text('torch==2.0\ntimm==1.0\ntqdm==1.0\n')
    course.stop_at = 'tqdm'
    with pytest.raises(KeyboardInterrupt): course.b.prepare()
    (course.root/'requirements.lock').write_text('torch==2.0\ntimm==1.0\n')  # as it was: the old stamp would fit again
    assert course.b.fault()[0] == 'mend'


@pytest.mark.parametrize('lost, installed', [
    (['timm'], ['timm']),                                    # its folder
    (['timm-1.dist-info'], ['timm']),                        # what pip knows of it
    (['timm', 'timm-1.dist-info'], ['timm']),                # all of it
    (['torch', 'timm/__init__.py'], ['torch', 'timm']),      # the search for damage, once begun, is thorough
])
def test_removed_package_comes_back(course, lost, installed):
    course.prepare()
    for name in lost:
        path = course.site/name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert course.b.fault()[0] == 'mend'
    assert course.prepare() == installed and course.made == 1
    assert all((course.site/name).exists() for name in lost)


def test_changed_list_of_packages_is_noticed(course):
    course.prepare()
    (course.root/'requirements.lock').write_text('torch==2.0\ntimm==1.0\ntqdm==1.0\n')
    assert course.prepare() == ['tqdm'] and course.made == 1


def test_packages_of_ones_own_do_no_harm(course):
    course.prepare()
    course.install('seaborn')
    assert course.b.fault() is None


def test_caches_may_come_and_go(course):
    course.make_venv()
    course.b.write_stamp()
    (course.site/'__pycache__').mkdir()
    course.prepare()
    (course.site/'__pycache__').rmdir()
    assert course.b.fault() is None


def test_moved_environment_is_made_anew(course):
    course.prepare()
    course.stand_in(course.root.rename(course.root.with_name('elsewhere')))
    assert course.b.fault()[0] == 'make'
    course.prepare()
    assert course.made == 2


def restamp(course, **changed):
    stamp = course.venv/'bootstrap.json'
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | changed))


@pytest.mark.parametrize('spoil', [
    lambda course: restamp(course, python='3.9'),
    lambda course: course.b.python().unlink(),
    lambda course: shutil.rmtree(course.site),
    lambda course: shutil.rmtree(course.site/'pip'),
    lambda course: (course.venv/'bootstrap.json').write_text('{"pl'),
], ids=['another Python', 'no Python', 'no packages', 'no pip', 'half a stamp'])
def test_useless_environment_is_made_anew(course, spoil):
    course.prepare()
    spoil(course)
    assert course.prepare() == ['torch', 'timm', 'helpers'] and course.made == 2


def test_damaged_pip_is_not_trusted_to_mend(course):
    course.prepare()
    for name in ('torch', 'pip'): (course.site/name/'__init__.py').unlink()
    shutil.rmtree(course.site/'torch')
    course.prepare()
    assert course.made == 2


def test_half_removed_environment_has_no_stamp(tmp_path, monkeypatch):
    def create(*args, **kwargs): raise PermissionError('in use')
    b = load_bootstrap()
    monkeypatch.setattr(b, 'VENV', tmp_path)
    monkeypatch.setattr('venv.create', create)
    b.write_stamp()
    with pytest.raises(SystemExit, match='in use'): b.make_venv()
    assert not (tmp_path/'bootstrap.json').exists()


def test_one_set_up_at_a_time(course):
    second = threading.Thread(target=course.prepare)
    with course.b.one_at_a_time():
        second.start()
        time.sleep(.3)
        assert course.made == 0
    second.join(10)
    assert course.made == 1


def test_a_real_environment_is_read_right(tmp_path, monkeypatch):
    b = load_bootstrap()
    monkeypatch.setattr(b, 'VENV', tmp_path/'.venv')
    b.make_venv()
    assert subprocess.run([str(b.python()), '-c', 'import sys; print(sys.prefix)'], capture_output=True, text=True).stdout.strip() == str(tmp_path/'.venv')
    assert b.damaged() == [] and {'pip'} <= b.installed()
    (b.site_packages()/'pip'/'__main__.py').unlink()
    assert [info.name.split('-')[0] for info in b.damaged()] == ['pip']


@pytest.mark.parametrize('version', [(2, 7, 18), (3, 9, 18), (3, 14, 0)])
def test_other_pythons_are_refused(version):
    with pytest.raises(SystemExit) as stop: load_bootstrap().check_python(version)
    assert '.'.join(map(str, version)) in stop.value.code and 'make lab PYTHON=' in stop.value.code


@pytest.mark.parametrize('version', [(3, 10, 0), (3, 11, 7), (3, 12, 1), (3, 13, 9)])
def test_supported_pythons_are_accepted(version): load_bootstrap().check_python(version)


def test_python_without_ensurepip_gets_a_sentence(monkeypatch):
    b = load_bootstrap()
    monkeypatch.setattr(b.importlib.util, 'find_spec', lambda name: None if name == 'ensurepip' else name)
    with pytest.raises(SystemExit) as stop: b.check_python()
    assert f'apt install python{b.PYTHON}-venv' in stop.value.code


def test_makefile_calls_every_command():
    assert re.findall(r'^\t@\$\(PYTHON\) bootstrap\.py ([\w-]+)', (ROOT/'Makefile').read_text(), re.M) == list(load_bootstrap().COMMANDS)

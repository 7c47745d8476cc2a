"""Single-file copies: what they hold, and that they run where nothing of the course is installed, in an empty folder, with the network off.

The environment that runs them is a real one, with links to the packages that a Kaggle or Colab user is promised here and to nothing else."""
import ast, csv, importlib.metadata, json, os, re, shutil, subprocess, sys, venv
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from conftest import LESSONS, ROOT
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helpers import bundle as b
from helpers.leaves import render_paddy
from helpers.publish import BUNDLES, address, buttons, printed
from test_lessons import noise

names = [path.stem for path in LESSONS]
each_lesson = pytest.mark.parametrize('path', LESSONS, ids=names)
THERE = ('torch', 'fastai', 'timm', 'pandas', 'matplotlib', 'ipywidgets', 'ipykernel')  # with what they require
NOT_THERE = ('helpers', 'jupyterquiz', 'pooch', 'kagglehub', 'accelerate')


@pytest.fixture(scope='module')
def bundles():
    "File name to bytes, as `make bundle` writes them."
    return b.copies()


def notebook(content): return nbformat.reads(content.decode(), as_version=4)


def cell_of(copy):
    "The folded cell."
    [cell] = [cell for cell in copy.cells if 'course_files' in cell.source]
    return cell


def files_of(cell):
    "The files that a folded cell carries, read from its source without running it."
    files = {}
    for node in ast.parse(cell.source).body:
        match node:
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id='course_files'), slice=key)], value=text): files[ast.literal_eval(key)] = ast.literal_eval(text)
    return files


# --- what they hold

def test_twice_the_same_bytes(bundles): assert b.copies() == bundles and sorted(bundles) == [path.name for path in LESSONS] + ['flashcards.csv']


@each_lesson
def test_is_the_lesson_in_one_file(bundles, path):
    "Valid, small, no machine's path; all cells but one are the lesson's, with their outputs; that one is folded everywhere."
    content = bundles[path.name]
    assert len(content) <= 1_500_000 and b'\r' not in content
    assert not re.search(rb'(?<![\w.])/(?:root|work|tmp|home)/|[A-Z]:\\\\Users', content)
    copy, lesson = notebook(content), nbformat.read(path, as_version=4)
    nbformat.validate(copy)
    assert copy.metadata == lesson.metadata and len(copy.cells) == len(lesson.cells)
    differ = [n for n, (ours, theirs) in enumerate(zip(copy.cells, lesson.cells)) if ours != theirs]
    first = next(n for n, cell in enumerate(lesson.cells) if cell.cell_type == 'code')
    assert differ == [first] and '%pip install' in lesson.cells[first].source
    cell = copy.cells[first]
    assert cell.id == lesson.cells[first].id and cell.outputs == []
    assert cell.metadata.jupyter.source_hidden and cell.metadata.cellView == 'form' and cell.metadata['_kg_hide-input']
    assert re.fullmatch(r'#@title .+ \{display-mode: "form"\}', cell.source.splitlines()[0])
    assert not re.search(r'base64|zlib|zipfile', re.sub(r"= r('''|\"\"\").*?\1", '', cell.source, flags=re.S))


@each_lesson
def test_holds_what_it_needs(bundles, path):
    "Every file is the course's own, and every module of the course that any of them or the lesson imports is there."
    files = files_of(cell_of(notebook(bundles[path.name])))
    modules = {name for name in files if name.startswith('helpers/')}
    for name in files:
        if not name.startswith('jupyterquiz/'): assert files[name] == (ROOT/name).read_text(encoding='utf-8')
    assert {f'helpers/checks/lesson{path.name[:2]}.py', 'helpers/__init__.py', 'helpers/checks/__init__.py', f'data/quiz/{path.name[:2]}.json', 'settings.ini', 'jupyterquiz/LICENSE'} <= set(files)
    assert 'MIT License' in files['jupyterquiz/LICENSE'] and 'John M. Shea' in files['jupyterquiz/LICENSE']
    lesson = '\n'.join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == 'code' and '%pip' not in cell.source)
    for source in [lesson] + [files[name] for name in modules]:
        for relative, module in re.findall(r'^\s*from (\.\.?|helpers\.)([a-z]\w*) import', source, re.M): assert f'helpers/{module}.py' in modules, module
    there = {name for name in re.findall(r'(\w+)\.csv', lesson) if (ROOT/f'data/{name}.csv').exists()}
    assert {f'data/{name}.csv' for name in there} == {name for name in files if name.endswith('.csv')}


def test_holds_no_more(bundles):
    holds = {path.name[:2]: set(files_of(cell_of(notebook(bundles[path.name])))) for path in LESSONS}
    modules = lambda lesson: {name[8:-3] for name in holds[lesson] if name.startswith('helpers/') and not name.startswith('helpers/checks/')} - {'__init__'}
    assert modules('01') == {'data', 'exercises', 'figures', 'front', 'settings'}
    assert 'vision' not in modules('08') and 'ratings' in modules('08') and 'ratings' not in modules('03') and {'vision', 'leaves', 'images', 'weights'} <= modules('12')
    for lesson, files in holds.items():
        assert [name for name in files if 'helpers/checks/lesson' in name] == [f'helpers/checks/lesson{lesson}.py'] and not {'helpers/publish.py', 'helpers/bundle.py', 'helpers/_modidx.py'} & files
    assert 'data/rice.csv' in holds['12'] and 'data/multitarget.csv' in holds['13']


def test_no_torch_is_needed_to_make_them():
    subprocess.run([sys.executable, '-c', 'import sys; sys.modules["torch"] = sys.modules["matplotlib"] = None; from helpers import bundle; bundle.copies()'], cwd=ROOT, check=True)


def test_imports_are_found_wherever_they_stand():
    found = b.closure('def f():\n    if True: from helpers.vision import Net\nfrom helpers import optim\nimport helpers.losses as losses\nclass A:\n    from helpers.data import (points,\n        adult)')
    assert {'helpers/vision.py', 'helpers/optim.py', 'helpers/losses.py', 'helpers/tables.py', 'helpers/weights.py', 'helpers/leaves.py'} <= set(found)
    assert 'helpers/ratings.py' not in found and b.closure('import math') == []


def test_only_what_is_imported_is_asked_for():
    assert b.needed(['import torch', 'def f():\n    from sklearn import svm\n    import pooch, accelerate.utils']) == {'torch': '2.6', 'scikit-learn': '1.3'}


def test_both_triple_quotes_are_refused():
    for text in ("a'''b\\", 'a"""b', '\\n "', "'", ''): 
        if not text.endswith('\\'): assert ast.literal_eval(b._quoted(text)) == text
    with pytest.raises(ValueError, match='triple quotes'): b._quoted("'''\"\"\"")


def test_stripped_where_too_large(monkeypatch):
    monkeypatch.setattr(b, 'MOST', 300_000)
    copy = b.bundle(LESSONS[0])
    assert not any(cell.get('outputs') for cell in copy.cells) and 'widgets' not in copy.metadata and cell_of(copy).metadata.cellView == 'form'


# --- the function in the folded cell

@pytest.fixture
def unpack(tmp_path, monkeypatch, capsys):
    "Run `unpack` in an empty folder; what it printed."
    import tempfile
    (tmp_path/'here').mkdir(), (tmp_path/'temporary').mkdir()
    monkeypatch.chdir(tmp_path/'here')
    monkeypatch.setattr(sys, 'path', list(sys.path))
    modules = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split('.')[0] == 'helpers'}
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path/'temporary'))
    def run(files=None, needs={}):
        b.unpack(files or {'helpers/__init__.py': 'made_by = "the copy"\n', 'helpers/one.py': 'one = 1\n', 'settings.ini': '[learner]\n'}, needs)
        return capsys.readouterr().out
    run.folder = tmp_path/'here'/'whats-inside-a-neural-net'
    yield run
    for name in list(sys.modules):
        if name.split('.')[0] == 'helpers': del sys.modules[name]
    sys.modules.update(modules)


def test_unpacked_files_come_first(unpack, tmp_path):
    "Also where another package of that name stands on the path, or has been imported."
    (tmp_path/'here'/'helpers.py').write_text('made_by = "somebody"')
    sys.path.insert(0, str(tmp_path/'here'))
    assert unpack() == "The course's package is here, in whats-inside-a-neural-net: 2 modules, versions fit.\n"
    import helpers
    assert helpers.made_by == 'the copy' and helpers.__file__.startswith(str(unpack.folder))


def test_second_run(unpack):
    "Keeps what is imported, the learner's settings and files of other lessons; mends what was changed."
    unpack()
    import helpers.one
    (unpack.folder/'settings.ini').write_text('[learner]\nseed = 7\n')
    (unpack.folder/'other.txt').write_text('kept')
    length = len(sys.path)
    unpack()
    assert sys.modules['helpers.one'] is helpers.one and len(sys.path) == length and sys.path[0] == str(unpack.folder)
    (unpack.folder/'helpers'/'one.py').write_bytes(b'one = 1\r\n')
    unpack()
    assert (unpack.folder/'helpers'/'one.py').read_bytes() == b'one = 1\n' and 'helpers.one' not in sys.modules
    assert (unpack.folder/'settings.ini').read_text() == '[learner]\nseed = 7\n' and (unpack.folder/'other.txt').read_text() == 'kept'


def test_new_version_replaces_the_old(unpack):
    unpack()
    import helpers.one
    unpack({'helpers/__init__.py': '', 'helpers/one.py': 'one = "another"\n', 'settings.ini': '[learner]\nnew = 1'})
    import helpers.one
    assert helpers.one.one == 'another' and (unpack.folder/'settings.ini').read_text() == '[learner]\n'


def test_folder_that_cannot_be_written(unpack, tmp_path):
    "A temporary one has to do, and the second run finds it again."
    unpack.folder.write_text('a file is in the way')
    said = unpack()
    assert str(tmp_path/'temporary') in said
    place = sys.path[0]
    unpack()
    assert sys.path[0] == place and sys.path.count(place) == 1 and len(list((tmp_path/'temporary').iterdir())) == 1


def test_what_is_missing_is_said_in_one_line(unpack, monkeypatch):
    versions = {'torch': '2.5.1+cu124', 'timm': '1.0.15', 'fastai': '2.10.0', 'numpy': '3'}
    def version(name):
        if name not in versions: raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]
    monkeypatch.setattr(importlib.metadata, 'version', version)
    said = unpack(needs={'torch': '2.6', 'timm': '1.0.15', 'fastai': '2.7.19', 'numpy': '1.26', 'requests': ''})
    assert said.count('\n') == 1 and said.startswith('Too old or missing here: torch (2.5.1+cu124, 2.6 is needed), requests (missing). Remedy: %pip install --upgrade "torch>=2.6" requests in a new cell')


# --- the run

NO_NETWORK = '''
import socket
def refuse(name, at=0):
    real = getattr(socket.socket, name)
    def call(self, *words):
        if self.family in (socket.AF_INET, socket.AF_INET6) and words[at][0] not in ('127.0.0.1', '::1', 'localhost'): raise OSError(101, 'Network is unreachable')
        return real(self, *words)
    setattr(socket.socket, name, call)
for name, at in (('connect', 0), ('connect_ex', 0), ('sendto', -1)): refuse(name, at)
real = socket.getaddrinfo
def getaddrinfo(host, *words, **named):
    if host not in (None, '', '127.0.0.1', '::1', 'localhost'): raise socket.gaierror(-3, 'Temporary failure in name resolution')
    return real(host, *words, **named)
socket.getaddrinfo = getaddrinfo
'''


def required(wanted):
    "The distributions that these require, and theirs; of extras those that are asked for."
    found, queue = {}, [(name, ()) for name in wanted]
    done = set()
    while queue:
        name, extras = queue.pop()
        if (name, extras) in done: continue
        done.add((name, extras))
        found[name] = importlib.metadata.distribution(name)
        for requirement in map(Requirement, found[name].requires or ()):
            if requirement.marker is None or any(requirement.marker.evaluate({'extra': extra}) for extra in ('', *extras)): queue.append((canonicalize_name(requirement.name), tuple(sorted(requirement.extras))))
    return list(found.values())


def environment(folder, wanted):
    "A virtual environment with links to some of the distributions here and to what they require, and to nothing else; its Python."
    venv.create(folder, symlinks=os.name != 'nt', with_pip=False)
    python = folder/('Scripts/python.exe' if os.name == 'nt' else 'bin/python')
    [site] = map(Path, json.loads(subprocess.run([python, '-c', 'import json, site; print(json.dumps(site.getsitepackages()))'], capture_output=True, check=True).stdout))
    ours, owners = {distribution.name for distribution in required(wanted)}, {}
    for distribution in importlib.metadata.distributions():
        is_ours = distribution.name in ours
        for [file, *_] in csv.reader((distribution.read_text('RECORD') or '').splitlines()):  # `files` would take ten times as long
            if not file.startswith(('/', '..')) and not file.endswith(('.pyc', '.pth')): owners.setdefault(file.split('/')[0], []).append((is_ours, distribution, file))
    for top, owned in owners.items():
        files = [(distribution, file) for is_ours, distribution, file in owned if is_ours]
        for distribution, link in [(files[0][0], top)] if len(files) == len(owned) else files:  # a folder that others share is linked file by file
            (site/link).parent.mkdir(parents=True, exist_ok=True)
            (site/link).symlink_to(distribution.locate_file(link))
    return python, site


@pytest.fixture(scope='session')
def elsewhere(tmp_path_factory):
    "The Python of an environment with `THERE`, in which the network is off."
    folder = tmp_path_factory.mktemp('elsewhere')/'venv'
    python, site = environment(folder, THERE)
    (site/'no_network.py').write_text(NO_NETWORK)
    (site/'no_network.pth').write_text('import no_network\n')
    test = f'''import importlib.util, socket
assert not [name for name in {NOT_THERE} if importlib.util.find_spec(name)] and all(map(importlib.util.find_spec, {THERE}))
for act in (lambda: socket.create_connection(('192.0.2.1', 80), 1), lambda: socket.create_connection(('example.com', 80), 1)):
    try: act()
    except OSError as error: assert 'unreachable' in str(error) or 'resolution' in str(error), error
    else: raise AssertionError('the network is on')'''
    subprocess.run([python, '-c', test], check=True, cwd=folder, env={'PATH': os.defpath})
    return python


def run(python, content, folder, **env):
    "Run a copy with an environment's own kernel, in an empty folder; without any variable of the course."
    (folder/'kernels'/'elsewhere').mkdir(parents=True)
    (folder/'kernels'/'elsewhere'/'kernel.json').write_text(json.dumps({'argv': [str(python), '-m', 'ipykernel_launcher', '-f', '{connection_file}'], 'display_name': 'elsewhere', 'language': 'python'}))
    manager = AsyncKernelManager(kernel_name='elsewhere', kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder/'kernels')], ensure_native_kernel=False))
    for name in ('home', 'work'): (folder/name).mkdir()
    copy = notebook(content)
    client = NotebookClient(copy, km=manager, timeout=900, extra_arguments=['--IPKernelApp.log_level=40'], resources={'metadata': {'path': str(folder/'work')}})
    given = {'PATH': os.environ['PATH'], 'LANG': 'C.UTF-8', 'GOMP_SPINCOUNT': '10000', 'HOME': str(folder/'home'), **({'OMP_NUM_THREADS': os.environ['OMP_NUM_THREADS']} if 'OMP_NUM_THREADS' in os.environ else {}), **env}
    try: client.execute(env={name: value for name, value in given.items() if value is not None})
    finally: run_sync(manager.shutdown_kernel)(now=True)  # nbclient leaves a kernel running that it was given
    return copy


# A home that cannot be written, and none at all, are tried with one lesson each; all others have an empty one.
HOMES = {'01': {'HOME': os.devnull + '/home'}, '05': {'HOME': None}}
STAND_IN = {'01': None, **dict.fromkeys(('02', '03', '04', '05'), 'digits'), '06': 'digits', '07': 'ratings', '08': 'ratings', '09': 'incomes', **dict.fromkeys(('10', '11', '12', '13'), 'leaves')}


@each_lesson
def test_runs_where_nothing_is_installed(path, bundles, elsewhere, tmp_path):
    copy = run(elsewhere, bundles[path.name], tmp_path, **HOMES.get(path.name[:2], {}))
    assert noise(copy) == []
    shown = printed(copy)
    assert 'Warning' not in shown
    assert not re.search(r'%\|', shown), 'a progress bar stayed in the notebook'
    assert re.fullmatch(r"The course's package is here, in whats-inside-a-neural-net: \d+ modules, versions fit\.\n", cell_of(copy).outputs[0].text)
    assert not re.search(r'^(MNIST|MovieLens|Adult|Rossmann|Paddy Doctor)[^:\n]*: \d', shown, re.M)
    if wanted := STAND_IN[path.name[:2]]: assert re.search(rf'^stand-in {wanted}: \d', shown, re.M)
    assert 'solved.' not in shown and shown.count(': not ') >= 3, 'the starters of the exercises should run and be unsolved'
    [quiz] = [cell for cell in copy.cells if cell.source.startswith('quiz(')]
    assert 'data-shufflequestions' in quiz.outputs[0].data['text/html'] and 'make_mc' in quiz.outputs[1].data['application/javascript']
    assert sorted(file.name for file in (tmp_path/'work').iterdir()) == ['whats-inside-a-neural-net']


def test_runs_on_kaggles_inputs(bundles, elsewhere, tmp_path):
    "With the rice competition attached to the notebook: its pictures are taken, no stand-in is drawn. Rendered ones in the competition's layout, or the real ones where they are."
    attached, real = tmp_path/'input'/'competitions'/'paddy-disease-classification', Path(os.environ.get('COURSE_REAL_DATA', '.'))/'paddy-small'
    attached.parent.mkdir(parents=True)
    if real.is_dir(): attached.symlink_to(real)
    else: render_paddy(attached)
    copy = run(elsewhere, bundles['10_fine_tuning.ipynb'], tmp_path, HELPERS_KAGGLE_INPUT=str(tmp_path/'input'))
    assert noise(copy) == []
    shown = printed(copy)
    assert re.search(r"^Paddy Doctor: [\d,]+ photographs .*\(Kaggle's input\)$", shown, re.M) and 'stand-in leaves' not in shown
    assert 'solved.' not in shown and shown.count(': not ') >= 3


# --- the buttons, and the workflow that publishes what they open

WORKFLOW = yaml.safe_load((ROOT/'.github'/'workflows'/'bundles.yml').read_text(encoding='utf-8'))
STEPS = WORKFLOW['jobs']['publish']['steps']


@each_lesson
def test_buttons_open_what_is_published(path, bundles):
    "All three name the branch and the file; a lesson that is renamed must get new buttons (`make export`) before this passes."
    [cell] = [cell for cell in nbformat.read(path, as_version=4).cells if cell.source.startswith('[Open in Colab]')]
    owner = address().removeprefix('https://github.com/')
    targets = [f'https://colab.research.google.com/github/{owner}/blob/{BUNDLES}/{path.name}', f'https://kaggle.com/kernels/welcome?src={address()}/blob/{BUNDLES}/{path.name}', f'{address()}/raw/{BUNDLES}/{path.name}']
    assert re.findall(r'\]\(([^)]*)\)', cell.source) == targets and cell.source == buttons(path.name)
    assert path.name in bundles


def test_workflow_makes_them_without_gigabytes(tmp_path, bundles):
    "What its first command installs is enough for its second, and both are of few megabytes; the actions are pinned by their major version."
    assert WORKFLOW[True] == {'push': {'branches': ['main']}} and WORKFLOW['permissions'] == {'contents': 'write'}  # `on` is a truth value in YAML
    assert all(re.fullmatch(r'actions/[\w-]+@v\d+', step['uses']) for step in STEPS if 'uses' in step)
    [install, make] = next(step['run'] for step in STEPS if step.get('name') == 'Make them').strip().splitlines()
    wanted = re.fullmatch(r'pip install --constraint requirements.lock ([\w ]+)', install)[1].split()
    assert not {'torch', 'numpy', 'ipython'} & {canonicalize_name(distribution.name) for distribution in required(wanted)}
    python, _ = environment(tmp_path/'venv', wanted)
    course = tmp_path/'course'
    for name in ('nbs', 'helpers', 'data'): shutil.copytree(ROOT/name, course/name, ignore=shutil.ignore_patterns('cache', 'progress.json', '__pycache__', '.ipynb_checkpoints'))
    for name in ('pyproject.toml', 'settings.ini'): shutil.copy(ROOT/name, course)
    program, *words = make.split()
    assert program == 'python'
    subprocess.run([python, *words], cwd=course, check=True, env={'PATH': os.defpath})
    assert {path.name: path.read_bytes() for path in (course/'_bundles').iterdir()} == bundles


def test_workflow_publishes_a_single_commit(tmp_path):
    "Its last commands, tried with a repository of our own; what was on the branch before is gone."
    git = lambda *words, **named: subprocess.run(['git', '-c', 'user.name=a', '-c', 'user.email=b', *words], check=True, capture_output=True, text=True, **named).stdout.split()
    hub, course = tmp_path/'hub.git', tmp_path/'course'
    git('init', '--bare', '--initial-branch=main', str(hub))
    git('clone', str(hub), str(course))
    shutil.copy(ROOT/'.gitignore', course)
    (course/'nbs').mkdir(), (course/'nbs'/'01_a.ipynb').write_text('{}')
    git('add', '.', cwd=course), git('commit', '-m', 'lesson', cwd=course), git('push', 'origin', 'HEAD:main', cwd=course)
    publish = next(step['run'] for step in STEPS if step.get('name') == 'Publish them')
    for name in ('01_a.ipynb', '01_renamed.ipynb'):
        git('clone', str(hub), str(tmp_path/name))
        (tmp_path/name/'_bundles').mkdir()
        for file in (name, 'flashcards.csv'): (tmp_path/name/'_bundles'/file).write_text(name)
        subprocess.run(['bash', '-e', '-c', publish], cwd=tmp_path/name, check=True, capture_output=True, env={**os.environ, 'GITHUB_SHA': '1234'})
        assert git('ls-tree', '-r', '--name-only', BUNDLES, cwd=hub) == [name, 'flashcards.csv'] and git('rev-list', '--count', BUNDLES, cwd=hub) == ['1']
        assert git('show', f'{BUNDLES}:{name}', cwd=hub) == [name]


# --- copies for classes

@each_lesson
def test_clean_copy(path):
    "All prose and code of the lesson, and none of what was computed or gives an answer away."
    lesson, copy = nbformat.read(path, as_version=4), b.clean(path)
    nbformat.validate(copy)
    code = lambda notebook: [cell.source for cell in notebook.cells if cell.cell_type == 'code']
    assert code(copy) == code(lesson) and 'widgets' not in copy.metadata
    assert not any(cell.outputs or cell.execution_count for cell in copy.cells if cell.cell_type == 'code')
    prose = '\n'.join(cell.source for cell in copy.cells if cell.cell_type == 'markdown')
    assert 'Solution' not in re.findall(r'<summary>(.*?)</summary>', prose) and 'Answer to' not in prose and 'Open in Colab' not in prose
    folded = [title for cell in lesson.cells if not cell.source.startswith('<details><summary>The same questions') for title in re.findall('<summary>(.*?)</summary>', cell.source) if title != 'Solution']
    assert prose.count('<details>') == prose.count('</details>') and re.findall('<summary>(.*?)</summary>', prose) == folded
    for asked in json.loads((ROOT/'data'/'quiz'/f'{path.name[:2]}.json').read_text(encoding='utf-8')):
        assert f'** {asked["question"]}' in prose
        for choice in asked['answers']: assert f'- {choice["answer"]}' in prose and f'right. {choice["feedback"]}' not in prose and f'no. {choice["feedback"]}' not in prose
    untouched = {cell.source for cell in lesson.cells if not re.search(r'<details>|Open in Colab', cell.source)}
    assert untouched <= {cell.source for cell in copy.cells}


def test_clean_copies_are_written(tmp_path, monkeypatch, capsys):
    "A notebook of an older name is removed; other files are left alone."
    (tmp_path/'old.ipynb').write_text('{}'), (tmp_path/'marks.txt').write_text('mine')
    b.write(tmp_path, {'new.ipynb': b'{}'})
    assert sorted(path.name for path in tmp_path.iterdir()) == ['marks.txt', 'new.ipynb'] and 'new.ipynb: 0.00 MB' in capsys.readouterr().out


# --- flashcards

def imported_by_anki(collection, path):
    "What Anki's own import makes of a file: the log, with all settings as the file's header has them."
    from anki.collection import ImportCsvRequest
    return collection.import_csv(ImportCsvRequest(path=str(path), metadata=collection.get_csv_metadata(str(path), None))).log


@pytest.fixture
def collection(tmp_path):
    from anki.collection import Collection
    collection = Collection(str(tmp_path/'collection.anki2'))
    yield collection
    collection.close()


def test_anki_reads_every_question(collection, bundles, tmp_path):
    (tmp_path/'flashcards.csv').write_bytes(bundles['flashcards.csv'])
    assert bundles['flashcards.csv'].decode().splitlines()[:6] == ['#separator:Comma', '#html:true', '#notetype:Basic', "#deck:What's Inside a Neural Net?", '#columns:Front,Back,Tags', '#tags column:3']
    asked = {path.stem: json.loads((ROOT/'data'/'quiz'/f'{path.name[:2]}.json').read_text(encoding='utf-8')) for path in LESSONS}
    total = sum(map(len, asked.values()))
    log = imported_by_anki(collection, tmp_path/'flashcards.csv')
    assert len(log.new) == collection.note_count() == collection.card_count() == total == 124
    again = imported_by_anki(collection, tmp_path/'flashcards.csv')
    assert len(again.new) == 0 and collection.note_count() == total
    for lesson, questions in asked.items():
        notes = [collection.get_note(n) for n in collection.find_notes(f'"tag:whats-inside-a-neural-net::{lesson}"')]
        assert len(notes) == len(questions)
    note = collection.get_note(collection.find_notes('')[0])
    assert note.keys() == ['Front', 'Back'] and collection.decks.name(note.cards()[0].did) == "What's Inside a Neural Net?"


def test_anki_keeps_every_character(collection, tmp_path):
    "Quotes, commas, line ends, what HTML means by its own characters, and code."
    from html import unescape
    hard = ['"quoted", and; more', 'two\nlines', '<b>not bold</b> & 1 < 2 &lt; 3', "loss.backward()\nxb @ w[:, None]  # 'all'", '#html:false']
    quiz = {'01_a': [{'question': text, 'answers': [{'answer': f'yes {text}', 'correct': True, 'feedback': text}, {'answer': 'no', 'correct': False, 'feedback': text}]} for text in hard]}
    (tmp_path/'cards.csv').write_text(b.flashcards(quiz), encoding='utf-8')
    assert len(imported_by_anki(collection, tmp_path/'cards.csv').new) == len(hard)
    seen = lambda field: unescape(re.sub(r'</?(ul|li|b)>', '', field.replace('<br>', '\n')))
    assert not any('\n' in field for n in collection.find_notes('') for field in collection.get_note(n).fields)  # a browser shows no such line end
    notes = {seen(note['Front']): seen(note['Back']) for note in (collection.get_note(n) for n in collection.find_notes(''))}
    assert notes == {f'{text}yes {text}no': f'yes {text}\n{text}no: no. {text}' for text in hard}

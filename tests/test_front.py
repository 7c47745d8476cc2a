"The front page: what is read from the lessons, and what the learner has solved."
import json

import pytest
from common import LESSONS, ROOT

from helpers.front import FrontPage, progress_file, remember, solved


def shown(): return FrontPage()._repr_markdown_()


def test_every_lesson_has_a_row(learner):
    rows = [line for line in shown().splitlines() if line.startswith('| ')][1:]
    assert len(rows) == len(LESSONS)
    for row, path in zip(rows, LESSONS): assert row.startswith(f'| {path.name[:2]} | **[') and f']({path.name})' in row and '<br>' in row
    assert shown().startswith('Begin with [lesson 01, ')


def test_exercises_are_those_that_can_be_checked(learner):
    from wrong_answers import WRONG
    assert sorted(name for *_, names in FrontPage().rows() for name in names) == sorted(WRONG)


def test_progress_is_counted(learner):
    exercises = {file[:2]: names for file, *_, names in FrontPage().rows()}
    remember(exercises['03'][0])
    assert f'| 1&nbsp;of&nbsp;{len(exercises["03"])}&nbsp;solved |' in shown() and shown().startswith('Go on with [lesson 03, ')  # what was begun comes first
    for name in exercises['03']: remember(name)
    assert f'**all&nbsp;{len(exercises["03"])}&nbsp;solved**' in shown() and shown().startswith('Go on with [lesson 01, ')
    for names in exercises.values():
        for name in names: assert remember(name)
    assert shown().startswith('Every exercise of the course is solved.')


def test_remembered_once_with_its_day(learner):
    assert solved() == {} and remember('01-update')
    progress_file().write_text('{"01-update": "2026-01-31"}')
    assert remember('01-update') and solved() == {'01-update': '2026-01-31'}


@pytest.mark.parametrize('damaged', ['', '{"01-up', '[]', '"x"', '\x00'])
def test_damaged_file_counts_as_nothing_solved(learner, damaged):
    progress_file().parent.mkdir(exist_ok=True)
    progress_file().write_text(damaged)
    assert solved() == {} and 'Begin with' in shown()
    assert remember('01-update') and list(solved()) == ['01-update']


def test_jupyterlab_gets_a_filled_front_page(learner, tmp_path):
    import asyncio, shutil
    from helpers.lab import CourseContents
    shutil.copytree(ROOT/'nbs', tmp_path/'nbs', ignore=shutil.ignore_patterns('backstage', 'images'))
    before = (tmp_path/'nbs'/'index.ipynb').read_bytes()
    remember('01-update')
    contents = CourseContents(root_dir=str(tmp_path))
    get = lambda path, **how: asyncio.run(contents.get(path, **how))
    page = next(cell for cell in get('nbs/index.ipynb')['content']['cells'] if 'FrontPage' in cell['source'])
    assert '1&nbsp;of&nbsp;4' in page['outputs'][0]['data']['text/markdown']
    assert (tmp_path/'nbs'/'index.ipynb').read_bytes() == before
    lesson = get('nbs/01_gradient_descent.ipynb')['content']
    assert json.loads(json.dumps(lesson))['cells'][0]['source'].startswith('# Gradient')
    assert get('nbs/index.ipynb', content=False)['content'] is None and get('nbs')['type'] == 'directory'

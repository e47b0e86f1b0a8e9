"""How often are right answers taken for wrong ones, wrong ones for right ones, and one misconception for another?

Over all assignments, over many draws: ``uv run pytest -m validity -s``. `ACME_VALIDITY` is the number of draws of each
right answer (1,000), a fifth of it that of each wrong one; of a check that simulates or takes long, a tenth of both. A
fiftieth of it is the number of whole notebooks through the real engine. What came out is kept in ``test-artifacts``,
and ``uv run python -m tests.grading.validity_table`` writes it to `solutions/VALIDITY.md`.
"""

import os
import sys
import time
import zlib
from collections import Counter

import nbformat
import numpy as np
import pytest

from acme_lib.grade.boundary.sandbox import Sandbox
from acme_lib.grade.judge import judge_notebook
from acme_lib.grade.source_notebook import load_master
from acme_lib.grade.submission import parse_submission, rebuild
from acme_lib.teach.check_door import use_door
from acme_lib.teach.check_slips import find_slips
from tests.grading.exercises import ROOT, all_exercises
from tests.grading.test_exercises import SeededDoor, each_question, run
from tests.grading.validity_table import at_most, keep

DRAWS = int(os.environ.get("ACME_VALIDITY", 1000))
COSTLY = 0.1  # seconds of CPU of a draw
LONGEST_CHECK = 2.0  # seconds of a visible check
LONGEST_GRADING = 5.0  # seconds of CPU for a notebook
NAMED = 0.9  # of the misconceptions' messages

pytestmark = pytest.mark.validity


def each_draw(exercise, check, share=1.0):
    """Yield the numbers of the draws: of a check that simulates, or takes more than `COSTLY`, a tenth of them."""
    few, spent = max(2, round(DRAWS * share / 10)), COSTLY
    for draw in range(max(2, round(DRAWS * share))):
        if draw >= few and (check in exercise.random or spent > COSTLY):
            return
        start = time.process_time()
        yield draw
        spent = time.process_time() - start


def seed_of(*words):
    return zlib.crc32(" ".join(map(str, words)).encode())


@each_question
def test_right_answers_pass_in_every_draw(exercise, question):
    """In both parts; and no check that a learner waits for takes long."""
    failed, total, longest = [], 0, 0.0
    for answer in (v for v in exercise.right if v.exercise == question):
        for check in exercise.questions[question]:
            visible, hidden = (
                compile(part, check, "exec") for part in (exercise.visible(check), exercise.hidden(check))
            )
            for draw in each_draw(exercise, check):
                with use_door(SeededDoor(seed_of(answer.label, check, draw))):
                    messages = []
                    if draw < 2 or check in exercise.random:  # else it is the same in every draw
                        start = time.process_time()
                        messages.append(run(visible, question, answer.function))
                        if draw:
                            longest = max(longest, time.process_time() - start)
                    messages.append(run(hidden, question, answer.function))
                failed += [(answer.label, check, draw, message) for message in messages if message]
                total += 1
    variants = sum(v.exercise == question for v in exercise.right)
    keep(exercise.name, question, "right", variants=variants, draws=total, failed=len(failed), longest=longest)
    bound = at_most(len(failed), total)
    print(f"\n{question}: {len(failed)} of {total} right answers fail: a rate below {bound:.2g} (95 %)", end=" ")
    print(f"visible checks take up to {longest:.2f} s")
    assert failed == []
    assert longest < LONGEST_CHECK


@each_question
def test_wrong_answers_lose_in_every_draw_what_they_should(exercise, question):
    """Each in the hidden part; what their messages name is counted, in both parts."""
    escaped, accused, matrix, total = [], [], {}, 0
    for answer in (v for v in exercise.wrong if v.exercise == question):
        names = matrix.setdefault(answer.key, Counter()) if answer.key else Counter()
        for check in exercise.questions[question]:
            visible, hidden = (
                compile(part, check, "exec") for part in (exercise.visible(check), exercise.hidden(check))
            )
            for draw in each_draw(exercise, check, 0.2):
                with use_door(SeededDoor(seed_of(answer.label, check, draw))):
                    messages = [run(hidden, question, answer.function)]
                    if draw == 0 or check in exercise.random:
                        messages.append(run(visible, question, answer.function))
                if check not in answer.fails:
                    accused += [(answer.label, check, draw, message) for message in messages if message]
                    continue
                total += 1
                if messages[0] is None:
                    escaped.append((answer.label, check, draw))
                for message in filter(None, messages):
                    found = find_slips(message)
                    names.update(found or ("no name",))
    variants = sum(v.exercise == question for v in exercise.wrong)
    matrix_as_data = {key: dict(names) for key, names in matrix.items()}
    keep(exercise.name, question, "wrong", variants=variants, draws=total, escaped=len(escaped), names=matrix_as_data)
    print(f"\n{question}")
    for key, names in matrix.items():
        print(f"  {key:28}", ", ".join(f"{name} {count}" for name, count in names.most_common()))
    assert escaped == []
    assert accused == []
    for key, names in matrix.items():
        assert not set(names) - {key, "no name"}, (key, names)
        assert names[key] >= NAMED * names.total(), (key, names)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux")
@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.name.split("/")[0])
def test_right_notebooks_have_all_points_from_the_real_engine(exercise):
    """Questions are answered by right variants drawn at random; what it costs is measured."""
    master = load_master(ROOT / f"solutions/{exercise.name}.ipynb")
    released = nbformat.read(ROOT / f"exercises/{exercise.name}.ipynb", as_version=4)
    rng, seconds, failed = np.random.default_rng(seed_of(exercise.name)), [], []
    with Sandbox(forbidden=master.forbidden) as sandbox:
        for seed in range(max(2, DRAWS // 50)):
            for cell in released.cells:
                pool = [v for v in exercise.right if v.exercise == cell.metadata.get("nbgrader", {}).get("grade_id")]
                if pool:
                    cell.source = pool[rng.integers(len(pool))].source
            submission = parse_submission(nbformat.writes(released).encode(), "", master)
            start = time.process_time()
            judgement = judge_notebook(rebuild(master, submission), master, sandbox, seed=seed)
            seconds.append(time.process_time() - start + judgement.cpu_seconds)
            lost = {
                name: outcome
                for name, outcome in judgement.outcomes.items()
                if outcome.score not in (None, outcome.points)
            }
            code = {name for name in lost if master.cells[name].cell_type != "markdown"}
            failed += [(seed, name, lost[name].message) for name in code]
    times = {"mean": float(np.mean(seconds)), "longest": max(seconds)}
    keep(exercise.name, "", "engine", draws=len(seconds), failed=len({seed for seed, *_ in failed}), **times)
    print(
        f"\n{exercise.name}: {len(seconds)} notebooks, {np.mean(seconds):.1f} s of CPU each, at most {max(seconds):.1f}"
    )
    assert failed == []
    assert np.mean(seconds) < LONGEST_GRADING

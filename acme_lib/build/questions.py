"""From the text of an assignment to the cells that nbgrader knows.

A cell of ``solutions/NN_name/name.md`` says what it is in its metadata, ``acme``:

==================================================  ==================================================================
``{given: id}``                                     code of the course above the questions: imports, helpers
``{answer: f}``                                     what the learner writes, with marks around the solution
``{slips: f}``                                      misconceptions about `f` (`acme_lib.teach.question`)
``{variants: f}``                                   more right and wrong answers, for the tests alone
``{check: id, of: f, points: n, title: …}``         a graded check: its cases, or, where it holds a hidden part, code
``{personal: f}``                                   the numbers of a question that are each student's own; and of the
                                                    Markdown cell whose text holds them, as ``{{name}}``
``{words: id, points: n}``                          of a Markdown cell: an answer in words, graded by hand
``{hints: f}``                                      of a Markdown cell below the question's text: two or three numbered
                                                    steps, which unfold one after the other; `f` may be the id of words
``{proof: f}``                                      code for the tests alone, run below the model answers and
                                                    the text's own code: it asserts that numbers there are theirs
``{passed: f}``                                     of a Markdown cell: what a learner reads who has passed all checks
==================================================  ==================================================================

Cells of the second kind with cases become code: the visible numbers are computed here, once, and the hidden part holds
the cells themselves as a text, which the grading runs on values drawn anew.
"""

import ast
import hashlib
import json
import re
import textwrap
from dataclasses import dataclass, field

import numpy as np

from acme_lib.errors import GradingError
from acme_lib.teach import check as checks
from acme_lib.teach.question import RANDOM, draw_numbers, fill_in, read_personal, read_question, write_numbers

ROLES = ("given", "answer", "personal", "slips", "variants", "check", "words", "hints", "passed", "proof")
BEGIN, END = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
_MARKS = ("### BEGIN SOLUTION", "### END SOLUTION")
_LOCKED = {"grade": False, "locked": True, "schema_version": 3, "solution": False, "task": False}
_WRITTEN = _LOCKED | {"locked": False, "solution": True}
WIDTH = 116
_HEADING = re.compile(r"^## +(\d+) +(.+?)(?: +\([^()]*points[^()]*\))?$", re.MULTILINE)


@dataclass
class Part:
    """A check cell as it was written."""

    id: str
    of: str
    points: float
    title: str
    number: str
    source: str

    @property
    def is_code(self):
        """Whether it is code of its own, and not cases."""
        return BEGIN in self.source


@dataclass
class Assignment:
    """What the text of an assignment says.

    Attributes
    ----------
    name : str
        Folder and file, such as ``02_noise_metrics/noise_metrics``.
    given : list of str
        Code above the questions.
    answers : dict of str to str
        The solution of each question, without marks and description.
    personal : dict of str to str
        The cell from which the numbers of a question follow, where they are the student's own.
    slips, variants : dict of str to list of str
        Cells, by question.
    checks : dict of str to Part
    title : str
        What its exercises are about: its first heading, after the colon.
    headings : dict of str to tuple of str
        Number and title of each question, by what its answer or its words are called.
    hints : dict of str to str
        The steps of each question, folded.
    passed : dict of str to str
        What a learner reads who has passed a question.
    """

    name: str
    title: str = ""
    given: list = field(default_factory=list)
    answers: dict = field(default_factory=dict)
    personal: dict = field(default_factory=dict)
    slips: dict = field(default_factory=dict)
    variants: dict = field(default_factory=dict)
    checks: dict = field(default_factory=dict)
    headings: dict = field(default_factory=dict)
    hints: dict = field(default_factory=dict)
    passed: dict = field(default_factory=dict)

    def setting(self, name):
        """Return what stands above a question: the given code, and the earlier answers that it calls."""
        own = "\n".join([self.answers[name], *self.slips.get(name, ()), *self.variants.get(name, ())])
        earlier, used = list(self.answers)[: list(self.answers).index(name)], []
        for other in reversed(earlier):
            text = "\n".join([own, *(self.answers[other] for other in used)])
            if re.search(rf"\b{other}\(", text):
                used.insert(0, other)
        return "\n\n".join([*self.given, *(self.answers[other] for other in used)])

    def checks_of(self, name):
        """Return the ids of the checks of a question."""
        return tuple(part.id for part in self.checks.values() if part.of == name)

    def cells_of(self, name, cells):
        """Return what a personal question is read from (`acme_lib.teach.question.read_personal`)."""
        setting, solution = self.setting(name), self.answers[name]
        return {"name": name, "setting": setting, "draw": self.personal[name], "solution": solution, "cells": cells}

    def read(self, name, check=None):
        """Return the question, and its check, if one is named; else with the variants."""
        cells = list(self.slips.get(name, ()))
        if check is None:
            cells += self.variants.get(name, ())
        elif not self.checks[check].is_code:
            cells.append(self.checks[check].source)
        try:
            if name in self.personal:
                return read_personal("", **self.cells_of(name, cells))
            return read_question(name, self.setting(name), self.answers[name], cells, check=check or "")
        except Exception as error:
            where = f"{self.name}, question {name}{f', check {check}' if check else ''}"
            raise GradingError(f"{where}: {type(error).__name__}: {error}") from error


def read_assignment(notebook, name):
    """Read the cells of an assignment's text.

    Parameters
    ----------
    notebook : NotebookNode
        As jupytext reads it.
    name : str
        For messages.

    Returns
    -------
    Assignment
    """
    assignment, number, heading = Assignment(name), "", ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assignment.title = assignment.title or _title(cell.source)
            number, heading = [(number, heading), *_HEADING.findall(cell.source)][-1]
        role, value = _role(cell, name)
        if role in ("answer", "words"):
            assignment.headings[value] = number, heading
        facts = cell.metadata.get("acme", {})
        if role == "given":
            assignment.given.append(cell.source)
        elif role == "answer":
            assignment.answers[value] = _bare(cell.source, value)
        elif role == "personal" and cell.cell_type == "code":
            assignment.personal[value] = cell.source
        elif role in ("slips", "variants"):
            getattr(assignment, role).setdefault(value, []).append(cell.source)
        elif role == "check":
            part = Part(value, facts["of"], facts["points"], facts.get("title", ""), number, cell.source)
            assignment.checks[value] = part
        elif role == "hints":
            assignment.hints[value] = _fold(cell.source, f"{name}, hints of {value}")
        elif role == "passed":
            assignment.passed[value] = " ".join(cell.source.split())
    answers = assignment.answers
    for where in (
        assignment.personal,
        assignment.slips,
        assignment.variants,
        {p.of: p for p in assignment.checks.values()},
        assignment.passed,
    ):
        for question in where:
            if question not in answers:
                raise GradingError(f"{name}: a cell is about {question!r}, and no cell is its answer")
    for question in assignment.hints:
        if question not in assignment.headings:
            raise GradingError(f"{name}: there are hints to {question!r}, and no cell is its answer")
    return assignment


def compile_cells(notebook, assignment):
    """Turn the cells of the text into those of nbgrader's source, in place."""
    cells = []
    for cell in notebook.cells:
        role, value = _role(cell, assignment.name)
        facts = cell.metadata.pop("acme", {}) if role else {}
        kept = {key: facts[key] for key in ("allowed", "forbidden", "non_finite") if key in facts}
        if kept:
            cell.metadata["acme"] = kept
        if role in ("slips", "variants", "passed", "proof") or (role == "personal" and cell.cell_type == "code"):
            continue
        if role == "hints":
            if not cells or cells[-1].cell_type != "markdown":
                raise GradingError(f"{assignment.name}: the hints of {value} do not stand below a text")
            _add_below(cells[-1], assignment.hints[value])
            continue
        if role == "given":
            cell.metadata["nbgrader"] = _LOCKED | {"grade_id": value}
        elif role == "answer":
            cell.metadata["nbgrader"] = _WRITTEN | {"grade_id": value}
            if value in assignment.personal:  # whoever runs the model answers finds them right
                cell.source = _type_in(assignment, value, cell.source)
        elif role == "personal":
            cell.metadata["acme"] = {"personal": value, "text": cell.source}
            cell.source = _fill_in(assignment, value, cell.source)
        elif role == "words":
            cell.metadata["nbgrader"] = _WRITTEN | {"grade": True, "grade_id": value, "points": facts["points"]}
        elif role == "check":
            part = assignment.checks[value]
            cell.metadata["nbgrader"] = _LOCKED | {"grade": True, "grade_id": value, "points": part.points}
            cell.metadata["jupyter"] = {"source_hidden": True}
            cell.source = write_check(assignment, part)
        cells.append(cell)
    notebook.cells = cells


def _add_below(cell, text):
    """Add to a text, and to the form of it from which those with a student's own numbers are made."""
    cell.source += f"\n\n{text}"
    if "text" in cell.metadata.get("acme", {}):
        cell.metadata["acme"]["text"] += f"\n\n{text}"


def collect_texts(assignments):
    """Return title and text of all misconceptions, each of which is explained in one place.

    Parameters
    ----------
    assignments : sequence of Assignment

    Returns
    -------
    dict of str to tuple of str

    Raises
    ------
    GradingError
        If one is explained twice, or nowhere.
    """
    from acme_lib.teach.check_slips import OWN

    found, used = {}, {}
    for assignment in assignments:
        for name in assignment.slips:
            for slip in assignment.read(name)[0].slips:
                used.setdefault(slip.key, f"{assignment.name}, {name}")
                if not slip.title:
                    continue
                if slip.key in OWN or found.get(slip.key, (slip.title, slip.says)) != (slip.title, slip.says):
                    raise GradingError(f"{assignment.name}, {name}: {slip.key!r} is explained in another place as well")
                found[slip.key] = (slip.title, slip.says)
    unexplained = [f"{key!r} ({place})" for key, place in used.items() if key not in found and key not in OWN]
    if unexplained:
        raise GradingError(f"no assignment explains the misconceptions {', '.join(unexplained)}")
    return dict(sorted(found.items()))


def outline(assignments):
    """Return what learners are to pass, and what they read when they have.

    Parameters
    ----------
    assignments : sequence of Assignment

    Returns
    -------
    dict of str to dict
        By folder: the title, and of each question that has checks its number, its title, their ids and the words.
    """
    found = {}
    for assignment in assignments:
        folder = found.setdefault(assignment.name.split("/")[0], {"title": assignment.title, "questions": []})
        for name in assignment.answers:
            if checks := assignment.checks_of(name):
                number, title = assignment.headings[name]
                facts = {"number": number, "title": title, "checks": list(checks)}
                folder["questions"].append(facts | {"says": assignment.passed.get(name, "")})
    return found


# A check cell -----------------------------------------------------------------------------------------------


def write_check(assignment, part):
    """Return the code of a check cell, its numbers computed."""
    if part.is_code:
        body, used = part.source.strip("\n"), _names(part.source) & set(checks.__all__)
    elif part.of in assignment.personal:
        body, used = _write_personal(assignment, part), {"check_sealed"}
    else:
        body, used = _write_cases(assignment, part)
    head = f"# Check of question {part.number}{f', {part.title}' if part.title else ''}: run this cell"
    imports = f"from acme_lib.teach.check import {', '.join(sorted({*used, 'all_right', 'hidden_checks'}))}"
    points = int(part.points) if part.points == int(part.points) else part.points
    last = f'all_right({points}, "{assignment.name.split("/")[0]}/{part.id}")'
    return "\n".join([head, "import numpy as np", _wrap_import(imports), "", body, last])


def _write_cases(assignment, part):
    question, check = assignment.read(part.of, part.id)
    if not check.visible or check.hidden is None:
        raise GradingError(
            f"{assignment.name}, check {part.id}: a check has visible cases and a function of hidden ones"
        )
    sources, lines = _argument_sources(part.source, check), []
    function = {"law": "check_law", "samples": "check_samples", "coverage": "check_coverage"}.get(
        check.kind, f"check_{check.kind}"
    )
    used = {function}
    for (what, arguments), written in zip(check.visible, sources, strict=True):
        if check.kind == "coverage":
            lines += _write_coverage(question, check, arguments, written, what, part)
            continue
        ordered = question.order(arguments)
        right, given = question.expect(check, ordered)
        slips = {key: value for key, value in given.items() if not _alike(value, right)}
        shown = {name: "fresh_rng()" if name == "rng" else written[name] for name in ordered}
        used |= {"fresh_rng"} & set(shown.values()) | ({"fresh_rng"} if "rng" in ordered else set())
        options = {key: value for key, value in check.options.items() if key != "only"}
        if check.kind in RANDOM:
            options = {"size": arguments["size"], **options}
            right = right[0] if check.kind == "samples" else right
        digits = 4 if check.kind in RANDOM else 10
        if check.kind == "law":
            right = _without_tail(right, 1e-13)
            slips = {key: _without_tail(value, 1e-7) for key, value in slips.items()}
        values = [part.of, _dict(shown), render(right, digits)]
        lines += _write_call(function, values, {k: render(v, digits) for k, v in slips.items()}, options, what)
        used |= {"ANYTHING"} if "ANYTHING" in values[2] else set()
        if check.kind in RANDOM and what == check.visible[0][0]:
            lines += _write_call("check_seeding", values[:2], {}, {}, "")
            used.add("check_seeding")
    return "\n".join([*lines, BEGIN, *_write_hidden(assignment, part), END]), used


def _type_in(assignment, name, source):
    """Return a model answer with the numbers of the general release in it, as a learner types in their own."""
    numbers, _ = draw_numbers("", name, assignment.personal[name])
    before, mark, after = source.partition(_MARKS[0])
    indent = before.rpartition("\n")[2]
    return f"{before}{mark}\n{textwrap.indent(write_numbers(numbers), indent).rstrip()}{after}"


def _fill_in(assignment, name, template):
    if name not in assignment.personal:
        raise GradingError(f"{assignment.name}: no cell holds the numbers of {name!r}")
    numbers, _ = draw_numbers("", name, assignment.personal[name])
    if missing := set(re.findall(r"\{\{(\w+)\}\}", template)) ^ set(numbers):
        raise GradingError(f"{assignment.name}, {name}: text and numbers differ in {', '.join(sorted(missing))}")
    return fill_in(template, numbers)


def _write_personal(assignment, part):
    cells = [*(_without_texts(cell) for cell in assignment.slips.get(part.of, ())), part.source]
    personal = assignment.cells_of(part.of, cells)
    assignment.read(part.of, part.id)  # whose errors name the place
    lines = [write_seals("", personal), BEGIN, "from acme_lib.teach.question import check_personal", ""]
    lines += ["check_personal(", f"    {part.of},", '    secret="",', f'    name="{part.of}",']
    lines += [f"    {key}={_quoted(personal[key])}," for key in ("setting", "draw", "solution")]
    return "\n".join([*lines, "    cells=[", *(f"        {_quoted(cell)}," for cell in cells), "    ],", ")", END])


def write_seals(secret, personal):
    """Return the visible check of a personal question, which holds no answer but seals of them.

    Parameters
    ----------
    secret : str
        The student's; empty for the general release.
    personal : dict
        The other arguments of `acme_lib.teach.question.read_personal`.
    """
    question, check = read_personal(secret, **personal)
    ((what, _),) = check.visible
    right, slips = question.expect(check, {})
    salt = hashlib.sha256(f"{secret}:{question.name}".encode()).hexdigest()[:16]
    values = [question.name, f'"{salt}"', f'"{checks.seal(right, salt)}"']
    sealed = {key: f'"{checks.seal(given, salt)}"' for key, given in slips.items() if np.all(np.isfinite(given))}
    return "\n".join(_write_call("check_sealed", values, sealed, {"parts": tuple(question.between)}, what))


def _write_coverage(question, check, arguments, written, what, part):
    example, given = question.example(check, arguments, np.random.default_rng(1))
    slips = {key: render(value, 10) for key, value in given.items()}
    source = _source_of_function(part.source, "data")
    values = [part.of, re.match(r"def (\w+)", source)[1], _dict(written)]
    return ["", source, "", "", *_write_call("check_coverage", values, slips, check.options, what, example=example)]


def _write_call(function, values, slips, options, what, example=None):
    lines = [f"{function}("]
    for value in values:
        lines += _wrapped(f"    {value},")
    if example is not None:
        lines += _wrapped(f"    example={_dict({name: _as_argument(value) for name, value in example.items()})},")
    if slips:
        lines += [
            "    slips={",
            *(line for k, v in slips.items() for line in _wrapped(f'        "{k}": {v},')),
            "    },",
        ]
    lines += [f"    {key}={render(value, 10)}," for key, value in options.items()]
    if what:
        lines.append(f'    what="{what}",' if '"' not in what else f"    what={what!r},")
    return [*lines, ")"]


def _write_hidden(assignment, part):
    cells = [_without_texts(cell) for cell in assignment.slips.get(part.of, ())] + [part.source]
    lines = [
        "from acme_lib.teach.question import check_drawn",
        "",
        "with hidden_checks() as rng:",
        "    check_drawn(",
        f"        {part.of},",
        "        rng,",
        f'        name="{part.of}",',
        f"        setting={_quoted(assignment.setting(part.of))},",
        f"        solution={_quoted(assignment.answers[part.of])},",
        "        cells=[",
        *(f"            {_quoted(cell)}," for cell in cells),
        "        ],",
        "    )",
    ]
    return lines


def render(value, digits):
    """Write a value as code, its numbers with so many digits."""
    if value is checks.ANYTHING:
        return "ANYTHING"
    if isinstance(value, tuple):
        return f"({', '.join(render(item, digits) for item in value)}{',' if len(value) == 1 else ''})"
    if isinstance(value, np.ndarray):
        return render(value.tolist(), digits)
    if isinstance(value, list):
        return f"[{', '.join(render(item, digits) for item in value)}]"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if not np.isfinite(value):
            return {np.inf: "np.inf", -np.inf: "-np.inf"}.get(value, "np.nan")
        return repr(0.0 if abs(value) < 1e-300 else float(f"{value:.{digits}g}"))
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool | int | slice):
        return repr(value)
    raise GradingError(f"a {type(value).__name__} cannot be written into a check cell; expected numbers or arrays")


def _without_tail(law, mass):
    """Return the probabilities of the states before the last ones, which have at most this probability together."""
    law = np.asarray(law, dtype=float)
    return law[: np.searchsorted(-np.cumsum(law[::-1])[::-1], -mass)]


def _alike(value, right):
    if isinstance(right, tuple):
        return all(_alike(*pair) for pair in zip(value, right, strict=True))
    if value is checks.ANYTHING or right is checks.ANYTHING:
        return True
    if np.shape(value) != np.shape(right):
        return False
    value, right = np.asarray(value, dtype=float), np.asarray(right, dtype=float)
    return np.allclose(value, right, rtol=1e-6, atol=1e-9, equal_nan=True)


def _argument_sources(text, check):
    """Return the arguments of each visible case as written; by value where they name what is not shown."""
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and _called(n) == "visible"]
    calls.sort(key=lambda node: node.lineno)
    as_written = len(calls) == len(check.visible)
    sources = []
    for i, (_, arguments) in enumerate(check.visible):
        written = {}
        if as_written:
            for keyword in calls[i].keywords:
                names = {n.id for n in ast.walk(keyword.value) if isinstance(n, ast.Name)}
                if names <= {"np"}:
                    written[keyword.arg] = " ".join(ast.get_source_segment(text, keyword.value).split())
        values = {name: _as_argument(value) for name, value in arguments.items() if name not in written}
        sources.append({name: written.get(name) or values[name] for name in arguments})
    return sources


def _as_argument(value):
    return f"np.array({render(value, 17)})" if isinstance(value, np.ndarray) else render(value, 17)


def _dict(items):
    return "{" + ", ".join(f'"{key}": {value}' for key, value in items.items()) + "}"


def _wrapped(line):
    """Break a long line at its commas."""
    if len(line) <= WIDTH:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    lines, current = [], ""
    for piece in re.split(r"(?<=, )", line):
        if len(current) + len(piece.rstrip()) > WIDTH and current.strip():
            lines.append(current.rstrip())
            current = indent
        current += piece
    return [*lines, current.rstrip()]


def _wrap_import(line):
    if len(line) <= WIDTH:
        return line
    head, names = line.split(" import ")
    return "\n".join([f"{head} import (", *(f"    {name}," for name in names.split(", ")), ")"])


# Text of code -----------------------------------------------------------------------------------------------


def _role(cell, name):
    facts = cell.metadata.get("acme", {})
    roles = [role for role in ROLES if role in facts]
    if len(roles) > 1:
        raise GradingError(f"{name}: a cell is one of {', '.join(ROLES)}; this one is {' and '.join(roles)}")
    return (roles[0], str(facts[roles[0]])) if roles else (None, "")


def _title(source):
    first = re.search(r"^# +(?:[^:\n]*: *)?(.+)$", source, flags=re.MULTILINE)
    return first[1].strip() if first else ""


def _fold(text, where):
    """Return numbered steps such that each unfolds below the one before."""
    steps = [
        re.sub(r"^ +", "", step.strip(), flags=re.MULTILINE) for step in re.split(r"^\d+\. ", text, flags=re.M)[1:]
    ]
    if not 2 <= len(steps) <= 3:
        raise GradingError(f"{where}: two or three numbered steps are expected, got {len(steps)}")
    folded = [f"<details><summary>Hint {i} of {len(steps)}</summary>\n\n{step}" for i, step in enumerate(steps, 1)]
    return "\n\n".join([*folded, "\n".join(["</details>"] * len(steps))])


def _bare(source, name):
    """Return a solution without its marks and without the description of its function."""
    lines = [line for line in source.split("\n") if line.strip() not in _MARKS]
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef) and node.name == name and ast.get_docstring(node):
            text = node.body[0]
            del lines[text.lineno - 1 : text.end_lineno]
            break
    return "\n".join(lines).strip("\n")


def _called(node):
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _names(source):
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _without_texts(source):
    """Return a cell of misconceptions without what learners read of them: the library has it."""
    lines = source.encode().split(b"\n")
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call) and _called(n) == "slip"]
    for call in sorted(calls, key=lambda node: node.lineno, reverse=True):
        texts = [a for a in call.args[1:] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        call.args = [a for a in call.args if a not in texts]
        short = ast.unparse(call).encode()
        first, last = call.lineno - 1, call.end_lineno - 1
        lines[first : last + 1] = [lines[first][: call.col_offset] + short + lines[last][call.end_col_offset :]]
    return b"\n".join(lines).decode()


def _source_of_function(source, decorator):
    """Return the text of the function that is marked so, without the mark."""
    for node in ast.parse(source).body:
        marks = node.decorator_list if isinstance(node, ast.FunctionDef) else ()
        if decorator in {mark.id for mark in marks if isinstance(mark, ast.Name)}:
            return "\n".join(source.split("\n")[node.lineno - 1 : node.end_lineno])
    raise GradingError(f"no function is marked @{decorator}")


def _quoted(text):
    for quote in ("'''", '"""'):
        if quote not in text and not text.endswith("\\"):
            return f"r{quote}\n{text.strip()}\n{quote}"
    raise GradingError("a cell of a question holds both kinds of triple quotes")

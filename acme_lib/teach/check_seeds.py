"""The check that all chance in a random answer comes from the Generator that is given."""

import numpy as np

from acme_lib.teach.check_compare import equal, split_parts
from acme_lib.teach.check_door import NotPlain, as_numbers, fresh_rng
from acme_lib.teach.check_run import ask, run_check, say
from acme_lib.teach.check_words import Finding

MANY = 60  # generators that must give different answers


def check_seeding(function, arguments, *, what="the random numbers come from rng"):
    """Check that a random answer depends on the Generator that comes in, and on nothing else.

    Parameters
    ----------
    function, what
        As in `check_values`.
    arguments : dict
        Among them a Generator. It is replaced by two of equal seed, then by one of another seed; the answers must be
        equal, then different. Ask for enough random numbers that equality by chance is out of the question.
    """
    first, second = (int(seed) for seed in fresh_rng().integers(2**63, size=2))

    def seeded(seed):
        return {
            name: np.random.default_rng(seed) if isinstance(value, np.random.Generator) else value
            for name, value in arguments.items()
        }

    def judge(answer):
        again, problem = ask(function, seeded(first))
        other, other_problem = ask(function, seeded(second))
        if problem or other_problem:
            return problem or other_problem
        for came in (answer, again, other):
            try:
                [as_numbers(part) for part in split_parts(came)]
            except NotPlain as problem:
                return Finding(say(problem))
        if not equal(answer, again):
            return Finding("the same generator gave two different answers", slips=("global-generator",))
        if equal(answer, other):
            return Finding("two different generators gave the same answer", slips=("fixed-seed",))
        if _shared(answer, other) > 0.5:
            return Finding("two different generators gave mostly the same numbers", slips=("fixed-seed",))
        return _find_few_seeds(function, seeded)

    run_check(function, seeded(first), judge, what)


def _find_few_seeds(function, seeded):
    """Return a finding if two of `MANY` generators give the same answer: a hundred seeds are found, but for 2e-8."""
    answers = []
    for seed in fresh_rng().integers(2**63, size=MANY):
        arguments = seeded(int(seed))
        if "size" in arguments:
            arguments["size"] = min(arguments["size"], 20)
        answer, problem = ask(function, arguments)
        if problem is not None:
            return problem
        try:
            answers.append(b"".join(as_numbers(part).tobytes() for part in split_parts(answer)))
        except NotPlain as problem:
            return Finding(say(problem))
    if len(set(answers)) < len(answers):
        return Finding("different generators gave the same answer, again and again", slips=("fixed-seed",))
    return None


def _shared(one, other):
    """Return the part of the numbers of one answer, of those that are not whole, that the other has in any order."""
    one, other = (np.concatenate([as_numbers(part).ravel() for part in split_parts(answer)]) for answer in (one, other))
    numbers = one[one != np.floor(one)]
    rounded = len(np.unique(numbers)) < 0.9 * len(numbers)  # then they agree by chance
    return np.mean(np.isin(numbers, other)) if len(numbers) and not rounded else 0.0

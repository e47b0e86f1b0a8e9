"""All attacks, in the order of their classes."""

from tests.grading.attacks import on_checks, on_files, on_process

ATTACKS = tuple(sorted([*on_checks.ATTACKS, *on_process.ATTACKS, *on_files.ATTACKS], key=lambda a: a.classes[0]))
BY_NAME = {attack.name: attack for attack in ATTACKS}

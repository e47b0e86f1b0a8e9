"""All attacks, in the order of their classes."""

from tests.grading.attacks import on_checks, on_files, on_kinds, on_process

_ALL = (attack for file in (on_checks, on_kinds, on_process, on_files) for attack in file.ATTACKS)
ATTACKS = tuple(sorted(_ALL, key=lambda a: a.classes[0]))
BY_NAME = {attack.name: attack for attack in ATTACKS}

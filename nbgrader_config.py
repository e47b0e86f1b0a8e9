"""nbgrader for the course, from the command line and from JupyterLab (formgrader), started in this directory.

``solutions/`` is the source and ``exercises/`` its release. Learners' work comes into ``submitted/``; the gradebook
and all that is made while grading stay beside it and out of git. Grading itself is `acme_lib.grade`'s: students' code
runs in a sandbox, the tests outside it.
"""

import os

from nbgrader.preprocessors import AssignLatePenalties, ClearHiddenTests, SaveAutoGrades

from acme_lib.grade.nbgrader_steps import (
    FlagForPerson,
    JudgeNotebook,
    SubmissionExporter,
    TakeAnswers,
)
from acme_lib.report.feedback import FeedbackExporter, ReadGrades
from acme_lib.report.rubric import ShowRubric

c = get_config()  # noqa: F821 (nbgrader puts it here)

c.CourseDirectory.course_id = "acme"
c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
# ACME_GRADEBOOK holds the URL of a PostgreSQL gradebook, where one is used.
c.CourseDirectory.db_url = os.environ.get(
    "ACME_GRADEBOOK", f"sqlite:///{os.path.join(c.CourseDirectory.root, 'gradebook.db')}"
)
# The text sources of the solutions hold the answers: they must never be copied into a release.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "*.md"]

# Read a submission that may be anything, take the answers out of it, run them in the sandbox.
c.Autograde.exporter_class = SubmissionExporter
c.Autograde.sanitize_preprocessors = [TakeAnswers]
c.Autograde.autograde_preprocessors = [JudgeNotebook, SaveAutoGrades, FlagForPerson, AssignLatePenalties]
# "namespaces" refuses to grade where there is no bubblewrap; "limits" grades there too, and says what is not guarded.
c.GradingOptions.require = "limits"

# `acme release` lets no line of an answer out, unless a chapter teaches it openly: such lines stand in this list.
c.AcmeRelease.taught = []

# Late submissions: what each day that has begun costs (percent of the maximum; 0: nothing), after how many minutes of
# grace, and at most how much. Who was given more time stands in a CSV file: student, assignment, until (in this zone).
c.AssignLatePenalties.plugin_class = "acme_lib.grade.late.LatePolicy"
c.LatePolicy.rate, c.LatePolicy.unit, c.LatePolicy.per = 0, "percent", "day"
c.LatePolicy.grace, c.LatePolicy.cap = 15, 50
c.LatePolicy.timezone = "UTC"
# c.LatePolicy.extensions = "extensions.csv"
# c.LatePolicy.assignments = {"01_chemical_master_equation": {"rate": 10}}

# A student's feedback page: without hidden tests, one file that loads and runs nothing.
c.GenerateFeedback.exporter_class = FeedbackExporter
c.GenerateFeedback.preprocessors = [ClearHiddenTests, ReadGrades]
# With a grade given by hand comes the model answer. Where some have more time than others, hold it back until then:
# c.ReadGrades.rubric = False
# formgrader's page of a submission, with the model answer below each answer in words
c.HTMLExporter.preprocessors = [ShowRubric]
c.HTMLExporter.sanitize_html = True

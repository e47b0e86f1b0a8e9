"""nbgrader for the course, from the command line and from JupyterLab (formgrader), started in this directory.

``solutions/`` is the source and ``exercises/`` its release. Learners' work comes into ``submitted/``; the gradebook
and all that is made while grading stay beside it and out of git.
"""

import os

from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.preprocessors import ClearHiddenTests, GetGrades

c = get_config()  # noqa: F821 (nbgrader puts it here)

c.CourseDirectory.course_id = "acme"
c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.db_url = f"sqlite:///{os.path.join(c.CourseDirectory.root, 'gradebook.db')}"
# The text sources of the solutions hold the answers: they must never be copied into a release.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "*.md"]

# `acme release` lets no line of an answer out. Three are taught: chapter 1 writes this generator.
c.AcmeRelease.taught = [
    "A = np.zeros((n_max + 1, n_max + 1))",
    "for n in range(n_max + 1):",
    "A[n - 1, n] += gamma * n",
]

c.Execute.timeout = 120  # seconds a cell

# Late submissions: what each day that has begun costs (percent of the maximum; 0: nothing), after how many minutes of
# grace, and at most how much. Who was given more time stands in a CSV file: student, assignment, until (in this zone).
c.AssignLatePenalties.plugin_class = "acme_lib.grade.late.LatePolicy"
c.LatePolicy.rate, c.LatePolicy.unit, c.LatePolicy.per = 0, "percent", "day"
c.LatePolicy.grace, c.LatePolicy.cap = 15, 50
c.LatePolicy.timezone = "UTC"
# c.LatePolicy.extensions = "extensions.csv"
# c.LatePolicy.assignments = {"01_chemical_master_equation": {"rate": 10}}

# A feedback page shows the check cells: leave out of it what the learner must not see.
c.GenerateFeedback.preprocessors = [ClearHiddenTests, GetGrades, CSSHTMLHeaderPreprocessor]

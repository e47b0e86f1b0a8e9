"""A late policy for nbgrader: so many percent of the score for every day that has begun."""

import math

from nbgrader.plugins import LateSubmissionPlugin
from traitlets import Float


class LatePolicy(LateSubmissionPlugin):
    """Take off a part of the score for every day that has begun; extensions are nbgrader's own.

    In ``nbgrader_config.py``: ``c.AssignLatePenalties.plugin_class = LatePolicy`` and, say,
    ``c.LatePolicy.percent_per_day = 20``.
    """

    percent_per_day = Float(0.0, help="of the score, for every day that has begun").tag(config=True)
    most_percent = Float(100.0, help="that are ever taken off").tag(config=True)
    grace_minutes = Float(10.0, help="that cost nothing").tag(config=True)

    def late_submission_penalty(self, student_id, score, total_seconds_late):
        """Return the points to take off, or None."""
        if total_seconds_late <= 60 * self.grace_minutes:
            return None
        days = math.ceil(total_seconds_late / 86_400)
        return score * min(days * self.percent_per_day, self.most_percent, 100.0) / 100

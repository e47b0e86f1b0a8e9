"""The errors that acme raises; each says what was expected, what was found and how to fix it."""


class AcmeError(ValueError):
    """Base of all errors that a wrong input causes."""


class NetworkSyntaxError(AcmeError):
    """A line of a reaction network cannot be read; the message shows the line."""


class ParameterError(AcmeError):
    """A parameter is missing, unknown, unused or not a finite number."""


class PropensityError(AcmeError):
    """A propensity is negative or not finite, or a reaction would make a count negative."""


class EquationError(AcmeError):
    """The equations that were asked for do not exist for this network, or have no solution of the kind asked for."""


class CountsFileError(AcmeError):
    """A file of counts cannot be read; the message names the line and the column."""


class CannotTellWarning(UserWarning):
    """The data cannot tell parameters apart; the message says which combination they do determine."""


class ShortRecordWarning(UserWarning):
    """A trajectory is too short, against its own memory, for its standard errors to be trusted."""


class NotInterchangeableWarning(UserWarning):
    """Two reporters differ in mean: what separates them is counted as intrinsic noise."""


class StateSpaceError(AcmeError):
    """A state lies outside the state space, or the space does not fit the network."""


class DomainError(StateSpaceError):
    """A solution reaches the end of its space: what lies beyond is missing from it."""


class StabilityError(AcmeError):
    """A step in time is longer than the scheme stays stable for; the message says which is the longest."""


class TruncationWarning(UserWarning):
    """A solution loses a little at the end of its space; the message says how much."""


class LargeProblemWarning(UserWarning):
    """A computation will take long or much memory; the message says how much, before it starts."""


class RateLawWarning(UserWarning):
    """A rate of mass action names its own reactant, which then counts twice; the message shows how to say either."""


class EmptyStartWarning(UserWarning):
    """A sum of counts that no reaction changes is 0 at the start, such as a gene without a state."""


class SBMLError(AcmeError):
    """An SBML document cannot be read, or uses what is not supported; the message names the element."""


class GradebookError(AcmeError):
    """A gradebook, or a list of students that belongs to it, cannot be used as it stands; the message names what."""


class ReleaseError(AcmeError):
    """The archive for the learners would be out of date, or would hold an answer; the message names what."""


class MissingExtraError(ImportError):
    """A package that only part of acme needs is not installed; the message says how to install it."""


class GradingError(AcmeError):
    """Grading cannot go on; the message says what is missing, in the course or on this machine."""

"""How a kernel may end, in all rooms: one number for each status.

Compiled code raises nothing; it returns a status and what it concerns, and Python raises.
"""

(
    DONE,
    BAD_PROPENSITY,  # negative, or not finite
    NEGATIVE_COUNT,  # a reaction takes molecules that are missing
    EVENT_LIMIT,
    STOPPED,  # by an interrupt
    UNBOUNDED,  # a rate without a finite bound in time
    LOOSE_BOUND,  # a rate above its bound
    BAD_ASSIGNMENT,  # an event gives a species what is no count
    EVENT_LOOP,  # events set each other off without end
    RECORD_FULL,
    BELOW_ZERO,  # a real count that may not be negative
    TOO_MANY,  # molecules, to be counted exactly by floats
    NO_LAW,  # fast species without a unique stationary law
    CROWDED,  # more individuals than there is room for, or none
    FULL,  # of states
    BAD_CONSTANT,  # a rate constant or a defined parameter that an event's change of a parameter makes no number
) = range(16)

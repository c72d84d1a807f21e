"""The rows of the decision table, by what they are about; `domain.plan` has their order.

Belongs here: functions from what is observed to one action, or None where the row doesn't fit; the messages that a
person reads. Forbidden here: everything with a side effect, the clock, and any knowledge of how a step is taken.
Numbers are those of docs/guarantees.md.
"""

"""The boundary between a student's code and the tests.

`sandbox` is the trusted side; `far_side`, behind `lockdown`, is what runs inside; `wire` carries plain data between.
"""

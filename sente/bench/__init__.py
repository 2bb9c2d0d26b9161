"""Measures packers: what a value costs to write and to read, how large it becomes, and whether it comes back the same.

Times are compared within one run only. So nothing here asserts one.
"""

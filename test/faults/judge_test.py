#!/usr/bin/python3
"""The judge finds what it is there to find."""
import unittest

from case import check

WANTED = [("a", 0), ("a", 1), ("b", 0), ("a", 2)]


class Judge(unittest.TestCase):
    def test_everything_once_in_order_of_each_key(self):
        check("results", WANTED, [("b", 0), ("a", 0), ("a", 1), ("a", 2)], exactly_once=True)

    def test_a_missing_one(self):
        for exactly_once in (True, False):
            with self.assertRaisesRegex(AssertionError, "1 results are missing"):
                check("results", WANTED, WANTED[:-1], exactly_once)

    def test_a_repeat(self):
        repeated = WANTED + WANTED[-2:]
        check("results", WANTED, repeated, exactly_once=False)
        with self.assertRaisesRegex(AssertionError, "2 results are doubled"):
            check("results", WANTED, repeated, exactly_once=True)

    def test_one_of_another_run(self):
        with self.assertRaisesRegex(AssertionError, "made up"):
            check("results", WANTED, [*WANTED, ("c", 0)], exactly_once=False)

    def test_disorder(self):
        for exactly_once in (True, False):
            with self.assertRaisesRegex(AssertionError, "out of order"):
                check("results", WANTED, [("a", 1), ("a", 0), ("b", 0), ("a", 2)], exactly_once)


if __name__ == "__main__":
    unittest.main()

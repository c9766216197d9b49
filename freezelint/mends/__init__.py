"""Mends: one module for each rule that can be mended, of the rule's name, found by discovery.

A module has `mends(scene) -> Iterator[Mend]`: the ways to mend the finding, the best first. What is kept is
proven (`freezelint.fixing.proving`): a mend that does not do what it says does no harm.
"""

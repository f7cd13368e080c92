"""Rules that find impossible numbers in what studies printed."""

from troughline.evidence.checks.rule import Flag, Rule
from troughline.evidence.checks.run import RULES, check_base, check_drug, check_file, check_study, read_file

__all__ = ["RULES", "Flag", "Rule", "check_base", "check_drug", "check_file", "check_study", "read_file"]

"""The fault drill: make any function fail at any chunk, and prove that no row is lost or doubled.

>>> from tools.drill import Drill
>>> report = Drill(steps=["write-output-chunk"], faults=["kill"], seed=7).run()
>>> assert report.kept

The functions' code knows nothing of it. Their environment points them to a proxy in front of the
local engine, which spoils chosen calls; the other faults go through AWS's own interfaces.
"""

from tools.drill.drill import Drill
from tools.drill.faults import Fault
from tools.drill.report import CaseReport, DrillReport

__all__ = ["CaseReport", "Drill", "DrillReport", "Fault"]

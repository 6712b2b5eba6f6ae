"""Goes through waits of given lengths, and prints the lengths that are reported."""

import json

from matexapps import progress
from matexapps.comm.checks.long_waits import LongWaits

waits, seconds = LongWaits(), []
with progress.reporting_to(lambda event: seconds.append(event["seconds"])):
    waits.begin("barrier")
    waits.check(9.9)
    waits.check(10.1)
    waits.check(20.1)
    waits.check(20.3)
    waits.end(600.0, completed=False)
    waits.begin("barrier")
    waits.check(9.8)
    waits.end(2.0, completed=True)
    waits.begin("barrier")
    waits.check(39.9)
    waits.check(40.1)
    waits.end(41.0, completed=True)
print(json.dumps(seconds))

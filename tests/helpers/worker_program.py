"""What each worker of `test_two_workers_train_as_one` runs."""

import json
import sys
from pathlib import Path

from zoo.distribute import strategy_for, worker

strategy = strategy_for("auto")

from replica_parts import trained  # noqa: E402

for case in sys.argv[2:]:
    model, optimizer = case.split("-")
    found = trained(strategy, model, optimizer)
    found["weights"] = [each.tolist() for each in found["weights"]]
    found["predicted"] = found["predicted"].tolist()
    path = Path(sys.argv[1]) / f"{case}-{worker(strategy)}.json"
    path.write_text(json.dumps(found))
print("done")

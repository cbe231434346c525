"""Any PyTorch model as it initialises itself, the same bits on any mesh.

    model, plan = fanin.torch.record(lambda: Model(config))  # no memory for weights
    fully_shard(model)                                       # or parallelize_module, or nothing
    plan.materialize_(model, seed=42)                        # each rank draws its part

`record` learns by the model's own code how each tensor starts; the values are fanin's, of a seed and the tensor's name, and do not depend on
the mesh, the number of processes or the order of calls.
"""

from . import init
from .file import load, save
from .materialize import materialize_
from .plan import Entry, Plan, PlanError
from .record import Recording, record, recording
from .recorder import RecordError
from .verify import verify_

__all__ = [
    "Entry",
    "Plan",
    "PlanError",
    "RecordError",
    "Recording",
    "init",
    "load",
    "materialize_",
    "record",
    "recording",
    "save",
    "verify_",
]

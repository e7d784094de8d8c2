"""Telling the course of a run to tools that a research group already looks at: TensorBoard and MLflow.

Rules:
1. What leaves are figures and settings: never an image, a label, the name of a class, a path or the name of a file. A
   data set is named only where an installed package names it.
2. A run is worth more than its curves. A tool that cannot be reached before a run begins is an error; one that goes
   away later is a warning, and the run goes on.
3. A run that is resumed goes on in the place where it began.
"""

from handfed.simulations.tracking.following import Following, follow
from handfed.simulations.tracking.tracker import Ending, Tracker, TrackingError

__all__ = ["Ending", "Following", "Tracker", "TrackingError", "follow"]

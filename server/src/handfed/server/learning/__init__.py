"""When the federation learns anew: what an operator has set, what it is decided by, and the runs that come of it."""

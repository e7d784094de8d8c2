"""A whole federation on one machine; `federation.py` is the system in one page."""

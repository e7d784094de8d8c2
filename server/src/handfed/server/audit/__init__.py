"""The audit log: every change, by whom, when and from where; written once, never changed."""

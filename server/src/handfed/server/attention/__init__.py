"""What needs a person: one answer, which the overview shows, alerts tell of and metrics count."""

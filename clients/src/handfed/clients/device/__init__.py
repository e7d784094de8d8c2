"""A school's or clinic's device as a member of a federation: how it joins, what it keeps, what it runs."""

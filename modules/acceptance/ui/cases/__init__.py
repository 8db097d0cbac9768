"""The page of cases: the list, one case in full, and what is done with it."""

"""人员与审计, as people see it."""

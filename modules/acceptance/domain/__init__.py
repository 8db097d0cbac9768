"""The rules of the hall (大厅): pure functions and aggregates, the same on client and server."""

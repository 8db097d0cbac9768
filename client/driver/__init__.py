"""Drives the real window from outside: for the tour, the end-to-end tests and the self-test of the frozen program."""

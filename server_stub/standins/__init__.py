"""Small servers of others' protocols, for demonstrations and tests: what a hall connects to and does not own."""

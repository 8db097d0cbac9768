"""Page images, scans and files: ``uploads`` takes them in by parts, ``keeper`` holds what is whole, ``names`` knows
which documents name them, ``routes`` are the addresses.
"""

"""Power cuts: what the program asks of the disk is written down in order, and every moment of it is tried as the last.

``vfs.c`` (SQLite's files) and ``shim.c`` (plain files) write the history, ``history`` makes of it what a disk may hold
after a cut at any of its places, ``scenario`` is what is done meanwhile, ``check`` opens what is left.
"""

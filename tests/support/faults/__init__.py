"""The fault run: counters and a server, real processes, killed, cut off, out of disk, restored; then counted.

``__main__`` is the command line, ``run`` the weather, ``counter`` a process of counters, ``server`` a server that may
carry a mutant, ``mutants`` what is broken on purpose, ``verdict`` the comparison, ``disk`` a disk that can be full.
"""

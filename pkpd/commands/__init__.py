"""The command line. A command reads its options, calls the verb that does the work, and tells what came out:
tables and messages for a reader, JSON for a machine, an exit code.

Options, progress and exit codes are known here alone. Nothing is computed that Python cannot
ask for: the rooms below do the work, and none of them imports this one.
"""

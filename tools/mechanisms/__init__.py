"""What reviews name, and where the library has it: the map of mechanisms and therapies, what each moves, its
page.
"""

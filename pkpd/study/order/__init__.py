"""Does order matter: ablation before or after a blockade, the same patients under the same draws.

The noun is in plan, its file is read in reading and entries; sequence simulates, interaction takes effects
apart. No figures or words for readers: those are the report's.
"""

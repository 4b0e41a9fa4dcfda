"""Content files before anything is made of them: where a name's file lies, TOML as tables, fields, units.

`library` finds, `toml` parses, `fields` says what each key of a table holds (every reader is a table of
fields), `units` converts, `references` gives the bibliography. What a model, a set or a trial is is not known
here: their readers are in the rooms of their nouns.
"""

"""The solver: a model's equations compiled for SIMD lanes, and many patients integrated from event to event.

In go a Model, arrays (patient, input), (patient, state), (patient, time) and a Schedule; out come states,
their derivatives by inputs, crossings and steady states. Units, the library and where values come from
(content, parameters) are not known here, nor is a regimen but for its Schedule.
"""

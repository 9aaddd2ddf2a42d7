"""Many speakers on one card, in virtual time: real policy, scheduler, places and sessions, a model of the card.

`python -m tests.simulation` prints a table and draws `docs/many_speakers.png`; `test_simulation.py` holds what must be
so.
"""

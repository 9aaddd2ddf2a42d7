"""Counts add up."""

from dataclasses import fields

from ws_service.metrics import Counts


def test_counts_begin_at_zero():
    assert set(Counts().as_dict().values()) == {0}


def test_adding_adds_every_figure_and_leaves_the_other_alone():
    ones = Counts(**{field.name: n for n, field in enumerate(fields(Counts), 1)})
    total = Counts()
    total.add(ones)
    total.add(ones)
    assert total.as_dict() == {field.name: 2 * n for n, field in enumerate(fields(Counts), 1)}
    assert ones.frames_sent == 1

from dataclasses import replace

from tests.ws_service.engine_bench.results import bucket, result, speaking
from ws_service.engine_bench.targets import Target, compare


def by_name(targets: list[Target]) -> dict[str, bool | None]:
    return {target.what: target.met for target in targets}


def test_a_card_that_reaches_every_target_has_met_them() -> None:
    met = by_name(compare(result()))
    assert len(met) == 10
    assert set(met.values()) == {True}


def test_each_figure_beyond_its_bound_is_missed_and_no_other() -> None:
    made = result()
    made.buckets.append(bucket("full", 32, path_ms=50.0))  # the target holds at every batch size
    made.services[0].tested = made.services[0].tested[1:]
    made.services[1].one = speaking(1, 30.0, p95_ms=251.0)
    made.services[1].full = speaking(40, 30.0, p95_ms=351.0)
    made.services[0].long = replace(speaking(20, 299.0), problem="a picture came 130 ms late")
    assert {name for name, met in by_name(compare(made)).items() if met is False} == {
        "times the reference's way, full decoder",
        "speakers at strict 25 fps, full decoder",
        "start of speech, 1 speaker, tiny decoder",
        "start of speech at capacity, tiny decoder",
        "lateness over 5 minutes at capacity, full decoder",
    }


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    made = result()
    made.buckets, made.services = [], []
    assert set(by_name(compare(made)).values()) == {None}
    short = result()
    short.services[0].long = speaking(20, 60.0)
    assert by_name(compare(short))["lateness over 5 minutes at capacity, full decoder"] is None


def test_the_targets_are_for_a_gpu_and_nets_of_the_published_size() -> None:
    small = result()
    small.real_size = False
    assert compare(small) == compare(result(on_gpu=False)) == []

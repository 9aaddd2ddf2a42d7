from ws_service.generation.rebuild_plan import RebuildPlan


def test_the_waits_grow_and_end() -> None:
    plan = RebuildPlan((0.0, 1.0, 4.0))
    assert [plan.broke() for _ in range(5)] == [0.0, 1.0, 4.0, None, None]
    assert plan.attempts == 3


def test_an_engine_that_worked_well_in_between_starts_with_a_clean_record() -> None:
    plan = RebuildPlan((0.0, 1.0), sound_batches=3)
    for _ in range(10):
        assert plan.broke() == 0.0
        for _ in range(3):
            plan.worked()


def test_a_few_good_batches_are_no_proof() -> None:
    plan = RebuildPlan((0.0, 1.0), sound_batches=3)
    waits = []
    for _ in range(3):
        waits.append(plan.broke())
        plan.worked()
        plan.worked()
    assert waits == [0.0, 1.0, None]

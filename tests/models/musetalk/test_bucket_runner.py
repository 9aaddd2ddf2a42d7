import pytest

torch = pytest.importorskip("torch")

from models.musetalk.bucket_runner import BUCKETS, BucketRunner, bucket_of  # noqa: E402

CPU = torch.device("cpu")
ROWS = [((2,), torch.float32), ((), torch.float32)]


class Replays:
    """Records as CUDA graphs do: a replay writes the same outputs anew, from where the inputs lie."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at, self.replayed = fails_at, 0

    def record(self, work):
        outputs = tuple(output.clone() for output in work())
        if len(outputs[0]) == self.fails_at:
            raise RuntimeError("capture failed")

        def replay() -> None:
            self.replayed += 1
            for output, value in zip(outputs, work(), strict=True):
                output.copy_(value)

        return replay, outputs


class Step:
    """Row by row: the sum and the product with the second input."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, vectors, numbers):
        self.sizes.append(len(vectors))
        return vectors.sum(1), vectors * numbers[:, None]


def batch(count: int, start: float = 0.0):
    vectors = torch.arange(2.0 * count).view(count, 2) + start
    return vectors, torch.arange(float(count)) + 1


def check(outputs, vectors, numbers) -> None:
    torch.testing.assert_close(outputs[0], vectors.sum(1))
    torch.testing.assert_close(outputs[1], vectors * numbers[:, None])


def test_buckets_are_powers_of_two_and_the_smallest_that_holds_the_batch_is_taken() -> None:
    assert [bucket_of(count) for count in (1, 2, 3, 4, 5, 9, 17, 32)] == [1, 2, 4, 4, 8, 16, 32, 32]
    for count in (0, -1, 33):
        with pytest.raises(ValueError, match="1 to 32 rows"):
            bucket_of(count)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16, 31])
def test_a_batch_is_filled_up_and_cut_again(count) -> None:
    step = Step()
    runner = BucketRunner(step, ROWS, CPU)
    check(runner.run(*batch(count)), *batch(count))
    assert step.sizes == [bucket_of(count)]


def test_what_an_earlier_larger_batch_left_does_not_show() -> None:
    runner = BucketRunner(Step(), ROWS, CPU)
    runner.run(*batch(32, 1000.0))
    check(runner.run(*batch(3)), *batch(3))


def test_recorded_buckets_are_replayed_and_others_still_run() -> None:
    step, replays = Step(), Replays()
    runner = BucketRunner(step, ROWS, CPU)
    for bucket in (8, 4):
        runner.record(bucket, replays)
    assert runner.recorded == (4, 8)
    for count in (3, 7, 8, 4, 2, 20):
        check(runner.run(*batch(count, count)), *batch(count, count))
    assert replays.replayed == 4
    assert step.sizes[-2:] == [2, 32]


def test_graphs_are_given_up_together() -> None:
    replays = Replays()
    runner = BucketRunner(Step(), ROWS, CPU)
    for bucket in reversed(BUCKETS):
        runner.record(bucket, replays)
    runner.forget()
    assert runner.recorded == ()
    check(runner.run(*batch(7)), *batch(7))
    assert replays.replayed == 0


def test_a_bucket_that_cannot_be_recorded_runs_as_before() -> None:
    runner = BucketRunner(Step(), ROWS, CPU)
    with pytest.raises(RuntimeError, match="capture failed"):
        runner.record(4, Replays(fails_at=4))
    assert runner.recorded == ()
    check(runner.run(*batch(4)), *batch(4))

"""Finds the largest number of speakers that passes a test, in few tests. Pure: who tests tells it what came out."""


class SpeakerSearch:
    """Doubles until a number fails, then halves the distance; takes it that fewer speakers are never harder."""

    def __init__(self, first: int, limit: int) -> None:
        self.passed = 0  # the largest that passed
        self._failed: int | None = None  # the smallest that failed
        self._first = first
        self._limit = limit

    @property
    def next(self) -> int | None:
        """The number to test now; None: `passed` is the answer, or `limit` is reached."""
        if self._failed is not None:
            middle = (self.passed + self._failed) // 2
            return middle if middle > self.passed else None
        following = self.passed * 2 or self._first
        return min(following, self._limit) if self.passed < self._limit else None

    def tell(self, speakers: int, passed: bool) -> None:
        """What came out of the test of `speakers`."""
        if passed:
            self.passed = max(self.passed, speakers)
        else:
            self._failed = speakers if self._failed is None else min(self._failed, speakers)

"""For all tests: one thread for each library that computes, and a run that must not skip what it cannot import.

`pytest` alone skips the tests whose packages are not installed (torch or Chromium, say);
`pytest --all-packages`, as `make test` runs it, fails them, so that nothing is left out unseen.
"""

import os

# before numpy and torch are loaded: several libraries with a thread per core each keep waiting for one another
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from collections.abc import Generator  # noqa: E402
from typing import TypeVar  # noqa: E402

import cv2  # noqa: E402
import hypothesis  # noqa: E402
import pytest  # noqa: E402

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

hypothesis.settings.register_profile("any machine", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def _one_opencv_thread() -> None:
    cv2.setNumThreads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option `--all-packages`."""
    parser.addoption("--all-packages", action="store_true", help="fail tests whose packages are not installed")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs in one worker where tests run in several: a file, and all that hear and see a running service."""
    for item in items:
        place = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group("end_to_end" if "end_to_end" in place else place))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that skips itself."""
    return _demanding(item.config, (yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A file that is skipped as a whole."""
    return _demanding(collector.config, (yield))


def _demanding(config: pytest.Config, report: Report) -> Report:
    if report.skipped and config.getoption("all_packages"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "could not import" in reason or "is not installed" in reason:
            report.outcome, report.longrepr = "failed", f"{reason}; with --all-packages nothing may be left out"
    return report

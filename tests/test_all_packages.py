"""`make test` leaves out no test for want of a package."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """Two files whose package is not there, one as a whole, a browser too, and a test that skips for its own reason."""
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makepyfile(
        test_file="import pytest\npytest.importorskip('no_such_package')\ndef test_one(): pass",
        test_function="import pytest\ndef test_two(): pytest.importorskip('no_such_package')",
        test_other="import pytest\ndef test_three(): pytest.skip('no small disk')\ndef test_four(): pass",
        test_browser="import pytest\ndef test_five(): pytest.skip('Chromium is not installed')",
    )
    return pytester


def test_a_developer_without_the_packages_runs_the_rest(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1, skipped=4)
    assert result.ret == 0


def test_where_all_packages_are_demanded_one_that_is_missing_is_a_failure(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("--all-packages", "--continue-on-collection-errors")
    result.assert_outcomes(passed=1, skipped=1, failed=2, errors=1)
    result.stdout.fnmatch_lines(["*could not import 'no_such_package'*nothing may be left out*"])
    assert result.ret == 1

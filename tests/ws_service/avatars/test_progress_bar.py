"""The bar of the commands that make avatars."""

import pytest

from ws_service.avatars.progress_bar import progress_bar


def test_it_ends_with_what_was_done_last_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("Importing anna", "anna") as progress:
        progress("unpacking", 0.25)
        progress("encoding the loops", 0.5)
    written = capsys.readouterr()
    assert written.out == ""
    assert "anna: encoding the loops" in written.err
    assert "50%" in written.err

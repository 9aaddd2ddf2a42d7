"""Progress on a terminal, for commands that make avatars. Knows nothing of avatars."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress


@contextmanager
def progress_bar(beginning: str, name: str) -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error. It is told what is being done to `name`, and the share of the whole that is done, 0..1.

    `beginning`: what it shows before it is told anything.
    """
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(beginning, total=1.0)
        yield lambda stage, share: progress.update(task, completed=share, description=f"{name}: {stage}")

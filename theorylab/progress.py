"""What a person sees while a run goes on: a bar in a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

__all__ = ["showing"]

Progress = Callable[[str, int, int], None]

_QUIET_SECONDS = 10.0  # between two plain lines of one sweep


@contextmanager
def showing(console: Console, name: str) -> Iterator[Progress]:
    """A function of (sweep, blocks done, blocks in all) that shows how far the experiment `name` is."""
    if not console.is_terminal:
        yield _plain(console, name)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        tasks: dict[str, int] = {}

        def show(sweep: str, done: int, total: int) -> None:
            if sweep not in tasks:
                tasks[sweep] = bar.add_task(f"{name}: {sweep}", total=total)
            bar.update(tasks[sweep], completed=done, total=total)  # type: ignore[arg-type]

        yield show


def _plain(console: Console, name: str) -> Progress:
    last: dict[str, float] = {}

    def show(sweep: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - last.get(sweep, -_QUIET_SECONDS) >= _QUIET_SECONDS:
            last[sweep] = now
            console.print(f"{name}: {sweep}, {done} of {total} blocks")

    return show

"""Every module of a partition once, several at a time, a module when one that has it is done."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from sevedo.gen.synth.partition import Partition

Result = TypeVar("Result")


def each(
    partition: Partition,
    work: Callable[[str], Result],
    children: Callable[[Result], Collection[str]],
    jobs: int = 1,
    advance: Callable[[str], None] = lambda module: None,
) -> dict[str, Result]:
    """The results by module, parents before their children; a child whose output nobody reads is not reached.

    Parameters
    ----------
    partition : the design
    work : what is done with a module, by name; runs in threads, waiting for a tool
    children : the modules that are still in what was made
    jobs : modules at a time
    advance : called with the name of each module when it is done

    Raises
    ------
    Whatever `work` does; what was not begun by then is left.
    """
    done: dict[str, Result] = {}
    begun = {partition.top}
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        waiting: dict[Future[Result], str] = {pool.submit(work, partition.top): partition.top}
        try:
            while waiting:
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in sorted(finished, key=lambda one: waiting[one]):
                    name = waiting.pop(future)
                    done[name] = future.result()
                    advance(name)
                    found = set(children(done[name])) & partition.staying - partition.macros - begun
                    for child in partition.ordered(found):
                        begun.add(child)
                        waiting[pool.submit(work, child)] = child
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {name: done[name] for name in partition.ordered(done)}

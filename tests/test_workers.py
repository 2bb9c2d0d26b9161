"""Jobs that share a task do not notice: not by waiting, not by what they leave in the context, not by cancellation."""

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest

from sente.workers import Worker, Workers

who: ContextVar[str] = ContextVar("who", default="nobody")


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_jobs_that_do_not_wait_share_a_worker_and_keep_their_order() -> None:
    workers, log = Workers(), list[Any]()

    async def job(worker: Worker) -> None:
        assert worker is asyncio.current_task()
        log.append((len(log), id(worker)))

    for _ in range(20):
        workers.put(job)
    assert log == []  # not before the next turn
    await asyncio.sleep(0)
    assert [number for number, _ in log] == [*range(20)]
    assert len({worker for _, worker in log}) == 1


async def test_a_job_that_waits_holds_up_none_of_the_others() -> None:
    workers, go_on, log = Workers(), asyncio.Event(), list[str]()

    async def slow(_: Worker) -> None:
        log.append("waits")
        await go_on.wait()
        log.append("goes on")

    async def quick(_: Worker) -> None:
        log.append("quick")

    for job in (slow, quick, slow, quick):
        workers.put(job)
    await turns()
    assert log == ["waits", "quick", "waits", "quick"]
    workers.put(quick)
    await turns()
    assert log.count("quick") == 3
    go_on.set()
    await turns()
    assert log[-2:] == ["goes on"] * 2


async def test_nothing_passes_from_a_job_to_the_next_in_the_context() -> None:
    workers, found = Workers(), list[str]()
    who.set("the caller")

    async def job(_: Worker) -> None:
        found.append(who.get())
        who.set("a job")
        workers.put(look)  # called from within a job

    async def look(_: Worker) -> None:
        found.append(who.get())

    for each in (look, job, look, job, look):
        workers.put(each)
    await turns(10)
    assert found == ["nobody"] * 7


async def test_a_timeout_in_a_job_cancels_that_job_only() -> None:
    workers, log = Workers(), list[Any]()

    async def job(_: Worker) -> None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        except TimeoutError:
            log.append("timeout")

    async def quick(_: Worker) -> None:
        log.append("quick")

    for each in (job, quick, job, quick):
        workers.put(each)
    await asyncio.sleep(0.05)
    assert sorted(log) == ["quick", "quick", "timeout", "timeout"]


@pytest.mark.parametrize("survives", [False, True])
async def test_a_cancelled_job_takes_no_other_with_it(survives: bool) -> None:
    workers, log = Workers(), list[Any]()

    async def job(worker: Worker) -> None:
        asyncio.get_running_loop().call_soon(worker.cancel)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            log.append("cancelled")
            if not survives:
                raise
        workers.put(quick)

    async def quick(worker: Worker) -> None:
        log.append(f"quick, {worker.cancelling()}")

    for each in (job, quick):
        workers.put(each)
    await turns(10)
    assert log == ["quick, 0", "cancelled", *["quick, 0"] * survives]


@pytest.mark.parametrize("waits", [False, True])
async def test_a_task_that_somebody_keeps_takes_no_other_job(waits: bool) -> None:
    workers, kept, log = Workers(), list[asyncio.Task[Any] | None](), list[str]()

    async def job(_: Worker) -> None:
        kept.append(asyncio.current_task())
        if waits:
            await asyncio.sleep(0)

    async def slow(_: Worker) -> None:
        await asyncio.sleep(0.01)
        log.append("done")

    workers.put(job)
    if waits:
        await asyncio.sleep(0)
    workers.put(slow)
    await turns()
    assert kept[0] is not None and not kept[0].cancel()  # it has ended, as the task of a job of its own would have
    await asyncio.sleep(0.05)
    assert log == ["done"]


async def test_jobs_that_wait_one_after_the_other_share_a_worker() -> None:
    workers, numbers = Workers(), list[int]()

    async def job(worker: Worker) -> None:
        async with asyncio.timeout(1):
            await asyncio.sleep(0)
        numbers.append(id(worker))
        if len(numbers) < 10:
            workers._ready.append(job)

    workers.put(job)
    await turns(50)
    assert len(numbers) == 10 and len(set(numbers)) == 1


async def test_a_job_that_raises_costs_nobody_else_his_turn() -> None:
    workers, log, errors = Workers(), list[str](), list[BaseException]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))

    async def bad(_: Worker) -> None:
        raise ZeroDivisionError

    async def quick(_: Worker) -> None:
        log.append("quick")

    for job in (bad, quick, bad, quick):
        workers.put(job)
    await turns(10)
    assert log == ["quick", "quick"]
    await turns()
    assert all(isinstance(error, ZeroDivisionError) for error in errors)


async def test_closing_cancels_what_waits_and_drops_what_has_not_begun() -> None:
    workers, log = Workers(), list[Any]()

    async def slow(_: Worker) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            log.append("ended")

    async def quick(_: Worker) -> None:
        log.append("quick")

    workers.put(slow)
    await turns()
    workers.put(quick)
    await workers.aclose()
    assert log == ["ended"]
    workers.put(quick)  # it can be used again
    await turns()
    assert log == ["ended", "quick"]

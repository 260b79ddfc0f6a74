"""What can happen in a simulation: to its records and commits, to its processes, and to what is around them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from syncline import workflow
from syncline.daemon import loop
from syncline.manifests.repository import Revision
from syncline.model.errors import SynclineError
from syncline.reconciler.apply import apply_plan
from tests.simulation.declared import WHEN, Declared, Followed
from tests.simulation.primitives import Event

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.simulation.world import World

#: Seconds of virtual time: between looks at the source, and until a lease runs out.
POLL, LEASE = 300.0, 60.0
#: Most daemons at once.
DAEMONS = 3


def _pass(world: World, drawn: random.Random) -> None:
    del drawn


def _records(world: World, drawn: random.Random) -> None:
    stream = drawn.choice(list(world.application.records))
    records = world.application.records[stream]
    for _ in range(drawn.randint(1, 6)):
        number = len(records) + 1
        key = drawn.randint(1, 9) if stream == "people" else number
        records.append((str(key), "no number" if drawn.random() < 0.05 else str(number)))


def _commit(world: World, drawn: random.Random) -> None:
    head = world.remote.commits[world.remote.head]
    declared, what = _edited(world, head.declared, drawn)
    commit = world.remote.push(declared, head.id)
    world.say(f"commit {commit[:12]}: {what}")
    if drawn.random() < 0.7:
        world.look_soon_all()


def _edited(world: World, declared: Declared, drawn: random.Random) -> tuple[Declared, str]:
    declared = replace(declared, broken=False)
    match drawn.randint(0, 7):
        # Who renames twice before the first is applied has to keep the first name in `moved`: nobody does here.
        case 0 if _applied(world, declared.flows[stream := drawn.choice(list(declared.flows))][0]):
            name = f"{stream}-{drawn.choice([n for n in '123456789' if n not in declared.flows[stream][0]])}"
            return declared.renamed(stream, name), f"{declared.flows[stream][0]} is renamed to {name}"
        case 1 | 2:
            name = drawn.choice(list(WHEN))
            kept = tuple(s for s in declared.schedules if s != name)
            if name in declared.schedules:
                return replace(declared, schedules=kept), f"the schedule {name} is gone"
            return replace(declared, schedules=(*kept, name)), f"the schedule {name} is there"
        case 3:
            stream = drawn.choice(["people", "catalog"])
            if stream in declared.flows:
                return declared.without(stream), f"the flow of {stream} is gone"
            name = f"{stream}-{drawn.randint(1, 9)}"
            return replace(declared, flows=declared.flows | {stream: (name, "")}), f"{name} reads {stream}"
        case 4:
            return replace(declared, edition=declared.edition + 1), "another mapping"
        case 5 | 6:
            name = drawn.choice([*declared.flows, *declared.schedules])
            changed = declared.suspended ^ {name}
            return replace(declared, suspended=changed), f"{name} is {'' if name in changed else 'not '}suspended"
        case _:
            return replace(declared, broken=True), "it isn't valid"


def _applied(world: World, name: str) -> bool:
    """Whether a flow of that name is applied."""
    return any(known.key.name == name for known in world.store.objects())


def _rewrite(world: World, drawn: random.Random) -> None:
    head = world.remote.commits[world.remote.head]
    if not head.parent:
        return
    commit = world.remote.push(replace(head.declared, broken=False), head.parent)
    world.say(f"history is rewritten: {commit[:12]} after {head.parent[:12]}")
    if drawn.random() < 0.5:
        apply_by_hand(world, commit)


def apply_by_hand(world: World, commit: str, *, allow_deletes: bool = False) -> None:
    """As `syncline apply` in a clone: by somebody who has seen the rewrite, and means it."""
    world.say(f"somebody applies {commit[:12]} by hand")
    tree = Followed(world.remote, lambda: world.kernel.now, lambda _: None).snapshot(commit)

    def work() -> None:
        try:
            with workflow.engine(world.settings) as engine:
                settings, head = replace(world.settings, root=tree.root), Revision(commit, dirty=False)
                plan = workflow.plan(settings, head=head, allow_deletes=allow_deletes)
                apply_plan(engine.facilities, plan, lambda _: None)
        except SynclineError as error:
            world.say(f"it fails: {error.code} {error.message}")

    world.kernel.spawn(world.process_named("by-hand"), work, "apply")


def _kill(world: World, drawn: random.Random) -> None:
    if alive := world.alive():
        world.die(drawn.choice(alive), silent=drawn.random() < 0.3)


def start(world: World, drawn: random.Random | None = None) -> None:
    """Starts a daemon, unless there are as many as may be."""
    if len(world.alive()) >= DAEMONS:
        return
    process = world.process_named("daemon")
    if not world.one_machine and drawn is not None and "jump" not in world.without:
        process.skew = drawn.choice([0.0, 0.0, -2.0, 3.0, 300.0, -7200.0, 7200.0])
    world.say(f"{process.name} starts, its clock {process.skew:+g} s")
    followed = Followed(world.remote, lambda: world.kernel.now, world.kernel.point)
    stop: list[Any] = []

    def serve() -> None:
        daemon = loop.Daemon(world.settings, followed, world.say, poll=POLL, at_once=2, lease=LEASE)
        looking[process] = daemon.look_soon
        try:
            daemon.serve(stop[0])
        except SynclineError as error:  # as the command ends then, and whoever looks after it starts it again
            world.say(f"it ends: {error.code} {error.message}")

    looking = world.looking
    stop.append(Event(world.kernel))
    world.daemons.append((process, stop[0]))
    world.kernel.spawn(process, serve, "serve")


def _freeze(world: World, drawn: random.Random) -> None:
    if alive := world.alive():
        world.stall(drawn.choice(alive), drawn.choice([5.0, 30.0, 60.0, 150.0]))


def _stop(world: World, drawn: random.Random) -> None:
    running = [(process, stop) for process, stop in world.daemons if process.alive and not stop.is_set()]
    if len(running) > 1:
        process, stop = drawn.choice(running)
        world.say(f"{process.name} is told to stop")
        stop.set()


def _jump(world: World, drawn: random.Random) -> None:
    if world.one_machine:
        by = drawn.choice([-7200.0, -60.0, -1.0, 1.0, 60.0, 3600.0, 7200.0])
        world.jumped += by
        world.say(f"the clock is set by {by:+g} s")


def _warehouse(world: World, drawn: random.Random) -> None:
    if drawn.random() < 0.5:
        world.losing = drawn.choice([0.0, 0.1, 0.4])
        world.say(f"{world.losing:.0%} of answers get lost")
    else:
        world.warehouse.down_until = world.kernel.now + drawn.choice([10.0, 60.0, 200.0])
        world.say("the warehouse is out of reach")


def _application(world: World, drawn: random.Random) -> None:
    world.application.down_until = world.kernel.now + drawn.choice([10.0, 60.0, 300.0])
    world.say("the application is out of reach")


def _repository(world: World, drawn: random.Random) -> None:
    world.remote.unreachable_until = world.kernel.now + drawn.choice([30.0, 200.0])
    world.say("the repository is out of reach")


def _state(world: World, drawn: random.Random) -> None:
    if alive := world.alive():
        process = drawn.choice(alive)
        world.state_down[process.number] = world.kernel.now + drawn.choice([1.0, 20.0, 70.0])
        world.say(f"{process.name} can't reach the state")


def _ask(world: World, drawn: random.Random) -> None:
    """As `syncline run` in a process of its own."""
    from syncline.executor.progress import Silent
    from syncline.executor.work import Work
    from syncline.model.key import ObjectKey

    names = [name for name, _ in world.remote.commits[world.remote.head].declared.flows.values()]
    key = ObjectKey("acme", "Sync", drawn.choice(names))
    world.say(f"somebody runs {key}")

    def work() -> None:
        try:
            with workflow.engine(world.settings) as engine:
                engine.run(Work(key), Silent())
        except SynclineError as error:
            world.say(f"it fails: {error.code} {error.message}")

    world.kernel.spawn(world.process_named("run"), work, "run")


#: What can happen in a step, and how often beside the others.
HAPPENS: dict[str, tuple[int, Callable[[World, random.Random], None]]] = {
    "pass": (130, _pass),
    "records": (50, _records),
    "commit": (7, _commit),
    "kill": (4, _kill),
    "start": (6, start),
    "freeze": (5, _freeze),
    "stop": (3, _stop),
    "jump": (3, _jump),
    "warehouse": (5, _warehouse),
    "application": (4, _application),
    "repository": (2, _repository),
    "state": (4, _state),
    "ask": (2, _ask),
    "rewrite": (1, _rewrite),
}

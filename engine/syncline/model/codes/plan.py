"""Codes of findings about plan, apply and state (SYN6xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN601",
        "waiting for another",
        "Something else must happen first, such as another writer's lease ending.",
        "Wait for it, or look at what it names.",
    ),
    Code(
        "SYN610",
        "lease held by another",
        "Another process holds the lease that this needs. Of two writers, one would overwrite what the other just did.",
        "Wait until it has ended. A holder that died is followed when its time has run out, at most 30 seconds later; "
        "on the same machine at once.",
    ),
    Code(
        "SYN611",
        "lease lost",
        "The lease was taken over by another while this process slept or was cut off, so its late write was refused.",
        "Run it again: what was done before is kept, and the rest is planned anew. What a daemon was at needs nobody: "
        "the one that works by now goes on with it.",
    ),
    Code(
        "SYN612",
        "state is newer than the program",
        "A newer version of Syncline wrote the state. This one doesn't know what is in it and changes nothing.",
        "Use the version that wrote it, or a newer one.",
    ),
    Code(
        "SYN613",
        "state is older than the program",
        "The state's tables are of an older version, and whoever only reads them doesn't change them.",
        "Run `syncline apply`, which brings them up to date.",
    ),
    Code(
        "SYN614",
        "state can't be used",
        "The database of the state is damaged, full, not Syncline's, or refuses this user.",
        "Do what the message says: free space, correct the permission or the URL, or restore a backup.",
    ),
    Code(
        "SYN615",
        "state is busy or out of reach",
        "The database of the state didn't answer in time.",
        "Run it again once the database can be reached. What was done before is kept.",
    ),
    Code(
        "SYN616",
        "ambiguous run",
        "The beginning of a run's id that was given fits more than one run.",
        "Give more characters of the id; `syncline runs` lists them.",
    ),
    Code(
        "SYN617",
        "invalid URL of the state",
        "The state is kept in SQLite or PostgreSQL; the URL or the schema that was given is of neither.",
        "Write `sqlite:///PATH/state.db` or `postgresql://USER@HOST/DATABASE`.",
    ),
    Code(
        "SYN620",
        "mass deletion",
        "The plan deletes much of what is applied: often a wrong folder, branch or merge rather than an intention.",
        "Look at what the plan deletes; if it is meant, plan and apply with --allow-deletes.",
    ),
    Code(
        "SYN621",
        "protected object",
        "The object was applied with `metadata.protected: true`, so deleting its manifest doesn't retire it.",
        "Put it back, set metadata.protected to false, apply that, then delete it.",
    ),
    Code(
        "SYN622",
        "move onto an applied object",
        "The name that an object is moved to is applied already: its cursors and history would be mixed with those of "
        "the object that is moved there.",
        "Remove `metadata.moved`, which retires the old object; or retire the one that has the name, apply, then move.",
    ),
    Code(
        "SYN623",
        "protection lost by a move",
        "A protected object is moved to a name without `metadata.protected`. Protection ends only by an apply that "
        "does just that, so that a move followed by a delete can't get around it.",
        "Set metadata.protected: true on the new name; or set it to false on the old one, apply that, then move.",
    ),
    Code(
        "SYN624",
        "deletion of a tenant",
        "The plan retires a tenant, or all of its flows: often a wrong folder, branch or merge, and not an intention.",
        "Look at what the plan deletes; if it is meant, plan and apply with --allow-deletes.",
    ),
    Code(
        "SYN630",
        "not applied",
        "Only what was applied runs: a declaration in the working tree has no effect until then.",
        "Apply the configuration; `syncline get` lists what is applied.",
    ),
    Code(
        "SYN640",
        "not a plan",
        "The file is not a plan, was made by another version, or was altered after it was made.",
        "Make the plan again with `syncline plan --out FILE`.",
    ),
    Code(
        "SYN641",
        "stale plan",
        "The state moved after the plan was made, so its effects are no longer those that were shown. Or the plan is "
        "of a file, and planning in this tree gives another one: the tree is another commit, or the file was edited.",
        "Plan again and look at what changed.",
    ),
    Code(
        "SYN642",
        "plan carries errors",
        "A guard refuses the plan; applying it would do what the guard is there to stop.",
        "Correct what the findings name and plan again.",
    ),
    Code(
        "SYN643",
        "a flow of the plan is running",
        "The plan retires or moves a flow, or resets its position, while a run of it is under way: the run would go on "
        "under a name, or from a position, that is no longer there.",
        "Wait until the run has ended, or stop it (it can be resumed), then apply again. Nothing was applied.",
    ),
    Code(
        "SYN650",
        "no such object",
        "A name on the command line means no applied object, or several.",
        "Give the whole name, tenant/Kind/name, as `syncline get` lists it.",
    ),
)

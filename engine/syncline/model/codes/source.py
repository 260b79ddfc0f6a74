"""Codes of findings about the Git repositories that a daemon follows, and what each may declare (SYN66x, SYN74x)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN336",
        "OpenPGP keys can't be used",
        "The file of OpenPGP keys whose signatures of commits count has none, can't be read, or there is no gpg "
        "command to read it. Nothing is applied meanwhile.",
        "Give public keys as `gpg --armor --export NAME` writes them, and install GnuPG where the daemon runs.",
    ),
    Code(
        "SYN660",
        "not a source",
        "The URL, the branch, tag or commit, or the folder of a source is none that can be followed.",
        "Give an https or ssh URL or an absolute path, a plain name, and a folder below the repository's root.",
    ),
    Code(
        "SYN661",
        "source out of reach",
        "The repository can't be fetched: the server doesn't answer, refuses, or is too slow.",
        "What was applied keeps running, and the daemon tries again. Look at the address and the credentials.",
    ),
    Code(
        "SYN662",
        "nothing to follow",
        "The repository has no branch, tag or commit of that name.",
        "Name one that is there. What was applied keeps running.",
    ),
    Code(
        "SYN663",
        "history rewritten",
        "The commit that is applied is not an ancestor of the newest one: history was rewritten, as by a force-push.",
        "Push a commit on top of the one that is applied, or apply the new history once by hand.",
    ),
    Code(
        "SYN664",
        "not signed as demanded",
        "The daemon applies only commits that somebody in its list of allowed signers signed, or one of its OpenPGP "
        "keys.",
        "Sign the commit with an allowed key, or add the key to the list.",
    ),
    Code(
        "SYN665",
        "refused tree",
        "A commit holds what is not taken out of a repository: links, submodules, names that could reach elsewhere or "
        "that are the same where case doesn't count, or too much or too long.",
        "Remove it, or follow a folder without it. Nothing of the commit is applied.",
    ),
    Code(
        "SYN666",
        "nothing to listen at",
        "An address that the daemon is to answer at can't be bound, or the secret of its webhook is too short to "
        "protect anything.",
        "Give HOST:PORT with a free port, and a random secret of at least 16 characters.",
    ),
    Code(
        "SYN697",
        "no certificate to show",
        "The certificate that is to be shown where a daemon or a witness listens, or its key, can't be read, they "
        "don't belong together, or the key is open to others on the machine.",
        "Give a certificate with its chain, and its key without a password, both in PEM form. Nobody but the daemon's "
        "account and its group may read the key.",
    ),
    Code(
        "SYN918",
        "a certificate that ends",
        "The certificate that is shown where a daemon or a witness listens, or one of its chain, has ended, will soon, "
        "or doesn't hold yet. It is told at the start and once a day, and shown all the same.",
        "Renew it, and see to it that what renews it writes to the files that --tls-cert and --tls-key name: they are "
        "read again once they are others.",
    ),
    Code(
        "SYN667",
        "not the server it should be",
        "The Git server shows an SSH key that isn't in known_hosts, or a certificate that nobody vouches for. Somebody "
        "may stand between.",
        "Compare the key with what the server's operator publishes before you add it.",
    ),
    Code(
        "SYN668",
        "source lets nobody in",
        "The Git server refuses the credentials, or has no such repository, which it also says to who may not read it.",
        "Renew the credentials, or let them read the repository. What was applied keeps running.",
    ),
    Code(
        "SYN669",
        "source has moved",
        "The Git server sends us to another address, where we don't go: the credentials would go along.",
        "Give the new address as the source.",
    ),
    Code(
        "SYN740",
        "source is slow to answer",
        "The Git server was asked, and hasn't answered yet. The daemon waits for it beside its other work: runs, "
        "schedules, webhooks and probes go on.",
        "Nothing, if it passes. Else look at the server, the network between, and --fetch-timeout.",
    ),
    Code(
        "SYN741",
        "password in a URL",
        "The URL of a source has a password in it. Whoever may list processes or read units and manifests has it, too.",
        "Consider the password known, and replace it. Give the URL without it and name a secret: --password env:NAME.",
    ),
    Code(
        "SYN742",
        "secret for another protocol",
        "A secret is given that this source never asks for: passwords are for https URLs, keys for SSH.",
        "Give the URL that the secret is for, or leave the secret out.",
    ),
    Code(
        "SYN743",
        "the daemon doesn't answer",
        "The daemon of this folder has taken a request for a run and says nothing any more, not even that it is alive: "
        "its process is stopped, or hangs.",
        "Continue or end that process, then run it again. Data is as the last commit left it.",
    ),
    Code(
        "SYN744",
        "declared by another source",
        "An object has one owner: the source that it was first applied from keeps it, and another one that declares it "
        "is refused.",
        "Leave it out. To move it, say so in spec.transfers of the Source, in `main`: the repository that "
        "the daemon is started with.",
    ),
    Code(
        "SYN745",
        "not this source's to declare",
        "What a source may declare is said by its Source in `main`: which tenants' objects, of which kinds.",
        "Have spec.declares extended there, or declare the object where it belongs.",
    ),
    Code(
        "SYN747",
        "objects without a source",
        "A Source is no longer declared, and objects that came from it are applied. Nothing retires them.",
        "Remove them in that source first, or let another source declare them: it gets them.",
    ),
    Code(
        "SYN748",
        "source's files can't be kept",
        "The daemon can't keep the files of a source on its own machine: the disk is full or fails, a limit is "
        "reached, or its account has no right to its folder. Other sources, and what was applied, go on.",
        "Make room, or give the daemon's account its folder back. The source is looked at again by itself.",
    ),
    Code(
        "SYN782",
        "the daemon can't use its files",
        "The daemon can't read or write what it needs to work: its disk is full or fails, a limit is reached, or its "
        "account has no right to its home. It doesn't end: what was applied stays applied.",
        "Make room, or give the daemon's account its folders back. It goes on by itself, after half a minute at most.",
    ),
)

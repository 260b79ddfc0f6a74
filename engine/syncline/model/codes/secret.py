"""Codes of findings about secrets and keys (SYN8xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN801",
        "secret not found",
        "A secret that is referred to is not where its provider looks: no such variable, file or key.",
        "Set the variable, put the file in place or add the key; `syncline doctor` lists what is missing.",
    ),
    Code(
        "SYN802",
        "secret file is not safe",
        "A file that holds a secret is open to others, is not a plain file, is too large, or lies outside its folder.",
        "Set its mode to 600 (400 for a mounted one), and refer to the file itself.",
    ),
    Code(
        "SYN803",
        "secret cannot be decrypted",
        "A SOPS file is encrypted for other keys, was changed after it was encrypted, or uses a method other than age.",
        "Give one of its recipients' age identities in SOPS_AGE_KEY or SOPS_AGE_KEY_FILE, or repair it: `sops edit`.",
    ),
    Code(
        "SYN804",
        "not a secret reference",
        "A reference names a provider that does not exist, or a key or path that the provider cannot have.",
        "Use provider env, file or sops, and the key and path as its documentation shows.",
        bad="token: {secretRef: {provider: environment, key: HELPDESK_TOKEN}}",
        good="token: {secretRef: {provider: env, key: HELPDESK_TOKEN}}",
    ),
    Code(
        "SYN805",
        "encryption key cannot be used",
        "A key in the key folder is missing, damaged, readable by others, or not the one it was.",
        "Restore the key folder from a backup. Without its keys, what they encrypted cannot be read by anyone.",
    ),
    Code(
        "SYN806",
        "encrypted data cannot be opened",
        "Encrypted data was changed, was moved to another place, or its key was destroyed.",
        "Restore the data from a backup; data of a key that was destroyed on purpose is erased.",
    ),
)

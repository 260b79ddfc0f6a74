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
        "Use a provider that there is, and the key and path as its documentation shows.",
        bad="token: {secretRef: {provider: environment, key: HELPDESK_TOKEN}}",
        good="token: {secretRef: {provider: env, key: HELPDESK_TOKEN}}",
    ),
    Code(
        "SYN805",
        "encryption key cannot be used",
        "A key in the key folder is missing, damaged, readable by others, or not the one it was.",
        "Restore the key folder from a backup. Without its keys, what they encrypted cannot be read by anyone: where "
        "there is no backup, `syncline keys lost` says what that is, and with --yes goes on under new keys.",
    ),
    Code(
        "SYN806",
        "encrypted data cannot be opened",
        "Encrypted data was changed, was moved to another place, or its key isn't in the key folder any more.",
        "Restore the data, or the key folder, from a backup. Where the key is lost, `syncline keys lost` says what "
        "went with it, and with --yes goes on without it; data of a key that was destroyed on purpose is erased.",
    ),
    Code(
        "SYN820",
        "secret store can't be reached",
        "Vault, or another store of secrets or keys, doesn't answer, is sealed or in standby.",
        "Nothing is lost: what needs it is tried again. See that it runs and that its address is right.",
    ),
    Code(
        "SYN821",
        "HSM can't be used",
        "A token of PKCS#11 is gone, its PIN is wrong or locked, or it lacks a key. Without it nothing is signed or "
        "opened, so nothing is applied or run.",
        "Connect the token, or set SYNCLINE_PKCS11_MODULE and SYNCLINE_PKCS11_PIN; `syncline doctor` tries it.",
    ),
    Code(
        "SYN822",
        "secret store refuses",
        "Vault, or another store of secrets or keys, refuses who we are or what we ask for, or isn't configured.",
        "Give the role or token a policy that allows it, or set the variables that name the store.",
    ),
    Code(
        "SYN823",
        "key was destroyed",
        "What is asked for was encrypted with a data key that was destroyed on purpose, so that it is erased, in "
        "backups too; or that was lost, which somebody has acknowledged.",
        "Nothing brings it back.",
    ),
    Code(
        "SYN824",
        "key can't be rotated",
        "The place for the new key-encryption key isn't one, or there is no key yet.",
        "Give file, vault:MOUNT/KEY or pkcs11:TOKEN.",
        bad="syncline keys rotate --to vault",
        good="syncline keys rotate --to vault:transit/syncline",
    ),
    Code(
        "SYN825",
        "keyring can't be used",
        "The library `keyring` isn't installed, or the operating system's keyring is locked or isn't there.",
        "Install syncline[keyring], and unlock the keyring; a server without a session has none.",
    ),
    Code(
        "SYN826",
        "secret command not listed",
        "A secret is to be had by a program that the operator's list doesn't have, or the list can't be used.",
        "List it in the file that SYNCLINE_SECRET_COMMANDS names, which only its owner may write.",
        bad="token: {secretRef: {provider: exec, key: /usr/bin/pass}}",
        good="token: {secretRef: {provider: exec, key: pass/crm/token}}",
    ),
    Code(
        "SYN827",
        "secret command failed",
        "A program that should print a secret failed, took more than ten seconds, or printed too much.",
        "Run it by hand, as the account that Syncline runs as, to see what it says.",
    ),
    Code(
        "SYN828",
        "secret can't be written",
        "The provider of a secret can only be read, or the reference is to a part of a document, or names no "
        "field in Vault.",
        "Change it where it is kept, or use file, vault, aws, keyring or pkcs11; in Vault name the field.",
    ),
    Code(
        "SYN829",
        "secret is being replaced",
        "A secret was replaced, and its former value still counts: another replacement would forget that one.",
        "End the window with `syncline secrets rotate REFERENCE --finish`, once nobody uses the former value.",
    ),
    Code(
        "SYN830",
        "not a place for a signing key",
        "SYNCLINE_AUDIT_SIGNER names no token and algorithm that the audit log's key can be made in.",
        "Give pkcs11:TOKEN/ed25519 or pkcs11:TOKEN/p256, before the first apply.",
        bad="SYNCLINE_AUDIT_SIGNER=hsm",
        good="SYNCLINE_AUDIT_SIGNER=pkcs11:syncline/p256",
    ),
    Code(
        "SYN831",
        "secret in a committed file",
        "A file that Git has holds what looks like a secret: it has the form of one, or is the random value of what is "
        "named like one. It isn't shown here.",
        "Put it into a secret provider, and change it: removing it from Git is not enough. Mark a line that holds none "
        "with `syncline:allow-secret`, or list it with a reason in .secrets-allowed.",
    ),
    Code(
        "SYN832",
        "no files to scan",
        "The files that Git has, or those that are staged, were to be looked through for secrets, and the folder is in "
        "no Git repository.",
        "Name the files, or run it in a repository.",
    ),
    Code(
        "SYN833",
        "server's key isn't pinned",
        "A server's certificate is issued by an authority that is trusted, and its key is none of `tls.pins`. "
        "Nothing was sent.",
        "Ask the vendor whether the key was changed. If it was, add its pin; else somebody is in between.",
        bad='tls: {pins: ["sha256/an old one"]}',
        good='tls: {pins: ["sha256/the present one", "sha256/the next one"]}',
    ),
    Code(
        "SYN858",
        "entry of .secrets-allowed that doesn't count",
        "An entry of the list of what is no secret has no reason or no fingerprint, or nothing in its file fits it.",
        "Write FILE FINGERPRINT REASON, as `syncline secrets scan` tells them; remove entries that fit nothing.",
        bad="tests/test_login.py 5d41402abc4b",
        good="tests/test_login.py 5d41402abc4b made up: the form of a token",
    ),
)

"""Codes of findings about environments and their overlays (SYN28x)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN280",
        "environment not chosen",
        "The repository declares environments, and none of them, or one that isn't there, was named. Without it, it "
        "can't be told what is meant to be applied.",
        "Give --environment NAME, or set SYNCLINE_ENVIRONMENT.",
        bad="syncline plan",
        good="syncline plan --environment staging",
    ),
    Code(
        "SYN281",
        "unknown environment",
        "An object says which environments it is in, and names one that environments.yaml doesn't declare.",
        "Correct the name, or declare the environment.",
    ),
    Code(
        "SYN282",
        "unknown variable",
        "A manifest uses, or an environment gives, a variable that environments.yaml doesn't declare.",
        "Correct the name, or declare the variable. `$${` stands for the characters themselves.",
        bad="site: ${sit}",
        good="site: ${site}",
    ),
    Code(
        "SYN283",
        "variable without a value",
        "A variable has no default, and an environment gives it no value.",
        "Give a value in the environment, or declare a default that is right for every environment.",
    ),
    Code(
        "SYN284",
        "value doesn't fit the variable",
        "The value of a variable has another type than the variable, or is none of those that it may have.",
        "Correct the value, or what the variable declares.",
        bad='variables: {days: {type: integer, default: "7"}}',
        good="variables: {days: {type: integer, default: 7}}",
    ),
    Code(
        "SYN285",
        "patch of nothing",
        "A patch changes an object, or removes a field, that isn't there, or belongs to no environment: it would do "
        "nothing, and nobody would notice.",
        "Correct the name, or remove the patch.",
    ),
    Code(
        "SYN286",
        "not a patch",
        "A document doesn't say what it changes, says it twice, or changes what can't be changed in this way: a list "
        "is replaced whole, unless its entries are told apart by a field.",
        "Name the object by kind and metadata; give lists whole, or entries by name where that is possible.",
    ),
    Code(
        "SYN287",
        "variable in a name",
        "An object is called the same in every environment: its kind, name, tenant and version hold no variable.",
        "Write the name out. To have an object in some environments only, name these in metadata.environments.",
    ),
    Code(
        "SYN288",
        "unused variable",
        "No manifest and no patch uses a variable that environments.yaml declares.",
        "Remove it.",
    ),
    Code(
        "SYN289",
        "state of another environment",
        "The state was applied in one environment, and the plan is of another: applying it would turn the one into "
        "the other.",
        "Give each environment a state of its own (SYNCLINE_STATE, SYNCLINE_HOME). After renaming an environment, "
        "give the old name as `formerly`.",
    ),
)

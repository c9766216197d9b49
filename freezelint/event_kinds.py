"""What can happen in a training script, and what a witness records when it does: the contract of `Event`.

A kind without a comment is plain from its name. Fields mentioned are those of `freezelint.evidence.Event`.
"""

from __future__ import annotations

from typing import Literal

EventKind = Literal[
    "built",  # a model was constructed or first seen
    "loaded",  # parameters received stored weights
    "frozen",  # requires_grad became (or was set) False
    "unfrozen",  # requires_grad became (or was set) True
    "no-effect",  # an assignment that looks like a freeze and that nothing reads; `name` is the attribute
    # An expression statement that is nothing but a comparison (==, !=, is, is not; on either side) of an
    # attribute `requires_grad`. `value` is the constant it is compared with where that is True or False
    # ("!= True" is "False"), `parameters` or `modules` the receiver where known. Recorded each time it runs;
    # see `observed`.
    "compared",
    # A statement ran that was to freeze something and froze nothing; see `FreezeMiss` for what is recorded.
    "froze-nothing",
    # An expression statement `receiver.from_pretrained(…)`, its result thrown away, where the receiver is an
    # instance of an nn.Module and the method a library's, which makes a new object (a class of the project
    # that defines the method itself, or has a base that is not known: no event). Also on the bare classes
    # nn.Embedding and nn.EmbeddingBag; not on others, where the call may be meant to fill a cache. `name` is
    # the method, `value` the source of the receiver, `class_name` its class, `modules` and `parameters` the
    # receiver's, empty where they are not known; see `observed`.
    "discarded",
    "to-train",
    "to-eval",  # see `freezes_otherwise` where the code says that it freezes
    "replaced",  # a module of a model was exchanged for, or extended by, a new one; `name` is its path
    "statistics-reset",
    # momentum or track_running_stats was assigned on an existing norm layer; `name` is the attribute
    "norm-set",
    "optimizer-built",
    "group-added",
    "schedule-built",
    # A schedule was stepped by somebody (not by its own construction, not by a schedule around it); `name` is
    # its class. `value` is "group-missing" where that raised because a group was added after it was built.
    "schedule-stepped",
    # Something else than a schedule wrote other rates to an optimizer's groups: a loop of the user's.
    "rates-set",
    "iterator-exhausted",  # a spent iterator of parameters was handed to `name`
    "detached",  # a tensor was cut from the graph; `parameters` lay behind it
    "checkpointed",  # a reentrant checkpoint ran none of whose inputs requires grad
    "gradient-forced",  # requires_grad was switched on for a tensor that is no parameter (a loss, an input)
    "backward",
    "stepped",
]

# Why a statement froze nothing: `reason` of "froze-nothing", which is recorded for these reasons only.
#
# A *write* is a write of False to the `requires_grad` of a parameter (assignment, `setattr`,
# `requires_grad_(False)`), whatever the flag was before. The statement ran, and no write ran during it, calls
# included; for "tensor-copy" and "object-copy" the writes went to something else. Recorded each time the
# statement ran, in every chain of calls, when it has ended.
# - location: the whole statement, for a loop from its header to the last line of its body; with `calls`.
# - `certain`: True where every item, name and test involved was known. Where not, it is recorded all the same
#   with None (a statement is judged by all of its runs).
# - `modules`: the receivers of `named_parameters()`, `children()` …, e.g. (0, "") for `model.parameters()`.
# - `parameters`: those that the loop went over, each one that it could have frozen (after slicing).
# - `name`: the method that gave the items ("parameters", "named_parameters", "children", "named_modules", …).
# - `value`: the source of the test or of the slice that decided, on one line.
# - `patterns`, `says`, `observed`, `fragment` as their comments say.
#
# Not recorded where what failed, or what gave the items, also reads `requires_grad` (only what is still
# trainable is asked for), `isinstance`, `hasattr` or a setting of the user's (`if args.freeze`); where the
# loop ended by `break`, `return` or an exception; where the iterator was spent (FRZ206 tells of that); where
# a write took a value that is no constant False; nor, once all paths of the file are known, where the same
# statement wrote on another path.
FreezeMiss = Literal[
    "",
    # A loop over parameters or modules (of nested ones the outermost whose items are such, or their names or
    # positions) holds a write that is guarded by tests comparing names with `patterns`, and every item failed
    # one of these.
    "pattern",
    # As "pattern", but what failed compares a position with a number, or the items were sliced beyond their
    # end (then the iterable is empty). Not where that number is 0, negative or None: it asks for nothing.
    "count",
    # The loop over modules went over at least one, and not one of them has a parameter: `modules` are these.
    # Also `module.requires_grad_(False)` on such a module.
    "no-parameters",
    # A function calls itself with a literal number for an argument that the test around its write compares
    # with a position. The statement is the call, `value` its source, `name` the function.
    "recursion",
    # An expression statement that makes `map(…)`, `filter(…)` or a generator expression whose elements would
    # write if anything asked for them. `name` is "map", "filter" or "generator expression"; `parameters`
    # those that it would freeze, where known.
    "never-run",
    # An expression statement that is the bare name of a function or method that writes (`model.freeze`,
    # `layer.requires_grad_`). `name` is that name, `value` the expression; `modules` the receiver.
    "not-called",
    # The write went to a tensor that shares the memory of a parameter and is not it: from `state_dict()`,
    # `.data`, `.detach()`. The statement is the write, `name` what gave the tensor ("state_dict", "data",
    # "detach"), `parameters` those whose memory it is. Not where anything but a loop variable keeps the
    # tensor.
    "tensor-copy",
    # An expression statement calls a function of the project, which wrote on a copy (`deepcopy`) of its
    # argument, and the copy is lost when the statement ends. `name` is the function, `parameters` those of
    # the original that correspond to what was written.
    "object-copy",
]

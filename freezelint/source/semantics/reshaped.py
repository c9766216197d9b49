"""Architectures of transformers whose configuration differs from the one that is known.

Another number of layers is worked out. Other sizes leave the tree as it is and make the shapes unknown. What
changes the structure in a way that is not imitated gives None: nothing is said of such a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from freezelint.source.architectures import Architecture, Node, module_paths
from freezelint.source.architectures.tree import Ran
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Value
from freezelint.source.semantics.staged import staged

# Settings for numbers of layers, and the part of the model that they are about ("" for the only one).
_LAYERS = {
    "num_hidden_layers": "",
    "n_layers": "",
    "n_layer": "",
    "num_layers": "",
    "encoder_layers": "encoder",
    "decoder_layers": "decoder",
    "num_decoder_layers": "decoder",
}
_OF_PARTS = ("encoder_layers", "decoder_layers", "num_decoder_layers")
_MOST_LAYERS = 200
# Sizes that add or remove a projection, depending on whether they equal the width of the layers.
_PROJECTED = ("embedding_size", "word_embed_proj_dim")
_WIDTHS = ("hidden_size", "embedding_size", "word_embed_proj_dim")
_DROPPING = re.compile(r"drop(?!_path)|pdrop")
_PLAIN = re.compile(
    r"(.*_)?(eps|epsilon|range|factor|rate|token_id|std|act|activation|activation_function|cache|id2label|label2id|"
    r"labels|dtype|name_or_path|problem_type|finetuning_task|model_type|architectures|layerdrop|loss|"
    r"return_dict|output_hidden_states|output_attentions|gradient_checkpointing|attn_implementation|"
    r"theta|temperature|momentum|max_length|min_length|num_beams|mask_time_prob|mask_feature_prob|pooler_fn|"
    r"ctc_loss_reduction|ctc_zero_infinity|position_biased_input)"
)
_STRUCTURAL = re.compile(
    r"layer|depth|stage|block|sizes|conv|decoder|encoder|cross|tie|use_|add_|type|group|embed|expert|num_|backbone|"
    r"head|norm|bias|adapter|config|relative|attention|attn|pool|dim|size|width|channels|project|kernel|stride|patch|"
    r"mlp|token|expand|ratio|hidden|scale|drop_path|max_position|n_"
)


@dataclass(frozen=True, eq=False)
class Reshaped:
    """An architecture under other settings: `lists` of layers are of unknown length, `added` modules are
    not in the known model. Shapes are unknown where it is `sized`, and rates of dropout where some are
    given (`dropping`). `classes` is False where their number is unknown.
    """

    architecture: Architecture
    lists: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    sized: bool = False
    dropping: bool = False
    classes: bool = True


def reshaped(
    architecture: Architecture, settings: Mapping[str, Value], usual: Mapping[str, int]
) -> Reshaped | None:
    """The architecture under these settings of its configuration, which are `usual` in the known model."""
    other = {
        name: value
        for name, value in settings.items()
        if not name.startswith("_") and name != "num_labels" and not _equal(usual.get(name), value)
    }
    dropping = any(_DROPPING.search(name) for name in other)
    other = {name: value for name, value in other.items() if not _is_plain(name, usual)}
    in_stages = staged(architecture, other)
    if in_stages is not None:
        return Reshaped(in_stages, sized=True, dropping=dropping)
    counts = {name: other.pop(name) for name in list(other) if name in _LAYERS and name in usual}
    if any(name not in usual and _STRUCTURAL.search(name) for name in other):
        return None
    sizes = {name: value for name, value in other.items() if name in usual}
    if sizes and not _same_structure(usual, settings, sizes):
        return None
    found = _relayered(architecture, usual, counts)
    return None if found is None else replace(found, sized=bool(sizes), dropping=dropping)


def _equal(usual: int | None, value: Value) -> bool:
    return usual is not None and isinstance(known(value), int) and known(value) == usual


def _is_plain(name: str, usual: Mapping[str, int]) -> bool:
    return name not in usual and bool(_PLAIN.fullmatch(name) or _DROPPING.search(name))


def _same_structure(
    usual: Mapping[str, int], settings: Mapping[str, Value], sizes: Mapping[str, Value]
) -> bool:
    """Whether sizes that matter in comparison with each other compare as they did, and none is gone."""
    numbers = {name: known(value) for name, value in sizes.items()}
    if not all(isinstance(number, int) and number > 0 for number in numbers.values()):
        return False
    for name in _PROJECTED:
        if name in usual and "hidden_size" in usual and not numbers.keys().isdisjoint(_WIDTHS):
            pair = [numbers.get(one, usual[one]) for one in (name, "hidden_size")]
            if (usual[name] == usual["hidden_size"]) != (pair[0] == pair[1]):
                return False
    return True


# -- another number of layers ----------------------------------------------------------------------


def _relayered(
    architecture: Architecture, usual: Mapping[str, int], counts: Mapping[str, Value]
) -> Reshaped | None:
    found: Reshaped | None = Reshaped(architecture)
    done: set[str] = set()
    parted = any(name in usual for name in _OF_PARTS)
    if parted and "num_hidden_layers" in counts:
        if not {"num_layers", "encoder_layers"} & set(counts):
            return None  # of an encoder and a decoder: nobody knows which one
        counts = {name: count for name, count in counts.items() if name != "num_hidden_layers"}
    for name in sorted(counts, key=lambda name: name not in _OF_PARTS):
        part = _LAYERS[name] or ("encoder" if parted else "")
        if part in done:
            continue
        done.add(part)
        found = None if found is None else _with_layers(found, usual[name], known(counts[name]), part)
    return found


def _with_layers(so_far: Reshaped, usual: int, wanted: Value, part: str) -> Reshaped | None:
    architecture = so_far.architecture
    lists = [path for path in _lists(architecture.root, usual) if not part or part in path.split(".")]
    if not lists:
        shared = any("layer_groups" in path for path, _ in module_paths(architecture))
        return so_far if shared or part else None  # one layer that is run several times
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 0 < wanted <= _MOST_LAYERS:
        return replace(so_far, lists=(*so_far.lists, *lists))
    root, added = architecture.root, list(so_far.added)
    for path in lists:
        layers = root.at(path)
        last = layers.children[-1][1] if layers is not None else None
        if layers is None or last is None:
            continue
        if 2 < usual == len({id(child) for _, child in layers.children}):
            return None  # stages, each of its own kind
        if wanted > usual and any(child is not last for _, child in layers.children[1:]):
            return replace(
                so_far, lists=(*so_far.lists, *lists)
            )  # layers differ: nobody knows how it goes on
        children = [*layers.children[:wanted], *((str(number), last) for number in range(usual, wanted))]
        root = with_node(root, path, replace(layers, children=tuple(children)))
        added += [f"{path}.{number}" for number in range(usual, wanted)]
    changed = _consistent(architecture, replace(architecture, root=root), lists, usual, wanted)
    return replace(so_far, architecture=changed, added=tuple(added))


def _lists(node: Node, count: int, path: str = "") -> Iterator[str]:
    """The outermost lists of so many modules."""
    for name, child in node.children:
        below = f"{path}.{name}" if path else name
        numbered = all(own.isdigit() for own, _ in child.children)
        if (
            child.class_name in ("ModuleList", "Sequential")
            and numbered
            and len(child.children) == count
            and name != "stages"
        ):
            yield below
        else:
            yield from _lists(child, count, below)


def with_node(root: Node, path: str, node: Node) -> Node:
    """The tree with another node at this path."""
    name, _, rest = path.partition(".")
    if not path:
        return node
    children = tuple(
        (own, with_node(child, rest, node) if own == name else child) for own, child in root.children
    )
    return replace(root, children=children)


def _consistent(
    before: Architecture, after: Architecture, lists: list[str], usual: int, wanted: int
) -> Architecture:
    """Without what was said of modules that are gone; those that are new run behind the last one."""
    calls = [path for path in before.calls if _exists(after.root, path)]
    for prefix in lists if wanted > usual else ():
        last = f"{prefix}.{usual - 1}."
        of_last = [path for path in calls if path.startswith(last)]
        if of_last:
            behind = calls.index(of_last[-1]) + 1
            calls[behind:behind] = [
                f"{prefix}.{number}.{path.removeprefix(last)}"
                for number in range(usual, wanted)
                for path in of_last
            ]
    after = replace(
        after,
        head=tuple(path for path in before.head if _exists(after.root, path)),
        tied=tuple(pair for pair in before.tied if all(_exists(after.root, path) for path in pair)),
        repeated=tuple(pair for pair in before.repeated if all(_exists(after.root, path) for path in pair)),
        ran=None,
    )
    owners = {path: number for number, (path, node) in enumerate(
        (path, node) for path, node in module_paths(after) if node.parameters
    )}  # fmt: skip
    if not calls or not all(path in owners for path in calls):
        return after
    unused = tuple(path for path in before.unused if _exists(after.root, path))
    return replace(after, ran=Ran(tuple(owners[path] for path in calls), frozenset(), unused))


def _exists(root: Node, path: str) -> bool:
    """Whether there is a module, or a parameter, at this path."""
    owner, _, name = path.rpartition(".")
    above = root.at(owner)
    return root.at(path) is not None or (
        above is not None and any(own == name for own, _, _ in above.parameters)
    )

"""The lines that put modules in eval mode: one for each block, or a loop over the norm layers."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass

from freezelint.evidence import Model, Module
from freezelint.finding import Edit
from freezelint.fixing.imports import spelled
from freezelint.fixing.modes.calls import loop_name
from freezelint.fixing.script import NoPlaceError, Script

_BATCH = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")
_INSTANCE = ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d")
_TORCH = (*_BATCH, *_INSTANCE, "SyncBatchNorm")
_MOST_CLASSES = 2  # to be named one by one


@dataclass(frozen=True)
class NormLoop:
    """`for module in ….modules()`, which puts norm layers of this class in eval. `test` is what else decides,
    about the loop's variable, which stands in it as `{}`.
    """

    spelling: str
    test: str
    imports: tuple[Edit, ...] = ()

    def lines(self, receiver: str, variable: str) -> list[str]:
        """The loop, indented by tabs."""
        test = f" and {self.test.format(variable)}" if self.test else ""
        return [
            f"for {variable} in {receiver}.modules():",
            f"\tif isinstance({variable}, {self.spelling}){test}:",
            f"\t\t{variable}.eval()",
        ]


def norm_loop(
    script: Script, model: Model, layers: Collection[Module], outer: str, *, always: bool
) -> NormLoop:
    """The loop over the module at `outer` that reaches these layers and none whose scale is trained. Where
    they are frozen `always`, and no other norm layer is there, the class alone tells them. Raises
    NoPlaceError.
    """
    spelling, imports = norm_class(script, layers)
    kept = {layer.path for layer in layers}
    others = [
        module
        for module in model.within(outer)
        if module.norm is not None and module.norm.has_statistics and module.path not in kept
    ]
    if always and not others:
        return NormLoop(spelling, "", imports)
    if not all(layer.parameters for layer in layers):
        raise NoPlaceError("nothing tells the frozen norm layers from the others")
    affine = all(module.parameters for module in others)
    test = "not {0}.weight.requires_grad" if affine else "{0}.affine and not {0}.weight.requires_grad"
    return NormLoop(spelling, test, imports)


def norm_class(script: Script, layers: Collection[Module]) -> tuple[str, tuple[Edit, ...]]:
    """The narrowest class, or classes, of these layers, as the file spells them. Raises NoPlaceError."""
    return _spelled(script, {_torch_class(script, layer) for layer in layers})


def loop_lines(loop: NormLoop, receiver: str, scope: ast.AST) -> list[str]:
    """The loop with a variable that means nothing else in this scope."""
    return loop.lines(receiver, loop_name(scope))


def eval_lines(names: list[str]) -> list[str]:
    """A line for each module."""
    return [f"{name}.eval()" for name in names]


def _torch_class(script: Script, layer: Module) -> str:
    """The class by which `isinstance` finds the layer: torch's, as far as is known, else the user's own."""
    if layer.library == "torch" and layer.class_name in _TORCH:
        return f"torch.nn.{layer.class_name}"
    for name in _BATCH:
        if layer.library in ("timm", "torchvision") and layer.class_name.startswith(
            name.replace("Norm", "NormAct")
        ):
            return f"torch.nn.{name}"
    if layer.library == "torch" and layer.class_name.startswith(("BatchNorm", "LazyBatchNorm")):
        return "torch.nn.modules.batchnorm._BatchNorm"
    if any(isinstance(node, ast.ClassDef) and node.name == layer.class_name for node in script.tree.body):
        return layer.class_name
    raise NoPlaceError(f"it is not known what kind of norm layer {layer.class_name} is")


def _spelled(script: Script, classes: set[str]) -> tuple[str, tuple[Edit, ...]]:
    batch = {f"torch.nn.{name}" for name in (*_BATCH, "SyncBatchNorm")}
    if classes <= batch and (len(classes) > _MOST_CLASSES or "SyncBatchNorm" in script.names):
        classes = {"torch.nn.modules.batchnorm._BatchNorm"}
    if len(classes) > _MOST_CLASSES + 1:
        raise NoPlaceError("there are too many kinds of norm layers")
    names: list[str] = []
    imports: list[Edit] = []
    for dotted in sorted(classes):
        name, more = spelled(script, dotted) if "." in dotted else (dotted, [])
        names.append(name)
        imports += more
    one = names[0] if len(names) == 1 else f"({', '.join(names)})"
    return one, tuple(dict.fromkeys(imports))

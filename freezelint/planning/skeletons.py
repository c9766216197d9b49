"""What a training script needs around the plan: weights, a new head, data, and a beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from freezelint.freezing.plans import Plan
from freezelint.freezing.scripts import script
from freezelint.planning.targets import Head, Target

_BATCH = 32


@dataclass(frozen=True)
class Parts:
    """Imports, constants and functions, `build_model()` and `build_loader(model)` among these."""

    imports: tuple[str, ...]
    constants: tuple[str, ...]
    functions: tuple[str, ...]


def written(target: Target, plan: Plan, command: str) -> str:
    """The whole script, which `freezelint check` finds clean."""
    write = {"torchvision": _torchvision, "timm": _timm, "transformers": _transformers}[target.library]
    parts = write(target)
    classes = f"CLASSES = {target.classes}  # how many there are in your data"
    return script(
        plan.model,
        plan.decision,
        plan.batch,
        f"Fine-tunes {target.name} of {target.library}.\nWritten by `{command}`.",
        imports=("from torch.utils.data import DataLoader", *parts.imports),
        constants=(classes, *parts.constants),
        functions=(*parts.functions, _MAIN, 'if __name__ == "__main__":\n    main()'),
    )


_MAIN = """def main():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = build_model().to(device)
    fine_tune(model, build_loader(model), device)
    torch.save(model.state_dict(), "fine_tuned.pt")"""


def _torchvision(target: Target) -> Parts:
    assert target.head is not None
    family = "models.video" if target.data == "clips" else "models"
    build = f"""def build_model():
    model = {family}.{target.name}(weights="DEFAULT")
    {_replaced("model", target.head)}
    return model"""
    if target.data == "clips":
        data = _loader(
            f"clips = [(torch.rand(3, 16, 112, 112), k % CLASSES) for k in range({_BATCH})]  # yours",
            "clips",
        )
        return Parts(("from torchvision import models",), (), (build, data))
    data = _loader(
        f'transform = models.get_model_weights("{target.name}").DEFAULT.transforms()',
        'ImageFolder("data/train", transform)',
    )
    imports = ("from torchvision import models", "from torchvision.datasets import ImageFolder")
    return Parts(imports, (), (build, data))


def _replaced(model: str, head: Head) -> str:
    """The statement that puts a new head in the place of the published one."""
    place = model
    for piece in head.path.split("."):
        place += f"[{piece}]" if piece.isdigit() else f".{piece}"
    if head.class_name == "Linear":
        new = f"nn.Linear({place}.in_features, CLASSES"
    else:
        new = f"nn.{head.class_name}({place}.in_channels, CLASSES, kernel_size={_kernel(head.kernel)}"
    return f"{place} = {new}{'' if head.bias else ', bias=False'})"


def _kernel(sizes: Sequence[int]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else str(tuple(sizes))


def _timm(target: Target) -> Parts:
    build = f'''def build_model():
    return timm.create_model("{target.name}", pretrained=True, num_classes=CLASSES)'''
    data = _loader(
        "config = timm.data.resolve_model_data_config(model)\n"
        "    transform = timm.data.create_transform(**config, is_training=True)",
        'ImageFolder("data/train", transform)',
    )
    return Parts(("import timm", "from torchvision.datasets import ImageFolder"), (), (build, data))


def _loader(first: str, data: str) -> str:
    folders = "  # a folder of pictures for each class" if data.startswith("ImageFolder") else ""
    source = f"data = {data}{folders}\n    " if folders else ""
    name = "data" if folders else data
    return f"""def build_loader(model):
    {first}
    {source}return DataLoader({name}, batch_size={_BATCH}, shuffle=True, drop_last=len({name}) > {_BATCH})"""


def _transformers(target: Target) -> Parts:
    automatic = f"AutoModel{target.task}"
    options = "NAME, num_labels=CLASSES"
    if target.mismatched:
        options = f"\n        {options}, ignore_mismatched_sizes=True\n    "
    loaded = f"{automatic}.from_pretrained({options})"
    lines = ["def build_model():", f"    return {loaded}"]
    if target.generative:
        lines[1:] = [f"    model = {loaded}"]
        lines += ["    model.config.pad_token_id = model.config.eos_token_id", "    return model"]
    reader, statements = {
        "text": ("AutoTokenizer", _text(target.generative)),
        "images": ("AutoImageProcessor", _IMAGES),
        "audio": ("AutoFeatureExtractor", _AUDIO),
        "clips": ("", _CLIPS),
    }[target.data]
    loader = [
        "def build_loader(model):",
        *statements,
        "",
        f"    return DataLoader(data, batch_size={_BATCH}, shuffle=True, collate_fn=collate)",
    ]
    imported = ", ".join(filter(None, (automatic, reader)))
    imports = [f"from transformers import {imported}"]
    if target.data == "images":
        imports.append("from torchvision.datasets import ImageFolder")
    return Parts(tuple(imports), (f'NAME = "{target.name}"',), ("\n".join(lines), "\n".join(loader)))


_COLLATE = ("", "    def collate(samples):", "        inputs, labels = zip(*samples)")


def _text(generative: bool) -> list[str]:
    padding = ["    tokenizer.pad_token = tokenizer.eos_token"] if generative else []
    return [
        "    tokenizer = AutoTokenizer.from_pretrained(NAME)",
        *padding,
        '    data = [("a first text", 0), ("and another one", 1)]  # your texts, your labels',
        *_COLLATE,
        '        told = tokenizer(list(inputs), truncation=True, padding=True, return_tensors="pt")',
        "        return told, torch.tensor(labels)",
    ]


_IMAGES = [
    "    processor = AutoImageProcessor.from_pretrained(NAME)",
    '    data = ImageFolder("data/train")  # a folder of pictures for each class',
    *_COLLATE,
    '        pictures = [picture.convert("RGB") for picture in inputs]',
    '        return processor(pictures, return_tensors="pt"), torch.tensor(labels)',
]
_AUDIO = [
    "    extractor = AutoFeatureExtractor.from_pretrained(NAME)",
    "    # Your sound, in pieces of one length, and your labels.",
    f"    data = [(torch.randn(16000), k % CLASSES) for k in range({_BATCH})]",
    *_COLLATE,
    "        sounds = [sound.numpy() for sound in inputs]",
    '        told = extractor(sounds, sampling_rate=16000, return_tensors="pt")',
    "        return told, torch.tensor(labels)",
]
_CLIPS = [
    "    frames, size = model.config.num_frames, model.config.image_size",
    "    # Your clips, normalised as the model expects, and your labels.",
    f"    data = [(torch.rand(frames, 3, size, size), k % CLASSES) for k in range({_BATCH})]",
    *_COLLATE,
    '        return {"pixel_values": torch.stack(inputs)}, torch.tensor(labels)',
]

"""Packages that are installed libraries, as opposed to code of the project that was not found."""

from __future__ import annotations

import sys

# Installed packages whose functions leave the flags and modes of a model alone unless the vocabulary says
# otherwise.
INSTALLED = frozenset(sys.stdlib_module_names) | {"torch", "torchvision", "torchaudio", "torchtext",
    "transformers", "timm", "numpy", "scipy", "pandas", "sklearn", "matplotlib", "seaborn", "PIL",
    "cv2", "tqdm", "wandb", "mlflow", "tensorboard", "tensorboardX", "torchsummary", "torchinfo",
    "thop", "fvcore", "ptflops", "datasets", "evaluate", "tokenizers", "sentencepiece", "yaml",
    "omegaconf", "hydra", "rich", "click", "fire", "absl", "termcolor", "einops", "albumentations",
    "skimage", "imageio", "h5py", "lightning", "pytorch_lightning", "lightning_fabric",
    "accelerate", "torchmetrics", "ray", "optuna", "joblib", "gym", "gymnasium", "nltk", "spacy",
    "requests", "psutil", "pycocotools", "kornia", "safetensors", "torch_geometric", "IPython",
    "google", "visdom", "comet_ml", "neptune", "clearml", "onnx", "onnxruntime", "tabulate",
    "regex", "jsonlines", "simplejson", "ujson", "lmdb", "webdataset", "torchdata",
    "huggingface_hub", "fastai", "torch_optimizer"}  # fmt: skip


def is_installed(name: str) -> bool:
    """Whether a dotted name belongs to a library of this list. What does not may be anything: a class, a
    function, or a setting of the project.
    """
    return name.partition(".")[0] in INSTALLED

"""What the server of warm runs imports once: the parts of the libraries that load lazily."""

import torch

# One thread: a fork must not inherit a thread pool, and the machine has other tests to run.
torch.set_num_threads(1)

import lightning  # noqa: E402, F401
import torchvision.models  # noqa: E402, F401
from torch.utils import checkpoint  # noqa: E402, F401
from transformers import (  # noqa: E402, F401
    AutoModelForSequenceClassification,
    BertForSequenceClassification,
    DistilBertForSequenceClassification,
    GPT2LMHeadModel,
    Trainer,
    ViTForImageClassification,
)

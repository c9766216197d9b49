"""Recurrent and attention layers of torch.nn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.copying import deep_copy
from freezelint.source.interpreter.values import Call, Module, Value
from freezelint.source.semantics.building import (
    MOST_LAYERS,
    REQUIRED,
    arguments,
    is_set,
    layer,
    parameter,
    product,
    size,
)
from freezelint.source.vocabulary import builds

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1, "LSTMCell": 4, "GRUCell": 3, "RNNCell": 1}


@builds("torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNN")
def recurrent(machine: Machine, module: Module, call: Call) -> None:
    """Weights for each layer and direction."""
    name = call.name.rpartition(".")[2]
    rest: dict[str, Value] = {
        "bias": True,
        "batch_first": False,
        "dropout": 0.0,
        "bidirectional": False,
        "proj_size": 0,
    }
    if name == "RNN":
        rest = {"nonlinearity": "tanh", **rest}
    given = arguments(call, input_size=REQUIRED, hidden_size=REQUIRED, num_layers=1, **rest)
    module.attributes.update(given)
    count = size(given["num_layers"])
    if count is None:
        count, module.open = 1, True
    directions = ("", "_reverse") if is_set(machine, given["bidirectional"], False) else ("",)
    hidden, projected = size(given["hidden_size"]), size(given["proj_size"])
    gates, out = product(_GATES[name], hidden), projected or hidden
    biased = is_set(machine, given["bias"], True)
    for number in range(min(count, MOST_LAYERS)):
        inputs = size(given["input_size"]) if number == 0 else product(out, len(directions))
        for direction in directions:
            end = f"l{number}{direction}"
            parameter(machine, module, f"weight_ih_{end}", gates, inputs)
            parameter(machine, module, f"weight_hh_{end}", gates, out)
            if biased:
                parameter(machine, module, f"bias_ih_{end}", gates)
                parameter(machine, module, f"bias_hh_{end}", gates)
            if projected:
                parameter(machine, module, f"weight_hr_{end}", projected, hidden)


@builds("torch.nn.LSTMCell", "torch.nn.GRUCell", "torch.nn.RNNCell")
def cell(machine: Machine, module: Module, call: Call) -> None:
    """The weights of one step."""
    given = arguments(call, input_size=REQUIRED, hidden_size=REQUIRED, bias=True)
    module.attributes.update(given)
    hidden = size(given["hidden_size"])
    gates = product(_GATES[call.name.rpartition(".")[2]], hidden)
    parameter(machine, module, "weight_ih", gates, size(given["input_size"]))
    parameter(machine, module, "weight_hh", gates, hidden)
    if is_set(machine, given["bias"], True):
        parameter(machine, module, "bias_ih", gates)
        parameter(machine, module, "bias_hh", gates)


@builds("torch.nn.MultiheadAttention")
def attention(machine: Machine, module: Module, call: Call) -> None:
    """Projections of queries, keys and values in one matrix, where their sizes agree."""
    given = arguments(
        call,
        embed_dim=REQUIRED,
        num_heads=REQUIRED,
        dropout=0.0,
        bias=True,
        add_bias_kv=False,
        add_zero_attn=False,
        kdim=None,
        vdim=None,
    )
    module.attributes.update({name: given[name] for name in ("embed_dim", "num_heads", "dropout")})
    width = size(given["embed_dim"])
    keys, values = (given[name] is not None for name in ("kdim", "vdim"))
    separate = (keys and size(given["kdim"]) != width) or (values and size(given["vdim"]) != width)
    if separate:
        parameter(machine, module, "q_proj_weight", width, width)
        parameter(machine, module, "k_proj_weight", width, size(given["kdim"]) if keys else width)
        parameter(machine, module, "v_proj_weight", width, size(given["vdim"]) if values else width)
        module.parameters["in_proj_weight"] = None
    else:
        parameter(machine, module, "in_proj_weight", product(3, width), width)
        module.parameters.update(q_proj_weight=None, k_proj_weight=None, v_proj_weight=None)
    if is_set(machine, given["bias"], True):
        parameter(machine, module, "in_proj_bias", product(3, width))
    else:
        module.parameters["in_proj_bias"] = None
    module.children["out_proj"] = layer(
        machine,
        "torch.nn.NonDynamicallyQuantizableLinear",
        given["embed_dim"],
        given["embed_dim"],
        given["bias"],
    )
    if is_set(machine, given["add_bias_kv"], False):
        parameter(machine, module, "bias_k", 1, 1, width)
        parameter(machine, module, "bias_v", 1, 1, width)


_LAYER = {
    "d_model": REQUIRED,
    "nhead": REQUIRED,
    "dim_feedforward": 2048,
    "dropout": 0.1,
    "activation": None,
    "layer_norm_eps": 1e-5,
    "batch_first": False,
    "norm_first": False,
    "bias": True,
}


@builds("torch.nn.TransformerEncoderLayer", "torch.nn.TransformerDecoderLayer")
def transformer_layer(machine: Machine, module: Module, call: Call) -> None:
    """Attention, a feed-forward block, norms and dropouts."""
    given = arguments(call, **_LAYER)
    width, inner, rate, bias = given["d_model"], given["dim_feedforward"], given["dropout"], given["bias"]
    decodes = call.name.endswith("DecoderLayer")
    attentions = ("self_attn", "multihead_attn") if decodes else ("self_attn",)
    norms = [f"norm{number}" for number in range(1, len(attentions) + 2)]
    for name in attentions:
        module.children[name] = layer(
            machine, "torch.nn.MultiheadAttention", width, given["nhead"], dropout=rate, bias=bias
        )
    module.children["linear1"] = layer(machine, "torch.nn.Linear", width, inner, bias)
    module.children["dropout"] = layer(machine, "torch.nn.Dropout", rate)
    module.children["linear2"] = layer(machine, "torch.nn.Linear", inner, width, bias)
    for name in norms:
        module.children[name] = layer(machine, "torch.nn.LayerNorm", width, bias=bias)
    for number in range(1, len(norms) + 1):
        module.children[f"dropout{number}"] = layer(machine, "torch.nn.Dropout", rate)
    module.attributes["norm_first"] = given["norm_first"]
    module.calls = tuple(_order(attentions, norms, is_set(machine, given["norm_first"], False)))


def _order(attentions: tuple[str, ...], norms: list[str], norm_first: bool) -> list[str]:
    order: list[str] = []
    for block, norm in zip([*((name,) for name in attentions), ("linear1", "linear2")], norms, strict=True):
        order += [norm, *block] if norm_first else [*block, norm]
    return order


@builds("torch.nn.TransformerEncoder", "torch.nn.TransformerDecoder")
def transformer_stack(machine: Machine, module: Module, call: Call) -> None:
    """Deep copies of one layer, and perhaps a norm."""
    name = "encoder_layer" if call.name.endswith("Encoder") else "decoder_layer"
    given = arguments(call, **{name: REQUIRED, "num_layers": REQUIRED, "norm": None})
    module.attributes["num_layers"] = given["num_layers"]
    copies = layer(machine, "torch.nn.ModuleList")
    count = size(given["num_layers"])
    if count is None or not isinstance(given[name], Module):
        copies.open = True
    else:
        copies.children = {str(i): deep_copy(machine, given[name]) for i in range(min(count, MOST_LAYERS))}
    module.children["layers"] = copies
    module.children["norm"] = given["norm"] if isinstance(given["norm"], Module) else None


@builds("torch.nn.Transformer")
def transformer(machine: Machine, module: Module, call: Call) -> None:
    """Encoder and decoder."""
    given = arguments(
        call,
        d_model=512,
        nhead=8,
        num_encoder_layers=6,
        num_decoder_layers=6,
        dim_feedforward=2048,
        dropout=0.1,
        activation=None,
        custom_encoder=None,
        custom_decoder=None,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
    )
    module.attributes.update(d_model=given["d_model"], nhead=given["nhead"])
    inner = {
        name: given[name] for name in ("d_model", "nhead", "dim_feedforward", "dropout", "norm_first", "bias")
    }
    for part, title in (("encoder", "Encoder"), ("decoder", "Decoder")):
        custom = given[f"custom_{part}"]
        if custom is not None:
            module.open = module.open or not isinstance(custom, Module)
            module.children[part] = custom if isinstance(custom, Module) else None
            continue
        one = layer(machine, f"torch.nn.Transformer{title}Layer", **inner)
        norm = layer(machine, "torch.nn.LayerNorm", given["d_model"], bias=given["bias"])
        module.children[part] = layer(
            machine, f"torch.nn.Transformer{title}", one, given[f"num_{part}_layers"], norm
        )

"""The usual models of timm, by the name of the architecture; tags that change the tree are variants."""

from __future__ import annotations

import fnmatch
import warnings
from collections.abc import Iterator
from typing import Any

import timm
import torch
from torch import nn

from freezelint.live.architectures.building import Observations, Scaling, described, on_meta, run
from freezelint.live.architectures.describing import Table
from freezelint.live.architectures.stepping import total
from freezelint.live.architectures.storing import Library

_WANTED = """
resnet10t resnet14t resnet18 resnet18d resnet26 resnet26d resnet26t resnet34 resnet34d resnet50 resnet50d
resnet50t resnet50_gn resnet101 resnet101d resnet152 resnet152d resnet200d resnetrs50 resnetrs101
resnetaa50 resnetblur50 resnetv2_50 resnetv2_101 resnetv2_50x1_bit resnetv2_101x1_bit resnetv2_50x3_bit
resnext50_32x4d resnext50d_32x4d resnext101_32x4d resnext101_32x8d resnext101_64x4d
seresnet18 seresnet34 seresnet50 seresnet101 seresnet152d seresnext26t_32x4d seresnext50_32x4d
seresnext101_32x4d seresnext101_32x8d seresnext101d_32x8d legacy_seresnet50 legacy_seresnext50_32x4d
legacy_seresnext101_32x4d legacy_senet154 ecaresnet26t ecaresnet50d ecaresnet50t ecaresnet101d
ecaresnetlight skresnet18 skresnet34 skresnext50_32x4d wide_resnet50_2 wide_resnet101_2
res2net50_26w_4s res2net101_26w_4s res2next50 resnest14d resnest26d resnest50d resnest101e resnest200e
efficientnet_b[0-5] efficientnet_lite0 efficientnet_es efficientnet_em efficientnetv2_rw_t efficientnetv2_rw_s
efficientnetv2_rw_m efficientnetv2_s efficientnetv2_m efficientnetv2_l tf_efficientnet_b[0-8]
tf_efficientnet_l2 tf_efficientnet_lite[0-4] tf_efficientnet_e[sml] tf_efficientnetv2_b[0-3]
tf_efficientnetv2_s tf_efficientnetv2_m tf_efficientnetv2_l tf_efficientnetv2_xl
mobilenetv2_035 mobilenetv2_050 mobilenetv2_100 mobilenetv2_110d mobilenetv2_120d mobilenetv2_140
mobilenetv3_small_050 mobilenetv3_small_075 mobilenetv3_small_100 mobilenetv3_large_075 mobilenetv3_large_100
mobilenetv3_rw tf_mobilenetv3_small_100 tf_mobilenetv3_large_100 mobilenetv4_conv_small
mobilenetv4_conv_medium mobilenetv4_conv_large mobilenetv4_hybrid_medium mobilenetv4_hybrid_large
mobilenetv1_100 mobileone_s[0-4] mobilevit_xxs mobilevit_xs mobilevit_s mobilevitv2_050 mobilevitv2_100
mobilevitv2_200 mnasnet_small mnasnet_100 semnasnet_100 spnasnet_100 fbnetc_100 hardcorenas_a lcnet_050 lcnet_100
ghostnet_100 ghostnetv2_100 ghostnetv2_130 rexnet_100 rexnet_130 rexnet_150 rexnet_200
vit_tiny_patch16_224 vit_tiny_patch16_384 vit_small_patch16_224 vit_small_patch16_384 vit_small_patch32_224
vit_small_patch32_384 vit_small_patch8_224 vit_base_patch8_224 vit_base_patch16_224 vit_base_patch16_384
vit_base_patch32_224 vit_base_patch32_384 vit_large_patch14_224 vit_large_patch16_224 vit_large_patch16_384
vit_large_patch32_224 vit_large_patch32_384 vit_huge_patch14_224 vit_giant_patch14_224
vit_base_patch16_224_miil vit_base_patch16_clip_224 vit_base_patch16_clip_384 vit_base_patch32_clip_224
vit_large_patch14_clip_224 vit_large_patch14_clip_336 vit_huge_patch14_clip_224 vit_base_r50_s16_224
vit_base_r50_s16_384 vit_small_r26_s32_224 vit_relpos_small_patch16_224 vit_relpos_base_patch16_224
vit_small_patch14_dinov2 vit_base_patch14_dinov2 vit_large_patch14_dinov2 vit_giant_patch14_dinov2
vit_small_patch14_reg4_dinov2 vit_base_patch14_reg4_dinov2 vit_large_patch14_reg4_dinov2
vit_small_patch16_dinov3 vit_base_patch16_dinov3 vit_large_patch16_dinov3 vit_base_patch16_siglip_224
vit_so400m_patch14_siglip_224 vit_so400m_patch14_siglip_384 samvit_base_patch16
deit_tiny_patch16_224 deit_small_patch16_224 deit_base_patch16_224 deit_base_patch16_384
deit_tiny_distilled_patch16_224 deit_small_distilled_patch16_224 deit_base_distilled_patch16_224
deit_base_distilled_patch16_384 deit3_small_patch16_224 deit3_medium_patch16_224 deit3_base_patch16_224
deit3_base_patch16_384 deit3_large_patch16_224
swin_tiny_patch4_window7_224 swin_small_patch4_window7_224 swin_base_patch4_window7_224
swin_base_patch4_window12_384 swin_large_patch4_window7_224 swin_large_patch4_window12_384 swin_s3_tiny_224
swinv2_tiny_window8_256 swinv2_tiny_window16_256 swinv2_small_window8_256 swinv2_small_window16_256
swinv2_base_window8_256 swinv2_base_window16_256 swinv2_base_window12_192 swinv2_large_window12_192
swinv2_base_window12to16_192to256 swinv2_base_window12to24_192to384 swinv2_cr_tiny_ns_224
convnext_atto convnext_femto convnext_pico convnext_nano convnext_tiny convnext_tiny_hnf convnext_small
convnext_base convnext_large convnext_xlarge convnext_large_mlp convnext_xxlarge
convnextv2_atto convnextv2_femto convnextv2_pico convnextv2_nano convnextv2_tiny convnextv2_base
convnextv2_large convnextv2_huge
densenet121 densenet161 densenet169 densenet201 densenetblur121d
vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn repvgg_a2 repvgg_b0 repvgg_b1 repvgg_b3
inception_v3 inception_v4 inception_resnet_v2 inception_next_tiny xception xception41 xception65 xception71
legacy_xception nasnetalarge pnasnet5large
regnetx_00[248] regnetx_016 regnetx_032 regnetx_064 regnety_00[248] regnety_016 regnety_032 regnety_040 regnety_064
regnety_080 regnety_120 regnety_160 regnety_320 regnetz_c16 regnetz_d8
beit_base_patch16_224 beit_base_patch16_384 beit_large_patch16_224 beitv2_base_patch16_224 beitv2_large_patch16_224
eva_giant_patch14_224 eva02_tiny_patch14_224 eva02_tiny_patch14_336 eva02_small_patch14_224
eva02_small_patch14_336 eva02_base_patch14_224 eva02_base_patch14_448 eva02_large_patch14_224
eva02_large_patch14_448 eva02_base_patch16_clip_224 eva02_large_patch14_clip_224
maxvit_tiny_tf_224 maxvit_tiny_tf_384 maxvit_tiny_tf_512 maxvit_small_tf_224 maxvit_base_tf_224 maxvit_large_tf_224
maxvit_nano_rw_256 maxvit_tiny_rw_224 coatnet_0_rw_224 coatnet_1_rw_224 coatnet_2_rw_224 coatnet_nano_rw_224
coat_tiny coat_mini coat_lite_tiny coat_lite_small
mixer_b16_224 mixer_l16_224 gmlp_s16_224 resmlp_12_224 resmlp_24_224 gmixer_24_224
cait_xxs24_224 cait_xxs36_224 cait_xs24_384 cait_s24_224 cait_s24_384 cait_m36_384
pit_ti_224 pit_xs_224 pit_s_224 pit_b_224 pit_s_distilled_224 poolformer_s12 poolformer_s24 poolformer_s36
poolformer_m36 poolformer_m48 poolformerv2_s12 caformer_s18 caformer_b36 convformer_s18
hrnet_w18 hrnet_w18_small hrnet_w18_small_v2 hrnet_w30 hrnet_w32 hrnet_w40 hrnet_w48
dpn68 dpn68b dpn92 dpn98 dpn131 dm_nfnet_f0 dm_nfnet_f1 nfnet_l0 eca_nfnet_l0 eca_nfnet_l1 eca_nfnet_l2 nf_resnet50
dla34 dla60 dla60x dla102 dla169 dla60_res2net levit_128s levit_128 levit_192 levit_256 levit_384
edgenext_xx_small edgenext_x_small edgenext_small edgenext_base efficientformer_l1 efficientformer_l3
efficientformer_l7 efficientformerv2_s0 efficientformerv2_s1 efficientformerv2_s2 efficientvit_b0 efficientvit_b1
efficientvit_b2 efficientvit_m0 efficientvit_m4 fastvit_t8 fastvit_t12 fastvit_sa12 fastvit_s12
tiny_vit_5m_224 tiny_vit_11m_224 tiny_vit_21m_224 twins_pcpvt_small twins_pcpvt_base twins_svt_small
twins_svt_base pvt_v2_b[0-5] crossvit_9_240 crossvit_15_240 crossvit_18_240 convit_tiny convit_small convit_base
convmixer_768_32 visformer_small visformer_tiny volo_d1_224 volo_d2_224 xcit_tiny_12_p16_224 xcit_small_12_p16_224
xcit_nano_12_p16_224 tnt_s_patch16_224 tresnet_m tresnet_l cspresnet50 cspresnext50 cspdarknet53 darknet53
selecsls42b selecsls60 focalnet_tiny_srf focalnet_small_srf focalnet_base_srf davit_tiny davit_small davit_base
gcvit_tiny gcvit_small mvitv2_tiny mvitv2_small mvitv2_base nest_tiny nest_small hgnet_small hgnetv2_b0 hgnetv2_b4
hiera_tiny_224 hiera_base_224 repvit_m1 repvit_m1_1 sequencer2d_s starnet_s1 gernet_s gernet_m gernet_l bat_resnext26ts
halonet50ts lambda_resnet50ts botnet26t_256 aimv2_large_patch14_224 naflexvit_base_patch16_gap
"""
_BATCH = 2
_WITH_HEAD = 1000  # classes of the variant with a head, for names whose own weights come without one


def build() -> tuple[Library, dict[str, Any]]:
    """The usual architectures of timm; the directory tells which tags lead to another variant."""
    library = Library("timm")
    tags: dict[str, dict[str, str]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _chosen():
            table = Table(library.classes)
            records, leading = _Name(name, table).records()
            library.add(name, table.texts, records)
            if leading:
                tags[name] = leading
    return library, {"tags": tags}


def _chosen() -> list[str]:
    known = timm.list_models()
    return sorted({name for pattern in _WANTED.split() for name in fnmatch.filter(known, pattern)})


class _Name:
    """One of timm's names."""

    def __init__(self, name: str, table: Table) -> None:
        self._name = name
        self._table = table
        self._observations = Observations()

    def records(self) -> tuple[dict[str, Any], dict[str, str]]:
        """By the number of classes: as published (""), none ("0"), some ("n") where it was published with
        none. Tags of another size or number of classes have variants of their own.
        """
        name = self._name
        model = on_meta(lambda: timm.create_model(name))
        found = {"": self._record(name, model)}
        if model.num_classes:
            found["0"] = self._record(name, on_meta(lambda: timm.create_model(name, num_classes=0)))
        else:
            with_head = on_meta(lambda: timm.create_model(name, num_classes=_WITH_HEAD))
            found["n"] = self._record(name, with_head)
        leading: dict[str, str] = {}
        published = _shown(model.pretrained_cfg)
        for tag in _tags(name):
            shown = _shown(timm.get_pretrained_cfg(f"{name}.{tag}").to_dict())
            if shown != published:
                key = leading[tag] = "x".join(map(str, shown))
                if key not in found:
                    full = f"{name}.{tag}"
                    found[key] = self._record(full, on_meta(lambda full=full: timm.create_model(full)))
        return found, leading

    def _record(self, name: str, model: nn.Module) -> dict[str, Any]:
        classes: int = model.num_classes  # type: ignore[assignment]
        scales: Scaling = []
        if classes:
            scales = self._observations.scales(
                model, classes, lambda count: timm.create_model(name, num_classes=count)
            )
        size = model.pretrained_cfg.get("input_size", (3, 224, 224))
        ran = self._observations.ran(
            model, lambda: run(model, lambda m: total(m(torch.empty(_BATCH, *size, device="meta"))))
        )
        return described(self._table, model, ran, classes or None, scales)


def _shown(cfg: dict[str, Any]) -> tuple[int, ...]:
    """What of a configuration decides about the tree."""
    side = cfg["input_size"][-1] if cfg.get("fixed_input_size") else 0
    return (cfg.get("num_classes", 1000), side)


def _tags(name: str) -> Iterator[str]:
    for full in timm.list_pretrained(f"{name}.*"):
        architecture, _, tag = full.partition(".")
        if architecture == name and tag:
            yield tag

"""SAM and SAM 2.1 of a few thousand parameters, saved as checkpoints like the published ones."""

from __future__ import annotations

from pathlib import Path

SIDE = 64


def sam(folder: Path, *, seed: int = 0) -> Path:
    """Saves a tiny SAM: a square of 64 pixels, logits of 16."""
    import torch
    from transformers import SamConfig, SamModel

    config = SamConfig(
        vision_config={
            "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": SIDE, "patch_size": 16,
            "window_size": 2, "global_attn_indexes": [1], "output_channels": 16, "mlp_dim": 32, "num_pos_feats": 8,
            "initializer_range": 0.02,
        },
        prompt_encoder_config={
            "hidden_size": 16, "image_size": SIDE, "patch_size": 16, "image_embedding_size": SIDE // 16,
            "mask_input_channels": 8,
        },
        mask_decoder_config={
            "hidden_size": 16, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16,
        },
    )  # fmt: skip
    torch.manual_seed(seed)
    SamModel(config).save_pretrained(folder)
    return folder


def sam2(folder: Path, *, seed: int = 0) -> Path:
    """Saves a tiny SAM 2.1: a square of 64 pixels, logits of 16."""
    import torch
    from transformers import Sam2Config, Sam2Model

    config = Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model", "hidden_size": 8, "num_attention_heads": 1,
                "image_size": [SIDE, SIDE], "blocks_per_stage": [1, 2, 2, 1], "embed_dim_per_stage": [8, 16, 32, 64],
                "num_attention_heads_per_stage": [1, 1, 2, 2], "window_size_per_stage": [4, 4, 4, 2],
                "global_attention_blocks": [4], "window_positional_embedding_background_size": [4, 4],
            },
            "backbone_channel_list": [64, 32, 16, 8], "fpn_hidden_size": 16,
            "backbone_feature_sizes": [[SIDE // 4, SIDE // 4], [SIDE // 8, SIDE // 8], [SIDE // 16, SIDE // 16]],
        },
        prompt_encoder_config={
            "hidden_size": 16, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 8,
        },
        mask_decoder_config={
            "hidden_size": 16, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16,
        },
    )  # fmt: skip
    torch.manual_seed(seed)
    Sam2Model(config).save_pretrained(folder)
    return folder

"""Vision-language and diffusion models of a few thousand parameters, saved as checkpoints like the real ones'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>",
)  # fmt: skip


def tokenizer() -> Any:
    """Bytes as tokens, and the marks of the Qwen family."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(letters)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    out = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    out.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    return out


def _text(n_layers: int) -> dict[str, Any]:
    return {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": n_layers, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 300, "max_position_embeddings": 4096, "tie_word_embeddings": False,
    }  # fmt: skip


def qwen25(folder: Path, *, n_layers: int = 4, seed: int = 0, is_brief: bool = False) -> Path:
    """Saves a tiny Qwen2.5-VL with tokenizer and image processor; a brief one ends at every other token."""
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    tok = tokenizer()
    config = Qwen2_5_VLConfig(
        text_config={**_text(n_layers), "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]}},
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32,
            "fullatt_block_indexes": [1], "window_size": 112, "patch_size": 14, "spatial_merge_size": 2,
        },
        **_ids(tok),
    )  # fmt: skip
    torch.manual_seed(seed)
    return _save(Qwen2_5_VLForConditionalGeneration(config), tok, folder, patch=14, is_brief=is_brief)


def qwen3(folder: Path, *, n_layers: int = 4, seed: int = 0) -> Path:
    """Saves a tiny Qwen3-VL with tokenizer and image processor."""
    import torch
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    tok = tokenizer()
    config = Qwen3VLConfig(
        text_config={
            **_text(n_layers), "head_dim": 8, "rope_scaling": {"rope_type": "default", "mrope_section": [2, 1, 1]},
        },
        vision_config={
            "depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32,
            "patch_size": 16, "spatial_merge_size": 2, "deepstack_visual_indexes": [0, 1],
            "num_position_embeddings": 256,
        },
        **_ids(tok),
    )  # fmt: skip
    torch.manual_seed(seed)
    return _save(Qwen3VLForConditionalGeneration(config), tok, folder, patch=16)


def _ids(tok: Any) -> dict[str, int]:
    names = {
        "image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>",
    }  # fmt: skip
    return {key: tok.convert_tokens_to_ids(name) for key, name in names.items()}


def _save(model: Any, tok: Any, folder: Path, *, patch: int, is_brief: bool = False) -> Path:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    end = tok.convert_tokens_to_ids("<|im_end|>")
    model.generation_config.eos_token_id = [end, *range(0, 256, 2)] if is_brief else end
    model.save_pretrained(folder)
    tok.save_pretrained(folder)
    unit = patch * 2
    processor = Qwen2VLImageProcessorPil(
        size={"shortest_edge": 4 * unit * unit, "longest_edge": 100 * unit * unit}, patch_size=patch
    )
    processor.save_pretrained(folder)
    return folder


def stable_diffusion(folder: Path, *, side: int = 16, seed: int = 0) -> Path:
    """Saves a tiny Stable Diffusion: U-Net with maps at ``side``, half and a quarter of it, VAE, CLIP text encoder."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(seed)
    UNet2DConditionModel(
        sample_size=side, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(8, 16, 16),
        down_block_types=("CrossAttnDownBlock2D",) * 3, up_block_types=("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=16, attention_head_dim=4, norm_num_groups=4,
    ).save_pretrained(folder / "unet")  # fmt: skip
    AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, norm_num_groups=4, sample_size=side * 2,
        scaling_factor=0.18215,
    ).save_pretrained(folder / "vae")  # fmt: skip
    tok = tokenizer()
    tok.model_max_length = 24
    tok.save_pretrained(folder / "tokenizer")
    CLIPTextModel(
        CLIPTextConfig(
            vocab_size=300, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=24, bos_token_id=0, eos_token_id=tok.eos_token_id, pad_token_id=tok.pad_token_id,
        )
    ).save_pretrained(folder / "text_encoder")  # fmt: skip
    return folder


def sam(folder: Path, *, seed: int = 0) -> Path:
    """Saves a tiny SAM, whose encoder has a grid of 8 x 8 cells."""
    import torch
    from transformers import SamConfig, SamModel

    torch.manual_seed(seed)
    vision = {
        "hidden_size": 16, "output_channels": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64,
        "patch_size": 8, "mlp_dim": 32, "window_size": 4, "global_attn_indexes": [1], "num_pos_feats": 4,
    }  # fmt: skip
    prompt = {"hidden_size": 8, "image_size": 64, "patch_size": 8, "image_embedding_size": 8, "mask_input_channels": 4}
    mask = {"hidden_size": 8, "mlp_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "iou_head_hidden_dim": 8}
    config = SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=mask)
    SamModel(config).save_pretrained(folder)
    return folder

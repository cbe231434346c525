"""Small models of transformers: a class's name, and what its configuration is made with."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"

TEXT = dict(num_hidden_layers=2, hidden_size=64, intermediate_size=96, num_attention_heads=4, vocab_size=301, max_position_embeddings=64)
GROUPED = dict(TEXT, num_key_value_heads=2)
IMAGE = dict(num_hidden_layers=2, hidden_size=64, intermediate_size=96, num_attention_heads=4, image_size=32, patch_size=8)
SPACE = dict(num_hidden_layers=2, hidden_size=64, vocab_size=301, state_size=8)
BOTH = dict(
    d_model=64,
    encoder_layers=2,
    decoder_layers=2,
    encoder_ffn_dim=96,
    decoder_ffn_dim=96,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    vocab_size=301,
)

MODELS = {
    "LlamaForCausalLM": GROUPED,
    "GPT2LMHeadModel": dict(n_layer=2, n_embd=64, n_head=4, vocab_size=301, n_positions=64),
    "BertForMaskedLM": TEXT,
    "RobertaForMaskedLM": TEXT,
    "T5ForConditionalGeneration": dict(d_model=64, d_kv=16, d_ff=96, num_layers=2, num_heads=4, vocab_size=301),
    "BartForConditionalGeneration": dict(BOTH, max_position_embeddings=64),
    "ViTForImageClassification": IMAGE,
    "BeitForImageClassification": IMAGE,
    "Dinov2Model": IMAGE,
    "SwinForImageClassification": dict(image_size=32, patch_size=2, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4),
    "ConvNextForImageClassification": dict(hidden_sizes=[16, 32], depths=[1, 2], num_stages=2),
    "ResNetForImageClassification": dict(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1]),
    "MambaForCausalLM": SPACE,
    "Mamba2ForCausalLM": dict(SPACE, num_heads=8, head_dim=16, n_groups=2),
    "FalconMambaForCausalLM": SPACE,
    "Qwen3MoeForCausalLM": dict(GROUPED, num_experts=4, moe_intermediate_size=32, num_experts_per_tok=2, head_dim=16),
    "MixtralForCausalLM": dict(GROUPED, num_local_experts=4),
    "DeepseekV3ForCausalLM": dict(
        TEXT,
        moe_intermediate_size=32,
        num_key_value_heads=4,
        n_routed_experts=8,
        n_group=2,
        topk_group=1,
        num_experts_per_tok=2,
        first_k_dense_replace=1,
        kv_lora_rank=16,
        q_lora_rank=32,
    ),
    "Gemma3ForCausalLM": dict(GROUPED, head_dim=16),
    "PhiForCausalLM": TEXT,
    "OPTForCausalLM": dict(
        hidden_size=64,
        num_hidden_layers=2,
        ffn_dim=96,
        num_attention_heads=4,
        vocab_size=301,
        max_position_embeddings=64,
        word_embed_proj_dim=64,
    ),
    "Wav2Vec2Model": dict(
        hidden_size=64,
        num_hidden_layers=2,
        intermediate_size=96,
        num_attention_heads=4,
        conv_dim=[16, 16],
        conv_kernel=[3, 3],
        conv_stride=[2, 2],
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
    ),
    "WhisperForConditionalGeneration": dict(
        BOTH,
        max_source_positions=32,
        max_target_positions=32,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    ),
    "ElectraForMaskedLM": dict(TEXT, embedding_size=32),
    "DistilBertForMaskedLM": dict(n_layers=2, dim=64, hidden_dim=96, n_heads=4, vocab_size=301),
    "Blip2QFormerModel": dict(num_hidden_layers=2, hidden_size=64, intermediate_size=96, num_attention_heads=4, encoder_hidden_size=64),
    "CLIPModel": dict(text_config=dict(TEXT, num_hidden_layers=1), vision_config=dict(IMAGE, num_hidden_layers=1)),
    "RwkvForCausalLM": dict(hidden_size=64, num_hidden_layers=2, vocab_size=301, attention_hidden_size=64),
    "RecurrentGemmaForCausalLM": dict(GROUPED, num_hidden_layers=3, lru_width=64),
    "RoFormerForMaskedLM": dict(TEXT, embedding_size=64),
    "XLNetLMHeadModel": dict(d_model=64, n_layer=2, n_head=4, d_inner=96, vocab_size=301),
    "DebertaV2ForMaskedLM": TEXT,
    "Data2VecVisionModel": IMAGE,
}


def build(name: str):
    """What builds a model of this name."""
    import copy

    import transformers

    transformers.logging.set_verbosity_error()
    cls = getattr(transformers, name)
    return lambda: cls._from_config(cls.config_class(**copy.deepcopy(MODELS[name])))

#!/usr/bin/env python3
"""Holds the architectures against the models that the installed transformers makes: names, shapes, dtypes, ties, means and deviations.

    cargo build --release --workspace
    pip install torch transformers                      # written for transformers 5.24 and PyTorch 2.15
    python3 data/architectures/compare.py                    # all classes
    python3 data/architectures/compare.py 'Qwen3*' GPT2Model # those of these names
    python3 data/architectures/compare.py --counts > tests/golden/families.json
    python3 data/architectures/compare.py GPT2Model '{"n_embd": 96, "n_head": 3, "n_layer": 2, "n_positions": 64, "vocab_size": 300}'

Of each class at least 40 configurations are tried: the cases below, and pairs of them, by a fixed seed. The plan must have the tensors that
save_pretrained writes. Each tensor's mean and standard deviation must be within 6 standard errors of the plan's, its zero rows the plan's;
sines and logarithms by value. What transformers refuses must be refused. Of each class one line tells how many were tried, right, refused
alike and wrong; what is wrong stands before it. RESULTS.md has what was found.
"""

import itertools
import json
import logging
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile
from fnmatch import fnmatch

import torch
import transformers
from safetensors.torch import load_file

FANIN = os.environ.get("FANIN", "target/release/fanin")
# One of your own instead of fanin's: ARCHITECTURE=FILE.toml.
ARCHITECTURE = ["--architecture", os.environ["ARCHITECTURE"]] if "ARCHITECTURE" in os.environ else []
DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}

BERT = {"vocab_size": 301, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 160,
        "max_position_embeddings": 80}
DISTILBERT = {"vocab_size": 301, "dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 160, "max_position_embeddings": 70}
T5 = {"vocab_size": 301, "d_model": 64, "d_kv": 16, "d_ff": 160, "num_layers": 2, "num_heads": 4}
VIT = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 160, "image_size": 32, "patch_size": 8}
SWIN = {"embed_dim": 16, "depths": [1, 2], "num_heads": [2, 4], "window_size": 4, "image_size": 32, "patch_size": 4}
CONVNEXT = {"hidden_sizes": [16, 24, 32, 48], "depths": [1, 2, 1, 1], "num_stages": 4}
RESNET = {"embedding_size": 16, "hidden_sizes": [32, 48, 64, 80], "depths": [1, 2, 1, 1]}
FALCON = {"vocab_size": 301, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
GPTJ = {"vocab_size": 301, "n_positions": 64, "n_embd": 64, "n_layer": 2, "n_head": 4, "rotary_dim": 8}
GPTNEO = {"vocab_size": 301, "max_position_embeddings": 64, "hidden_size": 64, "num_layers": 2, "num_heads": 4,
          "attention_types": [[["global", "local"], 1]]}
BLOOM = {"vocab_size": 301, "hidden_size": 64, "n_layer": 2, "n_head": 4}
GPT2 = {"vocab_size": 301, "n_positions": 64, "n_embd": 64, "n_layer": 2, "n_head": 4}
NEOX = {"vocab_size": 301, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4}
OPT = {"vocab_size": 301, "hidden_size": 64, "ffn_dim": 160, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64}
MAMBA = {"vocab_size": 301, "hidden_size": 64, "num_hidden_layers": 2}
MAMBA2 = {"vocab_size": 301, "hidden_size": 64, "num_hidden_layers": 2, "num_heads": 8, "head_dim": 16, "state_size": 12, "n_groups": 2}
XLNET = {"vocab_size": 301, "d_model": 64, "n_layer": 2, "n_head": 4, "d_inner": 112}
WAV2VEC2 = {"vocab_size": 31, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 112, "conv_dim": [16, 24, 40],
            "conv_kernel": [5, 3, 2], "conv_stride": [3, 2, 2], "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
            "num_codevectors_per_group": 10, "codevector_dim": 32, "proj_codevector_dim": 20, "classifier_proj_size": 24,
            "tdnn_dim": [20, 24, 28, 32, 36], "xvector_output_dim": 16}
DECODER = {"vocab_size": 301, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4,
           "num_key_value_heads": 2}
# What transformers 5 writes without, and takes with or without; transformers 4.57 and published files have it.
PREFIXES = {"CLIPTextModel": "text_model.", "CLIPVisionModel": "vision_model.", "SiglipTextModel": "text_model.", "SiglipVisionModel": "vision_model."}
# Whose first tensors are f32 whatever the dtype, so that transformers writes a configuration that says so of all.
TWO_DTYPES = ["XLNet*"]
LAYERS = ["num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_decoder_layers", "encoder_layers", "decoder_layers", "depth"]
LABELS = {str(i): f"L{i}" for i in range(7)}

ENCODER = [
    {}, {"hidden_size": 96, "num_attention_heads": 3, "num_hidden_layers": 3, "type_vocab_size": 5}, {"num_hidden_layers": 0},
    {"id2label": LABELS}, {"num_labels": 1}, {"num_labels": 3, "id2label": LABELS}, {"tie_word_embeddings": False}, {"pad_token_id": None},
    {"pad_token_id": 7}, {"is_decoder": True}, {"chunk_size_feed_forward": 8},
    {"pad_token_id": -1}, {"initializer_range": 0.5}, {"initializer_range": 0.0}, {"is_decoder": True, "add_cross_attention": True},
    {"dtype": "bfloat16"}, {"vocab_size": 17, "max_position_embeddings": 9, "intermediate_size": 33},
    {"hidden_size": 65}, {"pad_token_id": 301}, {"add_cross_attention": True},
    {"max_position_embeddings": 9}, {"type_vocab_size": 1}, {"vocab_size": 17}, {"intermediate_size": 33}, {"num_attention_heads": 8},
    {"num_attention_heads": 1}, {"initializer_range": 1.5}, {"num_labels": 7}, {"num_hidden_layers": 1}, {"num_hidden_layers": 3},
    {"hidden_size": 8, "num_attention_heads": 2}, {"dtype": "float16"}, {"hidden_act": "relu"},
]
# Of every decoder.
GENERAL = [
    {}, {"tie_word_embeddings": False}, {"tie_word_embeddings": True}, {"initializer_range": 0.5}, {"initializer_range": 0.0},
    {"id2label": LABELS}, {"num_labels": 1}, {"vocab_size": 17}, {"dtype": "bfloat16"}, {"dtype": "float16"}, {"pad_token_id": None},
    {"num_labels": 7}, {"num_labels": 3, "id2label": LABELS}, {"pad_token_id": 7}, {"pad_token_id": -1}, {"pad_token_id": 301}, {"pad_token_id": 300}, {"is_decoder": True}, {"add_cross_attention": True},
    {"initializer_range": 1.0}, {"initializer_range": 1.5}, {"token_classification_bias": False}, {"token_classification_bias": None},
]
# And of those with grouped heads.
GROUPED = [
    *GENERAL, {"num_hidden_layers": 0}, {"num_hidden_layers": 3}, {"num_key_value_heads": 1}, {"num_key_value_heads": 4},
    {"num_key_value_heads": None}, {"head_dim": 24}, {"head_dim": None},
    {"attention_bias": True}, {"mlp_bias": True}, {"hidden_size": 66}, {"hidden_size": 66, "head_dim": 16}, {"intermediate_size": 33},
    {"num_attention_heads": 8}, {"hidden_act": "gelu"}, {"sliding_window": 16}, {"use_sliding_window": True, "max_window_layers": 1},
    {"hidden_size": 96, "num_attention_heads": 6, "num_key_value_heads": 3}, {"partial_rotary_factor": 0.5},
    {"attention_bias": True, "head_dim": 20, "num_key_value_heads": 1}, {"pretraining_tp": 2},
]
LEFT_OUT = {key: value for key, value in DECODER.items() if key != "num_key_value_heads"}
EXPERTS = [
    *GROUPED, {"num_local_experts": 3}, {"num_experts": 5}, {"num_local_experts": 1, "num_experts_per_tok": 1},
    {"num_local_experts": 4, "num_experts_per_tok": 4}, {"num_local_experts": 0}, {"intermediate_size": 40},
]
# Of queries, keys and values of low rank, and with experts but in the first layers.
LATENT = {**LEFT_OUT, "num_hidden_layers": 3, "moe_intermediate_size": 24, "n_routed_experts": 4, "n_shared_experts": 2, "num_experts_per_tok": 2,
          "first_k_dense_replace": 1, "q_lora_rank": 40, "kv_lora_rank": 20, "qk_rope_head_dim": 8, "qk_nope_head_dim": 14, "v_head_dim": 18}
MIXED = [
    {"num_hidden_layers": 0}, {"first_k_dense_replace": 0}, {"first_k_dense_replace": 3}, {"first_k_dense_replace": 7}, {"q_lora_rank": None},
    {"q_lora_rank": None, "attention_bias": True}, {"attention_bias": True}, {"n_shared_experts": 1}, {"n_routed_experts": 6},
    {"num_key_value_heads": 2}, {"v_head_dim": 30}, {"qk_rope_head_dim": 16}, {"kv_lora_rank": 33}, {"moe_intermediate_size": 33},
    {"intermediate_size": 33}, {"hidden_size": 66}, {"hidden_size": 96, "num_attention_heads": 6}, {"num_attention_heads": 8},
    {"hidden_act": "gelu"}, {"num_nextn_predict_layers": 1},
]
ROBERTA = ["ForCausalLM", "ForMaskedLM", "ForMultipleChoice", "ForQuestionAnswering", "ForSequenceClassification", "ForTokenClassification", "Model"]
DECODERS = ["ForCausalLM", "ForQuestionAnswering", "ForSequenceClassification", "ForTokenClassification", "Model"]

BART = {"vocab_size": 301, "d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 112, "decoder_ffn_dim": 104,
        "encoder_attention_heads": 4, "decoder_attention_heads": 4, "max_position_embeddings": 40}
# Of an encoder with a decoder.
BOTH = [
    {}, {"encoder_layers": 0}, {"decoder_layers": 0}, {"encoder_layers": 3}, {"decoder_layers": 3}, {"encoder_ffn_dim": 33}, {"decoder_ffn_dim": 33},
    {"d_model": 96, "encoder_attention_heads": 6, "decoder_attention_heads": 3}, {"d_model": 66}, {"encoder_attention_heads": 8},
    {"decoder_attention_heads": 8}, {"encoder_attention_heads": 3}, {"decoder_attention_heads": 3}, {"max_position_embeddings": 9}, {"init_std": 0.5},
    {"init_std": 0.0}, {"tie_word_embeddings": False}, {"pad_token_id": 7}, {"pad_token_id": None}, {"pad_token_id": -1}, {"pad_token_id": 301},
    {"scale_embedding": True}, {"id2label": LABELS}, {"num_labels": 1}, {"num_labels": 7}, {"dtype": "bfloat16"}, {"dtype": "float16"}, {"vocab_size": 17},
    {"activation_function": "relu"}, {"encoder_layers": 0, "decoder_layers": 0}, {"d_model": 8, "encoder_attention_heads": 2, "decoder_attention_heads": 2},
    {"encoder_layerdrop": 0.1}, {"dropout": 0.2}, {"init_std": 1.5}, {"num_labels": 3, "id2label": LABELS}, {"use_cache": False},
    {"encoder_attention_heads": 1}, {"decoder_attention_heads": 1}, {"encoder_layers": 1, "decoder_layers": 3}, {"d_model": 65},
]
TEXT = {"vocab_size": 301, "hidden_size": 64, "intermediate_size": 112, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 20}
IMAGES = {"hidden_size": 80, "intermediate_size": 120, "num_hidden_layers": 2, "num_attention_heads": 5, "image_size": 24, "patch_size": 8}
TOWER = [
    {}, {"num_hidden_layers": 0}, {"num_hidden_layers": 3}, {"num_attention_heads": 2}, {"num_attention_heads": 3}, {"hidden_size": 160},
    {"intermediate_size": 33}, {"initializer_range": 0.5}, {"initializer_range": 0.0}, {"initializer_factor": 0.5}, {"hidden_act": "gelu"},
    {"attention_dropout": 0.1}, {"layer_norm_eps": 1e-3}, {"num_attention_heads": 1}, {"hidden_size": 66}, {"num_hidden_layers": 1},
    {"initializer_factor": 0.0}, {"initializer_range": 1.5}, {"hidden_size": 40, "num_attention_heads": 4},
]
PATCHES = [
    {"image_size": 16}, {"image_size": 29}, {"patch_size": 4}, {"patch_size": 6}, {"num_channels": 1}, {"image_size": 8}, {"image_size": [24, 32]},
    {"patch_size": [8, 4]}, {"image_size": [24]}, {"patch_size": [8]}, {"image_size": None},
]

# Of a transformer of patches.
VISION = [
    {}, {"image_size": 37}, {"image_size": 35, "patch_size": 6, "num_channels": 1}, {"hidden_size": 65}, {"head_dim": 24}, {"initializer_range": 0.5},
    {"id2label": LABELS}, {"num_labels": 0}, {"num_hidden_layers": 0}, {"dtype": "bfloat16"}, {"image_size": [32, 64]},
    {"image_size": [48, 20], "patch_size": [8, 4]}, {"patch_size": [4, 8]}, {"image_size": [32]}, {"patch_size": [8]}, {"image_size": [32, 48, 64]},
    {"image_size": [0, 32]}, {"image_size": []}, {"image_size": [32, "48"]}, {"initializer_range": 1.5}, {"num_channels": 1}, {"patch_size": 4},
    {"num_attention_heads": 3}, {"num_attention_heads": 8}, {"num_hidden_layers": 3}, {"hidden_act": "relu"}, {"initializer_range": 0.0},
    {"image_size": 8}, {"image_size": 7}, {"image_size": None}, {"patch_size": None}, {"num_channels": None}, {"num_labels": 1}, {"dtype": "float16"},
    {"hidden_size": 96, "num_attention_heads": 6}, {"num_labels": 3, "id2label": LABELS},
]
# Of one in windows.
WINDOWS = [
    {}, {"depths": [1, 1, 1], "num_heads": [1, 2, 4]}, {"depths": [1]}, {"depths": [2, 0]}, {"depths": [0, 0]}, {"num_heads": [2]}, {"num_heads": [2, 4, 8]},
    {"window_size": 2}, {"window_size": 7}, {"window_size": 1}, {"mlp_ratio": 2.0}, {"mlp_ratio": 1.3}, {"qkv_bias": False},
    {"use_absolute_embeddings": True}, {"use_absolute_embeddings": True, "image_size": [32, 48]}, {"image_size": 37}, {"image_size": [32, 64]},
    {"image_size": [32]}, {"image_size": None}, {"image_size": 4}, {"patch_size": 3}, {"patch_size": [4, 2]}, {"patch_size": [4]}, {"num_channels": 1},
    {"encoder_stride": 8}, {"initializer_range": 0.5}, {"initializer_range": 0.0}, {"initializer_range": 1.5}, {"id2label": LABELS}, {"num_labels": 0},
    {"num_labels": 1}, {"num_labels": 3, "id2label": LABELS}, {"dtype": "bfloat16"}, {"dtype": "float16"}, {"embed_dim": 24}, {"embed_dim": 6},
    {"hidden_act": "relu"}, {"drop_path_rate": 0.3}, {"num_channels": None}, {"window_size": None}, {"mlp_ratio": None},
]

IMAGES4 = {**IMAGES, "image_size": 32}
LLAMA4 = {**DECODER, "intermediate_size": 28, "intermediate_size_mlp": 112, "head_dim": 16, "num_local_experts": 4}
EYES4 = {**IMAGES, "intermediate_size": 320, "image_size": 32, "vision_output_dim": 44, "projector_input_dim": 46, "projector_output_dim": 44}
EYES = [
    {}, {"num_hidden_layers": 0}, {"num_hidden_layers": 3}, {"num_attention_heads": 2}, {"intermediate_size": 33}, {"initializer_range": 0.5},
    {"initializer_range": 0.0}, {"image_size": 40}, {"patch_size": 4}, {"num_channels": 1}, {"vision_output_dim": 33}, {"hidden_size": 160},
    {"hidden_act": "relu"}, {"image_size": [32]}, {"patch_size": None},
]


def within(key, common, tried):
    """The same, of a configuration within another."""
    return [{key: {**common, **case}} for case in tried]


def of_both(name, ends):
    return [name + of for of in ends if hasattr(transformers, name + of)]


def heads(name):
    """The classes of a decoder's name."""
    return [name + of for of in DECODERS if hasattr(transformers, name + of)]


# Classes, what they have in common, and what is tried of each.
CASES = [
    (["BertForMaskedLM", "BertForMultipleChoice", "BertForNextSentencePrediction", "BertForPreTraining", "BertForQuestionAnswering",
      "BertForSequenceClassification", "BertForTokenClassification", "BertLMHeadModel", "BertModel"], BERT, ENCODER),
    ([prefix + name for prefix in ["Roberta", "XLMRoberta"] for name in ROBERTA], BERT, [*ENCODER, {"pad_token_id": 80}]),
    (["DistilBertForMaskedLM", "DistilBertForMultipleChoice", "DistilBertForQuestionAnswering", "DistilBertForSequenceClassification",
      "DistilBertForTokenClassification", "DistilBertModel"], DISTILBERT, [
        {}, {"dim": 96, "n_heads": 3, "n_layers": 3}, {"tie_word_embeddings": False}, {"pad_token_id": None}, {"pad_token_id": 5},
        {"pad_token_id": -2}, {"initializer_range": 0.5}, {"initializer_range": 0.0}, {"dtype": "float16"}, {"dim": 65}, {"n_layers": 0},
        {"activation": "relu"}, {"hidden_dim": 33}, {"n_layers": 1}, {"vocab_size": 17},
        {"max_position_embeddings": 9}, {"id2label": LABELS}, {"num_labels": 1}, {"num_labels": 3, "id2label": LABELS}, {"dtype": "bfloat16"},
        {"n_heads": 1}, {"n_heads": 8}, {"pad_token_id": 301}, {"dim": 8, "n_heads": 2}, {"initializer_range": 1.5}, {"sinusoidal_pos_embds": True},
    ]),
    (["GPT2DoubleHeadsModel", "GPT2ForQuestionAnswering", "GPT2ForSequenceClassification", "GPT2ForTokenClassification", "GPT2LMHeadModel",
      "GPT2Model"], GPT2, [
        *GENERAL, {"n_layer": 0}, {"n_layer": 3}, {"n_inner": 100}, {"n_inner": None}, {"n_embd": 65}, {"n_head": 3, "n_embd": 96},
        {"add_cross_attention": True, "n_inner": 70}, {"n_positions": 9}, {"scale_attn_by_inverse_layer_idx": True},
        {"reorder_and_upcast_attn": True}, {"n_inner": 0},
        {"summary_use_proj": False}, {"summary_proj_to_labels": False}, {"summary_type": "attn"}, {"summary_type": "first"},
    ]),
    (["GPTNeoXForCausalLM", "GPTNeoXForQuestionAnswering", "GPTNeoXForSequenceClassification", "GPTNeoXForTokenClassification", "GPTNeoXModel"], NEOX, [
        *GENERAL, {"num_hidden_layers": 0}, {"num_hidden_layers": 3}, {"attention_bias": False}, {"hidden_size": 65},
        {"hidden_size": 96, "num_attention_heads": 3}, {"intermediate_size": 33}, {"use_parallel_residual": False}, {"rotary_pct": 0.5},
        {"max_position_embeddings": 32},
    ]),
    (["OPTForCausalLM", "OPTForQuestionAnswering", "OPTForSequenceClassification", "OPTModel"], OPT, [
        *GENERAL, {"init_std": 0.5}, {"init_std": 0.0}, {"num_hidden_layers": 0}, {"num_hidden_layers": 3}, {"do_layer_norm_before": False},
        {"word_embed_proj_dim": 32}, {"word_embed_proj_dim": None}, {"word_embed_proj_dim": 32, "do_layer_norm_before": False},
        {"_remove_final_layer_norm": True}, {"enable_bias": False}, {"layer_norm_elementwise_affine": False}, {"hidden_size": 65},
        {"word_embed_proj_dim": 32, "tie_word_embeddings": False}, {"ffn_dim": 33}, {"hidden_size": 96, "num_attention_heads": 3},
        {"max_position_embeddings": 9},
    ]),
    *[(heads(name), {**DECODER, **more}, tried) for name, more, tried in [
        ("Llama", {}, GROUPED), ("Mistral", {}, GROUPED), ("Qwen2", {}, GROUPED), ("Qwen3", {}, GROUPED), ("Mixtral", {}, EXPERTS),
        ("Phi3", {"pad_token_id": 0}, GROUPED), ("Gemma", {}, GROUPED), ("Gemma2", {}, GROUPED),
        ("Qwen3Moe", {"num_experts": 4, "moe_intermediate_size": 24}, [
            *[{key.replace("local_experts", "experts"): value for key, value in case.items()} for case in EXPERTS], {"mlp_only_layers": [1]},
            {"mlp_only_layers": None}, {"decoder_sparse_step": 2}, {"decoder_sparse_step": 2, "mlp_only_layers": [1], "num_hidden_layers": 4},
            {"mlp_only_layers": [0, 1]}, {"decoder_sparse_step": 3, "num_hidden_layers": 4}, {"moe_intermediate_size": 33},
            {"mlp_only_layers": [7]}, {"decoder_sparse_step": 0}, {"num_experts": 0, "decoder_sparse_step": 0},
        ]),
    ]],
    (["Gemma3ForCausalLM", "Gemma3TextForSequenceClassification", "Gemma3TextModel"], DECODER,
     [*GROUPED, {"use_bidirectional_attention": True}, {"layer_types": ["full_attention"] * 2}]),
    (["LlamaModel", "MistralModel", "Qwen2Model", "Qwen3Model", "Qwen3MoeModel", "MixtralModel", "GemmaModel", "Gemma2Model", "Gemma3TextModel",
      "Phi3Model"], LEFT_OUT, [{"num_attention_heads": 32}, {"num_attention_heads": 32, "pad_token_id": 0}, {"num_key_value_heads": None}]),
    *[(heads(name), {**DECODER, **more}, [*GROUPED, *tried]) for name, more, tried in [
        ("Olmo", {"pad_token_id": 1}, []), ("Olmo2", {"pad_token_id": 1}, []), ("Olmo3", {"pad_token_id": 1}, []), ("Granite", {}, []),
        ("SmolLM3", {"pad_token_id": 1}, []), ("Cohere", {}, [{"use_qk_norm": True}, {"use_qk_norm": True, "head_dim": 24}]), ("Cohere2", {}, []),
        ("StableLm", {}, [{"use_qkv_bias": True}, {"qk_layernorm": True}, {"use_parallel_residual": True}, {"qk_layernorm": True, "head_dim": 24}]),
        ("Starcoder2", {}, [{"use_bias": False}, {"norm_epsilon": 1e-3}]), ("Glm", {"pad_token_id": 1, "head_dim": 16}, [{"attention_bias": False}]),
        ("Glm4", {"pad_token_id": 1, "head_dim": 16}, [{"attention_bias": False}]),
        ("SeedOss", {"pad_token_id": 1}, [{"attention_bias": False}, {"attention_out_bias": True}]),
        ("Phi", {}, [{"qk_layernorm": True}, {"qk_layernorm": True, "hidden_size": 96}]),
        ("GptOss", {"num_local_experts": 4}, [{"attention_bias": False}, {"num_local_experts": 3}, {"num_local_experts": 0}]),
    ]],
    (heads("Falcon"), FALCON, [
        *GENERAL, {"num_hidden_layers": 0}, {"num_hidden_layers": 3}, {"multi_query": False}, {"new_decoder_architecture": True},
        {"new_decoder_architecture": True, "num_kv_heads": 2}, {"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1},
        {"num_ln_in_parallel_attn": 2}, {"parallel_attn": False}, {"bias": True}, {"alibi": True}, {"ffn_hidden_size": 100},
        {"num_kv_heads": 2}, {"multi_query": False, "parallel_attn": False, "bias": True}, {"hidden_size": 66}, {"ffn_hidden_size": None},
        {"num_kv_heads": None, "new_decoder_architecture": True}, {"num_attention_heads": 8}, {"hidden_size": 96, "num_attention_heads": 6},
    ]),
    (heads("GPTJ"), GPTJ, [*GENERAL, {"n_layer": 0}, {"n_layer": 3}, {"n_inner": 100}, {"n_inner": None}, {"n_embd": 66}, {"n_head": 8},
                           {"n_embd": 96, "n_head": 6}, {"n_positions": 9}, {"rotary_dim": 4}, {"n_embd": 64, "n_inner": 33},
                           {"activation_function": "relu"}, {"vocab_size": 1}, {"n_head": 1}, {"n_embd": 8, "n_head": 1}, {"n_inner": 0},
                           {"n_layer": 1, "tie_word_embeddings": True}, {"use_cache": False}]),
    (heads("GPTNeo"), GPTNEO, [*GENERAL, {"num_layers": 4, "attention_types": [[["global", "local"], 2]]}, {"intermediate_size": 100},
                               {"intermediate_size": None}, {"hidden_size": 66}, {"num_heads": 8}, {"hidden_size": 96, "num_heads": 6},
                               {"max_position_embeddings": 9}, {"window_size": 8}, {"activation_function": "relu"}, {"num_heads": 1},
                               {"num_layers": 3, "attention_types": [[["global"], 3]]}, {"num_layers": 0, "attention_types": []},
                               {"intermediate_size": 33}, {"vocab_size": 1}, {"hidden_size": 8, "num_heads": 2},
                               {"num_layers": 1, "attention_types": [[["local"], 1]]}, {"use_cache": False}]),
    (heads("Bloom"), BLOOM, [*GENERAL, {"n_layer": 0}, {"n_layer": 3}, {"hidden_size": 66}, {"n_head": 8}, {"hidden_size": 96, "n_head": 6},
                             {"n_head": 1}, {"apply_residual_connection_post_layernorm": True}, {"slow_but_exact": True}, {"pretraining_tp": 2},
                             {"hidden_size": 8, "n_head": 2}, {"vocab_size": 1}, {"n_layer": 1}, {"hidden_dropout": 0.1}, {"use_cache": False},
                             {"attention_dropout": 0.1}, {"n_head": 2}, {"hidden_size": 60}]),
    (heads("Qwen2Moe"), {**DECODER, "num_experts": 4, "moe_intermediate_size": 24, "shared_expert_intermediate_size": 28}, [
        *[{key.replace("local_experts", "experts"): value for key, value in case.items()} for case in EXPERTS], {"mlp_only_layers": [1]},
        {"decoder_sparse_step": 2}, {"qkv_bias": False}, {"shared_expert_intermediate_size": 33}, {"moe_intermediate_size": 33},
    ]),
    (heads("Olmoe"), {**DECODER, "num_experts": 4, "num_experts_per_tok": 2, "pad_token_id": 1},
     [{key.replace("local_experts", "experts"): value for key, value in case.items()} for case in EXPERTS if case != {"num_local_experts": 0}]),
    (heads("Glm4Moe"), {**DECODER, "num_hidden_layers": 3, "head_dim": 16, "moe_intermediate_size": 24, "n_routed_experts": 4, "n_shared_experts": 2,
                        "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1}, [
        *GENERAL, {"num_hidden_layers": 0}, {"first_k_dense_replace": 0}, {"first_k_dense_replace": 3}, {"attention_bias": True}, {"use_qk_norm": True},
        {"n_shared_experts": 1}, {"n_routed_experts": 6}, {"moe_intermediate_size": 33}, {"intermediate_size": 33}, {"hidden_size": 66},
        {"num_attention_heads": 8}, {"num_key_value_heads": 4}, {"head_dim": 24}, {"head_dim": 24, "use_qk_norm": True}, {"hidden_act": "gelu"},
        {"num_hidden_layers": 1}, {"num_key_value_heads": 1}, {"num_key_value_heads": None},
    ]),
    (["Llama4ForCausalLM", "Llama4TextModel"], LLAMA4, [
        *GENERAL, {"num_hidden_layers": 0}, {"num_hidden_layers": 3}, {"moe_layers": [1]}, {"moe_layers": []}, {"moe_layers": [0, 1]},
        {"interleave_moe_layer_step": 2}, {"interleave_moe_layer_step": 3, "num_hidden_layers": 4}, {"attention_bias": True}, {"num_local_experts": 5},
        {"intermediate_size_mlp": 33}, {"intermediate_size": 33}, {"head_dim": 24}, {"num_key_value_heads": 4}, {"num_key_value_heads": 1},
        {"hidden_size": 66}, {"num_attention_heads": 8}, {"use_qk_norm": False}, {"hidden_act": "gelu"},
    ]),
    (["Llama4VisionModel"], EYES4, [*EYES, {"projector_input_dim": 33}, {"projector_output_dim": 33}]),
    (["Llama4ForConditionalGeneration"], {"text_config": LLAMA4, "vision_config": EYES4}, [
        *within("text_config", LLAMA4, [*GENERAL[:8], {"moe_layers": [1]}, {"interleave_moe_layer_step": 2}, {"head_dim": 24}, {"num_key_value_heads": 4}]),
        *within("vision_config", EYES4, EYES), {"tie_word_embeddings": True}, {"dtype": "bfloat16"},
    ]),
    (["Gemma3ForConditionalGeneration", "Gemma3ForSequenceClassification", "Gemma3Model"], {"mm_tokens_per_image": 4, "text_config": {**DECODER, "head_dim": 16}, "vision_config": IMAGES4}, [
        *within("text_config", {**DECODER, "head_dim": 16}, [{}, {"num_hidden_layers": 3}, {"num_key_value_heads": 4}, {"head_dim": 24}, {"pad_token_id": 7},
                {"attention_bias": True}, {"hidden_size": 66}, {"vocab_size": 17}, {"initializer_range": 0.5}, {"tie_word_embeddings": False}]),
        *within("vision_config", IMAGES4, [*TOWER, {"num_channels": 1}, {"vision_use_head": False}, {"image_size": 40}]),
        {"tie_word_embeddings": False}, {"tie_word_embeddings": True}, {"initializer_range": 0.5}, {"initializer_range": 0.0}, {"dtype": "bfloat16"},
        {"dtype": "float16"}, {"id2label": LABELS}, {"num_labels": 1}, {"mm_tokens_per_image": 16},
    ]),
    (["LlavaForConditionalGeneration", "LlavaModel"], {"text_config": {"model_type": "llama", **DECODER}, "vision_config": {"model_type": "clip_vision_model", **IMAGES}}, [
        *within("text_config", {"model_type": "llama", **DECODER}, [*GENERAL[:8], {"num_hidden_layers": 3}, {"num_key_value_heads": 4}, {"head_dim": 24}, {"attention_bias": True}]),
        *within("text_config", DECODER, [{"model_type": "mistral"}, {"model_type": "qwen2"}, {"model_type": "qwen3"}]),
        *within("vision_config", {"model_type": "clip_vision_model", **IMAGES}, TOWER), *within("vision_config", IMAGES, [{"model_type": "siglip_vision_model"}]),
        {"multimodal_projector_bias": False}, {"vision_feature_layer": [-1, -2]}, {"vision_feature_layer": -1}, {"tie_word_embeddings": True},
        {"dtype": "bfloat16"}, {"dtype": "float16"}, {"vision_feature_select_strategy": "full"}, {"projector_hidden_act": "relu"},
    ]),
    *[([name + of for of in ["ForConditionalGeneration", "Model"]], {"text_config": DECODER, "vision_config": eyes}, [
        *within("text_config", DECODER, [*GENERAL[:8], {"num_hidden_layers": 3}, {"num_key_value_heads": 4}, {"num_key_value_heads": None}, {"hidden_size": 96, "num_attention_heads": 6}]),
        *within("vision_config", eyes, [{}, {"depth": 0}, {"depth": 3}, {"num_heads": 2}, {"patch_size": 4}, {"in_channels": 1}, {"spatial_merge_size": 3},
                                        {"temporal_patch_size": 3}, {"initializer_range": 0.5}, {"initializer_range": 0.0}, {"hidden_act": "relu"}, *tried]),
        {"tie_word_embeddings": True}, {"tie_word_embeddings": False}, {"dtype": "bfloat16"}, {"dtype": "float16"}, {"image_token_id": 3},
    ]) for name, eyes, tried in [
        ("Qwen2VL", {"depth": 2, "embed_dim": 80, "hidden_size": 64, "num_heads": 5, "mlp_ratio": 3, "patch_size": 6},
         [{"mlp_ratio": 2}, {"embed_dim": 160}, {"hidden_size": 33}]),
        ("Qwen2_5_VL", {"depth": 2, "hidden_size": 80, "out_hidden_size": 64, "intermediate_size": 124, "num_heads": 5, "patch_size": 6},
         [{"intermediate_size": 33}, {"hidden_size": 160}, {"out_hidden_size": 33}]),
    ]],
    (["CLIPTextModel", "CLIPTextModelWithProjection"], TEXT, [*TOWER, {"vocab_size": 17}, {"max_position_embeddings": 9}, {"projection_dim": 33}]),
    (["CLIPVisionModel", "CLIPVisionModelWithProjection"], IMAGES, [*TOWER, *PATCHES, {"projection_dim": 33}]),
    (["CLIPModel"], {"text_config": TEXT, "vision_config": IMAGES, "projection_dim": 36}, [
        *within("text_config", TEXT, TOWER), *within("vision_config", IMAGES, [*TOWER, *PATCHES]), {"projection_dim": 33},
        {"logit_scale_init_value": 1.5}, {"initializer_factor": 0.5},
    ]),
    (["CLIPForImageClassification"], {"vision_config": IMAGES}, [*within("vision_config", IMAGES, [*TOWER, *PATCHES]), {"id2label": LABELS},
                                                               {"num_labels": 1}, {"initializer_factor": 0.5}]),
    (["SiglipTextModel"], TEXT, [*TOWER, {"vocab_size": 17}, {"max_position_embeddings": 9}, {"projection_size": 33}, {"projection_size": None}]),
    (["SiglipVisionModel"], IMAGES, [*TOWER, *PATCHES, {"vision_use_head": False}]),
    (["SiglipModel"], {"text_config": TEXT, "vision_config": IMAGES}, [
        *within("text_config", TEXT, TOWER), *within("vision_config", IMAGES, [*TOWER, *PATCHES, {"vision_use_head": False}]), {"initializer_factor": 0.5},
    ]),
    (["SiglipForImageClassification"], {"vision_config": IMAGES}, [*within("vision_config", IMAGES, [*TOWER, *PATCHES]), {"id2label": LABELS},
                                                                 {"num_labels": 1}, {"initializer_factor": 0.5}]),
    *[(of_both(name, ["ForCausalLM", "ForConditionalGeneration", "ForQuestionAnswering", "ForSequenceClassification", "MTModel", "Model"]),
       {**BART, **more}, [*BOTH, *tried]) for name, more, tried in [
        ("Bart", {}, []), ("MBart", {}, []), ("Pegasus", {}, []),
        ("Marian", {"pad_token_id": 1, "decoder_start_token_id": 1}, [
            {"share_encoder_decoder_embeddings": False}, {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": 77},
            {"share_encoder_decoder_embeddings": False, "tie_word_embeddings": False},
        ]),
    ]],
    (of_both("Whisper", ["ForAudioClassification", "ForCausalLM", "ForConditionalGeneration", "Model"]),
     {**{key: value for key, value in BART.items() if key != "max_position_embeddings"}, "max_source_positions": 40, "max_target_positions": 44,
      "num_mel_bins": 12, "pad_token_id": 1}, [
        *[case for case in BOTH if "max_position_embeddings" not in case], {"max_source_positions": 9}, {"max_target_positions": 9}, {"num_mel_bins": 7},
        {"use_weighted_layer_sum": True}, {"classifier_proj_size": 33}, {"d_model": 2, "encoder_attention_heads": 1, "decoder_attention_heads": 1},
    ]),
    (["AlbertForMaskedLM", "AlbertForMultipleChoice", "AlbertForPreTraining", "AlbertForQuestionAnswering", "AlbertForSequenceClassification",
      "AlbertForTokenClassification", "AlbertModel"], {**BERT, "embedding_size": 20}, [
        *ENCODER, {"num_hidden_groups": 2}, {"inner_group_num": 2}, {"num_hidden_groups": 2, "inner_group_num": 3, "num_hidden_layers": 4},
        {"embedding_size": 64}, {"hidden_act": "gelu"}, {"num_hidden_groups": 0}, {"inner_group_num": 0}, {"embedding_size": 33},
        {"classifier_dropout_prob": 0.2},
    ]),
    (["ElectraForCausalLM", "ElectraForMaskedLM", "ElectraForMultipleChoice", "ElectraForPreTraining", "ElectraForQuestionAnswering",
      "ElectraForSequenceClassification", "ElectraForTokenClassification", "ElectraModel"], {**BERT, "embedding_size": 20}, [
        *ENCODER, {"embedding_size": 64}, {"summary_use_proj": False}, {"summary_type": "last"}, {"summary_activation": "relu"},
        {"embedding_size": 33}, {"classifier_dropout": 0.2}, {"summary_type": "attn"},
    ]),
    (["MPNetForMaskedLM", "MPNetForMultipleChoice", "MPNetForQuestionAnswering", "MPNetForSequenceClassification", "MPNetForTokenClassification",
      "MPNetModel"], BERT, [
        *ENCODER, {"relative_attention_num_buckets": 8}, {"relative_attention_num_buckets": 64},
        {"hidden_size": 96, "num_attention_heads": 6}, {"relative_attention_num_buckets": 1}, {"vocab_size": 2}, {"vocab_size": 1},
        {"max_position_embeddings": 1}, {"layer_norm_eps": 1e-3},
    ]),
    *[([prefix + of for of in ["ForMaskedLM", "ForMultipleChoice", "ForQuestionAnswering", "ForSequenceClassification", "ForTokenClassification", "Model"]
        if hasattr(transformers, prefix + of)], BERT, [
        *ENCODER, {"type_vocab_size": 3}, {"relative_attention": True}, {"relative_attention": True, "pos_att_type": "p2c|c2p"},
        {"relative_attention": True, "pos_att_type": ["c2p"]}, {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "max_relative_positions": 20},
        {"relative_attention": True, "position_buckets": 16, "norm_rel_ebd": "layer_norm", "share_att_key": True, "pos_att_type": "p2c|c2p"},
        {"relative_attention": True, "pos_att_type": "c2p", "talking_head": True}, {"position_biased_input": False}, {"embedding_size": 32},
        {"conv_kernel_size": 3, "conv_act": "gelu"}, {"conv_kernel_size": 3, "conv_groups": 2}, {"legacy": False},
        {"attention_head_size": 24}, {"embedding_size": 32, "legacy": False}, {"legacy": False, "tie_word_embeddings": False},
        {"pooler_hidden_size": 32},
    ]) for prefix in ["Deberta", "DebertaV2"]],
    *[(heads(name), {**LATENT, **more}, [*GENERAL, *MIXED, *tried]) for name, more, tried in [
        ("DeepseekV2", {}, [{"mlp_bias": True}, {"mlp_bias": True, "attention_bias": True}]),
        ("DeepseekV3", {"n_group": 1, "topk_group": 1}, [{"n_group": 2}, {"num_local_experts": 4}]),
    ]],
    (["T5ForConditionalGeneration", "T5Model", "T5EncoderModel", "T5ForSequenceClassification", "T5ForTokenClassification",
      "T5ForQuestionAnswering"], T5, [
        {}, {"feed_forward_proj": "gated-gelu"}, {"feed_forward_proj": "gated-silu", "d_kv": 24}, {"feed_forward_proj": "gelu"},
        {"feed_forward_proj": "more-gelu"}, {"feed_forward_proj": "gated-gelu-new"}, {"num_decoder_layers": 3}, {"num_layers": 3},
        {"num_decoder_layers": None}, {"num_decoder_layers": 0}, {"tie_word_embeddings": False}, {"initializer_factor": 0.5},
        {"relative_attention_num_buckets": 16, "num_heads": 3}, {"is_encoder_decoder": False}, {"initializer_range": 0.5}, {"id2label": LABELS}, {"dtype": "bfloat16"}, {"num_layers": 0},
        {"d_model": 66}, {"d_kv": 10}, {"d_ff": 33}, {"relative_attention_max_distance": 20}, {"num_heads": 1}, {"vocab_size": 17}, {"pad_token_id": 7},
        {"pad_token_id": 301}, {"initializer_factor": 0.0}, {"num_labels": 1}, {"num_labels": 3, "id2label": LABELS}, {"dtype": "float16"},
        {"tie_word_embeddings": True}, {"is_decoder": True}, {"classifier_dropout": 0.3}, {"relative_attention_num_buckets": 1},
        {"feed_forward_proj": "relu"}, {"feed_forward_proj": "gated-relu"}, {"use_cache": False},
        {"num_layers": 1, "num_decoder_layers": 4},
    ]),
    (["ViTForImageClassification", "ViTForMaskedImageModeling", "ViTModel"], VIT, [
        {}, {"qkv_bias": False}, {"image_size": 37}, {"image_size": 35, "patch_size": 6, "num_channels": 1}, {"hidden_size": 65},
        {"head_dim": 24}, {"pooler_output_size": 40}, {"encoder_stride": 8}, {"initializer_range": 0.5}, {"id2label": LABELS},
        {"num_labels": 0}, {"num_hidden_layers": 0}, {"dtype": "bfloat16"}, {"image_size": [32, 64]}, {"image_size": [48, 20], "patch_size": [8, 4]},
        {"patch_size": [4, 8]}, {"image_size": [32]}, {"patch_size": [8]}, {"image_size": [32, 48, 64]}, {"image_size": [0, 32]},
        {"image_size": []}, {"image_size": [32, "48"]}, {"initializer_range": 1.5}, {"num_channels": 1}, {"patch_size": 4}, {"num_attention_heads": 3},
        {"num_attention_heads": 8}, {"intermediate_size": 33}, {"num_hidden_layers": 3}, {"hidden_act": "relu"},
        {"initializer_range": 0.0}, {"image_size": 8}, {"image_size": 7}, {"num_labels": 1}, {"dtype": "float16"}, {"pooler_act": "gelu"},
        {"hidden_size": 96, "num_attention_heads": 6}, {"qkv_bias": False, "encoder_stride": 4}, {"num_labels": 3, "id2label": LABELS},
    ]),
    (["DeiTForImageClassification", "DeiTForImageClassificationWithTeacher", "DeiTForMaskedImageModeling", "DeiTModel"], VIT, [
        *VISION, {"qkv_bias": False}, {"pooler_output_size": 40}, {"pooler_output_size": None}, {"encoder_stride": 8}, {"intermediate_size": 33},
        {"pooler_act": "gelu"}, {"qkv_bias": False, "encoder_stride": 4},
    ]),
    *[([f"{name}ForImageClassification", f"{name}Model"], {key: value for key, value in VIT.items() if key != "intermediate_size"}, [
        *VISION, {"qkv_bias": False}, {"mlp_ratio": 3}, {"mlp_ratio": 2.5}, {"mlp_ratio": None}, {"layerscale_value": 0.3}, {"layerscale_value": 0.0},
        {"use_swiglu_ffn": True}, {"use_swiglu_ffn": True, "mlp_ratio": 3}, {"use_swiglu_ffn": True, "hidden_size": 60}, {"use_mask_token": False},
        {"drop_path_rate": 0.1}, *tried,
    ]) for name, tried in [("Dinov2", []), ("Dinov2WithRegisters", [{"num_register_tokens": 2}, {"num_register_tokens": 0}, {"num_register_tokens": None}])]],
    (["BeitForImageClassification", "BeitForMaskedImageModeling", "BeitModel"], VIT, [
        *VISION, {"use_mask_token": True}, {"use_absolute_position_embeddings": True}, {"use_relative_position_bias": True},
        {"use_shared_relative_position_bias": True}, {"use_relative_position_bias": True, "use_shared_relative_position_bias": True},
        {"use_relative_position_bias": True, "image_size": [32, 48]}, {"use_relative_position_bias": True, "patch_size": [8, 4]},
        {"use_shared_relative_position_bias": True, "image_size": 7}, {"layer_scale_init_value": 0.0}, {"layer_scale_init_value": 0.3},
        {"layer_scale_init_value": -1.0}, {"use_mean_pooling": False}, {"vocab_size": 17}, {"intermediate_size": 33},
        {"use_absolute_position_embeddings": True, "use_mean_pooling": False},
    ]),
    (["BeitForSemanticSegmentation"], {**VIT, "num_hidden_layers": 3, "out_indices": [0, 1, 2, 3]}, [
        *VISION, {"out_indices": [0, 1, 3]}, {"out_indices": [0, 1, 2, 4]}, {"out_indices": [0, 2, 1, 3]}, {"out_indices": None},
        {"out_indices": [1, 2, 3, 4], "num_hidden_layers": 5}, {"pool_scales": [1, 2]}, {"pool_scales": []}, {"use_auxiliary_head": False},
        {"auxiliary_channels": 33}, {"auxiliary_num_convs": 0}, {"auxiliary_num_convs": 3}, {"auxiliary_concat_input": True},
        {"auxiliary_concat_input": True, "auxiliary_num_convs": 2, "auxiliary_channels": 16}, {"use_relative_position_bias": True}, {"use_mean_pooling": False},
    ]),
    (["SwinForImageClassification", "SwinForMaskedImageModeling", "SwinModel"], SWIN, WINDOWS),
    (["Swinv2ForImageClassification", "Swinv2ForMaskedImageModeling", "Swinv2Model"], SWIN, [
        *WINDOWS, {"num_heads": [2, 5]}, {"num_heads": [3, 4]}, {"pretrained_window_sizes": [8, 4]}, {"pretrained_window_sizes": [8]},
        {"pretrained_window_sizes": [0, 0, 0]},
    ]),
    (["ConvNextForImageClassification", "ConvNextModel"], CONVNEXT, [
        {}, {"layer_scale_init_value": 0.0}, {"layer_scale_init_value": 0.3}, {"patch_size": 2, "num_channels": 1}, {"id2label": LABELS},
        {"num_stages": 3, "hidden_sizes": [8, 8, 24], "depths": [1, 0, 2]}, {"initializer_range": 0.3}, {"initializer_range": 0.0},
        {"num_labels": 0}, {"dtype": "float16"}, {"image_size": [32, 64]}, {"patch_size": [4, 2]}, {"initializer_range": 1.5},
        {"depths": [2, 2, 2, 2]}, {"depths": [0, 0, 0, 0]}, {"depths": [1, 1, 1]}, {"hidden_sizes": [16, 24, 32]},
        {"num_stages": 2, "hidden_sizes": [16, 24], "depths": [1, 2]}, {"num_stages": 1, "hidden_sizes": [16], "depths": [2]},
        {"hidden_act": "relu"}, {"drop_path_rate": 0.1}, {"num_labels": 1},
        {"num_labels": 3, "id2label": LABELS}, {"dtype": "bfloat16"}, {"num_channels": 1}, {"patch_size": 8}, {"layer_scale_init_value": -1.0},
    ]),
    (["MambaForCausalLM", "MambaModel"], MAMBA, [
        {}, {"use_bias": True}, {"use_conv_bias": False}, {"time_step_init_scheme": "constant"}, {"time_step_init_scheme": "other"},
        {"time_step_rank": "auto"}, {"time_step_rank": 7}, {"time_step_rank": "auto", "hidden_size": 70}, {"expand": 3}, {"state_size": 1},
        {"state_size": 8}, {"conv_kernel": 3}, {"rescale_prenorm_residual": True, "num_hidden_layers": 3}, {"tie_word_embeddings": False},
        {"initializer_range": 0.0}, {"initializer_range": 0.5}, {"time_step_floor": 0.01}, {"time_step_min": 0.01, "time_step_max": 0.5},
        {"time_step_scale": 2.0}, {"time_step_scale": 2.0, "time_step_init_scheme": "constant"}, {"dtype": "bfloat16"}, {"dtype": "float16"},
        {"num_hidden_layers": 0}, {"hidden_size": 65}, {"vocab_size": 17}, {"pad_token_id": 7}, {"residual_in_fp32": False},
        {"use_bias": True, "use_conv_bias": False, "rescale_prenorm_residual": True}, {"expand": 1}, {"num_hidden_layers": 1}, {"hidden_act": "gelu"},
        {"vocab_size": 1}, {"time_step_rank": 1}, {"time_step_rank": "other"}, {"initializer_range": 1.5},
        {"pad_token_id": 301}, {"tie_word_embeddings": True}, {"conv_kernel": 1}, {"use_mambapy": True}, {"intermediate_size": 100},
    ]),
    (["ResNetForImageClassification", "ResNetModel"], RESNET, [
        {}, {"initializer_range": 0.5}, {"layer_type": "basic"}, {"downsample_in_first_stage": True, "embedding_size": 32}, {"embedding_size": 32},
        {"layer_type": "basic", "embedding_size": 32}, {"layer_type": "basic", "hidden_sizes": [16, 16, 16, 16]},
        {"hidden_sizes": [18, 22, 30], "depths": [2, 1, 3]}, {"downsample_in_bottleneck": True}, {"num_channels": 1}, {"layer_type": "other"},
        {"id2label": LABELS}, {"num_labels": 0}, {"depths": [0, 1, 1, 1]}, {"dtype": "bfloat16"}, {"downsample_in_first_stage": True},
        {"layer_type": "basic", "downsample_in_first_stage": True}, {"layer_type": "basic", "downsample_in_bottleneck": True},
        {"layer_type": "basic", "depths": [2, 2, 2, 2]}, {"hidden_act": "gelu"}, {"num_channels": 4}, {"depths": [3, 1, 1, 1]},
        {"hidden_sizes": [64], "depths": [2]}, {"hidden_sizes": [30, 48, 65, 80]},
        {"embedding_size": 8}, {"num_labels": 1}, {"num_labels": 3, "id2label": LABELS}, {"dtype": "float16"}, {"initializer_range": 0.0},
    ]),
    (heads("Qwen3Next"), {**DECODER, "num_hidden_layers": 4, "head_dim": 16, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24,
                          "shared_expert_intermediate_size": 28, "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 12,
                          "linear_value_head_dim": 10}, [
        *GENERAL, {"num_hidden_layers": 0}, {"num_hidden_layers": 3}, {"num_hidden_layers": 9}, {"full_attention_interval": 2},
        {"full_attention_interval": 1}, {"full_attention_interval": 9}, {"full_attention_interval": 0}, {"layer_types": None},
        {"layer_types": ["full_attention", "linear_attention", "full_attention", "full_attention"]},
        {"layer_types": ["attention", "mamba", "mamba", "mamba"]}, {"layer_types": ["linear_attention"] * 3},
        {"layer_types": ["linear_attention"] * 3 + ["other"]}, {"layer_types": ["linear_attention"] * 4, "full_attention_interval": 2},
        {"attention_bias": True}, {"head_dim": 24}, {"head_dim": None}, {"num_key_value_heads": 1}, {"num_key_value_heads": 4},
        {"num_key_value_heads": None}, {"num_attention_heads": 8}, {"linear_num_value_heads": 2}, {"linear_num_key_heads": 4},
        {"linear_key_head_dim": 16}, {"linear_value_head_dim": 33}, {"linear_conv_kernel_dim": 3}, {"num_experts": 6}, {"num_experts": 0},
        {"num_experts": 0, "decoder_sparse_step": 0}, {"decoder_sparse_step": 0}, {"decoder_sparse_step": 2}, {"mlp_only_layers": [1, 3]},
        {"mlp_only_layers": None}, {"mlp_only_layers": [7]}, {"decoder_sparse_step": 2, "mlp_only_layers": [1]}, {"moe_intermediate_size": 33},
        {"shared_expert_intermediate_size": 33}, {"intermediate_size": 33}, {"hidden_size": 66}, {"hidden_act": "gelu"},
    ]),
    (["Mamba2ForCausalLM", "Mamba2Model"], MAMBA2, [
        {}, {"use_bias": True}, {"use_conv_bias": False}, {"time_step_rank": "auto"}, {"time_step_rank": 7}, {"time_step_rank": "other"},
        {"num_heads": 4, "head_dim": 32}, {"num_heads": 4}, {"num_heads": 16, "head_dim": 8}, {"expand": 3}, {"expand": 3, "num_heads": 12},
        {"expand": 1, "num_heads": 4}, {"state_size": 1}, {"state_size": 33}, {"n_groups": 1}, {"n_groups": 4}, {"n_groups": 0}, {"conv_kernel": 3},
        {"conv_kernel": 1}, {"rescale_prenorm_residual": True, "num_hidden_layers": 3}, {"tie_word_embeddings": True},
        {"initializer_range": 0.0}, {"initializer_range": 0.5}, {"initializer_range": 1.5}, {"time_step_floor": 0.01},
        {"time_step_min": 0.01, "time_step_max": 0.5}, {"time_step_limit": [0.01, 0.5]}, {"dtype": "bfloat16"}, {"dtype": "float16"},
        {"num_hidden_layers": 0}, {"num_hidden_layers": 1}, {"hidden_size": 65}, {"hidden_size": 96, "num_heads": 12}, {"vocab_size": 17},
        {"vocab_size": 1}, {"pad_token_id": 7}, {"pad_token_id": 301}, {"pad_token_id": None}, {"residual_in_fp32": False}, {"hidden_act": "gelu"},
        {"use_bias": True, "use_conv_bias": False, "rescale_prenorm_residual": True}, {"chunk_size": 32}, {"tie_word_embeddings": False},
    ]),
    (["XLNetForMultipleChoice", "XLNetForQuestionAnswering", "XLNetForQuestionAnsweringSimple", "XLNetForSequenceClassification",
      "XLNetForTokenClassification", "XLNetLMHeadModel", "XLNetModel"], XLNET, [
        {}, {"n_layer": 0}, {"n_layer": 3}, {"d_model": 96, "n_head": 6}, {"d_model": 65}, {"n_head": 8}, {"n_head": 1}, {"n_head": 3}, {"n_head": 0},
        {"d_head": 16}, {"d_head": None}, {"d_head": 0}, {"d_head": 24}, {"d_inner": 33}, {"ff_activation": "relu"}, {"initializer_range": 0.5},
        {"initializer_range": 0.0}, {"initializer_range": 1.5}, {"tie_word_embeddings": False}, {"id2label": LABELS}, {"num_labels": 1},
        {"num_labels": 7}, {"num_labels": 3, "id2label": LABELS}, {"num_labels": 0}, {"summary_use_proj": False}, {"summary_type": "first"},
        {"summary_type": "attn"}, {"summary_activation": None}, {"summary_activation": "relu"}, {"summary_proj_to_labels": True, "num_labels": 3},
        {"summary_proj_to_labels": True}, {"vocab_size": 17}, {"pad_token_id": 7}, {"pad_token_id": None}, {"pad_token_id": 301},
        {"dtype": "bfloat16"}, {"dtype": "float16"}, {"attn_type": "uni"}, {"bi_data": True}, {"mem_len": None}, {"clamp_len": 8},
        {"same_length": True}, {"d_model": 8, "n_head": 2}, {"chunk_size_feed_forward": 8},
    ]),
    (["Wav2Vec2ForAudioFrameClassification", "Wav2Vec2ForCTC", "Wav2Vec2ForPreTraining", "Wav2Vec2ForSequenceClassification", "Wav2Vec2ForXVector",
      "Wav2Vec2Model"], WAV2VEC2, [
        {}, {"num_hidden_layers": 0}, {"num_hidden_layers": 3}, {"hidden_size": 96, "num_attention_heads": 6}, {"hidden_size": 66},
        {"num_attention_heads": 8}, {"num_attention_heads": 3}, {"intermediate_size": 33}, {"conv_dim": [16, 24], "conv_kernel": [5, 3], "conv_stride": [3, 2]},
        {"conv_dim": [40], "conv_kernel": [9], "conv_stride": [4]}, {"conv_dim": [16, 24]}, {"conv_kernel": [5, 3]}, {"conv_stride": [3, 2, 2, 2]},
        {"conv_dim": [], "conv_kernel": [], "conv_stride": []}, {"conv_bias": True}, {"feat_extract_norm": "layer"},
        {"feat_extract_norm": "layer", "conv_bias": True}, {"feat_extract_norm": "other"}, {"feat_extract_activation": "relu"},
        {"num_conv_pos_embeddings": 9}, {"num_conv_pos_embedding_groups": 1}, {"num_conv_pos_embedding_groups": 5},
        {"num_conv_pos_embedding_groups": 64}, {"do_stable_layer_norm": True}, {"do_stable_layer_norm": True, "adapter_attn_dim": 12},
        {"adapter_attn_dim": 12}, {"adapter_attn_dim": None}, {"mask_time_prob": 0.0}, {"mask_time_prob": 0.0, "mask_feature_prob": 0.1},
        {"mask_feature_prob": 0.1}, {"apply_spec_augment": False}, {"add_adapter": True}, {"add_adapter": True, "output_hidden_size": 40},
        {"add_adapter": True, "num_adapter_layers": 1, "adapter_kernel_size": 5}, {"output_hidden_size": 40}, {"output_hidden_size": None},
        {"output_hidden_size": 0}, {"num_codevectors_per_group": 12}, {"num_codevector_groups": 3, "codevector_dim": 24},
        {"num_codevector_groups": 3}, {"codevector_dim": 40}, {"proj_codevector_dim": 33}, {"use_weighted_layer_sum": True},
        {"use_weighted_layer_sum": True, "num_hidden_layers": 3}, {"classifier_proj_size": 33},
        {"tdnn_dim": [20, 30], "tdnn_kernel": [5, 3], "tdnn_dilation": [1, 2]}, {"tdnn_dim": [20, 30]}, {"tdnn_kernel": [5, 3]},
        {"xvector_output_dim": 33}, {"vocab_size": 17}, {"vocab_size": None}, {"initializer_range": 0.5}, {"initializer_range": 0.0},
        {"id2label": LABELS}, {"num_labels": 1}, {"num_labels": 7}, {"dtype": "bfloat16"}, {"dtype": "float16"}, {"hidden_act": "relu"},
        {"pad_token_id": 7}, {"layerdrop": 0.0},
    ]),
]


def made(name, given, seed=1):
    """The model in memory, and its configuration."""
    of_class = getattr(transformers, name)
    given = dict(given)
    dtype = getattr(torch, given.pop("dtype", "float32"))
    config = of_class.config_class(**given)
    torch.manual_seed(seed)
    return of_class._from_config(config, dtype=dtype)


def written(model):
    """The tensors that it writes, and its configuration."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = json.loads((pathlib.Path(folder) / "config.json").read_text())
        return load_file(pathlib.Path(folder) / "model.safetensors"), config


def planned(config):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config, file)
        file.flush()
        done = subprocess.run([FANIN, "rules", file.name, "--json", *ARCHITECTURE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return (json.loads(done.stdout) if done.returncode == 0 else None), done.stderr.strip()


def near(values, mean, std):
    """Whether mean and deviation are within 6 standard errors of these."""
    count = values.numel()
    near_mean = abs(values.mean().item() - mean) <= 6 * std / math.sqrt(count) + 1e-8
    return near_mean and abs(values.std(correction=0).item() - std) <= 6 * std / math.sqrt(2 * count) + 1e-8


def worked_out(text, dtype):
    """The values of a distribution that is no draw, in f64, and how far off transformers' own are where it works them out in the dtype."""
    name, _, rest = text.partition(":")
    keys = dict(pair.split("=") for pair in rest.split(",") if "=" in pair)
    if name == "arange" and keys["function"] == "log":
        return torch.log(float(keys["start"]) + float(keys["step"]) * torch.arange(int(keys["count"]), dtype=torch.float64)), 0.0
    if name == "sinusoids":
        positions, channels, is_closed = int(keys["positions"]), int(keys["channels"]), keys["endpoint"] == "true"
        channel, sines = torch.arange(channels), -(-channels // 2)
        is_interleaved = keys["interleaved"] == "true"
        k, is_sine = (channel // 2, channel % 2 == 0) if is_interleaved else (channel % sines, channel < sines)
        frequencies = float(keys["theta"]) ** (-k.double() / (channels / 2 - is_closed))
        angles = torch.arange(positions, dtype=torch.float64)[:, None] * frequencies
        # Whisper's code rounds the position, the exponent, its power and the angle. (In bf16, nothing is left of late positions there.)
        off = 2 * torch.finfo(dtype).eps * (positions + 1) if is_closed else 0.0
        return torch.where(is_sine, angles.sin(), angles.cos()), off
    return None


def is_worked_out(text, values, dtype):
    """Whether values, if their distribution is no draw, are its: within one unit of the dtype, and what transformers' own are off."""
    if not values.numel() or not (found := worked_out(text, dtype)):
        return True
    exact, off = found
    return bool(((values - exact.float().to(dtype).double()).abs() <= torch.finfo(dtype).eps * exact.abs() + off).all())


def wrong_values(row, tensor):
    """What is wrong with the tensor's values, if anything is."""
    values = tensor.double()
    for part in row["parts"]:
        among = range(part["start"], part["end"])
        inside = values.index_select(part["dim"], torch.tensor(list(among), dtype=torch.int64))
        # A constant is as its dtype has it.
        if part["std"] == 0 and bool((inside != torch.tensor(part["mean"], dtype=tensor.dtype).double()).any()):
            return f"{part} is not in it"
        if part["std"] and inside.numel() and not near(inside, part["mean"], part["std"]):
            return f"{inside.mean():.5f}, {inside.std(correction=0):.5f}, not {part}"
        if not is_worked_out(part["distribution"], inside, tensor.dtype):
            return f"it is not {part}"
        rest = [i for i in range(values.shape[part["dim"]]) if i not in among]
        values = values.index_select(part["dim"], torch.tensor(rest, dtype=torch.int64))
    if not is_worked_out(row["distribution"], values, tensor.dtype):
        return f"it is not {row['distribution']}"
    rows = values.flatten(1) if values.dim() > 1 else values.reshape(-1, 1)
    # Of single numbers some may be rounded to 0.
    if row["std"] and values.dim() > 1 and rows.numel() and bool((rows == 0).all(1).any()):
        return "it has rows of zeros more"
    std, count = row["std"], values.numel()
    if count == 0:
        return None
    # A constant is as its dtype has it.
    mean = torch.tensor(row["mean"], dtype=tensor.dtype).item()
    if near(values, mean, std):
        return None
    return f"{values.mean():.5f}, {values.std(correction=0):.5f}, not {row['distribution']}"


def compare(name, given):
    what = f"{name} {json.dumps(given)}"
    try:
        model = made(name, given)
        tensors, config = written(model)
    except Exception as error:
        rows, _ = planned({"architectures": [name], "model_type": getattr(transformers, name).config_class.model_type, **given})
        if rows is not None:
            print(f"{what}: transformers refuses it: {(str(error).splitlines() or [repr(error)])[0]}")
            return "wrong"
        return "refused"
    # What was given, null included, and what transformers makes of it must be the same to fanin.
    said = {"architectures": [name], "model_type": config["model_type"], **given}
    if any(fnmatch(name, of) for of in TWO_DTYPES):
        config["dtype"] = given.get("dtype", config["dtype"])
    wrong = 0
    # Buffers of integers are no rows of a plan.
    expected = {PREFIXES.get(name, "") + key: tensor for key, tensor in tensors.items() if tensor.is_floating_point()}
    for of, config in [("as given", said), ("as written", {**config, "architectures": [name]})]:
        rows, error = planned(config)
        if rows is None:
            print(f"{what}, {of}: {error}")
            wrong += 1
            continue
        rows = {row["tensor"]: row for row in rows}
        if set(rows) != set(expected):
            print(f"{what}, {of}: missing {sorted(set(expected) - set(rows))}, more {sorted(set(rows) - set(expected))}")
            wrong += 1
        for key in set(rows) & set(expected):
            row, tensor = rows[key], expected[key]
            if row["shape"] != list(tensor.shape):
                reason = f"{list(tensor.shape)}, not {row['shape']}"
            elif row["skip"]:
                reason = "it is skipped"
            elif row["holds"] != DTYPES[tensor.dtype]:
                reason = f"{tensor.dtype}, not {row['holds']}"
            else:
                reason = wrong_values(row, tensor)
            if reason:
                print(f"{what}, {of}: {key}: {reason}")
                wrong += 1
    return "wrong" if wrong else "right"


def changed(given, common, case):
    """A configuration with what a case changes of what is common, also of the configurations within."""
    given = dict(given)
    for key, value in case.items():
        if isinstance(value, dict) and isinstance(common.get(key), dict):
            given[key] = changed(given[key], common[key], value)
        elif key not in common or common[key] != value:
            given[key] = value
    return given


def said(common, case):
    """The keys that a case changes, also of the configurations within."""
    keys = set()
    for key, value in case.items():
        if isinstance(value, dict) and isinstance(common.get(key), dict):
            keys |= {f"{key}.{inner}" for inner in said(common[key], value)}
        elif key not in common or common[key] != value:
            keys.add(key)
    return keys


def has_layers(given):
    """Whether no number of layers is 0, also of a configuration within."""
    return all(has_layers(value) if isinstance(value, dict) else value != 0 or key not in LAYERS for key, value in given.items())


def pairs(name, common, cases):
    """Two cases at once, by a fixed seed, of each class others. Without layers transformers takes whatever is said of them; fanin does not."""
    every = list(itertools.combinations(cases, 2))
    random.Random(name).shuffle(every)
    fitting = [pair for pair in every if all(map(has_layers, pair)) and not said(common, pair[0]) & said(common, pair[1])]
    return [changed({**common, **one}, common, other) for one, other in fitting]


def configurations():
    """Of each class the configurations that are tried, each once: the cases, and at least 8 pairs, and as many as make 40."""
    tried = {}
    for names, common, cases in CASES:
        for name in names:
            configs = tried.setdefault(name, [])
            # Beside a class's first cases others are only more.
            wanted = 0 if configs else max(len(cases) + 8, 40)
            configs += [given for given in ({**common, **case} for case in cases) if given not in configs]
            for given in pairs(name, common, cases):
                if len(configs) >= wanted:
                    break
                if given not in configs:
                    configs.append(given)
    return tried


def sizes(name, given):
    """The configuration, and how many tensors of floats and parameters the model has."""
    tensors, _ = written(made(name, given))
    tensors = {key: tensor for key, tensor in tensors.items() if tensor.is_floating_point()}
    kind = getattr(transformers, name).config_class.model_type
    return {"config": {"architectures": [name], "model_type": kind, **given}, "tensors": len(tensors),
            "parameters": sum(tensor.numel() for tensor in tensors.values())}


def main():
    logging.disable()
    transformers.utils.logging.disable_progress_bar()
    tried = configurations()
    if sys.argv[1:2] == ["--counts"]:
        # tests/golden/families.json
        rows = []
        # Of each class the first that transformers makes.
        for name, configs in tried.items():
            for given in configs:
                try:
                    rows.append(sizes(name, given))
                    break
                except Exception:
                    continue
        print("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]")
        return
    if len(sys.argv) == 3 and sys.argv[2].startswith("{"):
        tried = {sys.argv[1]: [json.loads(sys.argv[2])]}
    elif len(sys.argv) > 1:
        tried = {name: configs for name, configs in tried.items() if any(fnmatch(name, of) for of in sys.argv[1:])}
    results = ["right", "refused", "wrong"]
    total = dict.fromkeys(results, 0)
    for name, configs in tried.items():
        found = [compare(name, given) for given in configs]
        print(f"{name} | {len(found)} | " + " | ".join(str(found.count(what)) for what in results), flush=True)
        total = {what: count + found.count(what) for what, count in total.items()}
    counts = ", ".join(f"{count} {what}" for what, count in total.items())
    print(f"transformers {transformers.__version__}, PyTorch {torch.__version__}: {len(tried)} classes, {sum(total.values())} models: {counts}")
    sys.exit(total["wrong"] > 0)


if __name__ == "__main__":
    main()

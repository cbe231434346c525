//! Encoders of texts, and encoders with decoders, by their options. transformers 5.24 has the same of each, as
//! data/architectures/compare.py asks it.

use super::*;

#[test]
fn bert_is_as_its_class_and_options_say() {
    const WORDS: &str = "embeddings.word_embeddings.weight";
    assert_tensors(
        "Bert",
        BERT,
        &[
            ("Model", "", WORDS, "[301, 64] normal(0, 0.02^2) but rows [0]"),
            ("Model", "pad_token_id=7", WORDS, "rows [7]"),
            ("Model", "pad_token_id=-1", WORDS, "rows [300]"),
            // Null is none, but what is left out is 0.
            ("Model", "pad_token_id=null", WORDS, "rows []"),
            ("Model", "initializer_range=0.5", WORDS, "normal(0, 0.5^2)"),
            ("Model", "initializer_range=0.0", WORDS, "normal(0, 0.02^2)"),
            ("Model", "type_vocab_size=5", "embeddings.token_type_embeddings.weight", "[5, 64]"),
            (
                "Model",
                "is_decoder=true add_cross_attention=true",
                "layer.0.crossattention.output.LayerNorm.weight",
                "there",
            ),
            ("Model", "", "crossattention.self.key.bias", "absent"),
            ("ForSequenceClassification", "num_labels=7", "classifier.weight", "[7, 64] normal(0, 0.02^2)"),
            ("ForSequenceClassification", "", "classifier.bias", "[2]"),
            ("ForTokenClassification", "num_labels=7", "classifier.weight", "[7, 64] normal(0, 0.02^2)"),
            ("ForTokenClassification", "", "classifier.bias", "[2]"),
            ("ForMultipleChoice", "num_labels=7", "classifier.weight", "[1, 64]"),
            ("ForNextSentencePrediction", "num_labels=7", "cls.seq_relationship.weight", "[2, 64]"),
            (
                "ForMaskedLM",
                "tie_word_embeddings=false",
                "cls.predictions.decoder.weight",
                "[301, 64] normal(0, 0.02^2)",
            ),
        ],
    );
    assert_tensors("Bert", &without(BERT, "pad_token_id"), &[("Model", "", WORDS, "rows [0]")]);
    for (class, pooler, head) in [
        ("Model", "there", "absent"),
        ("ForMaskedLM", "absent", "there"),
        ("LMHeadModel", "absent", "there"),
        ("ForPreTraining", "there", "there"),
        ("ForSequenceClassification", "there", "absent"),
        ("ForTokenClassification", "absent", "absent"),
        ("ForQuestionAnswering", "absent", "absent"),
    ] {
        assert_tensors(
            "Bert",
            BERT,
            &[
                (class, "", "pooler.dense.weight", pooler),
                (class, "", "cls.predictions.transform.dense.weight", head),
                (class, "", "cls.predictions.decoder.weight", "absent"),
                (class, "tie_word_embeddings=false", "cls.predictions.decoder.bias", head),
            ],
        );
    }

    let sizes = "vocab_size hidden_size num_hidden_layers intermediate_size max_position_embeddings";
    for class in ["BertForMaskedLM", "RobertaForMaskedLM", "XLMRobertaModel"] {
        assert_bad_numbers_are_refused(class, BERT, sizes, "num_hidden_layers");
        assert_refused(class, &without(BERT, "num_attention_heads"), "num_attention_heads");
        let wrong = "num_attention_heads=5 num_attention_heads=0 pad_token_id=301 add_cross_attention=true";
        assert_each_refused(class, BERT, wrong);
    }
    assert_each_refused("BertModel", BERT, "model_type=roberta");
}

#[test]
fn roberta_has_its_own_heads_and_padding() {
    let (words, positions) = ("embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight");
    for family in ["Roberta", "XLMRoberta"] {
        assert_tensors(
            family,
            BERT,
            &[
                ("Model", "pad_token_id=5", words, "rows [5]"),
                ("Model", "pad_token_id=5", positions, "rows [5]"),
                ("Model", "pad_token_id=-3", words, "rows [298]"),
                ("Model", "pad_token_id=-3", positions, "rows [77]"),
                ("Model", "pad_token_id=null", words, "rows []"),
                ("Model", "pad_token_id=null", positions, "rows []"),
                ("ForSequenceClassification", "", "classifier.out_proj.weight", "[2, 64]"),
                ("ForSequenceClassification", "", "classifier.dense.weight", "[64, 64]"),
                ("ForSequenceClassification", "", "pooler.dense.weight", "absent"),
                ("Model", "", "pooler.dense.weight", "there"),
                ("ForMaskedLM", "", "roberta.embeddings.LayerNorm.bias", "there"),
            ],
        );
        assert_tensors(family, &without(BERT, "pad_token_id"), &[("Model", "", words, "rows [1]")]);
        assert_each_refused(&format!("{family}ForSequenceClassification"), BERT, "pad_token_id=80");
    }
}

#[test]
fn distilbert_is_as_its_class_and_options_say() {
    let (words, head) = ("embeddings.word_embeddings.weight", "vocab_projector.weight");
    assert_tensors(
        "DistilBert",
        DISTILBERT,
        &[
            ("Model", "", words, "rows [0]"),
            ("Model", "pad_token_id=-2", words, "rows [299]"),
            ("ForMaskedLM", "", head, "absent"),
            ("ForMaskedLM", "", "vocab_projector.bias", "there"),
            ("ForMaskedLM", "tie_word_embeddings=false", head, "there"),
            ("ForSequenceClassification", "", "pre_classifier.weight", "[64, 64]"),
            ("ForSequenceClassification", "", "classifier.weight", "[2, 64]"),
            ("ForTokenClassification", "", "pre_classifier.weight", "absent"),
        ],
    );
    let other = with(&without(DISTILBERT, "dim"), "hidden_size=32");
    assert_tensors("DistilBert", &other, &[("Model", "", words, "[301, 32]")]);

    let sizes = "vocab_size dim n_layers hidden_dim max_position_embeddings";
    assert_bad_numbers_are_refused("DistilBertForMaskedLM", DISTILBERT, sizes, "n_layers");
    assert_each_refused("DistilBertModel", DISTILBERT, "n_heads=5");
}

/// Tables of positions, in transformers' orders and frequencies; a model that learns its positions draws them.
#[test]
fn positions_are_sinusoids_where_a_model_has_such() {
    let of = |class: &str, keys: &str, name: &str| {
        let plan = planned(class, keys);
        let planned = plan.iter().find(|planned| planned.name == name)?;
        let draw = planned.draw.as_ref().unwrap();
        let part = draw.parts.iter().find(|part| part.dim == 0 && part.range == (0..planned.shape[0]));
        Some(part.map_or(&draw.distribution, |part| &part.distribution).to_string())
    };
    let table = |sizes: &str, endpoint, interleaved| {
        Some(format!("sinusoids:{sizes},theta=10000,endpoint={endpoint},interleaved={interleaved}"))
    };
    let normal = Some("normal(0, 0.02^2)".to_string());
    let sines = with(DISTILBERT, "sinusoidal_pos_embds=true");
    let name = "embeddings.position_embeddings.weight";
    assert_eq!(of("DistilBertModel", &sines, name), table("positions=70,channels=64", false, true));
    assert_eq!(of("DistilBertModel", DISTILBERT, name), normal);

    let both = "vocab_size=301 d_model=64 encoder_layers=1 decoder_layers=1 encoder_ffn_dim=112 decoder_ffn_dim=104 \
        encoder_attention_heads=4 decoder_attention_heads=4 max_position_embeddings=40 pad_token_id=1 max_source_positions=30";
    let halves = table("positions=40,channels=64", false, false);
    let (encoder, decoder) = ("encoder.embed_positions.weight", "decoder.embed_positions.weight");
    for name in [encoder, decoder] {
        assert_eq!(of("PegasusModel", both, name), halves);
        assert_eq!(of("MarianModel", both, name), halves);
        assert_eq!(of("MBartModel", both, name), normal);
        assert_eq!(of("MarianMTModel", both, &format!("model.{name}")), None);
    }
    assert_eq!(of("MarianForCausalLM", both, &format!("model.{decoder}")), halves);
    assert_eq!(of("WhisperModel", both, encoder), table("positions=30,channels=64", true, false));
    assert_eq!(of("WhisperModel", both, decoder), normal);
}

#[test]
fn t5_is_as_its_class_and_options_say() {
    let query = "decoder.block.1.layer.1.EncDecAttention.q.weight";
    let cross = "encoder.block.1.layer.1.EncDecAttention.q.weight";
    let wi = "DenseReluDense.wi.weight";
    let both = "ForConditionalGeneration";
    assert_tensors(
        "T5",
        T5,
        &[
            (both, "", "shared.weight", "normal(0, 1^2)"),
            (both, "", query, "[64, 64] normal(0, 0.03125^2)"),
            (both, "d_kv=25", query, "[100, 64] normal(0, 0.025^2)"),
            (both, "d_kv=25", "encoder.block.0.layer.0.SelfAttention.o.weight", "normal(0, 0.1^2)"),
            (both, "", "encoder.block.0.layer.1.DenseReluDense.wo.weight", "normal(0, 0.1^2)"),
            (both, "", &format!("decoder.block.1.layer.2.{wi}"), "normal(0, 0.125^2)"),
            (both, "initializer_factor=0.5", "decoder.final_layer_norm.weight", "constant(0.5)"),
            (
                both,
                "relative_attention_num_buckets=8",
                "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
                "[8, 4]",
            ),
            (both, "num_decoder_layers=3", "decoder.block.2.layer.2.layer_norm.weight", "there"),
            (both, "", "block.1.layer.0.SelfAttention.relative_attention_bias.weight", "absent"),
            // transformers 5 ties whatever the configuration says.
            (both, "tie_word_embeddings=false", "lm_head.weight", "absent"),
            ("Model", "", "decoder.final_layer_norm.weight", "there"),
            ("EncoderModel", "", "decoder.final_layer_norm.weight", "absent"),
            // An encoder alone may be a decoder in its parts: it looks at another model's states.
            ("EncoderModel", "is_decoder=true", cross, "[64, 64] normal(0, 0.03125^2)"),
            ("Model", "", query, "[64, 64] normal(0, 0.03125^2)"),
            ("EncoderModel", "is_decoder=true", &format!("encoder.block.1.layer.2.{wi}"), "there"),
            ("EncoderModel", "is_decoder=true", &format!("encoder.block.1.layer.1.{wi}"), "absent"),
            ("EncoderModel", "", cross, "absent"),
            ("Model", "is_decoder=true", cross, "absent"),
            ("ForTokenClassification", "", "classifier.weight", "normal(0, 1^2)"),
            ("ForSequenceClassification", "", "classification_head.out_proj.weight", "[2, 64]"),
        ],
    );
    for (forward, gated, plain) in [
        ("relu", "absent", "there"),
        ("gelu", "absent", "there"),
        ("gated-gelu", "there", "absent"),
        ("gated-silu", "there", "absent"),
    ] {
        let keys = with(T5, &format!("feed_forward_proj={forward}"));
        assert_tensors("T5", &keys, &[(both, "", ".wi_1.weight", gated), (both, "", ".wi.weight", plain)]);
    }
    for keys in ["", "num_decoder_layers=null", "num_layers=2"] {
        assert_tensors(
            "T5",
            &with(T5, keys),
            &[
                (both, "", "decoder.block.1.layer.2.layer_norm.weight", "there"),
                (both, "", "block.2.layer.0.layer_norm.weight", "absent"),
            ],
        );
    }

    let sizes = "vocab_size d_model d_kv d_ff num_layers num_heads";
    assert_bad_numbers_are_refused("T5ForConditionalGeneration", T5, sizes, "num_layers num_decoder_layers");
    let wrong = "feed_forward_proj=more-gelu feed_forward_proj=gated-gelu-new feed_forward_proj=1";
    assert_each_refused("T5Model", T5, wrong);
}

const XLNET: &str = "vocab_size=301 d_model=64 n_layer=2 n_head=4 d_inner=112";

#[test]
fn xlnet_is_as_its_class_and_options_say() {
    let summary = "sequence_summary.summary.weight";
    assert_tensors(
        "XLNet",
        XLNET,
        &[
            ("Model", "", "layer.1.rel_attn.q", "[64, 4, 16] normal(0, 0.02^2)"),
            ("Model", "", "layer.1.rel_attn.r_w_bias", "[4, 16] normal(0, 0.02^2)"),
            ("Model", "", "layer.1.ff.layer_1.weight", "[112, 64]"),
            // Of attention and what stands for hidden words 0 is 0.
            ("Model", "initializer_range=0.0", "mask_emb", "[1, 1, 64] normal(0, 0^2)"),
            ("Model", "initializer_range=0.0", "word_embedding.weight", "normal(0, 0.02^2)"),
            ("LMHeadModel", "", "lm_loss.weight", "absent"),
            ("LMHeadModel", "", "lm_loss.bias", "there"),
            ("LMHeadModel", "tie_word_embeddings=false", "lm_loss.weight", "there"),
            ("ForSequenceClassification", "num_labels=7", "logits_proj.weight", "[7, 64]"),
            ("ForMultipleChoice", "num_labels=7", "logits_proj.weight", "[1, 64]"),
            ("ForTokenClassification", "num_labels=7", "classifier.bias", "[7]"),
            ("ForQuestionAnsweringSimple", "num_labels=7", "qa_outputs.weight", "[7, 64]"),
            ("ForQuestionAnswering", "num_labels=7", "end_logits.dense_0.weight", "[64, 128]"),
            ("ForQuestionAnswering", "", "answer_class.dense_1.bias", "absent"),
            ("ForSequenceClassification", "", summary, "[64, 64]"),
            ("ForSequenceClassification", "summary_proj_to_labels=true num_labels=3", summary, "[3, 64]"),
        ],
    );
    let other = with(&without(XLNET, "d_model"), "hidden_size=32");
    assert_tensors("XLNet", &other, &[("Model", "", "word_embedding.weight", "[301, 32]")]);

    assert_bad_numbers_are_refused("XLNetLMHeadModel", XLNET, "vocab_size d_model n_layer d_inner", "n_layer");
    let wrong = "n_head=5 n_head=0 d_head=24 summary_type=attn summary_activation=null ff_activation=prelu";
    assert_each_refused("XLNetForMultipleChoice", XLNET, wrong);
}

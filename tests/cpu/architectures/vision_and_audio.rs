//! Models of images and of sounds, by their classes and options.

use super::*;

const POSITIONS: &str = "embeddings.position_embeddings";

#[test]
fn vit_is_as_its_class_and_options_say() {
    let patches = "embeddings.patch_embeddings.projection.weight";
    assert_tensors(
        "ViT",
        VIT,
        &[
            ("Model", "", POSITIONS, "[1, 17, 64]"),
            ("Model", "image_size=37", POSITIONS, "[1, 17, 64]"),
            ("Model", "image_size=35 patch_size=6", POSITIONS, "[1, 26, 64]"),
            ("Model", "num_channels=1", patches, "[64, 1, 8, 8]"),
            ("Model", "hidden_size=65", "encoder.layer.0.attention.attention.query.weight", "[64, 65]"),
            ("Model", "head_dim=24", "encoder.layer.0.attention.output.dense.weight", "[64, 96]"),
            ("Model", "pooler_output_size=40", "pooler.dense.weight", "[40, 64]"),
            // Height and width; transformers passes over what is behind them.
            ("Model", "image_size=[32,64]", POSITIONS, "[1, 33, 64]"),
            ("Model", "image_size=[32,64]", patches, "[64, 3, 8, 8]"),
            ("Model", "image_size=[48,20] patch_size=[8,4]", POSITIONS, "[1, 31, 64]"),
            ("Model", "image_size=[48,20] patch_size=[8,4]", patches, "[64, 3, 8, 4]"),
            ("Model", "image_size=[0,32]", POSITIONS, "[1, 1, 64]"),
            ("Model", "image_size=[0,32]", patches, "[64, 3, 8, 8]"),
            ("Model", "image_size=[32,48,64]", POSITIONS, "[1, 25, 64]"),
            ("Model", "image_size=[32,48,64]", patches, "[64, 3, 8, 8]"),
            // Weights are cut by no window, and what is no layer's by PyTorch's.
            ("Model", "", "encoder.layer.0.intermediate.dense.weight", "normal(0, 0.02^2)"),
            ("Model", "", "embeddings.cls_token", "normal(0, 0.02^2) in [-2, 2]"),
            ("Model", "", "query.bias", "there"),
            ("Model", "qkv_bias=false", "query.bias", "absent"),
            ("Model", "qkv_bias=false", "attention.output.dense.bias", "there"),
            ("ForImageClassification", "", "pooler.dense.weight", "absent"),
            ("ForImageClassification", "", "classifier.weight", "[2, 64]"),
            ("ForImageClassification", "num_labels=0", "classifier.weight", "absent"),
            ("ForMaskedImageModeling", "", "decoder.0.weight", "[768, 64, 1, 1]"),
            ("ForMaskedImageModeling", "", "vit.embeddings.mask_token", "constant(0)"),
        ],
    );

    let sizes = "hidden_size num_hidden_layers intermediate_size patch_size";
    assert_bad_numbers_are_refused("ViTForImageClassification", VIT, sizes, "num_hidden_layers");
    assert_refused("ViTModel", &without(VIT, "image_size"), "image_size");
    assert_each_refused(
        "ViTForMaskedImageModeling",
        VIT,
        r#"image_size="32" image_size=-32 image_size=32.5 image_size=true image_size=[] image_size=[32]
        image_size=[32,-32] image_size=[32.5,32] image_size=[32,"32"] image_size=[32,[32]]
        patch_size=[8] patch_size=[8,0] patch_size=[8,8,8] head_dim=2.5 head_dim=-8 encoder_stride=-16 encoder_stride=0.5"#,
    );
    assert_each_refused("ViTModel", VIT, "patch_size=0 num_attention_heads=0");
}

#[test]
fn deit_is_as_its_class_and_options_say() {
    let teacher = "ForImageClassificationWithTeacher";
    assert_tensors(
        "DeiT",
        VIT,
        &[
            // Beside the patches' there are the positions of two tokens; what is no layer's starts as 0.
            ("Model", "image_size=[48,20] patch_size=[8,4]", POSITIONS, "[1, 32, 64] constant(0)"),
            ("Model", "", "embeddings.distillation_token", "[1, 1, 64] constant(0)"),
            ("Model", "", "encoder.layer.0.output.dense.weight", "normal(0, 0.02^2)"),
            ("Model", "pooler_output_size=40", "pooler.dense.weight", "[40, 64]"),
            ("Model", "qkv_bias=false", "query.bias", "absent"),
            (teacher, "num_labels=7", "cls_classifier.weight", "[7, 64]"),
            (teacher, "num_labels=7", "distillation_classifier.weight", "[7, 64]"),
            ("ForImageClassification", "", "cls_classifier.weight", "absent"),
            ("ForImageClassification", "", "distillation_classifier.weight", "absent"),
            ("ForImageClassification", "", "classifier.weight", "[2, 64]"),
            (teacher, "", "pooler.dense.weight", "absent"),
            (teacher, "num_labels=0", "classifier.weight", "absent"),
            ("ForMaskedImageModeling", "", "decoder.0.weight", "[768, 64, 1, 1]"),
            ("ForMaskedImageModeling", "", "deit.embeddings.mask_token", "[1, 1, 64] constant(0)"),
        ],
    );

    let (class, sizes) = ("DeiTForMaskedImageModeling", "hidden_size num_hidden_layers intermediate_size patch_size");
    assert_bad_numbers_are_refused(class, VIT, sizes, "num_hidden_layers");
    assert_each_refused(class, VIT, "image_size=[32] encoder_stride=0.5 num_channels=null initializer_range=0");
}

#[test]
fn dinov2_is_as_its_class_and_options_say() {
    let scale = |part: u32| format!("encoder.layer.0.layer_scale{part}.lambda1");
    assert_tensors(
        "Dinov2",
        VIT,
        &[
            ("Model", "", "embeddings.mask_token", "[1, 64]"),
            ("Model", "", POSITIONS, "[1, 17, 64] normal(0, 0.02^2) in [-2, 2]"),
            ("Model", "", "encoder.layer.0.mlp.fc1.weight", "[256, 64] normal(0, 0.02^2) in [-2, 2]"),
            ("Model", "", &scale(2), "constant(1)"),
            ("Model", "layerscale_value=0.3", &scale(1), "constant(0.3)"),
            ("Model", "use_mask_token=false", "mask_token", "absent"),
            ("Model", "", "register_tokens", "absent"),
            ("ForImageClassification", "", "classifier.weight", "[2, 128]"),
        ],
    );
    // The gate and what it weighs, each of two thirds of 4 widths, up to the next eight.
    for (width, gated) in [(64, 176), (60, 160), (48, 128)] {
        let weights = |part: &str| format!("encoder.layer.0.mlp.weights_{part}.weight");
        assert_tensors(
            "Dinov2Model",
            &with(VIT, &format!("use_swiglu_ffn=true hidden_size={width}")),
            &[
                ("", "", &weights("in"), &format!("[{}, {width}]", 2 * gated)),
                ("", "", &weights("out"), &format!("[{width}, {gated}]")),
                ("", "", "mlp.fc1.weight", "absent"),
            ],
        );
    }
    let name = "dinov2_with_registers.embeddings.register_tokens";
    assert_tensors(
        "Dinov2WithRegisters",
        &with(VIT, "use_mask_token=false num_register_tokens=3"),
        &[
            ("ForImageClassification", "", name, "[1, 3, 64] constant(0)"),
            // There is no such choice with registers.
            ("Model", "", "mask_token", "there"),
        ],
    );

    let sizes = "hidden_size num_hidden_layers patch_size";
    assert_bad_numbers_are_refused("Dinov2Model", VIT, sizes, "num_hidden_layers");
    let wrong = "image_size=[32] mlp_ratio=2.5 num_register_tokens=-1 initializer_range=0";
    assert_each_refused("Dinov2WithRegistersModel", VIT, wrong);
}

#[test]
fn beit_is_as_its_class_and_options_say() {
    let table = "relative_position_bias.relative_position_bias_table";
    let own = &format!("encoder.layer.0.attention.attention.{table}");
    let wide = "use_shared_relative_position_bias=true image_size=[32,48]";
    assert_tensors(
        "Beit",
        VIT,
        &[
            // Of 4 x 4 patches there are 7 x 7 distances, of 4 x 6 there are 7 x 11, and three of the first token.
            ("Model", "use_relative_position_bias=true", own, "[52, 4] constant(0)"),
            ("Model", wide, &format!("encoder.{table}"), "[80, 4] constant(0)"),
            ("Model", "", "relative_position_bias_table", "absent"),
            ("Model", "use_absolute_position_embeddings=true", POSITIONS, "[1, 17, 64] constant(0)"),
            ("Model", "use_mask_token=true", "embeddings.mask_token", "[1, 1, 64] constant(0)"),
            ("Model", "", POSITIONS, "absent"),
            ("Model", "", "embeddings.mask_token", "absent"),
            ("Model", "", "key.bias", "absent"),
            ("Model", "layer_scale_init_value=0.3", "encoder.layer.0.lambda_1", "constant(0.3)"),
            ("Model", "layer_scale_init_value=0", "lambda_2", "absent"),
            // The one that is last is the pooler's, or that of all patches.
            ("Model", "", "pooler.layernorm.weight", "there"),
            ("Model", "use_mean_pooling=false", "pooler.layernorm.weight", "absent"),
            ("ForMaskedImageModeling", "use_mean_pooling=false", "beit.layernorm.weight", "there"),
            ("ForMaskedImageModeling", "", "beit.layernorm.weight", "absent"),
            ("ForMaskedImageModeling", "", "pooler.layernorm.weight", "absent"),
            ("ForMaskedImageModeling", "vocab_size=17", "lm_head.weight", "[17, 64]"),
            ("ForImageClassification", "", "classifier.weight", "[2, 64]"),
        ],
    );

    let sizes = "hidden_size num_hidden_layers intermediate_size patch_size";
    assert_bad_numbers_are_refused("BeitForImageClassification", VIT, sizes, "num_hidden_layers");
    let wrong = r#"image_size=[32] layer_scale_init_value="0.1" vocab_size=-1 vocab_size=null"#;
    assert_each_refused("BeitForMaskedImageModeling", VIT, wrong);
    assert_each_refused("BeitModel", &with(VIT, "use_relative_position_bias=true"), "patch_size=[8,4]");
}

#[test]
fn beit_for_segments_has_its_pyramid_of_features() {
    let class = "BeitForSemanticSegmentation";
    let keys = with(VIT, "num_hidden_layers=4 out_indices=[0,1,3,4]");
    let bottleneck = "decode_head.bottleneck.conv.weight";
    let deep = "auxiliary_num_convs=2 auxiliary_concat_input=true auxiliary_channels=20";
    assert_tensors(
        class,
        &keys,
        &[
            ("", "", "fpn1.3.weight", "[64, 64, 2, 2] normal(0, 0.02^2)"),
            ("", "", bottleneck, "[64, 320, 3, 3]"),
            ("", "pool_scales=[1,2]", bottleneck, "[64, 192, 3, 3]"),
            ("", "pool_scales=[1,2]", "psp_modules.2.1.bn.weight", "absent"),
            ("", "", "decode_head.fpn_bottleneck.conv.weight", "[64, 256, 3, 3]"),
            ("", "", "decode_head.fpn_convs.0.bn.num_batches_tracked", "there"),
            ("", deep, "auxiliary_head.convs.0.conv.weight", "[20, 64, 3, 3]"),
            ("", deep, "auxiliary_head.convs.1.conv.weight", "[20, 20, 3, 3]"),
            ("", deep, "auxiliary_head.conv_cat.conv.weight", "[20, 84, 3, 3]"),
            ("", deep, "auxiliary_head.classifier.weight", "[2, 20, 1, 1]"),
            ("", "", "conv_cat.bn.num_batches_tracked", "absent"),
            ("", "use_auxiliary_head=false", "auxiliary_head.classifier.bias", "absent"),
            ("", "", "beit.pooler.layernorm.weight", "absent"),
        ],
    );
    assert_tensors("BeitModel", &keys, &[("", "", "classifier.weight", "absent")]);
    for (end, value) in [("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)] {
        for norm in ["fpn1.1", "decode_head.lateral_convs.2.bn", "decode_head.psp_modules.3.1.bn"] {
            let claim = format!("[64] constant({value})");
            assert_tensors(class, &keys, &[("", "", &format!("{norm}.{end}"), &claim)]);
        }
    }

    assert_refused(class, &without(&keys, "out_indices"), "out_indices");
    assert_each_refused(
        class,
        &keys,
        r#"out_indices=null out_indices=3 out_indices=[0,1,3] out_indices=[0,1,3,5] out_indices=[0,1,1,4]
        out_indices=[0,3,1,4] out_indices=[-1,1,3,4] out_indices=[0,1,2,"3"]
        auxiliary_num_convs=-1 auxiliary_channels=null pool_scales=3"#,
    );
}

const SWIN: &str = "embed_dim=16 depths=[1,1,2] num_heads=[2,4,8] window_size=4 image_size=64 patch_size=4";

#[test]
fn swin_is_as_its_class_and_options_say() {
    // Widths double from stage to stage.
    let block = |name: &str| format!("encoder.layers.2.blocks.1.{name}");
    let (downsample, absolute) = ("encoder.layers.1.downsample", "use_absolute_embeddings=true image_size=[64,34]");
    let second = |name: &str| format!("encoder.layers.0.blocks.0.attention.self.{name}");
    assert_tensors(
        "Swin",
        SWIN,
        &[
            ("Model", "", &block("attention.self.query.weight"), "[64, 64] normal(0, 0.02^2)"),
            ("Model", "", &block("attention.self.relative_position_bias_table"), "[49, 8] constant(0)"),
            ("Model", "mlp_ratio=1.3", &block("intermediate.dense.weight"), "[83, 64]"),
            ("Model", "", &format!("{downsample}.reduction.weight"), "[64, 128]"),
            ("Model", "", &format!("{downsample}.norm.weight"), "[128] constant(1)"),
            ("v2Model", "", &format!("{downsample}.norm.weight"), "[64]"),
            ("Model", "", "layers.2.downsample.norm.weight", "absent"),
            ("Model", "", POSITIONS, "absent"),
            ("Model", "", "embeddings.mask_token", "absent"),
            ("Model", "depths=[1,0,2]", "layers.1.downsample.norm.weight", "there"),
            ("Model", "depths=[1,0,2]", "layers.1.blocks.0.output.dense.bias", "absent"),
            ("Model", absolute, POSITIONS, "[1, 128, 16]"),
            ("v2Model", absolute, POSITIONS, "[1, 129, 16]"),
            ("ForImageClassification", "", "classifier.weight", "[2, 64]"),
            ("ForMaskedImageModeling", "", "decoder.0.weight", "[3072, 64, 1, 1]"),
            ("ForMaskedImageModeling", "", "swin.embeddings.mask_token", "[1, 1, 16]"),
            // The second's bias by distance is a network's, and its keys have none.
            ("Model", "", "attention.self.key.bias", "there"),
            ("v2Model", "", "attention.self.key.bias", "absent"),
            ("Model", "qkv_bias=false", "attention.self.query.bias", "absent"),
            ("v2Model", "", "relative_position_bias_table", "absent"),
            ("Model", "", "logit_scale", "absent"),
            (
                "v2ForImageClassification",
                "",
                &format!("swinv2.{}", second("logit_scale")),
                &format!("[2, 1, 1] constant({})", 10f64.ln()),
            ),
            ("v2Model", "", &second("continuous_position_bias_mlp.2.weight"), "[2, 512]"),
        ],
    );

    for class in ["SwinForMaskedImageModeling", "Swinv2ForMaskedImageModeling"] {
        assert_bad_numbers_are_refused(class, SWIN, "embed_dim window_size", "");
        assert_refused(class, &without(SWIN, "depths"), "depths");
        assert_refused(class, &without(SWIN, "num_heads"), "num_heads");
        assert_each_refused(
            class,
            SWIN,
            r#"depths=8 depths="8" depths=[] depths=[2,"a",8] depths=[2,-1,8] depths=[2,1.5,8] depths=[2,1000000000000,1e30]
            num_heads=8 num_heads="8" num_heads=[] num_heads=[2,"a",8] num_heads=[2,-1,8] num_heads=[2,1.5,8]
            num_heads=[2,1000000000000,1e30] num_heads=[2,4] num_heads=[2,4,7] num_heads=[0,4,8] num_layers=2
            image_size=[32] patch_size=0 window_size=0 mlp_ratio=null encoder_stride=0.5"#,
        );
        // There may be fewer stages than heads are said of.
        planned(class, &with(SWIN, "depths=[2,4]"));
    }
    assert_refused("SwinModel", &with(SWIN, "num_hidden_layers=2"), "num_layers");
    // Of an image that vanishes on its way there are no windows.
    assert_each_refused("Swinv2Model", SWIN, "image_size=12 pretrained_window_sizes=[8]");
}

#[test]
fn convnext_is_as_its_class_and_options_say() {
    let keys = "hidden_sizes=[8,12,24] depths=[1,0,2] num_stages=3";
    let (patches, wide) = ("embeddings.patch_embeddings.weight", "image_size=[32,64]");
    let scale = "encoder.stages.2.layers.1.layer_scale_parameter";
    assert_tensors(
        "ConvNext",
        keys,
        &[
            ("Model", "", scale, "[24] constant(1e-6)"),
            ("Model", "layer_scale_init_value=0.5", scale, "constant(0.5)"),
            ("Model", "layer_scale_init_value=0.0", "layer_scale_parameter", "absent"),
            ("Model", "layer_scale_init_value=-1.0", "layer_scale_parameter", "absent"),
            ("Model", "", "encoder.stages.1.downsampling_layer.0.weight", "[8]"),
            ("Model", "", "encoder.stages.2.downsampling_layer.1.weight", "[24, 12, 2, 2]"),
            ("Model", "", "stages.0.downsampling_layer.0.weight", "absent"),
            ("Model", "", "stages.1.layers.0.dwconv.weight", "absent"),
            ("Model", "patch_size=2 num_channels=1", patches, "[8, 1, 2, 2]"),
            ("Model", &format!("patch_size=[4,2] {wide}"), patches, "[8, 3, 4, 2]"),
            ("Model", &format!("patch_size=3 {wide}"), patches, "[8, 3, 3, 3]"),
            ("Model", "", patches, "[8, 3, 4, 4]"),
            ("ForImageClassification", "", "classifier.weight", "[2, 24]"),
        ],
    );

    for key in ["hidden_sizes", "depths"] {
        assert_refused("ConvNextModel", &without(keys, key), key);
        for value in ["8", "\"8\"", "[8,12]", "[8,\"a\",24]", "[8,-1,24]", "[8,1.5,24]", "[8,1000000000000,1e30]"] {
            assert_each_refused("ConvNextModel", keys, &format!("{key}={value}"));
        }
    }
    let wrong = "patch_size=[4] patch_size=[4,4,4] patch_size=null patch_size=\"4\" num_stages=4";
    assert_each_refused("ConvNextModel", keys, wrong);
}

#[test]
fn resnet_is_as_its_class_and_options_say() {
    let keys = "embedding_size=16 hidden_sizes=[32,40] depths=[1,2]";
    let first = "encoder.stages.0.layers.0.layer.0.convolution.weight";
    let stem = format!("[16, 3, 7, 7] normal(0, {}^2)", (2.0 / 784f64).sqrt());
    assert_tensors(
        "ResNet",
        keys,
        &[
            ("Model", "", first, "[8, 16, 1, 1]"),
            ("Model", "hidden_sizes=[34,40]", first, "[8, 16, 1, 1]"),
            ("Model", "layer_type=basic", first, "[32, 16, 3, 3]"),
            ("Model", "", "encoder.stages.1.layers.1.layer.2.convolution.weight", "[40, 10, 1, 1]"),
            ("Model", "", "encoder.stages.1.layers.0.shortcut.convolution.weight", "[40, 32, 1, 1]"),
            ("Model", "hidden_sizes=[32,32]", "stages.1.layers.0.shortcut.convolution.weight", "there"),
            // A stage has a layer at least.
            ("Model", "depths=[0,1]", "stages.0.layers.0.layer.2.normalization.num_batches_tracked", "there"),
            ("Model", "layer_type=basic", "layer.2.normalization.num_batches_tracked", "absent"),
            ("Model", "", "embedder.embedder.convolution.weight", &stem),
            ("ForImageClassification", "", "classifier.1.weight", "[2, 40]"),
        ],
    );
    // A shortcut where the widths differ, or the first layer of a stage halves the image.
    for (more, shortcut) in [
        ("", "there"),
        ("embedding_size=32", "absent"),
        ("embedding_size=32 layer_type=basic", "absent"),
        ("embedding_size=32 downsample_in_first_stage=true", "there"),
    ] {
        assert_tensors(
            "ResNetModel",
            keys,
            &[
                ("", more, "stages.0.layers.0.shortcut.normalization.running_var", shortcut),
                ("", more, "layers.1.shortcut.convolution.weight", "absent"),
            ],
        );
    }

    for key in ["hidden_sizes", "depths"] {
        assert_refused("ResNetModel", &without(keys, key), key);
        for value in ["8", "[8]", "[8,\"a\"]", "[8,-1]", "[8,1.5]", "[1000000000000,1e30]"] {
            assert_each_refused("ResNetModel", keys, &format!("{key}={value}"));
        }
    }
    assert_each_refused("ResNetModel", keys, "layer_type=other embedding_size=\"16\"");
}

#[test]
fn wav2vec2_is_as_its_class_and_options_say() {
    let keys = "hidden_size=64 num_hidden_layers=2 num_attention_heads=4 intermediate_size=112 conv_dim=[16,24] \
        conv_kernel=[5,4] conv_stride=[3,2] num_conv_pos_embeddings=16 num_conv_pos_embedding_groups=4";
    let conv = |name: &str| format!("feature_extractor.conv_layers.{name}");
    let normal = |shape: &str, std: f64| format!("{shape} normal(0, {std}^2)");
    // A weight that is apart into itself and the norms of its taps, of the same numbers.
    let taps = |name: &str| format!("encoder.pos_conv_embed.conv.parametrizations.weight.{name}");
    let norms = "[1, 1, 16] column_norms:bound=0.0625,rows=1024,columns=16";
    let (adapted, adapter) = ("layers.1.adapter_layer.linear_1.bias", "add_adapter=true output_hidden_size=40");
    assert_tensors(
        "Wav2Vec2",
        keys,
        &[
            ("Model", "", &conv("0.conv.weight"), &normal("[16, 1, 5]", 0.4f64.sqrt())),
            ("Model", "", &conv("1.conv.weight"), "[24, 16, 4]"),
            ("Model", "conv_bias=true", &conv("1.conv.bias"), "[24] uniform[-0.125, 0.125)"),
            ("Model", "", &conv("1.layer_norm.weight"), "absent"),
            ("Model", "feat_extract_norm=layer", &conv("1.layer_norm.weight"), "there"),
            ("Model", "", &taps("original1"), "[64, 16, 16] uniform[-0.0625, 0.0625)"),
            ("Model", "", &taps("original0"), norms),
            ("Model", "", "masked_spec_embed", "there"),
            ("Model", "mask_time_prob=0.0", "masked_spec_embed", "absent"),
            ("Model", "mask_time_prob=0 mask_feature_prob=0.1", "masked_spec_embed", "there"),
            ("Model", "adapter_attn_dim=8", adapted, "absent"),
            ("Model", "adapter_attn_dim=8 do_stable_layer_norm=true", adapted, "there"),
            ("Model", adapter, "adapter.layers.2.conv.weight", &normal("[80, 40, 3]", (2.0f64 / 120.0).sqrt())),
            ("ForCTC", adapter, "lm_head.weight", "[32, 40]"),
            ("ForPreTraining", "", "quantizer.codevectors", "[1, 640, 128] uniform[0, 1)"),
            ("ForPreTraining", "", "quantizer.weight_proj.weight", "[640, 24] normal(0, 1^2)"),
            ("ForPreTraining", "", "project_hid.bias", "[256] uniform[-0.125, 0.125)"),
            (
                "ForSequenceClassification",
                "use_weighted_layer_sum=true",
                "layer_weights",
                &format!("[3] constant({})", 1.0 / 3.0),
            ),
            ("ForXVector", "", "tdnn.1.kernel.weight", "[512, 1536]"),
            ("ForXVector", "", "objective.weight", "normal(0, 1^2)"),
        ],
    );
    for class in ["Wav2Vec2Model", "Wav2Vec2ForCTC"] {
        let plan = planned(class, keys);
        let norms = plan.iter().find(|planned| planned.name.ends_with("original0")).unwrap();
        assert_eq!(norms.draw.as_ref().unwrap().stream, norms.name.replace("original0", "original1"));
    }

    let sizes = "hidden_size num_hidden_layers intermediate_size";
    assert_bad_numbers_are_refused("Wav2Vec2ForCTC", keys, sizes, "num_hidden_layers");
    for (class, wrong) in [
        (
            "Model",
            r#"num_attention_heads=5 conv_dim=[16] conv_kernel=[5,3,2] conv_stride=[] conv_dim=16 conv_dim=[16,"24"]
            feat_extract_norm=other num_conv_pos_embedding_groups=5 feat_extract_activation=prelu"#,
        ),
        ("ForCTC", "vocab_size=null"),
        ("ForPreTraining", "codevector_dim=255"),
        ("ForSequenceClassification", "add_adapter=true"),
        ("ForXVector", "tdnn_kernel=[5]"),
    ] {
        assert_each_refused(&format!("Wav2Vec2{class}"), keys, wrong);
    }
}

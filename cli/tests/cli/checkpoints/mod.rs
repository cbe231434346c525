//! Whole checkpoints: rules, shards, ranks, interruption, verification.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::*;
use safetensors::SafeTensors;
use serde_json::{Value, json};

mod contents;
mod interrupted;
mod notes;
mod ranks;
mod refused;
mod verified;

/// A model with all that makes a difference: dtypes, ranks, uneven dimensions, a padding row, a tied tensor.
const MODEL: &str = r#"{
    "__metadata__": {"format": "pt"},
    "embeddings.word_embeddings.weight": {"dtype": "F32", "shape": [1001, 64]},
    "encoder.layer.0.query.weight": {"dtype": "BF16", "shape": [96, 64]},
    "encoder.layer.0.query.bias": {"dtype": "BF16", "shape": [96]},
    "encoder.layer.1.query.weight": {"dtype": "F16", "shape": [96, 64]},
    "encoder.layer.1.conv.weight": {"dtype": "F32", "shape": [7, 5, 3, 3]},
    "encoder.layer.1.hidden.weight": {"dtype": "F32", "shape": [40, 96]},
    "encoder.layer.1.recurrent.weight": {"dtype": "BF16", "shape": [96, 40]},
    "encoder.layer.1.norm.weight": {"dtype": "F32", "shape": [64]},
    "scalar": {"dtype": "F32", "shape": []},
    "decoder.weight": {"dtype": "F32", "shape": [1001, 64]},
    "position_ids": {"dtype": "I64", "shape": [1, 64]}
}"#;

const RULES: &str = r#"
[constants]
std = 0.02
[count]
n_layers = "encoder.layer.*.query.weight"
[[rule]]
name = "*word_embeddings.weight"
scheme = "normal:std=std"
zero_row = 1
[[rule]]
name = "decoder.weight"
scheme = "normal:std=std"
stream = "embeddings.word_embeddings.weight"
zero_row = 1
[[rule]]
name = "*.query.weight"
scheme = "truncated_normal:std=std/sqrt(2*n_layers)"
[[rule]]
name = "*.bias"
fans_from = "weight"
scheme = "standard"
[[rule]]
name = "*"
rank = 4
scheme = "he_uniform"
[[rule]]
name = "*.hidden.weight"
scheme = "sparse:sparsity=1/2,std=std"
[[rule]]
name = "*.recurrent.weight"
scheme = "orthogonal:gain=sqrt(2)"
[[rule]]
name = ["*.norm.weight", "scalar"]
scheme = "ones"
"#;

impl Folder {
    fn with_model() -> Folder {
        let folder = Folder::new();
        folder.write("model.json", MODEL);
        folder.write("rules.toml", RULES);
        folder
    }

    /// `init` of the model by the rules.
    fn init(&self, output: &str, more: &[&str]) -> String {
        let (model, rules, output) = (self.path("model.json"), self.path("rules.toml"), self.path(output));
        succeed(&[&["init", &model, "--rules", &rules, "-o", &output, "--seed", "5", "--device", "cpu"], more].concat())
    }
}

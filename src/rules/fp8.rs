//! Quantised configurations: the weights that files have in fp8 (E4M3), in blocks that share a scale.

use serde_json::Value;

use super::config::{Config, QUANTISATION as KEY, shown};
use super::file_dtype::FileDtype;
use super::model::Tensor;
use crate::error::quoted;
use crate::limits::rules::MAX_COMPARED;
use crate::{Error, ErrorKind};

/// The rows and columns of a block where none are said.
const BLOCK: [u64; 2] = [128, 128];

/// Further keys, each with the JSON that files are written by.
const KNOWN: [(&str, &[&str]); 6] = [
    ("fmt", &[r#""e4m3""#, r#""e4m3fn""#, r#""float8_e4m3fn""#, "null"]),
    ("activation_scheme", &[r#""dynamic""#]),
    ("scale_fmt", &[r#""float""#]),
    ("expert_dtype", &[r#""fp8""#]),
    ("modules_to_convert", &["null", "[]"]),
    ("dequantize", &["false", "true"]),
];

/// The keys of modules that are left as they are, either of which may have them.
const KEPT: [&str; 2] = ["modules_to_not_convert", "ignored_layers"];

/// A configuration's quantisation.
pub(super) struct Fp8 {
    block: [u64; 2],
    /// The modules that are left as they are, with the key that says so; without one, the output's.
    kept: Option<(String, Vec<String>)>,
}

/// The remedy of a quantisation that is not written.
pub(super) fn remedy(key: &str) -> String {
    format!("null, for the model before it is quantised: with the program, --set {key}=null")
}

impl Fp8 {
    /// The quantisation of a configuration, if it has one.
    pub fn from_config(config: &Config) -> Result<Option<Fp8>, Error> {
        let Some(value) = config.get(KEY) else { return Ok(None) };
        let wrong = |key: String, value: String, allowed: String| Error::new(ErrorKind::Config, key, value, allowed);
        let named = |key: &str| config.named(&format!("{KEY}.{key}"));
        let method = value.get("quant_method");
        let (Value::Object(values), Some("fp8")) = (value, method.and_then(Value::as_str)) else {
            let (key, value) = match method {
                Some(method) => (named("quant_method"), shown(method)),
                None => (config.named(KEY), shown(value)),
            };
            let allowed = format!("fp8 by blocks, as its quant_method \"fp8\" says; or of {KEY} {}", remedy(KEY));
            return Err(wrong(key, value, allowed));
        };
        let (mut block, mut kept) = (BLOCK, None);
        for (key, value) in values {
            let refused = |allowed: String| Err(wrong(named(key), shown(value), allowed));
            match key.as_str() {
                "quant_method" => {}
                "weight_block_size" => match sizes(value) {
                    Some(sizes) => block = sizes,
                    None => return refused("two whole numbers, 1 or more, such as [128, 128]".into()),
                },
                key if KEPT.contains(&key) => match value {
                    Value::Null => {}
                    Value::Array(list) => {
                        if let Some((i, item)) = list.iter().enumerate().find(|(_, item)| module(item).is_none()) {
                            let allowed = "the name of a module, which is no pattern";
                            return Err(wrong(named(&format!("{key}[{i}]")), shown(item), allowed.into()));
                        }
                        let modules: Vec<_> = list.iter().filter_map(module).map(String::from).collect();
                        // Either would be passed over.
                        if let Some((other, _)) = kept.as_ref().filter(|(_, first)| *first != modules) {
                            return refused(format!("the same as {other}, or one of them"));
                        }
                        kept = Some((named(key), modules));
                    }
                    _ => return refused("null, or a list of modules' names".into()),
                },
                key => match KNOWN.iter().find(|(known, _)| *known == key) {
                    Some((_, allowed)) if allowed.contains(&value.to_string().as_str()) => {}
                    Some((_, allowed)) => return refused(allowed.join(", ")),
                    None => {
                        let known = KNOWN.iter().map(|(key, _)| *key).chain(KEPT).collect::<Vec<_>>().join(", ");
                        return refused(format!("none such, but quant_method, weight_block_size, {known}"));
                    }
                },
            }
        }
        Ok(Some(Fp8 { block, kept }))
    }

    /// Quantises those of the tensors that are weights of linear layers, whose names have such patterns, but for the modules that are left
    /// as they are. A module that is tied, whose weight is another's, cannot be quantised alone.
    pub fn quantise(
        &self,
        tensors: &mut [Tensor],
        linear: &[glob::Pattern],
        tied: &[(&str, &str)],
    ) -> Result<(), Error> {
        if let Some((key, kept)) = &self.kept
            && let Some((module, formula)) = tied.iter().find(|(tied, _)| !kept.iter().any(|kept| is_of(tied, kept)))
        {
            let said = format!("does not name {module}, whose weight is another tensor's where {formula}");
            let error = Error::failed(ErrorKind::Config, key.clone(), said);
            return Err(error.allowing(format!("a list with {module}, or a weight of its own for it")));
        }
        // As transformers has it, where nothing is said: what makes the output, which comes last.
        let last = tensors.last().and_then(|last| last.name.strip_suffix(".weight")).map(String::from);
        let output = (String::new(), last.into_iter().collect());
        let (key, kept) = self.kept.as_ref().unwrap_or(&output);
        let most = MAX_COMPARED / tensors.len().max(1);
        if kept.len() > most {
            let thing = format!("the number of modules in {key}, for a model of {} tensors,", tensors.len());
            return Err(Error::new(ErrorKind::Config, thing, kept.len(), format!("at most {most}")));
        }
        for tensor in tensors.iter_mut().filter(|tensor| linear.iter().any(|linear| linear.matches(&tensor.name))) {
            let module = tensor.name.strip_suffix(".weight").unwrap_or(&tensor.name);
            let all = experts(module).unwrap_or(module);
            let is_of_one = |kept: &&String| is_of(module, kept) && !is_of(all, kept);
            if let Some(of_one) = kept.iter().find(is_of_one).filter(|_| self.kept.is_some()) {
                let allowed = format!("all of {all}, which are quantised together, or none");
                return Err(Error::new(ErrorKind::Config, key.clone(), quoted(of_one), allowed));
            }
            if kept.iter().any(|kept| is_of(all, kept)) {
                continue;
            }
            if tensor.shape.len() != 2 {
                let thing = format!("the shape of {}, which {KEY} has in blocks,", tensor.name);
                return Err(Error::new(ErrorKind::Config, thing, format!("{:?}", tensor.shape), "rows and columns"));
            }
            (tensor.dtype, tensor.fp8_block) = (Some(FileDtype::F8E4M3), Some(self.block));
        }
        Ok(())
    }
}

/// The sizes of a block.
fn sizes(value: &Value) -> Option<[u64; 2]> {
    let [rows, columns] = &value.as_array()?[..] else { return None };
    Some([rows.as_u64()?, columns.as_u64()?]).filter(|sizes| !sizes.contains(&0))
}

/// The name of a module, if it is one: of other signs, transformers would make a regular expression.
fn module(value: &Value) -> Option<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    value.as_str().filter(|name| !name.is_empty() && name.chars().all(is_plain))
}

/// The module that holds all experts, of a module of one of them.
fn experts(module: &str) -> Option<&str> {
    let (before, one) = module.split_once(".experts.")?;
    one.starts_with(|c: char| c.is_ascii_digit()).then(|| &module[..before.len() + ".experts".len()])
}

/// Whether a module is one that transformers leaves as it is for such a name: it begins with the name, where a dot stands for any character,
/// up to a dot or its own end; or it ends with the name. No module has an empty name, as the output of a tensor named `.weight` would.
fn is_of(module: &str, name: &str) -> bool {
    if name.is_empty() {
        return false;
    }
    let (module, name) = (module.as_bytes(), name.as_bytes());
    let begins = module.len() >= name.len() && name.iter().zip(module).all(|(n, m)| n == m || *n == b'.');
    let is_whole = || module.get(name.len()).is_none_or(|next| *next == b'.') || module[name.len() - 1] == b'.';
    begins && is_whole() || module.ends_with(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_left_by_their_begin_or_their_end() {
        for (module, name, is) in [
            ("lm_head", "lm_head", true),
            ("model.lm_head", "lm_head", true),
            ("model.layers.1.self_attn.q_proj", "model.layers.1", true),
            ("model.layers.11.self_attn.q_proj", "model.layers.1", false),
            ("model.layers.11.self_attn.q_proj", "model.layers.", true),
            ("model.layers.1.mlp.gate_proj", "model.layers.1.mlp.gate", false),
            ("model.layers.1.mlp.gate_proj", "proj", true),
            ("model.layers.1.mlp.gate_proj", "model.layers.1.mlp.gate.proj", true),
            ("model.layers.1.mlp.gate_proj", "gate.proj", false),
            ("head", "lm_head", false),
            ("a", "", false),
            ("", "", false),
        ] {
            assert_eq!(is_of(module, name), is, "{module} {name}");
        }
        assert_eq!(experts("model.layers.1.mlp.experts.12.up_proj"), Some("model.layers.1.mlp.experts"));
        assert_eq!(experts("model.layers.1.mlp.shared_experts.up_proj"), None);
    }
}

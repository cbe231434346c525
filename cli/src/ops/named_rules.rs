//! Rules, and what they are called.

use std::path::Path;

use fanin::rules::{Plan, Rules, Tensor};

use crate::failure::Failure;

/// Rules, and what they are called, such as `preset gpt2`.
pub struct NamedRules {
    pub rules: Rules,
    pub name: String,
}

impl NamedRules {
    /// The plan of a model's tensors, whose dtypes are not the rules' to say; `path` is the model's.
    pub fn plan(&self, tensors: &[Tensor], path: &Path) -> Result<Plan, Failure> {
        self.rules.plan_by_shapes(tensors).map_err(|e| Failure::input(format!("{}: {e:#}", path.display())))
    }
}

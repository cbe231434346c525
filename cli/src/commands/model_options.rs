//! The model that a command is about: its tensors, from a file of them or by its configuration.

use std::path::{Path, PathBuf};

use fanin::rules::{Architecture, Config, Described, Tensor};

use crate::draw::torch_order::TorchOrder;
use crate::failure::{Failure, near};
use crate::files::plan::RecordedPlan;
use crate::files::{model, toml};
use crate::ops::named_rules::NamedRules;

#[derive(clap::Args)]
pub struct ModelOptions {
    /// Another value of a configuration: KEY=VALUE, JSON or text, such as num_hidden_layers=2. Repeatable.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// An architecture of your own for a configuration, a TOML file: which tensors there are, and how they start
    #[arg(long, value_name = "ARCHITECTURE.toml")]
    architecture: Option<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.trim().is_empty());
    pair.map(|(key, value)| (key.trim().into(), value.into())).ok_or_else(|| "allowed: KEY=VALUE".into())
}

/// A model that was read: its tensors, and what its file says of them.
pub struct LoadedModel {
    pub tensors: Vec<Tensor>,
    /// The rules of a configuration's architecture, or of a plan, and what they are called.
    pub own_rules: Option<NamedRules>,
    /// The configuration with the values that were set.
    pub config: Option<Config>,
    /// The file in which a plan has the values of tensors that are not drawn.
    pub values: Option<PathBuf>,
    /// The order in which PyTorch draws a plan's tensors.
    pub order: Option<TorchOrder>,
}

impl ModelOptions {
    /// True if anything was said.
    pub fn is_given(&self) -> bool {
        !self.set.is_empty() || self.architecture.is_some()
    }

    pub fn read(&self, path: &Path) -> Result<LoadedModel, Failure> {
        let mut config = match model::read(path)? {
            model::ModelFile::Config(config) => config,
            model::ModelFile::Tensors(tensors) => {
                self.refused(path, "a list of tensors")?;
                return Ok(LoadedModel { tensors, own_rules: None, config: None, values: None, order: None });
            }
            model::ModelFile::Plan(plan) => {
                let RecordedPlan { tensors, rules, values, order } = *plan;
                self.refused(path, "a plan")?;
                let name = format!("plan {}", path.file_name().unwrap_or_default().to_string_lossy());
                return Ok(LoadedModel {
                    tensors,
                    own_rules: Some(NamedRules { rules, name }),
                    config: None,
                    values,
                    order: Some(order),
                });
            }
        };
        let failed = |e: &dyn std::fmt::Display| Failure::input(format!("{}: {e}", path.display()));
        let wrong = |e: fanin::Error| failed(&format!("{e:#}"));
        // The names of the configuration's architecture may be set too.
        for (key, value) in self.set.iter().filter(|(key, _)| ["architectures", "model_type"].contains(&key.as_str())) {
            config.set(key, value).map_err(wrong)?;
        }
        let (architecture, name) = match &self.architecture {
            Some(path) => {
                (toml::read(path)?, format!("architecture {}", path.file_name().unwrap_or_default().to_string_lossy()))
            }
            None => {
                let architecture =
                    Architecture::for_config(&config).map_err(|e| failed(&format!("{e:#}, by --architecture")))?;
                let name = format!("architecture {}", architecture.name());
                (architecture, name)
            }
        };
        for (key, value) in &self.set {
            if !config.has(key) && !architecture.keys().any(|known| known == *key) {
                let keys: Vec<_> = architecture.keys().collect();
                let near = near(key, keys.iter().map(String::as_str));
                return Err(failed(&format!(
                    "--set {key}: the config has no such key{near} allowed: one that it has, or that its architecture knows"
                )));
            }
            config.set(key, value).map_err(wrong)?;
        }
        let Described { model, rules, .. } = architecture.describe(&config).map_err(wrong)?;
        let (tensors, own_rules) = (model.into_tensors(), Some(NamedRules { rules, name }));
        Ok(LoadedModel { tensors, own_rules, config: Some(config), values: None, order: None })
    }

    /// The error of options for a configuration, where there is none.
    fn refused(&self, path: &Path, what: &str) -> Result<(), Failure> {
        if !self.is_given() {
            return Ok(());
        }
        let option = if self.set.is_empty() { "--architecture" } else { "--set" };
        let message = format!("{option} is given, and {} is {what}", path.display());
        Err(Failure::input(format!("{message}, allowed with {option}: a model's config.json")))
    }
}

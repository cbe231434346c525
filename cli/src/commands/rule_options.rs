//! The choice of a command's rules.

use std::path::PathBuf;

use fanin::rules::{Planned, RuleLine, Rules, Tensor};
use fanin::scheme::Shaped;
use fanin::{Distribution, Layout, Scheme};

use crate::failure::{Failure, near};
use crate::files::model;
use crate::ops::named_rules::NamedRules;
use crate::say;

#[derive(clap::Args)]
pub struct RuleOptions {
    /// One scheme for all matrices and convolutions, NAME[:key=value,...]; vectors start at 1 where they multiply (the
    /// weight, gamma or scale of a norm; a running variance) and at 0 otherwise [default: glorot_uniform]
    #[arg(long, value_parser = crate::commands::options::parse::<Scheme>, conflicts_with_all = ["rules", "preset"])]
    scheme: Option<Scheme>,
    /// The meaning of a weight's dimensions, for --scheme: out_in (PyTorch), in_out (Keras, JAX, GPT-2's Conv1D), out_kernel_in (MLX),
    /// depthwise (Keras), batch_out_in and batch_in_out (stacked experts), any with _transposed for transposed convolutions and
    /// :groups=N; axes:in_axes=A+B,out_axes=C,batch_axes=D; or fans:fan_in=N,fan_out=M. With PATTERN= before it, for tensors of such
    /// names, as in --layout "*.experts.*=batch_out_in"; the first that fits. [default: out_in]
    #[arg(long, value_name = "[PATTERN=]LAYOUT", value_parser = parse_layout, conflicts_with_all = ["rules", "preset"])]
    layout: Vec<(Option<String>, Layout)>,
    /// Rules, a TOML file: which scheme each tensor takes; or a plan, a JSON file.
    #[arg(long, value_name = "RULES.toml", conflicts_with = "preset")]
    rules: Option<PathBuf>,
    #[arg(long, value_name = "NAME", help = presets())]
    preset: Option<String>,
}

fn presets() -> String {
    let names: Vec<_> = Rules::presets().collect();
    format!("Rules that come with fanin: {}; or auto, by the tensors' names", names.join(", "))
}

/// The warning about a layout that is given with a scheme that asks for none.
pub fn passed_over(scheme: &Scheme) -> Option<String> {
    let is_asked = match scheme {
        Scheme::Fixed(_) => false,
        Scheme::Shaped(shaped) => {
            !matches!(shaped, Shaped::Sequence { .. } | Shaped::Sinusoids { .. } | Shaped::ColumnNorms { .. })
        }
        _ => true,
    };
    (!is_asked).then(|| format!("--layout is passed over, as {scheme} draws the same whatever the dimensions mean"))
}

/// A layout, or one for names of a pattern. Both may have `=`.
fn parse_layout(text: &str) -> Result<(Option<String>, Layout), String> {
    let failed = match text.parse() {
        Ok(layout) => return Ok((None, layout)),
        Err(e) => e,
    };
    let pairs = text.match_indices('=').map(|(at, _)| (&text[..at], text[at + 1..].parse::<Layout>()));
    let mut first = None;
    for (pattern, layout) in pairs {
        match layout {
            Ok(_) if pattern.is_empty() => return Err("the pattern is empty, allowed: PATTERN=LAYOUT".into()),
            Ok(layout) => return Ok((Some(pattern.into()), layout)),
            Err(e) => first = first.or(Some(e)),
        }
    }
    // A text that begins as a layout is one.
    let name = text.split(':').next().unwrap_or_default().trim();
    let is_layout = name.parse::<Layout>().is_ok() || ["axes", "fans"].contains(&name.trim_end_matches("_transposed"));
    Err(first.filter(|_| !is_layout).unwrap_or(failed).to_string())
}

impl RuleOptions {
    /// True if anything was said.
    pub fn is_given(&self) -> bool {
        self.scheme.is_some() || !self.layout.is_empty() || self.rules.is_some() || self.preset.is_some()
    }

    /// The warning about tensors that one scheme for all draws, although their names are not those of weights.
    pub fn doubtful<'a>(&self, planned: impl IntoIterator<Item = &'a Planned>, has_own: bool) -> Option<String> {
        if self.rules.is_some() || self.preset.is_some() || (has_own && !self.is_given()) {
            return None;
        }
        let is_weight =
            |name: &str| ["weight", "kernel", "embed"].iter().any(|part| name.to_lowercase().contains(part));
        // The scheme draws no tensor for which its rules have a pattern of its own, and no scheme draws a constant.
        let by_scheme = |p: &&Planned| {
            p.rule.as_ref().is_some_and(|met| met.pattern == "*")
                && p.draw.as_ref().is_some_and(|draw| !matches!(draw.distribution, Distribution::Constant { .. }))
        };
        let names = planned.into_iter().filter(by_scheme).map(|p| p.name.as_str()).filter(|name| !is_weight(name));
        let names: Vec<_> = names.collect();
        let more = names.len().saturating_sub(20);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = names.iter().take(20).copied().collect::<Vec<_>>().join(", ");
        (!names.is_empty()).then(|| {
            format!("drawn by the scheme, though the names say neither weight nor kernel nor embedding: {shown}{more}")
        })
    }

    /// The warning about rules that no tensor met, where they were written for this model: presets and --scheme are for any.
    pub fn unmet(&self, unmet: &[RuleLine]) -> Option<String> {
        if self.rules.is_some() && !unmet.is_empty() {
            let rule = |met: &RuleLine| format!("line {} ({})", met.line, met.pattern);
            let rules = unmet.iter().map(rule).collect::<Vec<_>>().join(", ");
            return Some(format!("no tensor met the rules of {rules}"));
        }
        let of_layout = |pattern: &&str| self.layout.iter().any(|(of, _)| of.as_deref() == Some(*pattern));
        let patterns: Vec<_> = unmet.iter().map(|met| met.pattern.as_str()).filter(of_layout).collect();
        if !patterns.is_empty() {
            return Some(format!("no tensor of two dimensions or more has --layout's {}", patterns.join(", ")));
        }
        self.scheme.as_ref().filter(|_| !self.layout.is_empty()).and_then(passed_over)
    }

    /// The rules, and what they are called: the model's own, where nothing else is said.
    pub fn rules(&self, model: &[Tensor], own: Option<NamedRules>) -> Result<NamedRules, Failure> {
        let is_layout_alone = !self.layout.is_empty() && self.scheme.is_none();
        match own {
            Some(own) if !self.is_given() => return Ok(own),
            Some(NamedRules { name, .. }) if is_layout_alone => {
                let message = format!(
                    "--layout is given without --scheme, and the model has the rules of {name} for its layouts"
                );
                return Err(Failure::input(format!("{message}, allowed: --layout with --scheme")));
            }
            _ => {}
        }
        if let Some(path) = &self.rules {
            let rules = model::rules(path)?;
            return Ok(NamedRules { rules, name: path.file_name().unwrap_or_default().to_string_lossy().into_owned() });
        }
        if let Some(name) = &self.preset {
            let name = name.to_ascii_lowercase();
            let is_auto = name == "auto";
            let name = match name.as_str() {
                "auto" => Rules::recognise(model)
                    .map_err(|e| Failure::input(format!("preset auto: {e:#} (--preset NAME, --rules RULES.toml)")))?,
                name => name,
            };
            let rules = Rules::preset(name).map_err(|_| {
                let known: Vec<_> = std::iter::once("auto").chain(Rules::presets()).collect();
                let near = near(name, known.iter().copied());
                Failure::input(format!("the preset is \"{name}\"{near} allowed: {}", known.join(", ")))
            })?;
            if let (Some(note), true) = (rules.note(), is_auto) {
                say::aside(&format!("fanin: preset auto took {name}: {note}"));
            }
            return Ok(NamedRules { rules, name: format!("preset {name}") });
        }
        let scheme = self.scheme.unwrap_or(fanin::scheme::glorot_uniform());
        let of_all = self.layout.iter().filter(|(pattern, _)| pattern.is_none()).map(|(_, layout)| *layout);
        let of_all: Vec<_> = of_all.collect();
        if of_all.len() > 1 {
            return Err(Failure::input("--layout is given twice without a pattern, allowed: once"));
        }
        let named: Vec<_> =
            self.layout.iter().filter_map(|(pattern, layout)| Some((pattern.as_deref()?, *layout))).collect();
        let layout = of_all.first().copied().unwrap_or(Layout::OUT_IN);
        let rules =
            Rules::from_scheme_in(scheme, layout, &named).map_err(|e| Failure::input(format!("--layout: {e:#}")))?;
        Ok(NamedRules { rules, name: format!("scheme {scheme}") })
    }
}

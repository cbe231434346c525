//! The matrices of a whole model: their variance gains, and the edges of their spectra.

use std::path::Path;

use fanin::probe::Activation;

use crate::commands::digits::four_digits;
use crate::commands::model_options::{LoadedModel, ModelOptions};
use crate::commands::rule_options::RuleOptions;
use crate::draw::engine::Engine;
use crate::failure::Failure;
use crate::ops::matrices::{Matrix, MatrixValues, matrices};
use crate::ops::spectra::{MeasuredMatrix, measure};
use crate::say;

/// The options of a probe of a model.
pub struct ModelProbe<'a> {
    pub path: &'a Path,
    pub model_options: &'a ModelOptions,
    pub rule_options: &'a RuleOptions,
    pub activation: Activation,
    pub seed: Option<u64>,
    pub device: &'a str,
    pub json: bool,
}

impl ModelProbe<'_> {
    pub fn run(&self) -> Result<(), Failure> {
        let matrices = self.matrices()?;
        if self.seed.is_some() && matrices.iter().all(|matrix| matches!(matrix.values, MatrixValues::Stored(..))) {
            let at = self.path.display();
            return Err(Failure::input(format!(
                "--seed is given, and {at} has all matrices' values, allowed: no --seed"
            )));
        }
        let engine = Engine::choose(self.device)?;
        let rows = measure(&matrices, self.activation, self.seed.unwrap_or(0), &engine)?;
        if self.json {
            say::json(&rows);
        } else {
            self.say(&rows, &engine);
        }
        Ok(())
    }

    fn matrices(&self) -> Result<Vec<Matrix>, Failure> {
        let LoadedModel { mut tensors, own_rules, .. } = self.model_options.read(self.path)?;
        tensors.retain(|tensor| !tensor.is_integer());
        if let Some(quantised) = tensors.iter().find(|tensor| tensor.fp8_block.is_some()) {
            return Err(Failure::input(format!(
                "{}: the configuration has {} in fp8, which is not measured, allowed: the model before it is quantised, by --set \
                 quantization_config=null",
                self.path.display(),
                quantised.name
            )));
        }
        let rules = self.rule_options.rules(&tensors, own_rules)?;
        matrices(rules.plan(&tensors, self.path)?, self.path)
    }

    fn say(&self, rows: &[MeasuredMatrix], engine: &Engine) {
        let activation = self.activation;
        say!(
            "{}, matrices before {activation}, seed {}, {}",
            self.path.display(),
            self.seed.unwrap_or(0),
            engine.name()
        );
        say!("     gain   wanted   largest  expected  smallest  expected  matrix");
        let number = |x: Option<f64>| x.map_or("-".into(), four_digits);
        for row in rows {
            let like_it = if row.like_it > 0 { format!(" and {} like it", row.like_it) } else { String::new() };
            let marks = [(row.isometry, ", an isometry"), (row.stands_out, ", which stands out")];
            let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
            say!(
                "{:>9} {:>8} {:>9} {:>9} {:>9} {:>9}  {} {:?}{like_it}{marks}",
                number(row.gain),
                four_digits(row.wanted),
                number(row.largest),
                four_digits(row.expected_largest),
                number(row.smallest),
                four_digits(row.expected_smallest),
                row.tensor,
                row.shape,
            );
        }
        say!("gain: variance times fan_in; largest, smallest: singular values, beside Marchenko and Pastur's edges");
        far(rows).into_iter().for_each(|line| say!("{line}"));
    }
}

/// The notes on gains that are far from the wanted one, too large and too small.
fn far(rows: &[MeasuredMatrix]) -> Vec<String> {
    let all: usize = rows.iter().filter(|row| row.gain.is_some()).map(|row| row.like_it + 1).sum();
    let line = |what: &str, does: &str, is: fn(f64) -> bool| {
        let far = rows.iter().filter(|row| row.is_far);
        let far: Vec<_> =
            far.filter_map(|row| Some((row.gain? / row.wanted, row))).filter(|(ratio, _)| is(*ratio)).collect();
        let count: usize = far.iter().map(|(_, row)| row.like_it + 1).sum();
        let (farthest, row) = far.into_iter().max_by(|(a, _), (b, _)| a.ln().abs().total_cmp(&b.ln().abs()))?;
        let (ratio, name) = (four_digits(farthest), &row.tensor);
        Some(format!(
            "{count} of {all} matrices have a gain that is too {what}, at worst {ratio} times the wanted one of {name}: without norms or \
             branches beside them, each would let gradients {does}"
        ))
    };
    let lines = [line("large", "grow", |ratio| ratio > 1.0), line("small", "shrink", |ratio| ratio < 1.0)];
    lines.into_iter().flatten().collect()
}

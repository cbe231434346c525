//! A blueprint's tensors, by formulas.

use std::collections::BTreeSet;

use super::resolve::{Resolved, SAID, broken, with_words};
use super::{Blueprint, Group};
use crate::error::quoted;
use crate::limits::rules::{MAX_FORMULAS, MAX_MODEL_BYTES, MAX_TENSORS};
use crate::number::Number;
use crate::rules::config::{Config, QUANTISATION, shown, value};
use crate::rules::file_dtype::FileDtype;
use crate::rules::formula::Variables;
use crate::rules::fp8;
use crate::rules::model::Tensor;
use crate::{Error, ErrorKind};

/// No whole number beyond it is sure to be what was written.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

impl Blueprint {
    /// The tensors: of the submodels, then of the model itself, in the text's order.
    pub fn tensors(&self, resolved: &Resolved) -> Result<Vec<Tensor>, Error> {
        let dtype = dtype(&resolved.config)?;
        let mut made = Counted { tensors: Vec::new(), rounds: 0, formulas: 0, bytes: 0 };
        for within in &resolved.within {
            let tensors = within.blueprint.tensors(&within.resolved);
            for tensor in tensors.map_err(|e| e.at(format_args!("the submodel {}", within.prefix)))? {
                made.push(Tensor { name: format!("{}{}", within.prefix, tensor.name), ..tensor })?;
            }
        }
        let of_submodels = made.tensors.len();
        for group in &self.groups {
            let mut variables = resolved.variables.clone();
            let named = |name: &String| FileDtype::named(name).ok_or_else(|| group.unknown_dtype(name));
            let dtype = group.dtype.as_ref().map_or(Ok(dtype), named)?;
            group.count(0, resolved, &mut variables, dtype, &mut made)?;
        }
        for tensor in &made.tensors[of_submodels..] {
            // The submodel's rules would have it.
            if let Some(within) = resolved.within.iter().find(|within| tensor.name.starts_with(&within.prefix)) {
                let allowed = format!("one that begins with something else than the submodel's {}", within.prefix);
                let thing = "the name of a tensor of the architecture";
                return Err(Error::new(ErrorKind::Config, thing, quoted(&tensor.name), allowed));
            }
        }
        Ok(made.tensors)
    }
}

/// Tensors, and how much was worked out for them.
struct Counted {
    tensors: Vec<Tensor>,
    /// How often was counted, also where no tensor came of it.
    rounds: u64,
    formulas: u64,
    bytes: u64,
}

impl Counted {
    fn value(&mut self, formula: &str, config: &Config, variables: &Variables) -> Result<f64, Error> {
        self.formulas += 1;
        if self.formulas > MAX_FORMULAS {
            let allowed = format!("at most {MAX_FORMULAS}");
            return Err(Error::new(ErrorKind::Config, "the number of formulas for the tensors", "more", allowed));
        }
        value(formula, config, variables)
    }

    fn push(&mut self, tensor: Tensor) -> Result<(), Error> {
        if self.tensors.len() as u64 == MAX_TENSORS {
            return Err(too_many());
        }
        self.bytes += (tensor.name.len() + 8 * tensor.shape.len()) as u64;
        if self.bytes > MAX_MODEL_BYTES {
            let thing = "the length of the tensors' names and shapes in bytes";
            return Err(Error::new(ErrorKind::Config, thing, "more", format!("at most {MAX_MODEL_BYTES}")));
        }
        self.tensors.push(tensor);
        Ok(())
    }
}

fn too_many() -> Error {
    Error::new(ErrorKind::Config, "the number of tensors", "more", format!("at most {MAX_TENSORS}"))
}

fn dtype(config: &Config) -> Result<FileDtype, Error> {
    // The second is the first's older name.
    for key in [QUANTISATION, "compression_config"] {
        if let Some(value) = config.get(key) {
            let key = config.named(key);
            let allowed = fp8::remedy(&key);
            return Err(Error::new(ErrorKind::Config, key, shown(value), allowed));
        }
    }
    let (key, value) = match (config.get("dtype"), config.get("torch_dtype")) {
        (Some(value), _) => ("dtype", value),
        (None, Some(value)) => ("torch_dtype", value),
        (None, None) => return Ok(FileDtype::F32),
    };
    match value.as_str().map(|text| text.trim_start_matches("torch.")) {
        Some("float32" | "float") => Ok(FileDtype::F32),
        Some("float16" | "half") => Ok(FileDtype::F16),
        Some("bfloat16") => Ok(FileDtype::BF16),
        _ => Err(Error::new(ErrorKind::Config, key, shown(value), "float32, float16, bfloat16")),
    }
}

impl Group {
    /// Counts with the counters from this one on.
    fn count(
        &self,
        counter: usize,
        resolved: &Resolved,
        variables: &mut Variables,
        dtype: FileDtype,
        made: &mut Counted,
    ) -> Result<(), Error> {
        let at = |e: Error| e.at(format_args!("by line {} of the architecture", self.line));
        let Some((name, formula)) = self.counters.get(counter) else {
            return self.make(resolved, variables, dtype, made).map_err(at);
        };
        let count = made.value(formula, &resolved.config, variables).map_err(at)?;
        let most = (MAX_TENSORS - made.rounds) as f64;
        if !(0.0..=most).contains(&count) || count.fract() != 0.0 {
            let allowed = format!("a whole number from 0 to {most}");
            return Err(Error::new(ErrorKind::Config, self.explained(formula, resolved), Number(count), allowed));
        }
        for i in 0..count as u64 {
            made.rounds += 1;
            if made.rounds > MAX_TENSORS {
                return Err(at(too_many()));
            }
            variables.insert(name.clone(), i as f64);
            self.count(counter + 1, resolved, variables, dtype, made)?;
        }
        variables.remove(name);
        Ok(())
    }

    fn unknown_dtype(&self, name: &str) -> Error {
        let error = Error::new(ErrorKind::Config, "the dtype", quoted(name), "safetensors' dtypes, such as F32, I64");
        error.at(format_args!("by line {} of the architecture", self.line))
    }

    /// A formula, and those that its words stand for, so that errors have the keys.
    fn explained(&self, formula: &str, resolved: &Resolved) -> String {
        let all = || self.locals.iter().map(|(name, of)| (name, of)).chain(&resolved.derived);
        let words: BTreeSet<_> = formula.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
        let known = words.into_iter().filter_map(|word| all().find(|(name, _)| *name == word));
        known.take(SAID).fold(quoted(formula), |said, (name, of)| said + &format!(" ({name} = {})", quoted(of)))
    }

    fn make(
        &self,
        resolved: &Resolved,
        variables: &Variables,
        dtype: FileDtype,
        made: &mut Counted,
    ) -> Result<(), Error> {
        let mut variables = variables.clone();
        for (name, formula) in &self.locals {
            let value = made.value(formula, &resolved.config, &variables)?;
            variables.insert(name.clone(), value);
        }
        if let Some(when) = &self.when
            && made.value(when, &resolved.config, &variables)? == 0.0
        {
            return Ok(());
        }
        for check in &self.checks {
            if made.value(check, &resolved.config, &variables)? == 0.0 {
                return Err(broken(check, &resolved.config, &variables));
            }
        }
        for (name, dims) in &self.tensors {
            let name = with_words(&format!("{}{name}", self.prefix), &resolved.texts, &variables)?;
            let mut shape = Vec::with_capacity(dims.len());
            for formula in dims {
                let size = made.value(formula, &resolved.config, &variables)?;
                if !(0.0..MAX_EXACT).contains(&size) || size.fract() != 0.0 {
                    let thing = format!("{}, a dimension of {name},", self.explained(formula, resolved));
                    return Err(Error::new(ErrorKind::Config, thing, Number(size), "a whole number, 0 or more"));
                }
                shape.push(size as u64);
            }
            made.push(Tensor::new(name, shape).with_dtype(dtype))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_and_formulas_have_an_end() {
        let made = |formulas, bytes| Counted { tensors: Vec::new(), rounds: 0, formulas, bytes };
        let config = Config::from_json(b"{}").unwrap();
        let mut last = made(MAX_FORMULAS - 1, 0);
        assert_eq!(last.value("1 + 1", &config, &Variables::new()).unwrap(), 2.0);
        let error = last.value("1 + 1", &config, &Variables::new()).unwrap_err();
        assert_eq!((error.kind(), error.thing()), (ErrorKind::Config, "the number of formulas for the tensors"));

        let mut last = made(0, MAX_MODEL_BYTES - 20);
        last.push(Tensor::new("weig", [3, 4])).unwrap();
        let error = last.push(Tensor::new("b", [])).unwrap_err();
        assert!(error.to_string().contains("names and shapes in bytes"), "{error}");
    }
}

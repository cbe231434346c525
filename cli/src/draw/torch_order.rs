//! The order in which PyTorch draws a model, as a plan says it, and where each tensor is in PyTorch's sequence.

use std::collections::BTreeMap;

use fanin::torch::{Draw, Place};
use fanin::{Distribution, Dtype, Layout, Scheme};
use serde::Deserialize;

/// The draws of PyTorch's generator while a model is built.
pub struct TorchOrder {
    pub draws: Vec<TorchOperation>,
    /// The code that seeds it within.
    pub reseeded: Option<String>,
    pub tensors: BTreeMap<String, TorchDraw>,
}

/// The way in which a tensor is drawn there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TorchDraw {
    /// A draw by the operation of this number, each element by its own.
    By(usize),
    Constant,
    /// No draw of its own.
    Not,
}

/// An operation, and how many words more it takes than its values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TorchOperation {
    name: String,
    elements: u64,
    dtype: String,
    scheme: Option<String>,
    #[serde(default)]
    strided: bool,
    #[serde(default)]
    then: u64,
    /// The reason why it is not known how many words it takes.
    cause: Option<String>,
}

/// A tensor whose place is asked for.
pub struct WantedTensor<'a> {
    pub name: &'a str,
    pub dtype: Dtype,
    pub elements: u64,
    pub distribution: Distribution,
}

impl TorchOperation {
    fn distribution(&self) -> Result<Distribution, String> {
        let scheme = match (&self.scheme, &self.cause) {
            (Some(scheme), None) => scheme,
            (_, cause) => {
                let cause = cause.as_deref().unwrap_or("it has no scheme");
                return Err(format!("the number of PyTorch's draws for {} is not known: {cause}", self.name));
            }
        };
        let scheme: Scheme = scheme.parse().map_err(|e| self.failed(e))?;
        scheme.distribution(&[self.elements], Layout::OUT_IN).map_err(|e| self.failed(e))
    }

    fn after(&self, place: Place) -> Result<Place, String> {
        let scalar = self.dtype.parse().map_err(|e| self.failed(e))?;
        let draw = Draw::new(&self.distribution()?, scalar, self.elements).map_err(|e| self.failed(e))?;
        let draw = if self.strided { draw.strided() } else { draw };
        Ok(draw.after(place).on(self.then))
    }

    fn failed(&self, e: fanin::Error) -> String {
        format!("{} of {} elements: {e:#}", self.name, self.elements)
    }

    /// A check that it draws this tensor, each element by its own.
    fn check(&self, wanted: &WantedTensor) -> Result<(), String> {
        let WantedTensor { name, dtype, elements, distribution } = wanted;
        let differs = |what: &str, value: &dyn std::fmt::Display, own: &dyn std::fmt::Display| {
            Err(format!(
                "tensor \"{name}\": the {what} is {value}, allowed with --generator torch: {own}, in which PyTorch draws it"
            ))
        };
        if self.dtype.parse::<Dtype>().ok() != Some(*dtype) {
            return differs("dtype", dtype, &self.dtype);
        }
        if self.elements != *elements {
            return differs("number of its elements", elements, &self.elements);
        }
        let own = self.distribution()?;
        if own != *distribution {
            return differs("scheme", distribution, &own);
        }
        if self.strided {
            return Err(format!(
                "tensor \"{name}\" is not drawn in row-major order, allowed with --generator torch: row-major order"
            ));
        }
        Ok(())
    }
}

impl TorchOrder {
    /// The place at which each of these tensors begins, as text, by its name.
    pub fn places(&self, start: Place, wanted: &[WantedTensor]) -> Result<BTreeMap<String, String>, String> {
        if let Some(seeding) = &self.reseeded {
            return Err(format!(
                "the model's code calls {seeding}, allowed with --generator torch: code that draws and does not seed"
            ));
        }
        let mut of_draw: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        let mut places = BTreeMap::new();
        for wanted in wanted {
            let name = wanted.name;
            match self.tensors.get(name).copied().unwrap_or(TorchDraw::Not) {
                TorchDraw::By(number) => {
                    let Some(operation) = self.draws.get(number) else {
                        let count = self.draws.len();
                        return Err(format!(
                            "tensor \"{name}\" is draw {number}, allowed: below {count}, the plan's draws"
                        ));
                    };
                    operation.check(wanted)?;
                    of_draw.entry(number).or_default().push(name);
                }
                TorchDraw::Constant => {
                    places.insert(name.into(), start.to_string());
                }
                TorchDraw::Not => {
                    return Err(format!(
                        "tensor \"{name}\" is no draw of PyTorch's generator by itself, allowed with --generator torch: such, and constants; \
                         plan.materialize_(model, seed, generator=\"torch\") of the package fanin for Python has others too"
                    ));
                }
            }
        }
        let last = of_draw.keys().last().map_or(0, |last| last + 1);
        let mut place = start;
        for (number, operation) in self.draws[..last].iter().enumerate() {
            for name in of_draw.remove(&number).unwrap_or_default() {
                places.insert(name.into(), place.to_string());
            }
            place = operation.after(place)?;
        }
        Ok(places)
    }
}

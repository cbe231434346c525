//! The tensors of a checkpoint that is made: what of each is copied, and what is drawn.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

use fanin::rules::{FileDtype, Plan, Planned, Recipe, Split, Tensor};
use fanin::torch::Place;
use fanin::{Dtype, Seed};

use crate::draw::coarse_notes::CoarseNotes;
use crate::draw::fp8;
use crate::draw::torch_order::{TorchOrder, WantedTensor};
use crate::failure::Failure;
use crate::files::base::{Base, BaseTensor};
use crate::files::content::Content;
use crate::files::header::holds;

/// A model before it is planned, and what a base has of it.
pub struct UnplannedModel {
    /// The tensors that rules are for. Those that are copied as a whole need none.
    pub tensors: Vec<Tensor>,
    integers: Vec<Tensor>,
    in_base: BTreeMap<String, BaseTensor>,
}

/// The way in which a model is drawn.
pub struct DrawOptions {
    pub seed: Seed,
    /// The dtype of all tensors, if it is asked for.
    pub dtype: Option<Dtype>,
    /// The order in which PyTorch draws, if it is known.
    pub order: Option<TorchOrder>,
    /// True if integers are zero, as in a model at the start of a training; they are kept out otherwise.
    pub has_zeros: bool,
}

/// The tensors to write, and those that are left out.
#[derive(Default)]
pub struct ToWrite {
    /// The tensors that are drawn, if only in part.
    pub drawn: Vec<Content>,
    /// The tensors that are copied, if only in part.
    pub copied: BTreeMap<String, BaseTensor>,
    /// Integers that are zero.
    pub buffers: Vec<Content>,
    /// Other integer tensors.
    pub kept_out: Vec<String>,
    pub skipped: Vec<String>,
    /// Notes for people.
    pub notes: Vec<String>,
}

fn of_tensor(tensor: &str, e: impl Display) -> String {
    format!("tensor \"{tensor}\": {e:#}")
}

impl UnplannedModel {
    pub fn new(model: Vec<Tensor>, base: Option<&Base>) -> Result<UnplannedModel, String> {
        let mut in_base = BTreeMap::new();
        for (tensor, base) in model.iter().filter_map(|tensor| Some((tensor, base?))) {
            let there = base.tensor(&tensor.name, &tensor.shape).map_err(|e| of_tensor(&tensor.name, e))?;
            in_base.extend(there.map(|there| (tensor.name.clone(), there)));
        }
        let (integers, mut tensors): (Vec<_>, Vec<_>) = model.into_iter().partition(Tensor::is_integer);
        for tensor in &mut tensors {
            tensor.optional = in_base.get(&tensor.name).is_some_and(BaseTensor::is_whole);
        }
        Ok(UnplannedModel { tensors, integers, in_base })
    }

    /// The note about tensors of the base that the model does not have.
    pub fn left_out(&self, base: &Base) -> Option<String> {
        let here: HashSet<_> = self.tensors.iter().chain(&self.integers).map(|tensor| tensor.name.as_str()).collect();
        let names: Vec<_> = base.names().filter(|name| !here.contains(name)).collect();
        let base = base.path.display();
        (!names.is_empty())
            .then(|| format!("not copied from {base}, as the model does not have them: {}", names.join(", ")))
    }

    /// The tensors to write, by a plan of those that rules are for.
    pub fn make(mut self, plan: Plan, options: &DrawOptions) -> Result<ToWrite, String> {
        let places = match options.seed {
            Seed::Torch(start) => self.places(start, &plan, options)?,
            _ => BTreeMap::new(),
        };
        let mut maker = Maker { options, places, coarse: CoarseNotes::default(), made: ToWrite::default() };
        for tensor in self.integers {
            let there = self.in_base.remove(&tensor.name);
            let name = tensor.name.clone();
            maker.add_integer(tensor, there).map_err(|e| of_tensor(&name, e))?;
        }
        for (planned, tensor) in plan.into_tensors().into_iter().zip(self.tensors) {
            let (name, there) = (tensor.name.clone(), self.in_base.remove(&tensor.name));
            maker.add_float(tensor, planned, there).map_err(|e| of_tensor(&name, e))?;
        }
        let Maker { coarse, mut made, .. } = maker;
        made.notes.extend(coarse.notes());
        made.notes.extend(made.untied());
        Ok(made)
    }

    /// The places of tensors in PyTorch's sequence.
    fn places(&self, start: Place, plan: &Plan, options: &DrawOptions) -> Result<BTreeMap<String, String>, String> {
        let Some(order) = &options.order else {
            let allowed =
                "of a plan, as the package fanin for Python records it: PyTorch draws a model in the order of its code";
            return Err(format!("the stream is torch, allowed: {allowed}"));
        };
        let wanted = plan.tensors().iter().zip(&self.tensors).filter_map(|(planned, tensor)| {
            let recipe = planned.draw.as_ref().filter(|_| !tensor.optional)?;
            let dtype = drawn_in(tensor, recipe, options.dtype).ok()?;
            let elements = planned.shape.iter().product();
            Some(WantedTensor { name: &planned.name, dtype, elements, distribution: recipe.distribution })
        });
        order.places(start, &wanted.collect::<Vec<_>>())
    }
}

/// The making of the tensors to write, one after the other.
struct Maker<'a> {
    options: &'a DrawOptions,
    /// The places in PyTorch's sequence, if that is drawn.
    places: BTreeMap<String, String>,
    coarse: CoarseNotes,
    made: ToWrite,
}

impl Maker<'_> {
    /// Adds a tensor of integers, and what the base has of it.
    fn add_integer(&mut self, tensor: Tensor, there: Option<BaseTensor>) -> Result<(), String> {
        match there {
            Some(there) => {
                there.unconverted(holds(&tensor), "in the model")?;
                if !there.is_whole() {
                    return Err(there.undrawn());
                }
                self.made.copied.insert(tensor.name, there);
            }
            None if self.options.has_zeros => {
                fanin::elements(&tensor.shape).map_err(|e| format!("{e:#}"))?;
                self.made.buffers.push(Content::zeros(tensor));
            }
            None => self.made.kept_out.push(tensor.name),
        }
        Ok(())
    }

    /// Adds a tensor of floats by its plan, and what the base has of it.
    fn add_float(&mut self, tensor: Tensor, planned: Planned, there: Option<BaseTensor>) -> Result<(), String> {
        let by_rule = planned.draw.as_ref().and_then(|recipe| recipe.dtype);
        if let Some(there) = &there {
            let (dtype, by) = match (self.options.dtype, by_rule) {
                (Some(dtype), _) => (dtype.into(), "by --dtype"),
                (None, Some(dtype)) => (dtype.into(), "by its rule"),
                (None, None) => (holds(&tensor), "in the model"),
            };
            there.unconverted(dtype, by)?;
        }
        match (there, planned.draw) {
            (Some(there), _) if there.is_whole() => {
                self.made.copied.insert(tensor.name, there);
                Ok(())
            }
            (Some(there), None) => {
                let message = "and the rules skip it, allowed: a rule that has a scheme for it";
                Err(format!("{}, {message}", there.grown()))
            }
            (None, None) => {
                self.made.skipped.push(tensor.name);
                Ok(())
            }
            (there, Some(recipe)) => self.add_drawn(tensor, recipe, planned.split, there),
        }
    }

    /// Adds a tensor that is drawn, but for its first rows if the base has them.
    fn add_drawn(
        &mut self,
        tensor: Tensor,
        mut recipe: Recipe,
        split: Option<Split>,
        there: Option<BaseTensor>,
    ) -> Result<(), String> {
        let (options, text) = (self.options, |e: fanin::Error| format!("{e:#}"));
        let dtype = drawn_in(&tensor, &recipe, options.dtype);
        let dtype = dtype.map_err(|e| there.as_ref().map_or(e, BaseTensor::undrawn))?;
        recipe.distributions().for_each(|distribution| self.coarse.add(distribution, dtype, &tensor.name));
        if let Some(place) = self.places.remove(&tensor.name) {
            // PyTorch knows no names: the stream is a place.
            recipe.stream = place;
        }
        if let Some(block) = tensor.fp8_block {
            let scale = fp8::scale(&recipe)?;
            recipe.scale = Some(scale);
            let name = format!("{}{}", tensor.name, fp8::SCALES);
            let shape: Vec<_> = tensor.shape.iter().zip(block).map(|(size, of)| size.div_ceil(of)).collect();
            let scales = fp8::scales(&name, &shape, scale);
            let fill = scales.fill(options.seed, Dtype::F32).map_err(text)?;
            self.made.drawn.push(Content { split: split.clone(), ..Content::drawn(name, scales, fill) });
        }
        // A tensor that cannot be drawn is refused before any is.
        let fill = recipe.fill(options.seed, dtype).map_err(text)?;
        self.made.copied.extend(there.map(|there| (tensor.name.clone(), there)));
        self.made.drawn.push(Content { split, ..Content::drawn(tensor.name, recipe, fill) });
        Ok(())
    }
}

/// The dtype that a tensor is drawn in: the one that is asked for, its rule's or its own. Weights in fp8 are drawn in one dtype,
/// whatever the others are drawn in.
fn drawn_in(tensor: &Tensor, recipe: &Recipe, asked: Option<Dtype>) -> Result<Dtype, String> {
    match (tensor.fp8_block, recipe.dtype, holds(tensor)) {
        (Some(_), Some(dtype), _) => Err(format!(
            "its dtype is {dtype} by its rule, and the configuration has it in fp8, allowed: no dtype in its rule, or no \
             quantization_config"
        )),
        (Some(_), None, _) => Ok(Dtype::F32),
        (None, _, FileDtype::C64) => Err("its dtype is C64, which fanin does not draw".into()),
        (None, by_rule, own) => asked
            .or(by_rule)
            .or(own.drawn())
            .ok_or_else(|| format!("its dtype is {own}, allowed: F32, F16, BF16, or any float with --dtype")),
    }
}

impl ToWrite {
    /// The note about tensors that the rules tie to others, of which the base has these alone.
    fn untied(&self) -> Option<String> {
        let untied = |content: &Content| {
            let (name, (recipe, _)) = (&content.tensor.name, content.drawn.as_ref()?);
            let is_untied = !self.copied.contains_key(name) && self.copied.contains_key(&recipe.stream);
            is_untied.then(|| format!("{name} (of {})", recipe.stream))
        };
        let names: Vec<_> = self.drawn.iter().filter_map(untied).collect();
        (!names.is_empty()).then(|| {
            format!("drawn anew, although the rules tie them to tensors that are copied: {}", names.join(", "))
        })
    }
}

/// The tensors that are drawn or copied, with the digests of what is copied.
pub fn with_copies(drawn: Vec<Content>, mut copied: BTreeMap<String, BaseTensor>) -> Result<Vec<Content>, Failure> {
    let mut contents = drawn;
    for content in &mut contents {
        content.copied = copied.remove(&content.tensor.name).map(BaseTensor::read).transpose()?;
    }
    for (name, there) in copied {
        let tensor = Tensor::new(name, there.shape.as_slice()).with_dtype(there.dtype);
        contents.push(Content { copied: Some(there.read()?), ..Content::zeros(tensor) });
    }
    Ok(contents)
}

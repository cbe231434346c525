//! A rule: which tensors meet it, and what it says of them.

use std::collections::HashMap;
use std::ops::Range;

use super::formula::{Formula, Template, Variables};
use super::model::Tensor;
use super::plan::{Planned, Split};
use super::recipe::Recipe;
use crate::error::{dimensions, quoted};
use crate::number::Number;
use crate::{Distribution, Dtype, Error, ErrorKind, Fans, Layout, Scheme, scheme};

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub line: usize,
    pub names: Vec<String>,
    pub patterns: Vec<glob::Pattern>,
    /// Of the part of the name before its last one.
    pub modules: Option<Vec<glob::Pattern>>,
    pub ranks: Option<Vec<u64>>,
    pub shape: Option<Vec<Option<u64>>>,
    pub beside: Option<Beside>,
    pub action: Action,
}

/// Another tensor that has the same name but for its last part.
#[derive(Clone, Debug)]
pub(super) struct Beside {
    pub last: String,
    pub is: Sibling,
}

/// A demand on a tensor beside another one.
#[derive(Clone, Debug)]
pub(super) enum Sibling {
    Absent,
    Present,
    /// Of the other's own shape.
    Alike,
    Of(Vec<Size>),
}

/// A dimension of a tensor beside another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Size {
    Any,
    Number(u64),
    /// The other's own along this dimension.
    SameAs(usize),
}

impl Beside {
    fn holds(&self, tensor: &Tensor, shapes: &Shapes<'_>) -> bool {
        let fits = |(size, dim): (&Size, &u64)| match size {
            Size::Any => true,
            Size::Number(number) => number == dim,
            Size::SameAs(own) => tensor.shape.get(*own) == Some(dim),
        };
        match (&self.is, sibling(&tensor.name, &self.last, shapes)) {
            (Sibling::Absent, other) => other.is_none(),
            (_, None) => false,
            (Sibling::Present, Some(_)) => true,
            (Sibling::Alike, Some(other)) => other == tensor.shape,
            (Sibling::Of(sizes), Some(other)) => sizes.len() == other.len() && sizes.iter().zip(other).all(fits),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Skip,
    Refuse { line: usize, reason: String },
    Draw(Box<Drawn>),
}

/// How a rule's tensors are drawn.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub scheme: Template,
    pub layout: Template,
    pub dtype: Option<Dtype>,
    /// The end of another tensor's name, and its rank, if only of such a one.
    pub fans_from: Option<(String, Option<u64>)>,
    pub stream: Option<String>,
    /// A formula; none, if it is below 0.
    pub zero_row: Option<Formula>,
    pub parts: Vec<PartRule>,
    pub split: Option<Split>,
}

/// Slices of a tensor along a dimension.
#[derive(Clone, Debug)]
pub(super) struct PartRule {
    pub line: usize,
    pub dim: usize,
    pub slices: Slices,
    /// The rule's, where there is none.
    pub scheme: Option<Template>,
    pub layout: Option<Template>,
}

#[derive(Clone, Debug)]
pub(super) enum Slices {
    /// Of so many equal blocks these, or all.
    Blocks { of: u64, which: Option<Vec<u64>> },
    /// From a formula's value to another's.
    Range(Option<Formula>, Option<Formula>),
}

/// A mark by which a preset knows its model: a tensor of such a name, and of such a shape, if that is said.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub pattern: glob::Pattern,
    pub shape: Option<Vec<Option<u64>>>,
}

/// Names and shapes of a model's tensors.
pub(super) type Shapes<'m> = HashMap<&'m str, &'m [u64]>;

/// Of names that rules have for other tensors' streams, the tensors: each is looked for once, when a tensor has it.
pub(super) type Streams<'a, 'm> = HashMap<&'a str, Result<&'m str, Error>>;

/// The model that rules plan, as far as they know it.
pub(super) struct OfModel<'a, 'm> {
    pub shapes: Shapes<'m>,
    pub variables: Variables,
    pub streams: Streams<'a, 'm>,
}

/// Whether a shape is as wanted, where anything is said of a dimension.
pub(super) fn fits(wanted: &[Option<u64>], shape: &[u64]) -> bool {
    wanted.len() == shape.len() && wanted.iter().zip(shape).all(|(w, d)| w.is_none_or(|w| w == *d))
}

impl Rule {
    /// The pattern by which the tensor meets this rule, if it does.
    pub fn matched(&self, tensor: &Tensor, shapes: &Shapes<'_>) -> Option<&str> {
        let pattern = self.named(tensor, shapes)?;
        self.fans_of(tensor, shapes).is_ok().then_some(pattern)
    }

    /// Of a tensor that would meet this rule if the one whose fans it takes were there, what that one is.
    pub fn lacks(&self, tensor: &Tensor, shapes: &Shapes<'_>) -> Option<String> {
        self.named(tensor, shapes)?;
        self.fans_of(tensor, shapes).err()
    }

    /// Whether the tensor is there whose fans are taken, if another's are; what it would be, if not.
    fn fans_of(&self, tensor: &Tensor, shapes: &Shapes<'_>) -> Result<(), String> {
        let Action::Draw(drawn) = &self.action else { return Ok(()) };
        let Some((last, rank)) = &drawn.fans_from else { return Ok(()) };
        let is_meant = |shape: &&[u64]| rank.map_or(shape.len() >= 2, |rank| shape.len() as u64 == rank);
        match (sibling(&tensor.name, last, shapes).filter(is_meant), rank) {
            (Some(_), _) => Ok(()),
            (None, Some(rank)) => Err(format!("{} of {rank} dimensions", quoted(last))),
            (None, None) => Err(format!("{} of two dimensions or more", quoted(last))),
        }
    }

    /// The pattern that the tensor has, and all else that is asked of itself and of what stands beside it.
    fn named(&self, tensor: &Tensor, shapes: &Shapes<'_>) -> Option<&str> {
        let shape = &tensor.shape;
        if self.ranks.as_ref().is_some_and(|ranks| !ranks.contains(&(shape.len() as u64))) {
            return None;
        }
        if self.shape.as_ref().is_some_and(|wanted| !fits(wanted, shape)) {
            return None;
        }
        let at = self.patterns.iter().position(|pattern| pattern.matches(&tensor.name))?;
        if let Some(modules) = &self.modules {
            let module = module(&tensor.name)?;
            modules.iter().find(|pattern| pattern.matches(module))?;
        }
        if self.beside.as_ref().is_some_and(|beside| !beside.holds(tensor, shapes)) {
            return None;
        }
        Some(&self.names[at])
    }

    /// Adds what it says of a tensor that it is met by.
    pub fn plan<'a, 'm>(
        &'a self,
        tensor: &Tensor,
        model: &mut OfModel<'a, 'm>,
        planned: &mut Planned,
    ) -> Result<(), Error> {
        match &self.action {
            Action::Skip => Ok(()),
            Action::Refuse { line, reason } => {
                let error = Error::failed(ErrorKind::Rules, "it", format!("is refused: {reason}"));
                let error = error.allowing("rules that have a scheme for it, or skip it");
                Err(error.at(format_args!("by the rule of line {line}")))
            }
            Action::Draw(drawn) => drawn.plan(tensor, model, planned),
        }
    }
}

impl Drawn {
    fn plan<'a, 'm>(
        &'a self,
        tensor: &Tensor,
        model: &mut OfModel<'a, 'm>,
        planned: &mut Planned,
    ) -> Result<(), Error> {
        let OfModel { shapes, variables, streams } = model;
        let variables = of_tensor(tensor, variables);
        // Of a part, the shape is its own, unless the fans are another tensor's.
        let other = self.fans_from.as_ref().and_then(|(last, _)| sibling(&tensor.name, last, shapes));
        let shape_of = |part: &PartRule, range: &Range<u64>| match other {
            Some(other) => other.to_vec(),
            None => {
                let mut shape = tensor.shape.clone();
                shape[part.dim] = range.end - range.start;
                shape
            }
        };
        // What is in equal blocks, all of one scheme, has the fans of a block, and is drawn as one.
        let is_all = |part: &PartRule| matches!(part.slices, Slices::Blocks { which: None, .. });
        let (all, parts) = match self.parts.iter().rposition(is_all) {
            Some(last) => (Some(&self.parts[last]), &self.parts[last + 1..]),
            None => (None, &self.parts[..]),
        };
        let (scheme, layout) = all.map_or((&self.scheme, &self.layout), |part| part.texts(self));
        let shape = match all {
            Some(part) => shape_of(part, &part.ranges(&tensor.shape, &variables)?[0]),
            None => other.unwrap_or(&tensor.shape).to_vec(),
        };
        let resolved = resolve(scheme, layout, &shape, &variables)?;
        let of_own_shape = |distribution: &Distribution, scheme: &Template| match distribution {
            Distribution::Structured(structure) if other.is_some() => {
                let allowed = "one that asks for fans, where fans_from says whose";
                let error = Error::new(ErrorKind::Rules, "the scheme", structure, allowed);
                Err(error.at(format_args!("by the scheme of line {}", scheme.line)))
            }
            _ => Ok(()),
        };
        of_own_shape(&resolved.distribution, scheme)?;
        if let Some(part) = all {
            drawn_as_one(&resolved.distribution, part.dim, &shape)
                .map_err(|e| e.at(format_args!("by the part of line {}", part.line)))?;
        }
        planned.layout = Some(resolved.layout);
        planned.fans = resolved.fans;
        let stream = match &self.stream {
            Some(other) => streams.entry(other).or_insert_with(|| named(other, shapes)).clone()?.into(),
            None => tensor.name.clone(),
        };
        let mut recipe = Recipe::new(resolved.distribution, tensor.shape.as_slice(), stream);
        recipe.dtype = self.dtype;
        for part in parts {
            let (scheme, layout) = part.texts(self);
            for range in part.ranges(&tensor.shape, &variables)? {
                let resolved = resolve(scheme, layout, &shape_of(part, &range), &variables)?;
                of_own_shape(&resolved.distribution, scheme)?;
                recipe = recipe.with_part(part.dim, range, resolved.distribution);
            }
        }
        if let Some(row) = &self.zero_row {
            let row = row.value(&variables)?;
            if row.fract() != 0.0 || row >= 9_007_199_254_740_992.0 {
                let allowed = "a whole number below 2^53; below 0 there is none";
                return Err(Error::new(ErrorKind::Rules, "the zero row", Number(row), allowed));
            }
            if row >= 0.0 {
                recipe = recipe.with_part(0, row as u64..row as u64 + 1, Distribution::Constant { value: 0.0 });
            }
        }
        let dims = match &self.split {
            Some(Split::Along(dim)) => vec![*dim],
            Some(Split::Mesh(axes)) => axes.values().copied().collect(),
            _ => Vec::new(),
        };
        if let Some(dim) = dims.into_iter().find(|&dim| dim >= tensor.shape.len()) {
            return Err(no_dimension("the dimension of its split", dim, &tensor.shape));
        }
        planned.split.clone_from(&self.split);
        planned.draw = Some(recipe);
        Ok(())
    }
}

impl PartRule {
    fn texts<'a>(&'a self, of: &'a Drawn) -> (&'a Template, &'a Template) {
        (self.scheme.as_ref().unwrap_or(&of.scheme), self.layout.as_ref().unwrap_or(&of.layout))
    }

    /// Its indices along its dimension.
    fn ranges(&self, shape: &[u64], variables: &Variables) -> Result<Vec<Range<u64>>, Error> {
        let at = |e: Error| e.at(format_args!("by the part of line {}", self.line));
        let Some(&size) = shape.get(self.dim) else {
            return Err(at(no_dimension("the dimension of a part", self.dim, shape)));
        };
        match &self.slices {
            Slices::Blocks { of, which } => {
                if size % of != 0 {
                    let allowed = format!("a divisor of {size} along dimension {} of {}", self.dim, dimensions(shape));
                    return Err(at(Error::new(ErrorKind::Rules, "the number of blocks", of, allowed)));
                }
                let len = size / of;
                let which = which.clone().unwrap_or_else(|| vec![0]);
                Ok(which.into_iter().map(|block| block * len..(block + 1) * len).collect())
            }
            Slices::Range(from, to) => {
                let index = |formula: &Option<Formula>, without: u64| match formula {
                    None => Ok(without),
                    Some(formula) => {
                        let value = formula.value(variables)?;
                        if value.fract() == 0.0 && (0.0..=size as f64).contains(&value) {
                            return Ok(value as u64);
                        }
                        let allowed = format!("a whole number from 0 to {size}");
                        let thing = format!("an end of the part, {},", quoted(formula.text()));
                        Err(Error::new(ErrorKind::Rules, thing, Number(value), allowed))
                    }
                };
                let range = index(from, 0).map_err(at)?..index(to, size).map_err(at)?;
                if range.start > range.end {
                    let allowed = "a start that is not after the end";
                    return Err(at(Error::new(ErrorKind::Rules, "the part", format!("{range:?}"), allowed)));
                }
                Ok(vec![range])
            }
        }
    }
}

fn no_dimension(thing: &'static str, dim: usize, shape: &[u64]) -> Error {
    let allowed = format!("below {} in the shape {}", shape.len(), dimensions(shape));
    Error::new(ErrorKind::Rules, thing, dim, allowed)
}

/// The words that formulas know of a tensor, beside those of the model.
fn of_tensor(tensor: &Tensor, of_model: &Variables) -> Variables {
    let mut variables = of_model.clone();
    variables.insert("rank".into(), tensor.shape.len() as f64);
    variables.extend(tensor.shape.iter().enumerate().map(|(i, &size)| (format!("dim_{i}"), size as f64)));
    variables.extend(layer(&tensor.name).map(|layer| ("layer".into(), layer as f64)));
    variables
}

/// The first part of a name that is a whole number, or else the first that ends in one behind a `_`.
fn layer(name: &str) -> Option<u32> {
    let parts = || name.split(['.', '/']);
    let whole = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    parts().find_map(whole).or_else(|| parts().filter_map(|part| part.rsplit_once('_')).find_map(|(_, end)| whole(end)))
}

/// Whether equal blocks of this shape, cut along this dimension, lie one after the other where their structure is one of elements that do.
fn drawn_as_one(distribution: &Distribution, dim: usize, block: &[u64]) -> Result<(), Error> {
    let Distribution::Structured(structure) = distribution else { return Ok(()) };
    let together = block.iter().skip(dim).product::<u64>();
    if together.is_multiple_of(structure.period()) {
        return Ok(());
    }
    let thing = format!("the distribution of equal blocks along dimension {dim}");
    let allowed = "blocks along the first dimension, or a distribution of each element by itself";
    Err(Error::new(ErrorKind::Rules, thing, structure, allowed))
}

struct Resolved {
    distribution: Distribution,
    layout: Layout,
    fans: Option<Fans>,
}

/// The scheme for a weight of this shape.
fn resolve(scheme: &Template, layout: &Template, shape: &[u64], variables: &Variables) -> Result<Resolved, Error> {
    let layout: Layout =
        layout.value(variables).map_err(|e| e.at(format_args!("by the layout of line {}", layout.line)))?;
    let fans = Fans::from_shape(shape, layout);
    let mut variables = variables.clone();
    if let Ok(fans) = &fans {
        variables.extend([("fan_in".into(), fans.fan_in() as f64), ("fan_out".into(), fans.fan_out() as f64)]);
    }
    let at = |e: Error| e.at(format_args!("by the scheme of line {}", scheme.line));
    let parsed = match (scheme.value(&variables), &fans) {
        (Ok(parsed), _) => parsed,
        // A tensor without elements needs no fans, and is drawn as nothing.
        (Err(_), Err(_)) if shape.contains(&0) => scheme::zeros(),
        (Err(_), Err(without)) if scheme.has_fans() => return Err(at(without.clone())),
        (Err(error), _) => return Err(at(error)),
    };
    let distribution = match parsed {
        _ if (parsed.needs_fans() || matches!(parsed, Scheme::Shaped(_))) && shape.contains(&0) => {
            Distribution::Constant { value: 0.0 }
        }
        _ => parsed.distribution(shape, layout).map_err(at)?,
    };
    Ok(Resolved { distribution, layout, fans: fans.ok() })
}

/// The tensor of this name; or the one whose name ends so, or as the name does without its first parts, of which a wrapper, or a
/// model within another one, has others.
fn named<'a>(name: &str, shapes: &HashMap<&'a str, &[u64]>) -> Result<&'a str, Error> {
    if let Some((known, _)) = shapes.get_key_value(name) {
        return Ok(known);
    }
    let wrong =
        |value: String| Error::new(ErrorKind::Rules, "the tensor of the stream", value, "one tensor of the model");
    let mut end = Some(name);
    // The last part alone is many tensors'.
    while let Some(tail) = end.filter(|tail| tail.contains('.')) {
        let ends = |known: &&str| {
            known.strip_suffix(tail).is_some_and(|before| before.is_empty() || before.ends_with(['.', '/']))
        };
        let found: Vec<_> = shapes.keys().copied().filter(ends).collect();
        match found[..] {
            [] => end = tail.split_once('.').map(|(_, tail)| tail),
            [one] => return Ok(one),
            _ => return Err(wrong(format!("{}, as {} are called", quoted(tail), found.len()))),
        }
    }
    Err(wrong(format!("{}, which is not there", quoted(name))))
}

/// The part of a name before its last one, between dots and slashes.
fn module(name: &str) -> Option<&str> {
    name.rsplit(['.', '/']).nth(1)
}

/// The shape of the tensor whose name is this one with another last part: after the last dot or slash, or, behind `../`, after the one
/// before.
fn sibling<'a>(name: &str, last: &str, shapes: &HashMap<&str, &'a [u64]>) -> Option<&'a [u64]> {
    let before = |end: usize| name[..end].rfind(['.', '/']);
    let start = match last.strip_prefix("../") {
        None => before(name.len()).map_or(0, |at| at + 1),
        Some(_) => before(before(name.len())?).map_or(0, |at| at + 1),
    };
    shapes.get(format!("{}{}", &name[..start], last.strip_prefix("../").unwrap_or(last)).as_str()).copied()
}

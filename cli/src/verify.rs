//! `fanin verify`: whether a checkpoint is what a seed says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use fanin::{Dtype, Fill};

use crate::checkpoint::Provenance;
use crate::choice::Choice;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::init::own_dtype;
use crate::model::{self, Header, Tensor};
use crate::recipe::Recipe;
use crate::seed::{Kind, Seed};

/// Draws a checkpoint again and compares it, bit by bit.
///
/// Seed and rules are those that the file says it was made with, unless others are given. Tensors that a version of another value
/// contract drew are named and not compared. Exit codes: 0 the same, 1 different, 2 wrong input or another contract.
#[derive(clap::Args)]
pub struct Verify {
    /// A .safetensors file, or the .safetensors.index.json of a sharded one.
    checkpoint: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// The seed [default: what the file says]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<String>,
    /// Whose random values they are, as for init, where a seed is given [default: what the file says, else native]
    #[arg(long, value_enum, requires = "seed")]
    stream: Option<Kind>,
    /// Compare only about so many values of each tensor, in runs that are spread over it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
    /// What draws: as for init.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,
    /// Print a JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// A tensor that is not what it should be.
struct Difference {
    name: String,
    what: What,
}

enum What {
    /// The first element that differs, how many do, and how many were compared.
    Values { first: u64, different: u64, compared: u64 },
    /// It was drawn by another value contract than this version's, as this says.
    Contract(String),
    /// It cannot be made, for this reason.
    Other(String),
}

impl Verify {
    pub fn run(self) -> Result<(), Failure> {
        let headers = model::headers(&self.checkpoint, true)?;
        let shown = self.checkpoint.display();
        let recipes = if self.choice.is_given() { Some(self.recipes(&headers)?) } else { None };
        let engine = Engine::choose(&self.device)?;
        let (mut tensors, mut values, mut differences) = (0, 0, Vec::new());
        for header in &headers {
            let at = header.path.display();
            let provenance = match &header.provenance {
                Some(text) => Some(Provenance::read(text).map_err(|e| Failure::input(format!("{at}: {e}")))?),
                None => None,
            };
            let own_kind = provenance.as_ref().map(|p| p.seed.kind());
            let kind = self.stream.or(own_kind).unwrap_or(Kind::Native);
            let given = self.seed.as_deref().map(|text| Seed::parse(kind, text)).transpose()?;
            let seed = given.or(provenance.as_ref().map(|p| p.seed)).ok_or_else(|| {
                Failure::input(format!(
                    "{at} does not say its seed, allowed: --seed with --rules, --preset or --scheme"
                ))
            })?;
            if recipes.is_none() && provenance.is_none() {
                return Err(Failure::input(format!(
                    "{at} does not say how it was made, allowed: --rules, --preset or --scheme, and --seed"
                )));
            }
            let by = provenance.as_ref().map(|p| p.fanin.clone()).unwrap_or_default();
            let said = provenance.map(|p| p.tensors).unwrap_or_default();
            for (tensor, bytes) in &header.tensors {
                let dtype = match own_dtype(tensor.dtype) {
                    Ok(dtype) => dtype,
                    // Integers are not drawn, and so not compared.
                    Err(_) => continue,
                };
                let recipe = match &recipes {
                    Some(recipes) => match recipes.get(&tensor.name) {
                        Some(recipe) => Ok(recipe.clone()),
                        None => continue,
                    },
                    None => match said.get(&tensor.name) {
                        Some(words) => Recipe::from_words(words, &tensor.name, &tensor.shape),
                        None => Err("it is not among the tensors that were written".into()),
                    },
                };
                tensors += 1;
                let what = match recipe {
                    Ok(recipe) => {
                        // Of another kind's streams, the file's contract says nothing.
                        let drawn =
                            said.get(&tensor.name).filter(|_| own_kind == Some(kind)).map(|words| words.contract);
                        let ours = recipe.stream(seed).contract();
                        match (drawn, recipe.whole_fills(seed, dtype)) {
                            (Some(drawn), _) if drawn != ours => Some(What::Contract(format!(
                                "fanin {by} drew it by value contract {drawn} of {} streams, allowed: {ours}, this version's",
                                kind.name()
                            ))),
                            (_, Ok(whole)) => {
                                let runs = self.runs(tensor);
                                let (what, compared) = compare(header, bytes, &recipe, &whole, dtype, &runs, &engine)?;
                                values += compared;
                                what
                            }
                            (_, Err(reason)) => Some(What::Other(reason.to_string())),
                        }
                    }
                    Err(reason) => Some(What::Other(reason)),
                };
                differences.extend(what.map(|what| Difference { name: tensor.name.clone(), what }));
            }
            if recipes.is_none() {
                let here: std::collections::HashSet<_> = header.tensors.iter().map(|(t, _)| &t.name).collect();
                for name in said.keys().filter(|name| !here.contains(name)) {
                    differences.push(Difference { name: name.clone(), what: What::Other("it is missing".into()) });
                }
            }
        }
        if self.json {
            let list: Vec<_> = differences.iter().map(Difference::to_json).collect();
            say!(
                "{}",
                serde_json::json!({
                    "checkpoint": shown.to_string(), "same": differences.is_empty(), "tensors": tensors, "values": values,
                    "device": engine.name(), "differences": list,
                })
            );
        } else {
            for difference in &differences {
                say!("{difference}");
            }
            if differences.is_empty() {
                say!("{shown}: the same: {values} values of {tensors} tensors, drawn again by {}", engine.name());
            }
        }
        let refused = differences.iter().filter(|d| matches!(d.what, What::Contract(_))).count();
        match differences.len() - refused {
            0 if refused == 0 => Ok(()),
            0 => Err(Failure::input(format!(
                "{shown}: {refused} of {tensors} tensors were drawn by another value contract, which this version does not draw"
            ))),
            differ => Err(Failure::other(format!("{shown}: {differ} of {tensors} tensors differ"))),
        }
    }

    /// By the rules that were given.
    fn recipes(&self, headers: &[Header]) -> Result<BTreeMap<String, Recipe>, Failure> {
        let all = headers.iter().flat_map(|h| &h.tensors).map(|(tensor, _)| tensor);
        let tensors: Vec<_> = all.filter(|t| own_dtype(t.dtype).is_ok()).map(Tensor::named_shape).collect();
        let (rules, _) = self.choice.rules(&tensors)?;
        let failed = |e: fanin::Error| Failure::input(format!("{}: {e}", self.checkpoint.display()));
        let planned = rules.plan(&tensors).map_err(failed)?;
        let recipe = |p: fanin::rules::Planned| Some((p.name, Recipe::planned(p.draw?, p.shape)));
        Ok(planned.into_iter().filter_map(recipe).collect())
    }

    /// The elements of a tensor to compare.
    fn runs(&self, tensor: &Tensor) -> Vec<Range<u64>> {
        let all: u64 = tensor.shape.iter().product();
        match self.sample {
            Some(sample) if sample < all => {
                // Runs of equal length at equal distances, the first and the last element among them.
                let runs = sample.min(16);
                let length = sample.div_ceil(runs);
                let at =
                    |run| if runs == 1 { 0 } else { (u128::from(all - length) * run / u128::from(runs - 1)) as u64 };
                (0..u128::from(runs)).map(at).map(|start| start..start + length).collect()
            }
            _ => std::iter::once(0..all).collect(),
        }
    }
}

/// How runs of elements differ from what is drawn, and how many were compared.
fn compare(
    header: &Header,
    bytes: &Range<u64>,
    recipe: &Recipe,
    whole: &[Fill],
    dtype: Dtype,
    runs: &[Range<u64>],
    engine: &Engine,
) -> Result<(Option<What>, u64), Failure> {
    let failed = |e: std::io::Error| Failure::other(format!("{}: {e}", header.path.display()));
    let size = dtype.size();
    let mut file = BufReader::with_capacity(1 << 20, File::open(&header.path).map_err(failed)?);
    let (mut first, mut different, mut compared) = (None, 0, 0);
    let mut stored = Vec::new();
    for run in runs {
        file.seek(SeekFrom::Start(bytes.start + run.start * size)).map_err(failed)?;
        let mut left = run.end - run.start;
        let fills = recipe.fills(whole, run.start).map_while(|fill| {
            let range = fill.range();
            let end = range.end.min(range.start + left);
            left -= end - range.start;
            (end > range.start).then(|| fill.part(range.start..end).expect("a part of a fill is inside it"))
        });
        let mut at = run.start;
        engine.draw(fills, engine.chunk(u64::MAX), |drawn| {
            stored.resize(drawn.len(), 0);
            file.read_exact(&mut stored).map_err(failed)?;
            if stored != drawn {
                let pairs = stored.chunks(size as usize).zip(drawn.chunks(size as usize));
                for (i, _) in pairs.enumerate().filter(|(_, (a, b))| a != b) {
                    first.get_or_insert(at + i as u64);
                    different += 1;
                }
            }
            at += drawn.len() as u64 / size;
            Ok(())
        })?;
        compared += at - run.start;
    }
    Ok((first.map(|first| What::Values { first, different, compared }), compared))
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name.escape_debug();
        match &self.what {
            What::Values { first, different, compared } => {
                write!(f, "{name}: {different} of {compared} values differ, the first is element {first}")
            }
            What::Contract(reason) | What::Other(reason) => write!(f, "{name}: {reason}"),
        }
    }
}

impl Difference {
    fn to_json(&self) -> serde_json::Value {
        match &self.what {
            What::Values { first, different, compared } => serde_json::json!({
                "tensor": self.name, "first": first, "different": different, "compared": compared,
            }),
            What::Contract(reason) | What::Other(reason) => {
                serde_json::json!({"tensor": self.name, "reason": reason})
            }
        }
    }
}

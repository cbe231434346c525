//! `fanin init`: a checkpoint of a whole model.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

use bytesize::ByteSize;
use fanin::rules::{Config, Planned};
use fanin::torch::Place;
use fanin::{Dtype, Seed};
use safetensors::Dtype as FileDtype;

use crate::commands::choice::Choice;
use crate::commands::options::Common;
use crate::commands::source::{Model, Source};
use crate::draw::coarse::Coarse;
use crate::draw::engine::Engine;
use crate::draw::fp8;
use crate::draw::order::{Order, Wanted};
use crate::draw::ranks::{Mesh, Rank, Split, share};
use crate::draw::recipe::{Recipe, Tensor};
use crate::failure::Failure;
use crate::files::base::{Base, Part};
use crate::files::checkpoint::{self, Manner};
use crate::files::content::Content;
use crate::files::folder::Folder;
use crate::files::header::{self, file_dtype, is_integer, own_dtype};
use crate::files::provenance::Provenance;
use crate::say;

/// Writes a checkpoint of freshly initialised weights for every tensor of a model.
///
/// A model's config.json, as transformers makes it, says which tensors there are, and how they start. Or a list says which, and a
/// preset, rules, or one scheme for all say how. Integer tensors of a list are kept out of the file, and listed; a configuration's are
/// zero. The file is written beside its name and renamed when it is complete.
///
/// Many processes can draw a model together, each its part, without talking to one another: under mpirun, torchrun or srun
/// each finds its rank in the environment.
///
/// With --base, tensors that a checkpoint has are copied bit by bit, also those that are not drawn, and only the rest is drawn. A
/// tensor that grew along its first dimension, such as an embedding of more words, keeps the rows that are there; the new ones are
/// those that the whole tensor would have for the seed. Nothing is converted, and the checkpoint itself is not replaced.
#[derive(clap::Args)]
pub struct Init {
    /// The model: its config.json, or a folder that holds one; a JSON list of tensors (name -> {dtype, shape}); a .safetensors file,
    /// of which the header alone is read, or the .safetensors.index.json of a sharded one; or a plan, which fanin for Python saved.
    model: PathBuf,
    /// The file to write; or, of a config.json or a plan, a folder (that is there, or ends in /), for model.safetensors and the config.json
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    choice: Choice,
    /// Copy the model's tensors from this checkpoint where it has them, and draw the rest alone: a .safetensors file, or the
    /// .safetensors.index.json of a sharded one.
    #[arg(long, value_name = "CHECKPOINT")]
    base: Option<PathBuf>,
    /// The prefix of the model's names in the base, such as `student.`; prefixes of wrappers (`_orig_mod.`, `module.`, `model.`,
    /// `base_model.model.`, `_fsdp_wrapped_module.` and the like) are found where no name is the model's.
    #[arg(long, value_name = "PREFIX", requires = "base")]
    base_prefix: Option<String>,
    /// Draw all tensors in this dtype: f32, f16, bf16; but what a configuration has in fp8 is so [default: what the rules say, else each
    /// tensor's own]
    #[arg(long, value_parser = crate::commands::options::parse::<Dtype>)]
    dtype: Option<Dtype>,
    /// Write several files of at most so many bytes of tensors, such as 5GB, and their index; at most 99999 of them.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_shard_size: Option<u64>,
    /// Go on with what an interrupted run of the same command left.
    #[arg(long)]
    resume: bool,
    /// The most memory to draw with, such as 16MiB; no more than the default is of use.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    memory: u64,
    /// This process's number among those that draw the model together, from 0 on [default: what the launcher says]
    #[arg(long, value_name = "I")]
    rank: Option<u64>,
    /// The number of processes that draw the model together, at most 2^20 [default: what the launcher says, else 1]
    #[arg(long, value_name = "N")]
    world_size: Option<u64>,
    /// The way in which they share it: tensor (whole tensors); the number of a dimension (a slice of each tensor along it, cut as
    /// torch.chunk does; tensors without it are whole in every file); or rules (each tensor as its rule's split says, and whole in
    /// every file where it says none) [default: tensor; rules with --mesh]
    #[arg(long, value_name = "SPLIT")]
    split: Option<Split>,
    /// The ranks as a mesh, for rules that split a tensor along its axes: AXIS=RANKS,.., such as tp=4,ep=2, where the ranks that
    /// follow one another are neighbours along the last axis
    #[arg(long, value_name = "MESH")]
    mesh: Option<Mesh>,
    #[command(flatten)]
    common: Common,
}

fn size(text: &str) -> Result<u64, String> {
    match text.parse::<ByteSize>() {
        Ok(ByteSize(bytes)) if bytes >= 1 => Ok(bytes),
        Ok(_) => Err("allowed: at least 1 byte".into()),
        Err(_) => Err("allowed: a size, such as 5GB or 512MiB".into()),
    }
}

impl Init {
    pub fn run(self) -> Result<(), Failure> {
        let Common { device, json, .. } = &self.common;
        let seed = self.common.seed()?;
        let output = &self.output;
        if self.memory < 1 << 20 {
            return Err(Failure::input(format!("the memory is {}, allowed: at least 1MiB", ByteSize(self.memory))));
        }
        let rank = Rank::of(self.rank, self.world_size)?;
        if self.base.is_some() && !rank.is_only() {
            return Err(Failure::input(format!(
                "--base is given to rank {} of {} (--rank and --world-size, or what the launcher says), allowed: --base for one \
                 process alone",
                rank.rank, rank.world_size
            )));
        }
        let split = match (self.split, &self.mesh) {
            (None, None) => Split::Tensors,
            (None | Some(Split::Rules), Some(mesh)) => {
                mesh.check(rank)?;
                Split::Rules
            }
            (Some(split), None) => split,
            (Some(_), Some(_)) => {
                return Err(Failure::input("--mesh is given and another --split than rules, allowed: rules"));
            }
        };
        let model = self.source.read(&self.model)?;
        // The values of tensors that a plan does not draw lie beside it, by the plan's own names.
        let values = model.own.as_ref().and_then(|own| own.values.clone());
        if let (Some(base), Some(values)) = (&self.base, &values) {
            let (base, values) = (base.display(), values.display());
            return Err(Failure::input(format!("--base is {base}, and the plan has {values}, allowed: one of them")));
        }
        if let (Some(base), Some(tensor)) = (&self.base, model.tensors.iter().find(|tensor| tensor.block.is_some())) {
            return Err(Failure::input(format!(
                "--base is {}, and the configuration has {} in fp8, whose scales would be another model's, allowed: --base without a \
                 quantization_config, which --set quantization_config=null takes away",
                base.display(),
                tensor.name
            )));
        }
        let (base, renamed) = match &self.base {
            None => (values.as_deref().map(Base::open).transpose()?, None),
            // Of integers alone there is nothing to share.
            Some(path) if model.tensors.iter().all(|tensor| is_integer(tensor.dtype)) => {
                (Some(Base::open(path)?), None)
            }
            Some(path) => {
                let names = model.tensors.iter().map(|tensor| tensor.name.as_str());
                let (base, renamed) = Base::open(path)?.by_names_of(names, self.base_prefix.as_deref())?;
                (Some(base), renamed)
            }
        };
        let is_plan = model.own.as_ref().is_some_and(|own| own.config.is_none());
        let Plan { tensors, mut parts, buffers, kept_out, skipped, mut notes, rules, digest, config } =
            self.plan(seed, model, base.as_ref())?;
        notes.extend(renamed);
        if let (Some(values), Some(name)) = (&values, skipped.iter().chain(&kept_out).next()) {
            let values = values.display();
            return Err(Failure::input(format!("tensor \"{name}\" has no scheme, allowed: values of it in {values}")));
        }
        // One of the ranks has them.
        let base = base.filter(|_| rank.rank == 0);
        parts.retain(|_, _| rank.rank == 0);
        if !rank.is_only() && split != Split::Rules && tensors.iter().any(|tensor| tensor.split.is_some()) {
            notes.push(
                "the rules say how ranks share the model, which --split rules or --mesh does, and this run did not"
                    .into(),
            );
        }
        let tensors = share(tensors, rank, split, self.mesh.as_ref())?;
        if tensors.is_empty() && parts.is_empty() && rank.is_only() {
            let or_copy = if base.is_some() { " or copy" } else { "" };
            return Err(Failure::input(format!("{}: there is no tensor to draw{or_copy}", self.model.display())));
        }
        let grown = parts.iter().filter(|(_, part)| part.rows.is_some()).count();
        let (copied, drawn) = (parts.len() - grown, tensors.len() - grown);
        // A list of tensors is no model that a folder is for.
        let folder = Folder::named(output).filter(|_| config.is_some() || is_plan);
        let output = folder.map_or(output.clone(), |folder| folder.join("model.safetensors"));
        // A device or a pipe is the same for all ranks.
        let is_no_file = std::fs::metadata(&output).is_ok_and(|m| !m.is_file() && !m.is_dir());
        let output = if rank.is_only() || is_no_file {
            output
        } else {
            checkpoint::inserted(&output, &format!(".rank-{}-of-{}", rank.rank, rank.world_size))
        };
        let provenance = Provenance {
            rules: Some(rules.clone()),
            rules_sha256: Some(digest),
            rank: (!rank.is_only()).then_some(rank),
            base: base.as_ref().map(Base::name),
            ..Provenance::new(seed)
        };
        let engine = Engine::choose(device)?;
        let manner = Manner {
            resume: self.resume,
            shard: self.max_shard_size,
            chunk: engine.chunk(self.memory),
            read: base.as_ref().map(Base::files).unwrap_or_default(),
        };
        let started = Instant::now();
        let mut contents = contents(tensors, parts)?;
        for buffer in buffers.iter().filter(|_| rank.rank == 0) {
            contents.push(Content::zeros(buffer)?);
        }
        let count = contents.len();
        let folder = folder.map(Folder::open).transpose()?;
        let written = checkpoint::write(&output, &provenance, contents, &engine, &manner)?;
        // One of the ranks says what the model is.
        if let Some(folder) = folder.filter(|_| rank.rank == 0) {
            folder.finish(config, self.dtype)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        if *json {
            let report = serde_json::json!({
                "output": output.display().to_string(), "device": engine.name(), "seed": seed, "rules": rules,
                "rank": rank.rank, "world_size": rank.world_size, "tensors": count, "values": written.values,
                "bytes": written.bytes, "files": written.files, "seconds": seconds, "kept_out": kept_out,
                "skipped": skipped, "notes": notes, "base": base.map(|base| base.path.display().to_string()),
                "copied": copied, "grown": grown, "drawn": drawn,
            });
            say::json(&report);
            return Ok(());
        }
        let files = if written.files > 1 { format!(" in {} files", written.files) } else { String::new() };
        say!(
            "{}: {count} tensors by {rules}, {} values, {:.1} MB{files}, seed {seed}, drawn by {} in {seconds:.2} s",
            output.display(),
            written.values,
            written.bytes as f64 / 1e6,
            engine.name(),
        );
        if let Some(base) = base {
            let base = base.path.display();
            say!("of {base}: {copied} tensors copied, {grown} grown, of which the new rows are drawn, {drawn} drawn");
        }
        if !kept_out.is_empty() {
            say!("kept out, as they hold integers: {}", kept_out.join(", "));
        }
        if !skipped.is_empty() {
            say!("skipped by the rules: {}", skipped.join(", "));
        }
        for note in notes {
            say!("{note}");
        }
        Ok(())
    }

    fn plan(&self, seed: Seed, model: Model, base: Option<&Base>) -> Result<Plan, Failure> {
        let shown = self.model.display();
        let failed = |e: &dyn std::fmt::Display| Failure::input(format!("{shown}: {e:#}"));
        let of = |name: &str, e: &dyn std::fmt::Display| failed(&format!("tensor \"{name}\": {e:#}"));
        let Model { tensors: model, own } = model;
        let (own, of_own) = own.map(|own| (own.rules, (own.config, own.order))).unzip();
        let (config, order) = of_own.unwrap_or_default();
        let is_described = config.is_some();
        let mut parts = BTreeMap::new();
        for (tensor, base) in model.iter().filter_map(|tensor| Some((tensor, base?))) {
            let part = base.part(&tensor.name, &tensor.shape).map_err(|e| of(&tensor.name, &e))?;
            parts.extend(part.map(|part| (tensor.name.clone(), part)));
        }
        let left_out = base.and_then(|base| left_out(base, &model));
        let (drawable, integers): (Vec<_>, Vec<_>) = model.into_iter().partition(|tensor| !is_integer(tensor.dtype));
        let is_copied = |name: &str| parts.get(name).is_some_and(|part| part.rows.is_none());
        let tensor = |tensor: &header::Tensor| match tensor.named_shape() {
            // Rules are for what is drawn.
            named if is_copied(&named.name) => named.optional(),
            named => named,
        };
        let tensors: Vec<_> = drawable.iter().map(tensor).collect();
        let has_own = own.is_some();
        let (rules, name) = self.choice.rules(&tensors, own)?;
        let made = rules.plan(&tensors).map_err(|e| failed(&e))?;
        let drawn: Vec<_> = made.tensors().iter().filter(|planned| !is_copied(&planned.name)).cloned().collect();
        let notes = [self.choice.unmet(made.unmet()), self.choice.doubtful(&drawn, has_own), left_out];
        let mut plan = Plan {
            tensors: Vec::new(),
            parts: BTreeMap::new(),
            buffers: Vec::new(),
            kept_out: Vec::new(),
            skipped: Vec::new(),
            notes: notes.into_iter().flatten().collect(),
            rules: name,
            digest: rules.digest(),
            config,
        };
        let mut places = match seed {
            Seed::Torch(start) => self.places(start, order, &drawn, &drawable).map_err(|e| failed(&e))?,
            _ => BTreeMap::new(),
        };
        let mut coarse = Coarse::default();
        for tensor in integers {
            match parts.remove(&tensor.name) {
                Some(part) => {
                    part.unconverted(tensor.dtype, "in the model").map_err(|e| of(&tensor.name, &e))?;
                    if part.rows.is_some() {
                        return Err(of(&tensor.name, &part.undrawn()));
                    }
                    plan.parts.insert(tensor.name, part);
                }
                None if is_described => plan.buffers.push(tensor),
                None => plan.kept_out.push(tensor.name),
            }
        }
        for (planned, tensor) in made.into_tensors().into_iter().zip(drawable) {
            let wrong = |e: &dyn std::fmt::Display| of(&tensor.name, e);
            let part = parts.remove(&tensor.name);
            let of_rule = planned.draw.as_ref().and_then(|draw| draw.dtype);
            if let Some(part) = &part {
                let (dtype, by) = match (self.dtype, of_rule) {
                    (Some(dtype), _) => (file_dtype(dtype), "by --dtype"),
                    (None, Some(dtype)) => (file_dtype(dtype), "by its rule"),
                    (None, None) => (Ok(tensor.dtype), "in the model"),
                };
                dtype.and_then(|dtype| part.unconverted(dtype, by)).map_err(|e| wrong(&e))?;
            }
            let (part, draw) = match (part, planned.draw) {
                (Some(part), _) if part.rows.is_none() => {
                    plan.parts.insert(tensor.name, part);
                    continue;
                }
                (Some(part), None) => {
                    let message = "and the rules skip it, allowed: a rule that has a scheme for it";
                    return Err(wrong(&format!("{}, {message}", part.grown())));
                }
                (None, None) => {
                    plan.skipped.push(tensor.name);
                    continue;
                }
                (part, Some(draw)) => (part, draw),
            };
            if let (Some(_), Some(dtype)) = (tensor.block, draw.dtype) {
                let message =
                    "and the configuration has it in fp8, allowed: no dtype in its rule, or no quantization_config";
                return Err(wrong(&format!("its dtype is {dtype} by its rule, {message}")));
            }
            let dtype = match self.dtype.or(draw.dtype) {
                // In one dtype, whatever the others are drawn in.
                _ if tensor.block.is_some() => Dtype::F32,
                Some(_) if tensor.dtype == FileDtype::C64 => {
                    return Err(wrong(&"its dtype is C64, which fanin does not draw"));
                }
                Some(dtype) => dtype,
                None => own_dtype(tensor.dtype).map_err(|e| wrong(&part.as_ref().map_or(e, Part::undrawn)))?,
            };
            draw.check_in(dtype).map_err(|e| wrong(&e))?;
            for distribution in
                std::iter::once(draw.distribution).chain(draw.parts.iter().map(|part| part.distribution))
            {
                coarse.add(&distribution, dtype, &tensor.name);
            }
            let mut draw = draw;
            if let Some(place) = places.remove(&tensor.name) {
                // PyTorch knows no names: the stream is a place.
                draw.stream = place;
            }
            let recipe = match tensor.block {
                Some(_) => fp8::weight(draw).map_err(|e| wrong(&e))?,
                None => Recipe::planned(draw),
            };
            // A tensor that cannot be drawn is refused before any is.
            recipe.fill(seed, dtype).map(drop).map_err(|e| wrong(&e))?;
            if let (Some([rows, columns]), Some(scale), [height, width]) =
                (tensor.block, recipe.scale, &tensor.shape[..])
            {
                let shape = vec![height.div_ceil(rows), width.div_ceil(columns)];
                let (name, recipe) = fp8::scales(&tensor.name, shape, scale);
                plan.tensors.push(Tensor { name, dtype: Dtype::F32, recipe, split: planned.split.clone() });
            }
            plan.parts.extend(part.map(|part| (tensor.name.clone(), part)));
            plan.tensors.push(Tensor { name: tensor.name, dtype, recipe, split: planned.split });
        }
        plan.notes.extend(coarse.notes());
        plan.notes.extend(untied(&plan.tensors, &plan.parts));
        Ok(plan)
    }
}

/// The places of tensors in PyTorch's sequence.
impl Init {
    fn places(
        &self,
        start: Place,
        order: Option<Order>,
        drawn: &[Planned],
        listed: &[header::Tensor],
    ) -> Result<BTreeMap<String, String>, String> {
        let Some(order) = order else {
            let allowed =
                "of a plan, as the package fanin for Python records it: PyTorch draws a model in the order of its code";
            return Err(format!("the stream is torch, allowed: {allowed}"));
        };
        if self.choice.is_given() {
            return Err("--rules or --preset is given, allowed with --generator torch: the plan's own".into());
        }
        let wanted = drawn.iter().filter_map(|planned| {
            let draw = planned.draw.as_ref()?;
            let own = listed
                .iter()
                .find(|tensor| tensor.name == planned.name)
                .and_then(|tensor| own_dtype(tensor.dtype).ok());
            let dtype = self.dtype.or(draw.dtype).or(own)?;
            let elements = planned.shape.iter().product();
            Some(Wanted { name: &planned.name, dtype, elements, distribution: draw.distribution })
        });
        order.places(start, &wanted.collect::<Vec<_>>())
    }
}

/// The note about tensors that the model does not have.
fn left_out(base: &Base, model: &[header::Tensor]) -> Option<String> {
    let here: HashSet<_> = model.iter().map(|tensor| tensor.name.as_str()).collect();
    let names: Vec<_> = base.names().filter(|name| !here.contains(name)).collect();
    let base = base.path.display();
    (!names.is_empty()).then(|| format!("not copied from {base}, as the model has none such: {}", names.join(", ")))
}

/// The note about tensors that the rules tie to others, of which the base has these alone.
fn untied(tensors: &[Tensor], parts: &BTreeMap<String, Part>) -> Option<String> {
    let is_untied = |t: &&Tensor| !parts.contains_key(&t.name) && parts.contains_key(&t.recipe.draw.stream);
    let of = |t: &Tensor| format!("{} (of {})", t.name, t.recipe.draw.stream);
    let names: Vec<_> = tensors.iter().filter(is_untied).map(of).collect();
    (!names.is_empty()).then(|| {
        format!("drawn with the stream of a tensor that is copied, whose values they do not have: {}", names.join(", "))
    })
}

/// The tensors to write, with the digests of what is copied.
fn contents(tensors: Vec<Tensor>, mut parts: BTreeMap<String, Part>) -> Result<Vec<Content>, Failure> {
    let mut contents = Vec::with_capacity(tensors.len() + parts.len());
    for tensor in tensors {
        let part = parts.remove(&tensor.name);
        contents.push(Content { copied: part.map(Part::read).transpose()?, ..Content::drawn(tensor)? });
    }
    for (name, part) in parts {
        let (dtype, shape) = (part.dtype, part.shape.clone());
        let (run, copied) = part.read()?;
        contents.push(Content { name, dtype, shape, bytes: run.len(), copied: Some((run, copied)), drawn: None });
    }
    Ok(contents)
}

struct Plan {
    /// The tensors that are drawn, if only in part.
    tensors: Vec<Tensor>,
    /// The tensors that are copied, if only in part.
    parts: BTreeMap<String, Part>,
    /// Integers of a configuration's model, which are zero.
    buffers: Vec<header::Tensor>,
    /// Integer tensors.
    kept_out: Vec<String>,
    skipped: Vec<String>,
    /// The notes on the choice, for people.
    notes: Vec<String>,
    rules: String,
    digest: String,
    /// The configuration of a model that was described by one.
    config: Option<Config>,
}

//! `fanin init`: a checkpoint of a whole model.

use std::path::PathBuf;
use std::time::Instant;

use bytesize::ByteSize;
use fanin::Dtype;
use safetensors::Dtype as FileDtype;

use crate::commands::choice::Choice;
use crate::commands::options::Common;
use crate::draw::coarse::Coarse;
use crate::draw::engine::Engine;
use crate::draw::ranks::{Mesh, Rank, Split, share};
use crate::draw::recipe::{Recipe, Tensor};
use crate::draw::seed::Seed;
use crate::failure::Failure;
use crate::files::checkpoint::{self, Manner};
use crate::files::header::{self, is_integer, own_dtype};
use crate::files::model;
use crate::files::provenance::Provenance;
use crate::say;

/// Writes a checkpoint of freshly initialised weights for every tensor of a model.
///
/// Which scheme a tensor takes is said by a preset, by rules, or by one scheme for all. Integer tensors are kept out of the
/// file, and listed. The file is written beside its name and renamed when it is complete.
///
/// Many processes can draw a model together, each its part, without talking to one another: under mpirun, torchrun or srun
/// each finds its rank in the environment.
#[derive(clap::Args)]
pub struct Init {
    /// The model: a JSON list of tensors (name -> {dtype, shape}), a .safetensors file, of which the header alone is read,
    /// or the .safetensors.index.json of a sharded one.
    model: PathBuf,
    /// The file to write.
    #[arg(short, long, value_name = "OUT.safetensors")]
    output: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// Draw all tensors in this dtype: f32, f16, bf16 [default: what the rules say, else each tensor's own]
    #[arg(long, value_parser = crate::commands::options::parse::<Dtype>)]
    dtype: Option<Dtype>,
    /// Write several files of at most so many bytes of tensors, such as 5GB, and their index; at most 99999 of them.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_shard_size: Option<u64>,
    /// Go on with what an interrupted run of the same command left.
    #[arg(long)]
    resume: bool,
    /// How much memory to draw with at most, such as 16MiB; no more than the default is of use.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    memory: u64,
    /// This process's number among those that draw the model together, from 0 on [default: what the launcher says]
    #[arg(long, value_name = "I")]
    rank: Option<u64>,
    /// How many processes draw the model together, at most 2^20 [default: what the launcher says, else 1]
    #[arg(long, value_name = "N")]
    world_size: Option<u64>,
    /// How they share it: tensor (whole tensors); the number of a dimension (a slice of each tensor along it, cut as
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
        let Plan { tensors, kept_out, skipped, notes, rules, digest } = self.plan(seed)?;
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
        let tensors = share(tensors, rank, split, self.mesh.as_ref())?;
        if tensors.is_empty() && rank.is_only() {
            return Err(Failure::input(format!("{}: there is no tensor to draw", self.model.display())));
        }
        // A device or a pipe is the same for all ranks.
        let is_no_file = std::fs::metadata(output).is_ok_and(|m| !m.is_file() && !m.is_dir());
        let output = if rank.is_only() || is_no_file {
            output.clone()
        } else {
            checkpoint::inserted(output, &format!(".rank-{}-of-{}", rank.rank, rank.world_size))
        };
        let count = tensors.len();
        let provenance = Provenance {
            rules: Some(rules.clone()),
            rules_sha256: Some(digest),
            rank: (!rank.is_only()).then_some(rank),
            ..Provenance::new(seed)
        };
        let engine = Engine::choose(device)?;
        let manner = Manner { resume: self.resume, shard: self.max_shard_size, chunk: engine.chunk(self.memory) };
        let started = Instant::now();
        let written = checkpoint::write(&output, &provenance, tensors, &engine, &manner)?;
        let seconds = started.elapsed().as_secs_f64();
        if *json {
            let report = serde_json::json!({
                "output": output.display().to_string(), "device": engine.name(), "seed": seed, "rules": rules,
                "rank": rank.rank, "world_size": rank.world_size, "tensors": count, "values": written.values,
                "bytes": written.bytes, "files": written.files, "seconds": seconds, "kept_out": kept_out,
                "skipped": skipped, "notes": notes,
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

    fn plan(&self, seed: Seed) -> Result<Plan, Failure> {
        let shown = self.model.display();
        let failed = |e: &dyn std::fmt::Display| Failure::input(format!("{shown}: {e:#}"));
        let (drawable, integers): (Vec<_>, Vec<_>) =
            model::read(&self.model)?.into_iter().partition(|tensor| !is_integer(tensor.dtype));
        let tensors: Vec<_> = drawable.iter().map(header::Tensor::named_shape).collect();
        let (rules, name) = self.choice.rules(&tensors)?;
        let mut plan = Plan {
            tensors: Vec::new(),
            kept_out: integers.into_iter().map(|t| t.name).collect(),
            skipped: Vec::new(),
            notes: Vec::new(),
            rules: name,
            digest: rules.digest(),
        };
        let made = rules.plan(&tensors).map_err(|e| failed(&e))?;
        plan.notes.extend(self.choice.unmet(made.unmet()));
        plan.notes.extend(self.choice.doubtful(made.tensors()));
        let mut coarse = Coarse::default();
        let planned = made.into_tensors();
        for (planned, tensor) in planned.into_iter().zip(drawable) {
            let wrong = |e: &dyn std::fmt::Display| failed(&format!("tensor \"{}\": {e:#}", planned.name));
            let Some(draw) = planned.draw else {
                plan.skipped.push(planned.name);
                continue;
            };
            let dtype = match self.dtype.or(draw.dtype) {
                Some(_) if tensor.dtype == FileDtype::C64 => {
                    return Err(wrong(&"its dtype is C64, which fanin does not draw"));
                }
                Some(dtype) => dtype,
                None => own_dtype(tensor.dtype).map_err(|e| wrong(&e))?,
            };
            draw.check_in(dtype).map_err(|e| wrong(&e))?;
            for distribution in
                std::iter::once(draw.distribution).chain(draw.parts.iter().map(|part| part.distribution))
            {
                coarse.add(&distribution, dtype, &planned.name);
            }
            let recipe = Recipe::planned(draw);
            // What cannot be drawn is said before anything is.
            recipe.fill(seed, dtype).map(drop).map_err(|e| wrong(&e))?;
            plan.tensors.push(Tensor { name: planned.name, dtype, recipe, split: planned.split });
        }
        plan.notes.extend(coarse.notes());
        Ok(plan)
    }
}

struct Plan {
    tensors: Vec<Tensor>,
    /// Integer tensors.
    kept_out: Vec<String>,
    skipped: Vec<String>,
    /// What people should know of the choice.
    notes: Vec<String>,
    rules: String,
    digest: String,
}

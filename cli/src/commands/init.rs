//! `fanin init`: a checkpoint of a whole model.

mod report;

use std::path::{Path, PathBuf};
use std::time::Instant;

use bytesize::ByteSize;
use fanin::rules::{Config, Tensor};
use fanin::{Dtype, Seed};

use crate::commands::model_options::{LoadedModel, ModelOptions};
use crate::commands::options::SeedAndDevice;
use crate::commands::rule_options::RuleOptions;
use crate::draw::engine::Engine;
use crate::draw::ranks::{Mesh, Rank, Sharing};
use crate::draw::seed;
use crate::failure::Failure;
use crate::files::base::Base;
use crate::files::checkpoint;
use crate::files::folder::ModelFolder;
use crate::files::provenance::Provenance;
use crate::files::writer::WriteOptions;
use crate::ops::init::{DrawOptions, ToWrite, UnplannedModel, with_copies};
use crate::ops::named_rules::NamedRules;
use crate::ops::share::share;
use report::InitReport;

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
    model_options: ModelOptions,
    #[command(flatten)]
    rule_options: RuleOptions,
    /// Copy the model's tensors from this checkpoint where it has them, and draw the rest alone: a .safetensors file, or the
    /// .safetensors.index.json of a sharded one.
    #[arg(long, value_name = "CHECKPOINT")]
    base: Option<PathBuf>,
    /// The prefix of the model's names in the base, such as `student.`; prefixes of wrappers (`_orig_mod.`, `module.`, `model.`,
    /// `base_model.model.`, `_fsdp_wrapped_module.` and the like) are found where no name is the model's.
    #[arg(long, value_name = "PREFIX", requires = "base")]
    base_prefix: Option<String>,
    /// Draw all tensors in this dtype: f32, f16, bf16; tensors that a configuration has in fp8 stay in fp8 [default: what the rules say,
    /// else each tensor's own]
    #[arg(long, value_parser = crate::commands::options::parse::<Dtype>)]
    dtype: Option<Dtype>,
    /// Write several files of at most so many bytes of tensors, such as 5GB, and their index; at most 99999 of them.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_shard_size: Option<u64>,
    /// Go on with what an interrupted run of the same command left.
    #[arg(long)]
    resume: bool,
    /// The most memory to draw with, such as 16MiB; more than the default gains nothing.
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
    split: Option<Sharing>,
    /// The ranks as a mesh, for rules that split a tensor along its axes: AXIS=RANKS,.., such as tp=4,ep=2, where the ranks that
    /// follow one another are neighbours along the last axis
    #[arg(long, value_name = "MESH")]
    mesh: Option<Mesh>,
    #[command(flatten)]
    common: SeedAndDevice,
}

fn size(text: &str) -> Result<u64, String> {
    match text.parse::<ByteSize>() {
        Ok(ByteSize(bytes)) if bytes >= 1 => Ok(bytes),
        Ok(_) => Err("allowed: at least 1 byte".into()),
        Err(_) => Err("allowed: a size, such as 5GB or 512MiB".into()),
    }
}

/// A rank's part of a checkpoint, before it is written.
struct RankPart {
    rules: NamedRules,
    base: Option<Base>,
    config: Option<Config>,
    is_plan: bool,
    to_write: ToWrite,
}

impl Init {
    pub fn run(self) -> Result<(), Failure> {
        let seed = self.common.seed()?;
        seed::check_for_model(seed)?;
        if self.memory < 1 << 20 {
            return Err(Failure::input(format!("the memory is {}, allowed: at least 1MiB", ByteSize(self.memory))));
        }
        let rank = Rank::chosen(self.rank, self.world_size)?;
        let part = self.part(seed, rank)?;
        let (output, folder) = self.output(&part, rank);
        let RankPart { rules, base, config, to_write, .. } = part;
        let ToWrite { drawn, copied, buffers, kept_out, skipped, notes } = to_write;
        let grown = copied.values().filter(|there| !there.is_whole()).count();
        let (count_copied, count_drawn) = (copied.len() - grown, drawn.len() - grown);
        let provenance = Provenance {
            rules: Some(rules.name.clone()),
            rules_sha256: Some(rules.rules.digest()),
            rank: (!rank.is_only()).then_some(rank),
            base: base.as_ref().map(Base::name),
            ..Provenance::new(seed)
        };
        let engine = Engine::choose(&self.common.device)?;
        let options = WriteOptions {
            resume: self.resume,
            shard: self.max_shard_size,
            chunk: engine.chunk(self.memory),
            read: base.as_ref().map(Base::files).unwrap_or_default(),
        };
        let started = Instant::now();
        let mut contents = with_copies(drawn, copied)?;
        contents.extend(buffers);
        let tensors = contents.len();
        let folder = folder.map(ModelFolder::open).transpose()?;
        let written = checkpoint::write(&output, &provenance, contents, &engine, &options)?;
        // One of the ranks says what the model is.
        if let Some(folder) = folder.filter(|_| rank.rank == 0) {
            folder.finish(config, self.dtype)?;
        }
        let report = InitReport {
            output,
            device: engine.name().into(),
            seed,
            rules: rules.name,
            rank,
            tensors,
            written,
            seconds: started.elapsed().as_secs_f64(),
            base: base.map(|base| base.path),
            copied: count_copied,
            grown,
            drawn: count_drawn,
            kept_out,
            skipped,
            notes,
        };
        if self.common.json {
            report.print_json();
        } else {
            report.print();
        }
        Ok(())
    }

    /// The part of the model that a rank has, by the rules that are asked for.
    fn part(&self, seed: Seed, rank: Rank) -> Result<RankPart, Failure> {
        let split = self.split(rank)?;
        let model = self.model_options.read(&self.model)?;
        let (base, renamed) = self.base(&model, rank)?;
        let LoadedModel { tensors, own_rules, config, values, order } = model;
        let (is_plan, has_own) = (order.is_some(), own_rules.is_some());
        let shown = self.model.display();
        let failed = |e: &dyn std::fmt::Display| Failure::input(format!("{shown}: {e:#}"));
        if is_plan && matches!(seed, Seed::Torch(_)) && self.rule_options.is_given() {
            return Err(failed(&"--rules or --preset is given, allowed with --generator torch: the plan's own"));
        }
        let model = UnplannedModel::new(tensors, base.as_ref()).map_err(|e| failed(&e))?;
        let rules = self.rule_options.rules(&model.tensors, own_rules)?;
        let plan = rules.plan(&model.tensors, &self.model)?;
        let drawn = plan.tensors().iter().zip(&model.tensors).filter(|(_, tensor)| !tensor.optional);
        let notes = [
            self.rule_options.unmet(plan.unmet()),
            self.rule_options.doubtful(drawn.map(|(planned, _)| planned), has_own),
            base.as_ref().and_then(|base| model.left_out(base)),
        ];
        let mut notes: Vec<_> = notes.into_iter().flatten().collect();
        let options = DrawOptions { seed, dtype: self.dtype, order, has_zeros: config.is_some() };
        let mut to_write = model.make(plan, &options).map_err(|e| failed(&e))?;
        notes.append(&mut to_write.notes);
        notes.extend(renamed);
        if let (Some(values), Some(name)) = (&values, to_write.skipped.iter().chain(&to_write.kept_out).next()) {
            let values = values.display();
            return Err(Failure::input(format!("tensor \"{name}\" has no scheme, allowed: values of it in {values}")));
        }
        if !rank.is_only() && split != Sharing::Rules && to_write.drawn.iter().any(|content| content.split.is_some()) {
            let note =
                "the rules say how ranks share the model, which --split rules or --mesh does, and this run did not";
            notes.push(note.into());
        }
        to_write.notes = notes;
        to_write.drawn = share(to_write.drawn, rank, split, self.mesh.as_ref())?;
        // One of the ranks has what is not drawn.
        let base = base.filter(|_| rank.rank == 0);
        if rank.rank != 0 {
            to_write.copied.clear();
            to_write.buffers.clear();
        }
        if to_write.drawn.is_empty() && to_write.copied.is_empty() && rank.is_only() {
            let or_copy = if base.is_some() { " or copy" } else { "" };
            return Err(failed(&format!("there is no tensor to draw{or_copy}")));
        }
        Ok(RankPart { rules, base, config, is_plan, to_write })
    }

    /// The file that a rank writes, and the folder that it is in, if that is the model's own.
    fn output(&self, part: &RankPart, rank: Rank) -> (PathBuf, Option<&Path>) {
        // A list of tensors is no model that a folder is for.
        let folder = ModelFolder::named(&self.output).filter(|_| part.config.is_some() || part.is_plan);
        let output = folder.map_or(self.output.clone(), |folder| folder.join("model.safetensors"));
        // A device or a pipe is the same for all ranks.
        let is_no_file = std::fs::metadata(&output).is_ok_and(|m| !m.is_file() && !m.is_dir());
        if rank.is_only() || is_no_file {
            return (output, folder);
        }
        let of_rank = format!(".rank-{}-of-{}", rank.rank, rank.world_size);
        (checkpoint::with_inserted(&output, &of_rank), folder)
    }

    /// The way in which ranks share the model.
    fn split(&self, rank: Rank) -> Result<Sharing, Failure> {
        match (self.split, &self.mesh) {
            (None, None) => Ok(Sharing::Tensors),
            (None | Some(Sharing::Rules), Some(mesh)) => mesh.check(rank).map(|()| Sharing::Rules),
            (Some(split), None) => Ok(split),
            (Some(_), Some(_)) => Err(Failure::input("--mesh is given and another --split than rules, allowed: rules")),
        }
    }

    /// The checkpoint that is copied from, by the model's names, and what to say of those: the one that was given, or the values of
    /// tensors that a plan does not draw, which lie beside it by its own names.
    fn base(&self, model: &LoadedModel, rank: Rank) -> Result<(Option<Base>, Option<String>), Failure> {
        let Some(path) = &self.base else {
            return Ok((model.values.as_deref().map(Base::open).transpose()?, None));
        };
        let base = path.display();
        if !rank.is_only() {
            return Err(Failure::input(format!(
                "--base is given to rank {} of {} (--rank and --world-size, or what the launcher says), allowed: --base for one \
                 process alone",
                rank.rank, rank.world_size
            )));
        }
        if let Some(values) = &model.values {
            let values = values.display();
            return Err(Failure::input(format!("--base is {base}, and the plan has {values}, allowed: one of them")));
        }
        if let Some(tensor) = model.tensors.iter().find(|tensor| tensor.fp8_block.is_some()) {
            return Err(Failure::input(format!(
                "--base is {base}, and the configuration has {} in fp8, whose scales would be another model's, allowed: --base \
                 without a quantization_config, which --set quantization_config=null takes away",
                tensor.name
            )));
        }
        let base = Base::open(path)?;
        // Of integers alone there is nothing to share.
        if model.tensors.iter().all(Tensor::is_integer) {
            return Ok((Some(base), None));
        }
        let names = model.tensors.iter().map(|tensor| tensor.name.as_str());
        let (base, renamed) = base.by_names_of(names, self.base_prefix.as_deref())?;
        Ok((Some(base), renamed))
    }
}

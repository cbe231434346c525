//! `fanin verify`: whether a checkpoint is what a seed says.

use std::path::PathBuf;

use crate::commands::rule_options::RuleOptions;
use crate::draw::engine::Engine;
use crate::draw::seed::StreamKind;
use crate::failure::Failure;
use crate::files::base::Base;
use crate::files::model;
use crate::ops::verify::Verification;
use crate::ops::verify::checked_file::CheckedFile;
use crate::ops::verify::given_rules::GivenRules;
use crate::ops::verify::report::Report;

/// Draws a checkpoint again and compares it, bit by bit.
///
/// Seed and rules are those in the file's metadata, unless you give others. The metadata proves only that the file agrees with itself. A
/// seed and rules that you give prove more, and so does a SHA-256 from elsewhere.
///
/// Each tensor that is not compared is listed. Integers, which are not drawn, and tensors that the given rules skip leave the verdict as
/// it is. A float other than F32, F16, BF16 and F8_E4M3 with scales, or a tensor of another value contract, means that the checkpoint is
/// not verified.
///
/// Tensors that `init --base` copied are compared by their SHA-256, also with --sample, and named. That digest is the file's own word,
/// whatever rules are given; with --base it is compared with what the base has.
///
/// If all tensors were compared as a whole and are the same, the SHA-256 of their bytes is printed: of all that is behind the header in
/// the file, or in the files of an index one after the other in the order of their names.
///
/// Exit codes, as of diff: 0 the same, 1 different, 2 and more trouble: wrong input, a tensor that cannot be compared, a file that
/// cannot be read, a device that fails.
#[derive(clap::Args)]
pub struct Verify {
    /// A .safetensors file, or the .safetensors.index.json of a sharded one.
    checkpoint: PathBuf,
    #[command(flatten)]
    rule_options: RuleOptions,
    /// The checkpoint that the file's copied tensors were copied from.
    #[arg(long, value_name = "CHECKPOINT")]
    base: Option<PathBuf>,
    /// The prefix of their names there, as for init.
    #[arg(long, value_name = "PREFIX", requires = "base")]
    base_prefix: Option<String>,
    /// The seed [default: what the file says]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<String>,
    /// The framework whose random values they are, as for init, where a seed is given [default: what the file says, else native]
    #[arg(long, value_enum, ignore_case = true, requires = "seed")]
    stream: Option<StreamKind>,
    /// Compare only about so many values of each tensor, in runs that are spread over it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
    /// The device that draws: as for init.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,
    /// Print a JSON object instead of text.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub fn run(self) -> Result<(), Failure> {
        // Whatever fails underway does not make it different.
        let report = self.report().map_err(|e| Failure { code: 2, ..e })?;
        if self.json {
            report.print_json()
        } else {
            report.print()
        }
        report.verdict()
    }

    fn report(&self) -> Result<Report, Failure> {
        let shards = model::shards(&self.checkpoint, true)?;
        let files = shards.into_iter().map(CheckedFile::read).collect::<Result<Vec<_>, _>>()?;
        let rules = |tensors: &[_]| self.rule_options.rules(tensors, None);
        let given =
            self.rule_options.is_given().then(|| GivenRules::plan(&files, &self.checkpoint, rules)).transpose()?;
        let base = self.base.as_deref().map(Base::open).transpose()?;
        let copied: Vec<_> = files.iter().flat_map(CheckedFile::copied_names).collect();
        let base = match base {
            Some(base) if copied.is_empty() => {
                let (at, base) = (self.checkpoint.display(), base.path.display());
                return Err(Failure::input(format!(
                    "{at} says of no tensor that it was copied, allowed with --base {base}: what init --base wrote"
                )));
            }
            Some(base) => Some(base.by_names_of(copied, self.base_prefix.as_deref())?.0),
            None => None,
        };
        let engine = &Engine::choose(&self.device)?;
        let (given, base, seed) = (given.as_ref(), base.as_ref(), self.seed.as_deref());
        let verification = Verification { seed, stream: self.stream, sample: self.sample, given, base, engine };
        verification.report(&self.checkpoint, &files)
    }
}

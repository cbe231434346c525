//! `fanin init`: a checkpoint of a whole model.

use std::path::PathBuf;
use std::time::Instant;

use fanin::{Dtype, Fill, Scheme, Stream};
use safetensors::Dtype as FileDtype;

use crate::engine::Engine;
use crate::failure::Failure;
use crate::{Common, checkpoint, defaults, model};

/// Writes a checkpoint of freshly initialised weights for every tensor of a model.
///
/// One scheme serves all matrices and convolutions (two or more dimensions). Vectors and scalars start at 1 where they
/// multiply (the weight, gamma or scale of a norm; a running variance) and at 0 otherwise (biases and all else). Integer
/// tensors are kept out of the file, and listed.
#[derive(clap::Args)]
pub struct Init {
    /// The model: a JSON list of tensors (name -> {dtype, shape}), or a .safetensors file, of which the header alone is
    /// read.
    model: PathBuf,
    /// The scheme of matrices and convolutions: NAME[:key=value,...]
    #[arg(long, default_value = "glorot_uniform", value_parser = crate::parse::<Scheme>)]
    scheme: Scheme,
    /// Draw all tensors in this dtype: f32, f16, bf16 [default: each tensor's own]
    #[arg(long, value_parser = crate::parse::<Dtype>)]
    dtype: Option<Dtype>,
    #[command(flatten)]
    common: Common,
}

impl Init {
    pub fn run(self) -> Result<(), Failure> {
        let Common { output, seed, device, layout, json } = &self.common;
        let (mut tensors, mut kept_out, mut by_scheme) = (Vec::new(), Vec::new(), 0);
        for tensor in model::read(&self.model)? {
            let wrong = |e: &dyn std::fmt::Display| {
                Failure::input(format!("{}: tensor \"{}\": {e}", self.model.display(), tensor.name))
            };
            let Some(dtype) = self.dtype_of(tensor.dtype).map_err(|e| wrong(&e))? else {
                kept_out.push(tensor.name);
                continue;
            };
            let distribution = if tensor.shape.len() >= 2 {
                by_scheme += 1;
                self.scheme.distribution(&tensor.shape, *layout).map_err(|e| wrong(&e))?
            } else {
                defaults::vector(&tensor.name)
            };
            let elements = fanin::elements(&tensor.shape).map_err(|e| wrong(&e))?;
            let stream = Stream::named(*seed, &tensor.name);
            let fill = Fill::new(&distribution, stream, dtype, 0..elements).map_err(|e| wrong(&e))?;
            tensors.push(checkpoint::Tensor { name: tensor.name, shape: tensor.shape, fill });
        }
        if tensors.is_empty() {
            return Err(Failure::input(format!("{}: there is no tensor to draw", self.model.display())));
        }
        let engine = Engine::choose(device)?;
        let count = tensors.len();
        let provenance = serde_json::json!({
            "fanin": env!("CARGO_PKG_VERSION"), "contract": fanin::VALUE_CONTRACT, "seed": seed, "layout": layout.to_string(),
            "scheme": self.scheme.to_string(),
        });
        let started = Instant::now();
        let written = checkpoint::write(output, provenance.to_string(), tensors, &engine)?;
        let seconds = started.elapsed().as_secs_f64();
        if *json {
            let report = serde_json::json!({
                "output": output.display().to_string(), "device": engine.name(), "seed": seed, "tensors": count,
                "values": written.values, "bytes": written.bytes, "seconds": seconds, "kept_out": kept_out,
            });
            println!("{report}");
            return Ok(());
        }
        println!(
            "{}: {count} tensors ({by_scheme} by the scheme, {} vectors and scalars), {} values, {:.1} MB, seed {seed}, \
             drawn by {} in {seconds:.2} s",
            output.display(),
            count - by_scheme,
            written.values,
            written.bytes as f64 / 1e6,
            engine.name(),
        );
        if !kept_out.is_empty() {
            println!("kept out, as they hold integers: {}", kept_out.join(", "));
        }
        Ok(())
    }

    /// The dtype to draw a tensor in, `None` for one that is kept out.
    fn dtype_of(&self, dtype: FileDtype) -> Result<Option<Dtype>, String> {
        use FileDtype::*;
        match dtype {
            BOOL | U8 | I8 | U16 | I16 | U32 | I32 | U64 | I64 => Ok(None),
            C64 => Err("its dtype is C64, which fanin does not draw".into()),
            _ if self.dtype.is_some() => Ok(self.dtype),
            F32 => Ok(Some(Dtype::F32)),
            F16 => Ok(Some(Dtype::F16)),
            BF16 => Ok(Some(Dtype::BF16)),
            other => Err(format!("its dtype is {other}, allowed: F32, F16, BF16, or any float with --dtype")),
        }
    }
}

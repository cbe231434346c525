//! A scheme -> what it draws: a line of JSON, with the kernel by which the page's GPU draws it; or with the bytes of the elements behind it,
//! where the page has no such kernel.

use fanin::{Distribution, Dtype, Layout, Scheme, Stream, Structure, cpu};
use serde_json::{Value, json};

use crate::{read, said};

/// Memory of WebAssembly is short.
const MAX_BYTES: u64 = 1 << 28;

/// What is asked for, as it was written.
pub struct Asked<'a> {
    pub scheme: &'a str,
    pub shape: &'a str,
    pub layout: &'a str,
    pub dtype: &'a str,
    pub seed: &'a str,
    pub name: &'a str,
    pub start: &'a str,
    pub end: &'a str,
}

impl Asked<'_> {
    pub fn drawn(&self) -> Result<Vec<u8>, String> {
        let scheme: Scheme = read(self.scheme)?;
        let shape = self.shape.split('x').map(read).collect::<Result<Vec<u64>, _>>()?;
        let dtype: Dtype = read(self.dtype)?;
        let distribution = scheme.distribution(&shape, read::<Layout>(self.layout)?).map_err(said)?;
        let stream = Stream::named(read(self.seed)?, self.name);
        let fill = distribution.fill(&shape, stream, dtype).map_err(said)?;
        let fill = fill.elements(read(self.start)?..read(self.end)?).map_err(said)?;
        let call = fill.kernel_call();
        if call.is_none() && fill.byte_len() > MAX_BYTES {
            let most = MAX_BYTES / dtype.bytes(1);
            return Err(format!("{} elements are wanted, allowed of {distribution} on this page: {most}", fill.len()));
        }
        let theory = fill.len() == shape.iter().product::<u64>() || elements_are_alike(&distribution);
        let head = json!({
            "text": distribution.to_string(),
            "kernel": call.map(|call| call.kernel),
            "numbers": call.map(|call| call.numbers),
            "stream": call.map(|call| json!({ "key": call.key, "nonce": call.nonce })),
            "mean": theory.then(|| distribution.mean()),
            "std": theory.then(|| distribution.std()),
            "density": if theory { density(&distribution) } else { None },
        });
        let mut answer = format!("{head}\n").into_bytes();
        if call.is_none() {
            answer.extend(cpu::bytes(&fill).map_err(said)?);
        }
        Ok(answer)
    }
}

/// The streams of tensors of these names.
pub fn streams(seed: &str, names: &[&str]) -> Result<Vec<u8>, String> {
    let seed = read(seed)?;
    let constant = Distribution::Constant { value: 0.0 };
    let stream = |name: &&str| {
        let call = constant.fill(&[1], Stream::named(seed, name), Dtype::F32).map_err(said)?.kernel_call();
        Ok(call.map(|call| json!({ "key": call.key, "nonce": call.nonce })))
    };
    let streams = names.iter().map(stream).collect::<Result<Vec<_>, String>>()?;
    Ok(json!(streams).to_string().into_bytes())
}

/// Whether each element has the whole tensor's mean and density.
fn elements_are_alike(distribution: &Distribution) -> bool {
    match distribution {
        Distribution::Structured(Structure::Orthogonal { .. }) => {
            density(distribution).is_some_and(|density| density["share"].as_f64() > Some(0.999_999))
        }
        Distribution::Structured(Structure::Sparse { .. }) => true,
        Distribution::Structured(_) => false,
        _ => true,
    }
}

/// What the density of an element is worked out from, where it has one; `share` is how many elements are not zero for sure.
fn density(distribution: &Distribution) -> Option<Value> {
    // Of zeros with others among them, whose standard deviation is this.
    let share = |std: f64| (std != 0.0).then(|| (distribution.std() / std).powi(2));
    match *distribution {
        Distribution::Constant { .. } => None,
        Distribution::Uniform { low, high } => Some(json!({ "of": "uniform", "low": low, "high": high })),
        Distribution::Normal { std: 0.0, .. } => None,
        Distribution::Normal { mean, std } => Some(json!({ "of": "normal", "mean": mean, "std": std, "share": 1.0 })),
        Distribution::TruncatedNormal { mean, std, low, high } => {
            let [a, b] = [low, high].map(|bound| (bound - mean) / std);
            // JSON has no infinity.
            let [a, b] = [a, b].map(|bound| bound.clamp(-f64::MAX, f64::MAX));
            Some(json!({ "of": "truncated_normal", "mean": mean, "std": std, "from": a, "to": b }))
        }
        Distribution::LogUniform { low, high } => Some(json!({ "of": "log_uniform", "low": low, "high": high })),
        Distribution::LogOfUniform { low, high } => Some(json!({ "of": "log_of_uniform", "low": low, "high": high })),
        Distribution::InverseSoftplus { low, high, floor } => {
            Some(json!({ "of": "inverse_softplus", "low": low, "high": high, "floor": floor }))
        }
        Distribution::Structured(Structure::Orthogonal { gain, matrix }) => {
            let length = matrix.rows().max(matrix.columns());
            let share = share(gain / (length as f64).sqrt())?;
            Some(json!({ "of": "coordinate", "gain": gain.abs(), "length": length, "share": share }))
        }
        Distribution::Structured(Structure::Sparse { std, .. }) => {
            Some(json!({ "of": "normal", "mean": 0.0, "std": std, "share": share(std)? }))
        }
        _ => None,
    }
}

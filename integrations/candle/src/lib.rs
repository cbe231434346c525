//! candle's models, their every parameter drawn by [fanin]: one seed, the same bits on every machine, and those of the checkpoint that
//! `fanin init` writes.
//!
//! The model's code says which parameters there are, and of what shape and dtype; rules say what each draws; a seed and its name say
//! which values. What candle's code hints (`candle_nn::Init`) is passed over: candle's own generator cannot be seeded on the CPU.
//!
//! | from | what draws | for |
//! | --- | --- | --- |
//! | rules, or a preset | [`init`] | a model that is made by a function of a `VarBuilder` |
//! | rules, or a preset | [`fill`] | the variables of a `VarMap`, to be trained |
//! | a `config.json` | [`Weights::from_config`] | a model of candle-transformers, started as transformers starts it |
//! | a plan of your own | [`Weights::new`] | the same |
//!
//! ```
//! use candle_core::{DType, Device, Module, Tensor};
//! use fanin::rules::Rules;
//!
//! let rules: Rules = "[[rule]]\nname = '*.weight'\nscheme = 'he_normal'\n[[rule]]\nname = '*.bias'\nscheme = 'zeros'".parse()?;
//! let dense = fanin_candle::init(&rules, 42, DType::F32, &Device::Cpu, |vb| candle_nn::linear(8, 4, vb.pp("dense")))?;
//! let y = dense.forward(&Tensor::ones((1, 8), DType::F32, &Device::Cpu)?)?;
//! assert_eq!(y.dims(), [1, 4]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Dtypes
//! Each parameter is drawn in the dtype that the model's code asks for: f32, f16 or bf16. The bits are those of
//! `fanin init --dtype` with that one. fanin draws on the CPU here; another device gets a copy.
//!
//! # Errors
//! Each is a `candle_core::Error` that names the parameter, its value and what is allowed. Nothing is drawn by candle instead.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod listing;

use std::collections::HashMap;
use std::sync::PoisonError;

use candle_core::{DType, Device, Error, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder, VarMap};
use fanin::rules::{Architecture, Config, Plan, Planned, Rules};
use fanin::{Dtype, Fill, Seed, cpu};

pub use fanin;
pub use listing::{list, list_of};

/// The weights of a model, for one seed: a backend of a `VarBuilder`, which draws each parameter when it is asked for.
///
/// A name that the plan has not, another shape than the plan's, and a dtype that fanin does not draw are errors.
/// `VarBuilder::contains_tensor` says what the plan draws.
///
/// ```
/// use candle_core::{DType, Device};
/// use fanin::rules::{Rules, Tensor};
/// use fanin_candle::Weights;
///
/// let plan = Rules::preset("llama")?.plan(&[Tensor::new("lm_head.weight", [32, 8])])?;
/// let vb = Weights::new(&plan, 42).var_builder(DType::BF16, &Device::Cpu);
/// assert_eq!(vb.get((32, 8), "lm_head.weight")?.dtype(), DType::BF16);
/// let error = vb.get((8, 32), "lm_head.weight").unwrap_err().to_string();
/// assert!(error.contains("parameter \"lm_head.weight\": the shape is [8, 32], allowed: [32, 8]"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Weights {
    planned: HashMap<String, Planned>,
    seed: Seed,
}

impl Weights {
    /// The weights of this plan. The seed is a number, or a framework's by `fanin::Seed`.
    ///
    /// See [`Weights`] for an example.
    pub fn new(plan: &Plan, seed: impl Into<Seed>) -> Weights {
        let planned = plan.tensors().iter().map(|planned| (planned.name.clone(), planned.clone())).collect();
        Weights { planned, seed: seed.into() }
    }

    /// The weights of the model that a `config.json` describes, started as transformers starts it.
    ///
    /// # Errors
    /// `fanin::ErrorKind::Config` for an architecture that fanin does not know, a key that is missing, and values that make no model.
    ///
    /// ```
    /// use candle_core::{DType, Device};
    /// use fanin::rules::Config;
    /// use fanin_candle::Weights;
    ///
    /// let config = Config::from_json(br#"{
    ///     "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 320, "hidden_size": 64,
    ///     "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4
    /// }"#)?;
    /// let vb = Weights::from_config(&config, 42)?.var_builder(DType::F32, &Device::Cpu);
    /// assert_eq!(vb.get_unchecked("model.norm.weight")?.to_vec1::<f32>()?, [1.0; 64]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_config(config: &Config, seed: impl Into<Seed>) -> std::result::Result<Weights, fanin::Error> {
        Ok(Weights::new(&Architecture::for_config(config)?.plan(config)?, seed))
    }

    /// A `VarBuilder` for the model's code: each parameter is drawn when it is asked for, in this dtype if the code says no other.
    ///
    /// See [`Weights`] for an example.
    pub fn var_builder(self, dtype: DType, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self), dtype, device.clone())
    }

    /// Gives each variable of the map its values. The model that was made from the map has them too.
    ///
    /// # Errors
    /// A variable that the plan has not, or has with another shape, or whose dtype fanin does not draw: nothing is changed then.
    ///
    /// ```
    /// use candle_core::{DType, Device};
    /// use candle_nn::{VarBuilder, VarMap};
    /// use fanin::rules::{Rules, Tensor};
    ///
    /// let map = VarMap::new();
    /// let norm = candle_nn::rms_norm(8, 1e-5, VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu).pp("model.norm"))?;
    /// let plan = Rules::preset("llama")?.plan(&[Tensor::new("model.norm.weight", [8])])?;
    /// fanin_candle::Weights::new(&plan, 42).fill(&map)?;
    /// # let _ = norm;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fill(&self, map: &VarMap) -> Result<()> {
        let vars = map.data().lock().unwrap_or_else(PoisonError::into_inner);
        let mut fills = Vec::new();
        for (name, var) in vars.iter() {
            fills.push((name, var, self.checked(name, var.shape(), var.dtype())?));
        }
        for (name, var, fill) in fills {
            var.set(&drawn(name, &fill, var.shape(), var.device())?)?;
        }
        Ok(())
    }

    /// The parameter in the plan, and its fill in this dtype.
    fn fill_of(&self, name: &str, dtype: DType) -> Result<(&Planned, Fill)> {
        let Some(planned) = self.planned.get(name) else {
            let allowed = format!("one of the {} names of the plan{}", self.planned.len(), self.like(name));
            return Err(wrong(name, "the name", "not in the plan", allowed));
        };
        let Some(draw) = &planned.draw else {
            let by = planned
                .rule
                .as_ref()
                .map_or("it holds integers".into(), |met| format!("by the rule of line {}", met.line));
            return Err(wrong(name, "it", format!("not drawn, {by}"), "a parameter that the rules draw"));
        };
        let dtype = drawn_in(name, dtype)?;
        Ok((planned, draw.fill(self.seed, dtype).map_err(|e| of_parameter(name, e))?))
    }

    /// The same, of a parameter that has to have this shape.
    fn checked(&self, name: &str, shape: &Shape, dtype: DType) -> Result<Fill> {
        let (planned, fill) = self.fill_of(name, dtype)?;
        if fanin::shape(shape.dims()) != planned.shape {
            return Err(wrong(
                name,
                "the shape",
                format!("{:?}", shape.dims()),
                format!("{:?}, as the plan has it", planned.shape),
            ));
        }
        Ok(fill)
    }

    /// A few names that end as this one does.
    fn like(&self, name: &str) -> String {
        let end = |name: &str| name.rsplit('.').take(2).map(str::to_string).collect::<Vec<_>>();
        let mut like: Vec<_> = self.planned.keys().filter(|known| end(known) == end(name)).collect();
        like.sort();
        like.truncate(3);
        if like.is_empty() { String::new() } else { format!(", such as {like:?}") }
    }
}

impl SimpleBackend for Weights {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        drawn(name, &self.checked(name, &shape, dtype)?, &shape, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        let (planned, fill) = self.fill_of(name, dtype)?;
        // A tensor of so many elements as memory holds has such dimensions.
        let shape: Vec<usize> = planned.shape.iter().map(|&size| size as usize).collect();
        drawn(name, &fill, &shape.into(), device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.planned.get(name).is_some_and(|planned| planned.draw.is_some())
    }
}

/// A model whose parameters these rules draw, which its code is asked for twice: once to [`list`] them, once with their values.
///
/// # Errors
/// A parameter that no rule fits, or whose dtype fanin does not draw; what the model's code fails with.
///
/// ```
/// use candle_core::{DType, Device};
/// use fanin::rules::Rules;
///
/// let torch = Rules::preset("pytorch")?; // as torch.nn starts its layers
/// let norm = fanin_candle::init(&torch, 42, DType::F16, &Device::Cpu, |vb| candle_nn::layer_norm(8, 1e-5, vb.pp("norm")))?;
/// assert_eq!(norm.weight().dtype(), DType::F16);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn init<T>(
    rules: &Rules,
    seed: impl Into<Seed>,
    dtype: DType,
    device: &Device,
    build: impl Fn(VarBuilder<'static>) -> Result<T>,
) -> Result<T> {
    let plan = rules.plan(&list(dtype, device, &build)?).map_err(Error::wrap)?;
    build(Weights::new(&plan, seed).var_builder(dtype, device))
}

/// Gives each variable of the map, and so the model that was made from it, the values that these rules draw.
///
/// # Errors
/// A variable that no rule fits, or whose dtype fanin does not draw: nothing is changed then.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_nn::{VarBuilder, VarMap};
/// use fanin::rules::Rules;
///
/// let map = VarMap::new();
/// let dense = candle_nn::linear(8, 4, VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu).pp("dense"))?;
/// fanin_candle::fill(&map, &Rules::preset("pytorch")?, 42)?;
/// assert!(dense.weight().abs()?.max_all()?.to_scalar::<f32>()? < 8f32.sqrt().recip());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn fill(map: &VarMap, rules: &Rules, seed: impl Into<Seed>) -> Result<()> {
    let plan = rules.plan(&list_of(map)?).map_err(Error::wrap)?;
    Weights::new(&plan, seed).fill(map)
}

/// The fill's values as a tensor.
fn drawn(name: &str, fill: &Fill, shape: &Shape, device: &Device) -> Result<Tensor> {
    let wrong = |e| of_parameter(name, e);
    match fill.dtype() {
        Dtype::F32 => Tensor::from_vec(cpu::vec::<f32>(fill).map_err(wrong)?, shape, device),
        Dtype::F16 => Tensor::from_vec(cpu::vec::<half::f16>(fill).map_err(wrong)?, shape, device),
        _ => Tensor::from_vec(cpu::vec::<half::bf16>(fill).map_err(wrong)?, shape, device),
    }
}

/// fanin's name of candle's dtype.
fn drawn_in(name: &str, dtype: DType) -> Result<Dtype> {
    match dtype {
        DType::F32 => Ok(Dtype::F32),
        DType::F16 => Ok(Dtype::F16),
        DType::BF16 => Ok(Dtype::BF16),
        _ => Err(wrong(name, "the dtype", dtype.as_str(), "f32, f16, bf16")),
    }
}

fn wrong(name: &str, thing: &str, value: impl std::fmt::Display, allowed: impl std::fmt::Display) -> Error {
    Error::msg(format!("parameter {name:?}: {thing} is {value}, allowed: {allowed}"))
}

fn of_parameter(name: &str, error: fanin::Error) -> Error {
    Error::msg(format!("parameter {name:?}: {error:#}"))
}

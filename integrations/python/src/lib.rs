//! The native part of the package `fanin`: tensors drawn by the library into memory of Python's, without its lock.
//!
//! What is public in Python, and documented there, is in `python/fanin`; what is here serves it alone.

#![deny(unsafe_code)]

mod draw;
mod plan;
mod seed;
mod torch;

use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

create_exception!(
    fanin,
    Error,
    PyValueError,
    "What was asked for cannot be drawn: names the thing, its value and what is allowed."
);

/// The library's words.
fn error(error: fanin::Error) -> PyErr {
    Error::new_err(format!("{error:#}"))
}

/// Words of this crate's own, in the library's manner.
fn wrong(thing: &str, value: impl std::fmt::Display, allowed: &str) -> PyErr {
    Error::new_err(format!("{thing} is {value}, allowed: {allowed}"))
}

#[pymodule]
fn _fanin(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("Error", module.py().get_type::<Error>())?;
    module.add("VALUE_CONTRACT", fanin::VALUE_CONTRACT)?;
    module.add_class::<draw::Draw>()?;
    module.add_class::<torch::TorchDraw>()?;
    module.add_function(wrap_pyfunction!(torch::torch_place, module)?)?;
    module.add_function(wrap_pyfunction!(torch::torch_words, module)?)?;
    module.add_function(wrap_pyfunction!(draw::resolve, module)?)?;
    module.add_function(wrap_pyfunction!(plan::plan, module)?)?;
    module.add_function(wrap_pyfunction!(plan::preset, module)?)
}

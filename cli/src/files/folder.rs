//! A folder that holds a model as `from_pretrained` wants it: its tensors, and its config.json.

use std::fs;
use std::path::{Path, PathBuf};

use fanin::Dtype;
use fanin::rules::Config;

use crate::failure::Failure;
use crate::files::partial;

/// A folder for a model, which goes again if nothing comes into it.
pub struct ModelFolder {
    path: PathBuf,
    is_new: bool,
}

impl ModelFolder {
    /// The folder that an output is: one that is there, or whose name ends in `/`.
    pub fn named(output: &Path) -> Option<&Path> {
        (output.is_dir() || output.as_os_str().as_encoded_bytes().ends_with(b"/")).then_some(output)
    }

    pub fn open(path: &Path) -> Result<ModelFolder, Failure> {
        let is_new = !path.is_dir();
        let made = fs::create_dir_all(path);
        made.map_err(|e| Failure::input(format!("{} cannot be made: {e}", path.display())))?;
        Ok(ModelFolder { path: path.into(), is_new })
    }

    /// Keeps the folder, and writes the configuration, if there is one, with the dtype that all tensors have, if they have one.
    pub fn finish(mut self, config: Option<Config>, dtype: Option<Dtype>) -> Result<(), Failure> {
        self.is_new = false;
        let Some(mut config) = config else { return Ok(()) };
        if let Some(dtype) = dtype {
            let name = match dtype {
                Dtype::F16 => "float16",
                Dtype::BF16 => "bfloat16",
                _ => "float32",
            };
            let key = if config.has("torch_dtype") { "torch_dtype" } else { "dtype" };
            config.set(key, name).map_err(Failure::input)?;
        }
        let path = self.path.join("config.json");
        // One that says the same stays as it is written.
        let is_there = fs::read(&path).is_ok_and(|text| Config::from_json(&text).is_ok_and(|there| there == config));
        if is_there { Ok(()) } else { partial::write_text(&path, config.to_json().as_bytes()) }
    }
}

impl Drop for ModelFolder {
    fn drop(&mut self) {
        if self.is_new {
            // Not if there is anything in it, such as a partial file.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

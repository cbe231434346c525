//! A checkpoint that tensors are copied from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::Dtype;

use crate::draw::recipe::Recipe;
use crate::failure::Failure;
use crate::files::header::Tensor;
use crate::files::model;
use crate::files::provenance::{Copied, Provenance};
use crate::files::run::Run;

/// A checkpoint, by its headers.
pub struct Base {
    pub path: PathBuf,
    tensors: BTreeMap<String, (Tensor, Run)>,
    /// Those of which a file says that they are parts of larger ones.
    parts: BTreeMap<String, Vec<u64>>,
}

/// What a checkpoint has of a tensor.
#[derive(Debug)]
pub struct Part {
    pub dtype: Dtype,
    pub shape: Vec<u64>,
    /// How many of its rows there are, if not all.
    pub rows: Option<u64>,
    pub run: Run,
}

impl Base {
    /// Reads the headers of a `.safetensors` file, or of all that an index names.
    pub fn open(path: &Path) -> Result<Base, Failure> {
        let (mut tensors, mut parts) = (BTreeMap::new(), BTreeMap::new());
        for shard in model::shards(path, true)? {
            let file: Arc<Path> = shard.path.into();
            let said = shard.header.provenance.as_deref().and_then(|text| Provenance::read(text).ok());
            for (tensor, bytes) in shard.header.tensors {
                let words = said.as_ref().and_then(|said| said.tensors.get(&tensor.name));
                if let Some(Ok(recipe)) = words.map(|words| Recipe::from_words(words, &tensor.name, &tensor.shape))
                    && !recipe.part.is_empty()
                {
                    parts.insert(tensor.name.clone(), recipe.draw.shape);
                }
                tensors.insert(tensor.name.clone(), (tensor, Run { path: file.clone(), bytes }));
            }
        }
        Ok(Base { path: path.to_path_buf(), tensors, parts })
    }

    /// What it is called.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Itself, and all files that it names.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = self.tensors.values().map(|(_, run)| run.path.to_path_buf()).collect();
        files.push(self.path.clone());
        files.sort();
        files.dedup();
        files
    }

    /// What it has of a tensor of this name and shape, if anything: all of it, or its first rows.
    pub fn part(&self, name: &str, shape: &[u64]) -> Result<Option<Part>, String> {
        let Some((tensor, run)) = self.tensors.get(name) else { return Ok(None) };
        if let Some(whole) = self.parts.get(name) {
            let path = self.path.display();
            return Err(format!("it is a part of one of {whole:?} in {path}, allowed: whole tensors"));
        }
        let part = |rows| Ok(Some(Part { dtype: tensor.dtype, shape: tensor.shape.clone(), rows, run: run.clone() }));
        match (tensor.shape.as_slice(), shape) {
            (there, here) if there == here => part(None),
            ([rows, there @ ..], [all, here @ ..]) if there == here && rows < all => part(Some(*rows)),
            (there, here) => Err(format!(
                "its shape is {here:?}, and {there:?} in {}, allowed: the same, or more along the first dimension alone",
                self.path.display()
            )),
        }
    }
}

impl Part {
    /// Refuses another dtype.
    pub fn unconverted(&self, dtype: Dtype, by: &str) -> Result<(), String> {
        if self.dtype == dtype {
            return Ok(());
        }
        let (there, path) = (self.dtype, self.run.path.display());
        Err(format!("its dtype is {dtype} {by}, and {there} in {path}, allowed: the same, as nothing is converted"))
    }

    /// What is wrong where its new rows are of a dtype that is not drawn.
    pub fn undrawn(&self) -> String {
        format!("{}, and holds {}, which is not drawn, allowed: the same shape", self.grown(), self.dtype)
    }

    /// How it became what it is in the model.
    pub fn grown(&self) -> String {
        format!("it grew from the shape {:?} in {}", self.shape, self.run.path.display())
    }

    /// What is said of it in the file that it is copied to.
    pub fn read(self) -> Result<(Run, Copied), Failure> {
        let sha256 = self.run.sha256()?;
        Ok((self.run, Copied { rows: self.rows, sha256 }))
    }
}

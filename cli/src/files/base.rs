//! A checkpoint that tensors are copied from.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fanin::rules::{FileDtype, Recipe, Tensor};

use crate::failure::Failure;
use crate::files::file_range::FileRange;
use crate::files::header::holds;
use crate::files::model;
use crate::files::provenance::{CopiedPart, Provenance};

/// A checkpoint, by its headers.
pub struct Base {
    pub path: PathBuf,
    tensors: BTreeMap<String, (Tensor, FileRange)>,
    /// The shapes of the whole tensors, where a file says that it has parts of them.
    wholes: BTreeMap<String, Vec<u64>>,
}

/// The prefixes that wrappers put before a module's names, one or more of them: torch.compile, DataParallel and DDP, Lightning, PEFT,
/// DeepSpeed; and the names that trainers give their model.
const WRAPPERS: &[&str] =
    &["_orig_mod.", "module.", "model.", "base_model.", "_forward_module.", "network.", "net.", "state_dict."];

/// The words that FSDP, checkpointing of activations and torch.compile put into names anywhere, and no module is called.
const WRAPPED: &[&str] = &["_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_orig_mod."];

/// A tensor of a model as a base has it: all of it, or its first rows.
#[derive(Debug)]
pub struct BaseTensor {
    pub dtype: FileDtype,
    pub shape: Vec<u64>,
    /// The number of its rows that there are, if not all.
    pub rows: Option<u64>,
    pub range: FileRange,
}

impl Base {
    /// Reads the headers of a `.safetensors` file, or of all that an index names.
    pub fn open(path: &Path) -> Result<Base, Failure> {
        let (mut tensors, mut wholes) = (BTreeMap::new(), BTreeMap::new());
        for shard in model::shards(path, true)? {
            let file: Arc<Path> = shard.path.into();
            let said = shard.header.provenance.as_deref().and_then(|text| Provenance::read(text).ok());
            for (tensor, bytes) in shard.header.tensors {
                let words = said.as_ref().and_then(|said| said.tensors.get(&tensor.name));
                if let Some(Ok(recipe)) = words.map(|words| Recipe::from_json(words, &tensor.name, &tensor.shape))
                    && !recipe.slices.is_empty()
                {
                    wholes.insert(tensor.name.clone(), recipe.shape);
                }
                tensors.insert(tensor.name.clone(), (tensor, FileRange { path: file.clone(), bytes }));
            }
        }
        Ok(Base { path: path.to_path_buf(), tensors, wholes })
    }

    /// The base by the names of a model, and what to say of it: without this prefix; or, of a base that shares no name with the model,
    /// without what wrappers have put there.
    pub fn by_names_of<'a>(
        mut self,
        model: impl IntoIterator<Item = &'a str>,
        prefix: Option<&str>,
    ) -> Result<(Base, Option<String>), Failure> {
        let at = self.path.display().to_string();
        let model: HashSet<_> = model.into_iter().collect();
        if let Some(prefix) = prefix {
            if !self.tensors.keys().any(|name| name.starts_with(prefix)) {
                let first =
                    self.tensors.keys().next().map_or(String::new(), |name| format!("; the first is \"{name}\""));
                return Err(Failure::input(format!(
                    "--base-prefix is \"{prefix}\", allowed: a prefix of names in {at}{first}"
                )));
            }
            self.rename(|name| name.strip_prefix(prefix).unwrap_or(name).into())?;
        }
        let shares = |base: &Base| base.tensors.keys().any(|name| model.contains(name.as_str()));
        if shares(&self) || model.is_empty() || self.tensors.is_empty() {
            return Ok((self, None));
        }
        let unwrapped = |name: &str| WRAPPED.iter().fold(name.to_string(), |name, wrapped| name.replace(wrapped, ""));
        let inner: BTreeSet<_> = self.tensors.keys().map(|name| unwrapped(name)).collect();
        let prefixes = prefixes(&inner, &model);
        let usual = prefixes.iter().filter(|(prefix, _)| is_of_wrappers(prefix)).max_by_key(|(_, count)| **count);
        let (Some((usual, count)), None) = (usual, prefix) else {
            return Err(self.shares_nothing(&model, &prefixes));
        };
        let parts: Vec<_> =
            WRAPPED.iter().filter(|part| self.tensors.keys().any(|name| name.contains(*part))).collect();
        self.rename(|name| {
            let name = unwrapped(name);
            name.strip_prefix(usual.as_str()).unwrap_or(&name).into()
        })?;
        let said = parts
            .iter()
            .map(|part| format!("\"{part}\""))
            .chain((!usual.is_empty()).then(|| format!("\"{usual}\" before them")));
        let said = said.collect::<Vec<_>>().join(" and ");
        Ok((self, Some(format!("{count} names of {at} are the model's but for {said}, without which they were taken"))))
    }

    fn rename(&mut self, name: impl Fn(&str) -> String) -> Result<(), Failure> {
        let mut tensors = BTreeMap::new();
        for (old, tensor) in std::mem::take(&mut self.tensors) {
            if tensors.insert(name(&old), tensor).is_some() {
                let at = self.path.display();
                let message =
                    format!("{at} has two tensors that would be called \"{}\", one of them \"{old}\"", name(&old));
                return Err(Failure::input(format!("{message}, allowed: one, by --base-prefix")));
            }
        }
        self.wholes = std::mem::take(&mut self.wholes).into_iter().map(|(old, shape)| (name(&old), shape)).collect();
        self.tensors = tensors;
        Ok(())
    }

    fn shares_nothing(&self, model: &HashSet<&str>, prefixes: &BTreeMap<String, usize>) -> Failure {
        let at = self.path.display();
        let first = |names: Option<&str>| names.map_or("none".into(), |name| format!("\"{name}\""));
        let (here, there) = (model.iter().min().copied(), self.tensors.keys().next().map(String::as_str));
        let allowed = match prefixes.iter().max_by_key(|(_, count)| **count) {
            Some((prefix, count)) if !prefix.is_empty() => {
                format!("--base-prefix {prefix}, without which {count} are")
            }
            _ => "--base-prefix with the prefix of the model's names there, or another checkpoint".into(),
        };
        let (here, there) = (first(here), first(there));
        Failure::input(format!(
            "no name in {at} is the model's: the first is {there}, and the model's first is {here}, allowed: {allowed}"
        ))
    }

    /// The name of the base.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The files of the base: itself, and all that it names.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = self.tensors.values().map(|(_, range)| range.path.to_path_buf()).collect();
        files.push(self.path.clone());
        files.sort();
        files.dedup();
        files
    }

    /// The tensor of this name and shape as it has it, if it does.
    pub fn tensor(&self, name: &str, shape: &[u64]) -> Result<Option<BaseTensor>, String> {
        let Some((tensor, range)) = self.tensors.get(name) else { return Ok(None) };
        if let Some(whole) = self.wholes.get(name) {
            let path = self.path.display();
            return Err(format!("it is a part of one of {whole:?} in {path}, allowed: whole tensors"));
        }
        let has = |rows| {
            Ok(Some(BaseTensor { dtype: holds(tensor), shape: tensor.shape.clone(), rows, range: range.clone() }))
        };
        match (tensor.shape.as_slice(), shape) {
            (there, here) if there == here => has(None),
            ([rows, there @ ..], [all, here @ ..]) if there == here && rows < all => has(Some(*rows)),
            (there, here) => Err(format!(
                "its shape is {here:?}, and {there:?} in {}, allowed: the same, or more along the first dimension alone",
                self.path.display()
            )),
        }
    }
}

/// The prefixes of the model's names, each with how often it is there.
fn prefixes(names: &BTreeSet<String>, model: &HashSet<&str>) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for name in names {
        let starts = std::iter::once(0).chain(name.match_indices('.').map(|(dot, _)| dot + 1));
        for start in starts.filter(|&start| model.contains(&name[start..])) {
            *found.entry(name[..start].to_string()).or_default() += 1;
        }
    }
    found
}

/// True if a prefix is made of those that wrappers put before names.
fn is_of_wrappers(mut prefix: &str) -> bool {
    while let Some(rest) = WRAPPERS.iter().find_map(|wrapper| prefix.strip_prefix(wrapper)) {
        prefix = rest;
    }
    prefix.is_empty()
}

impl BaseTensor {
    pub fn is_whole(&self) -> bool {
        self.rows.is_none()
    }

    /// Refuses another dtype.
    pub fn unconverted(&self, dtype: FileDtype, by: &str) -> Result<(), String> {
        if self.dtype == dtype {
            return Ok(());
        }
        let (there, path) = (self.dtype, self.range.path.display());
        Err(format!("its dtype is {dtype} {by}, and {there} in {path}, allowed: the same, as nothing is converted"))
    }

    /// The error of new rows of a dtype that is not drawn.
    pub fn undrawn(&self) -> String {
        format!("{}, and holds {}, which is not drawn, allowed: the same shape", self.grown(), self.dtype)
    }

    /// The change to what it is in the model.
    pub fn grown(&self) -> String {
        format!("it grew from the shape {:?} in {}", self.shape, self.range.path.display())
    }

    /// The place of its bytes, and the words on it in the file that it is copied to.
    pub fn read(self) -> Result<(FileRange, CopiedPart), Failure> {
        let sha256 = self.range.sha256()?;
        Ok((self.range, CopiedPart { rows: self.rows, sha256 }))
    }
}

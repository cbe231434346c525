//! A file of a checkpoint that is verified, and its own words.

use std::collections::HashSet;

use fanin::rules::RecipeJson;

use crate::draw::seed::{self, StreamKind};
use crate::failure::Failure;
use crate::files::model::Shard;
use crate::files::provenance::{CopiedPart, Provenance};

/// A file of the checkpoint, and how it says that it was made.
pub struct CheckedFile {
    pub shard: Shard,
    pub provenance: Option<Provenance>,
}

impl CheckedFile {
    pub fn read(mut shard: Shard) -> Result<CheckedFile, Failure> {
        // In the order of their bytes, which the hash is made of.
        shard.header.tensors.sort_by_key(|(_, bytes)| (bytes.start, bytes.end));
        let failed = |e| Failure::input(format!("{}: {e}", shard.path.display()));
        let provenance = shard.header.provenance.as_deref().map(Provenance::read).transpose().map_err(failed)?;
        Ok(CheckedFile { shard, provenance })
    }

    /// The file's words on how a tensor was drawn.
    pub fn words(&self, tensor: &str) -> Option<&RecipeJson> {
        self.provenance.as_ref()?.tensors.get(tensor)
    }

    /// The names of the tensors that it says were copied.
    pub fn copied_names(&self) -> impl Iterator<Item = &str> {
        self.provenance.iter().flat_map(|provenance| provenance.copied.keys()).map(String::as_str)
    }

    /// The file's words on what was copied of a tensor.
    pub fn copied(&self, tensor: &str) -> Option<&CopiedPart> {
        self.provenance.as_ref()?.copied.get(tensor)
    }

    /// The kind of its streams, if it says one.
    pub fn stream_kind(&self) -> Option<StreamKind> {
        self.provenance.as_ref().map(|provenance| seed::stream_kind(provenance.seed))
    }

    /// The names of the tensors that it says were written, and does not have.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        let here: HashSet<_> = self.shard.header.tensors.iter().map(|(tensor, _)| tensor.name.as_str()).collect();
        let drawn = self.provenance.iter().flat_map(|provenance| provenance.tensors.keys()).map(String::as_str);
        let copied = self.copied_names().filter(|name| self.words(name).is_none());
        drawn.chain(copied).filter(move |name| !here.contains(name))
    }
}

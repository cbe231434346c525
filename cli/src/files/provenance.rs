//! The provenance of a file: the value of "fanin" in its metadata.

use std::collections::BTreeMap;

use fanin::Seed;
use fanin::rules::RecipeJson;
use serde::{Deserialize, Serialize};

use crate::draw::ranks::Rank;
use crate::files::unique;

/// The provenance of a file: how it was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Provenance {
    /// The version that drew it.
    pub fanin: String,
    pub seed: Seed,
    /// The origin of the rules, and the SHA-256 of their text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<Rank>,
    /// The name of the checkpoint that tensors were copied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The part of each tensor that was copied.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique::map")]
    pub copied: BTreeMap<String, CopiedPart>,
    /// The recipe of each tensor of the file.
    #[serde(default, deserialize_with = "unique::map")]
    pub tensors: BTreeMap<String, RecipeJson>,
}

/// The part of a tensor that was copied: all of it, or its first rows, those along the first dimension. The rest is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopiedPart {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The digest of the bytes.
    pub sha256: String,
}

impl CopiedPart {
    /// The number of these bytes, of a tensor of this shape, which has so many.
    pub fn bytes(&self, shape: &[u64], all: u64) -> Result<u64, String> {
        match (self.rows, shape.first()) {
            (None, _) => Ok(all),
            (Some(0), Some(_)) => Ok(0),
            (Some(rows), Some(&most)) if rows <= most => {
                Ok((u128::from(all) * u128::from(rows) / u128::from(most)) as u64)
            }
            (Some(rows), most) => Err(format!(
                "{rows} of its rows were copied, says the metadata, allowed: at most {}, as its shape is {shape:?}",
                most.unwrap_or(&0)
            )),
        }
    }
}

impl Provenance {
    pub fn new(seed: Seed) -> Provenance {
        Provenance {
            fanin: env!("CARGO_PKG_VERSION").into(),
            seed,
            rules: None,
            rules_sha256: None,
            rank: None,
            base: None,
            copied: BTreeMap::new(),
            tensors: BTreeMap::new(),
        }
    }

    /// The provenance in a file's metadata.
    pub fn read(text: &str) -> Result<Provenance, String> {
        /// A file of contract 1, when one number stood for all kinds of streams.
        #[derive(Deserialize)]
        struct OfContract1 {
            fanin: String,
            contract: u32,
        }
        serde_json::from_str(text).map_err(|e| match serde_json::from_str(text) {
            Ok(OfContract1 { fanin, contract }) => format!(
                "fanin {fanin} drew it by value contract {contract}, allowed: {} of fanin's own streams, this version's; that \
                 version verifies it",
                fanin::VALUE_CONTRACT
            ),
            Err(_) => format!("its metadata cannot be read: {e}"),
        })
    }
}

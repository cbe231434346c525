//! Rules and architectures, as TOML has them.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The source of the rules, for people.
    #[serde(rename = "source")]
    _source: Option<String>,
    /// The questions that names cannot answer, for those whom `recognise` serves.
    pub note: Option<String>,
    #[serde(default)]
    pub recognise: Vec<Spanned<MarkText>>,
    #[serde(default)]
    pub family: Vec<Spanned<String>>,
    pub dtype: Option<Spanned<String>>,
    pub layout: Option<Spanned<String>>,
    #[serde(default)]
    pub constants: BTreeMap<String, Spanned<f64>>,
    #[serde(default)]
    pub count: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub rule: Vec<Spanned<RuleText>>,
    // An architecture's.
    pub model_type: Option<Types>,
    #[serde(default)]
    pub architectures: BTreeMap<String, BTreeMap<String, Spanned<toml::Value>>>,
    #[serde(default)]
    pub config: BTreeMap<String, Spanned<toml::Value>>,
    #[serde(default)]
    pub alias: BTreeMap<String, String>,
    #[serde(default, rename = "let")]
    pub derived: BTreeMap<String, String>,
    #[serde(default)]
    pub check: Vec<String>,
    pub linear: Option<Spanned<Names>>,
    #[serde(default)]
    pub submodel: Vec<Spanned<SubmodelText>>,
    #[serde(default)]
    pub tensors: Vec<Spanned<GroupText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmodelText {
    pub config: String,
    pub class: Names,
    pub prefix: String,
    pub when: Option<String>,
    #[serde(default)]
    pub default: BTreeMap<String, toml::Value>,
    #[serde(default)]
    pub flat: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupText {
    #[serde(default)]
    pub prefix: String,
    #[serde(default, rename = "for")]
    pub counters: Vec<(String, String)>,
    #[serde(default, rename = "let")]
    pub locals: Vec<(String, String)>,
    pub when: Option<String>,
    pub dtype: Option<String>,
    pub list: Vec<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    pub name: Spanned<Names>,
    pub module: Option<Spanned<Names>>,
    pub rank: Option<Spanned<Ranks>>,
    pub shape: Option<Spanned<Vec<Dimension>>>,
    pub beside: Option<Spanned<BesideText>>,
    pub scheme: Option<Spanned<String>>,
    pub skip: Option<Spanned<bool>>,
    pub refuse: Option<Spanned<String>>,
    pub dtype: Option<Spanned<String>>,
    pub layout: Option<Spanned<String>>,
    pub fans_from: Option<Spanned<FansFrom>>,
    pub stream: Option<Spanned<String>>,
    pub zero_row: Option<Spanned<Row>>,
    #[serde(default)]
    pub part: Vec<Spanned<PartText>>,
    pub split: Option<Spanned<SplitText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BesideText {
    pub name: String,
    pub shape: Option<BesideShape>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "what stands beside has neither a list of dimensions for its shape nor a word")]
pub(super) enum BesideShape {
    Word(String),
    List(Vec<Dimension>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartText {
    #[serde(default)]
    pub dim: usize,
    pub blocks: Option<Spanned<u64>>,
    pub block: Option<Spanned<Ranks>>,
    pub range: Option<Spanned<String>>,
    pub scheme: Option<Spanned<String>>,
    pub layout: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "split is neither a dimension, nor \"whole\" or \"tensor\", nor dimensions for a mesh's axes"
)]
pub(super) enum SplitText {
    Along(usize),
    Word(String),
    Mesh(BTreeMap<String, usize>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "what a model is recognised by is neither a pattern nor {name, shape}")]
pub(super) enum MarkText {
    Name(String),
    Shaped { name: String, shape: Vec<Dimension> },
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "fans_from is neither the end of a name nor {name, rank}")]
pub(super) enum FansFrom {
    Name(String),
    Ranked { name: String, rank: u64 },
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "zero_row is neither the number of a row nor a formula")]
pub(super) enum Row {
    Number(u64),
    Formula(String),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "name is neither a text nor a list of texts")]
pub(super) enum Names {
    One(String),
    Many(Vec<String>),
}

/// Of configurations: their `model_type`, or several, or several with what is peculiar to the classes of each.
#[derive(Deserialize)]
#[serde(untagged, expecting = "model_type is neither a text, nor a list of texts, nor a table of tables")]
pub(super) enum Types {
    Names(Names),
    Words(BTreeMap<String, BTreeMap<String, toml::Value>>),
}

impl Names {
    pub fn into_list(self) -> Vec<String> {
        match self {
            Names::One(one) => vec![one],
            Names::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "it is neither a number nor a list of numbers")]
pub(super) enum Ranks {
    One(u64),
    Many(Vec<u64>),
}

impl Ranks {
    pub fn into_list(self) -> Vec<u64> {
        match self {
            Ranks::One(one) => vec![one],
            Ranks::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a dimension is neither a number nor \"*\"")]
pub(super) enum Dimension {
    Size(u64),
    Any(String),
}

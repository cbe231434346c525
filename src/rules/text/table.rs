//! Tables of TOML, from which values are taken by their keys.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::reader::Reader;
use super::values::{Entries, FromValue};
use crate::error::quoted;
use crate::names::nearest;
use crate::{Error, ErrorKind};

/// A table whose keys are all known.
pub(super) struct Table<'r, 't> {
    reader: &'r Reader<'t>,
    /// The word for it in errors: `a rule`.
    what: &'static str,
    span: Range<usize>,
    entries: DeTable<'t>,
}

impl<'r, 't> Table<'r, 't> {
    /// A table with no keys but these.
    pub fn read(
        reader: &'r Reader<'t>,
        what: &'static str,
        table: Entries<'t>,
        known: &[&'static str],
    ) -> Result<Table<'r, 't>, Error> {
        let (span, entries) = (table.span(), table.into_inner());
        if let Some(key) = entries.keys().find(|key| !known.contains(&key.as_ref().as_ref())) {
            let (near, thing) = (nearest(key.as_ref(), known.iter().copied()), format!("a key of {what}"));
            let error = Error::new(ErrorKind::Rules, thing, quoted(key.as_ref()), known.join(", ")).near(near);
            return Err(reader.at(&key.span(), error));
        }
        Ok(Table { reader, what, span, entries })
    }

    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The span of a key's value, if it is given.
    pub fn span_of(&self, key: &str) -> Option<Range<usize>> {
        self.entries.get(key).map(Spanned::span)
    }

    /// The value of a key, and its place, if it is given.
    pub fn spanned<T: FromValue<'t>>(&mut self, key: &'static str) -> Result<Option<Spanned<T>>, Error> {
        self.entries.remove(key).map(|value| self.reader.value(key, value)).transpose()
    }

    /// The value of a key, if it is given.
    pub fn get<T: FromValue<'t>>(&mut self, key: &'static str) -> Result<Option<T>, Error> {
        Ok(self.spanned(key)?.map(Spanned::into_inner))
    }

    /// The value of a key that must be given.
    pub fn required<T: FromValue<'t>>(&mut self, key: &'static str) -> Result<Spanned<T>, Error> {
        let missing = || Error::new(ErrorKind::Rules, format!("{key} of {}", self.what), "not given", T::allowed());
        let missing = self.reader.at(&self.span, missing());
        self.spanned(key)?.ok_or(missing)
    }
}

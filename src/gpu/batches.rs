//! Windows -> dispatches, as few as may be: windows of one kernel that touch none of the same words share one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use super::features::Rounding;
use super::kernels::{Variant, Writes};
use super::program::Program;
use super::recording::{Dispatch, Step};
use super::slot::Slot;
use super::windows::{Params, ROWS, Window};

/// The properties that the windows of a dispatch share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Common {
    /// Dispatches of one level touch none of the same words, and come after those of all levels before.
    level: u32,
    buffer: Slot,
    binding: Range<u64>,
    variant: Variant,
    workgroups: u32,
    table: Option<Slot>,
}

/// One dispatch: its windows' parameters.
#[derive(Debug)]
struct Batch {
    common: Common,
    rows: Vec<Params>,
}

/// The dispatches of all windows so far.
#[derive(Debug, Default)]
pub(super) struct Batches {
    touched: HashMap<Slot, Touched>,
    /// The batches that take more windows, by these properties.
    open: HashMap<Common, usize>,
    batches: Vec<Batch>,
}

impl Batches {
    pub fn add(&mut self, buffer: &Slot, window: &Window) {
        let common = Common {
            level: self.touched.entry(buffer.clone()).or_default().level(window.words()),
            buffer: buffer.clone(),
            binding: window.binding.clone(),
            variant: window.variant,
            workgroups: window.workgroups,
            table: window.table.clone(),
        };
        let most = match window.variant.writes {
            Writes::Words => ROWS,
            Writes::Blocks | Writes::Whole | Writes::Odd => 1,
        };
        let open = self.open.get(&common).map(|&at| &mut self.batches[at]).filter(|batch| batch.rows.len() < most);
        match open {
            Some(batch) => batch.rows.push(window.params),
            None => {
                self.open.insert(common.clone(), self.batches.len());
                self.batches.push(Batch { common, rows: vec![window.params] });
            }
        }
    }

    /// The pipelines that they take, each once.
    pub fn variants(&self) -> HashSet<Variant> {
        self.batches.iter().map(|batch| batch.common.variant).collect()
    }

    /// The dispatches in the order in which they must run, those that share bindings beside one another.
    pub fn dispatches(mut self, rounding: Rounding) -> Vec<Step> {
        self.batches.sort_by(|a, b| {
            let [a, b] = [a, b].map(|Batch { common: c, .. }| (c.level, &c.buffer, c.binding.start));
            a.cmp(&b)
        });
        self.batches.into_iter().map(|batch| Step::Dispatch(batch.dispatch(rounding))).collect()
    }
}

impl Batch {
    fn dispatch(self, rounding: Rounding) -> Dispatch {
        let Batch { common: Common { buffer, binding, variant, workgroups, table, .. }, rows } = self;
        let table = table.map(|table| (table, None));
        Dispatch {
            program: Program::Draw(variant, rounding),
            parameters: bytemuck::cast_slice(&rows).to_vec(),
            buffers: std::iter::once((buffer, Some(binding))).chain(table).collect(),
            groups: [workgroups, rows.len() as u32],
        }
    }
}

/// The level at which each word of a buffer was touched last.
#[derive(Debug, Default)]
struct Touched {
    /// The end and the level of each range, by its first word.
    ranges: BTreeMap<u64, (u64, u32)>,
}

impl Touched {
    /// The first level after all that touched one of these words, which now touches them.
    fn level(&mut self, words: Range<u64>) -> u32 {
        let before = self.ranges.range(..words.start).next_back();
        let from = before.filter(|(_, (end, _))| *end > words.start).map_or(words.start, |(start, _)| *start);
        let shared: Vec<_> = self.ranges.range(from..words.end).map(|(start, last)| (*start, *last)).collect();
        let level = shared.iter().map(|(_, (_, level))| level + 1).max().unwrap_or(0);
        for (start, (end, level)) in shared {
            self.ranges.remove(&start);
            if start < words.start {
                self.ranges.insert(start, (words.start, level));
            }
            if end > words.end {
                self.ranges.insert(words.end, (end, level));
            }
        }
        self.ranges.insert(words.start, (words.end, level));
        level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a list of every word: a level is one more than the highest among its words.
    #[test]
    fn levels_are_those_of_a_list_of_words() {
        use rand::RngExt;
        let mut rng = crate::Stream::numbered(5, 0).rng();
        for _ in 0..200 {
            let (mut touched, mut words) = (Touched::default(), [0; 64]);
            for _ in 0..60 {
                let start = rng.random_range(0..60);
                let range = start..rng.random_range(start + 1..=64);
                let level = touched.level(range.start as u64..range.end as u64);
                let after = 1 + *words[range.clone()].iter().max().unwrap();
                assert_eq!(level + 1, after, "{range:?}");
                words[range].fill(after);
            }
        }
    }
}

//! Targets -> steps, in groups that are done one after the other.

use std::borrow::Cow;
use std::collections::HashMap;
use std::iter::Peekable;

use wgpu::Buffer;

use super::batches::Batches;
use super::features::Rounding;
use super::orthogonal::Job;
use super::recording::Step;
use super::slot::Slot;
use super::{GpuFiller, Target, tables, windows};
use crate::kernel::{TILE, Twin};
use crate::{Error, Fill};

/// The number of runs of elements that are in one group.
const RUNS_PER_GROUP: u64 = 1 << 14;

/// The buffers that are given with a recording, each once.
#[derive(Debug)]
pub(crate) struct Given {
    buffers: Vec<Buffer>,
    known: HashMap<Buffer, usize>,
}

impl Given {
    pub fn new<'b>(all: impl IntoIterator<Item = &'b Buffer>) -> Given {
        let (mut buffers, mut known) = (Vec::new(), HashMap::new());
        for buffer in all {
            if buffers.last() != Some(buffer) && !known.contains_key(buffer) {
                known.insert(buffer.clone(), buffers.len());
                buffers.push(buffer.clone());
            }
        }
        Given { buffers, known }
    }

    /// The slot of one of the buffers.
    pub fn slot(&self, buffer: &Buffer) -> Slot {
        Slot::Given(self.known[buffer])
    }

    /// The buffers, by their slots' numbers.
    pub fn buffers(&self) -> Vec<Buffer> {
        self.buffers.clone()
    }
}

/// The way from targets to steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planning {
    /// The most elements of a group; without, all is one recording.
    pub most: Option<u64>,
    /// The rounding of pipelines that nobody has proved. Without, all are proved before their steps are handed over.
    pub unproved: Option<Rounding>,
}

impl GpuFiller {
    /// Hands over the steps of all targets, group by group.
    pub(super) fn plan(
        &self,
        targets: &[Target<'_>],
        given: &Given,
        Planning { most, unproved }: Planning,
        mut hand_over: impl FnMut(Vec<Step>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut rest = targets;
        while !rest.is_empty() {
            // Those up to the next one that has orthogonal matrices, which come after all that is beside them.
            let last = rest.iter().position(|target| !target.fill.orthogonals().is_empty());
            let (first, after) = rest.split_at(last.map_or(rest.len(), |last| last + 1));
            let last = last.map(|last| &rest[last]);
            let prove_orthogonal =
                |target: &Target<'_>| unproved.map_or_else(|| self.prove_orthogonal(target.fill.dtype()), Ok);
            let rounding = last.map(prove_orthogonal).transpose()?;
            let mut parts = first.iter().flat_map(|target| pieces(target, most)).peekable();
            while parts.peek().is_some() {
                let group = group(&mut parts, most);
                let mut batches = Batches::default();
                for Piece { fill, buffer, offset } in &group {
                    let slot = given.slot(buffer);
                    for window in windows::plan(fill, buffer.size(), *offset, &self.limits)? {
                        batches.add(&slot, &window);
                    }
                }
                let prove = || self.prove_all(batches.variants(), group.iter().map(|part| part.fill.as_ref()));
                let rounding = unproved.map_or_else(prove, Ok)?;
                hand_over(batches.dispatches(rounding))?;
            }
            for (target, rounding) in last.into_iter().zip(rounding) {
                for orthogonal in target.fill.orthogonals() {
                    let place = (given.slot(target.buffer), target.buffer.size(), target.offset);
                    let job = Job::new(rounding, orthogonal, target.fill, place, &self.limits)?;
                    if most.is_none() {
                        job.check_at_once()?;
                    }
                    hand_over(job.allocations().into())?;
                    for panel in job.panels() {
                        hand_over(job.panel(panel)?)?;
                    }
                }
            }
            rest = after;
        }
        Ok(())
    }
}

/// The next parts that are drawn together, at least one.
fn group<'a>(parts: &mut Peekable<impl Iterator<Item = Piece<'a>>>, most: Option<u64>) -> Vec<Piece<'a>> {
    let Some(most) = most else { return parts.collect() };
    let (mut elements, mut runs, mut group) = (0, 0, Vec::new());
    while let Some(Piece { fill, .. }) = parts.peek() {
        let full = fill.len() > most - elements || fill.most_spans() > RUNS_PER_GROUP.saturating_sub(runs);
        if full && !group.is_empty() {
            break;
        }
        elements += fill.len();
        runs += fill.most_spans();
        group.extend(parts.next());
    }
    group
}

/// Some of a target's elements.
pub(super) struct Piece<'a> {
    pub fill: Cow<'a, Fill>,
    pub buffer: &'a Buffer,
    pub offset: u64,
}

impl Piece<'_> {
    pub fn target(&self) -> Target<'_> {
        Target { fill: &self.fill, buffer: self.buffer, offset: self.offset }
    }
}

/// A target in parts of at most so many elements, a tile or more, and of few runs; where elements follow one another, they are cut
/// where tiles begin. As it is, where there is no most.
pub(super) fn pieces<'a>(target: &Target<'a>, most: Option<u64>) -> impl Iterator<Item = Piece<'a>> + use<'a> {
    let Target { fill, buffer, offset } = *target;
    let is_drawn = fill.samplers().any(Twin::is_drawn_by_host);
    let most = most.map(|most| if is_drawn { most.min(tables::MAX_DRAWN) } else { most });
    let (mut rest, mut offset) = ((!fill.is_empty()).then_some(Cow::Borrowed(fill)), offset);
    std::iter::from_fn(move || {
        let left = rest.take()?;
        let len = most.map_or(left.len(), |most| part_len(&left, most));
        let fill = if len == left.len() {
            left
        } else {
            let (fill, after) = left.split_at(len);
            rest = Some(Cow::Owned(after));
            Cow::Owned(fill)
        };
        let part = Piece { offset, buffer, fill };
        offset += part.fill.byte_len();
        Some(part)
    })
}

/// The number of elements of a fill's first part.
fn part_len(fill: &Fill, most: u64) -> u64 {
    let spans = fill.most_spans();
    if fill.len() <= most && spans <= RUNS_PER_GROUP {
        fill.len()
    } else if fill.runs() == 1 && spans <= RUNS_PER_GROUP {
        let start = fill.range().start;
        (start + most) / TILE * TILE - start
    } else {
        (fill.len() / spans).saturating_mul(RUNS_PER_GROUP).clamp(1, most)
    }
}

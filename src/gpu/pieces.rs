//! Pieces of targets, and groups of pieces that are drawn together.

use std::borrow::Cow;
use std::iter::Peekable;

use wgpu::Buffer;

use super::tables;
use super::target::Target;
use crate::Fill;
use crate::kernel::{TILE, Twin};

/// The number of runs of elements that are in one group.
const RUNS_PER_GROUP: u64 = 1 << 14;

/// The next parts that are drawn together, at least one.
pub(super) fn group<'a>(parts: &mut Peekable<impl Iterator<Item = Piece<'a>>>, most: Option<u64>) -> Vec<Piece<'a>> {
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

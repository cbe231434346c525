//! Targets -> steps, in groups that are done one after the other.

use super::batches::Batches;
use super::filler::GpuFiller;
use super::given::{Given, Planning};
use super::orthogonal::Job;
use super::pieces::{Piece, group, pieces};
use super::recording::Step;
use super::target::Target;
use super::windows;
use crate::Error;

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

//! Runs: a device does a recording, step by step.

use std::collections::HashMap;
use std::ops::Range;

use wgpu::{BindGroup, BindGroupLayout, Buffer, BufferUsages, CommandEncoder, ComputePipeline};

use super::engine::{Compiled, Engine};
use super::recording::{Dispatch, Step};
use super::scopes::scoped;
use super::slot::Slot;
use crate::{Error, ErrorKind};

/// Bytes of a buffer of parameters, which many dispatches share.
const PARAMETERS: usize = 4 << 20;

/// A recording that is being done: its buffers, with the scratch memory that all of its steps share.
pub(super) struct Run<'a> {
    engine: &'a Engine,
    given: Vec<Buffer>,
    scratch: HashMap<usize, Buffer>,
}

/// Steps of which all that can fail is done.
enum Ready {
    Copy { from: Buffer, to: Buffer },
    Clear { buffer: Buffer, bytes: Range<u64> },
    Pass(Vec<Bound>),
}

/// A dispatch with its pipeline and its buffers.
struct Bound {
    pipeline: ComputePipeline,
    group: BindGroup,
    /// The place of its parameters in their buffer.
    offset: u32,
    groups: [u32; 2],
}

/// The buffers and groups that steps which are recorded together share.
#[derive(Default)]
struct Shared<'s> {
    words: HashMap<Slot, Buffer>,
    /// The last one, which neighbours share, and those of scratch memory, which come again and again.
    last: Option<(Group<'s>, BindGroup)>,
    groups: HashMap<Group<'s>, BindGroup>,
}

/// The properties of a bind group: its layout, the buffer of parameters, and the other buffers.
type Group<'s> = (BindGroupLayout, Buffer, &'s [(Slot, Option<Range<u64>>)]);

impl<'a> Run<'a> {
    /// A run with the buffers that the recording is given.
    pub fn new(engine: &'a Engine, given: Vec<Buffer>) -> Run<'a> {
        Run { engine, given, scratch: HashMap::new() }
    }

    /// Submits steps to the device's queue in as many submissions as it takes: each is one step, or has at most the work of so many
    /// elements.
    pub fn submit(&mut self, steps: Vec<Step>, most: u64) -> Result<(), Error> {
        let mut steps = steps.into_iter().peekable();
        while steps.peek().is_some() {
            let (mut work, mut together) = (0u64, Vec::new());
            while let Some(step) = steps.peek()
                && (together.is_empty() || work.saturating_add(step.work()) <= most)
            {
                work = work.saturating_add(step.work());
                together.extend(steps.next());
            }
            let device = &self.engine.device;
            scoped(device, "the submission", || {
                let descriptor = wgpu::CommandEncoderDescriptor { label: Some("fanin") };
                let mut encoder = device.create_command_encoder(&descriptor);
                self.record(&mut encoder, &together)?;
                self.engine.queue.submit([encoder.finish()]);
                Ok(())
            })??;
        }
        Ok(())
    }

    /// Records steps into an encoder: none, if one of them fails.
    pub fn record(&mut self, encoder: &mut CommandEncoder, steps: &[Step]) -> Result<(), Error> {
        let ready = self.ready(steps)?;
        if ready.is_empty() {
            return Ok(());
        }
        scoped(&self.engine.device, "recording", || {
            for step in &ready {
                match step {
                    Ready::Copy { from, to } => encoder.copy_buffer_to_buffer(from, 0, to, 0, from.size()),
                    Ready::Clear { buffer, bytes } => {
                        encoder.clear_buffer(buffer, bytes.start, Some(bytes.end - bytes.start));
                    }
                    Ready::Pass(dispatches) => {
                        let descriptor = wgpu::ComputePassDescriptor { label: Some("fanin"), timestamp_writes: None };
                        let mut pass = encoder.begin_compute_pass(&descriptor);
                        for Bound { pipeline, group, offset, groups: [x, y] } in dispatches {
                            pass.set_pipeline(pipeline);
                            pass.set_bind_group(0, group, &[*offset]);
                            pass.dispatch_workgroups(*x, *y, 1);
                        }
                    }
                }
            }
        })
    }

    /// Does all of steps that can fail.
    fn ready(&mut self, steps: &[Step]) -> Result<Vec<Ready>, Error> {
        let mut parameters = self.parameters(steps)?.into_iter();
        let (mut ready, mut shared) = (Vec::new(), Shared::default());
        for step in steps {
            match step {
                Step::Allocate { scratch, bytes } => {
                    self.allocate(*scratch, *bytes)?;
                    // Their slots may name other buffers now.
                    (shared.last, shared.groups) = (None, HashMap::new());
                }
                Step::Upload { to, words } => {
                    let bytes = bytemuck::cast_slice(words);
                    let from = self.engine.holding(bytes, bytes.len(), BufferUsages::COPY_SRC)?;
                    ready.push(Ready::Copy { from, to: self.buffer(to, &mut shared)? });
                }
                Step::Clear { buffer, bytes } => {
                    ready.push(Ready::Clear { buffer: self.buffer(buffer, &mut shared)?, bytes: bytes.clone() });
                }
                Step::Dispatch(dispatch) => {
                    let Some((parameters, offset)) = parameters.next() else {
                        unreachable!("each dispatch has parameters");
                    };
                    let bound = self.bound(dispatch, parameters, offset, &mut shared)?;
                    match ready.last_mut() {
                        Some(Ready::Pass(dispatches)) => dispatches.push(bound),
                        _ => ready.push(Ready::Pass(vec![bound])),
                    }
                }
            }
        }
        Ok(ready)
    }

    /// The buffer that each dispatch's parameters are in, and their place in it.
    fn parameters(&self, steps: &[Step]) -> Result<Vec<(Buffer, u32)>, Error> {
        let mut dispatches = steps.iter().filter_map(Step::dispatch).peekable();
        let (mut places, mut offsets, mut bytes, mut end) = (Vec::new(), Vec::new(), Vec::new(), 0);
        while let Some(Dispatch { program, parameters, .. }) = dispatches.next() {
            offsets.push(bytes.len() as u32);
            // A binding may reach farther than what its dispatch has.
            end = end.max(bytes.len() + program.parameters());
            bytes.extend_from_slice(parameters);
            bytes.resize(bytes.len().next_multiple_of(self.engine.alignment), 0);
            if bytes.len() >= PARAMETERS || dispatches.peek().is_none() {
                let buffer = self.engine.holding(&bytes, end.max(bytes.len()), BufferUsages::UNIFORM)?;
                places.extend(offsets.drain(..).map(|offset| (buffer.clone(), offset)));
                bytes.clear();
                end = 0;
            }
        }
        Ok(places)
    }

    fn bound<'s>(
        &self,
        dispatch: &'s Dispatch,
        parameters: Buffer,
        offset: u32,
        shared: &mut Shared<'s>,
    ) -> Result<Bound, Error> {
        let Dispatch { program, buffers, groups, .. } = dispatch;
        let Compiled { pipeline, layout } = self.engine.compiled(program)?;
        let key = (layout, parameters, &buffers[..]);
        let last = shared.last.as_ref().filter(|(last, _)| *last == key).map(|(_, group)| group);
        if let Some(group) = last.or_else(|| shared.groups.get(&key)) {
            return Ok(Bound { pipeline, group: group.clone(), offset, groups: *groups });
        }
        let mut bound = Vec::with_capacity(buffers.len());
        for (slot, bytes) in buffers {
            bound.push((self.buffer(slot, shared)?, bytes.clone()));
        }
        let group = self.engine.group(program, &key.0, &key.1, &bound)?;
        if buffers.iter().all(|(slot, _)| matches!(slot, Slot::Scratch(_))) {
            shared.groups.insert(key, group.clone());
        } else {
            shared.last = Some((key, group.clone()));
        }
        Ok(Bound { pipeline, group, offset, groups: *groups })
    }

    /// Scratch memory of so many bytes, zeros at first; what there is serves if it is as large.
    fn allocate(&mut self, scratch: usize, bytes: u64) -> Result<(), Error> {
        if self.scratch.get(&scratch).is_none_or(|buffer| buffer.size() < bytes) {
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
            let buffer = self.engine.buffer("fanin scratch", bytes, usage)?;
            self.scratch.insert(scratch, buffer);
        }
        Ok(())
    }

    /// The buffer that a slot names.
    fn buffer(&self, slot: &Slot, shared: &mut Shared<'_>) -> Result<Buffer, Error> {
        let words = match slot {
            Slot::Given(number) => return Ok(self.given[*number].clone()),
            Slot::Scratch(number) => return Ok(self.scratch[number].clone()),
            Slot::Words(words) => words,
        };
        if let Some(buffer) = shared.words.get(slot) {
            return Ok(buffer.clone());
        }
        let (bytes, most): (&[u8], _) =
            (bytemuck::cast_slice(words), self.engine.device.limits().max_storage_buffer_binding_size);
        if bytes.len() as u64 > most {
            let allowed = format!("at most {most} on this device");
            return Err(Error::new(ErrorKind::DeviceLimit, "the bytes of a table of values", bytes.len(), allowed));
        }
        let buffer = self.engine.holding(bytes, bytes.len(), BufferUsages::STORAGE)?;
        shared.words.insert(slot.clone(), buffer.clone());
        Ok(buffer)
    }
}

//! A fill -> dispatches, each within what one binding and one dispatch can reach.

use std::collections::HashMap;
use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use wgpu::{Buffer, BufferUsages};

use super::kernels::{Variant, Writes};
use super::slot::Slot;
use super::tables;
use crate::fill::Span;
use crate::kernel::table::{Rows, Table};
use crate::kernel::{Numbers, Sampler, TILE, Twin};
use crate::matrix::Taps;
use crate::torch::Cursors;
use crate::{Dtype, Error, ErrorKind, Fill};

/// Invocations per workgroup, as in the shaders.
pub(super) const WORKGROUP: u64 = 64;
/// Elements per group, which one invocation draws, as in `shaders/tile.wgsl`.
const GROUP: u64 = 32;
/// Elements per workgroup.
const PER_WORKGROUP: u64 = WORKGROUP * GROUP;
/// The number of windows that one dispatch can draw word by word, as in `shaders/write_words.wgsl`: 4 KiB of parameters, which a
/// dispatch of a single window has to bind, too.
pub(super) const ROWS: usize = 28;
/// Elements are counted with 32 bits inside a window; this leaves room for what rounding up adds.
const MAX_WINDOW: u64 = 1 << 30;

/// The largest number of runs of elements that are recorded of one fill: each has parameters of its own.
const MAX_RUNS: u64 = 1 << 20;

/// The parameters of a dispatch, in the order of `Params` in `shaders/params.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Params {
    pub key: [u32; 2],
    pub nonce: u32,
    /// Always zero, which no shader compiler may know.
    zero: u32,
    pub block: [u32; 2],
    group: [u32; 2],
    start: u32,
    end: u32,
    shift: u32,
    stride: u32,
    pub phase: u32,
    /// 2^31: a sign alone.
    sign: u32,
    /// The first element's place in its row, and the row.
    place: [u32; 2],
    numbers: Numbers,
}

/// One dispatch.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub variant: Variant,
    /// The bytes of the buffer that are bound.
    pub binding: Range<u64>,
    pub params: Params,
    pub workgroups: u32,
    pub table: Option<Slot>,
}

pub(super) fn variant(sampler: &Sampler, dtype: Dtype, writes: Writes) -> Variant {
    Variant { kernel: sampler.kernel(), asks: sampler.numbers().asks, dtype, writes }
}

impl Window {
    /// The bytes of the buffer that its elements are, together with those of its other phase.
    pub fn bytes(&self) -> Range<u64> {
        let size = self.variant.dtype.size();
        let byte_of = |count: u32| self.binding.start + u64::from(count.wrapping_add(self.params.shift)) * size;
        byte_of(self.params.start)..byte_of(self.params.end)
    }

    /// The words of the buffer that are written, or kept in part.
    pub fn words(&self) -> Range<u64> {
        let Range { start, end } = self.bytes();
        start / 4..end.div_ceil(4)
    }
}

/// The device's limits that shape windows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    binding: u64,
    alignment: u64,
    workgroups: u64,
    buffers: u64,
}

impl Limits {
    /// The number of buffers that a kernel may bind.
    pub const fn buffers(&self) -> u64 {
        self.buffers
    }

    /// Bytes of a buffer that may be bound at once.
    pub const fn binding(&self) -> u64 {
        self.binding
    }

    pub fn new(limits: &wgpu::Limits) -> Result<Limits, Error> {
        let need = |limit: &str, value: u64, needed: u64| {
            let thing = format!("the device's limit {limit}");
            let allowed = format!("at least {needed}");
            if value >= needed { Ok(()) } else { Err(Error::new(ErrorKind::DeviceLimit, thing, value, allowed)) }
        };
        need("max_bind_groups", limits.max_bind_groups.into(), 1)?;
        need("max_storage_buffers_per_shader_stage", limits.max_storage_buffers_per_shader_stage.into(), 1)?;
        need("max_uniform_buffers_per_shader_stage", limits.max_uniform_buffers_per_shader_stage.into(), 1)?;
        need(
            "max_dynamic_uniform_buffers_per_pipeline_layout",
            limits.max_dynamic_uniform_buffers_per_pipeline_layout.into(),
            1,
        )?;
        let rows = (ROWS * size_of::<Params>()) as u64;
        need("max_uniform_buffer_binding_size", limits.max_uniform_buffer_binding_size, rows)?;
        need("max_storage_buffer_binding_size", limits.max_storage_buffer_binding_size, 1 << 16)?;
        need("max_compute_invocations_per_workgroup", limits.max_compute_invocations_per_workgroup.into(), WORKGROUP)?;
        need("max_compute_workgroup_size_x", limits.max_compute_workgroup_size_x.into(), WORKGROUP)?;
        need("max_compute_workgroups_per_dimension", limits.max_compute_workgroups_per_dimension.into(), 256)?;
        Ok(Limits {
            // Places are counted with 32 bits inside a binding; Metal allows larger ones.
            binding: limits.max_storage_buffer_binding_size.min(u32::MAX.into()),
            // A binding starts at a whole block whatever the device allows.
            alignment: u64::from(limits.min_storage_buffer_offset_alignment).max(16),
            workgroups: limits.max_compute_workgroups_per_dimension.into(),
            buffers: limits.max_storage_buffers_per_shader_stage.into(),
        })
    }
}

/// The dispatches that write `fill` at `offset` into a buffer of this size, if they are few enough for one recording.
pub(super) fn plan(fill: &Fill, buffer_size: u64, offset: u64, limits: &Limits) -> Result<Vec<Window>, Error> {
    if fill.most_spans() > MAX_RUNS {
        let allowed = format!("at most {MAX_RUNS} in one recording; submit_all makes several");
        return Err(Error::new(ErrorKind::Shape, "the number of the fill's runs", fill.most_spans(), allowed));
    }
    if fill.samplers().any(Twin::is_drawn_by_host) {
        tables::check_drawn(fill.len())?;
    }
    Ok(split(fill, buffer_size, offset, limits))
}

/// A check that `fill` can be written at `offset` into the buffer.
pub(super) fn check(fill: &Fill, buffer: &Buffer, offset: u64) -> Result<(), Error> {
    let size = fill.dtype().size();
    if !buffer.usage().contains(BufferUsages::STORAGE) {
        let usages = format!("{:?}", buffer.usage());
        return Err(Error::new(ErrorKind::Buffer, "the buffer's usage", usages, "any that includes STORAGE"));
    }
    if !offset.is_multiple_of(size) {
        let allowed = format!("a multiple of {size}, the size of an {}", fill.dtype());
        return Err(Error::new(ErrorKind::Buffer, "the byte offset", offset, allowed));
    }
    let needed = fill.byte_len().saturating_add(offset).checked_next_multiple_of(4).unwrap_or(u64::MAX);
    if needed > buffer.size() {
        let allowed = format!("at least {needed}, where the fill's last word ends");
        return Err(Error::new(ErrorKind::Buffer, "the buffer's size", buffer.size(), allowed));
    }
    Ok(())
}

/// The dispatches that write `fill` at `offset` into a buffer of this size.
pub(super) fn split(fill: &Fill, buffer_size: u64, offset: u64, limits: &Limits) -> Vec<Window> {
    let (mut windows, mut offset) = (Vec::new(), offset);
    let mut cursors = Cursors::default();
    let mut known: HashMap<*const Sampler, _> = HashMap::new();
    for Span { range, sampler } in fill.spans() {
        let len = range.end - range.start;
        let (sampler, table) = match sampler {
            // Its matrices are put in their places, beside which there may be zeros.
            Sampler::Orthogonal(orthogonal) if orthogonal.matrix.taps() == Taps::One => {
                offset += fill.dtype().bytes(len);
                continue;
            }
            Sampler::Orthogonal(_) => (&Sampler::ZERO, None),
            _ if sampler.is_drawn_by_host() => {
                let values = sampler.drawn_by_host(fill.stream, fill.dtype(), range.clone(), &mut cursors);
                (sampler, Some(tables::of_values(range.start, &values)))
            }
            _ => (sampler, known.entry(std::ptr::from_ref(sampler)).or_insert_with(|| sampler.table()).clone()),
        };
        let table = table.map(|Table { words, rows }| (Slot::Words(words), rows));
        Cutter { fill, buffer_size, limits }.span(sampler, range, offset, table, &mut windows);
        offset += fill.dtype().bytes(len);
    }
    windows
}

/// A fill, and the buffer and the device that it is for.
pub(super) struct Cutter<'a> {
    pub fill: &'a Fill,
    pub buffer_size: u64,
    pub limits: &'a Limits,
}

impl Cutter<'_> {
    /// The dispatches that write elements that follow one another, drawn by this.
    pub fn span(
        &self,
        sampler: &Sampler,
        range: Range<u64>,
        offset: u64,
        table: Option<(Slot, Rows)>,
        windows: &mut Vec<Window>,
    ) {
        let Cutter { fill, buffer_size, limits } = *self;
        let size = fill.dtype().size();
        // One binding of the whole buffer, where that may be, serves all that is written to it.
        let whole = buffer_size <= limits.binding;
        let per_binding = if whole { u64::MAX } else { (limits.binding - limits.alignment) / size };
        let per_dispatch = limits.workgroups.saturating_mul(PER_WORKGROUP);
        let most = per_dispatch.min(per_binding).min(MAX_WINDOW) / PER_WORKGROUP * PER_WORKGROUP;

        // A constant does not care how its elements are numbered: from the buffer's beginning on, each is in its place of a block.
        let Range { start, end } = match sampler {
            Sampler::Constant(_) => offset / size..offset / size + (range.end - range.start),
            _ => range,
        };
        let mut from = start;
        while from < end {
            let byte_of = |element| offset + (element - start) * size;
            let bound = if whole { 0 } else { byte_of(from) / limits.alignment * limits.alignment };
            let place = (byte_of(from) - bound) / size;
            let first = from / TILE * TILE;
            let shift = (place as u32).wrapping_sub((from - first) as u32);
            // Whole workgroups are written as such, with what is before and after them apart; cuts fall on tiles, so that no group
            // is drawn twice, and where blocks begin anew in 32 bits, with which a window counts them.
            let limit = end.min(first + most).min(next_wrap(first));
            let inner = from.next_multiple_of(TILE);
            let inner_end = inner + limit.saturating_sub(inner) / PER_WORKGROUP * PER_WORKGROUP;
            let (to, writes) = if inner == inner_end {
                (limit, Writes::Words)
            } else if from < inner {
                (inner, Writes::Words)
            } else if shift.is_multiple_of(4) {
                (inner_end, Writes::Blocks)
            } else if size == 4 || shift.is_multiple_of(2) {
                (inner_end, Writes::Whole)
            } else {
                (inner_end, Writes::Odd)
            };
            // Of a last, short tile, the groups whose first block is in it.
            let groups = match (to - first) % TILE {
                0 => (to - first) / GROUP,
                rest => (to - first) / TILE * (TILE / GROUP) + rest.div_ceil(4).min(TILE / GROUP),
            };
            for (stride, phase) in phases(fill.dtype(), shift) {
                let each = |of: u64| (of - u64::from(phase).min(of)).div_ceil(stride.into());
                let workgroups = match writes {
                    Writes::Odd => each(groups / WORKGROUP),
                    _ => each(groups).div_ceil(WORKGROUP),
                };
                if workgroups == 0 {
                    continue;
                }
                windows.push(Window {
                    variant: variant(sampler, fill.dtype(), writes),
                    binding: bound..if whole { buffer_size / 4 * 4 } else { byte_of(to).next_multiple_of(4) },
                    params: Params {
                        key: fill.stream.key,
                        nonce: fill.stream.nonce,
                        zero: 0,
                        block: halves(first / 4),
                        group: halves(first / GROUP),
                        start: (from - first) as u32,
                        end: (to - first) as u32,
                        shift,
                        stride,
                        phase,
                        sign: 1 << 31,
                        place: table.as_ref().map_or([0; 2], |(_, rows)| rows.place(first)),
                        numbers: sampler.numbers(),
                    },
                    workgroups: workgroups as u32,
                    table: table.as_ref().map(|(table, _)| table.clone()),
                });
            }
            from = to;
        }
    }
}

/// The first element after this one whose block's number begins anew in its low half.
const fn next_wrap(element: u64) -> u64 {
    (element | 0x3_ffff_ffff) + 1
}

/// Stride and phase of the dispatches of a window: one for all blocks; or, where 16-bit elements are shifted so that
/// neighbouring blocks share a word, one for the even and one for the odd groups, or workgroups.
fn phases(dtype: Dtype, shift: u32) -> impl Iterator<Item = (u32, u32)> {
    let stride = if dtype.size() == 2 && shift & 1 == 1 { 2 } else { 1 };
    (0..stride).map(move |phase| (stride, phase))
}

fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Distribution, Stream};

    /// Every element is written by exactly one window, to its own place, within its binding.
    #[test]
    fn windows_cover_the_range_once() {
        let limits = Limits { binding: 1 << 16, alignment: 256, workgroups: 4, buffers: 1 };
        let truncated = Distribution::truncated_at(0.0, 1.0, 2.0);
        let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
        for (distribution, dtype) in [(normal, Dtype::F32), (truncated, Dtype::F32), (normal, Dtype::BF16)] {
            for start in [0, 1, 3, 1023, (1 << 33) + 5] {
                for len in [0, 1, 2, 5, 1024, 40_000, 100_003] {
                    for offset in [0, 4, 6, 256, 1000, 4094] {
                        if offset % dtype.size() != 0 {
                            continue;
                        }
                        let fill = distribution.fill_range(start..start + len, Stream::numbered(0, 0), dtype).unwrap();
                        let size = offset + len * dtype.size();
                        let windows = split(&fill, size.next_multiple_of(4), offset, &limits);
                        let mut next = start;
                        for window in windows.iter().filter(|w| w.params.phase == 0) {
                            let p = window.params;
                            let first = 4 * (u64::from(p.block[0]) | u64::from(p.block[1]) << 32);
                            assert_eq!(first + u64::from(p.start), next);
                            let place = u64::from(p.start.wrapping_add(p.shift));
                            let size = dtype.size();
                            assert_eq!(window.binding.start + place * size, offset + (next - start) * size);
                            assert_eq!(window.binding.start % limits.alignment, 0);
                            assert!(window.binding.end - window.binding.start <= limits.binding);
                            assert!(window.binding.end <= (offset + len * size).next_multiple_of(4));
                            if window.variant.writes == Writes::Blocks {
                                let elements = u64::from(p.end);
                                assert_eq!((p.start, p.shift % 4, elements % TILE), (0, 0, 0));
                                assert_eq!(elements, u64::from(window.workgroups) * PER_WORKGROUP);
                                assert!((place + elements) * size <= window.binding.end - window.binding.start);
                            }
                            assert!(u64::from(window.workgroups) <= limits.workgroups);
                            next = first + u64::from(p.end);
                        }
                        assert_eq!(next, start + len, "{distribution} {dtype} {start} {len} {offset}");
                    }
                }
            }
        }
    }

    /// A window's place is still the fill's in a binding of more bytes than 32 bits can count.
    #[test]
    fn a_fill_may_lie_beyond_2_to_the_32_elements_of_a_buffer() {
        let limits = wgpu::Limits { max_storage_buffer_binding_size: 1 << 40, ..wgpu::Limits::defaults() };
        let limits = Limits::new(&limits).unwrap();
        let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
        for dtype in [Dtype::F32, Dtype::BF16] {
            let (size, offset) = (dtype.size(), (1 << 35) + 12);
            let fill = normal.fill_range(5..100_000, Stream::numbered(0, 0), dtype).unwrap();
            let mut words = offset / 4;
            for window in split(&fill, 1 << 36, offset, &limits).iter().filter(|window| window.params.phase == 0) {
                // 16-bit neighbours may share one.
                assert!(words - window.words().start <= u64::from(size == 2));
                words = window.words().end;
            }
            assert_eq!(words, (offset + fill.len() * size).div_ceil(4));
        }
    }

    #[test]
    fn a_fill_may_have_more_than_2_to_the_32_elements() {
        let limits = Limits::new(&wgpu::Limits::defaults()).unwrap();
        let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
        let len = (1 << 33) + 3;
        let fill = normal.fill_range(7..7 + len, Stream::numbered(0, 0), Dtype::F32).unwrap();
        let windows = split(&fill, len * 4 + 12, 12, &limits);
        let drawn: u64 = windows.iter().map(|w| u64::from(w.params.end - w.params.start)).sum();
        assert_eq!(drawn, len);
        assert!(windows.iter().all(|w| w.binding.end - w.binding.start <= 128 << 20 && w.workgroups < 65536));
        // Element 7 at byte 12 is in the same place of its block as of the vector there: all but the ends are whole.
        assert!(windows[1..windows.len() - 1].iter().all(|w| w.variant.writes == Writes::Blocks));
    }
}

//! Orthogonal matrices on a device: vectors in scratch memory, by the kernels of `shaders/orthogonal.wgsl`, looked up from there.

use std::ops::Range;

use super::batches::Batches;
use super::features::Rounding;
use super::program::Program;
use super::recording::{Dispatch, Step};
use super::reflections::{KERNELS, Panel, Work, tables, works};
use super::slot::Slot;
use super::tables::of_vectors;
use super::windows::{Cutter, Limits, Window, plan};
use crate::kernel::table::{HEAD, Rows};
use crate::kernel::{BLOCK, Geometry, Orthogonal, Sampler, Twin};
use crate::matrix::Taps;
use crate::{Distribution, Dtype, Error, ErrorKind, Fill, Matrix, Stream};

/// Bytes of the vectors that are worked on at once, where a device binds so many.
const MAX_BYTES: u64 = 64 << 20;
/// Places are counted by workgroups in two dimensions.
const MAX_PLACES: u64 = 1 << 14;

/// Scratch memory, which each block and each part of a matrix uses again.
#[derive(Clone, Copy)]
enum Scratch {
    Normals,
    Ends,
    Reflections,
    Vectors,
    Lanes,
    Products,
    Triangle,
    Through,
}

impl Scratch {
    const fn slot(self) -> Slot {
        Slot::Scratch(self as usize)
    }

    /// Those of a kernel's binding; `rows` are the vectors or the reflections.
    const fn bound(binding: u32, rows: Scratch) -> Scratch {
        match binding {
            1 => Scratch::Normals,
            2 => Scratch::Ends,
            3 | 4 => Scratch::Reflections,
            5 => Scratch::Vectors,
            6 => rows,
            7 => Scratch::Lanes,
            8 => Scratch::Products,
            9 => Scratch::Triangle,
            _ => Scratch::Through,
        }
    }
}

/// The memory for so many vectors at once.
fn allocations(geometry: &Geometry, places: u64) -> [Step; 8] {
    let (padded, block) = (geometry.padded as u64, BLOCK as u64);
    let places_or_block = places.max(block);
    [
        (Scratch::Normals, block * geometry.stride()),
        (Scratch::Ends, 2 * block),
        (Scratch::Reflections, block * padded),
        (Scratch::Vectors, HEAD as u64 + places * padded),
        (Scratch::Lanes, places_or_block * block * block),
        (Scratch::Products, places_or_block * block),
        (Scratch::Triangle, block * block),
        (Scratch::Through, places * block),
    ]
    .map(|(scratch, floats)| Step::Allocate { scratch: scratch as usize, bytes: 4 * floats })
}

/// The sizes of these matrices, and how many vectors are worked on at once, if the device can.
pub(super) fn check(orthogonal: &Orthogonal, limits: &Limits) -> Result<(Geometry, u64), Error> {
    let geometry = Geometry::new(orthogonal);
    let lacks = |limit: &str, value: u64, needed: u64| {
        let allowed = format!("at least {needed} for orthogonal matrices of {} columns or rows", geometry.len);
        Err(Error::new(ErrorKind::DeviceLimit, format!("the device's limit {limit}"), value, allowed))
    };
    if limits.buffers() < 3 {
        return lacks("max_storage_buffers_per_shader_stage", limits.buffers(), 3);
    }
    let (places, block) = (places(&geometry, limits), 4 * (BLOCK * geometry.padded) as u64);
    if places == 0 || block > limits.binding() {
        return lacks("max_storage_buffer_binding_size", limits.binding(), block.max(1 << 17));
    }
    Ok((geometry, places))
}

/// The number of vectors that are worked on at once.
fn places(geometry: &Geometry, limits: &Limits) -> u64 {
    let most = MAX_BYTES.min(limits.binding()) / 4;
    let by_vectors = (most - HEAD as u64) / geometry.padded as u64;
    let by_lanes = most / (BLOCK * BLOCK) as u64;
    by_vectors.min(by_lanes).min(MAX_PLACES).min(geometry.count as u64)
}

/// The elements of some orthogonal matrices that a fill has, on their way to where it goes.
pub(super) struct Job<'a> {
    rounding: Rounding,
    orthogonal: &'a Orthogonal,
    geometry: Geometry,
    cutter: Cutter<'a>,
    buffer: Slot,
    offset: u64,
    /// The runs, in the order of matrices.
    runs: Vec<Run>,
    panels: Vec<Panel>,
}

const UNIT: Distribution = Distribution::Normal { mean: 0.0, std: 1.0 };

/// The kernels that matrices take: those of reflections, and what draws their normals.
pub(super) fn programs(rounding: Rounding) -> Result<Vec<Program>, Error> {
    let unit = Sampler::new(&UNIT, Dtype::F32, &Stream::numbered(0, 0))?;
    let draws = super::kernels::Writes::needed(unit.kernel(), Dtype::F32).iter();
    let draws = draws.map(|&writes| Program::Draw(super::windows::variant(&unit, Dtype::F32, writes), rounding));
    Ok(KERNELS.map(|kernel| Program::Reflect(kernel, rounding)).into_iter().chain(draws).collect())
}

/// The largest number of blocks of reflections that are recorded at once.
const MAX_BLOCKS: usize = 1 << 14;

impl<'a> Job<'a> {
    /// The job for a fill that goes to this byte offset of a buffer of so many bytes.
    pub fn new(
        rounding: Rounding,
        orthogonal: &'a Orthogonal,
        fill: &'a Fill,
        (buffer, buffer_size, offset): (Slot, u64, u64),
        limits: &'a Limits,
    ) -> Result<Job<'a>, Error> {
        let (geometry, places) = check(orthogonal, limits)?;
        let runs = runs(fill, orthogonal);
        let panels = panels(&runs, &orthogonal.matrix, places);
        let cutter = Cutter { fill, buffer_size, limits };
        Ok(Job { rounding, orthogonal, geometry, cutter, buffer, offset, runs, panels })
    }

    /// A check that its steps are few enough to be recorded at once.
    pub fn check_at_once(&self) -> Result<(), Error> {
        let blocks: usize = self.panels.iter().map(|panel| panel.blocks()).sum();
        if blocks > MAX_BLOCKS {
            let allowed = format!("at most {MAX_BLOCKS} in one recording; submit_all makes several");
            let thing = "the number of blocks of 32 reflections";
            return Err(Error::new(ErrorKind::Shape, thing, blocks, allowed));
        }
        Ok(())
    }

    /// The memory that all panels use, as much as the largest one takes.
    pub fn allocations(&self) -> [Step; 8] {
        let places = self.panels.iter().map(|panel| panel.numbers.end - panel.numbers.start).max();
        allocations(&self.geometry, places.unwrap_or(1))
    }

    /// Vectors that are worked on together, to be drawn one panel after the other.
    pub fn panels(&self) -> &[Panel] {
        &self.panels
    }

    /// All steps of a panel: its vectors, and then the elements that they are.
    pub fn panel(&self, panel: &Panel) -> Result<Vec<Step>, Error> {
        let mut steps = self.vectors(panel)?;
        let mut batches = Batches::default();
        for window in &self.windows(panel) {
            batches.add(&self.buffer, window);
        }
        steps.extend(batches.dispatches(self.rounding));
        Ok(steps)
    }
}

/// Elements of one matrix that follow one another.
struct Run {
    matrix: u64,
    range: Range<u64>,
    /// The number of elements of the fill before these.
    at: u64,
}

/// The elements that a fill has of each matrix, one after the other.
fn runs(fill: &Fill, orthogonal: &Orthogonal) -> Vec<Run> {
    let (mut runs, matrix) = (Vec::new(), &orthogonal.matrix);
    let len = matrix.rows() * matrix.row_len();
    for (before, range) in fill.ranges_of(orthogonal) {
        let mut start = range.start;
        while start < range.end {
            let number = start / len;
            let end = range.end.min((number + 1) * len);
            let of = match matrix.taps() {
                Taps::Outside { count, tap } => (number % count == tap).then_some(number / count),
                _ => Some(number),
            };
            if let Some(matrix) = of {
                runs.push(Run { matrix, range: start..end, at: before + start - range.start });
            }
            start = end;
        }
    }
    runs
}

/// The vectors that elements of a run are of, as numbers from the first to the last.
fn vectors(matrix: &Matrix, range: &Range<u64>) -> Range<u64> {
    let last = range.end - 1;
    let (from, to) = (matrix.place(range.start), matrix.place(last));
    if matrix.rows() <= matrix.columns() {
        from.row..to.row + 1
    } else if from.row == to.row {
        from.column..to.column + 1
    } else {
        0..matrix.columns()
    }
}

fn panels(runs: &[Run], of: &Matrix, places: u64) -> Vec<Panel> {
    let mut wanted: Vec<(u64, Range<u64>)> = Vec::new();
    for Run { matrix, range, .. } in runs {
        let numbers = vectors(of, range);
        match wanted.last_mut() {
            Some((last, known)) if last == matrix => {
                *known = known.start.min(numbers.start)..known.end.max(numbers.end);
            }
            _ => wanted.push((*matrix, numbers)),
        }
    }
    let cut = |(matrix, numbers): (u64, Range<u64>)| {
        numbers
            .clone()
            .step_by(places as usize)
            .map(move |first| Panel { matrix, numbers: first..(first + places).min(numbers.end) })
    };
    wanted.into_iter().flat_map(cut).collect()
}

impl Job<'_> {
    /// Works out a panel's vectors.
    fn vectors(&self, panel: &Panel) -> Result<Vec<Step>, Error> {
        let Job { rounding, geometry, .. } = self;
        let (padded, places) = (geometry.padded as u64, panel.numbers.end - panel.numbers.start);
        let head = of_vectors(&self.orthogonal.matrix, panel.numbers.start as u32, places as u32, padded as u32);
        let (vectors, end) = (Scratch::Vectors.slot(), 4 * HEAD as u64);
        let mut steps = vec![
            Step::Upload { to: vectors.clone(), words: head.into() },
            Step::Clear { buffer: vectors, bytes: end..end + 4 * places * padded },
        ];
        for block in (0..panel.blocks()).rev() {
            let tables = tables(geometry, panel, block);
            let first = geometry.normals(panel.matrix, block * BLOCK);
            let range = first..first + u64::from(tables[0].count) * geometry.stride();
            let normals = UNIT.fill_range(range, self.cutter.fill.stream, Dtype::F32)?;
            let mut batches = Batches::default();
            for window in plan(&normals, 4 * BLOCK as u64 * geometry.stride(), 0, self.cutter.limits)? {
                batches.add(&Scratch::Normals.slot(), &window);
            }
            steps.extend(batches.dispatches(*rounding));
            steps.extend(works(&tables[0]).map(|Work { kernel, of_reflections, groups, .. }| {
                let rows = if of_reflections { Scratch::Reflections } else { Scratch::Vectors };
                let slot = |&binding: &u32| (Scratch::bound(binding, rows).slot(), None);
                Step::Dispatch(Dispatch {
                    program: Program::Reflect(kernel, *rounding),
                    parameters: bytemuck::bytes_of(&tables[usize::from(of_reflections)]).to_vec(),
                    buffers: kernel.1.iter().map(slot).collect(),
                    groups: groups.map(|groups| groups as u32),
                })
            }));
        }
        Ok(steps)
    }

    /// The dispatches that put a panel's vectors where their elements are.
    fn windows(&self, panel: &Panel) -> Vec<Window> {
        let (matrix, dtype) = (&self.orthogonal.matrix, self.cutter.fill.dtype());
        let outside = match matrix.taps() {
            Taps::Outside { count, tap } => panel.matrix * count + tap,
            _ => panel.matrix,
        };
        let rows = Rows { len: matrix.row_len(), count: 0, first: outside * matrix.rows() };
        let sampler = Sampler::Orthogonal(*self.orthogonal);
        let mut windows = Vec::new();
        let first = self.runs.partition_point(|run| run.matrix < panel.matrix);
        for Run { range, at, .. } in self.runs[first..].iter().take_while(|run| run.matrix == panel.matrix) {
            let mut put = |part: Range<u64>| {
                if !part.is_empty() {
                    let offset = self.offset + dtype.bytes(at + part.start - range.start);
                    let table = (Scratch::Vectors.slot(), rows);
                    self.cutter.span(&sampler, part, offset, Some(table), &mut windows);
                }
            };
            let within = |from: u64, to: u64| from.max(range.start)..to.min(range.end).max(from.max(range.start));
            let row_at = |row: u64| (rows.first + row) * rows.len;
            if matrix.rows() <= matrix.columns() {
                put(within(row_at(panel.numbers.start), row_at(panel.numbers.end)));
            } else if panel.numbers == (0..matrix.columns()) {
                put(range.clone());
            } else {
                let columns = panel.numbers.start * matrix.inside()..panel.numbers.end * matrix.inside();
                for row in range.start / rows.len..range.end.div_ceil(rows.len) {
                    put(within(row * rows.len + columns.start, row * rows.len + columns.end));
                }
            }
        }
        windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Layout, Scheme};

    /// The steps of a matrix are plain data: so many dispatches for each block of 32 reflections, and nothing is drawn to be drawn over.
    #[test]
    fn a_matrix_takes_as_many_dispatches_as_are_said() {
        let limits = Limits::new(&wgpu::Limits::defaults()).unwrap();
        for (shape, blocks, draws, tap) in
            [(&[1024, 1024][..], 32, 33, false), (&[64, 300], 2, 6, false), (&[64, 64, 3, 3], 2, 3, true)]
        {
            let scheme: Scheme = if tap { "delta_orthogonal" } else { "orthogonal" }.parse().unwrap();
            let fill = scheme.fill(shape, Layout::OUT_IN, Stream::numbered(1, 2), Dtype::F32).unwrap();
            let (size, zeros) = (fill.byte_len(), plan(&fill, fill.byte_len(), 0, &limits).unwrap());
            assert_eq!(zeros.is_empty(), !tap, "{shape:?}");
            let orthogonals = fill.orthogonals();
            let [orthogonal] = orthogonals[..] else { panic!("{shape:?}") };
            let place = (Slot::Given(0), size, 0);
            let job = Job::new(Rounding::ByGuards, orthogonal, &fill, place, &limits).unwrap();
            let [panel] = job.panels() else { panic!("{shape:?}") };
            let steps = job.panel(panel).unwrap();
            let by = |is: fn(&Program) -> bool| {
                steps.iter().filter_map(Step::dispatch).filter(|dispatch| is(&dispatch.program)).count()
            };
            assert_eq!(panel.blocks(), blocks, "{shape:?}");
            assert_eq!(by(|program| matches!(program, Program::Reflect(..))), 10 * blocks, "{shape:?}");
            // Normals of each block, and what is looked up.
            assert_eq!(by(|program| matches!(program, Program::Draw(..))), draws, "{shape:?}");
        }
    }
}

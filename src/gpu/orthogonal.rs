//! Orthogonal matrices on a device: vectors in scratch memory, by the kernels of `shaders/orthogonal.wgsl`, looked up from there.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use wgpu::{BindGroup, Buffer, BufferUsages, ComputePipeline, Device};

use super::batches::Batches;
use super::compile::{self, Entry};
use super::features::Rounding;
use super::kernels::Writes;
use super::tables::{HEAD, Rows, Table, of_vectors};
use super::windows::{Split, Window};
use super::{Dispatch, GpuFiller, Step, Target, kernels, scoped};
use crate::cpu::orthogonal::{BLOCK, Geometry};
use crate::matrix::Taps;
use crate::sampler::{Orthogonal, Sampler};
use crate::{Distribution, Dtype, Error, ErrorKind, Fill, Matrix, Stream};

/// Bytes of the vectors that are worked on at once, where a device binds so many.
const MOST: u64 = 64 << 20;
/// Places are counted by workgroups in two dimensions.
const MOST_PLACES: u64 = 1 << 14;

/// The parameters of a kernel, in the order of `Params` in the shader.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Params {
    zero: u32,
    sign: u32,
    first: u32,
    count: u32,
    len: u32,
    padded: u32,
    stride: u32,
    number: u32,
    from_place: u32,
    to_place: u32,
    row_at: u32,
    per_row: u32,
    per_coordinate: u32,
    padding: [u32; 3],
    numbers: [f32; 4],
}

/// A kernel of the shader: its entry point, and which of the buffers it binds, by the shader's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Kernel(pub &'static str, pub &'static [u32]);

pub(super) const BEND: Kernel = Kernel("bend", &[1, 2]);
pub(super) const TURN: Kernel = Kernel("turn", &[1, 2, 3]);
pub(super) const START: Kernel = Kernel("start", &[2, 5]);
pub(super) const SUMS: Kernel = Kernel("sums", &[4, 6, 7]);
pub(super) const HALVES: Kernel = Kernel("halves", &[7, 8]);
pub(super) const TRIANGLE: Kernel = Kernel("triangle", &[8, 9]);
pub(super) const TRANSFORM: Kernel = Kernel("transform", &[8, 9, 10]);
pub(super) const SUBTRACT: Kernel = Kernel("subtract", &[4, 5, 10]);

pub(super) const KERNELS: [Kernel; 8] = [BEND, TURN, START, SUMS, HALVES, TRIANGLE, TRANSFORM, SUBTRACT];

/// The bindings of the shader that are only read.
const READ_ONLY: [u32; 2] = [4, 6];

/// Scratch memory, which each block and each part of a matrix uses again.
struct Scratch {
    drawn: Buffer,
    ends: Buffer,
    reflections: Buffer,
    vectors: Buffer,
    lanes: Buffer,
    products: Buffer,
    t: Buffer,
    through: Buffer,
}

impl Scratch {
    fn new(filler: &GpuFiller, geometry: &Geometry, places: u64) -> Result<Scratch, Error> {
        let (padded, block) = (geometry.padded as u64, BLOCK as u64);
        let places_or_block = places.max(block);
        let make = |label: &str, floats: u64| {
            filler.create_buffer(&format!("fanin {label}"), 4 * floats, BufferUsages::COPY_DST)
        };
        Ok(Scratch {
            drawn: make("normals", block * geometry.stride())?,
            ends: make("ends of reflections", 2 * block)?,
            reflections: make("reflections", block * padded)?,
            vectors: make("vectors", HEAD as u64 + places * padded)?,
            lanes: make("lanes", places_or_block * block * block)?,
            products: make("products", places_or_block * block)?,
            t: make("triangle", block * block)?,
            through: make("products through T", places * block)?,
        })
    }

    fn binding(&self, number: u32, rows: &Buffer) -> Buffer {
        match number {
            1 => &self.drawn,
            2 => &self.ends,
            3 | 4 => &self.reflections,
            5 => &self.vectors,
            6 => rows,
            7 => &self.lanes,
            8 => &self.products,
            9 => &self.t,
            _ => &self.through,
        }
        .clone()
    }
}

/// Vectors of one matrix that are worked on together.
pub(super) struct Panel {
    /// The number of the matrix in the tensor.
    pub matrix: u64,
    /// The first vector's number, and how many there are.
    pub numbers: Range<u64>,
}

/// The sizes of these matrices, and how many vectors are worked on at once, if the device can.
pub(super) fn check(filler: &GpuFiller, orthogonal: &Orthogonal) -> Result<(Geometry, u64), Error> {
    let geometry = Geometry::new(orthogonal);
    let lacks = |limit: &str, value: u64, needed: u64| {
        let allowed = format!("at least {needed} for orthogonal matrices of {} columns or rows", geometry.len);
        Err(Error::new(ErrorKind::DeviceLimit, format!("the device's limit {limit}"), value, allowed))
    };
    let buffers = filler.device.limits().max_storage_buffers_per_shader_stage.into();
    if buffers < 3 {
        return lacks("max_storage_buffers_per_shader_stage", buffers, 3);
    }
    let (places, block) = (places(filler, &geometry), 4 * (BLOCK * geometry.padded) as u64);
    if places == 0 || block > filler.limits.binding() {
        return lacks("max_storage_buffer_binding_size", filler.limits.binding(), block.max(1 << 17));
    }
    Ok((geometry, places))
}

/// The number of vectors that are worked on at once.
fn places(filler: &GpuFiller, geometry: &Geometry) -> u64 {
    let most = MOST.min(filler.limits.binding());
    let by_vectors = most / 4 / geometry.padded as u64;
    let by_lanes = most / 4 / (BLOCK * BLOCK) as u64;
    by_vectors.min(by_lanes).min(MOST_PLACES).min(geometry.count as u64)
}

/// The elements of some orthogonal matrices that a fill has, on their way into a buffer in which it has zeros there.
pub(super) struct Job<'a> {
    filler: &'a GpuFiller,
    rounding: Rounding,
    orthogonal: &'a Orthogonal,
    geometry: Geometry,
    split: Split<'a>,
    buffer: &'a Buffer,
    offset: u64,
    scratch: Scratch,
    /// The runs, in the order of matrices.
    runs: Vec<Run>,
    panels: Vec<Panel>,
}

const UNIT: Distribution = Distribution::Normal { mean: 0.0, std: 1.0 };

/// Compiles what matrices take.
pub(super) fn prepare(filler: &GpuFiller, rounding: Rounding) -> Result<(), Error> {
    for kernel in KERNELS {
        pipeline(filler, kernel, rounding)?;
    }
    let unit = Sampler::new(&UNIT, Dtype::F32, &Stream::numbered(0, 0))?;
    for &writes in Writes::of(unit.kernel(), Dtype::F32) {
        filler.pipelines.get(&filler.device, super::windows::variant(&unit, Dtype::F32, writes), rounding)?;
    }
    Ok(())
}

/// The largest number of blocks of reflections that are recorded at once.
const MOST_BLOCKS: usize = 1 << 14;

impl<'a> Job<'a> {
    pub fn new(
        filler: &'a GpuFiller,
        rounding: Rounding,
        orthogonal: &'a Orthogonal,
        target: &Target<'a>,
    ) -> Result<Job<'a>, Error> {
        let Target { fill, buffer, offset } = *target;
        super::windows::check(fill, buffer, offset)?;
        let (geometry, places) = check(filler, orthogonal)?;
        let runs = runs(fill, orthogonal);
        let panels = panels(&runs, &orthogonal.matrix, places);
        // As much as the largest one takes.
        let places = panels.iter().map(|panel| panel.numbers.end - panel.numbers.start).max().unwrap_or(1);
        let scratch = Scratch::new(filler, &geometry, places)?;
        let split = Split { fill, buffer_size: buffer.size(), limits: &filler.limits };
        Ok(Job { filler, rounding, orthogonal, geometry, split, buffer, offset, scratch, runs, panels })
    }

    /// All steps, if they are few enough to be recorded at once.
    pub fn all(&self) -> Result<Vec<Step>, Error> {
        let blocks: usize = self.panels.iter().map(|panel| panel.blocks()).sum();
        if blocks > MOST_BLOCKS {
            let allowed = format!("at most {MOST_BLOCKS} in one recording; submit_all makes several");
            let thing = "how many blocks of 32 reflections an orthogonal matrix takes";
            return Err(Error::new(ErrorKind::Shape, thing, blocks, allowed));
        }
        let mut steps = Vec::new();
        for panel in &self.panels {
            steps.extend(self.panel(panel)?);
        }
        Ok(steps)
    }

    /// Vectors that are worked on together, to be drawn one panel after the other.
    pub fn panels(&self) -> &[Panel] {
        &self.panels
    }

    /// All steps of a panel.
    pub fn panel(&self, panel: &Panel) -> Result<Vec<Step>, Error> {
        let mut steps = self.vectors(panel)?;
        let mut batches = Batches::default();
        for window in &self.windows(panel) {
            batches.add(self.buffer, window);
        }
        steps.extend(self.filler.dispatches(batches, self.rounding)?.map(Step::Pass));
        Ok(steps)
    }
}

impl Panel {
    /// The number of blocks of reflections of the last vector.
    pub fn blocks(&self) -> usize {
        (self.numbers.end - 1) as usize / BLOCK + 1
    }
}

/// The parameters of a block's dispatches: of the vectors, and of the reflections themselves.
pub(super) fn tables(geometry: &Geometry, panel: &Panel, block: usize) -> [Params; 2] {
    let Geometry { count, len, padded } = *geometry;
    let first = block * BLOCK;
    let of_vectors = Params {
        sign: 1 << 31,
        first: first as u32,
        count: BLOCK.min(count - first) as u32,
        len: len as u32,
        padded: padded as u32,
        stride: geometry.stride() as u32,
        number: panel.numbers.start as u32,
        from_place: (first as u64).saturating_sub(panel.numbers.start) as u32,
        to_place: (panel.numbers.end - panel.numbers.start) as u32,
        row_at: HEAD as u32,
        per_row: padded as u32,
        per_coordinate: 1,
        ..Params::default()
    };
    let of_reflections = Params {
        from_place: 0,
        to_place: BLOCK as u32,
        row_at: 0,
        per_row: 1,
        per_coordinate: BLOCK as u32,
        ..of_vectors
    };
    [of_vectors, of_reflections]
}

/// One dispatch of a block: how many workgroups, and how many invocations each has.
pub(super) struct Work {
    pub kernel: Kernel,
    pub of_reflections: bool,
    pub groups: [u64; 2],
    #[cfg_attr(not(test), allow(dead_code))]
    pub size: u32,
}

/// A block's dispatches once its normals are drawn, each of which sees what those before it wrote.
pub(super) fn of_block(of_vectors: &Params) -> [Work; 10] {
    let left = u64::from(of_vectors.padded - of_vectors.first);
    let working = u64::from(of_vectors.to_place - of_vectors.from_place);
    let per_lane = |places: u64| [(places * BLOCK as u64).div_ceil(64), 1];
    // Two vectors each, and four.
    let sums = |places: u64| per_lane(places.div_ceil(2));
    let subtract = [left.div_ceil(64), working.div_ceil(4)];
    let block = BLOCK as u64;
    [
        (BEND, false, [1, 1], 32),
        (TURN, false, per_lane(left), 64),
        (START, false, [1, 1], 32),
        (SUMS, true, sums(block), 64),
        (HALVES, true, per_lane(block), 64),
        (TRIANGLE, true, [1, 1], 32),
        (SUMS, false, sums(working), 64),
        (HALVES, false, per_lane(working), 64),
        (TRANSFORM, false, per_lane(working), 64),
        (SUBTRACT, false, subtract, 64),
    ]
    .map(|(kernel, of_reflections, groups, size)| Work { kernel, of_reflections, groups, size })
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
        let Job { filler, rounding, geometry, scratch, .. } = self;
        let (padded, places) = (geometry.padded as u64, panel.numbers.end - panel.numbers.start);
        let head = of_vectors(&self.orthogonal.matrix, panel.numbers.start as u32, places as u32, padded as u32);
        let head = bytemuck::cast_slice(&head);
        let from = filler.pipelines.holding(&filler.device, head, head.len(), BufferUsages::COPY_SRC)?;
        let (vectors, bytes) = (scratch.vectors.clone(), 4 * HEAD as u64);
        let mut steps = vec![
            Step::Copy { from, to: vectors.clone(), bytes },
            Step::Clear { buffer: vectors, from: bytes, bytes: 4 * places * padded },
        ];
        // Of each block two tables: of the vectors, and of the reflections themselves.
        let size = size_of::<Params>().next_multiple_of(filler.pipelines.alignment());
        let mut parameters = vec![0u8; panel.blocks() * 2 * size];
        for block in 0..panel.blocks() {
            for (i, params) in tables(geometry, panel, block).iter().enumerate() {
                parameters[(2 * block + i) * size..][..size_of::<Params>()].copy_from_slice(bytemuck::bytes_of(params));
            }
        }
        let parameters =
            filler.pipelines.holding(&filler.device, &parameters, parameters.len(), BufferUsages::UNIFORM)?;
        // The same bindings serve all blocks.
        let of_first = of_block(&tables(geometry, panel, 0)[0]);
        let bind = |Work { kernel, of_reflections, .. }: &Work| {
            let rows = if *of_reflections { &scratch.reflections } else { &scratch.vectors };
            let pipeline = pipeline(filler, *kernel, *rounding)?;
            bound(filler, *kernel, pipeline, &parameters, |number| scratch.binding(number, rows))
        };
        let known = of_first.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        for block in (0..panel.blocks()).rev() {
            let [params, _] = tables(geometry, panel, block);
            let first = geometry.normals(panel.matrix, block * BLOCK);
            let range = first..first + u64::from(params.count) * geometry.stride();
            let normals = Fill::new(&UNIT, self.split.fill.stream, Dtype::F32, range)?;
            let mut batches = Batches::default();
            for window in super::windows::plan(&normals, &scratch.drawn, 0, &filler.limits)? {
                batches.add(&scratch.drawn, &window);
            }
            let mut pass = filler.dispatches(batches, *rounding)?.unwrap_or_default();
            for (Work { of_reflections, groups, .. }, (pipeline, bindings)) in of_block(&params).iter().zip(&known) {
                pass.push(Dispatch {
                    pipeline: pipeline.clone(),
                    bindings: bindings.clone(),
                    offset: Some(((2 * block + usize::from(*of_reflections)) * size) as u32),
                    groups: groups.map(|groups| groups as u32),
                });
            }
            steps.push(Step::Pass(pass));
        }
        Ok(steps)
    }

    /// The dispatches that put a panel's vectors where their elements are.
    fn windows(&self, panel: &Panel) -> Vec<Window> {
        let (matrix, dtype) = (&self.orthogonal.matrix, self.split.fill.dtype());
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
                    let table = (Table::Device(self.scratch.vectors.clone()), rows);
                    self.split.span(&sampler, part, offset, Some(table), &mut windows);
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

/// A kernel with its buffers, of which parameters are bound anew for each block.
fn bound(
    filler: &GpuFiller,
    kernel: Kernel,
    pipeline: ComputePipeline,
    parameters: &Buffer,
    binding: impl Fn(u32) -> Buffer,
) -> Result<(ComputePipeline, BindGroup), Error> {
    let buffers: Vec<_> = kernel.1.iter().map(|&number| (number, binding(number))).collect();
    let size = wgpu::BufferSize::new(size_of::<Params>() as u64);
    let first = wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: parameters, offset: 0, size });
    let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: first }];
    let others = buffers.iter().map(|(binding, buffer)| (*binding, buffer.as_entire_binding()));
    entries.extend(others.map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }));
    let bindings = scoped(&filler.device, "the buffers of a matrix cannot be bound", || {
        let layout = &pipeline.get_bind_group_layout(0);
        filler.device.create_bind_group(&wgpu::BindGroupDescriptor { label: Some("fanin"), layout, entries: &entries })
    })?;
    Ok((pipeline, bindings))
}

fn pipeline(filler: &GpuFiller, kernel: Kernel, rounding: Rounding) -> Result<ComputePipeline, Error> {
    let text = || kernels::orthogonal(rounding);
    filler.compiled(&label(kernel, rounding), || compile(&filler.device, kernel, rounding, &text()))
}

fn label(Kernel(name, _): Kernel, rounding: Rounding) -> String {
    format!("fanin orthogonal {name}, rounded {rounding}")
}

/// Lets a kernel do nothing, as a compiler might that has its own ideas.
#[cfg(test)]
pub(super) fn mistake(filler: &GpuFiller, kernel: Kernel, rounding: Rounding) {
    let entry = format!("fn {}(@builtin(global_invocation_id) invocation: vec3<u32>) {{", kernel.0);
    let text = kernels::orthogonal(rounding);
    assert!(text.contains(&entry), "{entry}");
    let text = text.replace(&entry, &format!("{entry} if invocation.x != 0xffffffffu {{ return; }}"));
    filler.compiled(&label(kernel, rounding), || compile(&filler.device, kernel, rounding, &text)).unwrap();
}

fn compile(device: &Device, kernel: Kernel, rounding: Rounding, text: &str) -> Result<ComputePipeline, Error> {
    let (label, Kernel(name, bindings)) = (label(kernel, rounding), kernel);
    let entry = |binding, ty, has_dynamic_offset, size| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: wgpu::BufferSize::new(size) },
        count: None,
    };
    let storage = |&number: &u32| {
        entry(number, wgpu::BufferBindingType::Storage { read_only: READ_ONLY.contains(&number) }, false, 0)
    };
    let uniform = entry(0, wgpu::BufferBindingType::Uniform, true, size_of::<Params>() as u64);
    let entries: Vec<_> = std::iter::once(uniform).chain(bindings.iter().map(storage)).collect();
    let layout = scoped(device, &format!("the layout of {label}"), || {
        let bindings = device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(&label), entries: &entries });
        device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&label),
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        })
    })?;
    let numbers: Vec<u32> = entries.iter().map(|entry| entry.binding).collect();
    let entry = Entry { wgsl: text, name, constants: &[], bindings: &numbers };
    let setting = compile::Setting { label: &label, layout: &layout, cache: None };
    compile::compile(device, rounding, &format!("the kernel {name} of orthogonal matrices"), &entry, &setting)
}

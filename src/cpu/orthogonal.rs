//! Products of reflections: the twin of `shaders/orthogonal.wgsl`.
//!
//! Of a matrix of S by L elements, S <= L, vector c (of length L) is H_0 H_1 .. H_c s_c e_c: Householder's reflections of the
//! stream's normal vectors, H_j of the coordinates from j on, and the sign that makes the first one uniform on the sphere. G. W. Stewart,
//! "The efficient generation of random orthogonal matrices", SIAM Journal on Numerical Analysis 17, 1980,
//! <https://doi.org/10.1137/0717034>. Reflections go by blocks of 32, I - V T V' (R. Schreiber, C. Van Loan, "A storage-efficient
//! WY representation for products of Householder transformations", SIAM Journal on Scientific and Statistical Computing 10, 1989,
//! <https://doi.org/10.1137/0910005>), from the last block that a vector has to the first; T is the inverse of V'V's upper triangle
//! with half of its diagonal (T. Joffrain et al., "Accumulating Householder transformations, revisited", ACM Transactions on
//! Mathematical Software 32, 2006, <https://doi.org/10.1145/1141885.1141886>).

// Loops over lanes index several arrays at once; iterators over them are not vectorised as surely.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use multiversion::multiversion;

use crate::arithmetic::math::inverse_sqrt;
use crate::kernel::{BLOCK, Generator, Geometry, Normal, Orthogonal, Piece, normal};
use crate::{Element, Error, ErrorKind, Fill, Stream, threads};

/// Vectors that a thread works on at once, where they are short: each time it draws the reflections anew.
const VECTORS: usize = 512;
/// Bytes of a thread's vectors, where they are long.
const BYTES: usize = 16 << 20;
/// Elements between one reflection's end and the next: rows of a length that is a power of two would share few lines of a cache.
const GAP: usize = 16;

/// Draws what a fill has of these matrices, into zeros; all else stays as it is.
pub(super) fn fill<T: Element>(
    orthogonal: &Orthogonal,
    fill: &Fill,
    elements: &mut [T],
    threads: usize,
) -> Result<(), Error> {
    let geometry = Geometry::new(orthogonal);
    let share = VECTORS.min(BYTES / 4 / geometry.padded).max(1);
    let rows = rows(fill, orthogonal);
    let wanted = wanted(&rows, orthogonal);
    let Some(most) = wanted.iter().map(|(_, vectors)| vectors.len()).max() else { return Ok(()) };
    let threads = threads.clamp(1, most.div_ceil(share));
    let memory = || {
        let len = share * threads * geometry.padded;
        let bytes = format!("{} bytes", 4 * len);
        bytemuck::allocation::try_zeroed_vec::<f32>(len)
            .map_err(|_| Error::new(ErrorKind::Memory, "the fill's memory", bytes, "what this machine can allocate"))
    };
    let mut vectors = memory()?;
    for (number, all) in &wanted {
        let first = rows.partition_point(|row| row.number < *number);
        let of_matrix = rows[first..].iter().take_while(|row| row.number == *number);
        for numbers in all.chunks(share * threads) {
            // Later vectors have more reflections: each thread gets some of all.
            let parts = (0..threads).zip(vectors.chunks_mut(share * geometry.padded));
            threads::share(threads, parts.collect(), |(thread, vectors)| {
                let numbers: Vec<u32> = numbers.iter().copied().skip(thread).step_by(threads).collect();
                geometry.draw(
                    &orthogonal.unit,
                    fill.stream,
                    *number,
                    &numbers,
                    &mut vectors[..numbers.len() * geometry.padded],
                );
            });
            let panel = Panel { numbers, vectors: &vectors, padded: geometry.padded, share, threads };
            for row in of_matrix.clone() {
                place(orthogonal, &panel, row, elements);
            }
        }
    }
    Ok(())
}

/// The vectors of which a fill has elements, by matrix, in the order of matrices.
fn wanted(rows: &[Row], orthogonal: &Orthogonal) -> Vec<(u64, Vec<u32>)> {
    let matrix = orthogonal.matrix;
    let by_rows = matrix.rows() <= matrix.columns();
    let mut wanted: Vec<(u64, Vec<bool>)> = Vec::new();
    for Row { number, row, columns, .. } in rows.iter().filter(|row| !row.columns.is_empty()) {
        if wanted.last().is_none_or(|(last, _)| last != number) {
            wanted.push((*number, vec![false; matrix.shorter() as usize]));
        }
        let Some((_, vectors)) = wanted.last_mut() else { continue };
        if by_rows {
            vectors[*row as usize] = true;
        } else {
            vectors[columns.start as usize..columns.end as usize].fill(true);
        }
    }
    let numbers = |vectors: Vec<bool>| (0u32..).zip(vectors).filter(|(_, wanted)| *wanted).map(|(c, _)| c).collect();
    wanted.into_iter().map(|(number, vectors)| (number, numbers(vectors))).collect()
}

/// A matrix's row: the columns whose taps are among elements that follow one another, by their places in the tensor's row.
struct Row {
    /// The place of the first of these elements in the fill.
    at: usize,
    /// The number of the matrix in the tensor.
    number: u64,
    row: u64,
    columns: Range<u64>,
    taps: Range<u64>,
}

/// The part of each row of these matrices that a fill has, one after the other.
fn rows(fill: &Fill, orthogonal: &Orthogonal) -> Vec<Row> {
    let (mut rows, matrix) = (Vec::new(), orthogonal.matrix);
    for (before, range) in fill.ranges_of(orthogonal) {
        let mut start = range.start;
        while start < range.end {
            let row_start = start / matrix.row_len() * matrix.row_len();
            let end = range.end.min(row_start + matrix.row_len());
            let place = matrix.place(start - start % matrix.inside() + matrix.tap_inside());
            if place.is_inside {
                let taps = start - row_start..end - row_start;
                // The columns whose taps are within.
                let after = |x: u64| (x + matrix.inside() - 1 - matrix.tap_inside()) / matrix.inside();
                let columns = after(taps.start)..after(taps.end);
                let at = (before + start - range.start) as usize;
                rows.push(Row { at, number: place.number, row: place.row, columns, taps });
            }
            start = end;
        }
    }
    rows
}

/// Vectors that are drawn.
struct Panel<'a> {
    numbers: &'a [u32],
    vectors: &'a [f32],
    padded: usize,
    /// The number of places of each thread, which drew every so-many-th vector.
    share: usize,
    threads: usize,
}

impl Panel<'_> {
    fn vector(&self, at: usize) -> &[f32] {
        &self.vectors[(at % self.threads * self.share + at / self.threads) * self.padded..][..self.padded]
    }
}

/// Copies what a row has of some vectors to where its elements are.
fn place<T: Element>(orthogonal: &Orthogonal, panel: &Panel<'_>, place: &Row, elements: &mut [T]) {
    let matrix = orthogonal.matrix;
    let Row { at, row, columns, taps, .. } = place;
    let place_of = |column: u64| at + (column * matrix.inside() + matrix.tap_inside() - taps.start) as usize;
    if matrix.rows() <= matrix.columns() {
        let Ok(vector) = panel.numbers.binary_search(&(*row as u32)) else { return };
        let vector = panel.vector(vector);
        for column in columns.clone() {
            elements[place_of(column)] = T::round(orthogonal.value(vector[column as usize]));
        }
    } else {
        let within = |c: u32| columns.contains(&c.into());
        let first = panel.numbers.partition_point(|&c| u64::from(c) < columns.start);
        for (vector, &column) in panel.numbers.iter().enumerate().skip(first).take_while(|(_, c)| within(**c)) {
            elements[place_of(column.into())] = T::round(orthogonal.value(panel.vector(vector)[*row as usize]));
        }
    }
}

/// 32 reflections.
struct Block {
    /// The first one's number, which is its first coordinate's, too.
    first: usize,
    /// Row j, `stride` after the one before, is the vector of reflection first + j.
    v: Vec<f32>,
    stride: usize,
    /// Column i of T, from j on: `t[j][i]`.
    t: [[f32; BLOCK]; BLOCK],
    /// The signs of the vectors that begin here.
    signs: [f32; BLOCK],
}

impl Geometry {
    /// Draws vectors of a matrix, in rising order.
    fn draw(&self, unit: &Normal, stream: Stream, matrix: u64, numbers: &[u32], vectors: &mut [f32]) {
        vectors.fill(0.0);
        let Some(&last) = numbers.last() else { return };
        let generator = Generator::new(stream);
        let stride = self.padded + GAP;
        let (v, t, signs) = (vec![0.0; BLOCK * stride], [[0.0; BLOCK]; BLOCK], [0.0; BLOCK]);
        let (mut block, mut spare) = (Block { first: 0, v, stride, t, signs }, vec![0.0; self.padded]);
        for number in (0..=last as usize / BLOCK).rev() {
            self.reflections(unit, matrix, number * BLOCK, &generator, &mut block);
            let from = numbers.partition_point(|&c| (c as usize) < block.first);
            for (&c, vector) in numbers.iter().zip(vectors.chunks_exact_mut(self.padded)).skip(from) {
                if (c as usize) < block.first + BLOCK {
                    vector[c as usize] = block.signs[c as usize - block.first];
                }
            }
            reflect(&block, self.padded, &mut vectors[from * self.padded..], &mut spare);
        }
    }

    /// A block's reflections.
    fn reflections(&self, unit: &Normal, matrix: u64, first: usize, generator: &Generator, block: &mut Block) {
        block.first = first;
        block.v.fill(0.0);
        let count = BLOCK.min(self.count - first);
        for j in 0..count {
            let (row, pivot) = (&mut block.v[j * block.stride..][..self.len], first + j);
            let start = self.normals(matrix, first + j);
            let range = start + first as u64..start + self.len as u64;
            normal::fill(&unit.line, generator, Piece { range, elements: &mut row[first..], past_cache: false });
            row[first..pivot].fill(0.0);
            let square =
                dot(&block.v[j * block.stride..][first..self.padded], &block.v[j * block.stride..][first..self.padded]);
            let x = &mut block.v[j * block.stride + pivot];
            block.signs[j] = if *x < 0.0 { 1.0 } else { -1.0 };
            *x -= block.signs[j] * (square * inverse_sqrt(square));
        }
        let rows: Vec<&[f32]> = block.v.chunks(block.stride).map(|row| &row[first..self.padded]).collect();
        block.t = triangle(&rows, count);
    }
}

/// T, column by column, of as many reflections as there are; the others' are zero.
fn triangle(rows: &[&[f32]], count: usize) -> [[f32; BLOCK]; BLOCK] {
    let mut products = [[0.0; BLOCK]; BLOCK];
    for i in 0..count {
        for j in i..count {
            products[i][j] = dot(rows[i], rows[j]);
        }
    }
    let mut t = [[0.0; BLOCK]; BLOCK];
    for j in 0..count {
        for i in (0..=j).rev() {
            let inverse = reciprocal(products[i][i] * 0.5);
            let mut sum = 0.0;
            for k in i + 1..=j {
                sum += products[i][k] * t[j][k];
            }
            t[j][i] = if i == j { inverse } else { -(sum * inverse) };
        }
    }
    t
}

/// 1 / q, within two units in the last place.
fn reciprocal(q: f32) -> f32 {
    let root = inverse_sqrt(q);
    let guess = root * root;
    guess + guess * (1.0 - q * guess)
}

/// A sum of products in 32 lanes, which meet in halves.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let [mut s0, mut s1, mut s2, mut s3] = [[0f32; WIDTH]; 4];
    for (a, b) in a.as_chunks().0.chunks_exact(4).zip(b.as_chunks().0.chunks_exact(4)) {
        s0 = with_product(s0, &a[0], &b[0]);
        s1 = with_product(s1, &a[1], &b[1]);
        s2 = with_product(s2, &a[2], &b[2]);
        s3 = with_product(s3, &a[3], &b[3]);
    }
    halved([s0, s1], [s2, s3])
}

/// The sum of all lanes, the first and the second half of them.
#[inline(always)]
fn halved(low: [Vector; 2], high: [Vector; 2]) -> f32 {
    let mut lanes = [0f32; WIDTH];
    for lane in 0..WIDTH {
        lanes[lane] = (low[0][lane] + high[0][lane]) + (low[1][lane] + high[1][lane]);
    }
    let mut half = WIDTH / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// Sends vectors through a block of reflections, two at a time, which share what is read of it; `spare` is as long as one.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn reflect(block: &Block, padded: usize, vectors: &mut [f32], spare: &mut [f32]) {
    for pair in vectors.chunks_mut(2 * padded) {
        let (a, b) = pair.split_at_mut(padded);
        let b = if b.is_empty() { &mut *spare } else { b };
        reflect_two(block, &mut a[block.first..], &mut b[block.first..padded]);
    }
}

#[inline(always)]
fn reflect_two(block: &Block, a: &mut [f32], b: &mut [f32]) {
    let (a, b) = (a.as_chunks_mut().0, b.as_chunks_mut().0);
    let (mut of_a, mut of_b) = ([0f32; BLOCK], [0f32; BLOCK]);
    for j in (0..BLOCK).step_by(2) {
        let rows = (block.row(j, a.len()), block.row(j + 1, a.len()));
        // As many lanes as a processor has registers for.
        let low = products(a, b, rows.0, rows.1, 0);
        let high = products(a, b, rows.0, rows.1, 2);
        (of_a[j], of_a[j + 1]) = (halved(low[0], high[0]), halved(low[1], high[1]));
        (of_b[j], of_b[j + 1]) = (halved(low[2], high[2]), halved(low[3], high[3]));
    }
    let (of_a, of_b) = (block.through_t(of_a), block.through_t(of_b));
    let rows: [&[Vector]; BLOCK] = std::array::from_fn(|j| block.row(j, a.len()));
    for (at, (a, b)) in a.iter_mut().zip(b).enumerate() {
        let [mut a0, mut a1, mut a2, mut a3] = [[0f32; WIDTH]; 4];
        let [mut b0, mut b1, mut b2, mut b3] = [[0f32; WIDTH]; 4];
        for j in (0..BLOCK).step_by(4) {
            let (v0, v1, v2, v3) = (&rows[j][at], &rows[j + 1][at], &rows[j + 2][at], &rows[j + 3][at]);
            a0 = with_product(a0, &[of_a[j]; WIDTH], v0);
            a1 = with_product(a1, &[of_a[j + 1]; WIDTH], v1);
            a2 = with_product(a2, &[of_a[j + 2]; WIDTH], v2);
            a3 = with_product(a3, &[of_a[j + 3]; WIDTH], v3);
            b0 = with_product(b0, &[of_b[j]; WIDTH], v0);
            b1 = with_product(b1, &[of_b[j + 1]; WIDTH], v1);
            b2 = with_product(b2, &[of_b[j + 2]; WIDTH], v2);
            b3 = with_product(b3, &[of_b[j + 3]; WIDTH], v3);
        }
        for lane in 0..WIDTH {
            a[lane] -= (a0[lane] + a2[lane]) + (a1[lane] + a3[lane]);
        }
        for lane in 0..WIDTH {
            b[lane] -= (b0[lane] + b2[lane]) + (b1[lane] + b3[lane]);
        }
    }
}

/// The number of values that a processor works on side by side.
const WIDTH: usize = 8;
type Vector = [f32; WIDTH];

#[inline(always)]
fn with_product(sum: Vector, a: &Vector, b: &Vector) -> Vector {
    let mut with = sum;
    for lane in 0..WIDTH {
        with[lane] += a[lane] * b[lane];
    }
    with
}

/// Half of the lanes of four sums of products, of two vectors with two rows; of each four elements of these, from this one on.
#[inline(always)]
fn products(a: &[Vector], b: &[Vector], v: &[Vector], w: &[Vector], half: usize) -> [[Vector; 2]; 4] {
    let [mut av0, mut av1, mut aw0, mut aw1] = [[0f32; WIDTH]; 4];
    let [mut bv0, mut bv1, mut bw0, mut bw1] = [[0f32; WIDTH]; 4];
    for ((a, b), (v, w)) in a.chunks_exact(4).zip(b.chunks_exact(4)).zip(v.chunks_exact(4).zip(w.chunks_exact(4))) {
        let ((a0, a1), (b0, b1)) = ((&a[half], &a[half + 1]), (&b[half], &b[half + 1]));
        let ((v0, v1), (w0, w1)) = ((&v[half], &v[half + 1]), (&w[half], &w[half + 1]));
        av0 = with_product(av0, a0, v0);
        av1 = with_product(av1, a1, v1);
        aw0 = with_product(aw0, a0, w0);
        aw1 = with_product(aw1, a1, w1);
        bv0 = with_product(bv0, b0, v0);
        bv1 = with_product(bv1, b1, v1);
        bw0 = with_product(bw0, b0, w0);
        bw1 = with_product(bw1, b1, w1);
    }
    [[av0, av1], [aw0, aw1], [bv0, bv1], [bw0, bw1]]
}

impl Block {
    /// The last coordinates of reflection j, so many vectors of them.
    #[inline(always)]
    fn row(&self, j: usize, len: usize) -> &[Vector] {
        self.v[j * self.stride + self.first..][..len * WIDTH].as_chunks().0
    }

    /// T times the products with each reflection.
    #[inline(always)]
    fn through_t(&self, y: [f32; BLOCK]) -> [f32; BLOCK] {
        let mut z = [0f32; BLOCK];
        for j in 0..BLOCK {
            for i in 0..BLOCK {
                z[i] += self.t[j][i] * y[j];
            }
        }
        z
    }
}

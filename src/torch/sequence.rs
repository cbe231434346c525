//! Tensors filled by PyTorch's generator on the CPU: any range of their elements.

use std::ops::Range;

use super::double::Functions;
use super::single;
use crate::stream::{Origin, TorchTensor};
use crate::torch_words::place::{Place, Spare};
use crate::torch_words::twister::Twister;
use crate::{Distribution, Dtype, Stream};

/// The element type to PyTorch's generator; `None` is f64.
pub(super) type Kind = Option<Dtype>;

/// No truncated normal that is drawn takes as many rounds.
pub(super) const MAX_ROUNDS: u64 = 1 << 12;

/// A tensor that one operation fills: `uniform_`, `normal_`, `trunc_normal_`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sequence {
    pub place: Place,
    /// Whether its memory is without gaps, in row-major order.
    pub is_dense: bool,
    pub elements: u64,
    pub kind: Kind,
    pub distribution: Distribution,
}

/// Elements of a block of normals.
const BLOCK: u64 = 16;
/// Elements that are worked on at once.
const CHUNK: usize = 1024;

/// Readers of the sequence, one for each round of a truncated normal, so that ranges in order never go back.
#[derive(Default)]
pub(crate) struct Cursors {
    rounds: Vec<Twister>,
}

impl Cursors {
    /// The sequence of a seed, which is the same at each call.
    fn at(&mut self, seed: u32, round: u64, position: u64) -> &mut Twister {
        while self.rounds.len() as u64 <= round {
            // Later rounds lie behind earlier ones.
            let last = self.rounds.last().filter(|last| last.position() <= position);
            self.rounds.push(last.cloned().unwrap_or_else(|| Twister::new(seed)));
        }
        let twister = &mut self.rounds[round as usize];
        twister.seek(position);
        twister
    }
}

impl Sequence {
    /// Whether normals are drawn 16 at once, not in pairs that know nothing of blocks.
    fn is_in_blocks(&self) -> bool {
        self.is_dense && self.elements >= BLOCK
    }

    /// Words of a whole round in blocks.
    fn words_of_round(&self) -> u64 {
        let n = self.elements;
        let ragged = if n.is_multiple_of(BLOCK) { 0 } else { BLOCK };
        match self.kind {
            None => 2 * (n + ragged),
            Some(Dtype::F32) => n + ragged,
            Some(_) => n.next_multiple_of(BLOCK),
        }
    }

    /// The place after it is drawn; of a truncated normal, so many rounds.
    pub fn after(&self, rounds: u64) -> Place {
        let n = self.elements;
        match self.distribution {
            Distribution::Uniform { .. } => self.place.on(if self.kind.is_none() { 2 * n } else { n }),
            _ if self.is_in_blocks() => self.place.on(rounds * self.words_of_round()),
            _ if n == 0 => self.place,
            _ => {
                let fresh = rounds * n - u64::from(self.place.spare != Spare::None);
                let pairs = fresh.div_ceil(2);
                let place = self.place.on(4 * pairs);
                let last = self.place.words + 4 * pairs;
                let spare = if fresh % 2 == 1 { Spare::Pair(last - 4) } else { Spare::None };
                Place { spare, ..place }
            }
        }
    }

    /// The first word of a round, in blocks.
    fn round(&self, round: u64) -> u64 {
        self.place.words + round * self.words_of_round()
    }

    /// Elements whose words are their own; the last 16 of a ragged tensor have words after them all.
    fn even(&self) -> u64 {
        if self.elements.is_multiple_of(BLOCK) { self.elements } else { self.elements - BLOCK }
    }

    /// The place in a round of the words of a ragged tensor's last 16 elements, in numbers.
    fn ragged(&self) -> u64 {
        if matches!(self.kind, None | Some(Dtype::F32)) { self.elements } else { self.elements / BLOCK * BLOCK }
    }

    /// Cuts a range into what lies in whole blocks and in the last 16 elements of a ragged tensor: for each block its first element,
    /// and where its numbers are.
    fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, u64, u64)> {
        let even = self.even();
        let (mut at, ragged) = (range.start, self.ragged());
        std::iter::from_fn(move || {
            (at < range.end).then(|| {
                let (block, numbers, end) = if at < even {
                    let block = at / BLOCK * BLOCK;
                    (block, block, (block + CHUNK as u64 - BLOCK).min(even))
                } else {
                    (even, ragged, range.end)
                };
                let piece = at..end.min(range.end);
                at = piece.end;
                (piece, block, numbers)
            })
        })
    }
}

/// f32, and what is rounded from it.
impl Sequence {
    /// The whole tensor of a stream of PyTorch's.
    pub fn new(distribution: &Distribution, stream: Stream, dtype: Dtype) -> Sequence {
        let Origin::Torch(TorchTensor { place, is_dense, elements: Some(elements) }) = stream.origin else {
            unreachable!("the sampler is made for whole tensors of such streams")
        };
        Sequence { place, is_dense, elements, kind: Some(dtype), distribution: *distribution }
    }

    /// The values of a range, rounded to the dtype; zero beyond the tensor's end.
    pub fn values(&self, range: Range<u64>, cursors: &mut Cursors, out: &mut [f32]) {
        let end = range.end.min(self.elements).max(range.start);
        let (out, beyond) = out.split_at_mut((end - range.start) as usize);
        beyond.fill(0.0);
        let range = range.start..end;
        match self.distribution {
            Distribution::Uniform { low, high } => self.uniforms(low, high, range, cursors, out),
            Distribution::TruncatedNormal { low, high, .. } => {
                self.normals(0, range.clone(), cursors, out);
                let (low, high) = (self.rounded(low as f32), self.rounded(high as f32));
                let is_out = |x: f32| x < low || x > high;
                let mut spare = [0f32; BLOCK as usize];
                for (block, out) in self.blocks(range, out) {
                    let mut round = 0;
                    let len = (block.end - block.start) as usize;
                    while round < MAX_ROUNDS && out.iter().any(|&x| is_out(x)) {
                        round += 1;
                        self.normals(round, block.clone(), cursors, &mut spare[..len]);
                        for (x, &fresh) in out.iter_mut().zip(&spare).filter(|(x, _)| is_out(**x)) {
                            *x = fresh;
                        }
                    }
                }
            }
            _ => self.normals(0, range, cursors, out),
        }
    }

    /// A range in blocks of at most 16.
    fn blocks<'a>(
        &self,
        range: Range<u64>,
        out: &'a mut [f32],
    ) -> impl Iterator<Item = (Range<u64>, &'a mut [f32])> + use<'a> {
        let even = if self.is_in_blocks() { self.even() } else { u64::MAX };
        let (mut at, mut rest) = (range.start, out);
        std::iter::from_fn(move || {
            (at < range.end).then(|| {
                let end = if at < even { (at / BLOCK * BLOCK + BLOCK).min(even) } else { range.end };
                let block = at..end.min(range.end);
                let (part, after) = std::mem::take(&mut rest).split_at_mut((block.end - block.start) as usize);
                (at, rest) = (block.end, after);
                (block, part)
            })
        })
    }

    fn uniforms(&self, low: f64, high: f64, range: Range<u64>, cursors: &mut Cursors, out: &mut [f32]) {
        let (low, high) = (low as f32, high as f32);
        let width = high - low;
        let (first, last) = (self.rounded(low), self.rounded(high));
        let twister = cursors.at(self.place.seed, 0, self.place.words + range.start);
        let mut words = [0; CHUNK];
        for out in out.chunks_mut(CHUNK) {
            let words = &mut words[..out.len()];
            twister.fill(words);
            single::uniforms(words, low, width, out);
            self.round_all(out);
            for x in out.iter_mut() {
                *x = if *x == last { first } else { *x };
            }
        }
    }

    /// Normal values of a round.
    fn normals(&self, round: u64, range: Range<u64>, cursors: &mut Cursors, out: &mut [f32]) {
        let (Distribution::Normal { mean, std } | Distribution::TruncatedNormal { mean, std, .. }) = self.distribution
        else {
            unreachable!("uniforms have a way of their own")
        };
        if !self.is_in_blocks() {
            self.serial(round, range, Functions::Own, cursors, |at, z| out[at] = z.mul_add(std, mean) as f32);
            self.round_all(out);
            return;
        }
        let (mean, std) = (mean as f32, std as f32);
        let mut rest = &mut out[..];
        let (mut words, mut apart) = ([0; CHUNK], [0.0; CHUNK]);
        for (piece, block, numbers) in self.pieces(range) {
            let (skip, len) = ((piece.start - block) as usize, (piece.end - piece.start) as usize);
            let (part, after) = rest.split_at_mut(len);
            rest = after;
            let count = (skip + len).next_multiple_of(BLOCK as usize);
            let words = &mut words[..count];
            cursors.at(self.place.seed, round, self.round(round) + numbers).fill(words);
            if count == len {
                single::normals(words, mean, std, part);
            } else {
                single::normals(words, mean, std, &mut apart[..count]);
                part.copy_from_slice(&apart[skip..skip + len]);
            }
        }
        self.round_all(out);
    }

    fn round_all(&self, out: &mut [f32]) {
        if let Some(dtype) = self.kind.filter(|&dtype| dtype != Dtype::F32) {
            out.iter_mut().for_each(|x| *x = dtype.rounded(*x));
        }
    }

    fn rounded(&self, x: f32) -> f32 {
        self.kind.filter(|_| x.is_finite()).map_or(x, |dtype| dtype.rounded(x))
    }

    /// How many elements of a range are outside of a truncated normal's bounds after a round, given those that were before it: all at
    /// first. By the numbers of the elements.
    pub fn rejected(&self, round: u64, before: Option<&[u64]>, range: Range<u64>, cursors: &mut Cursors) -> Vec<u64> {
        let Distribution::TruncatedNormal { low, high, .. } = self.distribution else { return Vec::new() };
        let (low, high) = (self.rounded(low as f32), self.rounded(high as f32));
        let is_out = |x: f32| x < low || x > high;
        let mut left = Vec::new();
        let mut values = [0.0; CHUNK];
        match before {
            None => {
                let mut at = range.start;
                while at < range.end {
                    let end = (at + CHUNK as u64 - BLOCK).min(range.end);
                    let values = &mut values[..(end - at) as usize];
                    self.normals(round, at..end, cursors, values);
                    left.extend((at..end).zip(&*values).filter(|&(_, &x)| is_out(x)).map(|(at, _)| at));
                    at = end;
                }
            }
            Some(before) => {
                // Those of a block of 16 together.
                for some in before.chunk_by(|a, b| a / BLOCK == b / BLOCK) {
                    let range = some[0]..some[some.len() - 1] + 1;
                    let values = &mut values[..(range.end - range.start) as usize];
                    self.normals(round, range.clone(), cursors, values);
                    left.extend(some.iter().filter(|&&at| is_out(values[(at - range.start) as usize])));
                }
            }
        }
        left
    }
}

/// Values that are drawn in pairs, and f64.
impl Sequence {
    /// Normal values of mean 0 and deviation 1, of the pairs of a round, by their places in the range.
    fn serial(
        &self,
        round: u64,
        range: Range<u64>,
        functions: Functions,
        cursors: &mut Cursors,
        mut take: impl FnMut(usize, f64),
    ) {
        let mut pair_at = |round: u64, position: u64| {
            let mut words = [0; 4];
            cursors.at(self.place.seed, round, position).fill(&mut words);
            functions.pair(words)
        };
        let of_spare = u64::from(self.place.spare != Spare::None);
        let mut last = (u64::MAX, [0.0; 2]);
        for element in range.clone() {
            let number = round * self.elements + element;
            let z = match (number.checked_sub(of_spare), self.place.spare) {
                (None, Spare::Value(bits)) => f64::from_bits(bits),
                (None, Spare::Pair(at)) => pair_at(0, at)[1],
                (number, _) => {
                    let number = number.unwrap_or(0);
                    if last.0 != number / 2 {
                        last = (number / 2, pair_at(round, self.place.words + number / 2 * 4));
                    }
                    last.1[(number % 2) as usize]
                }
            };
            take((element - range.start) as usize, z);
        }
    }

    /// The values of a range in f64.
    pub fn doubles(&self, range: Range<u64>, cursors: &mut Cursors, out: &mut [f64]) {
        match self.distribution {
            Distribution::Uniform { low, high } => {
                let twister = cursors.at(self.place.seed, 0, self.place.words + 2 * range.start);
                for x in out {
                    let mut words = [0; 2];
                    twister.fill(&mut words);
                    *x = super::double::unit(words).mul_add(high - low, low);
                    if *x == high {
                        *x = low;
                    }
                }
            }
            Distribution::TruncatedNormal { low, high, .. } => {
                self.normal_doubles(0, range.clone(), cursors, out);
                for (element, x) in range.zip(out) {
                    let mut round = 0;
                    while round < MAX_ROUNDS && (*x < low || *x > high) {
                        round += 1;
                        self.normal_doubles(round, element..element + 1, cursors, std::slice::from_mut(x));
                    }
                }
            }
            _ => self.normal_doubles(0, range, cursors, out),
        }
    }

    fn normal_doubles(&self, round: u64, range: Range<u64>, cursors: &mut Cursors, out: &mut [f64]) {
        let (Distribution::Normal { mean, std } | Distribution::TruncatedNormal { mean, std, .. }) = self.distribution
        else {
            unreachable!("uniforms have a way of their own")
        };
        if !self.is_in_blocks() {
            self.serial(round, range, Functions::Library, cursors, |at, z| out[at] = z.mul_add(std, mean));
            return;
        }
        let mut rest = out;
        for (piece, block, numbers) in self.pieces(range) {
            let (mut skip, mut len) = ((piece.start - block) as usize, (piece.end - piece.start) as usize);
            let twister = cursors.at(self.place.seed, round, self.round(round) + 2 * numbers);
            while len > 0 {
                let mut words = [0; 32];
                twister.fill(&mut words);
                let count = len.min(BLOCK as usize - skip);
                let (part, after) = rest.split_at_mut(count);
                rest = after;
                for (x, z) in part.iter_mut().zip(&Functions::Library.block(&words)[skip..]) {
                    *x = z.mul_add(std, mean);
                }
                (skip, len) = (0, len - count);
            }
        }
    }

    /// As [`rejected`](Sequence::rejected), of all elements.
    pub fn rejected_doubles(&self, round: u64, before: Option<&[u64]>, cursors: &mut Cursors) -> Vec<u64> {
        let Distribution::TruncatedNormal { low, high, .. } = self.distribution else { return Vec::new() };
        let is_out = |x: f64| x < low || x > high;
        let mut left = Vec::new();
        let mut values = [0.0; CHUNK];
        match before {
            None => {
                let mut at = 0;
                while at < self.elements {
                    let end = (at + CHUNK as u64 - BLOCK).min(self.elements);
                    let values = &mut values[..(end - at) as usize];
                    self.normal_doubles(round, at..end, cursors, values);
                    left.extend((at..end).zip(&*values).filter(|&(_, &x)| is_out(x)).map(|(at, _)| at));
                    at = end;
                }
            }
            Some(before) => left.extend(before.iter().filter(|&&at| {
                self.normal_doubles(round, at..at + 1, cursors, &mut values[..1]);
                is_out(values[0])
            })),
        }
        left
    }
}

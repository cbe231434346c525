//! Chunks: fills that are drawn at once.

use fanin::{Fill, cpu};

use crate::failure::Failure;

/// Fills that are drawn at once, one after the other, and their bytes.
pub struct Chunk {
    pub fills: Vec<Fill>,
    pub bytes: u64,
}

impl Chunk {
    /// Draws the chunk by the CPU into a buffer of words, so that elements of all sizes are aligned.
    pub fn draw_on_cpu<'a>(&self, buffer: &'a mut Vec<u32>) -> Result<&'a [u8], Failure> {
        buffer.resize(self.bytes.div_ceil(4) as usize, 0);
        let mut rest = bytemuck::cast_slice_mut::<u32, u8>(buffer);
        for fill in &self.fills {
            let (bytes, after) = rest.split_at_mut(fill.byte_len() as usize);
            cpu::fill_bytes(fill, bytes).map_err(Failure::other)?;
            rest = after;
        }
        Ok(&bytemuck::cast_slice(buffer)[..self.bytes as usize])
    }
}

/// Fills, cut and gathered into chunks.
pub struct Chunks<I> {
    fills: I,
    rest: Option<Fill>,
    most: u64,
    /// True if no piece of a fill is shorter than is efficient, however long its chunk becomes.
    efficient: bool,
}

impl<I: Iterator<Item = Fill>> Chunks<I> {
    /// The fills of a submission, however small they are.
    const MAX_FILLS: usize = 1 << 14;

    /// Chunks of at most so many bytes.
    pub fn new(fills: I, most: u64) -> Chunks<I> {
        Chunks { fills, rest: None, most, efficient: false }
    }

    /// The same with no piece of a fill shorter than is efficient to draw at once, however long its chunk becomes.
    pub fn efficient(self) -> Chunks<I> {
        Chunks { efficient: true, ..self }
    }
}

impl<I: Iterator<Item = Fill>> Iterator for Chunks<I> {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        let mut chunk = Chunk { fills: Vec::new(), bytes: 0 };
        while chunk.fills.len() < Self::MAX_FILLS {
            let Some(fill) = self.rest.take().or_else(|| self.fills.next()) else { break };
            let size = fill.dtype().bytes(1);
            let mut room = if chunk.bytes.is_multiple_of(size) { (self.most - chunk.bytes) / size } else { 0 };
            if self.efficient && fill.efficient_len() > room {
                room = if chunk.bytes == 0 { fill.efficient_len() } else { 0 };
            }
            let (now, later) = fill.split_at(room);
            if !now.is_empty() {
                chunk.bytes += now.byte_len();
                chunk.fills.push(now);
            }
            if !later.is_empty() || chunk.bytes >= self.most {
                self.rest = (!later.is_empty()).then_some(later);
                break;
            }
        }
        (chunk.bytes > 0).then_some(chunk)
    }
}

// The stream's words themselves, for known answers: the twin of src/kernel/words.rs. The attempt is in `params.numbers.word`.

fn draw_block(count: u32) {
    store_block(count, block_words(block_at(count), params.numbers.word));
}

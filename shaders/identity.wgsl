// Diagonals: the twin of src/kernel/identity.rs.

// Rows of a matrix, and of all taps that are matrices, of which the one from this row on counts.
const ROWS: u32 = 3u;
const ALL_ROWS: u32 = 4u;
const FIRST: u32 = 5u;
// Outputs of a group; of matrices whose rows are inputs the highest bit is set.
const PER_GROUP: u32 = 6u;

fn value_of(count: u32) -> u32 {
    let place = place_of(count);
    let row = place.row % table[ALL_ROWS] - table[FIRST];
    let per_group = table[PER_GROUP] & 0x7fffffffu;
    let is_transposed = table[PER_GROUP] != per_group;
    let output = select(row, place.column, is_transposed);
    let input = select(place.column, row, is_transposed);
    // A row before the first one is a very large number.
    let is_one = place.is_inside && row < table[ROWS] && output % per_group == input;
    return select(0u, params.numbers.word, is_one);
}

fn draw_block(count: u32) {
    var bits = vec4(0u);
    for (var k = 0u; k < 4u; k++) {
        bits[k] = value_of(count + k);
    }
    store_block(count, bits);
}

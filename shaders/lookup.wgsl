// Values that lie in a table already: those of a sequence, or of an orthogonal matrix.

// By how much the place of a value grows with the row and with the column, where the first one is, and how many there are.
const PER_ROW: u32 = 3u;
const PER_COLUMN: u32 = 4u;
const FIRST: u32 = 5u;
const LENGTH: u32 = 6u;

fn value_of(count: u32) -> u32 {
    let place = place_of(count);
    let at = place.row * table[PER_ROW] + place.column * table[PER_COLUMN] - table[FIRST];
    var value = 0u;
    if (place.is_inside && at < table[LENGTH]) {
        value = table[VALUES + at];
    }
    return element(params.numbers.scale * bitcast<f32>(value));
}

fn draw_block(count: u32) {
    var bits = vec4(0u);
    for (var k = 0u; k < 4u; k++) {
        bits[k] = value_of(count + k);
    }
    store_block(count, bits);
}

// Normals with so many zeros for each input: the twin of src/kernel/sparse.rs.

const OUTPUTS: u32 = 3u;
const ZEROS: u32 = 4u;
// Whether rows are inputs.
const TRANSPOSED: u32 = 5u;
// Half of the bits that an output's number has.
const BITS: u32 = 6u;

fn mixed(word: u32) -> u32 {
    let x = (word ^ (word >> 16u)) * 0xd2511f53u;
    let y = (x ^ (x >> 15u)) * 0xcd9e8d57u;
    return y ^ (y >> 16u);
}

// Where an input's permutation sends an output.
fn permuted(output: u32, keys: vec4<u32>) -> u32 {
    let bits = table[BITS];
    var x = output;
    loop {
        var left = x >> bits;
        var right = x & ((1u << bits) - 1u);
        for (var round = 0u; round < 8u; round++) {
            let next = left ^ (mixed(right ^ (keys[round & 3u] + round)) >> (32u - bits));
            left = right;
            right = next;
        }
        x = (left << bits) | right;
        if (x < table[OUTPUTS]) {
            break;
        }
    }
    return x;
}

fn kept(count: u32, bits: u32) -> u32 {
    let place = place_of(count);
    let is_transposed = table[TRANSPOSED] != 0u;
    let output = select(place.row, place.column, is_transposed);
    let input = select(place.column, place.row, is_transposed);
    // Beyond the tensor there is no output, and no way back to one.
    if (output >= table[OUTPUTS]) {
        return bits;
    }
    let keys = philox4x32_10(vec4(input, 0u, 0x80000002u, params.nonce), params.key);
    return select(bits, 0u, permuted(output, keys) < table[ZEROS]);
}

fn draw_block(count: u32) {
    let d = normals(block_words(block_at(count), 0u));
    var bits = vec4(element(d.x), element(d.y), element(d.z), element(d.w));
    for (var k = 0u; k < 4u; k++) {
        bits[k] = kept(count + k, bits[k]);
    }
    store_block(count, bits);
}

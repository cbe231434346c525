// Products of reflections: the twin of src/cpu/orthogonal.rs, which says what they are. Invocations meet between dispatches alone: of
// each block of 32 reflections there are these, in the order in which they stand here, `sums` and `halves` twice.

struct Numbers {
    scale: f32,
}

struct Params {
    zero: u32,
    sign: u32,
    // The first reflection's number, and how many there are in this block.
    first: u32,
    count: u32,
    // Coordinates of a vector; the same, up to whole lanes; and up to whole blocks of the stream.
    len: u32,
    padded: u32,
    stride: u32,
    // The number of the vector in the first place, the first place that is worked on and the last.
    number: u32,
    from_place: u32,
    to_place: u32,
    // What `sums` multiplies: the place of its first value, and the steps from one vector and one coordinate to the next.
    row_at: u32,
    per_row: u32,
    per_coordinate: u32,
    padding: u32,
    @align(16) numbers: Numbers,
}

@group(0) @binding(0) var<uniform> given: Params;
// Normals, as they are drawn.
@group(0) @binding(1) var<storage, read_write> drawn: array<vec4<f32>>;
// Signs of 32 vectors, and what the reflections' first coordinates become.
@group(0) @binding(2) var<storage, read_write> ends: array<f32>;
// 32 reflections, coordinate by coordinate.
@group(0) @binding(3) var<storage, read_write> reflections: array<f32>;
@group(0) @binding(4) var<storage, read> across: array<vec4<f32>>;
// The vectors; behind a table's head.
@group(0) @binding(5) var<storage, read_write> vectors: array<f32>;
@group(0) @binding(6) var<storage, read> rows: array<f32>;
// Of each vector 32 lanes with 32 reflections; their sums; these through T.
@group(0) @binding(7) var<storage, read_write> lanes: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> products: array<f32>;
@group(0) @binding(9) var<storage, read_write> t: array<f32>;
@group(0) @binding(10) var<storage, read_write> through: array<vec4<f32>>;

var<private> params: Params;

const HEAD: u32 = 8u;

fn with_product(sum: vec4<f32>, a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    return hidden4(sum + hidden4(a * b));
}

// 1 / q, within two units in the last place.
fn reciprocal(q: f32) -> f32 {
    let root = inverse_sqrt(q);
    let guess = product(root, root);
    return hidden(guess + product(guess, hidden(1.0 - product(q, guess))));
}

// Four coordinates of reflection j's normals, from its first one on.
fn of_reflection(j: u32, l: u32) -> vec4<f32> {
    let x = drawn[(j * params.stride + l) >> 2u];
    let at = vec4(l, l + 1u, l + 2u, l + 3u);
    let counts = (at >= vec4(params.first + j)) & (at < vec4(params.len));
    return select(vec4(0.0), x, counts);
}

fn halves_of(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    return hidden4(a + b);
}

// Each reflection's first coordinate, and the sign that its vector begins with.
@compute @workgroup_size(32)
fn bend(@builtin(global_invocation_id) invocation: vec3<u32>) {
    params = given;
    let j = invocation.x;
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    var s2 = vec4(0.0);
    var s3 = vec4(0.0);
    var s4 = vec4(0.0);
    var s5 = vec4(0.0);
    var s6 = vec4(0.0);
    var s7 = vec4(0.0);
    for (var l = params.first; l < params.padded; l += 32u) {
        let x0 = of_reflection(j, l);
        let x1 = of_reflection(j, l + 4u);
        let x2 = of_reflection(j, l + 8u);
        let x3 = of_reflection(j, l + 12u);
        let x4 = of_reflection(j, l + 16u);
        let x5 = of_reflection(j, l + 20u);
        let x6 = of_reflection(j, l + 24u);
        let x7 = of_reflection(j, l + 28u);
        s0 = with_product(s0, x0, x0);
        s1 = with_product(s1, x1, x1);
        s2 = with_product(s2, x2, x2);
        s3 = with_product(s3, x3, x3);
        s4 = with_product(s4, x4, x4);
        s5 = with_product(s5, x5, x5);
        s6 = with_product(s6, x6, x6);
        s7 = with_product(s7, x7, x7);
    }
    let a = halves_of(halves_of(s0, s4), halves_of(s2, s6));
    let b = halves_of(halves_of(s1, s5), halves_of(s3, s7));
    let c = halves_of(a, b);
    let square = hidden(hidden(c.x + c.z) + hidden(c.y + c.w));
    let pivot = params.first + j;
    let x = drawn[(j * params.stride + pivot) >> 2u][pivot & 3u];
    let sign = select(-1.0, 1.0, x < 0.0);
    let norm = product(square, inverse_sqrt(square));
    ends[j] = sign;
    ends[32u + j] = hidden(x - select(-norm, norm, x < 0.0));
}

// Reflections beside one another, coordinate by coordinate.
@compute @workgroup_size(64)
fn turn(@builtin(global_invocation_id) invocation: vec3<u32>) {
    params = given;
    let j = invocation.x & 31u;
    let l = params.first + (invocation.x >> 5u);
    if (l >= params.padded) {
        return;
    }
    let x = of_reflection(j, l & 0xfffffffcu)[l & 3u];
    let bent = select(x, ends[32u + j], l == params.first + j);
    reflections[l * 32u + j] = select(0.0, bent, j < params.count);
}

// The vectors that begin in this block: a sign where the coordinate has the vector's number.
@compute @workgroup_size(32)
fn start(@builtin(global_invocation_id) invocation: vec3<u32>) {
    params = given;
    let number = params.first + invocation.x;
    let place = number - params.number;
    if (number < params.number || place >= params.to_place || invocation.x >= params.count) {
        return;
    }
    vectors[HEAD + place * params.padded + number] = ends[invocation.x];
}

// Of a vector's products with all reflections, the sum of every 32nd coordinate's: of two vectors, which share what is read of
// reflections.
@compute @workgroup_size(64)
fn sums(@builtin(global_invocation_id) invocation: vec3<u32>) {
    params = given;
    let lane = invocation.x & 31u;
    let place = params.from_place + 2u * (invocation.x >> 5u);
    if (place >= params.to_place) {
        return;
    }
    // Of an odd number the last one goes by itself, twice.
    let other = min(place + 1u, params.to_place - 1u);
    let row = params.row_at + place * params.per_row;
    let other_row = params.row_at + other * params.per_row;
    var a0 = vec4(0.0);
    var a1 = vec4(0.0);
    var a2 = vec4(0.0);
    var a3 = vec4(0.0);
    var a4 = vec4(0.0);
    var a5 = vec4(0.0);
    var a6 = vec4(0.0);
    var a7 = vec4(0.0);
    var b0 = vec4(0.0);
    var b1 = vec4(0.0);
    var b2 = vec4(0.0);
    var b3 = vec4(0.0);
    var b4 = vec4(0.0);
    var b5 = vec4(0.0);
    var b6 = vec4(0.0);
    var b7 = vec4(0.0);
    for (var l = params.first + lane; l < params.padded; l += 32u) {
        let x = vec4(rows[row + l * params.per_coordinate]);
        let y = vec4(rows[other_row + l * params.per_coordinate]);
        let v0 = across[l * 8u];
        let v1 = across[l * 8u + 1u];
        let v2 = across[l * 8u + 2u];
        let v3 = across[l * 8u + 3u];
        let v4 = across[l * 8u + 4u];
        let v5 = across[l * 8u + 5u];
        let v6 = across[l * 8u + 6u];
        let v7 = across[l * 8u + 7u];
        a0 = with_product(a0, x, v0);
        a1 = with_product(a1, x, v1);
        a2 = with_product(a2, x, v2);
        a3 = with_product(a3, x, v3);
        a4 = with_product(a4, x, v4);
        a5 = with_product(a5, x, v5);
        a6 = with_product(a6, x, v6);
        a7 = with_product(a7, x, v7);
        b0 = with_product(b0, y, v0);
        b1 = with_product(b1, y, v1);
        b2 = with_product(b2, y, v2);
        b3 = with_product(b3, y, v3);
        b4 = with_product(b4, y, v4);
        b5 = with_product(b5, y, v5);
        b6 = with_product(b6, y, v6);
        b7 = with_product(b7, y, v7);
    }
    let at = (place * 32u + lane) * 8u;
    lanes[at] = a0;
    lanes[at + 1u] = a1;
    lanes[at + 2u] = a2;
    lanes[at + 3u] = a3;
    lanes[at + 4u] = a4;
    lanes[at + 5u] = a5;
    lanes[at + 6u] = a6;
    lanes[at + 7u] = a7;
    let other_at = (other * 32u + lane) * 8u;
    lanes[other_at] = b0;
    lanes[other_at + 1u] = b1;
    lanes[other_at + 2u] = b2;
    lanes[other_at + 3u] = b3;
    lanes[other_at + 4u] = b4;
    lanes[other_at + 5u] = b5;
    lanes[other_at + 6u] = b6;
    lanes[other_at + 7u] = b7;
}

fn lane_of(place: u32, lane: u32, j: u32) -> f32 {
    return lanes[(place * 32u + lane) * 8u + (j >> 2u)][j & 3u];
}

fn of_16(place: u32, lane: u32, j: u32) -> f32 {
    return hidden(lane_of(place, lane, j) + lane_of(place, lane + 16u, j));
}

fn of_8(place: u32, lane: u32, j: u32) -> f32 {
    return hidden(of_16(place, lane, j) + of_16(place, lane + 8u, j));
}

fn of_4(place: u32, lane: u32, j: u32) -> f32 {
    return hidden(of_8(place, lane, j) + of_8(place, lane + 4u, j));
}

fn of_2(place: u32, lane: u32, j: u32) -> f32 {
    return hidden(of_4(place, lane, j) + of_4(place, lane + 2u, j));
}

// The sum of all lanes, by halves.
@compute @workgroup_size(64)
fn halves(@builtin(global_invocation_id) invocation: vec3<u32>) {
    params = given;
    let j = invocation.x & 31u;
    let place = params.from_place + (invocation.x >> 5u);
    if (place >= params.to_place) {
        return;
    }
    products[place * 32u + j] = hidden(of_2(place, 0u, j) + of_2(place, 1u, j));
}

// T of the reflections' products with one another, a column in each invocation.
@compute @workgroup_size(32)
fn triangle(@builtin(global_invocation_id) invocation: vec3<u32>) {
    params = given;
    let j = invocation.x;
    for (var below = 0u; below < 32u; below++) {
        let i = 31u - below;
        var value = 0.0;
        if (i <= j && j < params.count) {
            let inverse = reciprocal(0.5 * products[i * 32u + i]);
            var sum = 0.0;
            for (var k = i + 1u; k <= j; k++) {
                sum = hidden(sum + product(products[i * 32u + k], t[j * 32u + k]));
            }
            value = select(-product(sum, inverse), inverse, i == j);
        }
        t[j * 32u + i] = value;
    }
}

// T times a vector's products.
@compute @workgroup_size(64)
fn transform(@builtin(global_invocation_id) invocation: vec3<u32>) {
    params = given;
    let i = invocation.x & 31u;
    let place = params.from_place + (invocation.x >> 5u);
    if (place >= params.to_place) {
        return;
    }
    var sum = 0.0;
    for (var j = 0u; j < 32u; j++) {
        sum = hidden(sum + product(t[j * 32u + i], products[place * 32u + j]));
    }
    through[place * 8u + (i >> 2u)][i & 3u] = sum;
}

fn taken(place: u32, l: u32, sum: vec4<f32>) {
    if (place < params.to_place) {
        let all = hidden(hidden(sum.x + sum.z) + hidden(sum.y + sum.w));
        let at = HEAD + place * params.padded + l;
        vectors[at] = hidden(vectors[at] - all);
    }
}

// Takes from each coordinate of each vector what the reflections have of it: of four vectors, which share what is read of reflections.
@compute @workgroup_size(64)
fn subtract(@builtin(global_invocation_id) invocation: vec3<u32>) {
    params = given;
    let l = params.first + invocation.x;
    let place = params.from_place + 4u * invocation.y;
    if (l >= params.padded) {
        return;
    }
    let last = params.to_place - 1u;
    let b = min(place + 1u, last);
    let c = min(place + 2u, last);
    let d = min(place + 3u, last);
    var of_a = vec4(0.0);
    var of_b = vec4(0.0);
    var of_c = vec4(0.0);
    var of_d = vec4(0.0);
    for (var k = 0u; k < 8u; k++) {
        let v = across[l * 8u + k];
        of_a = with_product(of_a, through[place * 8u + k], v);
        of_b = with_product(of_b, through[b * 8u + k], v);
        of_c = with_product(of_c, through[c * 8u + k], v);
        of_d = with_product(of_d, through[d * 8u + k], v);
    }
    taken(place, l, of_a);
    taken(place + 1u, l, of_b);
    taken(place + 2u, l, of_c);
    taken(place + 3u, l, of_d);
}

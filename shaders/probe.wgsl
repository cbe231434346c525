// A probe's layer there and back. No bits are promised here: unlike the kernels that draw, this takes roots, exponentials and sums
// as the device makes them. Matrices are row-major, [unit, batch], so that the batch of a unit lies together.

override transposed: bool = false;

struct Params { width: u32, batch: u32, scale: f32, slope: f32, low: f32, high: f32, activation: u32, unused: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> last: array<f32>;
@group(0) @binding(3) var<storage, read_write> next: array<f32>;
@group(0) @binding(4) var<storage, read_write> pre: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> measured: array<f32>;
@group(0) @binding(7) var<storage, read_write> counts: array<atomic<u32>, BINS>;

// next = weight (or its transpose) times scale last: 64 by 64 elements a workgroup, 8 by 8 an invocation, 16 steps at once.
const TILE = 64u;
const STEPS = 16u;
const SIDE = 8u;
var<workgroup> left: array<vec4<f32>, 256>;
var<workgroup> right: array<vec4<f32>, 256>;

@compute @workgroup_size(SIDE, SIDE)
fn multiply(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) at: vec3<u32>,
            @builtin(local_invocation_index) index: u32) {
    let first_row = group.y * TILE;
    let first_column = group.x * TILE;
    var near: array<vec4<f32>, 8>;
    var far: array<vec4<f32>, 8>;
    for (var step = 0u; step < params.width; step += STEPS) {
        for (var i = index; i < TILE * STEPS / 4u; i += SIDE * SIDE) {
            // Four rows, or columns, of a step.
            let k = step + i / 16u;
            let m = first_row + i % 16u * 4u;
            let n = first_column + i % 16u * 4u;
            left[i] = vec4(weight_at(m, k), weight_at(m + 1u, k), weight_at(m + 2u, k), weight_at(m + 3u, k));
            right[i] = params.scale * vec4(last_at(k, n), last_at(k, n + 1u), last_at(k, n + 2u), last_at(k, n + 3u));
        }
        workgroupBarrier();
        for (var k = 0u; k < STEPS; k++) {
            let l = k * 16u + at.y * 2u;
            let r = k * 16u + at.x * 2u;
            let rows = array(left[l], left[l + 1u]);
            let columns = array(right[r], right[r + 1u]);
            near[0] += rows[0].x * columns[0];
            near[1] += rows[0].y * columns[0];
            near[2] += rows[0].z * columns[0];
            near[3] += rows[0].w * columns[0];
            near[4] += rows[1].x * columns[0];
            near[5] += rows[1].y * columns[0];
            near[6] += rows[1].z * columns[0];
            near[7] += rows[1].w * columns[0];
            far[0] += rows[0].x * columns[1];
            far[1] += rows[0].y * columns[1];
            far[2] += rows[0].z * columns[1];
            far[3] += rows[0].w * columns[1];
            far[4] += rows[1].x * columns[1];
            far[5] += rows[1].y * columns[1];
            far[6] += rows[1].z * columns[1];
            far[7] += rows[1].w * columns[1];
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < SIDE; i++) {
        let m = first_row + at.y * SIDE + i;
        for (var j = 0u; j < SIDE; j++) {
            let n = first_column + at.x * SIDE + j;
            if (m < params.width && n < params.batch) {
                next[m * params.batch + n] = select(near[i][j % 4u], far[i][j % 4u], j >= 4u);
            }
        }
    }
}

fn weight_at(m: u32, k: u32) -> f32 {
    let is_within = m < params.width && k < params.width;
    return select(0.0, weight[select(0u, select(m * params.width + k, k * params.width + m, transposed), is_within)], is_within);
}

fn last_at(k: u32, n: u32) -> f32 {
    let is_within = k < params.width && n < params.batch;
    return select(0.0, last[select(0u, k * params.batch + n, is_within)], is_within);
}

// A workgroup measures a unit.
const LANES = 64u;
var<workgroup> lanes: array<vec2<f32>, LANES>;

fn sum_of(value: vec2<f32>, lane: u32) -> vec2<f32> {
    lanes[lane] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            lanes[lane] += lanes[lane + half];
        }
    }
    workgroupBarrier();
    let sum = lanes[0];
    workgroupBarrier();
    return sum;
}

fn largest_of(value: vec2<f32>, lane: u32) -> vec2<f32> {
    lanes[lane] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            lanes[lane] = max(lanes[lane], lanes[lane + half]);
        }
    }
    workgroupBarrier();
    let largest = lanes[0];
    workgroupBarrier();
    return largest;
}

// Compilers may take for granted that a float is finite; its bits say.
fn is_lost(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u;
}

// What values are divided by before they are squared: their largest, if that is a normal number.
fn unit_of(largest: vec2<f32>) -> vec2<f32> {
    return select(vec2(1.0), largest, (largest > vec2(1e-37)) & (largest < vec2(3e38)));
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * params.batch;
    let shift = bias[group.x];
    let none = -3.4e38;
    var largest = vec2(0.0);
    var bounds = vec2(none);
    var marks = vec2(0.0);
    var lost = vec2(0.0);
    for (var i = lane; i < params.batch; i += LANES) {
        let z = next[start + i] + shift;
        let h = value_of(z);
        pre[start + i] = z;
        next[start + i] = h;
        largest = max(largest, abs(vec2(z, h)));
        bounds = max(bounds, vec2(-h, h));
        marks += vec2(select(0.0, 1.0, abs(slope_of(z)) < least_slope()), select(0.0, 1.0, h == 0.0));
        lost.x += select(0.0, 1.0, is_lost(z) || is_lost(h));
    }
    let unit = unit_of(largest_of(largest, lane));
    bounds = largest_of(bounds, lane);
    marks = sum_of(marks, lane);
    lost = sum_of(lost, lane);
    var sum = vec2(0.0);
    for (var i = lane; i < params.batch; i += LANES) {
        sum += vec2(pre[start + i], next[start + i]) / unit;
    }
    let mean = sum_of(sum, lane) / f32(params.batch);
    sum = vec2(0.0);
    for (var i = lane; i < params.batch; i += LANES) {
        let off = vec2(pre[start + i], next[start + i]) / unit - mean;
        sum += off * off;
    }
    let deviation = sqrt(sum_of(sum, lane) / f32(params.batch));
    if (lane == 0u) {
        let to = group.x * 9u;
        measured[to] = mean.x * unit.x;
        measured[to + 1u] = deviation.x * unit.x;
        measured[to + 2u] = mean.y * unit.y;
        measured[to + 3u] = deviation.y * unit.y;
        measured[to + 4u] = -bounds.x;
        measured[to + 5u] = bounds.y;
        measured[to + 6u] = marks.x;
        measured[to + 7u] = marks.y;
        measured[to + 8u] = lost.x;
    }
}

@compute @workgroup_size(LANES)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * params.batch;
    var largest = vec2(0.0);
    var lost = vec2(0.0);
    for (var i = lane; i < params.batch; i += LANES) {
        let gradient = next[start + i] * slope_of(pre[start + i]);
        next[start + i] = gradient;
        largest.x = max(largest.x, abs(gradient));
        lost.x += select(0.0, 1.0, is_lost(gradient));
    }
    let unit = unit_of(largest_of(largest, lane));
    lost = sum_of(lost, lane);
    var sum = vec2(0.0);
    for (var i = lane; i < params.batch; i += LANES) {
        sum.x += next[start + i] / unit.x;
    }
    let mean = sum_of(sum, lane) / f32(params.batch);
    sum = vec2(0.0);
    for (var i = lane; i < params.batch; i += LANES) {
        let off = next[start + i] / unit.x - mean.x;
        sum.x += off * off;
    }
    let deviation = sqrt(sum_of(sum, lane) / f32(params.batch));
    if (lane == 0u) {
        measured[group.x * 3u] = mean.x * unit.x;
        measured[group.x * 3u + 1u] = deviation.x * unit.x;
        measured[group.x * 3u + 2u] = lost.x;
    }
}

var<workgroup> bins: array<atomic<u32>, BINS>;

@compute @workgroup_size(LANES)
fn count(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    if (lane < BINS) {
        atomicStore(&bins[lane], 0u);
    }
    workgroupBarrier();
    let start = group.x * params.batch;
    for (var i = lane; i < params.batch; i += LANES) {
        // Where all are the same, they are in the middle.
        var at = 0.5;
        if (params.high > params.low) {
            at = (next[start + i] / 2.0 - params.low / 2.0) / (params.high / 2.0 - params.low / 2.0);
        }
        atomicAdd(&bins[min(u32(at * f32(BINS)), BINS - 1u)], 1u);
    }
    workgroupBarrier();
    if (lane < BINS) {
        atomicAdd(&counts[lane], atomicLoad(&bins[lane]));
    }
}

// The activations, by the numbers that the host gives them.
const LINEAR = 0u;
const SIGMOID = 1u;
const TANH = 2u;
const RELU = 3u;
const LEAKY_RELU = 4u;
const ELU = 5u;
const SELU = 6u;
const GELU = 7u;
const SILU = 8u;
const SOFTSIGN = 9u;
const SELU_SCALE = 1.050701;
const SELU_ALPHA = 1.6732632;

fn sigmoid(z: f32) -> f32 {
    let e = exp(-abs(z));
    return select(1.0, e, z < 0.0) / (1.0 + e);
}

// e^z - 1 below zero; near it by its series, as a difference from 1 has no digits there.
fn expm1(z: f32) -> f32 {
    let near = z * (1.0 + z / 2.0 * (1.0 + z / 3.0 * (1.0 + z / 4.0 * (1.0 + z / 5.0 * (1.0 + z / 6.0 * (1.0 + z / 7.0
        * (1.0 + z / 8.0)))))));
    return select(exp(z) - 1.0, near, z > -0.5);
}

// The normal distribution function: Abramowitz and Stegun, 7.1.26.
fn normal(z: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.2316419 * abs(z));
    let sum = 0.2548296 + t * (-0.28449674 + t * (1.4214137 + t * (-1.453152 + t * 1.0614054)));
    let tail = 0.5 * t * sum * bell(z);
    return select(1.0 - tail, tail, z < 0.0);
}

fn bell(z: f32) -> f32 {
    let size = min(abs(z), 20.0);
    return exp(-0.5 * size * size);
}

fn value_of(z: f32) -> f32 {
    switch params.activation {
        case SIGMOID: { return sigmoid(z); }
        case TANH: {
            let e = expm1(-2.0 * abs(z));
            return -sign(z) * e / (2.0 + e);
        }
        case RELU: { return max(z, 0.0); }
        case LEAKY_RELU: { return z * select(1.0, params.slope, z < 0.0); }
        case ELU: { return select(z, expm1(min(z, 0.0)), z < 0.0); }
        case SELU: { return SELU_SCALE * select(z, SELU_ALPHA * expm1(min(z, 0.0)), z < 0.0); }
        case GELU: { return z * normal(z); }
        case SILU: { return z * sigmoid(z); }
        case SOFTSIGN: { return z / (1.0 + abs(z)); }
        default: { return z; }
    }
}

fn slope_of(z: f32) -> f32 {
    switch params.activation {
        case SIGMOID: { return sigmoid(z) * sigmoid(-z); }
        case TANH: {
            let e = exp(-2.0 * abs(z));
            return 4.0 * e / ((1.0 + e) * (1.0 + e));
        }
        case RELU: { return select(0.0, 1.0, z > 0.0); }
        case LEAKY_RELU: { return select(1.0, params.slope, z < 0.0); }
        case ELU: { return exp(min(z, 0.0)); }
        case SELU: { return SELU_SCALE * select(1.0, SELU_ALPHA * exp(min(z, 0.0)), z < 0.0); }
        case GELU: { return normal(z) + z * bell(z) * 0.3989423; }
        case SILU: {
            let s = sigmoid(z);
            return s + z * s * sigmoid(-z);
        }
        case SOFTSIGN: {
            let s = 1.0 / (1.0 + abs(z));
            return s * s;
        }
        default: { return 1.0; }
    }
}

// 1 % of the largest slope.
fn least_slope() -> f32 {
    switch params.activation {
        case SIGMOID: { return 0.0025; }
        case LEAKY_RELU: { return 0.01 * max(1.0, abs(params.slope)); }
        case SELU: { return 0.01 * SELU_SCALE * SELU_ALPHA; }
        case GELU: { return 0.01128904; }
        case SILU: { return 0.010998393; }
        default: { return 0.01; }
    }
}

// A matrix of width columns and batch rows, times a vector, in `last`, and its transpose times one, for its singular values; a
// workgroup sums a row, an invocation a column.
@compute @workgroup_size(LANES)
fn forth(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
         @builtin(local_invocation_index) lane: u32) {
    for (var row = group.x; row < params.batch; row += groups.x) {
        let start = row * params.width;
        var sum = vec2(0.0);
        for (var i = lane; i < params.width; i += LANES) {
            let value = weight[start + i];
            sum += vec2(value * last[i], value * value);
        }
        sum = sum_of(sum, lane);
        if (lane == 0u) {
            measured[2u * row] = sum.x;
            measured[2u * row + 1u] = sum.y;
        }
    }
}

@compute @workgroup_size(LANES)
fn back(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.width) {
        return;
    }
    var sum = 0.0;
    for (var row = 0u; row < params.batch; row++) {
        sum += weight[row * params.width + id.x] * last[row];
    }
    measured[id.x] = sum;
}

// Rounding kept by the language, where each operation is marked so that no compiler may combine it: see src/gpu/spirv.rs.

fn hidden(x: f32) -> f32 {
    return x;
}

fn hidden4(x: vec4<f32>) -> vec4<f32> {
    return x;
}

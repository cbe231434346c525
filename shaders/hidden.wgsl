// Rounding kept by guards, whatever a compiler may do: an OR with a zero that arrives at run time, which none can look through.

fn hidden(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) | params.zero);
}

fn hidden4(x: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) | vec4(params.zero));
}

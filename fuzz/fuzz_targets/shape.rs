//! Shapes of any dimensions: their fans, their elements, and slices of them.
#![no_main]

use fanin::rules::Recipe;
use fanin::scheme::he_normal;
use fanin::{Distribution, Dtype, Fans, Fill, Layout, cpu, elements};
use fanin_fuzz::message;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Request {
    in_out: bool,
    transposed: bool,
    groups: u16,
    zero_row: Option<u16>,
    parts: Vec<(u8, u16, u16)>,
    slices: Vec<(u8, u16, u16)>,
    split: u16,
    /// A dimension is a small number, shifted.
    shape: Vec<(u16, u8)>,
}

fuzz_target!(|request: Request| {
    let shape: Vec<u64> = request.shape.iter().map(|&(small, shift)| u64::from(small) << (shift % 48)).collect();
    let layout = if request.in_out { Layout::IN_OUT } else { Layout::OUT_IN };
    let layout = if request.transposed { layout.transposed() } else { layout }.with_groups(request.groups.into());
    match Fans::from_shape(&shape, layout) {
        Ok(fans) => {
            assert!(fans.fan_in() > 0 && fans.fan_out() > 0);
            he_normal().distribution_of_fans(fans).expect("fans that are numbers").check().expect("a distribution");
        }
        Err(error) => message(&error, 32 * shape.len()),
    }
    let mut draw = Recipe::new(Distribution::Normal { mean: 0.0, std: 1.0 }, shape.as_slice(), "");
    if let Some(row) = request.zero_row {
        draw = draw.with_part(0, row.into()..u64::from(row) + 1, Distribution::Constant { value: 0.0 });
    }
    for &(dim, start, end) in &request.parts {
        draw = draw.with_part(dim.into(), start.into()..end.into(), Distribution::Constant { value: 1.0 });
    }
    let fill = match draw.fill(0, Dtype::F32) {
        Ok(fill) => fill,
        Err(error) => return message(&error, 32 * shape.len()),
    };
    assert_eq!((fill.len(), fill.shape()), (elements(&shape).expect("a shape that can be counted"), shape.clone()));
    let mut sliced = fill.clone();
    for &(dim, start, end) in &request.slices {
        match sliced.slice(dim.into(), start.into()..end.into()) {
            Ok(slice) => sliced = slice,
            Err(error) => message(&error, 32 * shape.len()),
        }
    }
    assert_eq!(sliced.shape().iter().product::<u64>(), sliced.len());
    let (front, back) = sliced.split_at(request.split.into());
    assert_eq!(front.len() + back.len(), sliced.len());
    if sliced.len() > 4096 {
        return;
    }
    let drawn = |fill: &Fill| cpu::vec::<f32>(fill).expect("little memory").into_iter().map(f32::to_bits);
    let values: Vec<u32> = drawn(&sliced).collect();
    assert!(drawn(&front).chain(drawn(&back)).eq(values.iter().copied()));
    if fill.len() <= 1 << 16 {
        let whole: Vec<u32> = drawn(&fill).collect();
        let mut numbers: Vec<usize> = (0..whole.len()).collect();
        let mut dims = shape;
        // The slices again, of a list of all elements.
        for &(dim, start, end) in &request.slices {
            let (dim, range) = (usize::from(dim), u64::from(start)..u64::from(end));
            if dim < dims.len() && range.start <= range.end && range.end <= dims[dim] {
                let inner: u64 = dims[dim + 1..].iter().product();
                let keeps = |i: usize| range.contains(&(i as u64 / inner.max(1) % dims[dim].max(1)));
                numbers = (0..numbers.len()).filter(|&i| keeps(i)).map(|i| numbers[i]).collect();
                dims[dim] = range.end - range.start;
            }
        }
        assert!(numbers.into_iter().map(|i| whole[i]).eq(values));
    }
});

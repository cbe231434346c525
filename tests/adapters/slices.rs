//! Slices along dimensions, rows of zeros, and what is cut out of both: alone what they are of the whole.

use std::ops::Range;

use fanin::{Distribution, Dtype, Element, ErrorKind, Fill, JaxKey, Stream, cpu};
use fanin_tests::{adapters, assert_same_bits, distributions, draw};
use rand::{Rng, RngExt};

/// A fill of any kind, and what it should be: of whole tensors, that are drawn in one piece, its elements.
fn any_fill<T: Element>(rng: &mut impl Rng, distribution: &Distribution, stream: Stream) -> (Fill, Vec<T>) {
    let shape: Vec<u64> = (0..rng.random_range(0..4)).map(|_| rng.random_range(1..60)).collect();
    let mut fill = distribution.fill(&shape, stream, T::DTYPE).unwrap();
    let elements = fill.len();
    let whole =
        |distribution: &Distribution| draw::<T>(&distribution.fill_range(0..elements, stream, T::DTYPE).unwrap());
    let mut values: Vec<(usize, T)> = whole(distribution).into_iter().enumerate().collect();
    for _ in 0..rng.random_range(0..5) {
        let shape = fill.shape();
        if shape.is_empty() {
            break;
        }
        let dim = rng.random_range(0..shape.len());
        let range = any_range(rng, shape[dim]);
        let inner: u64 = shape[dim + 1..].iter().product();
        let is_in = |i: usize| range.contains(&(i as u64 / inner.max(1) % shape[dim].max(1)));
        match rng.random_range(0..6) {
            0 if shape[0] > 0 => {
                let row = rng.random_range(0..shape[0]);
                let per_row = values.len() / shape[0] as usize;
                values[row as usize * per_row..][..per_row].iter_mut().for_each(|(_, value)| *value = T::zeroed());
                fill = fill.with_part(0, row..row + 1, Distribution::Constant { value: 0.0 }).unwrap();
            }
            kind @ (1 | 2) => {
                let high = 4.0 + rng.random_range(0.0..1.0);
                let other = match kind {
                    1 => Distribution::Constant { value: high },
                    _ => Distribution::Uniform { low: 3.0, high },
                };
                // Not amid a pair of normals.
                fill = match fill.clone().with_part(dim, range.clone(), other) {
                    Ok(fill) => fill,
                    Err(error) => {
                        assert!(kind == 2 && error.to_string().contains("begin and end at even elements"), "{error}");
                        continue;
                    }
                };
                let drawn = whole(&other);
                for (i, (number, value)) in values.iter_mut().enumerate() {
                    if is_in(i) {
                        *value = drawn[*number];
                    }
                }
            }
            _ => {
                values = (0..values.len()).filter(|&i| is_in(i)).map(|i| values[i]).collect();
                fill = fill.slice(dim, range).unwrap();
            }
        }
    }
    let mut values: Vec<T> = values.into_iter().map(|(_, value)| value).collect();
    if rng.random() {
        let range = any_range(rng, fill.len());
        fill = fill.split_at(range.end).0.split_at(range.start).1;
        values = values[range.start as usize..range.end as usize].to_vec();
    }
    assert_eq!(fill.len(), values.len() as u64);
    assert_eq!(fill.byte_len(), size_of_val(values.as_slice()) as u64);
    (fill, values)
}

fn any_range(rng: &mut impl Rng, len: u64) -> Range<u64> {
    let start = rng.random_range(0..=len);
    start..rng.random_range(start..=len)
}

fn streams() -> [Stream; 3] {
    [Stream::named(42, "slices"), Stream::tensorflow([1, 2]), Stream::jax(JaxKey::new(3))]
}

#[test]
fn the_cpu_draws_any_slice_as_it_is_in_the_whole() {
    fn of<T: Element>(rng: &mut impl Rng) {
        for stream in streams() {
            for distribution in distributions() {
                let valid = distribution.fill_range(0..1, stream, T::DTYPE).is_ok();
                for _ in 0..if valid { 12 } else { 0 } {
                    let (fill, expected) = any_fill::<T>(rng, &distribution, stream);
                    assert_same_bits(&draw::<T>(&fill), &expected, &format!("{fill:?}"));
                    assert_same_bits(&cpu::vec::<T>(&fill).unwrap(), &expected, &format!("{fill:?}"));
                    // Bytes may lie anywhere.
                    let mut bytes = vec![0; fill.byte_len() as usize + 1];
                    cpu::fill_bytes(&fill, &mut bytes[1..]).unwrap();
                    assert_eq!(&bytes[1..], bytemuck::cast_slice::<T, u8>(&expected));
                }
            }
        }
    }
    let mut rng = Stream::numbered(17, 0).rng();
    of::<f32>(&mut rng);
    of::<half::f16>(&mut rng);
    of::<half::bf16>(&mut rng);
}

#[test]
fn every_adapter_draws_any_slice_as_it_is_in_the_whole() {
    fn of<T: Element>(rng: &mut impl Rng, gpu: &fanin_tests::Gpu) {
        for distribution in distributions() {
            for _ in 0..3 {
                let (fill, expected) = any_fill::<T>(rng, &distribution, streams()[0]);
                // Of an empty one there is nothing to see.
                if !fill.is_empty() {
                    assert_same_bits(&gpu.draw::<T>(&fill), &expected, &format!("{}: {fill:?}", gpu.name));
                }
            }
        }
    }
    for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
        let mut rng = Stream::numbered(18, 0).rng();
        of::<f32>(&mut rng, gpu);
        of::<half::f16>(&mut rng, gpu);
        of::<half::bf16>(&mut rng, gpu);
    }
}

/// More spans than are submitted at once, of one tensor whose elements follow one another.
#[test]
fn packed_columns_are_one_fill() {
    let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
    let ones = Distribution::Constant { value: 1.0 };
    let whole = normal.fill(&[70_000, 3], streams()[0], Dtype::F32).unwrap();
    let mut expected: Vec<f32> = cpu::vec(&whole).unwrap();
    expected.chunks_mut(3).for_each(|row| row[1] = 1.0);
    let fill = whole.with_part(1, 1..2, ones).unwrap();
    assert_same_bits(&cpu::vec::<f32>(&fill).unwrap(), &expected, &"on the CPU");
    for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
        let buffer = gpu.buffer(&vec![0; fill.byte_len() as usize]);
        let targets = [fanin::gpu::Target::new(&fill, &buffer, 0)];
        gpu.filler.submit_all(&targets).unwrap();
        let drawn: Vec<f32> = bytemuck::pod_collect_to_vec(&gpu.read(&buffer));
        assert_same_bits(&drawn, &expected, &gpu.name);
    }
}

/// A column split of a tall matrix, and one of more runs than may be recorded at once.
#[test]
fn a_split_by_columns_is_one_fill() {
    let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
    let whole = normal.fill(&[16_384, 64], streams()[0], Dtype::F32).unwrap();
    let columns = whole.slice(1, 16..32).unwrap();
    let all: Vec<f32> = cpu::vec(&whole).unwrap();
    let expected: Vec<f32> = all.chunks(64).flat_map(|row| &row[16..32]).copied().collect();
    assert_same_bits(&cpu::vec::<f32>(&columns).unwrap(), &expected, &"on the CPU");
    let tall = normal.fill(&[(1 << 20) + 1, 3], streams()[0], Dtype::F32).unwrap().slice(1, 1..2).unwrap();
    for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
        assert_same_bits(&gpu.draw::<f32>(&columns), &expected, &gpu.name);
        let buffer = gpu.buffer(&vec![0; tall.byte_len() as usize]);
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let error = gpu.filler.record(&mut encoder, &tall, &buffer, 0).unwrap_err();
        assert!(error.to_string().contains("submit_all"), "{error}");
    }
    // Once is enough: on a CPU a million dispatched rows take a while.
    if let Some(gpu) = adapters().first() {
        let buffer = gpu.buffer(&vec![0; tall.byte_len() as usize]);
        let targets = [fanin::gpu::Target::new(&tall, &buffer, 0)];
        gpu.filler.submit_all(&targets).unwrap();
        let drawn: Vec<f32> = bytemuck::pod_collect_to_vec(&gpu.read(&buffer)[..tall.byte_len() as usize]);
        assert_same_bits(&drawn, &cpu::vec::<f32>(&tall).unwrap(), &gpu.name);
    }
}

#[test]
fn elements_that_a_slice_lacks_are_an_error() {
    let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
    let whole = normal.fill(&[10, 8], streams()[0], Dtype::F32).unwrap();
    let columns = whole.slice(1, 2..4).unwrap();
    assert_eq!((columns.shape(), columns.range()), (vec![10, 2], 2..76));
    assert_eq!(columns.elements(10..12).unwrap().range(), 10..12);
    for range in [10..13, 0..2, 3..11, 75..77] {
        assert_eq!(columns.elements(range).unwrap_err().kind(), ErrorKind::Range);
    }
    assert_eq!(
        cpu::vec::<f32>(&columns.with_part(0, 0..1, Distribution::Constant { value: 0.0 }).unwrap()).unwrap()[..2],
        [0.0; 2]
    );
    assert_eq!(
        whole.clone().with_part(0, 10..11, Distribution::Constant { value: 0.0 }).unwrap_err().kind(),
        ErrorKind::Range
    );
    let scalar = normal.fill(&[], streams()[0], Dtype::F32).unwrap();
    assert_eq!((scalar.len(), scalar.shape()), (1, vec![]));
    assert_eq!(
        scalar.clone().with_part(0, 0..1, Distribution::Constant { value: 0.0 }).unwrap_err().kind(),
        ErrorKind::Shape
    );
    // No cut takes itself for the tensor.
    assert_eq!(scalar.elements(0..1).unwrap(), scalar);
    assert_eq!(whole.elements(0..80).unwrap(), whole);
    assert_eq!(
        whole.elements(0..79).unwrap().with_part(0, 1..2, Distribution::Constant { value: 0.0 }).unwrap_err().kind(),
        ErrorKind::Shape
    );
    assert_eq!(whole.elements(8..16).unwrap().slice(0, 0..1).unwrap_err().kind(), ErrorKind::Shape);
    for (dim, range) in [(2, 0..1), (0, 0..11), (1, Range { start: 9, end: 8 })] {
        assert!(whole.clone().with_part(dim, range, normal).is_err());
    }
    let huge = Distribution::Uniform { low: 0.0, high: f64::MAX };
    assert!(whole.clone().with_part(0, 0..1, huge).is_err());
    let mut many = whole.clone();
    for row in 0..64 {
        many = many.with_part(0, row % 10..row % 10 + 1, Distribution::Constant { value: 0.0 }).unwrap();
    }
    assert!(
        many.with_part(0, 0..1, Distribution::Constant { value: 0.0 })
            .unwrap_err()
            .to_string()
            .contains("65, allowed: at most 64")
    );
    assert_eq!((whole.elements(9..9).unwrap().range(), whole.split_at(80).1.range()), (9..9, 80..80));
    let flat = normal.fill_range(5..9, streams()[0], Dtype::F32).unwrap();
    assert_eq!(
        flat.elements(6..9)
            .unwrap()
            .with_part(0, 1..2, Distribution::Constant { value: 0.0 })
            .unwrap()
            .slice(0, 1..2)
            .unwrap()
            .range(),
        7..8
    );
    let rows = whole.slice(0, 4..6).unwrap().with_part(0, 1..2, Distribution::Constant { value: 0.0 }).unwrap();
    assert_eq!(cpu::vec::<f32>(&rows).unwrap()[8..], [0.0; 8]);
    let deep = vec![2u64; 100_000];
    let error = normal.fill(&deep, streams()[0], Dtype::F32).unwrap_err().to_string();
    assert!(error.len() < 1000 && error.contains("99936 dimensions more"), "{error}");
    for huge in [&[1 << 40, 1 << 30][..], &[u64::MAX]] {
        assert_eq!(normal.fill(huge, streams()[0], Dtype::F32).unwrap_err().kind(), ErrorKind::Shape);
    }
}

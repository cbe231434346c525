//! Structures as text: read, written, refused.

use super::*;

#[test]
fn what_is_no_structure_is_named() {
    for (scheme, shape, layout, why) in [
        ("orthogonal", &[768][..], "out_in", "fewer than two dimensions"),
        ("orthogonal", &[65_537, 4], "out_in", "large=true"),
        ("orthogonal:large=true", &[1_048_577, 4], "out_in", "at most 1048576"),
        ("delta_orthogonal", &[3, 4, 3, 3], "out_in", "no more inputs than outputs"),
        ("delta_orthogonal", &[4, 3, 3, 3], "out_kernel_in", "neither the first nor the last"),
        ("identity", &[3, 4, 5], "out_in", "2 dimensions"),
        ("dirac", &[3, 4], "out_in", "3 to 5 dimensions"),
        ("dirac:groups=4", &[6, 4, 3], "out_in", "a divisor of the 6 outputs"),
        ("sparse:sparsity=0.5", &[3, 4, 5], "out_in", "2 dimensions"),
        ("sinusoids", &[768], "out_in", "2 dimensions or more"),
        ("sinusoids:endpoint=true", &[10, 9], "out_in", "an even number from 4 on"),
        ("sinusoids", &[1 << 13, (1 << 11) + 1], "out_in", "1 to 16777216 values"),
        ("arange:axis=2", &[3, 4], "out_in", "one of the dimensions"),
        ("arange:start=-1,function=log", &[3], "out_in", "a finite number"),
        ("column_norms:bound=1,rows=1073741824", &[3], "out_in", "at most 1073741824 elements"),
    ] {
        let error = scheme.parse::<Scheme>().unwrap().distribution(shape, layout.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains(why), "{scheme}: {error}");
    }
    for (scheme, why) in [
        ("orthogonal:gain=inf", "gain"),
        ("orthogonal:gain=1e-30", "2^-60"),
        ("sparse", "sparsity"),
        ("sparse:sparsity=1.5", "0 to 1"),
        ("dirac:groups=0", "groups"),
        ("linspace:start=1", "end"),
        ("inverse_frequencies:theta=-1", "theta"),
        ("sinusoids:theta=0.5", "theta is 0.5, allowed: finite and at least 1"),
        ("sinusoids:positions=3", "channels"),
        ("sinusoids:positions=3,channels=2,endpoint=true", "an even number from 4 on"),
        ("sinusoids:interleaved=maybe", "true, false"),
        ("log_uniform:low=0,high=1", "above 0"),
        ("log_of_uniform:low=-1,high=1", "above 0"),
        ("orthogonal:rows=3", "columns"),
        ("orthogonal:rows=0,columns=3", "rows"),
        ("arange:axis=x", "whole number"),
        ("column_norms:bound=1", "rows"),
        ("column_norms:bound=1,rows=0", "a whole number from 1 on"),
        ("column_norms:rows=3", "bound"),
        ("column_norms:bound=0,rows=3", "above 0"),
    ] {
        let error = scheme.parse::<Scheme>().unwrap_err();
        assert!(error.to_string().contains(why), "{scheme}: {error}");
    }
}

/// Groups are said by the layout, or by PyTorch's parameter of the scheme: what is drawn is the same.
#[test]
fn a_layouts_groups_hold_for_dirac() {
    let drawn = |scheme: &str, layout: &str| {
        let scheme: Scheme = scheme.parse().unwrap();
        scheme.distribution(&[12, 5, 3, 3], layout.parse().unwrap())
    };
    let expected = drawn("dirac:groups=3", "out_in").unwrap();
    assert_eq!(drawn("dirac", "out_in:groups=3").unwrap(), expected);
    assert_eq!(drawn("dirac:groups=3", "out_in:groups=3").unwrap(), expected);
    assert_ne!(drawn("dirac", "out_in").unwrap(), expected);
    let fill = fanin::scheme::dirac(1)
        .fill(&[12, 5, 3, 3], Layout::OUT_IN.with_groups(3), Stream::named(42, "w"), Dtype::F32)
        .unwrap();
    // Output o has a 1 at the middle tap of input o mod 4, as torch.nn.init.dirac_(w, 3) has it.
    let values: Vec<f32> = cpu::vec(&fill).unwrap();
    let ones: Vec<usize> = (0..values.len()).filter(|&i| values[i] != 0.0).collect();
    assert_eq!(ones, (0..12).map(|o| o * 45 + o % 4 * 9 + 4).collect::<Vec<_>>());
    for (scheme, layout, why) in [
        (
            "dirac:groups=2",
            "out_in:groups=3",
            "groups is 2 in the scheme dirac:groups=2 and 3 in the layout out_in:groups=3",
        ),
        ("dirac", "out_in:groups=5", "groups is 5, allowed: at least 1, and a divisor of the 12 outputs"),
        (
            "orthogonal",
            "out_in:groups=3",
            "groups is 3 in the layout out_in:groups=3, for the scheme orthogonal:gain=1, allowed: 1",
        ),
        ("delta_orthogonal", "out_in:groups=3", "for the scheme delta_orthogonal:gain=1, allowed: 1"),
    ] {
        let error = drawn(scheme, layout).unwrap_err().to_string();
        assert!(error.contains(why), "{scheme} in {layout}: {error}");
    }
}

/// As it stands in a checkpoint: resolved, and read back as the same.
#[test]
fn resolved_structures_read_back() {
    for (scheme, shape, layout) in CASES {
        let parsed: Scheme = scheme.parse().unwrap();
        assert_eq!(parsed.to_string().parse::<Scheme>().unwrap(), parsed, "{scheme}");
        let distribution = parsed.distribution(shape, layout.parse().unwrap()).unwrap();
        let text = Scheme::from(distribution).to_string();
        assert_eq!(text.parse::<Scheme>().unwrap(), Scheme::Fixed(distribution), "{text}");
    }
}

//! A figure: activations and gradients by layer, measured and expected, of several schemes side by side, after Glorot and Bengio 2010.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::probed_scheme::ProbedScheme;
use crate::commands::digits::four_digits;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failed = Box<dyn std::error::Error>;

/// The colour of all that is neither paper nor a scheme's: that of the reader's text, which is set behind.
const INK: RGBColor = RGBColor(1, 1, 1);
/// The colours of schemes, which most eyes tell apart on white and on black.
const SCHEMES: [RGBColor; 6] = [
    RGBColor(47, 129, 247),
    RGBColor(229, 112, 42),
    RGBColor(45, 164, 78),
    RGBColor(163, 113, 247),
    RGBColor(200, 150, 20),
    RGBColor(219, 97, 162),
];
/// The style of the page: light where the reader's system is light, else dark.
const STYLE: &str = "<style>:root{color:#1f2328;background:#fff}\
    @media(prefers-color-scheme:dark){:root{color:#e6edf3;background:#0d1117}}\
    text{font-family:system-ui,sans-serif}</style>";

const WIDTH: u32 = 860;
const HEIGHT: u32 = 330;
const LINE: u32 = 20;
/// The decades of an axis. Below them nothing is drawn.
const DECADES: f64 = 1e40;

/// The figure, as SVG.
pub fn svg(probed: &[ProbedScheme]) -> String {
    let mut svg = String::new();
    // Text is written into memory, which does not fail.
    let _ = draw(probed, &mut svg);
    let svg = svg.replace("\"#010101\"", "\"currentColor\"");
    match svg.find('>') {
        Some(end) => format!("{}{STYLE}{}", &svg[..=end], &svg[end + 1..]),
        None => svg,
    }
}

fn draw(probed: &[ProbedScheme], svg: &mut String) -> Result<(), Failed> {
    let legend = LINE * probed.len().div_ceil(2) as u32 + 34;
    let root = SVGBackend::with_string(svg, (WIDTH, HEIGHT + legend)).into_drawing_area();
    let (above, below) = root.split_vertically(legend);
    title(&above, probed)?;
    let (left, right) = below.split_horizontally(WIDTH / 2);
    panel(&left, "std of pre-activations", probed, |probed, at| {
        let expected = probed.report.theory.as_ref().map(|theory| theory.layers[at].pre_std);
        (probed.report.layers[at].pre_std, expected)
    })?;
    panel(&right, "std of gradients, of the last layer's", probed, |probed, at| {
        let expected = probed.report.theory.as_ref().map(|theory| theory.layers[at].gradient_std);
        (probed.report.layers[at].gradient_std, expected)
    })?;
    root.present()?;
    Ok(())
}

fn text(size: u32, horizontal: HPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK).pos(Pos::new(horizontal, VPos::Center))
}

/// The title: the probed layers, and each scheme's colour.
fn title(area: &Area<'_>, probed: &[ProbedScheme]) -> Result<(), Failed> {
    let Some(first) = probed.first() else { return Ok(()) };
    let probe = &first.probe;
    let (activation, depth, width) = (probe.activation(), probe.depth(), probe.width());
    let title = format!("{activation}, {depth} layers of {width}; dots are measured, lines are mean-field theory");
    area.draw(&Text::new(title, (16, 18), text(15, HPos::Left)))?;
    for (at, probed) in probed.iter().enumerate() {
        // In two columns.
        let (colour, x, y) =
            (SCHEMES[at % SCHEMES.len()], (WIDTH / 2) as i32 * (at % 2) as i32, LINE as i32 * (at / 2) as i32);
        let (x, y) = (x + 16, y + 42);
        area.draw(&PathElement::new([(x, y), (x + 28, y)], colour.stroke_width(2)))?;
        area.draw(&Circle::new((x + 14, y), 3, colour.filled()))?;
        area.draw(&Text::new(probed.text.clone(), (x + 38, y), text(14, HPos::Left)))?;
    }
    Ok(())
}

/// A number of each layer, measured and expected, on an axis of powers of ten.
fn panel(
    area: &Area<'_>,
    name: &str,
    probed: &[ProbedScheme],
    of: impl Fn(&ProbedScheme, usize) -> (f64, Option<f64>),
) -> Result<(), Failed> {
    let numbers: Vec<Vec<_>> =
        probed.iter().map(|probed| (0..probed.report.layers.len()).map(|at| of(probed, at)).collect()).collect();
    let all = numbers.iter().flatten().flat_map(|(measured, expected)| [Some(*measured), *expected]).flatten();
    let y = axis(all);
    let is_shown = |x: f64| y.contains(&x);
    let depth = numbers.iter().map(Vec::len).max().unwrap_or(1);
    let x = 0.5..depth as f64 + 0.5;
    area.draw(&Text::new(name.to_string(), (16, 12), text(14, HPos::Left)))?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(26)
        .margin_right(18)
        .x_label_area_size(36)
        .y_label_area_size(62)
        .build_cartesian_2d(x, y.clone().log_scale())?;
    chart
        .configure_mesh()
        .bold_line_style(INK.mix(0.15))
        .light_line_style(TRANSPARENT)
        .axis_style(INK.mix(0.5))
        .label_style(("sans-serif", 12).into_font().color(&INK))
        .x_desc("layer")
        .x_labels(depth.clamp(2, 10))
        .x_label_formatter(&|x| if x.fract() == 0.0 { format!("{x}") } else { String::new() })
        .y_labels(6)
        .y_label_formatter(&|y| if (1e-2..1e4).contains(y) { trimmed(*y) } else { format!("{y:.0e}") })
        .draw()?;
    for (at, numbers) in numbers.iter().enumerate() {
        let colour = SCHEMES[at % SCHEMES.len()];
        let layers = || numbers.iter().enumerate().map(|(at, number)| (at as f64 + 1.0, number));
        let expected = layers().filter_map(|(x, (_, expected))| Some((x, (*expected)?))).filter(|(_, y)| is_shown(*y));
        chart.draw_series(LineSeries::new(expected, colour.stroke_width(2)))?;
        let measured = layers().map(|(x, (measured, _))| (x, *measured)).filter(|(_, y)| is_shown(*y));
        chart.draw_series(measured.map(|at| Circle::new(at, 3, colour.filled())))?;
    }
    Ok(())
}

/// A range that holds all numbers that are above 0, but for what is very much smaller than the largest.
fn axis(numbers: impl Iterator<Item = f64>) -> Range<f64> {
    let positive = numbers.filter(|x| x.is_finite() && *x > 0.0);
    let (least, most) = positive.fold((f64::INFINITY, 0f64), |(least, most), x| (least.min(x), most.max(x)));
    if most == 0.0 {
        return 0.1..10.0;
    }
    let (most, least) = (most.min(1e150), least.max(1e-150));
    let least = least.max(most / DECADES).min(most);
    // At least a decade about them.
    let room = (10.0 / (most / least)).max(1.5).sqrt();
    least / room..most * room
}

fn trimmed(x: f64) -> String {
    let text = four_digits(x);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

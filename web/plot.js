// Histograms against exact densities, on a canvas.

import { cleared } from "./canvas.js";

// Each series: counts of equal bins from low to high, how many values there are, the exact density if there is one, a CSS colour's name.
export function plot(canvas, { low, high, series }) {
  const { context, width, height, colour } = cleared(canvas);

  const axis = 24;
  const bottom = height - axis;
  const x = (value) => ((value - low) / (high - low)) * width;
  // Densities of each series, by bin, and the curve through the middles of four times as many.
  const drawn = series.map(({ counts, total, density, colour: name }) => {
    const bin = (high - low) / counts.length;
    const bars = Array.from(counts, (count) => count / (total * bin));
    const steps = counts.length * 4;
    const curve = density ? Array.from({ length: steps }, (_, i) => density(low + ((i + 0.5) / steps) * (high - low))) : [];
    return { bars, curve, colour: colour(name) };
  });
  const most = Math.max(...drawn.flatMap(({ bars, curve }) => [...bars, ...curve]), 1e-300) * 1.05;
  const y = (value) => bottom - (value / most) * (bottom - 4);

  drawn.forEach(({ bars, colour }) => {
    context.globalAlpha = drawn.length > 1 ? 0.4 : 0.5;
    context.fillStyle = colour;
    bars.forEach((bar, i) => {
      const [left, right] = [(i / bars.length) * width, ((i + 1) / bars.length) * width];
      context.fillRect(left, y(bar), right - left - 0.5, bottom - y(bar));
    });
  });
  context.globalAlpha = 1;
  drawn.forEach(({ curve, colour }) => {
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.beginPath();
    curve.forEach((value, i) => context.lineTo(((i + 0.5) / curve.length) * width, y(value)));
    context.stroke();
  });

  context.strokeStyle = context.fillStyle = colour("--quiet");
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(0, bottom + 0.5);
  context.lineTo(width, bottom + 0.5);
  context.stroke();
  context.font = "12px ui-monospace, monospace";
  context.textAlign = "center";
  const step = roundStep((high - low) / (width < 500 ? 4 : 8));
  for (let i = Math.ceil(low / step); i * step <= high; i++) {
    const [at, text] = [x(i * step), String(Number((i * step).toPrecision(6)))];
    const half = context.measureText(text).width / 2;
    if (at - half < 0 || at + half > width) continue;
    context.fillRect(at, bottom, 1, 4);
    context.fillText(text, at, height - 6);
  }
}

// The next of 1, 2 and 5 times a power of ten.
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= least * (1 - 1e-9));
}

// Numbers by layer on an axis of powers of ten, measured as dots and expected as lines, on a canvas.

import { cleared } from "./canvas.js";

// Each series: numbers measured, numbers expected or null, a CSS colour's name.
export function curves(canvas, series) {
  const { context, width, height, colour } = cleared(canvas);
  context.font = "12px ui-monospace, monospace";

  const [left, bottom, top] = [52, height - 24, 8];
  const shown = (x) => Number.isFinite(x) && x > 0;
  const logs = series.flatMap(({ measured, expected }) => [...measured, ...(expected ?? [])]).filter(shown).map(Math.log10);
  const most = Math.ceil(Math.max(...logs, -10) + 0.1);
  const least = Math.max(Math.floor(Math.min(...logs, most - 1) - 0.1), most - 40);
  const layers = Math.max(...series.map(({ measured }) => measured.length));
  const x = (layer) => left + ((layer + 0.5) / layers) * (width - left);
  const y = (value) => bottom - ((Math.log10(value) - least) / (most - least)) * (bottom - top);

  context.lineWidth = 1;
  context.fillStyle = colour("--quiet");
  const decades = Math.ceil((most - least) / 6);
  context.textAlign = "right";
  for (let power = least; power <= most; power += decades) {
    const at = Math.round(y(10 ** power)) + 0.5;
    context.strokeStyle = colour("--line");
    context.beginPath();
    context.moveTo(left, at);
    context.lineTo(width, at);
    context.stroke();
    context.fillText(`1e${power}`, left - 6, at + 4);
  }
  context.textAlign = "center";
  const step = Math.ceil(layers / (width < 420 ? 5 : 10));
  for (let layer = step - 1; layer < layers; layer += step) context.fillText(String(layer + 1), x(layer), height - 6);

  series.forEach(({ measured, expected, colour: name }) => {
    context.strokeStyle = context.fillStyle = colour(name);
    context.lineWidth = 2;
    context.beginPath();
    (expected ?? []).forEach((value, i) => shown(value) && value >= 10 ** least && context.lineTo(x(i), y(value)));
    context.stroke();
    measured.forEach((value, i) => {
      if (!shown(value) || value < 10 ** least) return;
      context.beginPath();
      context.arc(x(i), y(value), 3, 0, 2 * Math.PI);
      context.fill();
    });
  });
}

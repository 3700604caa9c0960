// onnxruntime.mjs MODEL.onnx THREADS SECONDS CASE: a case of bench_net.c in ONNX Runtime (npm: onnxruntime-node), which has
// the forward pass only. One JSON object on stdout.
import { createRequire } from "node:module";
import { cwd } from "node:process";

const ort = createRequire(`${cwd()}/`)("onnxruntime-node");
const [model, threads, seconds, name] = process.argv.slice(2);
const cases = { "extract-224-b1": [224, 1], "extract-224-b8": [224, 8], "extract-150-b8": [150, 8], "extract-32-b64": [32, 64] };
const [size, batch] = cases[name];
const minRuns = 3, maxRuns = 1000;

const session = await ort.InferenceSession.create(model, { intraOpNumThreads: Number(threads), interOpNumThreads: 1 });
const x = new ort.Tensor("float32", Float32Array.from({ length: batch * 3 * size * size }, () => 2 * Math.random() - 1),
                         [batch, 3, size, size]);
await session.run({ x });
const times = [];
for (const begun = performance.now(); times.length < minRuns || (performance.now() - begun < 1e3 * seconds && times.length < maxRuns);) {
  const start = performance.now();
  await session.run({ x });
  times.push(performance.now() - start);
}
times.sort((a, b) => a - b);
const median = times[times.length >> 1], round = (value) => Number(value.toFixed(2));
console.log(JSON.stringify({
  engine: "onnxruntime", case: name, ms: round(median), ms_min: round(times[0]), ms_max: round(times.at(-1)),
  images_per_second: round(1e3 * batch / median), runs: times.length, peak_mib: Math.round(process.resourceUsage().maxRSS / 1024),
}));

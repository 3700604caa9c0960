// node onnx_values.mjs MODEL IN OUT N C H W: runs MODEL (in the folder that has onnxruntime-node) on N images one by one; IN and
// OUT are raw fp32 values.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cwd } from "node:process";

const ort = createRequire(`${cwd()}/`)("onnxruntime-node");
const [model, from, to, ...dims] = process.argv.slice(2);
const [n, c, h, w] = dims.map(Number);
const bytes = readFileSync(from), image = c * h * w;
const x = new Float32Array(bytes.buffer, bytes.byteOffset, n * image);
const session = await ort.InferenceSession.create(model);
const parts = [];
for (let i = 0; i < n; i++) {
  const tensor = new ort.Tensor("float32", x.slice(i * image, (i + 1) * image), [1, c, h, w]);
  parts.push(Buffer.from((await session.run({ x: tensor }))[session.outputNames[0]].data.slice().buffer));
}
writeFileSync(to, Buffer.concat(parts));

import type { InferenceSession, Tensor, TypedTensor } from "onnxruntime-node";
import { AgentError, messageOf } from "../../core/errors.ts";
import type { ConstantInput, OutputTensor, TensorFacts } from "./families/family.ts";

/**
 * The one place that knows onnxruntime-node. It is loaded on first use, so that a machine without a binary for it still
 * captures, re-encodes and says clearly what is missing.
 */

type Runtime = typeof import("onnxruntime-node");

export interface Session {
  readonly inputs: readonly TensorFacts[];
  readonly outputs: readonly TensorFacts[];
  /** For example `onnxruntime-node 1.30.0`. */
  readonly runtime: string;
  readonly threads: number;
  /** Blocks the thread until the model has run. Outputs by name, in the file's order. Fails with `MODEL_RUN`. */
  run(
    input: TensorFacts,
    data: Float32Array | Uint8Array,
    dims: readonly number[],
    constants?: readonly ConstantInput[],
  ): Promise<ReadonlyMap<string, OutputTensor>>;
  release(): Promise<void>;
}

/** Fails with `MODEL_RUNTIME_MISSING` or `MODEL_FAILED`. */
export async function openSession(file: string, threads: number): Promise<Session> {
  const ort = await loadRuntime();
  let session: InferenceSession;
  try {
    session = await ort.InferenceSession.create(file, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: "all",
      // Errors only: warnings about the graph would fill the log at every start.
      logSeverityLevel: 3,
      // A thread that waits by spinning burns 33 ms of processor time after every run and slows whatever comes next.
      extra: { session: { intra_op: { allow_spinning: "0" } } },
    });
  } catch (error) {
    throw new AgentError("MODEL_FAILED", `ONNX Runtime cannot load ${file}: ${messageOf(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  }
  return new OnnxSession(ort, session, threads);
}

async function loadRuntime(): Promise<Runtime> {
  try {
    // The package is CommonJS: its names are properties of the default export.
    const loaded = (await import("onnxruntime-node")) as Runtime & { readonly default?: Runtime };
    return loaded.default ?? loaded;
  } catch (error) {
    const where = `${process.platform}-${process.arch}`;
    throw new AgentError("MODEL_RUNTIME_MISSING", `onnxruntime-node does not load on ${where}: ${messageOf(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  }
}

class OnnxSession implements Session {
  readonly inputs: readonly TensorFacts[];
  readonly outputs: readonly TensorFacts[];
  readonly runtime: string;
  readonly threads: number;
  readonly #ort: Runtime;
  readonly #session: InferenceSession;

  constructor(ort: Runtime, session: InferenceSession, threads: number) {
    this.#ort = ort;
    this.#session = session;
    this.threads = threads;
    this.inputs = session.inputMetadata.map(factsOf);
    this.outputs = session.outputMetadata.map(factsOf);
    this.runtime = `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`;
  }

  async run(
    input: TensorFacts,
    data: Float32Array | Uint8Array,
    dims: readonly number[],
    constants: readonly ConstantInput[] = [],
  ) {
    const outputs = new Map<string, OutputTensor>();
    try {
      const tensor: TypedTensor<"float32"> | TypedTensor<"uint8"> =
        data instanceof Float32Array
          ? new this.#ort.Tensor("float32", data, dims)
          : new this.#ort.Tensor("uint8", data, dims);
      const feeds: Record<string, Tensor> = { [input.name]: tensor };
      for (const { name, data: values, dims: shape } of constants) {
        feeds[name] =
          values instanceof Float32Array
            ? new this.#ort.Tensor("float32", values, shape)
            : new this.#ort.Tensor("int64", values, shape);
      }
      const results = await this.#session.run(feeds);
      for (const { name } of this.outputs) outputs.set(name, floatsOf(name, results[name]));
    } catch (error) {
      if (error instanceof AgentError) throw error;
      throw new AgentError("MODEL_RUN", `the model failed to run: ${messageOf(error)}`, {
        disposition: "retry",
        cause: error,
      });
    }
    return outputs;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

function floatsOf(name: string, tensor: Tensor | undefined): OutputTensor {
  if (tensor?.data instanceof Float32Array) return { data: tensor.data, dims: tensor.dims };
  if (tensor?.data instanceof BigInt64Array || tensor?.data instanceof Int32Array) {
    return { data: Float32Array.from(tensor.data, Number), dims: tensor.dims };
  }
  throw new AgentError("MODEL_OUTPUT", `the model's output ${name} is ${tensor?.type ?? "missing"}, not numbers`, {
    disposition: "fatal",
  });
}

function factsOf(metadata: InferenceSession.ValueMetadata): TensorFacts {
  return metadata.isTensor
    ? { name: metadata.name, type: metadata.type, shape: metadata.shape }
    : { name: metadata.name, type: "not a tensor", shape: [] };
}

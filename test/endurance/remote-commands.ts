import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import { SandboxBroker } from "../../src/sandbox/broker.ts";
import type { CommandSpec } from "../../src/remote/command.ts";
import { commandSpecs } from "../../src/remote/commands/specs.ts";
import type { Reply } from "../../src/remote/reply.ts";
import type { BenchTable, Verdict } from "../bench/table.ts";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { DeviceCaller } from "../lib/device-caller.ts";
import { Mosquitto } from "../lib/mosquitto.ts";
import { until } from "../lib/poll.ts";
import type { ProtocolVersion } from "../lib/steering-broker.ts";
import { tempFolder } from "../lib/temp.ts";

interface Setup {
  readonly broker: string;
  readonly version: ProtocolVersion;
}

interface Case {
  readonly what: "good" | "dry" | "bad arguments" | "no id";
  readonly spec: CommandSpec;
  readonly request: object;
  /** What the only final reply may say. */
  readonly isRight: (reply: Reply) => boolean;
}

interface Result {
  readonly setup: Setup;
  readonly cases: number;
  readonly done: number;
  readonly wrong: readonly string[];
}

const setups: readonly Setup[] = [
  { broker: "Mosquitto", version: "5" },
  { broker: "Mosquitto", version: "3.1.1" },
  { broker: "in-process", version: "3.1.1" },
];

/** Just below what the device takes in the long run. */
const paceMs = 1_000 / remoteLimits.requestsPerSecond + 60;
/** Parts may start anew after these, and a client of 3.1.1 loses what is sent meanwhile. */
const roundMs = 1_500;

/** `npm run test:endurance -- remote-commands`: every command, good and bad, to a daemon at each kind of broker. */
export async function remoteCommands(): Promise<BenchTable> {
  const results = await Promise.all(setups.map(tried));
  const wrong = results.flatMap(({ wrong }) => wrong);
  for (const each of wrong.slice(0, 20)) process.stdout.write(`${each}\n`);
  const right: Verdict = {
    name: "requests without exactly one final reply of the right kind",
    value: wrong.length,
    bound: "0",
    holds: wrong.length === 0,
  };
  return {
    title: `Every command (${commandSpecs.length}) with good and bad arguments`,
    columns: ["broker", "MQTT", "requests", "done", "not one right final reply"],
    rows: results.map(({ setup, cases, done, wrong }) => [setup.broker, setup.version, cases, done, wrong.length]),
    verdicts: [right],
    notes: [
      `Each command with its documented example, with an argument that it does not know, and where it has an effect also dry
and without an id. What a gateway of one camera and one folder cannot do (a model that is not installed, a token that is not
given) has to be refused or fail in words of its own; no reply may say internal.`,
    ],
  };
}

async function tried(setup: Setup): Promise<Result> {
  await using folder = await tempFolder();
  const mosquitto = setup.broker === "Mosquitto" ? new Mosquitto({ lines: ["allow_anonymous true"] }) : undefined;
  const sandbox = new SandboxBroker();
  await mosquitto?.start();
  const url = mosquitto?.url ?? (await sandbox.start()).url;
  try {
    const file = await writeConfig(folder.path, {
      device: { name: "gw" },
      cameras: [{ id: "front", driver: "simulated", interval: "500ms", width: 160, height: 120 }],
      targets: [{ id: "archive", kind: "folder", path: join(folder.path, "out") }],
      remote: { url, protocol: setup.version },
    });
    await using caller = await DeviceCaller.connect(url, "gw", setup.version);
    await using agent = new AgentProcess(["run", "-c", file, "--data", join(folder.path, "data")]);
    await agent.until("it is online", () => caller.isPresent(), 60_000);
    return await asked(setup, caller);
  } finally {
    await mosquitto?.stop();
    await sandbox.stop();
  }
}

async function asked(setup: Setup, caller: DeviceCaller): Promise<Result> {
  const cases = casesOf();
  const wrong: string[] = [];
  const ids: string[] = [];
  let done = 0;
  for (const [at, { what, spec, request, isRight }] of cases.entries()) {
    await until(() => caller.isPresent(), "the device online", 60_000);
    const id = what === "no id" ? undefined : `case-${at}`;
    const before = caller.finals().length;
    await caller.publish(spec.name, { ...request, ...(id === undefined ? {} : { id }) });
    const finals = () => (id === undefined ? caller.finals().slice(before) : caller.finalsTo(id));
    await until(() => finals().length > 0, `a final reply to ${spec.name}`, 90_000).catch(() => undefined);
    const [reply] = finals();
    if (reply === undefined || !isRight(reply)) {
      wrong.push(`${setup.broker} ${setup.version}: ${spec.name}, ${what}: ${JSON.stringify(reply)}`);
    }
    if (reply?.state === "done") done += 1;
    if (id !== undefined) ids.push(id);
    await delay(spec.effect && what === "good" ? Math.max(paceMs, roundMs) : paceMs);
  }
  for (const id of ids) {
    const count = new Set(caller.finalsTo(id).map(({ seq }) => seq)).size;
    if (count > 1) wrong.push(`${setup.broker} ${setup.version}: ${id} had ${count} final replies`);
  }
  return { setup, cases: cases.length, done, wrong };
}

function casesOf(): readonly Case[] {
  return commandSpecs.flatMap((spec): readonly Case[] => {
    const args = spec.example as object;
    const isKnown = (reply: Reply) => !["internal", "unknown_command", "bad_json", "busy"].includes(reply.code);
    const isBad = ({ state, code }: Reply) => state === "refused" && code === "bad_args";
    const bad = { ...args, nobodyKnowsThis: true };
    return [
      ...(spec.effect ? [{ what: "dry", spec, request: { args, dry: true }, isRight: isKnown } as const] : []),
      { what: "good", spec, request: { args }, isRight: isKnown },
      { what: "bad arguments", spec, request: { args: bad }, isRight: isBad },
      ...(spec.effect ? [{ what: "no id", spec, request: { args }, isRight: isBad } as const] : []),
    ];
  });
}

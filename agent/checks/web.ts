import { asAgentError } from "../../src/core/errors.ts";
import { readTlsOptions } from "../../src/link/tls.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { CommandContext } from "../context.ts";
import { certificateFileCheck } from "./network.ts";
import type { CheckResult } from "./result.ts";

const check = "web";

/** Whether the page can be served with its certificate, and for how long. Undefined where it is served without one. */
export async function webCheck(
  context: Pick<CommandContext, "clock">,
  { enabled, tls }: FramepostConfig["web"],
): Promise<CheckResult | undefined> {
  if (!enabled || tls === undefined) return undefined;
  const { cert, key } = tls;
  try {
    await readTlsOptions({ ...tls, insecureSkipVerify: false });
  } catch (error) {
    const { code, message } = asAgentError(error, "reading web.tls");
    const mend = `put a certificate into ${cert} and its key into ${key}, for the service's user to read`;
    return { check, result: "failed", found: `the page is not served: ${message} (${code})`, mend };
  }
  const mend = `have it renewed, put it in place of ${cert}, and then: sudo systemctl reload framepost`;
  return certificateFileCheck(context, { file: cert, what: "certificate of web", mend });
}

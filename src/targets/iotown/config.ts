import { z } from "zod";
import { identifier, secret, tls } from "../../config/values.ts";
import { isPrivateHost } from "../../link/hosts.ts";
import { filterFields, queueFields } from "../config.ts";

const serverUrl = z
  .url({ protocol: /^https?$/, error: "expected an address such as https://town.example:8888" })
  .refine((url) => bare(url), "expected scheme, host and port only: no user, query or fragment, and no /api/v1.0")
  .transform((url) => url.replace(/\/+$/, ""))
  .describe("Address of the IoT.own server, for example https://town.example:8888");

function bare(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { username, password, search, hash, pathname } = new URL(url);
  return [username, password, search, hash].every((part) => part === "") && !pathname.includes("/api/");
}

/** A header takes visible ASCII only; a line break copied with a token would otherwise be a puzzling 401. */
const headerSecret = secret.regex(/^[\x21-\x7e]+$/, "expected visible ASCII characters without spaces");

export const iotownConfig = z.strictObject({
  id: identifier.describe("Name of this target in logs, commands and the spool"),
  kind: z.literal("iotown"),
  url: serverUrl,
  token: headerSecret.describe("API token of the IoT.own account"),
  grpid: z
    .string()
    .regex(/^[\x21-\x7e]+$/)
    .optional()
    .describe("Group id, only with an administrator's token"),
  boxOrigin: z
    .enum(["center", "top-left"])
    .default("center")
    .describe("What x and y of a label mean; the vendor's reference says the centre"),
  ...filterFields,
  ...queueFields,
  tls: tls.optional().describe("Certificates, where the system's are not enough"),
  proxy: secret
    .refine((url) => URL.canParse(url) && /^https?:\/\//.test(url), "expected http://host:port or https://host:port")
    .optional()
    .describe("HTTP proxy that allows CONNECT; the environment's proxy settings are ignored"),
});

export type IotownConfig = z.infer<typeof iotownConfig>;

/** What an operator should know although it is allowed. Holds no secret. */
export function iotownWarnings(config: IotownConfig): readonly string[] {
  const { protocol, hostname } = new URL(config.url);
  const warnings: string[] = [];
  if (protocol === "http:" && !isPrivateHost(hostname)) {
    warnings.push(
      `${config.id}: the token and the pictures go to ${hostname} unencrypted over http; use https if the server has it`,
    );
  }
  if (config.tls?.insecureSkipVerify === true) {
    warnings.push(
      `${config.id}: the server's certificate is not checked (tls.insecureSkipVerify); name its CA instead`,
    );
  }
  return warnings;
}
